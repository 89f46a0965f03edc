// The little that pages cannot do without a program of their own. Everything else works by links
// and forms. Keys are read by their place on the keyboard (event.code): they work in every layout.
(() => {
  'use strict';
  const root = document.documentElement;

  // The theme the reader's system asks for, before anything is drawn.
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const paint = () => root.setAttribute('data-bs-theme', dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', paint);
  paint();

  // A thin line at the top when something takes longer than one notices.
  let waiting = 0, timer = 0;
  const busy = () => {
    waiting += 1;
    if (waiting === 1) timer = setTimeout(() => root.classList.add('busy'), 150);
  };
  const idle = () => {
    waiting = Math.max(0, waiting - 1);
    if (!waiting) { clearTimeout(timer); root.classList.remove('busy'); }
  };
  addEventListener('pageshow', () => { waiting = 0; clearTimeout(timer); root.classList.remove('busy'); });
  addEventListener('submit', (event) => {
    if (!event.defaultPrevented && event.target.method !== 'dialog') busy();
  });
  addEventListener('click', (event) => {
    const link = event.target.closest && event.target.closest('a[href]');
    const plain = !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
    if (link && plain && !link.target && !link.hasAttribute('download') && link.origin === location.origin
        && link.getAttribute('href')[0] !== '#') busy();
  });
  document.addEventListener('htmx:before:request', busy);
  document.addEventListener('htmx:finally:request', idle);

  const typing = (target) => target.closest && target.closest('input, textarea, select, [contenteditable]');
  const click = (selector) => { const one = document.querySelector(selector); if (one) one.click(); return !!one; };

  // A form may say by name which key presses it; a list is walked with J and K.
  const walk = (step) => {
    const rows = [...document.querySelectorAll('[data-row]')];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement.closest('[data-row]'));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    (next.matches('a, button') ? next : next.querySelector('a, button') || next).focus();
    next.scrollIntoView({ block: 'nearest' });
  };

  // The palette: what is typed leads to tickets, partners and pages; arrows walk, Enter goes.
  let asked = 0, typed = 0;
  const look = async (box) => {
    const mine = asked += 1;
    const answer = await fetch(`${box.dataset.palette}?text=${encodeURIComponent(box.value)}`, { headers: { 'HX-Request': 'true' } });
    const text = answer.ok ? await answer.text() : '';
    if (mine === asked) document.getElementById('found').innerHTML = text;
  };
  const palette = () => document.querySelector('[data-palette]');
  const find = () => {
    const box = palette();
    if (!box || document.querySelector('dialog[open]')) return;
    box.value = '';
    document.getElementById('palette').showModal();
    look(box);
  };
  addEventListener('input', (event) => {
    if (event.target !== palette()) return;
    clearTimeout(typed);
    typed = setTimeout(look, 120, event.target);
  });
  const among = (event) => {
    const ways = [palette(), ...document.querySelectorAll('#found a')];
    const at = ways.indexOf(document.activeElement), step = { ArrowDown: 1, ArrowUp: -1 }[event.code];
    if (step) { event.preventDefault(); ways[(at + step + ways.length) % ways.length].focus(); }
    else if (event.code === 'Enter' && at === 0) {
      event.preventDefault();
      clearTimeout(typed); // whoever types fast means what was typed, not what is shown yet
      look(ways[0]).then(() => click('#found a'));
    }
  };

  let going = false;
  addEventListener('keydown', (event) => {
    if (event.ctrlKey && event.code === 'Enter' && event.target.form) {
      event.preventDefault();
      event.target.form.requestSubmit();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.code === 'KeyK') { event.preventDefault(); find(); return; }
    if (document.getElementById('palette')?.open) { among(event); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const letter = event.code.replace('Key', '');
    if (going) {
      going = false;
      if (click(`.places [data-key="${CSS.escape(letter)}"]`)) event.preventDefault();
      return;
    }
    if (document.querySelector('dialog[open]')) return;
    if (event.code === 'Slash') {
      event.preventDefault();
      if (event.shiftKey) document.getElementById('keys')?.showModal();
      else document.querySelector('[data-search]')?.focus();
    } else if (letter === 'G') { going = true; setTimeout(() => { going = false; }, 1500);
    } else if (letter === 'J') walk(1);
    else if (letter === 'K') walk(-1);
    else if (letter === 'Z') click('[data-undo]');
    else if (letter === 'X') document.activeElement.closest('[data-row]')?.querySelector('input[type=checkbox]')?.click();
    else if (event.code === 'Period') navigator.clipboard.writeText(location.href);
    else if (!event.shiftKey && letter.length === 1 && click(`[data-press="${CSS.escape(letter)}"]`)) event.preventDefault();
  });

  // Toasts go by themselves; one that can be undone stays ten seconds.
  const mind = (toast) => {
    if (toast.dataset.minded) return;
    toast.dataset.minded = '1';
    if (!toast.classList.contains('bad')) setTimeout(() => toast.remove(), 10000);
  };
  const mindAll = () => document.querySelectorAll('[data-toast]').forEach(mind);
  document.addEventListener('htmx:after:swap', mindAll);

  addEventListener('click', async (event) => {
    const copy = event.target.closest && event.target.closest('[data-copy]');
    if (copy) {
      const text = copy.querySelector('span') || copy, before = text.textContent;
      await navigator.clipboard.writeText(copy.dataset.copy);
      text.textContent = copy.dataset.done;
      setTimeout(() => { text.textContent = before; }, 2000);
    }
    const opener = event.target.closest && event.target.closest('[data-open]');
    if (opener && opener.dataset.open === 'palette') find();
    else if (opener) document.getElementById(opener.dataset.open)?.showModal();
  });

  document.addEventListener('DOMContentLoaded', () => {
    mindAll();
    // On a phone the menu of the settings is one line: where one is must be in sight.
    const here = document.querySelector('.settings-menu [aria-current]');
    if (here) here.parentElement.scrollLeft = here.offsetLeft - 40;
  });
})();
