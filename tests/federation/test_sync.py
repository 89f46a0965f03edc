"""The sync of a link at the door, and what a started node does before it says anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.actions import deliveries, handoffs, links, peers, syncing, tickets
from hub.actions.handoffs import OfferHandoff
from hub.domain.delivery import DeliveryState
from hub.errors import Conflict, HubError
from hub.federation.door import Call, Reply
from hub.federation.sync import _Session, synchronize
from hub.protocol.signing import SealedMessage
from hub.protocol.sync import NewEpoch, Place
from hub.storage import audit, inbox, outbox, streams
from hub.storage import deliveries as failing
from hub.storage.database import Tx
from hub.storage.links import LinkState
from hub.storage.links import change as change_link
from hub.storage.links import get as get_link
from tests.conftest import NewDatabase
from tests.kit.fake_peer import Answered, FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored


@dataclass
class Pair:
    """Our node A and a partner B that does as the test says."""

    network: Network
    a: Company
    b: FakePeer

    async def stream(self) -> Any:
        return await self.a.hub.db.read(lambda tx: streams.get(tx, self.b.link_id))

    async def log(self) -> list[outbox.OutboxRow]:
        return await self.a.hub.db.read(lambda tx: outbox.after(tx, self.b.link_id, 0, outbox.ALL))

    async def alerts(self) -> list[str]:
        return [one.kind for one in await self.a.hub.db.read(audit.open_alerts)]

    async def offer(self) -> None:
        """A hands a ticket to B."""
        made = await tickets.create(self.a.hub, self.a.dispatcher, tickets.NewTicket(title="Касса"))
        await handoffs.offer(self.a.hub, self.a.dispatcher, OfferHandoff(made.id, self.b.link_id))

    async def sync(self, begin: NewEpoch | None = None, **other: Any) -> Answered:
        """B asks A."""
        return await self.b.call("POST", f"{self.b.path}/sync", self.b.sync_body(begin, **other))

    def begin(self, epoch: int = 100, start: int | None = None, **base: Any) -> NewEpoch:
        """An epoch of B's behind all A has of it."""
        place = Place(base.get("seq", self.b.seq), base.get("head", self.b.head))
        return NewEpoch(epoch, self.b.seq + 1 if start is None else start, place)

    async def restart(self) -> None:
        await self.network.stop(self.a)
        await self.network.start(self.a)

    async def settle(self) -> None:
        await self.network.run_until_idle()


@pytest.fixture
async def pair(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Pair]:
    network = Network(quick_path, databases)
    a = await network.company("Вендор")
    b = FakePeer.of(network, "Партнёр")
    await b.link_with(a)
    made = Pair(network, a, b)
    yield made
    await network.close()


async def test_a_question_tells_where_both_streams_stand_and_changes_nothing(pair: Pair) -> None:
    await pair.b.ping()
    before = await stored(pair.a.hub)
    said = await pair.sync()
    assert said.status == 200
    assert said.members["held"] == {"seq": pair.b.seq, "head": pair.b.head}
    assert said.members["sent"]["seq"] == len(pair.b.heard)
    assert changed(before, await stored(pair.a.hub)) == []


