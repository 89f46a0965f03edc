"""A clock and a source of randomness that tests own."""

from __future__ import annotations

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


class SeededEntropy:
    """The same bytes for the same seed."""

    def __init__(self, seed: str | int) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()
