"""A partner that nobody can call, at the door: what it collects, hands in and pushes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from hub import app
from hub.actions import files, handoffs, invitations, keys, links, runs, syncing, tickets
from hub.actions import outbox as due
from hub.actions.handoffs import OfferHandoff
from hub.domain.delivery import DeliveryState
from hub.errors import Misconfigured, Refused, Untrusted
from hub.federation import linking
from hub.federation.door import BYTES, Call, Door
from hub.ids import HandoffId, LinkId
from hub.protocol import strict_json
from hub.protocol import sync as sync_shapes
from hub.protocol.encoding import b64url
from hub.protocol.keys import KeyUse
from hub.protocol.sync import NewEpoch, Place, Turn
from hub.storage import attachments, audit, deliveries, inbox, outbox, streams
from hub.storage.attachments import FileState
from hub.workers.cranks import Collections, Deliveries
from tests.kit.clock import PatientClock
from tests.kit.fake_peer import Answered, FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored

PHOTO = bytes(range(256)) * 40


def _digest(content: bytes) -> str:
    return b64url(sha256(content).digest())


@dataclass
class Scene:
    """Company A with an address, its partner D without one, and C that has one."""

    network: Network
    a: Company
    d: FakePeer
    c: FakePeer

    @property
    def door(self) -> Door:
        return self.network.wire.doors[self.a.settings.url]

    async def offer(self, to: FakePeer | None = None) -> HandoffId:
        """A hands a ticket to D."""
        made = await tickets.create(self.a.hub, self.a.dispatcher, tickets.NewTicket(title="Касса"))
        wish = OfferHandoff(made.id, (to or self.d).link_id)
        return await handoffs.offer(self.a.hub, self.a.dispatcher, wish)

    async def stream(self) -> Any:
        return await self.a.hub.db.read(lambda c: streams.get(c, self.d.link_id))

    async def rows(self) -> list[outbox.OutboxRow]:
        return await self.a.hub.db.read(lambda c: outbox.after(c, self.d.link_id, 0, 1000))

    async def alerts(self) -> list[str]:
        return sorted(one.kind for one in await self.a.hub.db.read(audit.open_alerts))

    async def sync(self, begin: NewEpoch | None = None, **other: Any) -> Answered:
        """D asks A."""
        return await self.d.call("POST", f"{self.d.path}/sync", self.d.sync_body(begin, **other))

    async def noted(self, begin: NewEpoch, **other: Any) -> Answered:
        """D says that it noted this epoch of A's down."""
        table = {**self.d.heard_epochs, begin.epoch: begin.start_seq}
        members = sync_shapes.dump_sync(self.d.standing(held_epochs=table, **other))
        members |= sync_shapes.dump_noted(begin)
        body = strict_json.dump(members).encode()
        return await self.d.call("POST", f"{self.d.path}/sync", body)

    async def announced(self, content: bytes, *, size: int | None = None) -> str:
        """D offers a ticket with a file; the file's digest."""
        described = {
            "attachment_id": self.d.new_id("att"),
            "name": "photo.jpg",
            "media_type": "image/jpeg",
            "size": len(content) if size is None else size,
            "sha256": _digest(content),
        }
        await self.d.offer(files=[described])
        await self.a.turn()
        return _digest(content)

    async def push(self, digest: str, part: bytes, start: int = 0) -> Answered:
        target = f"{self.d.path}/blobs/{digest}?from={start}"
        return await self.d.call("PUT", target, part, content_type=BYTES)

    async def receive(self) -> None:
        """D collects all there is and hands its receipt in."""
        await self.d.collect()
        assert (await self.d.hand_in()).status == 200

    async def file_states(self) -> list[str]:
        def body(connection: Any) -> list[str]:
            return [str(one.state) for one in attachments.open_fetches(connection)]

        return await self.a.hub.db.read(body)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    network = Network(tmp_path)
    network.clock = PatientClock()
    a = await network.company("Вендор", polls_at_once=2)
    d = FakePeer.of(network, "Мастер-Юг", outbound_only=True)
    c = FakePeer.of(network, "Север")
    await d.link_with(a)
    await c.link_with(a)
    await d.collect()  # the first time: written down
    yield Scene(network, a, d, c)
    await network.close()


# --- collecting -----------------------------------------------------------------------------


