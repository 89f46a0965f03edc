"""What our people note on tickets: whose, for whom, tags, history, tickets that belong together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from hub.domain.assignment import Assignment, DueSource, LinkKind, VisitStage
from hub.ids import TicketId
from hub.storage.database import Tx
from hub.storage.tables import ticket_events, ticket_links, ticket_tags, tickets


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of the history of a ticket."""

    ticket_id: TicketId
    n: int
    at: datetime
    actor: str
    event: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TicketLink:
    """Two tickets that belong together."""

    ticket_id: TicketId
    other_id: TicketId
    kind: LinkKind


_COLUMNS = [tickets.c[name] for name in Assignment.__dataclass_fields__]


def get(connection: Connection, ticket_id: str) -> Assignment:
    """What our people noted on this ticket."""
    row = connection.execute(select(*_COLUMNS).where(tickets.c.id == ticket_id)).one()
    values = dict(row._mapping)
    source, stage = values.pop("due_source"), values.pop("visit_stage")
    return Assignment(
        due_source=None if source is None else DueSource(source),
        visit_stage=None if stage is None else VisitStage(stage),
        **values,
    )


def change(tx: Tx, ticket_id: str, **values: Any) -> None:
    """Set these of them. The ticket is locked."""
    tx.connection.execute(update(tickets).where(tickets.c.id == ticket_id).values(**values))


def tags(connection: Connection, ticket_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The tags of each of these tickets that has any, in order."""
    query = (
        select(ticket_tags.c.ticket_id, ticket_tags.c.tag)
        .where(ticket_tags.c.ticket_id.in_(ticket_ids))
        .order_by(ticket_tags.c.ticket_id, ticket_tags.c.tag)
    )
    found: dict[str, tuple[str, ...]] = {}
    for ticket_id, tag in connection.execute(query):
        found[ticket_id] = (*found.get(ticket_id, ()), tag)
    return found


def set_tags(tx: Tx, ticket_id: str, wanted: Iterable[str]) -> None:
    """The ticket has exactly these tags."""
    tx.connection.execute(delete(ticket_tags).where(ticket_tags.c.ticket_id == ticket_id))
    rows = [{"ticket_id": ticket_id, "tag": tag} for tag in wanted]
    if rows:
        tx.connection.execute(insert(ticket_tags), rows)


def known_tags(connection: Connection, most: int) -> list[str]:
    """Tags in use, in order."""
    query = select(ticket_tags.c.tag).distinct().order_by(ticket_tags.c.tag).limit(most)
    return list(connection.execute(query).scalars())


def record(
    tx: Tx, ticket_id: str, *, at: datetime, actor: str, event: str, facts: Mapping[str, Any]
) -> None:
    """Append a line to the history. The ticket is locked, so numbers do not collide."""
    last = select(func.coalesce(func.max(ticket_events.c.n), 0)).where(
        ticket_events.c.ticket_id == ticket_id
    )
    n = tx.connection.execute(last).scalar_one() + 1
    tx.connection.execute(
        insert(ticket_events).values(
            ticket_id=ticket_id, n=n, at=at, actor=actor, event=event, facts=dict(facts)
        )
    )


def history(connection: Connection, ticket_id: str) -> list[TicketEvent]:
    """The history, oldest first."""
    query = (
        select(ticket_events)
        .where(ticket_events.c.ticket_id == ticket_id)
        .order_by(ticket_events.c.n)
    )
    return [TicketEvent(**row._mapping) for row in connection.execute(query)]


def link(tx: Tx, one: TicketLink) -> None:
    """The two belong together. Twice is once."""
    unlink(tx, one.ticket_id, one.other_id)
    tx.connection.execute(
        insert(ticket_links).values(ticket_id=one.ticket_id, other_id=one.other_id, kind=one.kind)
    )


def unlink(tx: Tx, ticket_id: str, other_id: str) -> None:
    """The two belong together no more, whichever was named first."""
    tx.connection.execute(
        delete(ticket_links).where(
            ticket_links.c.ticket_id.in_((ticket_id, other_id)),
            ticket_links.c.other_id.in_((ticket_id, other_id)),
        )
    )


def links_of(connection: Connection, ticket_id: str) -> list[TicketLink]:
    """Every tie of this ticket, either way."""
    query = select(ticket_links).where(
        or_(ticket_links.c.ticket_id == ticket_id, ticket_links.c.other_id == ticket_id)
    )
    return [
        TicketLink(row.ticket_id, row.other_id, LinkKind(row.kind))
        for row in connection.execute(query)
    ]
