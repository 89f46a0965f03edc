"""How fast two real nodes are, against what this machine allows at all (docs/benchmarks.md).

`python -m tools.bench [--short] [--json]`. Two processes, each a whole node on its own SQLite
file (synchronous=FULL) on the disk of the current directory, linked by the real handshake over
loopback. A case counts only if the receiver holds exactly what the sender accepted, in order.
Exit code 1 if it does not.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tools import bench_limits
from tools.bench_limits import Gauge, Limits, Noise, percentile

TICKETS: Final = 8
AT_ONCE: Final = 64  # tasks that add comments side by side
PAUSE_S: Final = 0.005  # between two comments of the latency case: each finds the nodes idle
PATIENCE_S: Final = 120.0
AIM_CEILING: Final = 0.25
AIM_FLOOR: Final = 4.0


class Broken(Exception):  # noqa: N818 - what happened
    """The nodes did not do what they must; no figure of this run counts."""


class NodeProcess:
    """One node, and its database as anybody outside sees it."""

    def __init__(self, name: str, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        command = [sys.executable, "-m", "tools.bench_node", name, str(data), str(self.port)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.pid = self._process.pid
        self.answer()
        self.database = sqlite3.connect(f"file:{data / 'hub.db'}?mode=ro", uri=True)

    def ask(self, do: str, **said: object) -> dict[str, Any]:
        """Have the node do something; its answer."""
        self.begin(do, **said)
        return self.answer()

    def begin(self, do: str, **said: object) -> None:
        """Have the node do something; `answer` is due."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **said}) + "\n")

    def answer(self) -> dict[str, Any]:
        """What the node said to what was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Broken(f"a node ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def one(self, query: str, *parameters: object) -> Any:
        """The first row of a query over what is committed, or None."""
        return self.database.execute(query, parameters).fetchone()

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """All rows of a query over what is committed."""
        return self.database.execute(query, parameters).fetchall()

    def end(self) -> None:
        """Stop the node gracefully."""
        self.database.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two linked nodes; A is the principal of every hand-off."""

    a: NodeProcess
    b: NodeProcess
    link: str
    handed_off: list[tuple[str, str]]  # (ticket of A, hand-off)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Comments added at A by many tasks at once, until B has stored and applied them all."""

    messages: int
    accepted_per_s: float  # committed at A
    stored_per_s: float  # durable at both nodes: stored at B too
    applied_per_s: float  # visible at B
    cpu_us_a: float  # processor time per message
    cpu_us_b: float
    exchanges: int  # requests it took, as receipts of A
    noise: Noise


@dataclass(frozen=True, slots=True)
class Latency:
    """One comment at a time, in milliseconds."""

    comments: int
    p50_ms: float  # from its commit at A to its committed row at B
    p99_ms: float
    asked_p50_ms: float  # from before its commit at A
    asked_p99_ms: float
    look_ms: float  # how often we looked at B: what the figures are too high by, at most
    noise: Noise


@dataclass(frozen=True, slots=True)
class Report:
    """One whole run."""

    machine: dict[str, Any]
    limits: Limits
    limits_noise: Noise
    throughput: Throughput
    latency: Latency

    @property
    def of_ceiling(self) -> float:
        """Messages durable at both nodes, as part of what the limits allow."""
        return self.throughput.stored_per_s / self.limits.ceiling

    @property
    def applied_of_ceiling(self) -> float:
        """The same, counted when they are visible."""
        return self.throughput.applied_per_s / self.limits.ceiling

    @property
    def of_floor(self) -> float:
        """One comment, commit to visible, in floors."""
        return self.latency.p50_ms / self.limits.floor_p50_ms


@contextmanager
def two_nodes(where: Path) -> Iterator[Pair]:
    """Two nodes with a link and started hand-offs, and nothing left to do."""
    with ExitStack() as stack:
        a, b = NodeProcess("Alpha", where / "a"), NodeProcess("Beta", where / "b")
        stack.callback(b.end)
        stack.callback(a.end)
        link = b.ask("link", code=a.ask("invite")["code"])
        if link["state"] != "active":
            raise Broken(f"the link is {link['state']}")
        handed_off = [
            (ticket, handoff)
            for ticket, handoff in a.ask("offer", link=link["link"], count=TICKETS)["handed_off"]
        ]
        _settled(a, b, link["link"])
        b.ask("accept", handoffs=[handoff for _, handoff in handed_off])
        _settled(b, a, link["link"])
        yield Pair(a, b, link["link"], handed_off)


