"""C11: a peer that nobody can call collects, hands in, pushes, and drives the node's sync."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator

from tests.conformance.implementation import Ability
from tests.conformance.peer import Json, Peer, Said, wire
from tests.conformance.runner import World, case

CONTENT = bytes(range(251)) * 900


@contextlib.asynccontextmanager
async def _hidden(world: World) -> AsyncIterator[Peer]:
    """A linked peer without an address; whatever reaches its door fails the case."""
    async with Peer("За роутером", outbound_only=True) as peer:
        await peer.accept(await world.node.invite(peer.name))
        yield peer
        assert not peer.asked, f"the node called a peer without an address: {peer.asked}"


async def _collect(peer: Peer, wait: int = 25) -> Said:
    start = len(peer.heard) + 1
    said = await peer.call("GET", f"{peer.path}/log?dir=in&from={start}&limit=100&wait={wait}")
    if said.status == 200:
        peer.take_batch(said.body)
    return said


async def _hear(peer: Peer, type_: str) -> None:
    """Collect, and hand the receipt in, until something of this type was said."""
    for _ in range(40):
        if any(one.type == type_ for one in peer.heard):
            return
        said = await _collect(peer, wait=5)
        assert said.status == 200, said
        given = await peer.call("POST", f"{peer.path}/receipts", {"receipt": peer.own_receipt()})
        assert given.status == 200, given
    raise AssertionError(f"the node never said {type_}")


@case("C11", Ability.POLL, Ability.INVITE, Ability.HAND_OFF)
async def collected(world: World) -> None:
    """Messages wait for the receipt that is handed in, and a call waits for news"""
    async with _hidden(world) as peer:
        waiting = asyncio.create_task(_collect(peer))
        await world.node.hand_off(peer.link, "Не печатает чек")
        assert (await waiting).members["messages"]
        start = f"{peer.path}/log?dir=in&from=1"
        again = await peer.call("GET", start)
        assert len(again.members["messages"]) >= len(peer.heard)
        receipt = {"receipt": peer.own_receipt()}
        for _ in range(2):
            assert (await peer.call("POST", f"{peer.path}/receipts", receipt)).status == 200
        nothing = await _collect(peer, wait=0)
        assert nothing.members["messages"] == []
        world.count(5)


@case("C11", Ability.POLL, Ability.INVITE, Ability.HAND_OFF)
async def forged(world: World) -> None:
    """A receipt that is not the peer's, or for something else, is refused"""
    async with _hidden(world) as peer:
        await world.node.hand_off(peer.link, "Не печатает чек")
        await _collect(peer)
        right = wire.parse(wire.unb64(peer.own_receipt().split(".")[1]))
        for other, key in (
            ({}, peer.http),
            ({"head": wire.sha("another")}, peer.msg),
            ({"upto": right["upto"] + 1}, peer.msg),
            ({"link": wire.new_id("lnk")}, peer.msg),
        ):
            text = str(wire.sign("rcpt", {**right, **other}, key))
            said = await peer.call("POST", f"{peer.path}/receipts", {"receipt": text})
            assert said.status in {400, 401}, (other, said)
            world.count()


@case("C11", Ability.POLL, Ability.INVITE, Ability.CONTRACT, Ability.FILES)
async def pushed(world: World) -> None:
    """A file is taken in parts where it was asked for, and nowhere else"""
    async with _hidden(world) as peer:
        digest = wire.b64(hashlib.sha256(CONTENT).digest())
        named: Json = {
            "sha256": digest,
            "size": len(CONTENT),
            "media_type": "application/octet-stream",
            "name": "фото.bin",
            "attachment_id": wire.new_id("att"),
        }

        async def push(sha256: str, start: int, part: bytes) -> Said:
            url = f"{peer.hub['base']}{peer.path}/blobs/{sha256}?from={start}"
            headers = peer.sign("PUT", url, part, content_type="application/octet-stream")
            return await peer.send("PUT", url, headers, part)

        assert (await push(digest, 0, CONTENT)).status == 404  # nobody asked
        await peer.offer(files=[named])
        for _ in range(40):
            said = await _collect(peer, wait=5)
            if said.members.get("files"):
                break
        assert said.members["files"] == [{"sha256": digest, "size": len(CONTENT), "have": 0}]
        half = await push(digest, 0, CONTENT[:1000])
        assert (half.status, half.members) == (200, {"have": 1000})
        copy = await push(digest, 0, CONTENT[:1000])
        assert (copy.status, copy.members) == (200, {"have": 1000})
        assert (await push(digest, 1000, CONTENT[1000:] + b"x")).status == 413
        whole = await push(digest, 1000, CONTENT[1000:])
        assert (whole.status, whole.members) == (201, {"have": len(CONTENT)})
        world.count(6)


@case("C11", Ability.POLL, Ability.INVITE, Ability.HAND_OFF, Ability.RESTART)
async def restarted(world: World) -> None:
    """A restarted node gives and takes nothing before the peer made both halves of the sync"""
    async with _hidden(world) as peer:
        await world.node.hand_off(peer.link, "До перезапуска")
        await _hear(peer, "handoff.offer")
        await world.node.restart()
        for said in (await _collect(peer), await peer.post(peer.seal("x.a.b", {}, keep=False))):
            assert (said.status, said.code) == (503, "sync_required")
        asked = await peer.call("POST", f"{peer.path}/sync", peer.standing())
        begin = asked.members["turn"]["begin"]
        assert begin["base"]["seq"] == len(peer.heard)
        peer.standing({"begin": begin})  # noted
        wrong = {**begin, "epoch": begin["epoch"] + 10_000_000}
        said = await peer.call("POST", f"{peer.path}/sync", {**peer.standing(), "noted": wrong})
        assert (said.status, said.code) == (409, "epoch_stale")
        done = await peer.call("POST", f"{peer.path}/sync", {**peer.standing(), "noted": begin})
        assert done.status == 200
        assert "turn" not in done.members
        await _hear(peer, "link.epoch")
        assert (await peer.post(peer.seal("x.a.b", {}, must=False))).status == 200
        world.count(6)
