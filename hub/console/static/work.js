// What tickets need beside links and forms: news while a page is open, files with progress, drafts,
// who else is here. Every word that comes is put in as the server escaped it.
(() => {
  'use strict';
  const me = document.currentScript;
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const fetched = async (path) => {
    const answer = await fetch(path, { headers: { 'HX-Request': 'true' } });
    return answer.ok ? answer.text() : null;
  };

  // A part that is being used is not taken from under somebody's hands.
  const used = (box) => one('details.pop[open]', box) || one('input[type=checkbox]:checked', box)
    || (box.contains(document.activeElement) && document.activeElement.matches('input, textarea, select'));
  const renew = async (box) => {
    if (used(box)) return;
    const text = await fetched(box.dataset.live);
    if (text === null || used(box)) return;
    const folds = all('details.fold', box).map((fold) => fold.open);
    const focused = all('a, button', box).indexOf(document.activeElement);
    box.innerHTML = text;
    all('details.fold', box).forEach((fold, n) => { fold.open = !!folds[n]; });
    if (focused >= 0) all('a, button', box)[focused]?.focus({ preventScroll: true });
    if (one('.mark-queued, .mark-late, .held', box)) later(box, one('.held', box) ? 1000 : 1500);
  };
  const waiting = new Map();
  const later = (box, after) => {
    if (waiting.has(box)) return;
    waiting.set(box, setTimeout(() => { waiting.delete(box); renew(box); }, after));
  };

  const listen = () => {
    const boxes = all('[data-live]');
    if (!boxes.length || !me.dataset.stream) return;
    const ticket = one('[data-ticket]')?.dataset.ticket;
    const source = new EventSource(me.dataset.stream);
    source.addEventListener('ticket-changed', (event) => {
      const changed = JSON.parse(event.data).ticket;
      if (!ticket || ticket === changed) boxes.forEach((box) => later(box, 150));
    });
    addEventListener('pagehide', () => source.close());
    boxes.filter((box) => box.dataset.again).forEach((box) => later(box, 1000));
  };

  // Drafts and presence.
  const send = (path, words) => fetch(path, { method: 'POST', body: new URLSearchParams(words), keepalive: true });
  const write = () => {
    const form = one('[data-draft]'), page = one('[data-presence]');
    const text = form && one('textarea', form);
    const here = async (doing) => {
      const answer = await send(page.dataset.presence, { doing });
      const box = one('#onlookers');
      if (box && answer.ok) box.innerHTML = await answer.text();
    };
    if (page && form) {
      here(text.value ? 'writing' : 'reading');
      setInterval(() => { if (!document.hidden) here(text.value ? 'writing' : 'reading'); }, 15000);
      addEventListener('pagehide', () => send(page.dataset.presence, { doing: 'gone' }));
    }
    if (!form) return;
    let timer = 0, sent = false;
    const keep = async () => {
      await send(form.dataset.draft, { body: text.value, visibility: form.elements.visibility.value });
      one('[data-drafted]', form).hidden = !text.value;
    };
    text.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(keep, 600); });
    form.addEventListener('change', () => { if (text.value && !sent) keep(); });
    form.addEventListener('submit', () => { sent = true; clearTimeout(timer); });
    addEventListener('click', (event) => {
      const say = event.target.closest('[data-say]');
      if (!say) return;
      one(`[name=visibility][value=${say.dataset.say}]`, form).checked = true;
      text.focus();
    });
  };

  // Files: one request each, with a bar; what failed can be tried again.
  const title = document.title;
  let under = 0;
  const told = () => { document.title = under ? `(${under}) ${title}` : title; };
  const upload = (file, path, list, done) => {
    const row = document.createElement('li'), name = document.createElement('span');
    const bar = document.createElement('progress'), again = document.createElement('button');
    name.textContent = file.name;
    bar.max = 1;
    bar.setAttribute('aria-label', file.name);
    again.type = 'button'; again.className = 'btn btn-sm'; again.hidden = true; again.textContent = '↻';
    row.append(name, bar, again);
    list.append(row);
    const go = () => {
      const request = new XMLHttpRequest();
      again.hidden = true; row.classList.remove('failed'); bar.value = 0;
      under += 1; told();
      request.upload.addEventListener('progress', (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
      request.addEventListener('loadend', () => {
        under -= 1; told();
        const good = request.status === 200;
        row.classList.add(good ? 'done' : 'failed');
        again.hidden = good;
        if (good) { bar.value = 1; done(JSON.parse(request.responseText)); }
      });
      request.open('POST', path + (path.includes('?') ? '&' : '?') + 'name=' + encodeURIComponent(file.name));
      request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
      request.send(file);
    };
    again.addEventListener('click', go);
    go();
  };
  const drops = () => all('[data-upload]').forEach((form) => {
    const list = one('[data-uploads]', form), zone = one('[data-drop]', form);
    const take = (files) => [...files].forEach((file) => {
      const seen = form.elements.visibility?.value;
      upload(file, form.dataset.upload + (seen ? `?visibility=${seen}` : ''), list, async () => {
        if (form.dataset.reload && !under) location.reload();
        const box = one('#files');
        if (box && form.dataset.files) box.innerHTML = (await fetched(form.dataset.files)) || '';
      });
    });
    one('[data-pick]', zone).addEventListener('change', (event) => { take(event.target.files); event.target.value = ''; });
    form.addEventListener('dragover', (event) => { event.preventDefault(); zone.classList.add('over'); });
    form.addEventListener('dragleave', () => zone.classList.remove('over'));
    form.addEventListener('drop', (event) => { event.preventDefault(); zone.classList.remove('over'); take(event.dataTransfer.files); });
  });

  // A photo is made small here: the phone's own one takes minutes on a slow line, and says where it was.
  const small = async (file) => {
    const picture = await createImageBitmap(file).catch(() => null);
    if (!picture) return file;
    const scale = Math.min(1, 2000 / Math.max(picture.width, picture.height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(picture.width * scale); canvas.height = Math.round(picture.height * scale);
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((give) => canvas.toBlob(give, 'image/jpeg', 0.85));
    return blob ? new File([blob], file.name.replace(/\.[^.]*$/, '') + '.jpg', { type: 'image/jpeg' }) : file;
  };
  const shoot = () => all('[data-shoot]').forEach((input) => input.addEventListener('change', async () => {
    const form = input.form, path = input.closest('[data-photo]').dataset.photo;
    if (!input.files.length) return;
    upload(await small(input.files[0]), path + '?visibility=public', one('[data-uploads]'), (kept) => {
      form.elements.photo.value = kept.id;
      input.value = '';
      form.requestSubmit();
    });
  }));

  // The sheet of a hand-off: a partner or a box changed, so does what leaves.
  const previews = () => all('[data-preview]').forEach((form) => form.addEventListener('change', async (event) => {
    if (!event.target.matches('[name=to], [name=withhold], [name=file]')) return;
    const words = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (name !== 'due') words.append(name, value);
    const text = await fetched(`${form.dataset.preview}?${words}`);
    if (text !== null) one('#preview').innerHTML = text;
  }));
  const narrow = () => all('[data-narrow]').forEach((input) => input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase();
    all(input.dataset.narrow).forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
  }));
  const chosen = () => all('[data-with-chosen]').forEach((form) => form.addEventListener('submit', () => {
    all('.pick:checked').forEach((box) => {
      const copy = document.createElement('input');
      copy.type = 'hidden'; copy.name = 'ticket'; copy.value = box.value;
      form.append(copy);
    });
  }));

  [listen, write, drops, shoot, previews, narrow, chosen].forEach((begin) => begin());
})();
