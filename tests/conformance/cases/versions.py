"""C10: what a later version may add is ignored and kept; what must be understood is rejected."""

from __future__ import annotations

import json

from tests.conformance.implementation import Ability
from tests.conformance.peer import comment_data
from tests.conformance.runner import World, case


@case("C10")
async def unknown_types(world: World) -> None:
    """An unknown type is ignored where it may be, and rejected where it must be understood"""
    async with world.peer() as peer:
        after = len(peer.heard)
        for type_ in ("x.org.example.ping", "handoff.sing", "link.dance", "a.b", "x.a." + "b" * 96):
            await peer.say(type_, {"any": ["thing"]}, must=False)
            world.count()
        for type_ in ("x.org.example.magic", "handoff.sing", "link.dance"):
            await peer.say(type_, {}, must=True)
        said = await peer.rejections(3, after)
        assert {one["code"] for one in said} == {"unsupported_type"}
        assert len([one for one in peer.heard[after:] if one.type == "message.rejected"]) == 3
        world.count(3)


@case("C10", Ability.CONTRACT)
async def later_schemas(world: World) -> None:
    """A later version of a known type is an unknown type"""
    async with world.peer() as peer:
        handoff = await peer.offer()
        after = len(peer.heard)
        data = comment_data(peer.name, "Завтра")
        await peer.say("comment.add", data, handoff, version=2, must=True)
        (said,) = await peer.rejections(1, after)
        assert said["code"] == "unsupported_type"
        await peer.say("comment.add", data, handoff, version=9999, must=False)
        await peer.ping()
        world.count(2)


@case("C10", Ability.CONTRACT)
async def more_members(world: World) -> None:
    """Unknown members of payloads and envelopes are no reason to refuse"""
    async with world.peer() as peer:
        after = len(peer.heard)
        handoff = await peer.offer("С добавкой", flavour={"deep": [1, "a", {"b": True}]})
        data = comment_data(peer.name, "С добавкой")
        data["author"]["mood"] = "good"
        await peer.say("comment.add", data, handoff, colour="red", later={"a": [1]})
        await world.reached(handoff, "offered" if _people(world) else "resolved")
        await peer.ping()
        assert not [one for one in peer.heard[after:] if one.type == "message.rejected"]
        world.count(3)


@case("C10", Ability.CONTRACT, Ability.READ)
async def kept_members(world: World) -> None:
    """Unknown members are kept: the log gives them back as they were signed"""
    async with world.peer() as peer:
        await peer.offer("С добавкой", flavour="vanilla")
        log = await peer.call("GET", f"{peer.path}/log?dir=out&from=1")
        (message,) = log.members["messages"]
        assert json.loads(message["data"])["flavour"] == "vanilla"


def _people(world: World) -> bool:
    return Ability.PEOPLE not in world.node.cannot


@case("C10")
async def other_versions(world: World) -> None:
    """An envelope of another major version is not authentic"""
    async with world.peer() as peer:
        for version in ("2.0", "0.9", "1", 1):
            bad = peer.seal("x.org.example.ping", {}, must=False, keep=False, v=version)
            said = await peer.post(bad)
            assert (said.status, said.code) == (400, "env_invalid"), version
            world.count()
        await peer.ping()


@case("C10")
async def problems(world: World) -> None:
    """Every refusal is a signed problem with its type, status and code"""
    async with world.peer() as peer:
        bad = peer.seal("x.org.example.ping", {}, must=False, keep=False, seq=0)
        for said in (
            await peer.post(bad),
            await peer.call("POST", f"{peer.path}/messages", {"messages": 1}),
        ):
            assert said.proven
            assert said.headers["Content-Type"] == "application/problem+json"
            assert said.members["type"] == f"urn:txp:problem:{said.code}"
            assert said.members["status"] == said.status == 400
            assert said.members["title"]
            world.count(5)
