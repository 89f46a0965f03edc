"""Delivery marks: how far each comment is on its way to everybody who is to read it.

What a partner's node has is said by its signed receipt; what it has worked through, by the `ack`
in what it says next (docs/decisions/0058). Of a letter we know what mail servers answered, of a
foreign desk what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.domain.delivery import DeliveryState
from hub.domain.desk import REFUSED, WAS_HERE
from hub.storage import comments, desk_tickets, posts
from hub.storage.comments import Carried
from hub.storage.database import Connection
from hub.storage.posts import Post, PostState


class Mark(StrEnum):
    """How far it is."""

    QUEUED = "queued"  # it leaves as soon as it can
    LATE = "late"  # tried in vain; it is tried again
    DELIVERED = "delivered"  # the other side has it
    SEEN = "seen"  # the partner's system has worked it through
    FAILED = "failed"  # a person must look


@dataclass(frozen=True, slots=True)
class DeliveryMark:
    """How far one comment is on its way to one reader."""

    to: str  # a company, an address or a desk
    by: str  # link | mail | desk
    state: Mark
    at: datetime | None  # when it was delivered, or given up
    reason: str | None
    next_at: datetime | None  # when it is tried again
    message: str | None  # of ours to the partner, by which it can be tried again


def of_ticket(connection: Connection, ticket_id: str) -> dict[str, list[DeliveryMark]]:
    """The marks of every comment of the ticket that goes to somebody."""
    found: dict[str, list[DeliveryMark]] = {}
    carried = comments.carried(connection, ticket_id)
    letters = posts.carrying(connection, {one.message_id for one in carried})
    for one in carried:
        mark = _by_link(one, letters.get(one.message_id))
        found.setdefault(one.comment_id, []).append(mark)
    for letter in posts.of_ticket_comments(connection, ticket_id):
        found.setdefault(str(letter.comment_id), []).append(_by_mail(letter))
    for comment_id, desk, there, at in desk_tickets.comments_told(connection, ticket_id):
        if there is None or not there.startswith(WAS_HERE):
            found.setdefault(comment_id, []).append(_by_desk(desk, there, at))
    return found


def least(marks: Sequence[DeliveryMark]) -> Mark | None:
    """The least advanced of these; None where there is none."""
    return min((one.state for one in marks), key=_ORDER.index, default=None)


_ORDER: Final = (Mark.FAILED, Mark.LATE, Mark.QUEUED, Mark.DELIVERED, Mark.SEEN)


def _by_desk(desk: str, there: str | None, at: datetime) -> DeliveryMark:
    if there is None:
        return DeliveryMark(desk, "desk", Mark.QUEUED, None, None, None, None)
    taken = not there.startswith(REFUSED)
    return DeliveryMark(
        desk, "desk", Mark.DELIVERED if taken else Mark.FAILED, at, None, None, None
    )


def _by_link(one: Carried, letter: Post | None) -> DeliveryMark:
    at, reason, next_at = None, None, None
    if one.state in {DeliveryState.FAILED, DeliveryState.PARKED}:
        state, at, reason = Mark.FAILED, one.settled_at, one.last_error
    elif one.state is not DeliveryState.RECEIVED:
        state = Mark.LATE if one.attempts and one.last_error else Mark.QUEUED
        reason, next_at = one.last_error, one.next_at
    elif one.acked_seq >= one.seq:
        state, at = Mark.SEEN, one.settled_at
    elif letter is not None:
        # The node that plays the partner's has it at once; the partner has it with the letter.
        by_mail = _by_mail(letter)
        state, at, reason, next_at = by_mail.state, by_mail.at, by_mail.reason, by_mail.next_at
    else:
        state, at = Mark.DELIVERED, one.settled_at
    again = one.message_id if state in {Mark.FAILED, Mark.LATE} and letter is None else None
    return DeliveryMark(one.peer, "link", state, at, reason, next_at, again)


def _by_mail(one: Post) -> DeliveryMark:
    state, at, reason = Mark.QUEUED, None, None
    if one.bounced_at is not None:
        state, at, reason = Mark.FAILED, one.bounced_at, one.bounce
    elif one.state is PostState.SENT:
        state, at = Mark.DELIVERED, one.settled_at
    elif one.state is not PostState.QUEUED:
        state, at, reason = Mark.FAILED, one.settled_at, one.last_error
    elif one.attempts:
        state, reason = Mark.LATE, one.last_error
    return DeliveryMark(one.recipient, "mail", state, at, reason, one.next_at, None)
