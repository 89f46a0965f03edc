"""What only another database can show: twins side by side, and characters it cannot store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.actions import webhooks
from hub.storage.database import PostgresDatabase
from tests.api.conftest import Desk
from tests.conftest import NO_POSTGRES, PostgresServer
from tests.kit.network import Network
from tests.kit.program import program

pytestmark = pytest.mark.postgres


@pytest.fixture
async def desk(quick_path: Path, postgres_server: PostgresServer | None) -> AsyncIterator[Desk]:
    if postgres_server is None:
        pytest.skip(NO_POSTGRES)
    network = Network(quick_path)
    company = await network.company(
        "Сервис Плюс", database=await postgres_server.new_database(quick_path)
    )
    async with program(company) as ours:
        yield Desk(network, ours)
    await network.close()
    await postgres_server.take_back()


async def test_of_many_at_once_one_is_carried_out(desk: Desk) -> None:
    answers = await asyncio.gather(
        *(desk.ours.call("POST", "/tickets", {"title": "Один"}, key="k") for _ in range(8))
    )
    assert {(one.status, one.raw) for one in answers} == {(201, answers[0].raw)}
    assert sum("Idempotency-Replayed" not in one.headers for one in answers) == 1
    assert len((await desk.ours.get("/tickets"))["items"]) == 1


async def test_a_ticket_with_a_comment_and_a_file(desk: Desk) -> None:
    made = await desk.ticket(contact={"name": "Пётр"}, due_at="2026-12-01T09:00:00Z")
    await desk.ours.post(f"/tickets/{made['number']}/comments", {"body": "Слово"})
    said = await desk.ours.call(
        "POST",
        f"/tickets/{made['number']}/files",
        data=b"x",
        query="?name=a%00b.txt",
        headers={"Content-Type": "text/plain"},
    )
    assert said.said["items"][0]["name"] == "ab.txt"
    shown = await desk.ours.get(f"/tickets/{made['number']}")
    assert (len(shown["comments"]), len(shown["attachments"])) == (1, 1)


async def test_a_commit_whose_reply_was_lost_is_found_out_and_not_repeated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.ticket(title="До")
    database = desk.ours.company.hub.db
    assert isinstance(database, PostgresDatabase)
    dialect = database._engine.sync_engine.dialect
    commit = dialect.do_commit

    def done_and_not_heard_of(connection: Any) -> None:
        commit(connection)
        raise ConnectionResetError

    monkeypatch.setattr(dialect, "do_commit", done_and_not_heard_of)
    said = await desk.ours.call("POST", "/tickets", {"title": "Один"}, key="k")
    assert (said.status, said.code) == (503, "outcome_unknown")
    monkeypatch.undo()
    again = await desk.ours.call("POST", "/tickets", {"title": "Один"}, key="k")
    assert (again.status, again.headers.get("Idempotency-Replayed")) == (201, "true")
    shown = await desk.ours.get("/tickets")
    assert [one["title"] for one in shown["items"]] == ["Один", "До"]


async def test_what_the_database_cannot_store_is_not_asked_of_it(desk: Desk) -> None:
    for path in ("/tickets/%00", "/handoffs/%00", "/links/%00", "/deliveries/%00"):
        assert (await desk.ours.call("GET", path)).status == 404
    said = await desk.ours.call("GET", "/deliveries", query="?peer=%00")
    assert (said.status, said.code) == (422, "invalid")
    ticket = await desk.ticket()
    for body in ({"body": "a\u0000b"}, {"body": "\ufffe"}):
        said = await desk.ours.call("POST", f"/tickets/{ticket['id']}/comments", body)
        assert (said.status, said.code) == (422, "invalid")
    said = await desk.ours.call("POST", "/links", {"code": "txp1.\u0000"})
    assert said.status == 422
    scopes = {"as_principal": {"services": ["a\u0000b"]}}
    said = await desk.ours.call("POST", "/invitations", {"peer": "x", "scopes": scopes})
    assert (said.status, said.code) == (422, "invalid")
    said = await desk.ours.call("PATCH", f"/tickets/{ticket['id']}", {"assignee": "\u0000"})
    assert said.status == 422


async def test_of_many_workers_each_call_to_a_program_is_one_workers(desk: Desk) -> None:
    made = await desk.ours.post("/webhooks", {"url": "https://desk.plus.example/events"})
    for n in range(3):
        await desk.ticket(f"Заявка {n}")
    hub = desk.ours.company.hub
    found = await asyncio.gather(*(webhooks.claim(hub, made["id"]) for _ in range(8)))
    claimed = [one.call.id for one in found if one is not None]
    assert len(claimed) == len(set(claimed)) == 3
    assert {one.webhook_id for one in await webhooks.due(hub)} == {made["id"]}
    for one in found:
        if one is not None:
            await webhooks.settle(hub, one, webhooks.Heard(200))
    assert await webhooks.due(hub) == []