async def test_what_was_signed_before_the_new_epoch_is_void_and_the_new_takes_its_place(
    pair: Pair,
) -> None:
    await pair.b.ping()
    late: SealedMessage = pair.b.message("x.org.example.ping", {}, must=False, keep=False)
    begin = pair.begin()
    assert (await pair.sync(begin)).status == 200
    said = await pair.b.post(late)
    assert (said.status, pair.b.receipt(said).upto) == (200, begin.start_seq - 1)
    pair.b.epochs[begin.epoch] = begin.start_seq
    new = await pair.b.ping()
    said = await pair.b.post(late)
    assert pair.b.receipt(said).head == new.hash
    kept = await pair.a.hub.db.read(lambda tx: streams.voided_copies(tx, pair.b.link_id, "in"))
    assert [one.hash for one in kept] == [late.hash]
    assert await pair.alerts() == []


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 7},
        {"head": "A" * 43},
        {"start": 1},
        {"epoch": 2, "after": 100},
        {"epoch": 100, "after": 100},
    ],
    ids=str,
)
async def test_an_epoch_that_does_not_fit_what_is_here_is_409_and_changes_nothing(
    pair: Pair, change: dict[str, Any]
) -> None:
    await pair.b.ping()
    change = dict(change)  # the table of cases is every database's
    if (after := change.pop("after", None)) is not None:
        assert (await pair.sync(pair.begin(after))).status == 200
    before = await stored(pair.a.hub)
    said = await pair.sync(pair.begin(**change))
    assert (said.status, said.members["code"]) == (409, "epoch_stale")
    assert changed(before, await stored(pair.a.hub)) == []
    await pair.sync(pair.begin(200))
    pair.b.epochs[200] = pair.b.seq + 1
    await pair.b.ping()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sent": {"seq": -1, "head": "A" * 43}},
        {"held": {"seq": 0, "head": "short"}},
        {"run": "no"},
        {"run": "x" * 65},
        {"synced": 1},
        {"sent_epochs": [[1, 0]]},
        {"sent_epochs": [[0, 1]]},
        {"sent_epochs": [[True, 1]]},
        {"sent_epochs": [[2**41, 1]]},
        {"held_epochs": {"1": 1}},
        {"held_epochs": [[1, 1]] * 4001},
        {"begin": {"epoch": 1, "start_seq": 1, "base": {"seq": 0, "head": "A" * 43}}},
        {"begin": {"epoch": 9, "start_seq": 0, "base": {"seq": 0, "head": "A" * 43}}},
        {"begin": {"epoch": 9, "start_seq": 1}},
        {"begin": None},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
async def test_a_sync_that_does_not_follow_the_protocol_is_400(
    pair: Pair, body: dict[str, Any]
) -> None:
    before = await stored(pair.a.hub)
    right = json.loads(pair.b.sync_body())
    said = await pair.b.call(
        "POST", f"{pair.b.path}/sync", json.dumps({**right, **body} if body else {}).encode()
    )
    assert (said.status, said.members["code"]) == (400, "malformed")
    assert changed(before, await stored(pair.a.hub)) == []


async def test_a_started_node_takes_and_sends_nothing_before_its_sync(pair: Pair) -> None:
    await pair.offer()
    pair.network.wire.down.add(pair.b.base_url)
    await pair.restart()
    pair.network.wire.down.clear()
    heard = len(pair.b.heard)
    said = await pair.b.post(pair.b.message("x.org.example.ping", {}, must=False, keep=False))
    assert (said.status, said.members["code"]) == (503, "sync_required")
    assert "retry-after" in said.headers
    log = await pair.b.call("GET", f"{pair.b.path}/log?dir=in&from=1")
    assert (log.status, log.members["code"]) == (503, "sync_required")
    assert len(pair.b.heard) == heard
    await pair.settle()
    await pair.b.ping()
    assert [one.envelope.type for one in pair.b.heard[heard:]] == ["link.epoch", "handoff.offer"]


async def test_a_file_nobody_knows_of_is_asked_for_later_while_a_restore_may_have_taken_it(
    pair: Pair,
) -> None:
    """404 would be for good: the peer would never ask again for what comes back in a moment."""
    target = f"{pair.b.path}/blobs/{'A' * 43}"
    await pair.restart()
    said = await pair.b.call("GET", target)
    assert (said.status, said.code) == (503, "sync_required")
    await pair.settle()
    assert (await pair.b.call("GET", target)).status == 404


async def test_what_has_no_receipt_is_signed_again_under_its_id_and_what_has_one_is_not(
    pair: Pair,
) -> None:
    await pair.offer()
    await pair.settle()
    await pair.offer()
    old = await pair.log()
    await pair.restart()
    await pair.settle()
    new = await pair.log()
    assert new[0] == old[0]
    assert new[1].type == "link.epoch"
    assert (new[2].id, new[2].data) == (old[1].id, old[1].data)
    assert new[2].hash != old[1].hash
    assert (new[2].seq, new[2].hseq) == (3, 1)
    said = pair.b.heard[1].data
    assert (said["epoch"], said["start_seq"]) == (new[1].epoch, 2)
    assert said["instance"] == pair.a.hub.keys.instance
    assert await pair.alerts() == []


async def test_what_the_peer_lost_is_sent_again_byte_for_byte(pair: Pair) -> None:
    for _ in range(3):
        await pair.offer()
    await pair.settle()
    log = [row.hash for row in await pair.log()]
    del pair.b.heard[1:]  # B was restored from a backup
    assert (await pair.sync(pair.begin(100))).status == 200
    pair.b.epochs[100] = pair.b.seq + 1
    await pair.settle()
    assert [one.hash for one in pair.b.heard] == log
    assert "peer_restored" in await pair.alerts()


