"""Comments, and which of them are known to the other side of which hand-off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from hub.domain.comment import BodyFormat, Visibility
from hub.domain.delivery import DeliveryState
from hub.ids import CommentId, HandoffId, TicketId
from hub.storage import desk_tickets, search, statements
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself
from hub.storage.tables import comments, deliveries, item_refs, links, outbox, streams


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a ticket, with its newest text; made from less, it was said here just now."""

    id: CommentId
    ticket_id: TicketId
    visibility: Visibility
    author_ref: str
    author: str
    role: str
    account: str
    body: str
    at: datetime
    format: str = BodyFormat.PLAIN
    rev: int = 1
    edited_at: datetime | None = None
    redacted_at: datetime | None = None
    reply_to: CommentId | None = None
    origin_handoff_id: HandoffId | None = None


_COMMENT: Final = select(*columns_of(comments, Comment))
_BY_ID: Final = Query(
    _COMMENT.where(comments.c.id == bindparam("id")), Comment, visibility=Visibility
)
_OF_TICKET: Final = Query(
    _COMMENT.where(comments.c.ticket_id == bindparam("ticket_id")).order_by(comments.c.id),
    Comment,
    visibility=Visibility,
)
_REF: Final = (
    (item_refs.c.handoff_id == bindparam("handoff_id"))
    & (item_refs.c.kind == bindparam("kind"))
    & (item_refs.c.remote_id == bindparam("remote_id"))
)
_LOCAL_OF: Final[Query[str]] = Query(select(item_refs.c.local_id).where(_REF), itself)
_SENT: Final[Query[bool]] = Query(select(item_refs.c.sent).where(_REF), itself)
_REFS_OF: Final[Query[tuple[HandoffId, str, bool]]] = Query(
    select(item_refs.c.handoff_id, item_refs.c.remote_id, item_refs.c.sent).where(
        item_refs.c.kind == bindparam("kind"), item_refs.c.local_id == bindparam("local_id")
    ),
    lambda *ref: ref,
)


def add(tx: Tx, comment: Comment) -> None:
    """Store a new comment."""
    statements.add_record(tx, comments, comment)
    search.add(tx, comment.id, comment.ticket_id, comment.body)
    desk_tickets.mark(tx, comment.ticket_id)


def put_back(tx: Tx, comment: Comment) -> None:
    """Store one that the table has lost, whatever is left of it elsewhere."""
    search.drop(tx, comment.id)
    add(tx, comment)


def change(tx: Tx, comment_id: str, **values: Any) -> None:
    """Set these columns of the comment."""
    statements.change(tx, comments, {"id": comment_id}, values)
    desk_tickets.mark_of_comment(tx, comment_id)
    if "body" in values:
        search.change(tx, comment_id, values["body"])


def replace(tx: Tx, comment: Comment) -> None:
    """Store this comment in place of the one of its id."""
    values = {name: getattr(comment, name) for name in Comment.__dataclass_fields__}
    change(tx, values.pop("id"), **values)


def told_by(tx: Tx, handoff_id: str, kind: str, local_id: str, message_id: str) -> None:
    """Say which message took an item of ours across this hand-off."""
    key = {"handoff_id": handoff_id, "kind": kind, "local_id": local_id}
    statements.change(tx, item_refs, key, {"message_id": message_id})


def find(connection: Connection, comment_id: str) -> Comment | None:
    """The comment, or None."""
    return _BY_ID.one(connection, id=comment_id)


def of_ticket(connection: Connection, ticket_id: str) -> list[Comment]:
    """All comments of the ticket, oldest first."""
    return _OF_TICKET.all(connection, ticket_id=ticket_id)


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
    statements.add(
        tx,
        item_refs,
        {
            "handoff_id": handoff_id,
            "kind": kind,
            "remote_id": remote_id,
            "local_id": local_id,
            "sent": sent,
            "message_id": message_id,
        },
    )


def named_beside(connection: Connection, handoff_id: str, comment_id: str) -> set[str]:
    """Ids of the files that the message with this comment of ours named; none if it was erased."""
    data = connection.execute(
        select(outbox.c.data)
        .join(item_refs, item_refs.c.message_id == outbox.c.id)
        .where(_of(handoff_id, "cmt", comment_id))
    ).scalar_one_or_none()
    files = json.loads(data)["files"] if data is not None else []
    return {one["attachment_id"] for one in files}


