"""A clock and a source of randomness that tests own."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Stands still until it is told to move."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._start = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds=seconds)

    def advance(self, **how_far: float) -> None:
        """Move on by a `timedelta(**how_far)`."""
        self._now += timedelta(**how_far)

    def move_to(self, instant: datetime) -> None:
        """Move on to this instant (never back)."""
        self._now = max(self._now, instant)


class WrongClock:
    """The same time, told wrongly by so much."""

    def __init__(self, right: VirtualClock, by: timedelta) -> None:
        self._right = right
        self._by = by

    def now(self) -> datetime:
        return self._right.now() + self._by

    def monotonic(self) -> float:
        return self._right.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._right.sleep(seconds)


class PatientClock(VirtualClock):
    """Whoever sleeps on it sleeps until the test has moved it on far enough."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        wakes, ends = asyncio.Event(), self.monotonic() + seconds
        self._sleepers.append((ends, wakes))
        await wakes.wait()

    def move_to(self, instant: datetime) -> None:
        super().move_to(instant)
        self._wake()

    def advance(self, **how_far: float) -> None:
        super().advance(**how_far)
        self._wake()

    def _wake(self) -> None:
        for ends, wakes in self._sleepers:
            if ends <= self.monotonic():
                wakes.set()
        self._sleepers = [one for one in self._sleepers if one[0] > self.monotonic()]


class SeededEntropy:
    """The same bytes for the same seed."""

    def __init__(self, seed: str | int) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()
