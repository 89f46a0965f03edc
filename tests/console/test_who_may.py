"""Every page and route × every role × things of ours and of others, from the tables of the doors.

A new page or route is in the matrix by itself. A place in its path that the matrix knows no thing
for, or a form that only lookers' permission guards, makes a test fail until somebody has said what
it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from hub import app
from hub.actions import (
    comments,
    directories,
    files,
    handoffs,
    letters,
    personal,
    teams,
    tickets,
    tokens,
    webhooks,
)
from hub.actions.comments import AddComment
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, FieldWish, SiteWish
from hub.actions.handoffs import OfferHandoff
from hub.actions.personal import MacroWish
from hub.actions.tickets import NewTicket, TicketChanges
from hub.api import door as api
from hub.api.routes import ROUTES
from hub.console.door import Open
from hub.console.routes import PAGES
from hub.domain.desk import DeskRole
from hub.domain.permission import ALLOWED, SCOPES, Permission, Role, may
from hub.queries import deliveries
from tests.api.test_access import RIGHT
from tests.kit.console import Console, Person
from tests.kit.network import Network

ELSEWHERE = ("/api/", "/txp/", "/.well-known/", "/healthz", "/readyz", "/metrics", "/i", "/hooks/")
"""Other doors of the same server; what they refuse is tested with them."""


def test_the_router_serves_what_the_table_says_and_nothing_else(console: Console) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in console.runner.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    ours = {(method, path) for method, path in served if not path.startswith(ELSEWHERE)} - {
        ("*", "/{rest}")
    }
    said = {(page.method, re.sub(r":[^}]*}", "}", page.path)) for page in PAGES}
    assert ours == said
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_only_these_pages_are_open_to_everybody() -> None:
    said = {page.name for page in PAGES if page.may is Open.TO_ALL}
    assert said <= {
        *("static", "speak", "sign_in", "signing_in", "code", "entering_code"),
        *("enter", "entering"),
        *(page.name for page in PAGES if page.path.startswith("/g/")),  # requesters' links
        *("leaving_notices", "leave_notices"),  # the address in a letter is the proof
        *(page.name for page in PAGES if page.path.startswith("/p/")),  # partners' links
    }


def test_a_role_that_is_not_in_the_table_may_nothing() -> None:
    assert not any(may(role, one) for role in ("", "agent", "Admin") for one in Permission)
    assert set(Role) | {"system"} == set(ALLOWED)


def test_a_form_is_for_nobody_who_only_looks() -> None:
    """What changes something asks for more than looking, but for one's own lists and sign-in."""
    for page in PAGES:
        if page.method != "GET" and page.may is not Open.TO_ALL:
            own = page.name in OWN or page.may is Permission.PROFILE
            assert own or not may(Role.READ_ONLY, page.may), page.name
    for route in ROUTES:
        if route.method != "GET" and route.scope is not api.Open.TO_ALL:
            own = route.name in OWN
            assert own or not may(Role.READ_ONLY, route.scope), route.name


OWN = {"save_view", "remove_view", "saveView", "removeView", "chooseNotices"}
"""Forms that change only what the asker sees."""


# --- the matrix -----------------------------------------------------------------------------

Things = dict[str, str]
"""One thing of each kind, by its place in paths."""

CODES = {"token", "name", "digest", "act", "item", "call"}
"""Places in paths that name no thing of an account: codes, words, parts of a thing."""


async def furnish(console: Console, link: str) -> Things:
    """One thing of each kind at this company."""
    hub, who = console.company.hub, console.company.dispatcher
    customer = await directories.add_customer(hub, who, CustomerWish("Ромашка"))
    site = await directories.add_site(hub, who, customer.id, SiteWish("Склад"))
    asset = await directories.add_asset(hub, who, customer.id, AssetWish("Касса"))
    contact = await directories.add_contact(hub, who, customer.id, ContactWish("Пётр"))
    ticket = await tickets.create(hub, who, NewTicket("Не печатает чек"))

    async def content() -> Any:
        yield b"text"

    file = await files.take(hub, "a.txt", "text/plain", content())
    (attached,) = await files.add(hub, who, ticket.id, [file])
    comment = await comments.add(hub, who, AddComment(ticket.id, "Слово"))
    handoff = await handoffs.offer(hub, who, OfferHandoff(ticket.id, link))  # type: ignore[arg-type]
    (message, *_) = await hub.db.read(lambda connection: deliveries.page(connection, limit=1))
    view = await personal.save_view(hub, who, "Мои", "status=new")
    macro = await personal.add_macro(hub, who, MacroWish("Приняли"))
    field = await directories.define_field(hub, who, FieldWish("Этаж"))
    webhook, _ = await webhooks.add(hub, who, "https://desk.example/events", [])
    team = await teams.add(hub, who, "Кассы")
    bench = app.desk_bench(hub, console.company.settings, console.company.transport)
    desk = await bench.begin(who, "redmine", "bank", "Банк", DeskRole.OWN)
    letter = await letters.take(hub, "help@plus.example", "imap:1", a_letter())
    assert letter is not None
    return {
        "ticket": ticket.id,
        "letter": letter,
        "other": ticket.id,
        "customer": customer.id,
        "site": site.id,
        "asset": asset.id,
        "contact": contact.id,
        "file": attached,
        "comment": comment,
        "handoff": handoff,
        "link": link,
        "message": message.id,
        "view": view.id,
        "macro": macro.id,
        "field": field.id,
        "webhook": webhook,
        "desk": desk,
        "agent": who.ref,
        "team": team,
        "session": "ses_00000000000000000000000000000000",
    }


