"""The lists of hostile and of naughty texts, in every text field of every form, in a browser.

Forms are taken from the pages as they are shown, pages from the table of pages: a new form is
tried by itself, and a form that no page here shows makes the first test fail. Each text is put
between two marks. Wherever a page shows it afterwards, in its text, in a field or in an attribute,
it must be what was typed; and nothing may have run, asked somebody else, or been stopped by the
policy of the page.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub import console as package
from hub.actions import (
    access,
    amendments,
    correspondence,
    guests,
    handoffs,
    holding,
    letters,
    mail_links,
    tickets,
    visits,
)
from hub.actions.access import Purpose as Way
from hub.actions.guests import Purpose
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket
from hub.console.routes import PAGES
from hub.domain.agreement import AsContractor, AsPrincipal, CancelPolicy, Offer, Subcontracting
from hub.domain.assignment import VisitStage
from hub.domain.handoff import Act
from hub.ids import AgentId
from hub.protocol import strict_json
from hub.storage.tables import mail_acts
from tests.console.conftest import NewVisitor
from tests.console.test_who_may import filled, furnish
from tests.corpora import corpus, corpus_json
from tests.kit.browsing import no_outside_requests
from tests.kit.console import Console
from tests.kit.network import Network

BUTTONS = {
    *("take_ticket", "untie_ticket", "remove_view", "speak", "sign_out", "enable_webhook"),
    *("replay_webhook", "replay_call", "leave_notices", "read_notices", "end_session"),
    *("end_sessions", "resume_link", "withdraw", "confirm_link", "enable_agent", "revoke_token"),
    *("restore_customer", "restore_asset", "restore_site", "replay_desk", "disable_desk"),
    *("enable_desk", "fill_desk", "roll_desk_back", "release_ticket", "send_to_desk", "cut_pair"),
}
"""Pages that take a press of a button, which is not always shown; their templates are read."""

WITHOUT_FORM = {
    "presence": "sent by our own program: `here`, `writing`, `gone`",
    "keep_draft": "sent by our own program: the text of `say`",
    "upload": "files; their names: test_attacks.py",
    "guest_upload": "the same",
    "cancel_handoff": "no form of its own: the page takes it back",
    "entering_code": "a code; shown on no page",
    "remove_factor": "a password; shown on no page",
    "join_pair": "of a desk at work, which this scene does not have: not tried here",
}
"""Pages that take a form in which nobody can write what is shown again."""

NOT_KEPT = {
    # What is typed there is compared with something, or has a form that no other text has.
    *("password", "old", "again", "code", "email", "address", "url", "zone", "time_zone", "other"),
    *("eta", "due", "due_at", "visit_at", "quiet_from", "quiet_to", "position", "until"),
    *("called", "digest", "language", "tax_id", "requester"),
}
"""Fields whose text may be refused, or is shown nowhere."""

DEFAULTS = {
    "email": "anna{n}@plus.example",
    "address": "east{n}@east.example",
    "url": "https://desk.example/events{n}",
    "zone": "Asia/Omsk",
    "time_zone": "Asia/Omsk",
    "password": "лошадь скрепка батарея",
    "code": "txp1.none",
    "position": "1",
}


# --- what is said -----------------------------------------------------------------------------


def hostile() -> list[str]:
    """Both corpora, one text each once."""
    said = [one for one in corpus_json("naughty-strings", "blns.json") if one.strip()]
    for path in sorted(corpus("xss").rglob("*.txt")):
        said += [one for one in path.read_text("utf-8", "replace").splitlines() if one.strip()]
    return [
        one for one in dict.fromkeys(said) if strict_json.clean(one) == one and one.isprintable()
    ]


class Texts:
    """A hostile text for each place, another one each time, between marks of its own."""

    def __init__(self) -> None:
        every = self._every = hostile()
        assert len(every) > 5000
        # A line takes no comma (a list of tags), and no space at its ends; and it may be short.
        lines = [one for one in every if one == one.strip() and "," not in one]
        self._short = itertools.cycle([one for one in lines if 8 < len(one) <= 30 and "<" in one])
        self._line = itertools.cycle([one for one in lines[::7] if 30 < len(one) <= 90])
        self._much: Iterator[str] = itertools.cycle(every)
        self.typed: dict[str, str] = {}

    def _marked(self, text: str) -> str:
        mark = f"{len(self.typed) + 100}"
        self.typed[mark] = text
        return f"⟦{mark}⟧{text}⟦/⟧"

    def short(self) -> str:
        return self._marked(next(self._short))

    def line(self) -> str:
        return self._marked(next(self._line))

    def much(self, count: int = 40) -> str:
        return "\n".join(self._marked(next(self._much).strip()) for _ in range(count))

    def rest(self) -> Iterator[str]:
        """Texts of many lines that hold what was typed nowhere yet."""
        lines = [one for one in self._every if one.strip() not in set(self.typed.values())]
        batch = ""
        for line in lines:
            batch += self._marked(line.strip()) + "\n"
            if len(batch) > 12_000:
                yield batch
                batch = ""
        yield batch or "-"


# --- what there is ----------------------------------------------------------------------------


@dataclass
class Place:
    """A console with everything on it that a form can be about."""

    console: Console
    things: dict[str, str]
    paths: list[str] = field(default_factory=list)


@pytest.fixture
async def place(companies: Network) -> AsyncIterator[Place]:
    asks = Subcontracting.CONSENT
    terms = Offer(
        as_principal=AsPrincipal(subcontracting=asks),
        as_contractor=AsContractor(subcontracting=asks, cancel=CancelPolicy.ASSESS),
    )
    ours, theirs, third = [
        await companies.company(name) for name in ("Сервис Плюс", "Мастер-Юг", "Третьи")
    ]
    hub, who = ours.hub, ours.dispatcher
    link = await companies.link(ours, theirs, offer=terms, counter_offer=terms)
    back = await theirs.link_to(ours.name)
    await companies.link(ours, third)
    console = await Console.serve(ours)
    things = await furnish(console, link)
    shown = []

    async def given(*acts: Act, to: Any = ours) -> tuple[str, str]:
        """A ticket of the partner's that was offered to us, and brought on so far."""
        made = await tickets.create(theirs.hub, theirs.dispatcher, NewTicket("Касса"))
        work = await handoffs.offer(theirs.hub, theirs.dispatcher, OfferHandoff(made.id, back))
        await companies.run_until_idle()
        for act in acts:
            await handoffs.act(hub, who, work, act, Particulars(resolution="Готово"))
        await companies.run_until_idle()
        return made.id, work

    async def asked(*acts: Act) -> str:
        """A ticket of ours at the partner, brought on so far by it."""
        made = await tickets.create(hub, who, NewTicket("Касса", checklist=["Лента"]))
        work = await handoffs.offer(hub, who, OfferHandoff(made.id, link))
        await companies.run_until_idle()
        for act in acts:
            await handoffs.act(
                theirs.hub, theirs.dispatcher, work, act, Particulars(resolution="Да")
            )
        await companies.run_until_idle()
        shown.append(made.number)
        return work

    await given()
    await given(Act.ACCEPT)
    for _ in range(5):  # an act ends what another one would be about
        _, begun = await given(Act.ACCEPT, Act.START)
    _, unwanted = await given(Act.ACCEPT, Act.START)
    await handoffs.cancel(theirs.hub, theirs.dispatcher, unwanted, "Не нужно")
    await asked(Act.ACCEPT, Act.START, Act.RESOLVE)
    wants = await asked(Act.ACCEPT)
    from hub.actions import consents

    await consents.ask(theirs.hub, theirs.dispatcher, wants, "Своих нет")
    rated = await asked(Act.ACCEPT, Act.START, Act.RESOLVE)
    await handoffs.act(hub, who, rated, Act.CONFIRM)
    await amendments.propose(
        theirs.hub, theirs.dispatcher, back, Offer(as_principal=AsPrincipal(max_open=50))
    )
    await companies.run_until_idle()
    await letters.fail(hub, things["letter"], "unreadable", for_good=True)
    held = await tickets.create(hub, who, NewTicket("Терминал"))
    await holding.hold(hub, who, OfferHandoff(held.id, link))
    await correspondence.opened(hub, ["help@plus.example"])
    visit = await tickets.create(
        hub, who, NewTicket("Выезд", assignee=AgentId(who.ref), visit_at=hub.now())
    )
    for stage in ("on_way", "on_site"):
        await visits.advance(hub, who, visit.id, VisitStage(stage))
    mail = await mail_links.invite(hub, who, "d@west.example", name="Запад", language="ru")
    for _ in range(3):
        by_mail = await tickets.create(hub, who, NewTicket("Касса"))
        await handoffs.offer(hub, who, OfferHandoff(by_mail.id, mail.id))
    await companies.run_until_idle()
    acts = await hub.db.read(lambda c: [one.id for one in c.execute(select(mail_acts.c.id))])
    follow = await guests.invite(hub, who, things["ticket"], Purpose.FOLLOW)  # type: ignore[arg-type]
    rate = await guests.invite(hub, who, things["ticket"], Purpose.RATE)  # type: ignore[arg-type]
    invited = await access.make(hub, who, who.ref, Way.INVITE)
    stopped = await companies.company("Четвёртые")
    await companies.link(ours, stopped)
    companies.wire.down.add(stopped.settings.url)
    lost = await tickets.create(hub, who, NewTicket("Касса"))
    await handoffs.offer(hub, who, OfferHandoff(lost.id, await ours.link_to("Четвёртые")))
    looks = [p for p in PAGES if p.method == "GET" and p.name not in NO_PAGE]
    paths = [filled(page.path, things) for page in looks if "{token" not in page.path]
    everything = await hub.db.read(_every_ticket)
    paths += [f"/tickets/{one}" for one in everything] + [
        f"/tickets/{everything[0]}/handoff?to={link}"
    ]
    paths += [
        f"/visits/{visit.number}",
        "/tickets?text=касса",
        f"/g/{follow}",
        f"/g/{rate}",
        invited.path,
        f"/partners/{mail.id}",
    ]
    paths += [f"/p/{correspondence.act_token(hub, one)}" for one in acts]
    paths += [f"/delivery/{one}" for one in await hub.db.read(_waiting)]
    below = await ours.link_to("Третьи")
    paths += [f"/tickets/{await hub.db.read(lambda c: _number_of(c, begun))}/handoff?to={below}"]
    yield Place(console, things, list(dict.fromkeys(paths)))
    await console.close()


