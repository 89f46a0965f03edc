"""Time and randomness, handed in from the first line so that tests can own both."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the hub reads the time. Instants are aware and in UTC."""

    def now(self) -> datetime:
        """The wall clock: for claims and deadlines, never for order or de-duplication."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards: for measuring how long something took."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return no earlier than `seconds` from now."""
        ...


class Entropy(Protocol):
    """Where the hub takes randomness from."""

    def bytes(self, count: int) -> bytes:
        """Unguessable bytes."""
        ...

    def fraction(self) -> float:
        """A number in [0, 1) for jitter; not for secrets."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemEntropy:
    """The operating system's generator."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def fraction(self) -> float:
        return random.random()  # noqa: S311 - jitter only, see the protocol
