"""What the console refuses before any page is asked, and what goes with every answer."""

from __future__ import annotations

import io

import pytest

from tests.kit.console import Console

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    ],
)
async def test_a_form_of_another_site_does_nothing(console: Console, headers) -> None:
    person = await console.person("admin")
    refused = await person.post("/settings/profile", {"name": "Чужой"}, headers=headers)
    assert refused.status == 403
    assert "Чужой" not in await person.read("/settings/profile")
    assert (await person.post("/sign-out", headers=headers)).status == 403
    login = await console.stranger().post("/sign-in", {"email": "x"}, headers=headers)
    assert login.status == 403


async def test_without_fetch_metadata_the_origin_decides(console: Console) -> None:
    person = await console.person()

    async def post(origin: str | None) -> int:
        headers = {} if origin is None else {"Origin": origin}
        url = console.url + "/settings/profile"
        async with person.session.post(
            url, data={"name": "Имя"}, headers=headers, allow_redirects=False
        ) as found:
            return found.status

    assert await post(console.url) == 303
    assert await post(None) == 403
    assert await post("null") == 403
    assert await post("https://evil.example") == 403


@pytest.mark.parametrize("path", ["/sign-in", "/nothing/here", "/settings/profile", "/static/x/y"])
async def test_every_answer_is_strict(console: Console, path: str) -> None:
    person = await console.person()
    found = await person.get(path)
    policy = found.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["X-Frame-Options"] == "DENY"
    assert found.headers["Referrer-Policy"] == "no-referrer"
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_what_never_changes_is_kept_and_small(console: Console) -> None:
    page = await console.stranger().get("/sign-in")
    paths = {part.split('"')[0] for part in page.text.split('"/static/')[1:]}
    sizes = 0
    for path in paths:
        async with console.stranger().session.get(
            f"{console.url}/static/{path}", auto_decompress=False
        ) as found:
            assert found.status == 200
            assert "immutable" in found.headers["Cache-Control"]
            assert found.headers["Content-Encoding"] == "gzip"
            sizes += len(await found.read())
    assert len(paths) >= 5
    assert sizes + len(page.text) < 200_000, "first load"
    assert (await console.stranger().get("/static/0123456789abcdef/app.css")).status == 404


async def test_an_echoed_address_runs_nothing(console: Console) -> None:
    person = await console.person()
    nasty = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    for path in (f"/nothing/{nasty}", f"/sign-in?next={nasty}", f"/settings/people/{nasty}"):
        found = await person.get(path, headers={"Referer": "<script>alert(1)</script>"})
        assert "<script>alert" not in found.text
        assert found.status < 500


async def test_a_body_that_is_no_form_or_too_large_is_refused(console: Console) -> None:
    person = await console.person()
    as_json = await person.ask(
        "POST", "/settings/profile", b"{}", headers={"Content-Type": "application/json"}
    )
    assert as_json.status == 415, as_json.words
    much = await person.ask(
        "POST",
        "/settings/profile",
        io.BytesIO(b"name=" + b"x" * (3 << 20)),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert much.status == 413, much.words


@pytest.mark.parametrize("method", UNSAFE)
async def test_what_an_address_does_not_take_is_refused(console: Console, method: str) -> None:
    person = await console.person()
    assert (await person.ask(method, "/settings/second-nothing")).status == 404
    if method != "POST":
        assert (await person.ask(method, "/settings/profile")).status == 405


@pytest.mark.parametrize(("language", "word"), [("ru", "Войти"), ("en", "Sign in")])
async def test_the_language_is_the_browsers_until_somebody_chooses(
    console: Console, language: str, word: str
) -> None:
    person = console.stranger()
    found = await person.get("/sign-in", headers={"Accept-Language": f"{language}-XX,de;q=0.5"})
    assert word in found.words
    await person.post("/language", {"language": "en", "next": "/sign-in"})
    assert "Sign in" in await person.read("/sign-in")
