"""Tickets and comments, pages of them, and what a form may not say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Desk, Pair

WHOLE = {
    "title": "Не печатает чек",
    "description": "Касса 3, с утра",
    "priority": "high",
    "service": "",
    "requester": {"name": "Анна", "email": "anna@client.example", "phone": "+7 900 000-00-00"},
    "contact": {"name": "Пётр", "phone": "+7 900 000-00-01", "email": "", "note": "после 10"},
    "site": {"name": "Магазин 12", "address": "Ленина, 1", "note": "", "parent": "Продукты"},
    "asset": {
        "name": "Касса",
        "model": "АТОЛ 55Ф",
        "inventory_number": "И-7",
        "serial_number": "С-9",
        "note": "",
    },
    "fields": [{"name": "этаж", "value": "2"}],
    "due_at": "2026-12-01T09:00:00.000Z",
}


async def test_a_ticket_comes_back_as_it_was_given(desk: Desk) -> None:
    made = await desk.ours.post("/tickets", WHOLE | {"checklist": ["Проверить", "Позвонить"]})
    shown = await desk.ours.get(f"/tickets/{made['number']}")
    assert shown == made
    assert {name: shown[name] for name in WHOLE} == WHOLE
    assert [one["text"] for one in shown["checklist"]] == ["Проверить", "Позвонить"]
    assert (shown["status"], shown["created_at"]) == ("new", "2026-11-23T06:00:00.000Z")


async def test_a_change_changes_what_it_names(desk: Desk) -> None:
    made = await desk.ours.post("/tickets", WHOLE | {"checklist": ["Проверить"]})
    admin = desk.ours.company.dispatcher.ref
    changed = await desk.ours.patch(
        f"/tickets/{made['id']}",
        {
            "title": "Печатает криво",
            "status": "open",
            "assignee": admin,
            "checklist": [{"item_id": "1", "text": "Проверить", "done": True}],
            "site": {"name": "Магазин 13"},
        },
    )
    assert (changed["title"], changed["status"]) == ("Печатает криво", "open")
    assert changed["checklist"][0]["done"] is True
    assert changed["site"] == {"name": "Магазин 13", "address": "", "note": "", "parent": ""}
    assert changed["description"] == WHOLE["description"]
    said = await desk.ours.call("PATCH", f"/tickets/{made['id']}", {"assignee": "agt_x"})
    assert (said.status, said.code) == (422, "agent_unknown")
    same = await desk.ours.patch(f"/tickets/{made['id']}", {})
    assert same == changed


async def test_what_belongs_to_the_principal_is_not_changed_here(pair: Pair) -> None:
    await pair.offered()
    (child,) = (await pair.theirs.get("/tickets"))["items"]
    said = await pair.theirs.call("PATCH", f"/tickets/{child['id']}", {"title": "Моё"})
    assert (said.status, said.code) == (403, "principal_owns")


async def test_pages_show_everything_once_newest_first(desk: Desk) -> None:
    made = []
    for n in range(5):
        desk.network.clock.advance(seconds=1)
        made.append((await desk.ours.post("/tickets", {"title": f"Заявка {n}"}))["id"])
    await desk.ours.patch(f"/tickets/{made[1]}", {"status": "closed"})
    seen, cursor, pages = [], "", 0
    while True:
        page = await desk.ours.get("/tickets", query=f"?limit=2{cursor}")
        seen += [one["id"] for one in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert (seen, pages) == (made[::-1], 3)
    whole = await desk.ours.get("/tickets", query="?limit=5")
    assert whole["next"] is None
    new = await desk.ours.get("/tickets", query="?status=new")
    assert [one["id"] for one in new["items"]] == [made[4], made[3], made[2], made[0]]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=many", "limit"),
        ("?status=lost", "status"),
        ("?state=new", "state"),
        ("?limit=1&limit=2", "limit"),
        ("?status=", "status"),
    ],
)
async def test_a_query_that_makes_no_sense_names_its_place(
    desk: Desk, query: str, parameter: str
) -> None:
    said = await desk.ours.call("GET", "/tickets", query=query)
    assert (said.status, said.code) == (422, "invalid")
    assert [one["parameter"] for one in said.said["errors"]] == [parameter]


async def test_a_cursor_of_something_else_is_refused(desk: Desk) -> None:
    for path, cursor in [("/tickets", "2"), ("/tickets", f"msg_{'0' * 32}"), ("/deliveries", "x")]:
        said = await desk.ours.call("GET", path, query=f"?cursor={cursor}")
        assert (said.status, said.code) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/title"),
        ({"title": "x", "tittle": "y"}, "#/tittle"),
        ({"title": 5}, "#/title"),
        ({"title": None}, "#/title"),
        ({"title": "x" * 501}, "#/title"),
        ({"title": "x\u0000y"}, "#/title"),
        ({"title": "x", "priority": "asap"}, "#/priority"),
        ({"title": "x", "contact": {"name": "a", "icq": "1"}}, "#/contact/icq"),
        ({"title": "x", "contact": "Пётр"}, "#/contact"),
        ({"title": "x", "fields": [{"name": "a"}]}, "#/fields/0/value"),
        ({"title": "x", "checklist": ["a"] * 201}, "#/checklist"),
        ({"title": "x", "due_at": "завтра"}, "#/due_at"),
        ({"title": "x", "due_at": "2026-12-01T09:00:00"}, "#/due_at"),
        ({"title": "x", "due_at": "1700000000"}, "#/due_at"),
        ({"title": "x", "due_at": 1700000000}, "#/due_at"),
        ({"title": "x", "due_at": "2026-02-30T09:00:00Z"}, "#/due_at"),
        ({"title": "x", "due_at": "9999-12-31T23:59:59-14:00"}, "#/due_at"),
        ({"title": "x", "due_at": "0001-01-01T00:00:00+14:00"}, "#/due_at"),
        ({"title": "x", "id": "tkt_1"}, "#/id"),
        ({"title": "x", "created_by": "agt_1"}, "#/created_by"),
        ({"title": "x", "a/b~c": 1}, "#/a~1b~0c"),
    ],
)
async def test_a_form_that_breaks_its_schema_names_the_place(
    desk: Desk, body: dict[str, Any], pointer: str
) -> None:
    said = await desk.ours.call("POST", "/tickets", body)
    assert (said.status, said.code) == (422, "invalid")
    assert [one["pointer"] for one in said.said["errors"]] == [pointer]
    assert (await desk.ours.get("/tickets"))["items"] == []


async def test_null_clears_nothing_and_says_so(desk: Desk) -> None:
    made = await desk.ticket()
    for name in ("title", "due_at", "assignee", "contact"):
        said = await desk.ours.call("PATCH", f"/tickets/{made['id']}", {name: None})
        assert (said.status, said.said["errors"][0]["pointer"]) == (422, f"#/{name}")


# --- comments -------------------------------------------------------------------------------


async def test_a_comment_is_internal_unless_said_otherwise(pair: Pair) -> None:
    ticket, _ = await pair.offered()
    path = f"/tickets/{ticket['number']}/comments"
    quiet = await pair.ours.post(path, {"body": "Клиент сложный"})
    loud = await pair.ours.post(path, {"body": "Код домофона 12", "visibility": "public"})
    assert (quiet["visibility"], loud["visibility"]) == ("internal", "public")
    await pair.network.run_until_idle()
    (child,) = (await pair.theirs.get("/tickets"))["items"]

    async def heard() -> list[tuple[str, int, bool]]:
        shown = await pair.theirs.get(f"/tickets/{child['id']}")
        return [(one["body"], one["rev"], one["redacted"]) for one in shown["comments"]]

    assert await heard() == [("Код домофона 12", 1, False)]
    edited = await pair.ours.patch(f"/comments/{loud['id']}", {"body": "Код домофона 13"})
    assert (edited["body"], edited["rev"]) == ("Код домофона 13", 2)
    await pair.network.run_until_idle()
    assert await heard() == [("Код домофона 13", 2, False)]
    await pair.ours.delete(
        f"/comments/{loud['id']}", query="?reason=%D0%BE%D1%88%D0%B8%D0%B1%D0%BA%D0%B0"
    )
    await pair.network.run_until_idle()
    assert await heard() == [("", 2, True)]
    said = await pair.ours.call("PATCH", f"/comments/{loud['id']}", {"body": "Ещё"})
    assert (said.status, said.code) == (409, "redacted")


async def test_a_partners_comment_is_not_ours_to_change(pair: Pair) -> None:
    await pair.offered()
    (child,) = (await pair.theirs.get("/tickets"))["items"]
    said_there = {"body": "Выезжаем", "visibility": "public"}
    await pair.theirs.post(f"/tickets/{child['id']}/comments", said_there)
    await pair.network.run_until_idle()
    (ticket,) = (await pair.ours.get("/tickets"))["items"]
    (comment,) = (await pair.ours.get(f"/tickets/{ticket['id']}"))["comments"]
    assert comment["account"] == "Мастер-Юг"
    for method, body in (("PATCH", {"body": "Не едем"}), ("DELETE", None)):
        said = await pair.ours.call(method, f"/comments/{comment['id']}", body)
        assert (said.status, said.code) == (403, "not_yours")


async def test_an_empty_comment_is_refused(desk: Desk) -> None:
    ticket = await desk.ticket()
    said = await desk.ours.call("POST", f"/tickets/{ticket['id']}/comments", {"body": "  "})
    assert (said.status, said.code) == (422, "comment_empty")
