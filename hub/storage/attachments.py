"""Attachments of tickets and comments, what must be fetched, and who may read which file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, func, insert, or_, select, update

from hub.domain.comment import Visibility
from hub.ids import AttachmentId, CommentId, HandoffId, LinkId, TicketId
from hub.storage import desk_tickets
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of
from hub.storage.tables import attachments, fetches, handoffs, item_refs


class FileState(StrEnum):
    """Whether the bytes of an attachment are here."""

    ANNOUNCED = "announced"  # a message named it; not yet asked for
    FETCHING = "fetching"  # part of it may be here; never visible before whole
    AVAILABLE = "available"  # whole, and its digest matches
    REFUSED = "refused"  # we do not take it (size, type, quota), with the reason
    GONE = "gone"  # the other side has it no more


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a ticket or on one of its comments."""

    id: AttachmentId
    ticket_id: TicketId
    comment_id: CommentId | None
    visibility: Visibility
    name: str
    media_type: str
    size: int
    sha256: str
    state: FileState
    reason: str | None
    at: datetime
    redacted_at: datetime | None
    origin_handoff_id: HandoffId | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """A file to pull from the peer of a link."""

    link_id: LinkId
    sha256: str
    size: int
    state: FileState
    attempts: int
    next_at: datetime | None
    last_error: str | None


_OPEN: Final = Query(
    select(*columns_of(fetches, Fetch)).where(
        or_(fetches.c.state == FileState.ANNOUNCED, fetches.c.state == FileState.FETCHING)
    ),
    Fetch,
    state=FileState,
)


def _attachment(row: Any) -> Attachment:
    values = dict(row._mapping)
    values["visibility"] = Visibility(values["visibility"])
    values["state"] = FileState(values["state"])
    return Attachment(**values)


def add(tx: Tx, attachment: Attachment) -> None:
    """Store a new attachment."""
    tx.connection.execute(
        insert(attachments).values(
            **{name: getattr(attachment, name) for name in Attachment.__dataclass_fields__}
        )
    )
    desk_tickets.mark(tx, attachment.ticket_id)


def replace(tx: Tx, attachment: Attachment) -> None:
    """Store this attachment in place of the one of its id."""
    values = {name: getattr(attachment, name) for name in Attachment.__dataclass_fields__}
    change(tx, values.pop("id"), **values)


def change(tx: Tx, attachment_id: str, **values: Any) -> None:
    """Set these columns of the attachment."""
    tx.connection.execute(
        update(attachments).where(attachments.c.id == attachment_id).values(**values)
    )
    desk_tickets.mark_of_file(tx, attachment_id)


def find(connection: Connection, attachment_id: str) -> Attachment | None:
    """The attachment, or None."""
    row = connection.execute(
        select(attachments).where(attachments.c.id == attachment_id)
    ).one_or_none()
    return None if row is None else _attachment(row)


def of_ticket(connection: Connection, ticket_id: str) -> list[Attachment]:
    """All attachments of the ticket and its comments, oldest first."""
    query = (
        select(attachments).where(attachments.c.ticket_id == ticket_id).order_by(attachments.c.id)
    )
    return [_attachment(row) for row in connection.execute(query)]


def with_digest(connection: Connection, sha256: str) -> list[Attachment]:
    """Every attachment that is this file."""
    query = select(attachments).where(attachments.c.sha256 == sha256).order_by(attachments.c.id)
    return [_attachment(row) for row in connection.execute(query)]


def is_expected(connection: Connection, sha256: str) -> bool:
    """Whether some attachment's bytes of this digest are here, or may still come."""
    query = select(attachments.c.id).where(
        attachments.c.sha256 == sha256,
        attachments.c.state.not_in([FileState.REFUSED, FileState.GONE]),
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def is_shared_with(connection: Connection, link_id: str, sha256: str) -> bool:
    """Whether a message of ours on this link named the file, and it was not taken back since."""
    query = (
        select(attachments.c.id)
        .join(item_refs, (item_refs.c.local_id == attachments.c.id) & (item_refs.c.kind == "att"))
        .join(handoffs, handoffs.c.id == item_refs.c.handoff_id)
        .where(
            attachments.c.sha256 == sha256,
            attachments.c.redacted_at.is_(None),
            item_refs.c.sent.is_(True),
            handoffs.c.link_id == link_id,
        )
        .limit(1)
    )
    return connection.execute(query).one_or_none() is not None


def may_be_read_by(connection: Connection, link_id: str, sha256: str) -> bool:
    """Whether the peer of this link may have the file: we named it to the peer, or got it there.

    The second is for a peer that lost its own copy. That it once named the digest is not
    enough: then anybody who guesses one could read what others sent us.
    """
    if is_shared_with(connection, link_id, sha256):
        return True
    query = (
        select(attachments.c.id)
        .join(handoffs, handoffs.c.id == attachments.c.origin_handoff_id)
        .where(
            attachments.c.sha256 == sha256,
            attachments.c.redacted_at.is_(None),
            attachments.c.state == FileState.AVAILABLE,
            handoffs.c.link_id == link_id,
        )
        .limit(1)
    )
    return connection.execute(query).one_or_none() is not None


def was_fetched(connection: Connection, link_id: str, sha256: str) -> bool:
    """Whether the peer of this link sent us the whole file before."""
    state = connection.execute(
        select(fetches.c.state).where(fetches.c.link_id == link_id, fetches.c.sha256 == sha256)
    ).scalar_one_or_none()
    return state == FileState.AVAILABLE


def want(tx: Tx, link_id: str, sha256: str, size: int) -> None:
    """Pull this file from the peer of the link; one that did not come before is tried anew."""
    known = tx.connection.execute(
        select(fetches.c.state).where(fetches.c.link_id == link_id, fetches.c.sha256 == sha256)
    ).scalar_one_or_none()
    if known is None:
        tx.connection.execute(
            insert(fetches).values(
                link_id=link_id, sha256=sha256, size=size, state=FileState.ANNOUNCED, attempts=0
            )
        )
    elif known in {FileState.REFUSED, FileState.GONE}:
        change_fetch(
            tx, link_id, sha256, state=FileState.ANNOUNCED, size=size, attempts=0, next_at=None
        )


def change_fetch(tx: Tx, link_id: str, sha256: str, **values: Any) -> None:
    """Set these columns of the fetch."""
    tx.connection.execute(
        update(fetches)
        .where(fetches.c.link_id == link_id, fetches.c.sha256 == sha256)
        .values(**values)
    )


def open_fetches(connection: Connection) -> list[Fetch]:
    """Everything still to be pulled."""
    return _OPEN.all(connection)


def link_bytes(connection: Connection, link_id: str) -> int:
    """Total size of the files taken or being taken from the peer of this link."""
    query = select(func.coalesce(func.sum(fetches.c.size), 0)).where(
        fetches.c.link_id == link_id,
        fetches.c.state.not_in([FileState.REFUSED, FileState.GONE]),
    )
    return int(connection.execute(query).scalar_one())
