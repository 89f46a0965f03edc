"""Real nodes under real faults: `python -m tools.torture [--short] [--only NAME,…] [--json]`.

`hub serve` processes are killed, cut off, starved and doubled while a driver outside works with
them over the API and keeps a ledger of what was acknowledged. In the end everything heals, and
nothing acknowledged may be lost, doubled, or told otherwise by the two sides. What this machine
cannot do is reported. Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.torture import disk, kills, line, postgres, power, twice
from tools.torture.postgres import Cluster
from tools.torture.rig import LONG, SHORT, Outcome, Size, measured

Section = Callable[[Outcome, Path, int, Size], None]


def _with_cluster(body: Callable[[Outcome, Path, int, Size, Cluster], None]) -> Section:
    def section(outcome: Outcome, root: Path, seed: int, size: Size) -> None:
        cluster = Cluster(root / "cluster")
        with cluster.running() as why:
            if why:
                outcome.impossible = why
                return
            body(outcome, root / "nodes", seed, size, cluster)

    return section


def _two(cluster: Cluster) -> tuple[str, str]:
    return cluster.fresh(), cluster.fresh()


SECTIONS: Final[dict[str, Section]] = {
    "kill -9 on SQLite": lambda o, root, seed, size: kills.kills(o, root, seed, size.kills),
    "kill -9 on PostgreSQL": _with_cluster(
        lambda o, root, seed, size, cluster: kills.kills(
            o, root, seed, size.kills_postgres, _two(cluster), _two(cluster)
        )
    ),
    "kill -9 where one side polls": lambda o, root, seed, size: kills.kills(
        o, root, seed, size.kills_polling, polling=True
    ),
    "kill -9 of hub init on SQLite": lambda o, root, seed, size: kills.founding(
        o, root, seed, [""] * size.founding
    ),
    "kill -9 of hub init on PostgreSQL": _with_cluster(
        lambda o, root, seed, size, cluster: kills.founding(
            o, root, seed, [cluster.fresh() for _ in range(size.founding)]
        )
    ),
    "power cuts": lambda o, root, seed, size: power.cuts(o, root, seed, size.cuts),
    "control of power cuts": lambda o, root, seed, size: power.control(o, root, seed, size.control),
    "disk full": lambda o, root, seed, size: disk.full(o, root, seed, size.full),
    "PostgreSQL stopped": _with_cluster(
        lambda o, root, seed, size, cluster: postgres.failovers(
            o, root, seed, size.failovers, cluster
        )
    ),
    "started twice": lambda o, root, seed, size: twice.serves(o, root, seed, size.twice),
    "worked twice on SQLite": lambda o, root, seed, size: twice.workers(
        o, root, seed, size.twice, None
    ),
    "worked twice on PostgreSQL": _with_cluster(
        lambda o, root, seed, size, cluster: twice.workers(o, root, seed, size.twice, _two(cluster))
    ),
    "bad line": lambda o, root, seed, size: line.rounds(o, root, seed, size.rounds),
    "files cut off": lambda o, root, seed, size: line.files(o, root, seed, size.file_cuts),
}


def main() -> int:
    """Run the sections asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.torture")
    parser.add_argument("--short", action="store_true", help="a few of each, in some minutes")
    parser.add_argument("--only", default="", help="sections whose names begin so, by commas")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        help="begin no section later than this; which come first, the seed says",
    )
    parser.add_argument("--keep", action="store_true", help="leave the nodes' directories")
    parser.add_argument("--json", action="store_true", help="one JSON document on the last line")
    asked = parser.parse_args()
    wanted = [one.strip() for one in asked.only.split(",") if one.strip()]
    size = SHORT if asked.short else LONG
    print(f"seed {asked.seed}", flush=True)
    outcomes = []
    with contextlib.ExitStack() as stack:
        made = tempfile.mkdtemp(prefix="hub-torture-")
        if asked.keep:
            print(f"in {made}", flush=True)
        else:
            stack.callback(shutil.rmtree, made, ignore_errors=True)
        begun = time.monotonic()
        for n, (name, section) in enumerate(_in_order(asked.seed if asked.within else 0)):
            if wanted and not any(name.startswith(one) for one in wanted):
                continue
            if asked.within and time.monotonic() - begun > asked.within:
                print(f"\n== {name}: no time left for it")
                continue
            root = Path(made) / str(n)
            outcome = measured(
                name, lambda o, root=root, section=section: section(o, root, asked.seed, size)
            )
            _tell(outcome)
            outcomes.append(outcome)
    if asked.json:
        print(json.dumps([dataclasses.asdict(one) for one in outcomes], ensure_ascii=False))
    return 1 if any(one.problems for one in outcomes) else 0


def _in_order(first: int) -> list[tuple[str, Section]]:
    """All sections, from this one on: where time is short, another run begins elsewhere."""
    found = list(SECTIONS.items())
    first %= len(found)
    return found[first:] + found[:first]


def _tell(outcome: Outcome) -> None:
    verdict = "not possible here" if outcome.impossible else "FAILED" if outcome.problems else "ok"
    print(f"\n== {outcome.section}: {verdict}, {outcome.seconds} s")
    if outcome.impossible:
        print(f"   why: {outcome.impossible}")
    for name, value in outcome.figures.items():
        print(f"   {name}: {value}")
    for problem in outcome.problems[:40]:
        print(f"   ! {problem}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