async def test_what_is_for_the_partner_waits_until_its_receipt_is_handed_in(scene: Scene) -> None:
    await scene.offer()
    first = await scene.d.collect()
    again = await scene.d.collect(start=1)
    assert first.members["messages"] == again.members["messages"]
    assert [one.envelope.type for one in scene.d.heard] == ["handoff.offer"]
    assert [row.state for row in await scene.rows()] == [DeliveryState.QUEUED]
    assert (await scene.d.hand_in()).status == 200
    assert [row.state for row in await scene.rows()] == [DeliveryState.RECEIVED]
    assert (await scene.d.collect()).members == {"messages": []}


async def test_a_second_copy_of_a_receipt_and_one_that_comes_late_change_nothing(
    scene: Scene,
) -> None:
    await scene.offer()
    await scene.d.collect()
    early = scene.d.own_receipt()
    await scene.offer()
    await scene.d.collect()
    await scene.d.hand_in()
    before = await stored(scene.a.hub)
    for receipt in (scene.d.own_receipt(), early, early):
        assert (await scene.d.hand_in(receipt)).status == 200
    assert changed(before, await stored(scene.a.hub)) == []


async def test_a_forged_receipt_changes_nothing(scene: Scene) -> None:
    await scene.offer()
    await scene.d.collect()
    forged = [
        scene.d.own_receipt(head="A" * 43),
        scene.d.own_receipt(upto=2),
        scene.d.own_receipt(link=scene.c.link_id),
        scene.d.own_receipt(of=scene.d.node_id),
        scene.c.own_receipt(link=scene.d.link_id, upto=1, head=scene.d.heard_head),
        "a.b.c",
    ]
    before = await stored(scene.a.hub)
    for receipt in forged:
        assert (await scene.d.hand_in(receipt)).status in {400, 401}, receipt
    assert changed(before, await stored(scene.a.hub)) == []


async def test_another_partner_collects_and_hands_in_nothing_of_it(scene: Scene) -> None:
    await scene.offer()
    await scene.d.collect()
    body = strict_json.dump({"receipt": scene.d.own_receipt()}).encode()
    before = await stored(scene.a.hub)
    for method, path, sent in (
        ("GET", "/log?dir=in&from=1", b""),
        ("GET", "/log?dir=in&from=1&wait=25", b""),
        ("POST", "/receipts", body),
        ("GET", "/keys", b""),
    ):
        said = await scene.c.call(method, scene.d.path + path, sent)
        assert (said.status, said.code) == (401, "key_unknown")
    assert changed(before, await stored(scene.a.hub)) == []


async def test_nobody_ever_calls_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    request = scene.a.transport.request

    async def watched(method: str, url: str, *more: Any, **how: Any) -> Any:
        called.append(url)
        return await request(method, url, *more, **how)

    monkeypatch.setattr(scene.a.transport, "request", watched)
    monkeypatch.setattr(scene.a.transport, "stream", watched)
    await scene.offer()
    await scene.announced(PHOTO)
    assert scene.d.link_id not in [one.link_id for one in await due.links_with_work(scene.a.hub)]
    assert scene.d.link_id not in await files.due_fetches(scene.a.hub)
    actor = scene.a.dispatcher
    await keys.rotate(scene.a.hub, actor, keys.uses_of("all"))
    await keys.revoke(scene.a.hub, actor, scene.a.hub.keys.message.kid, "stolen")
    assert scene.d.link_id not in await keys.links_to_call(scene.a.hub)
    await runs.begin(scene.a.hub)  # from here on it is not synced
    assert scene.d.link_id not in [link_id for link_id, _ in await syncing.due(scene.a.hub)]
    for _ in range(8):
        scene.network.clock.advance(hours=12)
        await scene.a.turn()
    assert called  # the other one is called
    assert all(url.startswith(scene.c.base_url + "/") for url in called), called


async def test_while_the_link_is_suspended_only_control_messages_are_given(scene: Scene) -> None:
    await scene.offer()
    await links.suspend(scene.a.hub, scene.a.dispatcher, scene.d.link_id, "pause")
    assert (await scene.d.collect()).members == {"messages": []}  # none overtakes another
    await links.resume(scene.a.hub, scene.a.dispatcher, scene.d.link_id)
    await scene.receive()
    await links.suspend(scene.a.hub, scene.a.dispatcher, scene.d.link_id, "pause")
    await scene.receive()
    assert [one.envelope.type for one in scene.d.heard] == [
        "handoff.offer",
        "link.suspend",
        "link.resume",
        "link.suspend",
    ]


