"""The agreed number of messages in a minute, for both streams of a link.

Our stream is paced by the terms of the direction in which we are the principal, the peer's by
those of the other one. Both nodes count a message when its place in the stream is settled: the
receiver when it stores it, the sender when it has the receipt, which is later. So a sender that
paces itself is never told to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.actions import terms
from hub.domain import limits
from hub.domain.handoff import Party
from hub.storage.links import Link
from hub.storage.streams import Stream


@dataclass(frozen=True, slots=True)
class Paced:
    """How many messages may pass now."""

    allowed: int
    wait: timedelta  # until the next one; zero where all may pass


def incoming(link: Link, stream: Stream, now: datetime, wanted: int) -> Paced:
    """How many of the peer's messages are within the agreed rate."""
    decision = limits.decide(_theirs(link), _paid(stream.in_paid_until), now.timestamp(), wanted)
    return Paced(decision.allowed, timedelta(seconds=decision.wait_s))


def outgoing(link: Link, stream: Stream, now: datetime, wanted: int) -> Paced:
    """How many of our messages are within the agreed rate."""
    decision = limits.decide(_ours(link), _paid(stream.out_paid_until), now.timestamp(), wanted)
    return Paced(decision.allowed, timedelta(seconds=decision.wait_s))


def came(link: Link, stream: Stream, now: datetime, count: int) -> datetime:
    """Until when the peer's messages are paid for, with `count` more."""
    return _with(_theirs(link), stream.in_paid_until, now, count)


def went(link: Link, stream: Stream, now: datetime, count: int) -> datetime:
    """Until when our messages are paid for, with `count` more."""
    return _with(_ours(link), stream.out_paid_until, now, count)


def resting_until(link: Link, paid_until: datetime, now: datetime) -> datetime | None:
    """When our stream goes on, None where it may at once."""
    wait = limits.pause(_ours(link), paid_until.timestamp(), now.timestamp())
    return now + timedelta(seconds=wait) if wait else None


def _ours(link: Link) -> int:
    return terms.direction(link, Party.PRINCIPAL).messages_per_minute


def _theirs(link: Link) -> int:
    return terms.direction(link, Party.CONTRACTOR).messages_per_minute


def _paid(until: datetime | None) -> float | None:
    return None if until is None else until.timestamp()


def _with(per_minute: int, paid_until: datetime | None, now: datetime, count: int) -> datetime:
    decision = limits.decide(per_minute, _paid(paid_until), now.timestamp(), count)
    return datetime.fromtimestamp(decision.paid_until, UTC)