async def test_a_receipt_of_an_epoch_we_do_not_know_makes_us_ask_where_we_stand(
    pair: Pair,
) -> None:
    await pair.offer()
    pair.b.script = lambda call: (
        pair.b.reply(call, 200, {"receipt": pair.b.own_receipt(epoch=7)})
        if call.target.endswith("/messages")
        else None
    )
    await pair.settle()
    pair.b.script = lambda _call: None
    await pair.network.run_for(minutes=1)
    assert [one.envelope.type for one in pair.b.heard] == ["link.epoch", "handoff.offer"]
    assert (await pair.stream()).synced


@pytest.mark.parametrize("by", ["run", "instance"])
async def test_two_copies_of_a_peer_that_speak_in_turn_are_stopped_until_people_have_looked(
    pair: Pair, by: str
) -> None:
    def other(which: str) -> dict[str, str]:
        return (
            {"run": f"{which}-fresh-run", "instance": which * 8}
            if by == "instance"
            else {"run": which * 8}
        )

    async def speak(which: str, epoch: int) -> Answered:
        said = other(which)
        if by == "instance":
            said["run"] += str(epoch)
        return await pair.sync(pair.begin(epoch), **said)

    assert (await speak("a", 100)).status == 200
    assert (await speak("b", 101)).status == 200
    said = await speak("a", 102)
    assert (said.status, said.members["code"]) == (409, "clone_detected")
    link = await pair.a.hub.db.read(lambda tx: get_link(tx, pair.b.link_id))
    assert link.state is LinkState.SUSPENDED
    assert "clone" in await pair.alerts()
    assert (await speak("b", 103)).status == 200 or by == "run"
    await links.resume(pair.a.hub, pair.a.dispatcher, pair.b.link_id)
    assert (await speak("a", 104)).status == 200
    assert "clone" not in await pair.alerts()


async def test_a_late_copy_of_what_an_earlier_run_said_is_stale_and_no_second_node(
    pair: Pair,
) -> None:
    """A call may lie on the wire while its sender restarts; only a later epoch is later speech."""
    late = pair.begin(100)
    assert (await pair.sync(late, run="a" * 8)).status == 200
    assert (await pair.sync(pair.begin(101), run="b" * 8)).status == 200
    said = await pair.sync(late, run="a" * 8)
    assert (said.status, said.members["code"]) == (409, "epoch_stale")
    link = await pair.a.hub.db.read(lambda tx: get_link(tx, pair.b.link_id))
    assert link.state is LinkState.ACTIVE
    assert "clone" not in await pair.alerts()


async def test_a_node_that_is_told_it_has_a_clone_stops_on_that_link(pair: Pair) -> None:
    pair.b.script = lambda call: (
        pair.b.refusal(call, "clone_detected") if call.target.endswith("/sync") else None
    )
    await pair.restart()
    await pair.settle()
    link = await pair.a.hub.db.read(lambda tx: get_link(tx, pair.b.link_id))
    assert (link.state, link.suspended_by_us) == (LinkState.SUSPENDED, True)
    assert "clone" in await pair.alerts()


@pytest.mark.parametrize("code", ["clone_detected", "sync_required"])
async def test_a_peer_that_says_no_is_not_asked_again_because_it_calls(
    pair: Pair, code: str
) -> None:
    """Two that refuse one another would wake each other without end."""
    pair.b.script = lambda call: (
        pair.b.refusal(call, code) if call.target.endswith("/sync") else None
    )
    await pair.restart()
    await pair.settle()
    asked = len(pair.b.calls)
    for _ in range(5):
        await pair.sync()
        await pair.settle()
    assert len(pair.b.calls) == asked
    pair.b.script = lambda _call: None
    await pair.network.run_for(minutes=1)
    assert (await pair.stream()).synced


async def test_what_a_suspended_link_refused_goes_out_as_soon_as_the_peer_resumes_it(
    pair: Pair,
) -> None:
    pair.b.script = lambda call: (
        pair.b.refusal(call, "link_suspended") if call.target.endswith("/messages") else None
    )
    await pair.offer()
    await pair.settle()
    pair.b.script = lambda _call: None
    await pair.settle()
    assert pair.b.heard == []  # its time has not come
    await pair.b.say("link.resume", {})
    await pair.settle()
    assert len(pair.b.heard) == 1


