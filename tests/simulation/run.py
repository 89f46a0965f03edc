"""Run many seeds: `python -m tests.simulation.run --seeds 500`. A failing seed can be repeated."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hub import logs
from tests.simulation.world import World


async def live(seed: int, steps: int) -> World:
    """One world from its beginning to its check."""
    with tempfile.TemporaryDirectory(prefix="hub-sim-", dir=_fast()) as folder:
        world = World(seed, Path(folder))
        try:
            await world.begin()
            for _ in range(steps):
                await world.step()
            await world.heal()
            await world.check()
        except BaseException:
            print("\n".join(world.trace[-40:]), file=sys.stderr)
            raise
        finally:
            await world.network.close()
    return world


def _fast() -> str | None:
    # What a power cut does is another harness's matter; here only the order of events counts.
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> int:
    """Run the seeds; the number of those that failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=150)
    arguments = parser.parse_args()
    logs.set_up("console", "critical")  # crashes are the point here; the check tells what matters
    started, failed = time.monotonic(), []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        try:
            asyncio.run(live(seed, arguments.steps))
        except BaseException as error:  # noqa: BLE001 - the next seed still runs
            if isinstance(error, KeyboardInterrupt):
                break
            failed.append(seed)
            print(f"seed {seed}: {error}"[:3000], file=sys.stderr)
            if not isinstance(error, AssertionError):
                traceback.print_exc()
    took = time.monotonic() - started
    print(f"{arguments.seeds} schedules, {len(failed)} failed {failed[:20]}, {took:.0f} s")
    return len(failed)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
