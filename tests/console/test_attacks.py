"""Family E of the known attacks, as far as one request shows it: made from the table of pages.

Whatever is tried here is tried on every page there is, so a new page is in it by itself.
tests/attacks/coverage.py says which test shows which family.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from hub.actions import guests, tickets
from hub.actions.guests import Purpose
from hub.actions.tickets import NewTicket
from hub.api.routes import ROUTES
from hub.console.door import Page
from hub.console.routes import PAGES
from tests.console.test_sign_in import email_of, sign_in
from tests.console.test_who_may import Things, filled, furnish, places
from tests.kit.console import PASSWORD, Answer, Console, Person
from tests.kit.network import Network
from tests.kit.program import described, program
from tests.kit.rows import changed, stored

FORMS = [page for page in PAGES if page.method != "GET"]
LOOKS = [page for page in PAGES if page.method == "GET" and page.name not in {"live", "static"}]


@pytest.fixture
async def furnished(companies: Network) -> AsyncIterator[tuple[Console, Things]]:
    """A console with one thing of each kind, and requesters' links."""
    ours, theirs = [await companies.company(name) for name in ("Сервис Плюс", "Мастер-Юг")]
    console = await Console.serve(ours)
    things = await furnish(console, await companies.link(ours, theirs))
    token = await guests.invite(ours.hub, ours.dispatcher, things["ticket"], Purpose.FOLLOW)  # type: ignore[arg-type]
    yield console, {**things, "token": token}
    await console.close()


# --- E10: forms of other sites ----------------------------------------------------------------