async def test_a_peer_that_was_away_is_asked_as_soon_as_it_calls(pair: Pair) -> None:
    pair.network.wire.down.add(pair.b.base_url)
    await pair.restart()
    await pair.settle()
    assert not (await pair.stream()).synced
    pair.network.wire.down.clear()
    await pair.settle()
    assert not (await pair.stream()).synced  # it is waiting
    await pair.sync()
    await pair.settle()
    assert (await pair.stream()).synced


async def test_a_link_that_came_to_nothing_meanwhile_is_not_asked_about(pair: Pair) -> None:
    """Whoever saw it due a moment ago finds it void, as a handshake that failed leaves it."""
    await pair.restart()
    asked = len(pair.b.calls)

    def void(tx: Tx) -> None:
        change_link(tx, pair.b.link_id, state=LinkState.VOID)

    await pair.a.hub.db.write(void)
    assert not await synchronize(pair.a.hub, pair.a.transport, pair.b.link_id)
    assert len(pair.b.calls) == asked


async def test_an_answer_signed_at_another_time_says_that_the_clocks_differ(pair: Pair) -> None:
    """People have to be told what to mend, not that the partner's node is not itself."""

    def late(call: Call) -> Reply | None:
        if not call.target.endswith("/sync"):
            return None
        pair.network.clock.advance(minutes=-10)
        said = pair.b.reply(call, 200, pair.b.take_sync(call))
        pair.network.clock.advance(minutes=10)
        return said

    pair.b.script = late
    await pair.restart()
    await pair.settle()
    how = await pair.a.hub.db.read(lambda c: failing.get(c, pair.b.link_id))
    assert (how.last_error or "").startswith("clock_skew")
    assert not (await pair.stream()).synced
    pair.b.script = lambda _call: None
    await pair.network.run_for(minutes=5)
    assert (await pair.stream()).synced


async def test_a_log_that_is_not_ours_is_not_taken_back(pair: Pair) -> None:
    """B says it holds more of ours than we have, and cannot show it."""
    await pair.offer()
    await pair.settle()
    forged = pair.b.message("x.org.example.ping", {}, must=False, keep=False, seq=2)

    def lie(call: Any) -> Any:
        if call.target.endswith("/sync"):
            standing = pair.b.take_sync(call)
            return pair.b.reply(call, 200, {**standing, "held": {"seq": 2, "head": forged.hash}})
        if "/log?" in call.target:
            wire = {"env": forged.env, "data": forged.data}
            return pair.b.reply(call, 200, {"messages": [wire]})
        return None

    pair.b.script = lie
    before = [row.hash for row in await pair.log()]
    await pair.restart()
    await pair.settle()
    assert [row.hash for row in await pair.log()] == before
    stream = await pair.stream()
    assert (stream.synced, stream.out_seq) == (False, 1)
    pair.b.script = lambda _call: None
    await pair.network.run_for(minutes=5)
    assert (await pair.stream()).synced


@pytest.mark.parametrize("how", ["nothing", "a gap", "too much"])
async def test_a_log_that_does_not_reach_what_its_owner_claims_leaves_the_link_held(
    pair: Pair, how: str
) -> None:
    """B says it holds more of ours than we have, and shows less, other, or more than that."""
    await pair.offer()
    await pair.settle()
    (first,) = await pair.log()
    mine = {"env": first.env, "data": first.data}

    def lie(call: Any) -> Any:
        if call.target.endswith("/sync"):
            standing = pair.b.take_sync(call)
            head = first.hash if how == "too much" else "A" * 43
            return pair.b.reply(call, 200, {**standing, "held": {"seq": 2, "head": head}})
        if "/log?" in call.target:
            shown = {"nothing": [], "a gap": [mine], "too much": [mine, mine]}[how]
            return pair.b.reply(call, 200, {"messages": shown})
        return None

    pair.b.script = lie
    await pair.restart()
    await pair.offer()
    await pair.settle()
    stream = await pair.stream()
    assert (stream.synced, stream.out_seq) == (False, 2)
    assert len(pair.b.told("handoff.offer")) == 1  # the second waits
    pair.b.script = lambda _call: None
    await pair.network.run_for(minutes=5)
    assert len(pair.b.told("handoff.offer")) == 2


