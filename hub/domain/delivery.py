"""When to try again, and when a person must hear that it takes long.

Nothing here ever gives up: age only changes who is told.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

BASE: Final = timedelta(seconds=2)
CAP: Final = timedelta(minutes=15)
COLLECT_CAP: Final = timedelta(minutes=1)  # of a node to which no peer can say that it is back
RETRY_AFTER_CAP: Final = timedelta(hours=1)  # a peer cannot make us wait longer than this
DELAYED_AFTER: Final = timedelta(minutes=15)
OVERDUE_AFTER: Final = timedelta(hours=4)
UNREACHABLE_AFTER: Final = timedelta(hours=72)

_SPREAD: Final = 5
_MOST_DOUBLINGS: Final = 20  # 2 s × 2^20 is over any sane cap; keeps timedelta in range


class DeliveryState(StrEnum):
    """How far one message is on its way to one peer."""

    QUEUED = "queued"  # stored here, not tried yet
    SENT = "sent"  # tried; no receipt yet, so it will be tried again
    RECEIVED = "received"  # the peer's signed receipt covers it
    FAILED = "failed"  # stored by the peer and then refused: fix and send as new
    PARKED = "parked"  # put aside whole for a person


class Health(StrEnum):
    """How a link looks from the age of its oldest message without a receipt."""

    HEALTHY = "healthy"  # nothing waits long
    DELAYED = "delayed"  # a badge
    OVERDUE = "overdue"  # people are told
    UNREACHABLE = "unreachable"  # people are told again; trying goes on


def backoff(
    attempt: int,
    fraction: float,
    *,
    cap: timedelta = CAP,
    base: timedelta = BASE,
    retry_after: timedelta | None = None,
) -> timedelta:
    """How long to wait after failed attempt number `attempt` (from 1).

    Full jitter: anywhere from nothing to the doubled step, so that many nodes that lost the
    same peer do not come back in the same second. `fraction` is a random number in [0, 1).
    A peer's `retry_after` is obeyed up to an hour, and up to a fifth longer: a node that told
    all its peers the same must not have all of them back in one second.
    """
    # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    steps: int = 2 ** min(max(attempt - 1, 0), _MOST_DOUBLINGS)
    wait = min(cap, base * steps) * fraction
    asked = timedelta() if retry_after is None else min(retry_after, RETRY_AFTER_CAP)
    return max(wait, asked * (1 + fraction / _SPREAD))


def health(waiting_for: timedelta) -> Health:
    """How a link looks whose oldest message waits this long for its receipt."""
    if waiting_for >= UNREACHABLE_AFTER:
        return Health.UNREACHABLE
    if waiting_for >= OVERDUE_AFTER:
        return Health.OVERDUE
    if waiting_for >= DELAYED_AFTER:
        return Health.DELAYED
    return Health.HEALTHY
