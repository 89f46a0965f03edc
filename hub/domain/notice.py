"""What our people are told of without asking, by which way, and when a letter about it may come.

A notice says that something waits and where; what was said stands on the ticket alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from hub.domain.permission import Permission, may
from hub.errors import Refused


class Kind(StrEnum):
    """What waits for somebody."""

    ASSIGNED = "assigned"  # a ticket became theirs, and they have not looked yet
    ACCEPTANCE = "acceptance"  # an offer waits for an answer
    REPLIES = "replies"  # a partner or a requester spoke
    DEADLINE = "deadline"  # it is near, or over
    RETURNED = "returned"  # work came back
    RATING = "rating"  # finished work waits for a judgement
    ALARM = "alarm"  # something on the node needs a person


class Way(StrEnum):
    """How it is told."""

    APP = "app"  # in the console
    MAIL = "mail"  # by a letter


class Digest(StrEnum):
    """How often a letter comes at most."""

    SOON = "soon"  # a few minutes after the first of a bundle
    HOURLY = "hourly"
    DAILY = "daily"  # in the morning


NEEDS: Final[Mapping[Kind, Permission]] = {
    Kind.ASSIGNED: Permission.TICKETS_WORK,
    Kind.REPLIES: Permission.TICKETS_WORK,
    Kind.ACCEPTANCE: Permission.HANDOFFS_WRITE,
    Kind.DEADLINE: Permission.TICKETS_WORK,
    Kind.RETURNED: Permission.HANDOFFS_WRITE,
    Kind.RATING: Permission.HANDOFFS_WRITE,
    Kind.ALARM: Permission.HEALTH_READ,
}
"""Whoever may not do anything about it is not told."""

BUNDLE: Final = timedelta(minutes=5)  # what happens in so long comes in one letter
MORNING: Final = time(8)
_NOT_BY_MAIL: Final = frozenset({(Kind.REPLIES, Way.MAIL), (Kind.RATING, Way.MAIL)})
DAY_MINUTES: Final = 24 * 60


def kinds_for(role: str) -> list[Kind]:
    """What somebody of this role may be told of."""
    return [kind for kind in Kind if may(role, NEEDS[kind])]


@dataclass(frozen=True, slots=True)
class Choices:
    """What one person wants. Minutes are of their own day."""

    off: frozenset[tuple[Kind, Way]] = _NOT_BY_MAIL
    digest: Digest = Digest.SOON
    quiet_from: int | None = None
    quiet_to: int | None = None

    def wants(self, kind: Kind, way: Way) -> bool:
        """Whether they want to hear of it this way."""
        return (kind, way) not in self.off


def check(choices: Choices) -> Choices:
    """The same. Raises Refused(quiet_invalid): hours without letters need two different ends."""
    ends = (choices.quiet_from, choices.quiet_to)
    if ends == (None, None):
        return choices
    if None in ends or ends[0] == ends[1]:
        raise Refused("quiet_invalid", "Quiet hours need a beginning and another end.")
    if not all(one is not None and 0 <= one < DAY_MINUTES for one in ends):
        raise Refused("quiet_invalid", "Quiet hours need a beginning and another end.")
    return choices


def mail_at(
    choices: Choices, first_at: datetime, last_mail_at: datetime | None, zone: tzinfo
) -> datetime:
    """When the letter about what waits since `first_at` may go."""
    due = first_at + BUNDLE
    if choices.digest is Digest.HOURLY and last_mail_at is not None:
        due = max(due, last_mail_at + timedelta(hours=1))
    elif choices.digest is Digest.DAILY:
        local = first_at.astimezone(zone)
        morning = datetime.combine(local.date(), MORNING, tzinfo=zone)
        if morning < local:
            morning = datetime.combine(local.date() + timedelta(days=1), MORNING, tzinfo=zone)
        due = morning.astimezone(first_at.tzinfo)
    return _after_quiet(choices, due, zone)


def _after_quiet(choices: Choices, at: datetime, zone: tzinfo) -> datetime:
    begin, end = choices.quiet_from, choices.quiet_to
    if begin is None or end is None:
        return at
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin < end else minute >= begin or minute < end
    if not quiet:
        return at
    day = local.date() + timedelta(days=1 if minute >= end else 0)
    opens = datetime.combine(day, time(end // 60, end % 60), tzinfo=zone)
    return opens.astimezone(at.tzinfo)
