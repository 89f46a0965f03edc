"""A node that nobody can call, at a host that lies: it waits, and goes on once the host is right.

It makes every call, so all a host can do is answer. Whatever the answer, nothing is lost or taken
that is not proven, the calls of one turn are bounded, and people can read why the link waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.actions import handoffs, invitations, tickets
from hub.actions.handoffs import OfferHandoff
from hub.federation import linking
from hub.federation.collect import collect
from hub.federation.door import Call, Reply
from hub.protocol import strict_json
from hub.protocol.message import dump_batch
from hub.protocol.signing import SealedMessage
from hub.protocol.sync import NewEpoch, Place, Turn, dump_turn
from hub.storage import deliveries, streams
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network


@dataclass
class Hosted:
    """Company A without an address, and B, where it collects what is for it."""

    network: Network
    a: Company
    b: FakePeer
    given: list[SealedMessage] = field(default_factory=list)  # what B has for A, in order
    stopped: list[str] = field(default_factory=list)  # why A took no more, as it told B

    def host(self, call: Call) -> Reply | None:
        """An honest answer."""
        path, _, query = call.target.partition("?")
        if call.method == "GET" and path.endswith("/log"):
            start = int(dict(one.split("=") for one in query.split("&"))["from"])
            wires = [one.wire for one in self.given if one.envelope.seq >= start]
            return self.b.reply(call, 200, strict_json.parse(dump_batch(wires), max_bytes=2**20))
        if call.method == "POST" and path.endswith("/log"):
            return self.b.reply(call, 200, {"from": 1})  # it takes nothing of what it asked for
        if call.method == "POST" and path.endswith("/receipts"):
            said = strict_json.parse(call.body, max_bytes=2**20)
            self.stopped += [said["stopped"]] if "stopped" in said else []
            return self.b.reply(call, 200, {})
        return None

    def lie(self, where: str, answer: Callable[[Call], Reply]) -> None:
        """From now on B answers this kind of call so: a method and the end of a path."""
        method, _, end = where.partition(" ")
        self.b.script = lambda call: (
            answer(call)
            if call.method == method and call.target.partition("?")[0].endswith(end)
            else self.host(call)
        )

    def ping(self, **how: Any) -> None:
        """B has something for A."""
        self.given.append(self.b.message("x.org.example.ping", {}, must=False, **how))

    async def refuse_the_next_sync(self) -> None:
        """A has to ask anew where both stand."""
        await self.network.stop(self.a)
        await self.network.start(self.a)

    async def held(self) -> int:
        """Up to where A has B's stream."""
        stream = await self.a.hub.db.read(lambda c: streams.get(c, self.b.link_id))
        assert stream is not None
        return stream.in_seq

    async def error(self) -> str:
        """Why the link waits, as people read it."""
        how = await self.a.hub.db.read(lambda c: deliveries.get(c, self.b.link_id))
        return how.last_error or ""

    async def calls_of_a_turn(self) -> list[str]:
        """What A called while everything became quiet."""
        before = len(self.b.calls)
        await self.network.run_until_idle()
        return [f"{one.method} {one.target.partition('?')[0]}" for one in self.b.calls[before:]]

    async def goes_on(self) -> None:
        """B is honest again: what it has arrives, and what A has for it."""
        self.b.script = self.host
        self.ping()
        await self.network.run_for(minutes=3)
        assert await self.held() == self.b.seq
        told = len(self.b.heard)
        made = await tickets.create(self.a.hub, self.a.dispatcher, tickets.NewTicket(title="Касса"))
        await handoffs.offer(self.a.hub, self.a.dispatcher, OfferHandoff(made.id, self.b.link_id))
        await self.network.run_for(minutes=1)
        assert [one.envelope.type for one in self.b.heard[told:]] == ["handoff.offer"]
        assert await self.error() == ""


@pytest.fixture
async def hosted(tmp_path: Path) -> AsyncIterator[Hosted]:
    network = Network(tmp_path)
    a = await network.company("Скрытый", outbound_only=True)
    b = FakePeer.of(network, "Хозяин")
    made = Hosted(network, a, b)
    b.script = made.host
    prepared = await linking.accept(a.hub, a.transport, a.dispatcher, b.invite())
    await invitations.confirm(a.hub, a.dispatcher, prepared.link.id)
    await network.run_until_idle()
    yield made
    await network.close()


async def test_what_an_honest_host_has_arrives(hosted: Hosted) -> None:
    hosted.ping()
    await hosted.network.run_for(minutes=1)
    assert await hosted.held() == 1
    await hosted.goes_on()


def _turn(b: FakePeer, how: str) -> Turn:
    """What B says that it waits for, in its half of the sync."""
    if how == "nothing named":
        return Turn()
    if how == "the same again":
        return Turn(lost_from=1)
    base = Place(b.seq, b.head) if how == "never satisfied" else Place(7, "A" * 43)
    return Turn(begin=NewEpoch(50, base.seq + 1, base))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("nothing named", "malformed"),
        ("the same again", "malformed"),
        ("never satisfied", "epoch_stale"),
        ("elsewhere", "epoch_stale"),
    ],
)
async def test_a_host_that_wants_what_makes_no_sense_is_asked_later(
    hosted: Hosted, how: str, why: str
) -> None:
    hosted.ping()
    await hosted.network.run_for(minutes=1)
    b = hosted.b

    def wants(call: Call) -> Reply:
        return b.reply(call, 200, {**b.take_sync(call), **dump_turn(_turn(b, how))})

    hosted.lie("POST /sync", wants)
    await hosted.refuse_the_next_sync()
    called = await hosted.calls_of_a_turn()
    assert 0 < len(called) <= 12
    assert (await hosted.error()).partition(":")[0] == why
    if how == "never satisfied":
        b.epochs[50] = b.seq + 1  # that much A did: it noted the epoch down
    await hosted.goes_on()


async def test_a_host_that_gives_the_same_void_message_for_ever_is_asked_no_oftener_than_others(
    hosted: Hosted,
) -> None:
    hosted.b.epochs = {1: 1, 50: 1}
    begin = NewEpoch(50, 1, Place(0, hosted.b.head))
    hosted.lie(
        "POST /sync",
        lambda call: hosted.b.reply(
            call, 200, {**hosted.b.take_sync(call), **dump_turn(Turn(begin=begin))}
        ),
    )
    await hosted.refuse_the_next_sync()
    await hosted.network.run_until_idle()
    hosted.b.script = hosted.host
    hosted.given.append(hosted.b.message("x.org.example.ping", {}, must=False, keep=False, epoch=1))
    before = len(hosted.b.calls)
    found = await collect(hosted.a.hub, hosted.a.transport, hosted.b.link_id, wait_s=25)
    assert len(hosted.b.calls) == before + 2  # the question, and the receipt
    assert not found.news  # else it would be asked again in the same moment
    assert await hosted.held() == 0
    hosted.given.clear()
    await hosted.goes_on()
