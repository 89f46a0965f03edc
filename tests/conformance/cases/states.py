"""C5: every state x every step and request x either side, as docs/protocol/handoff-states.md says.

The table is read from the page, not from anybody's code. The peer sends the message; if the page
has the step for its side, the node moves there, else it answers `wrong_pen` and stays.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from functools import cache

from tests.conformance.implementation import Ability
from tests.conformance.peer import ROOT, SCHEMAS, Json, Peer, wire
from tests.conformance.runner import World, case

PAGE = ROOT / "docs" / "protocol" / "handoff-states.md"


@dataclass(frozen=True)
class Step:
    """One row of the page."""

    act: str
    by: str
    sources: tuple[str, ...]
    target: str

    @property
    def name(self) -> str:
        return self.act.removeprefix("handoff.")


def _rows(heading: str) -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@cache
def steps() -> tuple[Step, ...]:
    found = []
    for act, by, sources, target in _rows("Steps"):
        names = tuple(re.findall(r"`(\w+)`", sources))
        found.append(Step(act.strip("`"), by, names, target.strip("`")))
    return tuple(one for one in found if one.sources)


@cache
def states() -> tuple[str, ...]:
    return tuple(row[0].strip("`") for row in _rows("Who holds the pen"))


def path_to(state: str) -> list[Step]:
    """The shortest way from the offer to this state."""
    queue, seen = deque([("offered", [])]), {"offered"}
    while queue:
        here, way = queue.popleft()
        if here == state:
            return list(way)
        for step in steps():
            if here in step.sources and step.target not in seen:
                seen.add(step.target)
                queue.append((step.target, [*way, step]))  # type: ignore[list-item]
    raise AssertionError(state)


OTHER = {"principal": "contractor", "contractor": "principal"}


def _data(act: str, source: str, round_: int, request: str) -> Json:
    first = min((SCHEMAS / "examples" / act).glob("*.json"))
    data: Json = json.loads(first.read_bytes())
    data.pop("salt")
    data.pop("files", None)
    schema = json.loads((SCHEMAS / f"{act}.json").read_bytes())
    if "files" in schema["required"]:
        data["files"] = []
    if "from" in schema["properties"]:
        data["from"] = source
    if "round" in schema["properties"]:
        data["round"] = round_ + 1
    if "request_id" in schema["properties"]:
        data["request_id"] = request or wire.new_id("req")
    return data


@dataclass
class Work:
    """One hand-off between the peer and the node, wherever it stands."""

    world: World
    peer: Peer
    id: str
    role: str  # of the peer
    state: str = "offered"
    round: int = 0
    request: str = ""

    async def take(self, step: Step) -> None:
        """This step, by whoever may take it."""
        if step.by == self.role:
            if step.name == "cancelled":
                await self._be_asked()
            await self.say(step.act, self.state)
        elif step.name == "cancelled":
            # The node grants what we ask, at once before it has begun.
            await self.say("handoff.cancel_request", self.state)
        else:
            await self.world.node.act(self.id, step.name)
        if step.name == "return":
            self.round += 1
        await self.world.reached(self.id, step.target)
        self.state = step.target

    async def _be_asked(self) -> None:
        await self.world.node.act(self.id, "cancel")
        self.request = (await self.peer.hear("handoff.cancel_request", self.id)).data["request_id"]

    async def say(self, act: str, source: str) -> None:
        await self.peer.say(act, _data(act, source, self.round, self.request), self.id)


async def _work(world: World, peer: Peer, role: str, state: str) -> Work:
    """A new hand-off, brought to this state."""
    title = f"Дело {wire.new_id('job')}"
    if role == "principal":
        handoff = await peer.offer(title)
        await world.reached(handoff, "offered")
    else:
        handoff = await world.node.hand_off(peer.link, title)
        await peer.hear("handoff.offer", handoff)
    work = Work(world, peer, handoff, role)
    for step in path_to(state):
        await work.take(step)
    return work


async def _matrix(world: World, role: str) -> None:
    async with world.peer() as peer:
        for state in states():
            fits = [one for one in steps() if one.by == role and state in one.sources]
            wrong = [one for one in steps() if one not in fits]
            work = await _work(world, peer, role, state)
            after = len(peer.heard)
            for step in wrong:
                await work.say(step.act, state)
            # The same steps from a state that is not: refused too, even where the pen is right.
            elsewhere = "accepted" if state == "offered" else "offered"
            for step in fits:
                await work.say(step.act, elsewhere)
            expected = len(wrong) + len(fits)
            found = await peer.rejections(expected, after)
            assert {one["code"] for one in found} == {"wrong_pen"}, (state, found)
            assert await world.node.state(work.id) == state
            world.count(expected)
            for n, step in enumerate(fits):
                here = work if n == 0 else await _work(world, peer, role, state)
                await here.take(step)
                world.count()


@case("C5", Ability.CONTRACT, Ability.PEOPLE, Ability.FULL)
async def node_is_contractor(world: World) -> None:
    """The node as contractor: every state x every step of either side"""
    await _matrix(world, "principal")


@case("C5", Ability.HAND_OFF, Ability.PEOPLE, Ability.FULL)
async def node_is_principal(world: World) -> None:
    """The node as principal: every state x every step of either side"""
    await _matrix(world, "contractor")


@case("C5", Ability.CONTRACT)
async def straight_road(world: World) -> None:
    """Offer, work and confirmation, by a node with or without people"""
    async with world.peer() as peer:
        handoff = await peer.offer("Прямая дорога")
        for step in path_to("resolved"):
            if Ability.PEOPLE not in world.node.cannot:
                await world.node.act(handoff, step.name)
            await peer.hear(step.act, handoff)
        last = await peer.hear("handoff.resolve", handoff)
        assert last.data["from"] in {"accepted", "in_progress"}
        await peer.say("handoff.confirm", {"from": "resolved", "auto": False}, handoff)
        await world.reached(handoff, "confirmed")
        world.count(len(path_to("confirmed")))


@case("C5", Ability.CONTRACT, Ability.PEOPLE, Ability.FULL)
async def requests(world: World) -> None:
    """Requests: who may make them, in which state, and that they are answered"""
    async with world.peer() as peer:
        for state in states():
            work = await _work(world, peer, "principal", state)
            after = len(peer.heard)
            work.request = wire.new_id("req")  # one before it may have its answer still under way
            await work.say("handoff.cancel_request", state)
            answer = await peer.until(
                lambda after=after, work=work: next(
                    (
                        one
                        for one in peer.heard[after:]
                        if one.type in {"handoff.cancelled", "handoff.cancel_refused"}
                        and one.data["request_id"] == work.request
                    ),
                    None,
                ),
                f"an answer to a cancel request in {state}",
            )
            with_pen = state in {"offered", "accepted", "in_progress", "pending", "rework"}
            assert (answer.type == "handoff.cancelled") == with_pen, state
            await work.say("handoff.retract_request", state)  # the contractor's to make
            await peer.rejections(1, after)
            world.count(2)