async def test_it_is_given_no_more_than_the_agreed_number_of_messages(scene: Scene) -> None:
    few = FakePeer.of(scene.network, "Тихий", outbound_only=True)
    from hub.domain.agreement import AsPrincipal, Offer

    offer = Offer(as_principal=AsPrincipal(messages_per_minute=3))
    await few.link_with(scene.a, node_offer=offer)
    for _ in range(5):
        await scene.offer(few)
    await few.collect()
    await few.hand_in()
    assert len(few.heard) == 3
    assert (await few.collect()).members == {"messages": []}
    scene.network.clock.advance(minutes=1)
    await few.collect()
    assert len(few.heard) == 5


async def test_a_partner_that_takes_no_more_says_why_and_people_hear_of_it(scene: Scene) -> None:
    await scene.offer()
    receipt = scene.d.own_receipt()
    assert (await scene.d.hand_in(receipt, stopped="quota_exceeded")).status == 200
    assert (await scene.d.hand_in(receipt, stopped="made_up")).status == 400
    how = await scene.a.hub.db.read(lambda c: deliveries.get(c, scene.d.link_id))
    assert how.last_error == "quota_exceeded: told by the partner"
    for _ in range(5):
        scene.network.clock.advance(hours=1)
        await scene.d.collect()
        await scene.a.turn()
    assert await scene.alerts() == ["delivery_overdue"]
    await scene.d.hand_in()
    assert await scene.alerts() == []


async def test_its_silence_is_told_to_people_by_degrees_and_ends_when_it_comes(
    scene: Scene,
) -> None:
    scene.network.clock.advance(hours=3)
    await scene.a.turn()
    assert await scene.alerts() == []
    scene.network.clock.advance(hours=2)
    await scene.a.turn()
    assert await scene.alerts() == ["delivery_overdue"]
    scene.network.clock.advance(hours=70)
    await scene.a.turn()
    assert await scene.alerts() == ["delivery_overdue", "delivery_unreachable"]
    await scene.d.collect()
    await scene.a.turn()
    assert await scene.alerts() == []


async def test_while_we_were_away_ourselves_it_was_not_silent(scene: Scene) -> None:
    scene.network.clock.advance(hours=100)
    await scene.network.stop(scene.a)
    await scene.network.start(scene.a)
    await scene.a.turn()
    assert "delivery_overdue" not in await scene.alerts()


# --- calls that wait ------------------------------------------------------------------------


async def _waits(scene: Scene, count: int = 1) -> None:
    for _ in range(200):  # whatever can go on has gone on then
        await asyncio.sleep(0)
    assert len(scene.door.polls) == count


def _ask(scene: Scene, peer: FakePeer | None = None, wait: int = 25) -> asyncio.Task[Answered]:
    """A call that waits; here never for ever."""
    asked = (peer or scene.d).collect(query=f"&wait={wait}")
    return asyncio.create_task(asyncio.wait_for(asked, 10))


async def test_a_waiting_call_is_answered_as_soon_as_there_is_something(scene: Scene) -> None:
    began = scene.network.clock.now()
    call = _ask(scene)
    await _waits(scene)
    await scene.offer(scene.c)  # of another link: nothing for this one
    await _waits(scene)
    await scene.offer()
    assert len((await call).members["messages"]) == 1
    assert scene.network.clock.now() == began
    assert len(scene.door.polls) == 0


async def test_a_waiting_call_is_answered_after_its_time_though_there_is_nothing(
    scene: Scene,
) -> None:
    call = _ask(scene)
    for _ in range(5):
        await _waits(scene)
        scene.network.clock.advance(seconds=4.9)
        await _waits(scene)
    scene.network.clock.advance(seconds=0.6)
    assert (await call).members == {"messages": []}


async def test_nobody_waits_longer_than_25_seconds(scene: Scene) -> None:
    call = _ask(scene, wait=86400)
    for _ in range(5):
        await _waits(scene)
        scene.network.clock.advance(seconds=5)
    assert (await call).members == {"messages": []}