NO_PAGE = {"static", "live", "file", "files", "letter_raw", "onlookers", "home", "settings", "palette",
           "guest_file", "partner_file", "leaving_notices", "search", "code", "sign_in"}  # fmt: skip


def _every_ticket(connection: Any) -> list[str]:
    from hub.storage.tables import tickets as table

    return [
        f"T-{one.number}" if isinstance(one.number, int) else str(one.number)
        for one in connection.execute(select(table.c.number))
    ]


def _waiting(connection: Any) -> list[str]:
    from hub.queries import deliveries

    return [one.id for one in deliveries.page(connection, limit=3)]


def _number_of(connection: Any, handoff: str) -> str:
    from hub.queries import tickets as shown

    return str(shown.show(connection, shown.ticket_of(connection, handoff)).number)  # type: ignore[arg-type]


# --- what a browser sees ----------------------------------------------------------------------

FORMS_OF_PAGE = """() => [...document.forms].flatMap((form, at) => {
  const fields = [...form.elements].filter((one) => one.name && !one.readOnly && (one.tagName === 'TEXTAREA'
    || (one.tagName === 'INPUT' && ['text', 'search', 'email', 'url', 'tel', 'password'].includes(one.type))))
    .map((one) => ({ name: one.name, much: one.tagName === 'TEXTAREA', n: [...form.elements].indexOf(one) }));
  const ways = [...form.elements].filter((one) => one.tagName === 'BUTTON' && one.hasAttribute('formaction'));
  return [form.action, ...ways.map((one) => one.formAction)].map((to) => (
    { at, method: form.method, action: new URL(to, location).pathname, fields }));
})"""

