"""Makes a failing run short: the fewest steps and kinds of trouble that still fail.

Delta debugging (Zeller and Hildebrandt, 2002): leave out ever smaller parts as long as the same
kind of failure stays. Possible because each step draws from its own source.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.simulation.faults import STRENGTHS

Fails = Callable[[frozenset[int], frozenset[str]], Awaitable[bool]]
"""(steps kept, kinds of trouble left out) → whether the run still fails."""


@dataclass(frozen=True)
class Shrunk:
    """What is left."""

    steps: frozenset[int]
    without: frozenset[str]
    runs: int


async def shrink(steps: int, fails: Fails, *, most_runs: int = 200) -> Shrunk:
    """The run, with as much left out as `most_runs` tries found."""
    kept, without, runs = frozenset(range(steps)), frozenset[str](), 0

    async def still(steps_kept: frozenset[int], left_out: frozenset[str]) -> bool:
        nonlocal runs
        runs += 1
        return await fails(steps_kept, left_out)

    for kind in sorted(STRENGTHS):
        if runs < most_runs and await still(kept, without | {kind}):
            without |= {kind}
    size = len(kept) // 2
    while size and runs < most_runs:
        ordered = sorted(kept, reverse=True)  # the end is the likeliest to matter least
        smaller = False
        for start in range(0, len(ordered), size):
            rest = kept - set(ordered[start : start + size])
            if runs < most_runs and await still(rest, without):
                kept, smaller = rest, True
        if not smaller or size > len(kept):
            size //= 2
    return Shrunk(kept, without, runs)
