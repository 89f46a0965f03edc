"""Visits of one engineer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.storage import ticket_lists, tickets
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One visit."""

    number: str
    title: str
    at: datetime
    stage: str
    due_at: datetime | None
    place: str
    address: str
    phone: str


def visits(
    connection: Connection, agent_id: str, start: datetime, end: datetime
) -> list[VisitLine]:
    """Visits between these moments, and earlier ones that are not done, in their order."""
    found = []
    for one in ticket_lists.visits(connection, agent_id, start, end):
        ticket = tickets.get(connection, one.id)
        site, contact = ticket.site, ticket.contact
        found.append(
            VisitLine(
                number=one.number,
                title=one.title,
                at=one.visit_at or start,
                stage=one.visit_stage or "planned",
                due_at=one.due_at,
                place=site.name if site is not None else "",
                address=site.address if site is not None else "",
                phone=contact.phone if contact is not None else "",
            )
        )
    return found
