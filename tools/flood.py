"""What good partners notice while somebody floods a node (docs/benchmarks.md).

`python -m tools.flood [--seconds 30] [--rate 2000] [--backlog 10000] [--only KIND]… [--json]`.
Two linked nodes as `tools.bench` runs them, and a third process that floods one of them; then a
linked partner gone mad, and a backlog that drains to another partner. Measured is how long a
comment of the good partner takes from its commit there until it is seen at the flooded node,
before each flood and during it. The flooder is niced, as it would not run on this machine. Exit
code 1 where a node loses something.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tools import bench
from tools.bench import Broken, NodeProcess, Pair
from tools.bench_limits import percentile
from tools.flood_caller import KINDS

MAD: Final = "a partner gone mad"
BACKLOG: Final = "a backlog elsewhere"
BIG_RATE: Final = 100  # of bodies of a megabyte: what loopback carries beside the rest
AIM: Final = 2.0  # times the p99 without a flood


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of flood, and the good partner before it and during it, in milliseconds."""

    kind: str
    calls_per_s: float
    answers: dict[str, int]
    quiet_p50: float
    quiet_p99: float
    p50: float
    p99: float
    comments: int
    grown_mib: float  # the flooded node's memory

    @property
    def ratio(self) -> float:
        """Of the p99."""
        return self.p99 / self.quiet_p99


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _waits(pair: Pair, goes_on: Callable[[], bool]) -> list[float]:
    """How long the good partner's comments took, one after the other."""
    found, n = list[float](), 0
    while goes_on():
        ticket, handoff = pair.handed_off[n % len(pair.handed_off)]
        said = pair.a.ask("add_one", ticket=ticket, n=n)
        seen, _looked = bench._seen(pair.b, handoff, said["comment"])
        found.append((seen - said["committed"]) * 1000)
        n += 1
        time.sleep(bench.PAUSE_S)
    return found


def _for(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def _http_key(pair: Pair) -> str:
    query = "SELECT kid FROM link_keys WHERE link_id = ? AND use = 'http'"
    kid: str = pair.b.one(query, pair.link)[0]
    return kid


def by_callers(pair: Pair, kind: str, rate: float, seconds: float) -> Figure:
    """A flood of calls of this kind."""
    quiet = _waits(pair, _for(min(seconds, 15.0)))
    rate = BIG_RATE if kind == "big bodies" else rate
    before = _memory(pair.b.pid)
    words = (kind, str(pair.b.port), pair.link, _http_key(pair), str(rate), str(seconds + 2))
    flooder = subprocess.Popen(
        ["nice", "-n", "10", sys.executable, "-m", "tools.flood_caller", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.0)
    waits = _waits(pair, _for(seconds))
    said = json.loads(flooder.communicate(timeout=120)[0])
    return Figure(
        kind,
        said["calls"] / (seconds + 2),
        said["answers"],
        *_both(quiet),
        *_both(waits),
        len(waits),
        _memory(pair.b.pid) - before,
    )


def by_a_partner(pair: Pair, mad: NodeProcess, link: dict[str, Any], seconds: float) -> Figure:
    """Another linked node that says as much as it can, as fast as it may."""
    quiet = _waits(pair, _for(min(seconds, 15.0)))
    before = _memory(pair.b.pid)
    start = _stored(pair, link["link"])
    tickets = [ticket for ticket, _handoff in link["handed_off"]]
    mad.begin("add", count=1_000_000, at_once=64, tickets=tickets, seconds=seconds + 2)
    time.sleep(1.0)
    waits = _waits(pair, _for(seconds))
    mad.answer()
    rate = (_stored(pair, link["link"]) - start) / (seconds + 2)
    grown = _memory(pair.b.pid) - before
    return Figure(MAD, rate, {}, *_both(quiet), *_both(waits), len(waits), grown)


def by_a_backlog(pair: Pair, other: NodeProcess, messages: int) -> Figure:
    """A backlog for another partner drains while the good one is spoken to."""
    link = pair.a.ask("link", code=other.ask("invite")["code"])
    link |= pair.a.ask("offer", link=link["link"], count=bench.TICKETS)
    bench._settled(pair.a, other, link["link"])
    quiet = _waits(pair, _for(10.0))
    before = _memory(pair.a.pid)
    pair.a.ask("suspend", link=link["link"])
    tickets = [ticket for ticket, _handoff in link["handed_off"]]
    pair.a.ask("add", count=messages, at_once=64, tickets=tickets)
    began = pair.a.ask("resume", link=link["link"])["at"]
    goal = bench._position(pair.a, "out_seq", link["link"])

    def goes_on() -> bool:
        return bench._position(other, "applied_seq", link["link"]) < goal

    waits = _waits(pair, goes_on)
    took = time.monotonic() - began
    grown = _memory(pair.a.pid) - before
    return Figure(BACKLOG, messages / took, {}, *_both(quiet), *_both(waits), len(waits), grown)


def _stored(pair: Pair, link: str) -> int:
    found: int = pair.b.one("SELECT in_seq FROM streams WHERE link_id = ?", link)[0]
    return found


def _both(waits: Sequence[float]) -> tuple[float, float]:
    return percentile(waits, 50), percentile(waits, 99)


def run(kinds: Sequence[str], rate: float, seconds: float, backlog: int) -> list[Figure]:
    """One flood after the other against the same node."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix=".flood-", dir="."))
        pair = stack.enter_context(bench.two_nodes(Path(directory)))
        _waits(pair, _for(3.0))  # warms both nodes up
        found = [by_callers(pair, kind, rate, seconds) for kind in kinds if kind in KINDS]
        if MAD in kinds:
            mad = NodeProcess("Gamma", Path(directory) / "c")
            stack.callback(mad.end)
            link = mad.ask("link", code=pair.b.ask("invite", agreed=True)["code"], agreed=True)
            link |= mad.ask("offer", link=link["link"], count=bench.TICKETS)
            found.append(by_a_partner(pair, mad, link, seconds))
            bench._settled(mad, pair.b, link["link"])
        if BACKLOG in kinds:
            other = NodeProcess("Delta", Path(directory) / "d")
            stack.callback(other.end)
            found.append(by_a_backlog(pair, other, backlog))
        bench._settled(pair.a, pair.b, pair.link)
        bench.verify(pair)
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    every = (*KINDS, MAD, BACKLOG)
    parser = argparse.ArgumentParser(prog="python -m tools.flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each flood")
    parser.add_argument("--rate", type=float, default=2000.0, help="calls a second")
    parser.add_argument("--backlog", type=int, default=10_000, help="messages that wait")
    parser.add_argument("--only", action="append", choices=every, help="this kind alone")
    parser.add_argument("--json", action="store_true", help="a JSON document as the last line")
    chosen = parser.parse_args(arguments)
    try:
        figures = run(chosen.only or every, chosen.rate, chosen.seconds, chosen.backlog)
    except Broken as broken:
        print(f"no figure counts: {broken}", file=sys.stderr)
        return 1
    print(
        "flood                     calls/s   quiet p50/p99, ms    flooded p50/p99, ms   times MiB"
    )
    for one in figures:
        print(
            f"{one.kind:<24}{one.calls_per_s:>9,.0f}{one.quiet_p50:>10.1f} /{one.quiet_p99:>7.1f}"
            f"{one.p50:>12.1f} /{one.p99:>7.1f}{one.ratio:>8.1f}{one.grown_mib:>6.0f}"
            f"   {one.answers or ''}"
        )
    if chosen.json:
        print(json.dumps([{**asdict(one), "ratio": one.ratio, "aim": AIM} for one in figures]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