def throughput(pair: Pair, gauge: Gauge, messages: int) -> Throughput:
    """N comments from many tasks; the clock stops when B has stored and applied the last."""
    gauge.read()
    a, b = pair.a, pair.b
    before = _position(a, "out_seq", pair.link)
    requests = _receipts(a)
    cpu = a.ask("cpu")["seconds"], b.ask("cpu")["seconds"]
    goal = before + messages
    stored = applied = 0.0
    tickets = [ticket for ticket, _ in pair.handed_off]
    a.begin("add", count=messages, at_once=AT_ONCE, tickets=tickets)
    until = time.monotonic() + PATIENCE_S
    while not applied:
        in_seq, applied_seq = b.one(
            "SELECT in_seq, applied_seq FROM streams WHERE link_id = ?", pair.link
        )
        now = time.monotonic()
        if in_seq >= goal and not stored:
            stored = now
        if applied_seq >= goal:
            applied = now
        if now > until:
            raise Broken(f"B has {in_seq}, applied {applied_seq} of {goal}")
        time.sleep(0.005)
    said = a.answer()
    _settled(a, b, pair.link)
    used = a.ask("cpu")["seconds"] - cpu[0], b.ask("cpu")["seconds"] - cpu[1]
    verify(pair)
    started = said["started"]
    return Throughput(
        messages=messages,
        accepted_per_s=messages / (said["accepted"] - started),
        stored_per_s=messages / (stored - started),
        applied_per_s=messages / (applied - started),
        cpu_us_a=used[0] / messages * 1e6,
        cpu_us_b=used[1] / messages * 1e6,
        exchanges=_receipts(a) - requests,
        noise=gauge.read(),
    )


def latency(pair: Pair, gauge: Gauge, comments: int) -> Latency:
    """One comment after the other, each when the nodes are idle again."""
    gauge.read()
    shown, asked, looks = [], [], []
    for n in range(comments + 10):
        ticket, handoff = pair.handed_off[n % TICKETS]
        said = pair.a.ask("add_one", ticket=ticket, n=n)
        seen, looked = _seen(pair.b, handoff, said["comment"])
        if n >= 10:
            shown.append((seen - said["committed"]) * 1000)
            asked.append((seen - said["asked"]) * 1000)
            looks.append(looked * 1000)
        time.sleep(PAUSE_S)
    _settled(pair.a, pair.b, pair.link)
    verify(pair)
    return Latency(
        comments=comments,
        p50_ms=percentile(shown, 50),
        p99_ms=percentile(shown, 99),
        asked_p50_ms=percentile(asked, 50),
        asked_p99_ms=percentile(asked, 99),
        look_ms=percentile(looks, 50),
        noise=gauge.read(),
    )


def _seen(b: NodeProcess, handoff: str, comment: str) -> tuple[float, float]:
    """When this comment of A was committed at B, and how long our last look back was.

    Looking is a counter in shared memory; B's threads and files are not touched by it.
    """
    until = time.monotonic() + PATIENCE_S
    version, before = None, time.monotonic()
    while True:
        now = time.monotonic()
        found = b.one("PRAGMA data_version")[0]
        if found != version:
            version = found
            if b.one(
                "SELECT 1 FROM item_refs JOIN comments ON comments.id = item_refs.local_id "
                "WHERE handoff_id = ? AND kind = 'cmt' AND remote_id = ?",
                handoff,
                comment,
            ):
                return time.monotonic(), now - before
        if now > until:
            raise Broken("a comment never arrived")
        before = now
        time.sleep(0.0001)


def verify(pair: Pair) -> None:
    """Raise unless B holds exactly what A sent, in its order, and shows exactly its comments."""
    columns = "seq, epoch, id, type, hash, env, data"
    sent = pair.a.rows(f"SELECT {columns} FROM outbox WHERE link_id = ? ORDER BY seq", pair.link)
    held = pair.b.rows(f"SELECT {columns} FROM inbox WHERE link_id = ? ORDER BY seq", pair.link)
    if sent != held or [row[0] for row in held] != list(range(1, len(held) + 1)):
        raise Broken("B does not hold exactly what A sent, in order")
    if pair.b.rows("SELECT seq FROM inbox WHERE state <> 'done'"):
        raise Broken("B did not apply everything")
    if pair.a.rows("SELECT seq FROM outbox WHERE state <> 'received'"):
        raise Broken("A has no receipt for something")
    for ticket, handoff in pair.handed_off:
        written = pair.a.rows(
            "SELECT id, body FROM comments WHERE ticket_id = ? ORDER BY id", ticket
        )
        shown = pair.b.rows(
            "SELECT remote_id, body FROM item_refs JOIN comments ON comments.id = local_id "
            "WHERE handoff_id = ? AND kind = 'cmt' ORDER BY remote_id",
            handoff,
        )
        if written != shown:
            raise Broken("B does not show exactly the comments of A")


def _position(node: NodeProcess, column: str, link: str) -> int:
    found: int = node.one(f"SELECT {column} FROM streams WHERE link_id = ?", link)[0]
    return found


def _receipts(a: NodeProcess) -> int:
    found: int = a.one("SELECT count(*) FROM receipts WHERE direction = 'received'")[0]
    return found


