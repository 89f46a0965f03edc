"""Runs the groups against one implementation, and says what became of them.

A case is a function over a `World`: the node under test, and as many peers as it wants. It
fails by raising. What a node cannot do by its adapter's own words is not run, and named.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.implementation import Ability, Implementation
from tests.conformance.peer import Peer

CASE_S = 240

Case = Callable[["World"], Awaitable[None]]


@dataclass
class World:
    """What a case has to work with."""

    node: Implementation
    checks: int = 0

    def count(self, checks: int = 1) -> None:
        """So many single things were found to be as they must be."""
        self.checks += checks

    @contextlib.asynccontextmanager
    async def peer(self, name: str = "Партнёр", **how: Any) -> AsyncIterator[Peer]:
        """A peer that is linked with the node."""
        async with Peer(name, **how) as peer:
            if Ability.ACCEPT in self.node.cannot:
                await peer.accept(await self.node.invite(name))
            else:
                await self.node.accept(peer.invite())
            yield peer

    async def reached(self, handoff: str, state: str, seconds: float = 40) -> None:
        """Return once the hand-off stands there at the node."""
        found = ""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = await self.node.state(handoff)
            if found == state:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{handoff} is '{found}', expected '{state}'")


@dataclass(frozen=True)
class Entry:
    """One case of one group."""

    group: str
    title: str
    needs: frozenset[Ability]
    run: Case


GROUPS: dict[str, str] = {
    "C1": "vectors and schemas",
    "C2": "handshake",
    "C3": "delivery faults",
    "C4": "restart and restore",
    "C5": "transitions of a hand-off",
    "C6": "files",
    "C7": "a hostile peer",
    "C8": "evidence",
    "C9": "privacy over four nodes",
    "C10": "unknown members and versions",
    "C11": "a peer that cannot be called",
}
CASES: list[Entry] = []


def case(group: str, *needs: Ability) -> Callable[[Case], Case]:
    """Put this function into a group. Its docstring is its title."""

    def add(run: Case) -> Case:
        title = (run.__doc__ or run.__name__).strip().splitlines()[0].rstrip(".")
        CASES.append(Entry(group, title, frozenset(needs), run))
        return run

    return add


@dataclass
class Result:
    """What became of one case."""

    entry: Entry
    outcome: str  # passed, failed, not applicable
    checks: int = 0
    seconds: float = 0
    why: str = ""


@dataclass
class Report:
    """What became of all."""

    name: str
    results: list[Result] = field(default_factory=list)

    @property
    def failed(self) -> list[Result]:
        return [one for one in self.results if one.outcome == "failed"]

    def lines(self) -> list[str]:
        """The table of groups, what was not run and why, and what failed."""
        header = f"{'group':34} {'cases':>5} {'checks':>7} {'failed':>6} {'not run':>7} seconds"
        said = [self.name, header]
        for group, title in GROUPS.items():
            here = [one for one in self.results if one.entry.group == group]
            if not here:
                continue
            ran = [one for one in here if one.outcome != "not applicable"]
            said.append(
                f"{f'{group} {title}':34} {len(ran):5} {sum(one.checks for one in ran):7} "
                f"{sum(one.outcome == 'failed' for one in ran):6} {len(here) - len(ran):7} "
                f"{sum(one.seconds for one in ran):7.1f}"
            )
        ran = [one for one in self.results if one.outcome != "not applicable"]
        said.append(
            f"{'all':34} {len(ran):5} {sum(one.checks for one in ran):7} {len(self.failed):6} "
            f"{len(self.results) - len(ran):7} {sum(one.seconds for one in ran):7.1f}"
        )
        reasons = sorted({one.why for one in self.results if one.outcome == "not applicable"})
        said += [f"not run: {why}" for why in reasons]
        for one in self.failed:
            said.append(f"FAILED {one.entry.group}: {one.entry.title}\n{one.why}")
        return said


async def run(
    make: Callable[[], Implementation],
    groups: Sequence[str] = (),
    progress: Callable[[Result], None] = lambda _result: None,
) -> Report:
    """Every case of these groups against one fresh node."""
    node = make()
    report = Report(node.name)
    await node.start()
    try:
        for entry in CASES:
            if groups and entry.group not in groups:
                continue
            result = await _one(node, entry)
            report.results.append(result)
            progress(result)
    finally:
        await node.stop()
    return report


async def _one(node: Implementation, entry: Entry) -> Result:
    missing = sorted(entry.needs & node.cannot.keys())
    if missing:
        why = "; ".join(f"{one} ({node.cannot[one]})" for one in missing)
        return Result(entry, "not applicable", why=f"{entry.group} {entry.title}: needs {why}")
    world, began = World(node), time.monotonic()
    try:
        async with asyncio.timeout(CASE_S):
            await entry.run(world)
    except Exception:  # noqa: BLE001 - one case that fails stops no other
        why = traceback.format_exc(limit=-4)
        return Result(entry, "failed", world.checks, time.monotonic() - began, why)
    return Result(entry, "passed", max(world.checks, 1), time.monotonic() - began)
