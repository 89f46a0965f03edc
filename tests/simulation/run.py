"""Run many seeds: `python -m tests.simulation.run --seeds 500`. A failing seed can be repeated."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub import logs
from tests.simulation.faults import PASSED_HERE
from tests.simulation.shrink import shrink
from tests.simulation.world import NAMES, World

STEPS = 100


async def live(
    seed: int,
    steps: int = STEPS,
    *,
    leave_out: Collection[int] = (),
    without: frozenset[str] = frozenset(),
) -> World:
    """One world from its beginning to its check. Raises AssertionError where one does not hold."""
    with tempfile.TemporaryDirectory(prefix="hub-sim-", dir=_fast()) as folder:
        world = World(seed, Path(folder), without)
        try:
            await world.begin()
            await world.live(steps, leave_out)
            await world.heal()
            await world.check()
        except BaseException as error:
            error.add_note("\n".join(world.trace))
            raise
        finally:
            await world.close()
    return world


def _fast() -> str | None:
    # What a power cut does is another harness's matter; here only the order of events counts.
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class Outcome:
    """What one seed came to."""

    seed: int
    failure: str = ""
    trouble: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    said: int = 0
    refused: int = 0


def one(seed: int, steps: int) -> Outcome:
    """Live one seed, in a process that may have lived others."""
    logs.set_up("console", "critical")  # crashes are the point here; the check tells what matters
    try:
        world = asyncio.run(live(seed, steps))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        told = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
        return Outcome(seed, failure=told[-4000:] or repr(error))
    return Outcome(
        seed,
        trouble=Counter(world.machines.counted),
        deaths=world.deaths.visited,
        calls=len(world.network.wire.calls),
        said=len(world.said),
        refused=world.hostile.refused,
    )


def kind(error: BaseException) -> frozenset[str]:
    """What went wrong, without whom and when it met: two runs that fail alike have the same.

    Of a failed check the sentences it found, of an error its type and the line it came from. Names,
    ids, numbers and quoted words differ from run to run and are left out.
    """
    if isinstance(error, AssertionError):
        lines = [line for line in str(error).splitlines() if line]
        return frozenset(_MANY.sub("…", _VARIABLE.sub("…", line)) for line in lines)
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{Path(one.filename).name}:{one.name}" for one in frames[-1:]]
    return frozenset({f"{type(error).__name__} in {where}"})


_VARIABLE: Final = re.compile(
    r"""(?x)
    (?: '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | [\[{(][^\]})]*[\]})]  # quoted, or a list
    | \b[a-z]{3}_[0-9a-f]{32}\b | [\w.:+-]*\d[\w.:+-]*                     # ids and numbers
    | (?: %s )
    )"""
    % "|".join(NAMES)
)


_MANY: Final = re.compile(r"[…,\s\])}]*…[…,\s\])}]*")  # of such, or lists of them


async def shortest(seed: int, steps: int) -> str:
    """The trace of the shortest run found that fails like this seed: with nothing else wrong."""

    async def failure(kept: frozenset[int], without: frozenset[str]) -> Exception | None:
        out = frozenset(range(steps)) - kept
        try:
            await live(seed, steps, leave_out=out, without=without)
        except Exception as error:  # noqa: BLE001 - what is looked for
            return error
        return None

    first = await failure(frozenset(range(steps)), frozenset())
    if first is None:
        return "it did not fail again"
    wanted = kind(first)

    async def fails_alike(kept: frozenset[int], without: frozenset[str]) -> bool:
        error = await failure(kept, without)
        # Less of the same is a shorter story; anything besides would be another one.
        return error is not None and bool(found := kind(error)) and found <= wanted

    left = await shrink(steps, fails_alike)
    error = await failure(left.steps, left.without)
    notes = "\n".join(getattr(error, "__notes__", []))
    return (
        f"{len(left.steps)} of {steps} steps are enough ({left.runs} runs), without "
        f"{sorted(left.without)}:\n{notes}\n{error}"
    )


def main() -> int:
    """Run the seeds; the number of those that failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--shrink", action="store_true", help="make failing runs short (slow)")
    arguments = parser.parse_args()
    started = time.monotonic()
    failed: list[int] = []
    total = Outcome(-1)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for outcome in pool.map(one, seeds, [arguments.steps] * len(seeds)):
            if outcome.failure:
                failed.append(outcome.seed)
                print(f"seed {outcome.seed}: {outcome.failure}", file=sys.stderr, flush=True)
            total.trouble += outcome.trouble
            total.deaths += outcome.deaths
            total.calls += outcome.calls
            total.said += outcome.said
            total.refused += outcome.refused
    if failed and arguments.shrink:
        logs.set_up("console", "critical")
        print(
            f"seed {failed[0]}: {asyncio.run(shortest(failed[0], arguments.steps))}",
            file=sys.stderr,
        )
    took = time.monotonic() - started
    print(f"{len(seeds)} schedules, {len(failed)} failed {failed[:20]}, {took:.0f} s")
    print(f"{total.said} comments acknowledged, {total.calls} calls, {total.refused} lies refused")
    print(f"trouble: {dict(sorted(total.trouble.items()))}")
    unseen = sorted(PASSED_HERE - set(total.deaths))
    print(f"deaths: {sum(total.deaths.values())} at {len(total.deaths)} points; none at {unseen}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
