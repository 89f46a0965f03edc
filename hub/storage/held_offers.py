"""Offers our people made that wait some seconds for second thoughts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from hub.ids import HandoffId, LinkId, TicketId
from hub.storage.database import Tx, for_update
from hub.storage.statements import Query, columns_of, itself
from hub.storage.tables import held_offers


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """One of them."""

    id: HandoffId
    ticket_id: TicketId
    link_id: LinkId
    wish: Mapping[str, Any]
    actor: str
    display: str
    role: str
    leaves_at: datetime


def add(tx: Tx, one: HeldOffer) -> None:
    """Store a new one."""
    values = {name: getattr(one, name) for name in HeldOffer.__dataclass_fields__}
    tx.connection.execute(insert(held_offers).values(**values))


def lock(tx: Tx, handoff_id: str) -> HeldOffer | None:
    """The one with this id, locked, or None: it has left, or was taken back."""
    query = select(held_offers).where(held_offers.c.id == handoff_id)
    row = tx.connection.execute(for_update(tx, query)).one_or_none()
    return None if row is None else HeldOffer(**row._mapping)


def find(connection: Connection, handoff_id: str) -> HeldOffer | None:
    """The one with this id, or None."""
    query = select(held_offers).where(held_offers.c.id == handoff_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else HeldOffer(**row._mapping)


def of_ticket(connection: Connection, ticket_id: str) -> list[HeldOffer]:
    """Those of a ticket, the next to leave first."""
    query = select(held_offers).where(held_offers.c.ticket_id == ticket_id)
    found = connection.execute(query.order_by(held_offers.c.leaves_at, held_offers.c.id))
    return [HeldOffer(**row._mapping) for row in found]


_DUE: Final = Query(
    select(*columns_of(held_offers, HeldOffer))
    .where(held_offers.c.leaves_at <= bindparam("now", type_=held_offers.c.leaves_at.type))
    .order_by(held_offers.c.leaves_at, held_offers.c.id)
    .limit(bindparam("most")),
    HeldOffer,
)
_NEXT_AT: Final[Query[datetime]] = Query(select(func.min(held_offers.c.leaves_at)), itself)


def due(connection: Connection, now: datetime, most: int) -> list[HeldOffer]:
    """Those whose time has come."""
    return _DUE.all(connection, now=now, most=most)


def next_at(connection: Connection) -> datetime | None:
    """When the next one leaves, or None."""
    return _NEXT_AT.one(connection)


def leave_at(tx: Tx, handoff_id: str, at: datetime) -> None:
    """Let it leave then."""
    tx.connection.execute(
        update(held_offers).where(held_offers.c.id == handoff_id).values(leaves_at=at)
    )


def remove(tx: Tx, handoff_id: str) -> None:
    """It waits no more."""
    tx.connection.execute(delete(held_offers).where(held_offers.c.id == handoff_id))
