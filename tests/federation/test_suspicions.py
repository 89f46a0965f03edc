"""What is refused is counted: per peer, in bounded rows, and before people's eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.actions import suspicions as acts
from hub.actions import timers
from hub.queries import links as views
from hub.storage import audit, suspicions
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored


@pytest.fixture
async def network(quick_path: Path) -> AsyncIterator[Network]:
    made = Network(quick_path, seed="suspicions")
    yield made
    await made.close()


@pytest.fixture
async def pair(network: Network) -> tuple[Company, FakePeer]:
    a = await network.company("Сервис Плюс", suspicions_alert=10)
    b = FakePeer.of(network, "Мастер-Юг")
    await b.link_with(a)
    return a, b


async def counted(a: Company, link_id: str) -> dict[str, int]:
    await acts.write_down(a.hub)
    found = await a.hub.db.read(lambda c: suspicions.of_link(c, link_id))
    return {one.kind: one.count for one in found}


async def refusals_recorded(a: Company) -> list[tuple[str, int]]:
    import json

    found = await a.hub.db.read(lambda c: audit.page(c, limit=1000, event="refused"))
    facts = [json.loads(one.facts) for one in reversed(found)]
    return [(one["kind"], one["count"]) for one in facts]


async def alarms(a: Company) -> list[str]:
    found = await a.hub.db.read(audit.open_alerts)
    return [one.kind for one in found]


async def test_each_way_to_be_refused_has_its_count(
    network: Network, pair: tuple[Company, FakePeer]
) -> None:
    a, b = pair
    handoff = await b.offer()
    ping = {"must": False, "keep": False}
    wrong = b.signed("POST", f"{b.path}/messages", b"[]", signer=b.keys.message)
    await b.send(wrong)
    call = b.batch()
    await b.send(replace(call, body=b'{"messages": []}'))
    await b.call("GET", f"{b.path}/blobs/{'A' * 43}")
    await b.post(b.message("x.org.example.ping", {}, link="lnk_" + "0" * 32, **ping))
    await b.post(b.message("x.org.example.ping", {}, signer=b.keys.http, **ping))
    sent = await b.ping()
    await b.post(sent)
    await b.say("handoff.resolve", {"from": "offered", "resolution": "x"}, handoff=handoff)
    await network.run_until_idle()
    fork = b.message(
        "x.org.example.ping", {}, seq=sent.envelope.seq, prev=sent.envelope.prev, **ping
    )
    await b.post(fork)
    assert set(await counted(a, b.link_id)) >= {
        "bad_signature",
        "unknown_key",
        "foreign_id",
        "foreign_envelope",
        "replay",
        "malformed",
        "fork",
    }


async def test_a_flood_changes_a_number_and_makes_no_rows(
    network: Network, pair: tuple[Company, FakePeer]
) -> None:
    a, b = pair
    forged = b.signed("POST", f"{b.path}/messages", b"{}", signer=b.keys.message)
    before = await stored(a.hub)
    records = len(await a.hub.db.read(lambda c: audit.page(c, limit=1000)))
    for _ in range(6):
        for _ in range(50):
            assert (await b.send(forged)).status == 401
        await timers.run(a.hub)
        network.clock.advance(minutes=1)
    after = await stored(a.hub)
    notices = {"notices", "notice_choices"}  # people are told of the alarm: once
    assert set(changed(before, after)) <= {"alerts", "audit_heads", "checkpoints", *notices}
    assert len(after["notices"]) == len(after["alerts"])
    assert await counted(a, b.link_id) == {"unknown_key": 300}
    now = len(await a.hub.db.read(lambda c: audit.page(c, limit=1000)))
    assert now == records  # the hour is not over
    network.clock.advance(hours=1)
    await timers.run(a.hub)
    await timers.run(a.hub)
    assert await refusals_recorded(a) == [("unknown_key", 300)]


async def test_every_refused_input_is_in_exactly_one_record(
    network: Network, pair: tuple[Company, FakePeer]
) -> None:
    a, b = pair
    forged = b.signed("POST", f"{b.path}/messages", b"{}", signer=b.keys.message)
    sent = 0
    for hour in range(4):
        for _ in range(hour * 3 + 1):
            await b.send(forged)
            sent += 1
            await timers.run(a.hub)
        network.clock.advance(hours=1)
    await timers.run(a.hub)
    recorded = await refusals_recorded(a)
    assert sum(count for _, count in recorded) == sent
    assert len(recorded) == 4


async def test_people_hear_of_a_peer_that_is_refused_often(
    network: Network, pair: tuple[Company, FakePeer]
) -> None:
    a, b = pair
    for _ in range(9):
        await b.call("GET", f"{b.path}/blobs/{'A' * 43}")
    await timers.run(a.hub)
    assert await alarms(a) == []
    await b.call("GET", f"{b.path}/blobs/{'A' * 43}")
    await timers.run(a.hub)
    assert await alarms(a) == ["suspicious"]
    view = await a.hub.db.read(lambda c: views.show(c, b.link_id, a.hub.now()))
    assert [(one.kind, one.count, one.proven) for one in view.suspicions] == [
        ("foreign_id", 10, True)
    ]


async def test_what_anybody_can_do_in_a_peers_name_is_no_charge_against_it(
    pair: tuple[Company, FakePeer],
) -> None:
    a, b = pair
    call = b.batch()
    await b.send(replace(call, headers={**call.headers, "signature": "sig1=:AAAA:"}))
    await counted(a, b.link_id)
    view = await a.hub.db.read(lambda c: views.show(c, b.link_id, a.hub.now()))
    assert [one.proven for one in view.suspicions] == [False]


async def test_strangers_are_counted_together(pair: tuple[Company, FakePeer]) -> None:
    a, b = pair
    for n in range(20):
        strange = b.signed("GET", f"/txp/v1/links/lnk_{n:032x}/receipts")
        await b.send(strange)
    found = await counted(a, "")
    assert found == {"unknown_key": 20}


async def test_what_was_counted_survives_a_database_that_fails(
    pair: tuple[Company, FakePeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    await b.call("GET", f"{b.path}/blobs/{'A' * 43}")

    async def fails(_body: object) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(type(a.hub.db), "write", fails)
        patch.setattr(a.hub.db, "write", fails, raising=False)
        with pytest.raises(OSError):
            await acts.write_down(a.hub)
    await b.call("GET", f"{b.path}/blobs/{'A' * 43}")
    assert await counted(a, b.link_id) == {"foreign_id": 2}


async def test_the_row_says_when_it_began_and_ended(
    network: Network, pair: tuple[Company, FakePeer]
) -> None:
    a, b = pair
    began = a.hub.now()
    for _ in range(3):
        await b.call("GET", f"{b.path}/blobs/{'A' * 43}")
        await acts.write_down(a.hub)
        network.clock.advance(minutes=50)
    (row,) = await a.hub.db.read(lambda c: suspicions.of_link(c, b.link_id))
    assert (row.first_at, row.last_at, row.count) == (began, began + timedelta(minutes=100), 3)