async def a_letter() -> AsyncIterator[bytes]:
    yield b"Subject: x\r\n\r\nx\r\n"


def places(path: str) -> list[str]:
    return re.findall(r"{(\w+)", path)


def filled(path: str, things: Things, every: str = "") -> str:
    """The path with a thing in each place: its own kind, or `every`."""
    return re.sub(r"{(\w+)(:[^}]*)?}", lambda at: every or things.get(at[1], "x"), path)


@dataclass(frozen=True)
class Cell:
    """One request of somebody, and what may be answered."""

    what: str
    role: str
    about: str
    method: str
    path: str
    body: Any
    right: set[int]


FOUND = {200, 201, 202, 204, 303}
ABSENT = {404, 422, 409}  # 422, 409: what was said is nothing, before anything is looked for


def pages_of(role: str, ours: Things, others: Things) -> Iterator[Cell]:
    """Every closed page for this role: what is ours, and everything of the other account."""
    for page in PAGES:
        if page.may is Open.TO_ALL or page.name in {"sign_out", "end_sessions"}:
            continue  # open to all; would end the session of this test
        allowed = role != "nobody" and may(role, page.may)
        refused = {303} if role == "nobody" else {403}
        body: Any = None if page.method == "GET" else {}
        about = [("ours", ours, "")]
        kinds = set(places(page.path)) - CODES
        if kinds:
            about += [(f"other {kind}", others, thing) for kind, thing in others.items()]
        for word, things, every in about:
            right = refused
            if allowed:
                right = ABSENT if every and page.method != "GET" else {404} if every else FOUND
                if not every and page.method != "GET":
                    if page.name in ENDS or kinds:
                        continue  # what it does to our own things, other tests say
                    right = FOUND | ABSENT | {400, 413, 415, 429, 503}
            path = filled(page.path, things, every)
            yield Cell(page.name, role, word, page.method, path, body, right)


def routes_of(role: str, ours: Things, others: Things) -> Iterator[Cell]:
    """Every closed route for a token of this role's with all it may hold."""
    for route in ROUTES:
        if route.scope is api.Open.TO_ALL or route.answer is api.Sends.STREAM:
            continue
        allowed = role != "nobody" and may(role, route.scope)
        refused = {401} if role == "nobody" else {403}
        body = None if route.takes is api.Takes.QUERY else RIGHT.get(route.name, {})
        kinds = set(places(route.path)) - CODES
        about = [("ours", ours, "")]
        if kinds:
            about += [("others", others, "")]
            about += [(f"other {kind}", others, others[kind]) for kind in KNOCKS]
        for word, things, every in about:
            right = refused
            if allowed and things is others:
                right = {404} if route.method == "GET" else ABSENT
            elif allowed:
                if route.method != "GET":
                    continue  # what it does to our own things, other tests say
                right = FOUND | ({404} if set(places(route.path)) & CODES else set())
            path = filled(route.full_path, things, every)
            yield Cell(route.name, role, word, route.method, path, body, right)


ENDS = {"second_factor", "remove_factor", "export_audit"}
KNOCKS = ("ticket", "handoff", "link", "comment")