SEND = """([at, action, n, text, defaults]) => {
  const form = document.forms[at], all = [...form.elements];
  const button = all.find((one) => one.tagName === 'BUTTON' && one.type === 'submit' && new URL(one.formAction).pathname === action);
  form.noValidate = true;
  for (const one of all) {
    if (one.type === 'radio' && !all.some((r) => r.name === one.name && r.checked)) one.checked = true;
    if (one.type === 'checkbox' && ['scope', 'event'].includes(one.name)) one.checked = true;
    if (one.tagName === 'SELECT' && !one.value && one.options.length > 1 && one.required) one.selectedIndex = 1;
    if (one.type === 'datetime-local' && !one.value && one.required) one.value = '2026-12-02T10:00';
    if (one.name in defaults && !one.value) one.value = defaults[one.name];
    if (one.required && !one.value && (one.type === 'text' || one.tagName === 'TEXTAREA')) one.value = 'Слово ' + defaults['#'];
  }
  form.elements[n].value = text;
  form.requestSubmit(button || undefined);
}"""

SHOWN = r"""() => {
  const found = [], add = (text) => { for (const one of (text || '').matchAll(/⟦(\d+)⟧([^⟦]*)⟦\/⟧/g)) found.push([one[1], one[2]]); };
  add(document.documentElement.textContent);
  for (const one of document.querySelectorAll('*')) {
    if ('value' in one && typeof one.value === 'string') add(one.value);
    for (const word of one.attributes) add(word.value);
  }
  return found;
}"""

