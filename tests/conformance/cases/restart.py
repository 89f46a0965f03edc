"""C4: after a start nothing passes before the sync, nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.conformance.implementation import Ability
from tests.conformance.peer import Peer, comment_data, wire
from tests.conformance.runner import World, case


async def _deaf(peer: Peer, request: web.Request, body: bytes) -> web.Response | None:
    if request.path.endswith("/sync"):
        return web.Response(status=503)
    return None


async def _plain(_peer: Peer, _request: web.Request, _body: bytes) -> None:
    return None


async def _asked_to_sync(peer: Peer, after: int) -> None:
    await peer.until(
        lambda: any(path.endswith("/sync") for _, path, _ in peer.asked[after:]), "a sync"
    )


@case("C4", Ability.RESTART, Ability.HAND_OFF)
async def restarted(world: World) -> None:
    """A restarted node takes and says nothing before its sync, and then goes on in a new epoch"""
    async with world.peer() as peer:
        handoff = await world.node.hand_off(peer.link, "До перезапуска")
        await peer.hear("handoff.offer", handoff)
        await peer.ping()
        peer.script, asked, heard = _deaf, len(peer.asked), len(peer.heard)
        await world.node.restart()
        await _asked_to_sync(peer, asked)
        waiting = peer.seal("x.org.example.ping", {}, must=False)
        said = await peer.post(waiting)
        assert (said.status, said.code) == (503, "sync_required")
        await world.node.comment(handoff, "После перезапуска", public=True)
        assert len(peer.heard) == heard
        peer.script = _plain
        await peer.hear("comment.add", handoff)
        kinds = [one.type for one in peer.heard[heard:]]
        assert kinds[0] == "link.epoch"
        first = peer.heard[heard]
        assert first.data["epoch"] == first.envelope["ep"] == max(peer.epochs)
        assert first.data["start_seq"] == first.envelope["seq"]
        for _ in range(100):
            said = await peer.post(waiting)
            if said.status == 200:
                break
            await asyncio.sleep(0.05)
        assert peer.receipt(said)["upto"] == len(peer.sent)
        world.count(6)


@case("C4", Ability.RESTART, Ability.HAND_OFF)
async def unsent(world: World) -> None:
    """What was written and not receipted before the restart arrives once, with the same ids"""
    async with world.peer() as peer:
        handoff = await world.node.hand_off(peer.link, "Хвост")
        await peer.hear("handoff.offer", handoff)
        seen: dict[str, str] = {}

        async def lost(_peer: Peer, request: web.Request, body: bytes) -> web.Response | None:
            if not request.path.endswith("/messages"):
                return None
            for one in wire.parse(body)["messages"]:
                envelope = wire.parse(wire.unb64(one["env"].split(".")[1]))
                seen[envelope["id"]] = one["data"]
            return web.Response(status=502)

        peer.script = lost
        for n in range(5):
            await world.node.comment(handoff, f"Хвост {n}", public=True)
        await peer.until(lambda: len(seen) == 5, "five messages on their way")
        peer.script = _plain
        await world.node.restart()
        await peer.until(
            lambda: len([one for one in peer.heard if one.type == "comment.add"]) == 5, "the tail"
        )
        came = [one for one in peer.heard if one.type == "comment.add"]
        assert [one.data["body"] for one in came] == [f"Хвост {n}" for n in range(5)]
        assert {one.envelope["id"]: one.text for one in came} == seen
        world.count(5)


@case("C4", Ability.RESTORE, Ability.HAND_OFF, Ability.CONTRACT, Ability.READ)
async def restored(world: World) -> None:
    """A node put back to an older copy takes back its own messages and ours, and repeats nothing"""
    async with world.peer() as peer:
        handoff = await world.node.hand_off(peer.link, "До копии")
        await peer.hear("handoff.offer", handoff)
        mine = await peer.offer("Наша до копии")
        await world.reached(mine, "offered")
        await world.node.snapshot()
        # After a start the node syncs first.
        later = await _until_said(world, peer, handoff, "После копии")
        await world.node.act(mine, "accept")
        await peer.hear("handoff.accept", mine)
        await peer.say("comment.add", comment_data(peer.name, "Слово партнёра"), mine)
        await _has(world, mine, "Слово партнёра")
        heard, ids = len(peer.heard), {one.envelope["id"] for one in peer.heard}
        await world.node.restore()
        await _has(world, handoff, "После копии")
        await _again(peer)
        await _has(world, mine, "Слово партнёра")
        await world.reached(mine, "accepted")
        assert (await world.node.ticket(mine))["comments"].count("Слово партнёра") == 1
        assert (await world.node.ticket(handoff))["comments"].count("После копии") == 1
        await world.node.comment(handoff, "И дальше", public=True)
        await peer.until(lambda: "И дальше" in peer.heard[-1].text, "the next words")
        new = [one for one in peer.heard[heard:] if one.type != "link.epoch"]
        assert not {one.envelope["id"] for one in new} & ids
        assert [one.data["body"] for one in new if one.type == "comment.add"] == ["И дальше"]
        assert later
        world.count(8)


async def _until_said(world: World, peer: Peer, handoff: str, body: str) -> bool:
    await world.node.comment(handoff, body, public=True)
    await peer.until(lambda: any(body in one.text for one in peer.heard), body)
    return True


async def _again(peer: Peer) -> None:
    """Send our whole stream again, as a peer does whose receiver says that it has less."""
    for _ in range(100):
        said = await peer.post(*[one for one, _ in peer.sent])
        if said.status == 200 and peer.receipt(said)["upto"] == len(peer.sent):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(said)


async def _has(world: World, handoff: str, body: str) -> None:
    for _ in range(400):
        if (
            await world.node.state(handoff)
            and body in (await world.node.ticket(handoff))["comments"]
        ):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"'{body}' did not come back")
