"""Tickets."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, insert, select

from hub.domain.ticket import (
    Asset,
    ChecklistItem,
    Contact,
    Field,
    Priority,
    Requester,
    Site,
    Ticket,
    TicketStatus,
)
from hub.errors import NotFound
from hub.ids import TicketId
from hub.storage import counters, desk_tickets, search, statements
from hub.storage.database import Tx
from hub.storage.statements import Query
from hub.storage.tables import tickets

CHANGED_TOPIC: Final = "tickets"
"""Woken whenever something of a ticket changed: whoever shows tickets looks again."""

_FOUND_BY: Final = frozenset(
    {"title", "description", "requester", "contact", "site", "asset", "fields"}
)

P = TypeVar("P", Requester, Contact, Site, Asset)


def _part(kind: type[P], stored: dict[str, str] | None) -> P | None:
    return None if stored is None else kind(**stored)


def _ticket(row: Any) -> Ticket:
    values = dict(row._mapping)
    return Ticket(
        id=values["id"],
        number=values["number"],
        title=values["title"],
        description=values["description"],
        status=TicketStatus(values["status"]),
        priority=Priority(values["priority"]),
        service=values["service"],
        requester=_part(Requester, values["requester"]),
        contact=_part(Contact, values["contact"]),
        site=_part(Site, values["site"]),
        asset=_part(Asset, values["asset"]),
        fields=tuple(Field(**field) for field in values["fields"]),
        checklist=tuple(ChecklistItem(**item) for item in values["checklist"]),
        due_at=values["due_at"],
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        created_by=values["created_by"],
        assignee=values["assignee_id"],
    )


_FIELDS: Final = tuple(
    "assignee_id" if name == "assignee" else name for name in Ticket.__dataclass_fields__
)
_PARTS: Final[dict[str, Any]] = {
    "status": TicketStatus,
    "priority": Priority,
    "requester": lambda part: Requester(**part),
    "contact": lambda part: Contact(**part),
    "site": lambda part: Site(**part),
    "asset": lambda part: Asset(**part),
    "fields": lambda fields: tuple(Field(**field) for field in fields),
    "checklist": lambda items: tuple(ChecklistItem(**item) for item in items),
}
_BY_ID: Final = Query(
    select(*(tickets.c[name] for name in _FIELDS)).where(tickets.c.id == bindparam("id")),
    Ticket,
    **_PARTS,
)


def _columns(changes: dict[str, Any]) -> dict[str, Any]:
    """Domain values as columns."""
    columns: dict[str, Any] = {}
    for name, value in changes.items():
        if name == "assignee":
            columns["assignee_id"] = value
        elif name in {"requester", "contact", "site", "asset"}:
            columns[name] = None if value is None else asdict(value)
        elif name in {"fields", "checklist"}:
            columns[name] = [asdict(item) for item in value]
        else:
            columns[name] = value
    return columns


def next_number(tx: Tx) -> str:
    """A ticket number never given before: `T-1001`, `T-1002` and so on."""
    value = counters.lock(tx, "audit", "ticket")["ticket"] + 1
    counters.put(tx, "ticket", value)
    return f"T-{value}"


def raise_counter(tx: Tx, value: int) -> None:
    """Numbers up to this one are taken."""
    if counters.lock(tx, "audit", "ticket")["ticket"] < value:
        counters.put(tx, "ticket", value)


def with_number(connection: Connection, number: str) -> Ticket | None:
    """The ticket of exactly this number, or None."""
    row = connection.execute(select(tickets).where(tickets.c.number == number)).one_or_none()
    return None if row is None else _ticket(row)


def add(tx: Tx, ticket: Ticket) -> None:
    """Store a new ticket."""
    values = {name: getattr(ticket, name) for name in Ticket.__dataclass_fields__}
    tx.connection.execute(insert(tickets).values(**_columns(values)))
    search.add(tx, ticket.id, ticket.id, *search.texts(ticket))
    tx.wake(CHANGED_TOPIC)
    tx.wake(desk_tickets.TOPIC)  # a desk of ours may want to have it


def change(tx: Tx, ticket_id: TicketId, *, updated_at: datetime, **changes: Any) -> None:
    """Set these members of the ticket."""
    values = {"updated_at": updated_at, **_columns(changes)}
    statements.change(tx, tickets, {"id": ticket_id}, values)
    if not _FOUND_BY.isdisjoint(changes):
        search.change(tx, ticket_id, *search.texts(get(tx.connection, ticket_id)))
    desk_tickets.mark(tx, ticket_id)
    tx.wake(CHANGED_TOPIC)


def touch(tx: Tx, ticket_id: TicketId, at: datetime) -> None:
    """Something happened on the ticket: note it, and lock the row. Raises NotFound."""
    if statements.change(tx, tickets, {"id": ticket_id}, {"updated_at": at}) == 0:
        raise NotFound("not_found", "There is no such ticket.")
    desk_tickets.mark(tx, ticket_id)
    tx.wake(CHANGED_TOPIC)


def get(connection: Connection, ticket_id: str) -> Ticket:
    """The ticket. Raises NotFound."""
    ticket = _BY_ID.one(connection, id=ticket_id)
    if ticket is None:
        raise NotFound("not_found", "There is no such ticket.")
    return ticket


def lock(tx: Tx, ticket_id: str) -> Ticket:
    """The ticket, locked until the commit. Raises NotFound."""
    ticket = _BY_ID.lock(tx, id=ticket_id)
    if ticket is None:
        raise NotFound("not_found", "There is no such ticket.")
    return ticket


def named(connection: Connection, name: str) -> Ticket:
    """The ticket with this number (`T-1042` or `1042`) or id. Raises NotFound."""
    spelled = name.strip()
    numbers = {spelled, spelled.upper(), f"T-{spelled}"}
    row = connection.execute(
        select(tickets).where((tickets.c.number.in_(sorted(numbers))) | (tickets.c.id == spelled))
    ).first()
    if row is None:
        raise NotFound(
            "not_found",
            "There is no ticket {number}.",
            hint="hub ticket list",
            number=spelled,
        )
    return _ticket(row)


def page(
    connection: Connection,
    *,
    status: TicketStatus | None,
    before: str | None,
    limit: int,
) -> list[Ticket]:
    """Tickets, newest first, from before this id."""
    query = select(tickets).order_by(tickets.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(tickets.c.status == status)
    if before is not None:
        query = query.where(tickets.c.id < before)
    return [_ticket(row) for row in connection.execute(query)]