async def answered(person: Person, cell: Cell, token: str | None) -> int:
    headers = {"Sec-Fetch-Site": "same-origin"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    said = {"json": cell.body} if cell.path.startswith("/api/") else {"data": cell.body}
    async with person.session.request(
        cell.method,
        person.console.url + cell.path,
        headers=headers,
        allow_redirects=False,
        **(said if cell.body is not None else {}),  # type: ignore[arg-type]
    ) as response:
        return int(response.status)


def test_every_place_in_a_path_names_a_kind_of_thing() -> None:
    paths = [page.path for page in PAGES if page.may is not Open.TO_ALL]
    paths += [route.path for route in ROUTES]
    assert {place for path in paths for place in places(path)} <= KINDS | CODES


KINDS = {
    *("ticket", "other", "customer", "site", "asset", "contact", "file", "comment", "handoff"),
    *("letter", "link", "message", "view", "macro", "field", "webhook", "agent", "session", "team"),
    "desk",
}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nobody_gets_beyond_what_the_policy_says(companies: Network) -> None:
    """Ids of another account open nothing here: what is not there and what is another's is alike."""
    names = ("Сервис Плюс", "Мастер-Юг", "Третьи")
    us, partner, third = [await companies.company(name) for name in names]
    console, other = await Console.serve(us), await Console.serve(third)
    ours = await furnish(console, await companies.link(us, partner))
    others = await furnish(other, await companies.link(third, partner))
    assert ours.keys() == others.keys() == KINDS
    wrong, cells = [], 0
    for role in ("nobody", *Role):
        person = console.stranger() if role == "nobody" else await console.person(role)
        session = person.cookies.get(console.cookie, "")
        token = None if role == "nobody" else await token_of(console, person)
        for cell in [*pages_of(role, ours, others), *routes_of(role, ours, others)]:
            if session:
                person.keep(session)
            status = await answered(person, cell, token if "/api/" in cell.path else None)
            cells += 1
            if status not in cell.right:
                wrong.append((cell.what, cell.role, cell.about, status))
    print(f"{cells} cells, {len(wrong)} wrong")
    for one in (console, other):
        await one.close()
    assert not wrong, wrong
    assert cells >= 2000


async def token_of(console: Console, person: Person) -> str:
    """A token of this person with all that their role may."""
    hub, actor = console.company.hub, person.actor
    assert actor is not None
    scopes = [one for one in SCOPES if may(actor.role, one)]
    _, plain = await tokens.new(hub, console.company.dispatcher, actor.ref, "t", scopes, None)  # type: ignore[arg-type]
    return plain


# --- teams ----------------------------------------------------------------------------------


async def test_an_engineer_works_on_tickets_of_their_team_and_no_other(console: Console) -> None:
    """Every page and route that works on a ticket, tried on one of another team."""
    hub, admin = console.company.hub, console.company.dispatcher
    engineer = await console.person("engineer")
    assert engineer.actor is not None
    token = await token_of(console, engineer)
    ours = await teams.add(hub, admin, "Кассы", [engineer.actor.ref])
    theirs = await teams.add(hub, admin, "Сети")
    mine = await tickets.create(hub, admin, NewTicket("Наша", team=ours, checklist=["Лента"]))
    other = await tickets.create(hub, admin, NewTicket("Чужая", team=theirs, checklist=["Лента"]))
    macro = await personal.add_macro(hub, admin, MacroWish("Приняли", body="Приняли"))
    told = 0
    for page in PAGES:
        if page.may is not Permission.TICKETS_WORK or page.method != "POST":
            continue
        if "{ticket}" not in page.path or page.name == "presence":
            continue  # others see who looks at the ticket: that is no work on it
        for ticket, refused in ((other, True), (mine, False)):
            data = FORMS.get(page.name, {}) | {"macro": macro.id}
            form: Any = aiohttp.FormData(data) if page.streams else data
            if page.streams:
                form.add_field("files", b"text", filename="a.txt")
            found = await engineer.post(filled(page.path, {"ticket": ticket.id}), form)
            assert (found.status == 403) is refused, (page.name, found.status, found.words[-300:])
            told += refused
    for route in ROUTES:
        if route.scope is not Permission.TICKETS_WORK or "{ticket}" not in route.path:
            continue
        for ticket, refused in ((other, True), (mine, False)):
            things = {"ticket": ticket.id, "macro": macro.id, "item": "1"}
            if "{file}" in route.path:
                continue  # of a file the ticket is asked, too: tests of files
            said = RIGHT.get(route.name, {})
            if route.name == "changeTicket":
                said = {"status": "in_progress"}
            path = filled(route.full_path, things)
            body: Any = {"json": said}
            if route.takes is api.Takes.FILES:
                path += "?name=a.txt"
                body = {"data": b"text", "headers": {"Content-Type": "text/plain"}}
            head = {"Authorization": f"Bearer {token}", **body.pop("headers", {})}
            async with engineer.session.request(
                route.method, console.url + path, headers=head, **body
            ) as response:
                assert (response.status == 403) is refused, (route.name, await response.text())
            told += refused
    assert told >= 12
    await tickets.change(hub, admin, other.id, TicketChanges(assignee=engineer.actor.ref))  # type: ignore[arg-type]
    said = await engineer.post(f"/tickets/{other.number}/comments", FORMS["say"])
    assert said.status == 303, "what is assigned to somebody is theirs, whatever team it is of"


FORMS: dict[str, dict[str, str]] = {
    "say": {"body": "Слово", "visibility": "internal"},
    "tick": {"item": "1", "done": "1"},
    "keep_draft": {"body": "Начал", "visibility": "internal"},
    "advance_visit": {"stage": "on_way"},
    "invite_guest": {"purpose": "follow"},
}