async def test_what_another_process_queued_is_seen_after_a_short_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = _ask(scene)
    await _waits(scene)
    monkeypatch.setattr(scene.a.hub.wakes, "wake", lambda _topics: None)
    monkeypatch.setattr(scene.a.hub.db, "_wake", lambda _topics: None)
    await scene.offer()
    scene.network.clock.advance(seconds=5)
    assert len((await call).members["messages"]) == 1


async def test_a_newer_call_ends_the_wait_of_the_one_before(scene: Scene) -> None:
    first = _ask(scene)
    await _waits(scene)
    second = _ask(scene)
    assert (await first).members == {"messages": []}
    await _waits(scene)
    await scene.offer()
    assert len((await second).members["messages"]) == 1


async def test_only_so_many_calls_wait_in_all_and_the_rest_comes_again(scene: Scene) -> None:
    more = [FakePeer.of(scene.network, f"P{n}", outbound_only=True) for n in range(2)]
    for one in more:
        await one.link_with(scene.a)
    waiting = [_ask(scene), _ask(scene, more[0])]
    await _waits(scene, 2)
    refused = await more[1].collect(query="&wait=25")
    assert (refused.status, refused.code) == (503, "overloaded")
    assert (await more[1].collect()).status == 200  # without waiting it is answered
    scene.door.polls.close()  # as on a stop: nobody waits any longer
    assert [(await one).status for one in waiting] == [200, 200]
    assert (await _ask(scene)).status == 200


