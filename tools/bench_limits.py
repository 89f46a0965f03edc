"""What this machine allows at all: the limits every case of the benchmark is measured against.

Measured in the same run as the cases, on the same disk and with the same libraries, because
only ratios within one run mean anything on a machine that others use too.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from hub.clock import SystemEntropy
from hub.protocol import jws
from hub.protocol.encoding import b64url
from hub.protocol.keys import PrivateKey, PublicKey

BATCH: Final = 50
_ENV: Final = "e" * 900  # about what the envelope and the payload of a comment take
_DATA: Final = "d" * 400
_TABLE: Final = (
    "CREATE TABLE message (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, env TEXT NOT NULL, "
    "data TEXT NOT NULL)"
)
_INSERT: Final = "INSERT INTO message (id, env, data) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Each of them alone, per second, except the floor."""

    fdatasync: float  # of 4 KiB
    commits: float  # SQLite, WAL, synchronous=FULL, one row each
    rows: float  # the same in transactions of BATCH rows
    sign: float  # Ed25519, the way messages are signed
    verify: float  # Ed25519, the way messages are verified (libsodium)
    posts: float  # bare aiohttp on 8 connections, both sides
    floor_p50_ms: float  # one signed message, committed on both sides, no rules: sign to answer
    floor_p99_ms: float
    floor_sent_p50_ms: float  # the part of it after the commit of the sender

    @property
    def sender_s(self) -> float:
        """What a message costs its sender at least, in seconds, in batches of BATCH."""
        return 1 / self.sign + 1 / self.rows + 1 / (BATCH * self.posts)

    @property
    def receiver_s(self) -> float:
        """What a message costs its receiver at least, in seconds, in batches of BATCH."""
        return 1 / self.verify + 1 / self.rows + 1 / (BATCH * self.posts)

    @property
    def ceiling(self) -> float:
        """Messages per second end to end: two processes on two cores, the slower one bounds."""
        return 1 / max(self.sender_s, self.receiver_s)


@dataclass(frozen=True, slots=True)
class Noise:
    """How quiet the machine was."""

    spin: float  # million turns of an empty loop per second, on one core
    fdatasync: float
    load: float  # of one minute
    steal: float  # share of processor time the hypervisor gave to others since the last gauge


class Gauge:
    """Measures the noise beside a case."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._stat = _processor_times()

    def read(self) -> Noise:
        """How it is right now; takes a tenth of a second."""
        before, self._stat = self._stat, _processor_times()
        passed = [now - then for now, then in zip(self._stat, before, strict=True)]
        turns, started = 0, time.perf_counter()
        while time.perf_counter() - started < 0.05:
            for _ in range(1000):
                pass
            turns += 1000
        spin = turns / (time.perf_counter() - started) / 1e6
        return Noise(
            spin=spin,
            fdatasync=_fdatasync(self._where, 0.05),
            load=os.getloadavg()[0],
            steal=passed[7] / max(1, sum(passed)),
        )


def measure(where: Path, *, seconds: float) -> Limits:
    """All limits, each measured for about this long; files lie in `where`."""
    key = PrivateKey.generate(SystemEntropy())
    text = jws.sign(jws.Typ.MSG, b"x" * 620, key).rpartition(".")[0].encode()
    signature = key.sign(text)
    floor, sent = asyncio.run(_floor(where, rounds=int(300 * seconds)))
    return Limits(
        fdatasync=_fdatasync(where, seconds),
        commits=_sqlite(where, 1, seconds),
        rows=_sqlite(where, BATCH, seconds),
        sign=_rate(lambda: key.sign(text), seconds),
        verify=_rate(lambda: key.public.verify(signature, text), seconds),
        posts=asyncio.run(_posts(where, seconds)),
        floor_p50_ms=percentile(floor, 50) * 1000,
        floor_p99_ms=percentile(floor, 99) * 1000,
        floor_sent_p50_ms=percentile(sent, 50) * 1000,
    )


def percentile(values: Sequence[float], which: int) -> float:
    """The value that so many per cent of the values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[which - 1]


def _rate(work: Callable[[], object], seconds: float, each: int = 1) -> float:
    done, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        for _ in range(10):
            work()
        done += 10 * each
    return done / passed


def _fdatasync(where: Path, seconds: float) -> float:
    file = os.open(where / "limit.bin", os.O_RDWR | os.O_CREAT, 0o600)
    block = b"x" * 4096

    def work() -> None:
        os.pwrite(file, block, 0)
        os.fdatasync(file)

    try:
        return _rate(work, seconds)
    finally:
        os.close(file)


def _open(path: Path) -> sqlite3.Connection:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)
    return connection


def _sqlite(where: Path, rows: int, seconds: float) -> float:
    connection = _open(where / f"limit-{rows}.db")
    batch = [("msg_0123456789abcdef0123456789abcdef", _ENV, _DATA)] * rows

    def work() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, batch)
        connection.execute("COMMIT")

    try:
        return _rate(work, seconds, each=rows)
    finally:
        connection.close()


# --- over the wire ---------------------------------------------------------------------------


async def _posts(where: Path, seconds: float) -> float:
    async with _Server(where, "bare", "") as base, _client(8) as client:
        done = 0
        started = time.perf_counter()

        async def keep_posting() -> None:
            nonlocal done
            while time.perf_counter() - started < seconds:
                async with client.post(f"{base}/bare", data=_ENV) as answer:
                    await answer.read()
                done += 1

        await asyncio.gather(*(keep_posting() for _ in range(8)))
        return done / (time.perf_counter() - started)


async def _floor(where: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from before signing to the answer, and from our commit to the answer."""
    key = PrivateKey.generate(SystemEntropy())
    connection = _open(where / "floor-sender.db")
    whole, sent = [], []
    async with _Server(where, "floor", key.public.raw.hex()) as base, _client(1) as client:
        for n in range(rounds + 20):
            asked = time.perf_counter()
            env = jws.sign(jws.Typ.MSG, f"{n:<620}".encode(), key)
            connection.execute(_INSERT, (str(n), env, _DATA))
            committed = time.perf_counter()
            async with client.post(f"{base}/floor", data=env) as answer:
                await answer.read()
                assert answer.status == 200, answer.status
            ended = time.perf_counter()
            if n >= 20:
                whole.append(ended - asked)
                sent.append(ended - committed)
            await asyncio.sleep(0.005)  # as in the case it is compared with
    connection.close()
    return whole, sent


def _client(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))


class _Server:
    """The other side of a limit, in a process of its own."""

    def __init__(self, where: Path, name: str, key: str) -> None:
        self._command = [sys.executable, "-m", "tools.bench_limits", str(where / f"{name}.db"), key]

    async def __aenter__(self) -> str:
        self._process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            self._command, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    async def __aexit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()


async def _serve(path: Path, public: str) -> None:
    connection = _open(path)
    key = PublicKey(bytes.fromhex(public)) if public else None

    async def bare(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"ok")

    async def floor(request: web.Request) -> web.Response:
        assert key is not None
        env = (await request.read()).decode()
        jws.verify(env, jws.Typ.MSG, key)
        connection.execute(_INSERT, (b64url(os.urandom(8)), env, _DATA))
        return web.Response(body=b"ok")

    application = web.Application()
    application.router.add_post("/bare", bare)
    application.router.add_post("/floor", floor)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def _processor_times() -> list[int]:
    """Ticks since the start of the machine; the eighth is time given to other guests."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return [0] * 8  # not Linux
    return [int(ticks) for ticks in line.split()[1:9]]


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