LINKS = """() => [...document.links].filter((one) => one.origin === location.origin).map((one) => one.pathname)"""
LEADS = re.compile(r"/(tickets/T-\d+|delivery/msg_\w+|settings/(assets|sites|customers|teams)/\w+)")

EXPECTED = re.compile(r"status of 4\d\d|net::ERR_ABORTED")


Key = tuple[str, str]
"""A form, by the name of the page that takes it, and a field of it."""


class Trial:
    """One browser, what was typed in it, and what was seen of that."""

    def __init__(self, place: Place, page: Any, watched: Any) -> None:
        self.place, self.page, self.watched = place, page, watched
        self.texts, self.seen = Texts(), set[str]()
        self.ran: list[str] = []
        self.taken: dict[Key, list[str]] = {}
        self._numbers = itertools.count(1)
        page.on("dialog", self._asked)

    async def _asked(self, dialog: Any) -> None:
        self.ran.append(dialog.message)
        await dialog.dismiss()

    async def look(self, path: str) -> None:
        """Open a page, and compare whatever it shows of what was typed."""
        await self.page.goto(path)
        await self.compare()

    async def walk(self, paths: list[str]) -> None:
        """Look at these pages, and at those of single things that they lead to."""
        for path in (ahead := list(dict.fromkeys(paths))):
            await self.look(path)
            for led in await self.page.evaluate(LINKS):
                if LEADS.fullmatch(led) and led not in ahead:
                    ahead.append(led)

    async def compare(self) -> None:
        for mark, found in await self.page.evaluate(SHOWN):
            text, right = found, self.texts.typed[mark]
            # Records and messages are shown as the JSON they are.
            ways = {right, json.dumps(right, ensure_ascii=False)[1:-1]}
            if self.page.url.endswith("/draft"):  # of a desk: also a file of YAML, in folded lines
                text = "".join(text.split())
                ways = {"".join(way.split()) for way in (*ways, right.replace("'", "''"))}
            assert text in ways, self.page.url
            self.seen.add(mark)

    async def fill(self, path: str, form: Any, text_field: Any, text: str) -> bool:
        """Type it, send it, and compare the page that comes. Whether it was taken."""
        n, action = next(self._numbers), form["action"]
        defaults = {name: value.format(n=n) for name, value in DEFAULTS.items()} | {"#": str(n)}
        if action.endswith("/close"):
            defaults["name"] = "Мастер-Юг"  # whoever ends a link types whose it is
        await self.page.goto(path)
        for one in await self.page.evaluate(FORMS_OF_PAGE):
            at = [f["n"] for f in one["fields"] if f["name"] == text_field["name"]]
            if one["action"] == action and at:
                break
        else:
            return False  # what it was about has gone on
        async with self.page.expect_navigation() as coming:
            await self.page.evaluate(SEND, [one["at"], action, at[0], text, defaults])
        answer = await coming.value
        await self.compare()
        assert answer is None or answer.status < 500, (path, action, text_field, text)
        return answer is None or answer.status < 400

    async def try_everywhere(self, key: Key, ways: list[Any]) -> None:
        """Until it is taken: as it is, then shorter; here, then wherever there is the same form."""
        for path, form, one in ways:
            sizes = [self.texts.much, self.texts.line] if one["much"] else [self.texts.line]
            for size in [*sizes, self.texts.short]:
                text = size()
                if await self.fill(path, form, one, text):
                    self.taken[key] = re.findall(r"⟦(\d+)⟧", text)
                    return

    async def say_all(self, number: str) -> None:
        """Whatever was not typed anywhere yet, in comments of one ticket."""
        for text in self.texts.rest():
            form = {"body": text, "visibility": "internal"}
            headers = {"Sec-Fetch-Site": "same-origin"}
            path = f"/tickets/{number}/comments"
            answer = await self.page.request.post(path, form=form, headers=headers)
            assert answer.status == 200
        await self.look(f"/tickets/{number}")


