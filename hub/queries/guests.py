"""What a requester sees of a ticket: never an internal word, never which partner does the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.domain.comment import Role, Visibility, may_reach_client
from hub.errors import NotFound
from hub.storage import attachments, comments, guests, tickets
from hub.storage.attachments import Attachment, FileState
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class GuestWord:
    """Something said."""

    ours: bool  # by the company; else by the requester
    body: str
    at: datetime
    files: Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class GuestTicket:
    """A ticket as its requester sees it."""

    number: str
    title: str
    status: str
    created_at: datetime
    due_at: datetime | None
    words: Sequence[GuestWord]
    files: Sequence[Attachment]
    score: int | None
    text: str


def show(connection: Connection, ticket_id: str) -> GuestTicket:
    """The ticket with what may reach its requester."""
    ticket = tickets.get(connection, ticket_id)
    files = _files(connection, ticket_id)
    rating = guests.rating_of(connection, ticket_id)
    words = [
        GuestWord(
            ours=one.role != Role.REQUESTER,
            body=one.body,
            at=one.at,
            files=[file for file in files if file.comment_id == one.id],
        )
        for one in sorted(comments.of_ticket(connection, ticket_id), key=lambda one: one.at)
        if may_reach_client(one.visibility) and one.redacted_at is None
    ]
    return GuestTicket(
        number=ticket.number,
        title=ticket.title,
        status=ticket.status,
        created_at=ticket.created_at,
        due_at=ticket.due_at,
        words=words,
        files=[one for one in files if one.comment_id is None],
        score=None if rating is None else rating.score,
        text="" if rating is None else rating.text,
    )


def _files(connection: Connection, ticket_id: str) -> list[Attachment]:
    return [
        one
        for one in attachments.of_ticket(connection, ticket_id)
        if one.redacted_at is None
        and may_reach_client(Visibility(one.visibility))
        and one.state is FileState.AVAILABLE
    ]


def file(connection: Connection, ticket_id: str, file_id: str) -> Attachment:
    """A file of the ticket that may reach its requester. Raises NotFound."""
    for one in _files(connection, ticket_id):
        if one.id == file_id:
            return one
    raise NotFound("not_found", "There is no such file.")