FROM_ELSEWHERE: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another name of our site": {"Sec-Fetch-Site": "same-site"},
    "a word nobody knows": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "an old browser on another site": {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    "a frame without an origin": {"Sec-Fetch-Site": "", "Origin": "null"},
    "our name with more behind it": {"Sec-Fetch-Site": "", "Origin": "{url}.evil.example"},
    "our name before an at": {"Sec-Fetch-Site": "", "Origin": "{url}@evil.example"},
    "a simple request": {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    "parts": {"Sec-Fetch-Site": "cross-site", "Content-Type": "multipart/form-data; boundary=x"},
}


@pytest.mark.parametrize("how", FROM_ELSEWHERE)
async def test_no_form_of_another_site_does_anything_on_any_page(
    furnished: tuple[Console, Things], how: str
) -> None:
    console, things = furnished
    admin, stranger = await console.person("admin"), console.stranger()
    headers = {name: value.format(url=console.url) for name, value in FROM_ELSEWHERE[how].items()}
    before = await stored(console.company.hub)
    for page in FORMS:
        if page.from_anywhere:
            continue
        for person in (admin, stranger):
            path = filled(page.path, things)
            found = await person.post(path, {"name": "Чужой", "text": "Чужой"}, headers=headers)
            assert found.status == 403, (page.name, found.status)
    moved = set(changed(before, await stored(console.company.hub)))
    assert moved <= {"sessions"}, moved  # when a session was seen last


def test_what_is_called_from_anywhere_is_known() -> None:
    """Programs call it, and its path is the proof: nothing that a browser keeps helps them."""
    assert {page.name for page in FORMS if page.from_anywhere} == {"leave_notices"}


async def test_a_form_that_a_browser_sends_by_itself_is_none_for_programs(
    furnished: tuple[Console, Things],
) -> None:
    """The API knows no cookies, so no browser can be made to call it with somebody's rights."""
    console, things = furnished
    admin = await console.person("admin")
    for route in ROUTES:
        if route.name == "openapi":
            continue
        found = await admin.ask(route.method, filled(route.full_path, things))
        assert found.status == 401, route.name


# --- E3, E8, E16: words in the address --------------------------------------------------------

HOSTILE = {
    "a script": '"><script>alert(1)</script><svg onload=alert(1)>',
    "SQL": "' OR 1=1 -- ",
    "another statement": "1; DROP TABLE tickets; --",
    "an order": "(CASE WHEN 1=1 THEN 1 ELSE 1/0 END)",
    "signs of LIKE": "%_\\",
    "signs of a search": '"a* NEAR(b) OR ^c:d" -e {f}',
    "a prototype": "__proto__",
    "a template": "{{7*7}}${7*7}{% raw %}",
    "a format": "%s%n%(name)s{0.__class__}",
    "nothing at all": "",
    "a zero": "\x00",
    "half a character": "\ud800",
    "long": "я" * 200,
    "a number": "99999999999999999999999",
    "a number of other digits": "٣٤",
    "a number nobody reads": "9" * 1500,
    "a negative": "-1",
}


@cache
def words_asked(module: str, *readers: str) -> list[str]:
    """Every word that the pages of this file read with these methods, by its source."""
    loaded = sys.modules[module]
    found = set(getattr(loaded, "FILTERS", ())) if "query" in readers else set()
    for node in ast.walk(ast.parse(Path(loaded.__file__ or "").read_text("utf-8"))):
        match node:
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                found |= {name} if called in readers else set()
            case _:
                pass
    return sorted(found)


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


async def test_no_word_in_an_address_is_more_than_a_word(
    furnished: tuple[Console, Things],
) -> None:
    """Each hostile word in each word that a page reads, in each place of its path, and as Referer."""
    console, things = furnished
    person, tried = await console.person("admin"), 0
    before = await stored(console.company.hub)
    for what, text in HOSTILE.items():
        word = _encoded(text)
        headers = {"Referer": f"https://x/{text}"} if text.isprintable() and text.isascii() else {}
        for page in LOOKS:
            names = words_asked(page.handler.__module__, "query")
            asked = [f"{filled(page.path, things)}?{'&'.join(f'{n}={word}' for n in names)}"]
            asked = asked if names else []
            if places(page.path):
                asked.append(filled(page.path, {}, word or "x"))
            for path in asked:
                found = await person.get(path, headers=headers)
                tried += 1
                assert found.status < 500, (page.name, what, found.words[:300])
                assert "<script>alert" not in found.text and "<svg onload" not in found.text
                assert "{49}" not in found.text and "$49" not in found.text
    assert (
        sum(len(words_asked(one, "query")) for one in {page.handler.__module__ for page in LOOKS})
        >= 20
    )
    assert tried >= 700
    # Pages that note who looks at what, and one that begins a second factor.
    noted = {"sessions", "onlookers", "seen", "notices", "agents"}
    assert set(changed(before, await stored(console.company.hub))) <= noted


async def test_no_word_in_a_form_is_more_than_a_word(
    companies: Network, furnished: tuple[Console, Things]
) -> None:
    """A hostile word in every word of every form at once: taken or refused, never a bug."""
    console, things = furnished
    person, tried = await console.person("admin"), 0
    session = person.cookies[console.cookie]
    told = {what: HOSTILE[what] for what in ("a script", "SQL", "a prototype", "a zero", "long")}
    told |= {"more digits than Python reads": "9" * 5000, "a negative": "-1"}
    for what, text in told.items():
        for page in FORMS:
            if page.name in {"sign_out", "end_sessions", "end_session"}:
                continue
            names = words_asked(page.handler.__module__, "word", "words")
            own = {"visibility": "internal", "kind": "field-text", "status": "new", "code": text}
            form = "&".join(f"{name}={_encoded(own.get(name, text))}" for name in names)
            places_too = filled(page.path, {} if what == "SQL" else things)
            companies.clock.advance(seconds=2)
            person.keep(session)  # a form for signing in takes it away
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            found = await person.ask("POST", places_too, form.encode(), headers=headers)
            assert found.status < 500 or found.status == 503, (page.name, what, found.words[:300])
            if found.headers.get("Content-Type", "").startswith("text/html"):
                assert "<script>alert" not in found.text and "<svg onload" not in found.text
            tried += 1
    assert tried >= 500
    person.keep(session)
    await person.read("/settings/profile")  # signed in to the end


async def test_no_word_of_a_programs_address_is_more_than_a_word(
    furnished: tuple[Console, Things],
) -> None:
    console, things = furnished
    before, tried = await stored(console.company.hub), 0
    async with program(console.company) as ours:
        before = await stored(console.company.hub)
        for path, operations in described()["paths"].items():
            operation = operations.get("get")
            if operation is None or operation["operationId"] in {"followEvents", "openapi"}:
                continue
            names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
            for name in names:
                for what, text in HOSTILE.items():
                    short = filled(path, things).removeprefix("/api/v1")
                    found = await ours.call("GET", short, query=f"?{name}={_encoded(text)}")
                    assert found.status in {200, 400, 404, 422}, (path, name, what, found.raw[:300])
                    tried += 1
    assert tried >= 300
    assert set(changed(before, await stored(console.company.hub))) <= {"api_tokens", "tokens"}


async def test_signs_that_stand_for_anything_in_a_database_find_themselves_only(
    console: Console,
) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    for title in ("Касса", "Скидка 77%", "a_b"):
        await tickets.create(hub, who, NewTicket(title))
    person = await console.person("dispatcher")
    for text, most in (
        ("%", {"Скидка"}),
        ("_", {"a_b"}),
        ("' OR 7=7 --", {"Скидка"}),
        ("77%", {"Скидка"}),
        ("К_сса", set()),
        ("К%са", set()),
    ):
        for path in ("/tickets?status=any&", "/palette?"):
            words = (await person.get(path + urlencode({"text": text}))).words
            found = {one for one in ("Касса", "Скидка", "a_b") if one in words}
            assert found <= most, (path, text)


# --- E11: frames, caches, where links lead ----------------------------------------------------

POLICY = {
    "script-src": "'self'",
    "style-src": "'self'",
    "default-src": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


def _directives(policy: str) -> dict[str, str]:
    return {one.split()[0]: " ".join(one.split()[1:]) for one in policy.split(";") if one.strip()}


async def test_every_answer_of_every_page_is_strict(furnished: tuple[Console, Things]) -> None:
    console, things = furnished
    admin, stranger = await console.person("admin"), console.stranger()
    seen = 0
    for page in LOOKS:
        for person in (admin, stranger):
            found = await person.get(filled(page.path, things))
            assert_strict(page, found)
            seen += 1
    for path in ("/healthz", "/readyz", "/i", "/api/v1/openapi.json", "/api/v1/nothing",
                 "/txp/v1/nothing", "/.well-known/nothing", "/hooks/nothing", "/metrics"):  # fmt: skip
        assert_strict(None, await stranger.get(path))
    assert seen > 100


def assert_strict(page: Page | None, found: Answer) -> None:
    where = (page.name if page else found.url, found.status)
    said = found.headers
    assert said["X-Content-Type-Options"] == "nosniff", where
    assert said["Referrer-Policy"] == "no-referrer", where
    assert "Server" not in said and "X-Powered-By" not in said, where
    policy = _directives(said["Content-Security-Policy"])
    assert policy["default-src"] == "'none'", where
    assert policy["frame-ancestors"] == "'none'" or "sandbox" in policy, where
    assert "unsafe" not in said["Content-Security-Policy"], where
    if page is None:
        return
    assert "no-store" in said["Cache-Control"], where
    if said.get("Content-Type", "").startswith("text/html"):
        assert {name: policy.get(name) for name in POLICY} == POLICY, where
        assert said["X-Frame-Options"] == "DENY", where
        assert said["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert "cookie" in said["Vary"].lower(), where
        for link in re.findall(r"<a\b[^>]*\bhref=\"(?:https?:)?//[^>]*>", found.text):
            assert "noreferrer" in link or console_link(link), (where, link)


def console_link(link: str) -> bool:
    return 'href="http://127.0.0.1' in link


ELSEWHERE = ["//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
             "https:evil.example", "http://evil.example/x", "javascript:alert(1)", "/\t/evil.example",
             "/\n/evil.example", "\x01//evil.example", "evil.example", "//evil.example\\@ours",
             "/%0d%0aLocation:%20//evil.example", "/\r\nSet-Cookie: a=b"]  # fmt: skip


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_no_page_leads_elsewhere_whatever_it_is_told(
    furnished: tuple[Console, Things], path: str
) -> None:
    console, things = furnished
    admin = await console.person("admin")
    email = await email_of(admin)
    told = dict.fromkeys(("next", "to", "url", "back", "return", "query", "path"), path)
    answers = [
        await sign_in(console.stranger(), email, following=path),
        await console.stranger().post("/language", {"language": "en", **told}),
        await admin.get("/sign-in?" + urlencode(told)),
        await admin.post("/tickets/bulk", {**told, "what": "take"}),
        await admin.post(f"/tickets/{things['ticket']}/checklist", {**told, "item": "1"}),
        await admin.post(f"/handoffs/{things['handoff']}/undo", told),
        await console.stranger().get(path if path.startswith("/") else "/" + path),
    ]
    for found in answers:
        location = found.headers.get("Location") or found.headers.get("HX-Redirect") or "/"
        assert re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", location), (path, location)
        assert "\\" not in location
        assert "a" not in {one.partition("=")[0] for one in found.headers.getall("Set-Cookie", [])}
    assert all(found.status < 500 for found in answers)


# --- E7: addresses that callers make up -------------------------------------------------------


async def test_a_thousand_made_up_addresses_are_one_caller(console: Console) -> None:
    email = await email_of(await console.person())
    guesser, statuses = console.stranger(), []
    for n in range(1000):
        made_up = f"198.51.{n // 256}.{n % 256}"
        names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP",
                 "CF-Connecting-IP", "X-Originating-IP", "Via", "X-Forwarded-Host")  # fmt: skip
        headers = {one: f"for={made_up}" if one == "Forwarded" else made_up for one in names}
        form = {"email": email, "password": "a wrong password"}
        statuses.append((await guesser.post("/sign-in", form, headers=headers)).status)
    assert statuses[:6] == [422] * 6
    assert set(statuses[6:]) <= {429, 422}
    assert statuses.count(422) <= 6 + 30, "a thousand addresses are no thousand callers"
    assert (await sign_in(guesser, email, PASSWORD)).status == 429


# --- E9: tables for spreadsheets --------------------------------------------------------------

TABLES = ("csv", "tab-separated", "spreadsheet", "excel", "openxmlformats", "opendocument")


async def test_nothing_is_given_out_as_a_table_that_a_spreadsheet_would_run(
    furnished: tuple[Console, Things],
) -> None:
    """There is no such export. Whoever adds one finds this test, and neutralises its cells."""
    console, things = furnished
    admin = await console.person("admin")
    kinds = {
        kind
        for operations in described()["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for kind in answer.get("content", {})
    }
    for page in LOOKS:
        found = await admin.get(filled(page.path, things))
        kinds.add(found.headers.get("Content-Type", ""))
    log = await admin.post("/settings/audit/export")
    kinds.add(log.headers["Content-Type"])
    assert "application/x-ndjson" in {one.partition(";")[0] for one in kinds}
    assert not [one for one in kinds if any(word in one for word in TABLES)], kinds


# --- E2, E5: files ----------------------------------------------------------------------------

UPLOADS: dict[str, tuple[str, str, bytes]] = {
    "a page": ("a.html", "text/html", b"<script>alert(1)</script>"),
    "a drawing": ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "XML": ("a.xml", "text/xml", b"<?xml-stylesheet href='data:text/xsl,'?><a/>"),
    "a strict page": ("a.xhtml", "application/xhtml+xml", b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>"),
    "a document": ("a.pdf", "application/pdf", b"%PDF-1.4 /JS (app.alert(1))"),
    "an archive of a page": ("a.mht", "message/rfc822", b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<script>"),
    "settings of a server": (".htaccess", "text/plain", b"AddType text/html .jpg"),
    "a script": ("a.js", "text/javascript", b"alert(1)"),
    "a page that says it is a picture": ("a.png", "image/png", b"<script>alert(1)</script>"),
    "a picture that is a script": ("a.gif", "image/gif", b"GIF89a=1;alert(1)//"),
    "a page of no type": ("a", "", b"<html><script>alert(1)</script>"),
    "a page of another type": ("a.html", "image/jpeg", b"<html><script>alert(1)</script>"),
    "a type with more in it": ("a.html", "text/html\u003b charset=utf-7", b"+ADw-script+AD4-"),
}  # fmt: skip
DRAWN = {"a picture that is a script"}  # by its first bytes it is one: nothing runs it as anything


@pytest.mark.parametrize("how", UPLOADS)
async def test_whatever_was_uploaded_is_saved_and_never_run(
    furnished: tuple[Console, Things], how: str
) -> None:
    console, things = furnished
    engineer = await console.person("dispatcher")
    name, media_type, content = UPLOADS[how]
    path = f"/tickets/{things['ticket']}/files?visibility=public&name={quote(name)}"
    kept = await engineer.ask("POST", path, content, headers={"Content-Type": media_type or "x"})
    assert kept.status == 200, kept.words
    file = re.findall(r"att_[0-9a-f]+", kept.text)[0]
    guest = f"/g/{things['token']}"
    up = await console.stranger().ask(
        "POST",
        f"{guest}/files?name={quote(name)}",
        content,
        headers={"Content-Type": media_type or "x"},
    )
    assert up.status == 200, up.words
    page = (await console.stranger().get(guest)).text
    theirs = re.findall(rf"{guest}/files/att_[0-9a-f]+", page)
    seen = 0
    for person, where in (
        (engineer, f"/tickets/{things['ticket']}/files/{file}"),
        *((console.stranger(), one) for one in theirs),
    ):
        found = await person.get(where)
        said = found.headers
        assert found.status == 200, where
        if quote(name) not in said["Content-Disposition"]:
            continue  # what lay there before
        seen += 1
        policy = _directives(said["Content-Security-Policy"])
        assert policy["default-src"] == "'none'" and policy["sandbox"] == ""
        assert said["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in said
        assert "no-store" in said["Cache-Control"]
        drawn = said["Content-Disposition"].startswith("inline")
        assert drawn == (how in DRAWN), (how, said["Content-Disposition"])
        right = {"application/octet-stream"} if not drawn else {"image/gif"}
        assert said["Content-Type"] in right
    assert seen >= 3, "ours, and both by the requester's link"


async def test_a_file_opens_for_nobody_without_the_session_or_the_link_it_belongs_to(
    furnished: tuple[Console, Things],
) -> None:
    console, things = furnished
    hub, who = console.company.hub, console.company.dispatcher
    other = await tickets.create(hub, who, NewTicket("Другая"))
    stranger, engineer = console.stranger(), await console.person("engineer")
    path = f"/tickets/{things['ticket']}/files?visibility=internal&name=note.txt"
    kept = await engineer.ask("POST", path, b"for us", headers={"Content-Type": "text/plain"})
    file = re.findall(r"att_[0-9a-f]+", kept.text)[0]
    inside = f"/tickets/{things['ticket']}/files/{file}"
    assert (await engineer.get(inside)).status == 200
    assert (await stranger.get(inside)).status == 303
    assert (await engineer.get(f"/tickets/{other.number}/files/{file}")).status == 404
    assert (await stranger.get(f"/g/{things['token']}/files/{file}")).status == 404  # internal
    elsewhere = await guests.invite(hub, who, other.id, Purpose.FOLLOW)
    assert (await stranger.get(f"/g/{elsewhere}/files/{file}")).status == 404
    for guess in ("a" * 43, things["token"][:-1], things["token"] + "A", "..%2f" + things["token"]):
        assert (await stranger.get(f"/g/{guess}/files/{file}")).status == 404
    await guests.revoke_all(hub, who, things["ticket"])  # type: ignore[arg-type]
    assert (await stranger.get(f"/g/{things['token']}")).status == 404
    assert await _signed_out(engineer, inside) == 303


async def _signed_out(person: Person, path: str) -> int:
    await person.post("/sign-out")
    return (await person.get(path)).status
