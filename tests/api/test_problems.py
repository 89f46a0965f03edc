"""Every error is a problem document: stable for programs, readable for people."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from hub import i18n
from hub.api import problems
from hub.errors import Conflict, HubError, Misconfigured, NotFound, Refused, Unavailable, Untrusted
from tests.api.conftest import Desk

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("anything", "No."), 422),
        (Refused("wrong_pen", "No."), 409),
        (Refused("scope_denied", "No."), 403),
        (Refused("too_large", "No."), 413),
        (Refused("rate_limited", "No."), 429),
        (NotFound("peer_unknown", "No."), 404),
        (Conflict("peer_ambiguous", "No."), 409),
        (Untrusted("token_invalid", "No."), 401),
        (Untrusted("malformed", "No."), 400),
        (Untrusted("identity_differs", "No."), 422),
        (Unavailable("peer_unreachable", "No.", after=timedelta(seconds=7)), 503),
        (Misconfigured("database_read_only", "No."), 503),
        (HubError("strange", "No."), 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: HubError, status: int) -> None:
    told = problems.problem_for(error)
    assert (told.status, told.members["status"]) == (status, status)
    assert told.members["type"] == f"urn:hub:problem:{error.code}"
    assert (told.headers.get("retry-after") is not None) == (status in {429, 503})


def test_every_status_has_a_title() -> None:
    assert set(problems._BY_CODE.values()) < set(problems.TITLES)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"title": "x",}', "line 1, column 15"),
        (b'{\n "title": x}', "line 2, column 11"),
        (b'{"title": "x"', "line 1, column 14"),
        (b'{"title": "x"} {}', "line 1, column 16"),
        (b'{"title": "x", "title": "y"}', "'title' stands twice"),
        (b'{"title": "\xff"}', "byte 12"),
        (b'{"title": NaN}', "can be taken"),
        (b'{"title": "\\ud800"}', "can be taken"),
        (b"[" * 100_000, "can be taken"),
        (b'\xef\xbb\xbf{"title": "x"}', "JSON"),
    ],
)
async def test_a_body_that_is_no_json_is_told_where(desk: Desk, body: bytes, detail: str) -> None:
    said = await desk.ours.call("POST", "/tickets", data=body, headers=JSON)
    assert (said.status, said.code) == (400, "malformed")
    assert detail in said.said["detail"]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null"])
async def test_a_body_is_an_object(desk: Desk, body: bytes) -> None:
    said = await desk.ours.call("POST", "/tickets", data=body, headers=JSON)
    assert (said.status, said.said["errors"][0]["pointer"]) == (422, "#")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=windows-1251"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_json_is_all_that_is_taken(desk: Desk, headers: dict[str, str]) -> None:
    said = await desk.ours.call("POST", "/tickets", data=b'{"title": "x"}', headers=headers)
    assert (said.status, said.code) == (415, "unsupported_media_type")


async def test_a_body_that_is_too_large_is_not_read(desk: Desk) -> None:
    limit = desk.ours.company.hub.limits.request_body_bytes

    async def drip() -> Any:
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    for data in (BytesIO(b" " * (limit + 1)), drip()):
        said = await desk.ours.call("POST", "/tickets", data=data, headers=JSON)
        assert (said.status, said.code) == (413, "too_large")


async def test_what_does_not_exist_and_what_cannot_be_done_there(desk: Desk) -> None:
    for path in ("/nothing", "/tickets/x/y/z", "/", "/Tickets"):
        assert (await desk.ours.call("GET", path)).code == "not_found"
    said = await desk.ours.call("PUT", "/tickets", {})
    assert (said.status, said.code) == (405, "method_not_allowed")
    assert said.headers["Allow"] == "GET, POST"
    said = await desk.ours.call("DELETE", f"/tickets/tkt_{'0' * 32}")
    assert said.headers["Allow"] == "GET, PATCH"


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.5, ru;q=0.9", "ru"),
        ("de, en;q=0.3", "en"),
        ("de", "ru"),  # the account's own
        ("", "ru"),
        ("en;q=x, ;;,, q", "ru"),
    ],
)
async def test_texts_follow_the_reader_and_codes_do_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wish: str, language: str
) -> None:
    class Marked:
        def gettext(self, message: str) -> str:
            return f"{i18n.language()}: {message}"

    monkeypatch.setattr(i18n, "_catalogue", lambda _language: Marked())
    said = await desk.ours.call("GET", "/tickets/T-1", headers={"Accept-Language": wish})
    assert said.code == "not_found"
    assert said.said["detail"] == f"{language}: There is no ticket T-1."
    assert said.said["title"].startswith(f"{language}: ")
    assert (said.headers["Content-Language"], said.headers["Vary"]) == (language, "Accept-Language")


async def test_a_bug_of_ours_tells_a_number_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object, **_named: object) -> None:
        raise RuntimeError("the secret place /var/lib/hub")

    from hub.queries import ticket_lists

    monkeypatch.setattr(ticket_lists, "rows", broken)
    said = await desk.ours.call("GET", "/tickets")
    assert (said.status, said.code) == (500, "internal")
    assert b"secret" not in said.raw and len(said.said["incident"]) == 12
    assert said.said["incident"] in said.said["detail"]
