"""A request that comes twice is carried out once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.actions import repeats, tickets, timers
from hub.actions.repeats import Answer, Keyed
from hub.domain.permission import Permission
from hub.errors import Refused
from tests.api.conftest import Desk, Pair


async def test_the_same_request_gets_the_same_answer_and_is_done_once(desk: Desk) -> None:
    body = {"title": "Не печатает чек", "priority": "high"}
    first = await desk.ours.call("POST", "/tickets", body, key="k-1")
    again = await desk.ours.call("POST", "/tickets", dict(reversed(body.items())), key="k-1")
    assert (first.status, again.status) == (201, 201)
    assert first.raw == again.raw
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await desk.ours.get("/tickets"))["items"]) == 1


async def test_the_same_key_with_another_request_is_refused(desk: Desk) -> None:
    ticket = await desk.ours.post("/tickets", {"title": "Один"}, key="k-1")
    for path, body in [
        ("/tickets", {"title": "Другой"}),
        ("/tickets", {"title": "Один", "priority": "normal"}),
        (f"/tickets/{ticket['id']}/comments", {"body": "Слово"}),
    ]:
        said = await desk.ours.call("POST", path, body, key="k-1")
        assert (said.status, said.code) == (422, "idempotency_key_reused")


async def test_keys_are_each_agents_own(desk: Desk) -> None:
    from hub.actions import agents, tokens

    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    agent = await agents.add(hub, admin, email="i@a.example", name="Иван", role="dispatcher")
    _, plain = await tokens.new(hub, admin, agent, "t", ["tickets:write"], None)
    await desk.ours.post("/tickets", {"title": "Один"}, key="k-1")
    said = await desk.ours.with_token(plain).call("POST", "/tickets", {"title": "Два"}, key="k-1")
    assert said.status == 201 and said.said["title"] == "Два"


async def test_another_token_of_the_agent_knows_its_keys_but_needs_its_own_scope(
    desk: Desk,
) -> None:
    await desk.ours.post("/tickets", {"title": "Один"}, key="k-1")
    reader = await desk.ours.token_for(Permission.TICKETS_READ)
    said = await reader.call("POST", "/tickets", {"title": "Один"}, key="k-1")
    assert said.status == 403


async def test_a_refused_request_may_come_again_corrected(desk: Desk) -> None:
    said = await desk.ours.call("POST", "/tickets", {"title": "  "}, key="k-1")
    assert said.status == 422
    assert (await desk.ours.post("/tickets", {"title": "Один"}, key="k-1"))["title"] == "Один"


async def test_what_erases_and_sweeps_behind_itself_may_be_repeated_too(desk: Desk) -> None:
    """schemathesis, 2026-11: with a key it was a bug of ours, for it is more than a transaction."""
    ticket = await desk.ticket()
    path, body = f"/tickets/{ticket['id']}/erasures", {"reason": "По просьбе"}
    first = await desk.ours.call("POST", path, body, key="k-1")
    again = await desk.ours.call("POST", path, body, key="k-1")
    assert (first.status, again.status) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true" and again.said == first.said
    assert (await desk.ours.call("POST", f"/tickets/{ticket['id']}/hold", body)).status < 300
    released = await desk.ours.call("DELETE", f"/tickets/{ticket['id']}/hold", key="k-2")
    assert released.status == 204


async def test_without_a_key_two_requests_are_two(desk: Desk) -> None:
    for _ in range(2):
        await desk.ours.post("/tickets", {"title": "Один"})
    assert len((await desk.ours.get("/tickets"))["items"]) == 2


async def test_an_act_is_made_once(pair: Pair) -> None:
    ticket = await pair.ticket()
    path, body = f"/tickets/{ticket['id']}/handoffs", {"peer": "Мастер-Юг"}
    first = await pair.ours.call("POST", path, body, key="offer")
    again = await pair.ours.call("POST", path, body, key="offer")
    assert (first.raw, again.status) == (again.raw, 201)
    await pair.network.run_until_idle()
    handoff = first.said["id"]
    answers = [
        await pair.theirs.call("POST", f"/handoffs/{handoff}/accept", {}, key="accept")
        for _ in range(3)
    ]
    assert {(one.status, one.raw) for one in answers} == {(200, answers[0].raw)}
    assert (await pair.theirs.call("POST", f"/handoffs/{handoff}/accept", {})).status == 409


async def test_the_first_answer_stays_whatever_happened_since(desk: Desk) -> None:
    ticket = await desk.ticket()
    path = f"/tickets/{ticket['id']}/comments"
    first = await desk.ours.call("POST", path, {"body": "Слово"}, key="k")
    await desk.ours.delete(f"/comments/{first.said['id']}")
    assert (await desk.ours.call("POST", path, {"body": "Слово"}, key="k")).raw == first.raw


async def test_an_upload_is_the_same_if_its_bytes_are(desk: Desk) -> None:
    ticket = await desk.ticket()
    how: dict[str, Any] = {"query": "?name=a.txt", "headers": {"Content-Type": "text/plain"}}
    path = f"/tickets/{ticket['id']}/files"
    first = await desk.ours.call("POST", path, data=b"one", key="k", **how)
    again = await desk.ours.call("POST", path, data=b"one", key="k", **how)
    other = await desk.ours.call("POST", path, data=b"two", key="k", **how)
    assert first.raw == again.raw
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len((await desk.ours.get(f"/tickets/{ticket['id']}"))["attachments"]) == 1


async def test_an_invitation_code_can_be_asked_for_again_and_is_not_readable_at_rest(
    desk: Desk,
) -> None:
    first = await desk.ours.post("/invitations", {"peer": "Север"}, key="k")
    assert await desk.ours.post("/invitations", {"peer": "Север"}, key="k") == first
    stored = b"".join(one.read_bytes() for one in desk.network.root.rglob("hub.db*"))
    assert first["code"].encode() not in stored


@pytest.mark.parametrize("key", ["", "x" * 256, "два", "a b"])
async def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    headers = {"Idempotency-Key": key}
    said = await desk.ours.call("POST", "/tickets", {"title": "Один"}, headers=headers)
    assert (said.status, said.code) == (422, "idempotency_key_invalid")


async def test_answers_are_forgotten_after_their_time(desk: Desk) -> None:
    await desk.ours.post("/tickets", {"title": "Один"}, key="k-1")
    desk.network.clock.advance(seconds=timers.ANSWERS_KEPT.total_seconds() + 1)
    await timers.run(desk.ours.company.hub)
    await desk.ours.post("/tickets", {"title": "Два"}, key="k-1")
    assert len((await desk.ours.get("/tickets"))["items"]) == 2


async def test_effect_and_answer_are_one_transaction(desk: Desk) -> None:
    """An answer that cannot be kept undoes what it tells of."""
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher

    def broken(_connection: Any, _made: Any) -> Answer:
        raise RuntimeError("the power went off here")

    with pytest.raises(RuntimeError):
        await repeats.once(
            hub,
            Keyed(admin.ref, "k", "0" * 64),
            lambda inside: tickets.create(inside, admin, tickets.NewTicket("Один")),
            broken,
        )
    assert (await desk.ours.get("/tickets"))["items"] == []


async def test_of_two_at_once_one_is_carried_out(desk: Desk) -> None:
    """The second looked before the first had committed: the transaction looks again."""
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    request = Keyed(admin.ref, "k", "0" * 64)

    def told(_connection: Any, made: Any) -> Answer:
        return Answer(201, json.dumps(made.number))

    async def carry_out(title: str) -> Answer:
        return await repeats.once(
            hub,
            request,
            lambda inside: tickets.create(inside, admin, tickets.NewTicket(title)),
            told,
        )

    first, second = await carry_out("Один"), await carry_out("Один")
    assert (first.body, first.repeated) == (second.body, False)
    assert second.repeated
    with pytest.raises(Refused, match="idempotency_key_reused"):
        await repeats.once(
            hub,
            Keyed(admin.ref, "k", "1" * 64),
            lambda inside: tickets.create(inside, admin, tickets.NewTicket("Два")),
            told,
        )
    assert len((await desk.ours.get("/tickets"))["items"]) == 1
