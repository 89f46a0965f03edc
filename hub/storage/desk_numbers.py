"""Which ticket of ours a number of a customer's desk is, for desks that only mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.ids import TicketId
from hub.storage.database import Tx
from hub.storage.tables import desk_numbers


@dataclass(frozen=True, slots=True)
class DeskNumber:
    """Their number, our ticket."""

    profile: str
    number: str
    ticket_id: TicketId
    correspondence_id: str
    answers: str | None
    last_line: str


def add(tx: Tx, one: DeskNumber) -> None:
    """Store a new one."""
    values = {name: getattr(one, name) for name in DeskNumber.__dataclass_fields__}
    tx.connection.execute(insert(desk_numbers).values(**values))


def find(connection: Connection, profile: str, number: str) -> DeskNumber | None:
    """The one of this number, or None."""
    return _one(connection, desk_numbers.c.profile == profile, desk_numbers.c.number == number)


def of_correspondence(connection: Connection, correspondence_id: str) -> DeskNumber | None:
    """The one whose desk gets these letters of ours; None: a person gets them."""
    return _one(connection, desk_numbers.c.correspondence_id == correspondence_id)


def _one(connection: Connection, *where: Any) -> DeskNumber | None:
    row = connection.execute(select(desk_numbers).where(*where)).first()
    return None if row is None else DeskNumber(**row._mapping)


def change(tx: Tx, profile: str, number: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(
        update(desk_numbers)
        .where(desk_numbers.c.profile == profile, desk_numbers.c.number == number)
        .values(**values)
    )