def page_of(path: str) -> str:
    """The page that takes forms at this address."""
    for one in PAGES:
        if one.method == "POST" and re.fullmatch(
            re.sub(r"{\w+(:[^}]*)?}", "[^/]+", one.path), path
        ):
            return one.name
    raise AssertionError(f"a form leads to {path}, where nothing is")


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_hostile_texts_stay_texts_in_every_field_of_every_form(
    companies: Network, place: Place, browser: NewVisitor
) -> None:
    page, watched = await browser(place.console, "admin", language="ru")
    trial = Trial(place, page, watched)
    found: set[str] = set()
    fields: dict[Key, list[Any]] = {}
    guest, _ = await browser(place.console)
    for path in [*place.paths, "/sign-in"]:
        tab = guest if path == "/sign-in" else page
        await tab.goto(path)
        for form in await tab.evaluate(FORMS_OF_PAGE):
            if form["method"] != "post":
                continue
            name = page_of(form["action"])
            found.add(name)
            # The acts of a hand-off are one page: each act has a form of its own.
            name += form["action"].rpartition("/")[2] if name == "act" else ""
            for one in form["fields"]:
                fields.setdefault((name, one["name"]), []).append((path, form, one))
    posts = {one.name for one in PAGES if one.method == "POST"}
    missed = posts - found - WITHOUT_FORM.keys() - BUTTONS
    assert not missed, f"no page shows the form of {missed}"
    last = {"close_link", "suspend_link"}
    for key, ways in sorted(fields.items(), key=lambda item: item[0][0] in last):
        if key[0] not in {"signing_in", "entering"}:  # they would sign somebody else in
            await trial.try_everywhere(key, ways)
    untried = {key for key in fields.keys() - trial.taken.keys() if not _may_be_lost(key)}
    assert not untried, f"not taken, whatever was typed: {untried}"
    await trial.say_all(place.things["ticket"])
    await companies.run_until_idle()
    await trial.walk([*place.paths, "/delivery", "/delivery?state=received"])
    unseen = {key for key, marks in trial.taken.items() if not trial.seen & set(marks)}
    unseen = {key for key in unseen if not _may_be_lost(key)}
    assert not unseen, f"shown nowhere: {unseen}"
    print(f"{len(found)} forms, {len(fields)} fields, {len(trial.seen)} texts typed and seen again")
    assert len(trial.seen) > 6000
    assert trial.ran == []
    no_outside_requests(trial.watched, place.console.url)
    assert [one for one in trial.watched.complaints if not EXPECTED.search(one)] == []


def _may_be_lost(key: Key) -> bool:
    return key[1] in NOT_KEPT or key in ELSEWHERE or key[0] in {"signing_in", "entering"}


ELSEWHERE = {
    ("offer", "text"): "of the other button on that sheet: ask_consent",
    ("close_link", "name"): "compared with the partner's name",
    ("partner_send", "number"): "shown while a step is ours: tests/mail/test_mail_partners.py",
}


def test_in_the_form_of_a_button_nobody_can_write() -> None:
    forms = {page.name for page in PAGES if page.method == "POST"}
    assert forms >= BUTTONS | WITHOUT_FORM.keys()
    for path in (Path(package.__file__).parent / "templates").rglob("*.html"):
        for form in re.findall(r"<form\b.*?</form>", path.read_text("utf-8"), re.DOTALL):
            if set(re.findall(r"url\(['\"](\w+)", form.partition(">")[0])) & BUTTONS:
                assert "form-control" not in form and "ui.field" not in form, (path.name, form)
