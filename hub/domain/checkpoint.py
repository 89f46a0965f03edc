"""When two nodes compare what they share."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

DAY: Final = timedelta(days=1)
LATELY: Final = timedelta(hours=12)
"""Whoever compared so lately need not compare again today."""

QUIET_AFTER: Final = timedelta(minutes=15)
_MOST_DOUBLINGS: Final = 5


def daily(link_id: str, node_id: str, after: datetime) -> datetime:
    """The next time of the day at which this node compares over this link.

    Spread over the day, the same every day: a node with many links does not compare with all
    of them at once, and nobody has to remember anything.
    """
    drawn = int.from_bytes(sha256(f"{link_id} {node_id}".encode()).digest()[:8], "big")
    second = drawn % int(DAY.total_seconds())
    due = after.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=second)
    return due if due > after else due + DAY


def again(tries: int) -> timedelta:
    """How long to wait for a quiet moment after so many tries that met messages on their way."""
    return QUIET_AFTER * (1 << min(tries, _MOST_DOUBLINGS))
