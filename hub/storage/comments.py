"""Comments, and which of them are known to the other side of which hand-off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.domain.comment import Visibility
from hub.ids import CommentId, HandoffId, TicketId
from hub.storage.database import Tx
from hub.storage.tables import comments, item_refs, outbox


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a ticket, with its newest text."""

    id: CommentId
    ticket_id: TicketId
    visibility: Visibility
    author_ref: str
    author: str
    role: str
    account: str
    body: str
    format: str
    at: datetime
    rev: int
    edited_at: datetime | None
    redacted_at: datetime | None
    reply_to: CommentId | None
    origin_handoff_id: HandoffId | None


def _comment(row: Any) -> Comment:
    values = dict(row._mapping)
    values["visibility"] = Visibility(values["visibility"])
    return Comment(**values)


def add(tx: Tx, comment: Comment) -> None:
    """Store a new comment."""
    tx.connection.execute(
        insert(comments).values(
            **{name: getattr(comment, name) for name in Comment.__dataclass_fields__}
        )
    )


def change(tx: Tx, comment_id: str, **values: Any) -> None:
    """Set these columns of the comment."""
    tx.connection.execute(update(comments).where(comments.c.id == comment_id).values(**values))


def find(connection: Connection, comment_id: str) -> Comment | None:
    """The comment, or None."""
    row = connection.execute(select(comments).where(comments.c.id == comment_id)).one_or_none()
    return None if row is None else _comment(row)


def of_ticket(connection: Connection, ticket_id: str) -> list[Comment]:
    """All comments of the ticket, oldest first."""
    query = select(comments).where(comments.c.ticket_id == ticket_id).order_by(comments.c.id)
    return [_comment(row) for row in connection.execute(query)]


def refer(
    tx: Tx,
    handoff_id: str,
    kind: str,
    *,
    remote_id: str,
    local_id: str,
    sent: bool,
    message_id: str | None = None,
) -> None:
    """Remember that an item of ours (`local_id`) is known across this hand-off as `remote_id`."""
    tx.connection.execute(
        insert(item_refs).values(
            handoff_id=handoff_id,
            kind=kind,
            remote_id=remote_id,
            local_id=local_id,
            sent=sent,
            message_id=message_id,
        )
    )


def local_of(connection: Connection, handoff_id: str, kind: str, remote_id: str) -> str | None:
    """Our id of an item that came in across this hand-off, or None."""
    return connection.execute(
        select(item_refs.c.local_id).where(
            item_refs.c.handoff_id == handoff_id,
            item_refs.c.kind == kind,
            item_refs.c.remote_id == remote_id,
        )
    ).scalar_one_or_none()


def sent_ref(connection: Connection, handoff_id: str, kind: str, remote_id: str) -> bool | None:
    """Whether this id was sent by us (True), came in (False), or is unknown (None)."""
    return connection.execute(
        select(item_refs.c.sent).where(
            item_refs.c.handoff_id == handoff_id,
            item_refs.c.kind == kind,
            item_refs.c.remote_id == remote_id,
        )
    ).scalar_one_or_none()


def refs_of(connection: Connection, kind: str, local_id: str) -> dict[HandoffId, tuple[str, bool]]:
    """Across which hand-offs our item is known: (the id it has there, whether we sent it)."""
    query = select(item_refs.c.handoff_id, item_refs.c.remote_id, item_refs.c.sent).where(
        item_refs.c.kind == kind, item_refs.c.local_id == local_id
    )
    return {
        HandoffId(row.handoff_id): (row.remote_id, row.sent) for row in connection.execute(query)
    }


def delivery_marks(connection: Connection, ticket_id: str) -> dict[str, str]:
    """For each comment of ours that was sent: the least advanced state among its messages."""
    query = (
        select(item_refs.c.local_id, outbox.c.state)
        .join(comments, comments.c.id == item_refs.c.local_id)
        .join(outbox, outbox.c.id == item_refs.c.message_id)
        .where(
            comments.c.ticket_id == ticket_id,
            item_refs.c.kind == "cmt",
            item_refs.c.sent.is_(True),
        )
    )
    order = ("failed", "parked", "queued", "sent", "received")
    marks: dict[str, str] = {}
    for comment_id, state in connection.execute(query):
        known = marks.get(comment_id)
        if known is None or order.index(state) < order.index(known):
            marks[comment_id] = state
    return marks