def _settled(sender: NodeProcess, receiver: NodeProcess, link: str) -> None:
    """Return when everything the sender queued is receipted there and applied here."""
    until = time.monotonic() + PATIENCE_S
    while True:
        goal = _position(sender, "out_seq", link)
        if (
            _position(sender, "receipted_seq", link) == goal
            and _position(receiver, "applied_seq", link) == goal
        ):
            return
        if time.monotonic() > until:
            raise Broken("the nodes do not come to rest")
        time.sleep(0.02)


def run(*, short: bool) -> Report:
    """One whole run in a directory beside us, taken away afterwards."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as directory:
        where = Path(directory)
        gauge = Gauge(where)
        noise = gauge.read()
        limits = bench_limits.measure(where, seconds=0.7 if short else 2.0)
        with two_nodes(where) as pair:
            throughput(pair, gauge, 300)  # warms both nodes up; not reported
            slow = latency(pair, gauge, 200 if short else 500)
            fast = throughput(pair, gauge, 3000 if short else 8000)
        return Report(_machine(), limits, noise, fast, slow)


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
    }


def as_json(report: Report) -> dict[str, Any]:
    """The report for machines."""
    return {
        **asdict(report),
        "ceiling_per_s": report.limits.ceiling,
        "sender_us": report.limits.sender_s * 1e6,
        "receiver_us": report.limits.receiver_s * 1e6,
        "of_ceiling": report.of_ceiling,
        "applied_of_ceiling": report.applied_of_ceiling,
        "of_floor": report.of_floor,
        "aims": {
            "of_ceiling": AIM_CEILING,
            "of_floor": AIM_FLOOR,
            "met": report.of_ceiling >= AIM_CEILING and report.of_floor <= AIM_FLOOR,
        },
    }


def as_text(report: Report) -> str:
    """The report for people."""
    limits, fast, slow = report.limits, report.throughput, report.latency
    return "\n".join(
        [
            f"limits of this machine, per second            {_noise(report.limits_noise)}",
            f"  fdatasync of 4 KiB                {limits.fdatasync:>9,.0f}",
            f"  SQLite FULL, commits of one row   {limits.commits:>9,.0f}",
            f"  SQLite FULL, rows in batches of 50{limits.rows:>9,.0f}",
            f"  Ed25519 sign                      {limits.sign:>9,.0f}",
            f"  Ed25519 verify                    {limits.verify:>9,.0f}",
            f"  bare aiohttp POST                 {limits.posts:>9,.0f}",
            (
                f"  floor of one message, p50 / p99   {limits.floor_p50_ms:>9.2f} ms /"
                f" {limits.floor_p99_ms:.2f} ms ({limits.floor_sent_p50_ms:.2f} ms after commit)"
            ),
            (
                f"  ceiling: 1 / max(sender {limits.sender_s * 1e6:.0f} µs,"
                f" receiver {limits.receiver_s * 1e6:.0f} µs) = {limits.ceiling:,.0f} messages/s"
            ),
            "",
            (
                f"throughput, {fast.messages} comments from {AT_ONCE} tasks, {TICKETS} tickets"
                f"   {_noise(fast.noise)}"
            ),
            f"  accepted at A                     {fast.accepted_per_s:>9,.0f} /s",
            (
                f"  durable at both nodes             {fast.stored_per_s:>9,.0f} /s"
                f"   {report.of_ceiling:.0%} of the ceiling (aim: {AIM_CEILING:.0%})"
            ),
            (
                f"  visible at B                      {fast.applied_per_s:>9,.0f} /s"
                f"   {report.applied_of_ceiling:.0%}"
            ),
            (
                f"  processor time per message        {fast.cpu_us_a:>9,.0f} µs at A,"
                f" {fast.cpu_us_b:,.0f} µs at B; {fast.messages / fast.exchanges:.0f} a request"
            ),
            "",
            f"latency, {slow.comments} comments one at a time   {_noise(slow.noise)}",
            (
                f"  commit at A to visible at B, p50  {slow.p50_ms:>9.2f} ms"
                f"   {report.of_floor:.1f} floors (aim: {AIM_FLOOR:.0f})"
            ),
            f"                               p99  {slow.p99_ms:>9.2f} ms",
            (
                f"  asked at A to visible at B, p50   {slow.asked_p50_ms:>9.2f} ms,"
                f" p99 {slow.asked_p99_ms:.2f} ms"
            ),
            f"  (we looked every {slow.look_ms:.2f} ms)",
        ]
    )


def _noise(noise: Noise) -> str:
    return (
        f"[noise: spin {noise.spin:.0f} M/s, fdatasync {noise.fdatasync:,.0f}/s,"
        f" load {noise.load:.1f}, steal {noise.steal:.1%}]"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less than 40 seconds")
    parser.add_argument("--json", action="store_true", help="a JSON document as the last line")
    chosen = parser.parse_args(arguments)
    try:
        report = run(short=chosen.short)
    except Broken as broken:
        print(f"no figure counts: {broken}", file=sys.stderr)
        return 1
    print(as_text(report))
    if chosen.json:
        print(json.dumps(as_json(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
