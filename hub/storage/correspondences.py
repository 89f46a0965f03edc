"""Who exchanges letters about which ticket, and which letters belong to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.ids import TicketId
from hub.storage.database import Tx
from hub.storage.tables import correspondences, letter_ids


@dataclass(frozen=True, slots=True)
class Correspondence:
    """One person's exchange of letters about one ticket."""

    id: str
    ticket_id: TicketId
    mailbox: str
    address: str
    name: str
    language: str
    subject: str
    salt: str
    token_hash: str
    newest_id: str | None
    began_at: datetime
    ended_at: datetime | None
    handoff_id: str = ""  # empty: a requester; else a partner without a node, about this hand-off


def hashed(text: str) -> str:
    """What is kept of a token, an address or a message id that must be found again."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _one(connection: Connection, *where: Any) -> Correspondence | None:
    row = connection.execute(select(correspondences).where(*where)).first()
    return None if row is None else Correspondence(**row._mapping)


def add(tx: Tx, one: Correspondence) -> None:
    """Store a new one."""
    values = {name: getattr(one, name) for name in Correspondence.__dataclass_fields__}
    tx.connection.execute(insert(correspondences).values(**values))


def change(tx: Tx, correspondence_id: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(
        update(correspondences).where(correspondences.c.id == correspondence_id).values(**values)
    )


def find(connection: Connection, correspondence_id: str) -> Correspondence | None:
    """The one with this id."""
    return _one(connection, correspondences.c.id == correspondence_id)


def by_token(connection: Connection, token: str) -> Correspondence | None:
    """The one whose reply address has this token."""
    return _one(connection, correspondences.c.token_hash == hashed(token))


def with_person(connection: Connection, ticket_id: str, address: str) -> Correspondence | None:
    """The one with this requester about this ticket."""
    return _one(
        connection,
        correspondences.c.ticket_id == ticket_id,
        correspondences.c.address == address,
        correspondences.c.handoff_id == "",
    )


def of_handoff(connection: Connection, handoff_id: str) -> Correspondence | None:
    """The one with the partner about this hand-off."""
    return _one(connection, correspondences.c.handoff_id == handoff_id)


def of_ticket(connection: Connection, ticket_id: str) -> list[Correspondence]:
    """All with requesters about this ticket; never those with partners."""
    query = select(correspondences).where(
        correspondences.c.ticket_id == ticket_id, correspondences.c.handoff_id == ""
    )
    return [
        Correspondence(**row._mapping)
        for row in connection.execute(query.order_by(correspondences.c.id))
    ]


def by_letters(connection: Connection, message_ids: list[str]) -> list[Correspondence]:
    """Those to which letters with these ids belong."""
    if not message_ids:
        return []
    query = (
        select(correspondences)
        .join(letter_ids, letter_ids.c.correspondence_id == correspondences.c.id)
        .where(letter_ids.c.id_hash.in_([hashed(one) for one in message_ids]))
        .distinct()
    )
    return [Correspondence(**row._mapping) for row in connection.execute(query)]


def remember(tx: Tx, correspondence_id: str, message_id: str) -> None:
    """The letter with this id belongs to it."""
    try:
        with tx.part():
            tx.connection.execute(
                insert(letter_ids).values(
                    id_hash=hashed(message_id), correspondence_id=correspondence_id
                )
            )
    except IntegrityError:
        pass  # it is known already
