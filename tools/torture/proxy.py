"""A TCP proxy between two nodes that breaks what passes, by a seed.

It runs in a thread of its own. Every connection draws its fault when it opens; `heal` ends all
broken ones, and from then on everything passes.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import threading
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

_CHUNK: Final = 64 * 1024
_PATIENCE_S: Final = 4.0  # how long a stalled or dripping connection is held


class Fault(StrEnum):
    """What a connection suffers."""

    NONE = "none"  # everything passes
    LATE = "late"  # each piece waits, some longer: delay and jitter
    LOST_REPLY = "lost_reply"  # the request arrives, its answer never does
    STALLED = "stalled"  # accepted, and nothing passes
    CUT_REQUEST = "cut_request"  # ends in the middle of what the caller says
    CUT_REPLY = "cut_reply"  # ends in the middle of the answer
    FLIPPED_REQUEST = "flipped_request"  # one bit of it is another
    FLIPPED_REPLY = "flipped_reply"  # the same of the answer
    DRIPPING = "dripping"  # the answer comes at a byte a second
    REFUSED = "refused"  # nobody is there


_REQUEST: Final = frozenset({Fault.CUT_REQUEST, Fault.FLIPPED_REQUEST})
_WHERE: Final = (0, 1, 200, 1_500, 5_000, 70_000)  # up to which byte a fault may strike


class Proxy:
    """One address that leads to another, badly."""

    def __init__(self, port: int, target: int, seed: int, rate: float) -> None:
        """`rate` is the share of connections that suffer something."""
        self.rate = rate
        self.suffered: collections.Counter[Fault] = collections.Counter()
        self.cut = 0  # answers that really ended before their end
        self._port, self._target = port, target
        self._chance = random.Random(seed)
        self._script: collections.deque[tuple[Fault, int]] = collections.deque()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def heal(self) -> None:
        """From now on everything passes; what is broken ends."""
        self.rate = 0.0
        self._script.clear()
        self.end_open()

    def end_open(self) -> None:
        """Cut what is open now, so that what comes next opens anew."""
        self._loop.call_soon_threadsafe(self._end_all)

    def next_ones(self, faults: Iterable[tuple[Fault, int]]) -> None:
        """What the next connections suffer, and at which byte, before chance has its say.

        What was said before and has not come is forgotten.
        """
        self._script = collections.deque(faults)

    def close(self) -> None:
        """Let go of the address."""

        def stop() -> None:
            self._end_all()
            self._loop.stop()

        self._loop.call_soon_threadsafe(stop)
        self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        serving = asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._server = self._loop.run_until_complete(serving)
        ready.set()
        self._loop.run_forever()
        self._server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    def _end_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _draw(self) -> tuple[Fault, int]:
        if self._script:
            return self._script.popleft()
        if self._chance.random() >= self.rate:
            return Fault.NONE, 0
        fault = self._chance.choice([one for one in Fault if one is not Fault.NONE])
        return fault, self._chance.randint(0, self._chance.choice(_WHERE))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault, at = self._draw()
        self.suffered[fault] += 1
        there: asyncio.StreamWriter | None = None
        self._open.add(writer)
        try:
            if fault is Fault.REFUSED:
                return
            if fault is Fault.STALLED:
                await asyncio.sleep(_PATIENCE_S)
                return
            answers, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(there)
            there_to = fault if fault in _REQUEST | {Fault.LATE} else Fault.NONE
            back = fault if fault not in _REQUEST else Fault.NONE
            tasks = [
                asyncio.ensure_future(self._pass(reader, there, there_to, at)),
                asyncio.ensure_future(self._pass(answers, writer, back, at)),
            ]
            _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass  # a node that is down: its caller hears of it by the end of the connection
        finally:
            for one in (writer, there):
                if one is not None:
                    self._open.discard(one)
                    with contextlib.suppress(Exception):
                        one.transport.abort() if fault is not Fault.NONE else one.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault, at: int
    ) -> None:
        """Hand bytes on until the end, or until this way's fault ends it."""
        passed = 0
        while chunk := await reader.read(_CHUNK):
            if fault is Fault.LOST_REPLY:
                return
            if fault is Fault.LATE:
                await asyncio.sleep(self._chance.random() ** 3 * 0.5)
            reached = passed + len(chunk) > at
            if fault in {Fault.CUT_REQUEST, Fault.CUT_REPLY} and reached:
                self.cut += fault is Fault.CUT_REPLY
                writer.write(chunk[: at - passed])
                await writer.drain()
                return
            if fault in {Fault.FLIPPED_REQUEST, Fault.FLIPPED_REPLY} and passed <= at and reached:
                changed = bytearray(chunk)
                changed[at - passed] ^= 1 << (at % 8)
                chunk = bytes(changed)
            if fault is Fault.DRIPPING and reached:
                for byte in chunk[: int(_PATIENCE_S)]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(1)
                return
            passed += len(chunk)
            writer.write(chunk)
            await writer.drain()
