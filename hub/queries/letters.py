"""Letters of both directions, as people and programs see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.errors import NotFound
from hub.i18n import gettext
from hub.storage import letters, posts, tickets
from hub.storage.database import Connection
from hub.storage.letters import LetterState, StoredLetter
from hub.storage.posts import Post, PostState


@dataclass(frozen=True, slots=True)
class LetterLine:
    """One letter in a list."""

    id: str
    direction: str  # in: it came to us; out: ours
    mailbox: str
    person: str | None  # who wrote it, or to whom we write
    subject: str | None
    state: str
    outcome: str | None
    ticket: str | None
    attempts: int
    next_at: datetime | None
    at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class LetterView:
    """One letter whole, but for its bytes."""

    line: LetterLine
    message_id: str | None
    standing: str | None
    size: int | None
    sha256: str | None
    source: str | None
    recipients: Sequence[str]
    settled_at: datetime | None
    bounced_at: datetime | None
    bounce: str | None


def _number(connection: Connection, ticket_id: str | None) -> str | None:
    return None if ticket_id is None else tickets.get(connection, ticket_id).number


def _in(connection: Connection, one: StoredLetter) -> LetterLine:
    return LetterLine(
        id=one.id,
        direction="in",
        mailbox=one.mailbox,
        person=one.author,
        subject=one.subject,
        state=one.state,
        outcome=one.outcome,
        ticket=_number(connection, one.ticket_id),
        attempts=one.attempts,
        next_at=one.next_at,
        at=one.arrived_at,
        error=None if one.last_error is None else gettext(one.last_error),
    )


def _out(connection: Connection, one: Post) -> LetterLine:
    return LetterLine(
        id=one.id,
        direction="out",
        mailbox=one.mailbox,
        person=one.recipient,
        subject=None,
        state="bounced" if one.bounced_at is not None else one.state,
        outcome=one.kind,
        ticket=_number(connection, one.ticket_id),
        attempts=one.attempts,
        next_at=one.next_at,
        at=one.made_at,
        error=one.bounce or (None if one.last_error is None else gettext(one.last_error)),
    )


def arrived(
    connection: Connection, *, state: str | None, before: str | None, limit: int
) -> list[LetterLine]:
    """Letters that came, newest first, from before this id."""
    wanted = None if state is None else LetterState(state)
    found = letters.page(connection, state=wanted, before=before, limit=limit)
    return [_in(connection, one) for one in found]


def sent(
    connection: Connection, *, state: str | None, before: str | None, limit: int
) -> list[LetterLine]:
    """Letters of ours, newest first, from before this id."""
    wanted = None if state is None else PostState(state)
    found = posts.page(connection, state=wanted, before=before, limit=limit)
    return [_out(connection, one) for one in found]


@dataclass(frozen=True, slots=True)
class WaitingLetters:
    """What is not settled."""

    held: int  # came, and waits for a person
    failed: int  # ours, and did not arrive
    oldest: datetime | None  # when the oldest one came that nobody has read


def waiting(connection: Connection) -> WaitingLetters:
    """How many letters wait for what."""
    return WaitingLetters(
        letters.count(connection, LetterState.HELD),
        posts.count(connection, PostState.FAILED),
        letters.oldest_stored(connection),
    )


def show(connection: Connection, letter_id: str) -> LetterView:
    """One letter of either direction. Raises NotFound."""
    came = letters.find(connection, letter_id)
    if came is not None:
        return LetterView(
            line=_in(connection, came),
            message_id=came.message_id,
            standing=came.standing,
            size=came.size,
            sha256=None if came.erased_at else came.sha256,
            source=came.source,
            recipients=came.recipients,
            settled_at=came.settled_at,
            bounced_at=None,
            bounce=None,
        )
    ours = posts.find(connection, letter_id)
    if ours is None:
        raise NotFound("not_found", "There is no such letter.", hint="hub mail list")
    return LetterView(
        line=_out(connection, ours),
        message_id=ours.message_id,
        standing=None,
        size=None,
        sha256=None if ours.erased_at else ours.sha256,
        source=None,
        recipients=[ours.recipient],
        settled_at=ours.settled_at,
        bounced_at=ours.bounced_at,
        bounce=ours.bounce,
    )