async def test_what_the_peer_has_acknowledged_cannot_be_skipped_or_repeated(pair: Pair) -> None:
    hub, person = pair.a.hub, pair.a.dispatcher
    await pair.offer()
    await pair.settle()
    (sent,) = await pair.log()
    ping = await pair.b.ping()
    await pair.settle()
    before = await stored(hub)
    for act, code in (
        (deliveries.skip(hub, person, sent.id, "мешает"), "not_failed"),
        (deliveries.skip(hub, person, ping.envelope.id, "мешает"), "not_parked"),
        (deliveries.replay(hub, person, sent.id), "nothing_to_replay"),
        (deliveries.replay(hub, person, ping.envelope.id), "nothing_to_replay"),
        (deliveries.replay(hub, person, "msg_0"), "not_found"),
    ):
        with pytest.raises(HubError) as refused:
            await act
        assert refused.value.code == code
    assert changed(before, await stored(hub)) == []


async def test_a_message_once_receipted_is_not_skipped_though_a_restore_forgot_the_receipt(
    pair: Pair,
) -> None:
    await pair.offer()
    await pair.settle()
    (sent,) = await pair.log()
    # As a restore leaves it: queued again, while the peer's receipt is remembered as the firmest.
    await pair.a.hub.db.write(lambda tx: streams.change(tx, pair.b.link_id, receipted_seq=0))
    await pair.a.hub.db.write(
        lambda tx: outbox.change(tx, pair.b.link_id, sent.seq, state=DeliveryState.QUEUED)
    )
    with pytest.raises(Conflict) as refused:
        await deliveries.skip(pair.a.hub, pair.a.dispatcher, sent.id, "мешает")
    assert refused.value.code == "not_skippable"


async def test_a_skipped_message_leaves_a_tombstone_and_the_rest_arrives(pair: Pair) -> None:
    pair.b.script = lambda call: (
        pair.b.refusal(call, "env_invalid") if call.target.endswith("/messages") else None
    )
    await pair.offer()
    await pair.offer()
    await pair.settle()
    first, second = await pair.log()
    pair.b.script = lambda _call: None
    await deliveries.skip(pair.a.hub, pair.a.dispatcher, first.id, "не читается у партнёра")
    await pair.settle()
    heard = pair.b.heard
    assert [one.envelope.type for one in heard] == ["link.epoch", "link.skip", "handoff.offer"]
    assert heard[0].data["reason"] == "skip"
    assert heard[1].data == {"id": first.id, "reason": "не читается у партнёра"}
    assert heard[2].envelope.id == second.id
    waiting = await pair.a.hub.db.read(lambda tx: inbox.waiting_count(tx))
    assert waiting == 0


async def test_a_link_that_was_synced_meanwhile_is_not_synced_again(pair: Pair) -> None:
    """Whoever saw it due a moment ago must not leave the peer an epoch that nobody begins."""
    await pair.restart()
    for _ in range(3):
        assert await synchronize(pair.a.hub, pair.a.transport, pair.b.link_id)
    await pair.offer()
    await pair.settle()
    assert len(pair.b.told("link.epoch")) == 1
    assert len(pair.b.told("handoff.offer")) == 1


async def test_two_syncs_of_one_link_that_cross_do_not_strand_it(pair: Pair) -> None:
    """The peer noted both epochs down: only a third one is above what it knows."""
    await pair.offer()
    await pair.settle()
    await pair.restart()
    hub, b = pair.a.hub, pair.b
    keys = await peers.keys(hub, b.link_id)
    assert keys is not None
    session = _Session(hub, pair.a.transport, keys)
    theirs = await session._ask(await syncing.standing(hub, b.link_id))
    ours, begin = await syncing.propose(hub, b.link_id, theirs, [])
    assert await synchronize(hub, pair.a.transport, b.link_id)  # the other one, from end to end
    late = NewEpoch(begin.epoch + 5, len(b.heard) + 1, Place(len(b.heard), b.heard_head))
    theirs = await session._ask(ours, late)
    await syncing.finish(hub, b.link_id, theirs, late, [])
    await pair.offer()
    await pair.settle()
    assert len(b.told("handoff.offer")) == 2
    assert (await pair.log())[-1].state == "received"