async def test_a_waiting_call_holds_no_connection_and_no_place_of_a_worker(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = _ask(scene)
    await _waits(scene)
    looked: list[int] = []
    glance = scene.a.hub.db.glance

    async def counted(body: Any) -> Any:
        looked.append(1)
        return await glance(body)

    monkeypatch.setattr(type(scene.a.hub.db), "glance", lambda _self, body: counted(body))
    for _ in range(100):
        await asyncio.sleep(0)
    assert looked == []  # it waits for an event and a timer, not for the database
    monkeypatch.undo()
    await scene.offer()
    assert len((await call).members["messages"]) == 1


# --- files ----------------------------------------------------------------------------------


async def test_a_file_it_announced_is_asked_for_and_pushed_in_parts(scene: Scene) -> None:
    digest = await scene.announced(PHOTO)
    asked = (await scene.d.collect()).members["files"]
    assert asked == [{"sha256": digest, "size": len(PHOTO), "have": 0}]
    said = await scene.push(digest, PHOTO[:4000])
    assert (said.status, said.members) == (200, {"have": 4000})
    for start in (0, 2000, 9000):  # a copy, an overlap, a gap: told where it goes on
        said = await scene.push(digest, PHOTO[start : start + 100], start)
        assert (said.status, said.members) == (200, {"have": 4000})
    assert (await scene.d.collect()).members["files"][0]["have"] == 4000
    assert not scene.a.hub.blobs.has(digest)
    said = await scene.push(digest, PHOTO[4000:], 4000)
    assert (said.status, said.members) == (201, {"have": len(PHOTO)})
    with scene.a.hub.blobs.open(digest) as whole:
        assert whole.read() == PHOTO
    assert (await scene.push(digest, PHOTO[4000:], 4000)).status == 201  # its answer was lost
    assert "files" not in (await scene.d.collect()).members


async def test_what_was_not_asked_for_is_not_taken(scene: Scene) -> None:
    own = files.store(scene.a.hub, "s.txt", "text/plain", BytesIO(b"ours alone"))
    of_another = _digest(b"announced by somebody else")
    described = {
        "attachment_id": scene.c.new_id("att"),
        "name": "x.txt",
        "media_type": "text/plain",
        "size": 26,
        "sha256": of_another,
    }
    await scene.c.offer(files=[described])
    before = await stored(scene.a.hub)
    for digest in (own.sha256, of_another, _digest(PHOTO), "A" * 43):
        for said in (
            await scene.push(digest, PHOTO),
            await scene.d.call("DELETE", f"{scene.d.path}/blobs/{digest}"),
        ):
            assert (said.status, said.code) == (404, "not_found")
    said = await scene.c.call(
        "PUT", f"{scene.c.path}/blobs/{of_another}?from=0", b"x", content_type=BYTES
    )
    assert (said.status, said.code) == (404, "not_found")  # whoever can be called is pulled from
    assert changed(before, await stored(scene.a.hub)) == []
    assert not scene.a.hub.blobs.has(of_another)


async def test_another_content_and_a_longer_one_are_refused_and_never_shown(scene: Scene) -> None:
    digest = await scene.announced(PHOTO)
    said = await scene.push(digest, PHOTO + b"x")
    assert (said.status, said.code) == (413, "too_large")
    said = await scene.push(digest, PHOTO[::-1])
    assert (said.status, said.code) == (400, "digest_mismatch")
    assert not scene.a.hub.blobs.has(digest)
    for _ in range(4):
        scene.network.clock.advance(hours=1)
        assert (await scene.d.collect()).members["files"][0]["have"] == 0
        await scene.push(digest, PHOTO[::-1])
    assert "files" not in (await scene.d.collect()).members  # given up for good
    assert (await scene.push(digest, PHOTO)).status == 404


async def test_a_part_larger_than_a_part_is_413_before_it_is_looked_at(scene: Scene) -> None:
    size = 2 * 1024 * 1024
    digest = await scene.announced(b"", size=size)
    assert (await scene.push(digest, bytes(1024 * 1024 + 1))).status == 413
    assert (await scene.d.collect()).members["files"][0]["have"] == 0


async def test_over_a_suspended_link_no_file_comes(scene: Scene) -> None:
    digest = await scene.announced(PHOTO)
    await links.suspend(scene.a.hub, scene.a.dispatcher, scene.d.link_id, "pause")
    assert "files" not in (await scene.d.collect()).members
    said = await scene.push(digest, PHOTO)
    assert (said.status, said.code) == (403, "link_suspended")
    assert not scene.a.hub.blobs.has(digest)


async def test_a_file_it_does_not_have_any_more_is_gone(scene: Scene) -> None:
    digest = await scene.announced(PHOTO)
    assert (await scene.d.call("DELETE", f"{scene.d.path}/blobs/{digest}")).status == 200
    assert "files" not in (await scene.d.collect()).members
    states = await scene.a.hub.db.read(lambda c: attachments.with_digest(c, digest))
    assert [one.state for one in states] == [FileState.GONE]


# --- the sync of our side -------------------------------------------------------------------


async def _restarted(scene: Scene) -> Turn:
    """A starts anew and waits for D; what it tells D it waits for."""
    await scene.network.stop(scene.a)
    await scene.network.start(scene.a)
    said = await scene.sync()
    assert said.members["synced"] is False
    turn = sync_shapes.read_turn(said.members)
    assert turn is not None
    return turn


async def test_a_started_node_gives_and_takes_nothing_before_its_sync(scene: Scene) -> None:
    await scene.offer()
    turn = await _restarted(scene)
    await scene.a.turn()
    assert turn.begin is not None
    for said in (await scene.d.collect(), await scene.d.post(scene.d.message("x.a.b", {}))):
        assert (said.status, said.code) == (503, "sync_required")
    said = await scene.noted(turn.begin)
    assert said.status == 200
    assert "turn" not in said.members
    scene.d.heard_epochs[turn.begin.epoch] = turn.begin.start_seq
    await scene.d.collect()
    assert [one.envelope.type for one in scene.d.heard] == ["link.epoch", "handoff.offer"]


async def test_the_word_that_an_epoch_is_noted_may_come_twice(scene: Scene) -> None:
    turn = await _restarted(scene)
    assert turn.begin is not None
    await scene.noted(turn.begin)
    before = await stored(scene.a.hub)
    assert (await scene.noted(turn.begin)).status == 200
    assert changed(before, await stored(scene.a.hub)) == []


async def test_an_epoch_we_would_not_ask_for_is_not_begun(scene: Scene) -> None:
    await scene.offer()
    await scene.receive()
    turn = await _restarted(scene)
    assert turn.begin is not None
    begin = turn.begin
    before = await stored(scene.a.hub)
    for other in (
        NewEpoch(begin.epoch + 1_000_000, begin.start_seq, begin.base),
        NewEpoch(2, begin.start_seq + 5, begin.base),
        NewEpoch(begin.epoch, begin.start_seq, Place(0, scene.d.heard_head)),
        NewEpoch(begin.epoch, begin.start_seq + 1, begin.base),
    ):
        said = await scene.noted(other)
        assert (said.status, said.code) == (409, "epoch_stale"), other
    assert changed(before, await stored(scene.a.hub)) == []


async def test_a_partner_without_address_that_finds_a_clone_of_us_stops_us(scene: Scene) -> None:
    members = strict_json.parse(scene.d.sync_body(), max_bytes=sync_shapes.MAX_SYNC)
    said = await scene.d.call(
        "POST",
        f"{scene.d.path}/sync",
        strict_json.dump(members | {"refused": "clone_detected"}).encode(),
    )
    assert said.status == 200  # where both stand may always be asked
    assert "clone" in await scene.alerts()
    content = scene.d.message("handoff.offer", scene.d.offer_data(), handoff=scene.d.new_id("hnd"))
    assert (await scene.d.post(content)).code == "link_suspended"


async def test_what_is_not_asked_of_a_peer_is_not_there(scene: Scene) -> None:
    """Receipts are handed in by who collects, and keys are told by who is linked."""
    before = await stored(scene.a.hub)
    empty = b'{"receipts":[]}'
    said = await scene.c.call("POST", f"{scene.c.path}/receipts", empty)
    assert (said.status, said.code) == (404, "not_found")
    said = await scene.d.call("POST", f"{scene.d.path}/receipts", empty)
    assert (said.status, said.members) == (200, {})
    unknown = Call("POST", "/txp/v1/links/lnk_0/keys", {"signature-input": "sig1=()"})
    with pytest.raises(Untrusted) as refused:
        await scene.network.wire.doors[scene.a.settings.url].knock(unknown)
    assert refused.value.code == "key_unknown"
    assert changed(before, await stored(scene.a.hub)) == []


async def test_a_peer_that_can_be_called_gets_no_turn_and_hands_nothing_back(scene: Scene) -> None:
    await _restarted(scene)
    said = await scene.c.call("POST", f"{scene.c.path}/sync", scene.c.sync_body())
    assert "turn" not in said.members
    said = await scene.c.call("POST", f"{scene.c.path}/log", b'{"messages":[]}')
    assert (said.status, said.code) == (404, "not_found")


async def test_only_what_we_signed_is_taken_back(scene: Scene) -> None:
    """D holds more of our stream than we know of; what it hands back is not ours."""
    await scene.offer()
    await scene.receive()
    await _restarted(scene)
    held = Place(2, _digest(b"another history"))
    said = await scene.sync(held=held)
    turn = sync_shapes.read_turn(said.members)
    assert turn == Turn(lost_from=2)
    for wire in (
        scene.d.message("x.a.b", {}, keep=False).wire,
        scene.c.message("x.a.b", {}, keep=False).wire,
    ):
        body = strict_json.dump({"messages": [{"env": wire.env, "data": wire.data}]}).encode()
        said = await scene.d.call("POST", f"{scene.d.path}/log", body)
        assert said.status in {400, 401}, said


# --- keys -----------------------------------------------------------------------------------


async def test_keys_that_were_revoked_are_told_when_it_asks(scene: Scene) -> None:
    hub = scene.a.hub
    await keys.revoke(hub, scene.a.dispatcher, hub.keys.message.kid, "stolen")
    assert (await scene.d.collect()).members == {"messages": [], "keys": True}
    told = (await scene.d.call("GET", f"{scene.d.path}/keys")).members
    assert told["version"] == hub.key_set.version
    assert told["key_set"] == hub.key_set_jws
    taken = {"version": told["version"], "upto": told["upto"], "contested": 0}
    old = {**taken, "version": 1}
    assert (await scene.d.hand_in(keys=old)).status == 200  # about older ones: told again
    assert (await scene.d.collect()).members["keys"] is True
    assert (await scene.d.hand_in(keys=taken)).status == 200
    assert "keys" not in (await scene.d.collect()).members
    again = (await scene.d.call("GET", f"{scene.d.path}/keys")).members  # it may have forgotten
    assert again["version"] == told["version"]


async def test_keys_it_has_forgotten_are_told_once_it_says_that_it_does_not_know_them(
    scene: Scene,
) -> None:
    """It was restored to before it took them; nobody can call it to tell."""
    hub = scene.a.hub
    await keys.rotate(hub, scene.a.dispatcher, frozenset({KeyUse.MSG}))
    await scene.offer()
    said = await scene.d.call("GET", f"{scene.d.path}/log?dir=in&from=1")
    assert (len(said.members["messages"]), "keys" in said.members) == (2, False)
    assert (await scene.d.hand_in(stopped="key_unknown")).status == 200
    assert (await scene.d.collect()).members == {"messages": [], "keys": True}


# --- the side that calls --------------------------------------------------------------------


async def test_what_it_sends_being_refused_does_not_keep_it_from_asking(tmp_path: Path) -> None:
    """A partner that was started anew refuses what comes until somebody asks where it stands."""
    network = Network(tmp_path)
    vendor = await network.company("Вендор", retry_cap_s=10.0)
    hidden = await network.company("Скрытый", outbound_only=True, retry_cap_s=10.0)
    link_id = await network.link(vendor, hidden)
    await network.run_until_idle()
    await network.stop(vendor)
    await network.start(vendor)
    made = await tickets.create(hidden.hub, hidden.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(hidden.hub, hidden.dispatcher, OfferHandoff(made.id, LinkId(link_id)))
    sending = next(crank for crank in hidden.cranks if isinstance(crank, Deliveries))
    asking = next(crank for crank in hidden.cranks if isinstance(crank, Collections))
    for _ in range(3):  # sending is always the first whose time has come
        await sending.turn()
        await asking.turn()
        await sending.turn()
        network.clock.advance(seconds=11)
    held = await vendor.hub.db.read(lambda connection: inbox.last_seq(connection, link_id))
    assert held == 1  # the offer
    await network.close()


# --- linking --------------------------------------------------------------------------------


async def test_what_waits_on_a_stopped_link_does_not_make_it_ask_without_end(
    tmp_path: Path,
) -> None:
    """Its messages could not be delivered; then the link was suspended, and the peer is there."""
    network = Network(tmp_path, as_a_mill=True)
    a, b = await network.company("A"), await network.company("B", outbound_only=True)
    link_id = await network.link(a, b)
    await network.run_until_idle()
    network.wire.down.add(a.settings.url)
    made = await tickets.create(b.hub, b.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(b.hub, b.dispatcher, OfferHandoff(made.id, link_id))
    await network.run_for(minutes=2)
    await links.suspend(b.hub, b.dispatcher, link_id, "спор")
    network.wire.down.clear()
    asked = len(network.wire.calls)
    await network.run_for(minutes=10)  # raises where it does not come to rest
    assert len(network.wire.calls) > asked
    await network.close()


async def test_a_node_that_nobody_can_call_cannot_invite(tmp_path: Path) -> None:
    network = Network(tmp_path)
    hidden = await network.company("Скрытый", outbound_only=True)
    with pytest.raises(Refused) as refusal:
        await invitations.invite(hidden.hub, hidden.dispatcher, "Вендор")
    assert refusal.value.code == "outbound_only"
    assert "hub link accept" in refusal.value.hint
    await network.close()


async def test_it_accepts_no_invitation_of_a_node_that_cannot_serve_it(tmp_path: Path) -> None:
    network = Network(tmp_path)
    hidden = await network.company("Скрытый", outbound_only=True)
    old = FakePeer.of(network, "Старый")
    document = old.document(capabilities=("files",))
    from hub.federation.door import JSON, Reply

    old.script = lambda _call: Reply(200, {"content-type": JSON}, document)
    with pytest.raises(Refused) as refusal:
        await linking.accept(hidden.hub, hidden.transport, hidden.dispatcher, old.invite())
    assert refusal.value.code == "poll_unsupported"
    await network.close()


async def test_an_offer_without_an_address_needs_the_capability(scene: Scene) -> None:
    other = FakePeer.of(scene.network, "Другой", outbound_only=True)
    invited = await invitations.invite(scene.a.hub, scene.a.dispatcher, "Другой")
    text = json.loads(other.offer_text())
    said = await other.ask(
        scene.a, invited.code, offer_text=strict_json.dump({**text, "capabilities": ["files"]})
    )
    assert (said.status, said.code) == (400, "malformed")


async def test_how_a_node_was_founded_stays(tmp_path: Path) -> None:
    network = Network(tmp_path)
    for name, was in (("Скрытый", True), ("Открытый", False)):
        made = await network.company(name, outbound_only=was)
        await network.stop(made)
        other = made.settings.model_copy(update={"outbound_only": not was})
        with pytest.raises(Misconfigured) as refusal:
            await app.open_hub(other, {}, clock=network.clock, inline=True)
        assert refusal.value.code.startswith("founded_with")
