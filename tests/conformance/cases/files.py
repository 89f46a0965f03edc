"""C6: files are given in parts, continued after a break, and believed only by their digest."""

from __future__ import annotations

import asyncio
import hashlib

from aiohttp import web

from tests.conformance.implementation import Ability
from tests.conformance.peer import Json, Peer, comment_data, wire
from tests.conformance.runner import World, case

CONTENT = bytes(range(251)) * 1300  # no two parts alike


def _named(content: bytes, name: str = "акт.bin") -> Json:
    return {
        "sha256": wire.b64(hashlib.sha256(content).digest()),
        "size": len(content),
        "media_type": "application/octet-stream",
        "name": name,
        "attachment_id": wire.new_id("att"),
    }


@case("C6", Ability.FILES, Ability.HAND_OFF)
async def given(world: World) -> None:
    """A file of the node: whole, in part, and continued only if it is the same"""
    async with world.peer() as peer:
        handoff = await world.node.hand_off(peer.link, "С файлом")
        await peer.hear("handoff.offer", handoff)
        await world.node.attach(handoff, "акт.bin", CONTENT)
        heard = await peer.until(
            lambda: next((one for one in peer.heard if one.data.get("files")), None), "the file"
        )
        (named,) = heard.data["files"]
        assert named["sha256"] == wire.b64(hashlib.sha256(CONTENT).digest())
        path = f"{peer.path}/blobs/{named['sha256']}"
        etag = f'"{named["sha256"]}"'
        for asked, condition, status, part in (
            ("", "", 200, CONTENT),
            ("bytes=0-", "", 200, CONTENT),
            ("bytes=100-", "", 206, CONTENT[100:]),
            ("bytes=100-199", "", 206, CONTENT[100:200]),
            ("bytes=100-", etag, 206, CONTENT[100:]),
            ("bytes=100-", '"another"', 200, CONTENT),
        ):
            url = peer.hub["base"] + path
            headers = peer.sign("GET", url)
            if asked:
                headers["Range"] = asked
            if condition:
                headers["If-Range"] = condition
            said = await peer.send("GET", url, headers, b"")
            assert (said.status, said.body) == (status, part), (asked, condition)
            world.count()
        standard = named["sha256"].replace("-", "+").replace("_", "/") + "="
        assert said.headers["Repr-Digest"] == f"sha-256=:{standard}:"
        assert said.headers["ETag"] == etag


@case("C6", Ability.FILES, Ability.HAND_OFF)
async def no_oracle(world: World) -> None:
    """A file never named on this link looks like one that does not exist"""
    async with world.peer() as peer, world.peer("Другой") as other:
        handoff = await world.node.hand_off(other.link, "Не для вас")
        await world.node.attach(handoff, "тайна.bin", b"secret of another link")
        await other.until(lambda: any(one.data.get("files") for one in other.heard), "the file")
        digests = [wire.sha(b"secret of another link"), wire.sha(b"nothing"), "A" * 43]
        said = [await peer.call("GET", f"{peer.path}/blobs/{one}") for one in digests]
        assert {(one.status, one.code, one.body) for one in said} == {
            (404, "not_found", said[0].body)
        }
        world.count(len(digests))


@case("C6", Ability.FILES, Ability.CONTRACT)
async def fetched_after_a_break(world: World) -> None:
    """The node continues a broken transfer and keeps the file only when it is whole"""
    async with world.peer() as peer:
        named = _named(CONTENT)
        peer.blobs[named["sha256"]] = CONTENT
        cuts = [100_000, 200_000]

        async def breaking(
            peer: Peer, request: web.Request, _body: bytes
        ) -> web.StreamResponse | None:
            if "/blobs/" not in request.path or not cuts:
                return None
            return await peer.broken_file(request, CONTENT, cuts.pop(0))

        peer.script = breaking
        handoff = await peer.offer("С файлом", files=[named])
        await _stands(world, handoff, "акт.bin", "available", seconds=60)
        asked = [headers.get("Range") for _, path, headers in peer.asked if "/blobs/" in path]
        assert asked[0] is None
        assert any(one and one.startswith("bytes=") for one in asked[1:])
        await peer.hear("file.status", handoff)
        world.count(2)


@case("C6", Ability.FILES, Ability.CONTRACT)
async def wrong_bytes(world: World) -> None:
    """Bytes that have not the digest, and unsigned ones, never become a file"""
    async with world.peer() as peer:
        named, unsigned = _named(b"right", "счёт.txt"), _named(b"unsigned", "чек.txt")
        peer.blobs[named["sha256"]] = b"wrong"

        async def plain(_peer: Peer, request: web.Request, _body: bytes) -> web.Response | None:
            if request.path.endswith(unsigned["sha256"]):
                return web.Response(body=b"unsigned")
            return None

        peer.script = plain
        handoff = await peer.offer("Подмена", files=[named, unsigned])
        await peer.until(
            lambda: len([p for _, p, _ in peer.asked if "/blobs/" in p]) >= 4, "four tries", 60
        )
        files = (await world.node.ticket(handoff))["files"]
        assert "available" not in files.values()
        # What proves to be right is taken after all that.
        await peer.say(
            "comment.add",
            comment_data(peer.name, "Вот верный", files=[good := _named(b"good", "верный.txt")]),
            handoff,
        )
        peer.blobs[good["sha256"]] = b"good"
        await _stands(world, handoff, "верный.txt", "available", seconds=60)
        world.count(3)


async def _stands(world: World, handoff: str, name: str, state: str, seconds: float) -> None:
    files: dict[str, str] = {}
    for _ in range(int(seconds / 0.05)):
        if await world.node.state(handoff):
            files = (await world.node.ticket(handoff))["files"]
            if files.get(name) == state:
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name}: {files}, expected {state}")