def known_along(connection: Connection, handoff_id: str) -> list[tuple[str, str, bool]]:
    """(kind, our id, whether it went out) of all that is known across this hand-off."""
    query = select(item_refs.c.kind, item_refs.c.local_id, item_refs.c.sent).where(
        item_refs.c.handoff_id == handoff_id
    )
    return [(kind, local_id, sent) for kind, local_id, sent in connection.execute(query)]


def forget_along(tx: Tx, handoff_id: str) -> None:
    """Nothing is known across this hand-off any more; the items themselves stay."""
    tx.connection.execute(delete(item_refs).where(item_refs.c.handoff_id == handoff_id))


def unrefer(tx: Tx, handoff_id: str, kind: str, remote_id: str) -> None:
    """Forget that this id is known across this hand-off; the item itself stays."""
    tx.connection.execute(delete(item_refs).where(_of(handoff_id, kind, remote_id)))


def mark_sent(tx: Tx, handoff_id: str, kind: str, remote_id: str, *, sent: bool) -> None:
    """Say whether an id that is known across this hand-off went out or came in."""
    tx.connection.execute(
        update(item_refs).where(_of(handoff_id, kind, remote_id)).values(sent=sent)
    )


def _of(handoff_id: str, kind: str, remote_id: str) -> ColumnElement[bool]:
    return (
        (item_refs.c.handoff_id == handoff_id)
        & (item_refs.c.kind == kind)
        & (item_refs.c.remote_id == remote_id)
    )


def local_of(connection: Connection, handoff_id: str, kind: str, remote_id: str) -> str | None:
    """Our id of an item that came in across this hand-off, or None."""
    return _LOCAL_OF.one(connection, handoff_id=handoff_id, kind=kind, remote_id=remote_id)


def sent_ref(connection: Connection, handoff_id: str, kind: str, remote_id: str) -> bool | None:
    """Whether this id was sent by us (True), came in (False), or is unknown (None)."""
    return _SENT.one(connection, handoff_id=handoff_id, kind=kind, remote_id=remote_id)


def refs_of(connection: Connection, kind: str, local_id: str) -> dict[HandoffId, tuple[str, bool]]:
    """Across which hand-offs our item is known: (the id it has there, whether we sent it)."""
    found = _REFS_OF.all(connection, kind=kind, local_id=local_id)
    return {handoff_id: (remote_id, sent) for handoff_id, remote_id, sent in found}


@dataclass(frozen=True, slots=True)
class Carried:
    """The message that took a comment of ours to one peer, and how far it is."""

    comment_id: str
    peer: str
    message_id: str
    seq: int
    state: DeliveryState
    attempts: int
    settled_at: datetime | None
    last_error: str | None
    next_at: datetime | None  # of the link
    acked_seq: int  # up to here the peer said that it worked our messages through


def carried(connection: Connection, ticket_id: str) -> list[Carried]:
    """For each comment of ours on the ticket: the messages that took it to peers."""
    query = (
        select(
            item_refs.c.local_id,
            links.c.peer_name,
            outbox.c.id,
            outbox.c.seq,
            outbox.c.state,
            outbox.c.attempts,
            outbox.c.settled_at,
            outbox.c.last_error,
            deliveries.c.next_at,
            streams.c.acked_seq,
        )
        .join(comments, comments.c.id == item_refs.c.local_id)
        .join(outbox, outbox.c.id == item_refs.c.message_id)
        .join(links, links.c.id == outbox.c.link_id)
        .join(streams, streams.c.link_id == outbox.c.link_id)
        .outerjoin(deliveries, deliveries.c.link_id == outbox.c.link_id)
        .where(
            comments.c.ticket_id == ticket_id,
            item_refs.c.kind == "cmt",
            item_refs.c.sent.is_(True),
        )
        .order_by(outbox.c.id)
    )
    return [
        Carried(cmt, peer, message, seq, DeliveryState(state), *rest)
        for cmt, peer, message, seq, state, *rest in connection.execute(query)
    ]


def now_carried_by(tx: Tx, before: str, after: str) -> None:
    """What one message took to a peer, another one takes now."""
    tx.connection.execute(
        update(item_refs).where(item_refs.c.message_id == before).values(message_id=after)
    )
