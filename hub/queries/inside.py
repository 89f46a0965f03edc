"""What only we know of a ticket: whose it is, for whom, tags, ties, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.domain.ticket import Ticket
from hub.storage import agents, assignments, directories, guests, handoffs, links, teams, tickets
from hub.storage.database import Connection
from hub.storage.directories import Customer, CustomerAsset, CustomerSite


@dataclass(frozen=True, slots=True)
class TiedView:
    """A ticket that belongs to this one, with the numbers and states partners have for it."""

    id: str
    number: str
    title: str
    status: str
    kind: str  # related | duplicate | duplicated (the other is the duplicate)
    partners: Sequence[str]  # "company · their number · state"


@dataclass(frozen=True, slots=True)
class NoteView:
    """One line of what our people did to the ticket."""

    at: datetime
    actor: str
    event: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InsideView:
    """What only we know of a ticket."""

    assignee: str | None
    assignee_name: str
    team: str | None
    team_name: str
    tags: Sequence[str]
    due_source: str | None
    customer: str | None
    customer_name: str
    site: str | None
    site_name: str
    asset: str | None
    asset_name: str
    visit_at: datetime | None
    visit_stage: str | None
    client_score: int | None
    client_text: str
    tied: Sequence[TiedView]
    notes: Sequence[NoteView]


def of(connection: Connection, ticket: Ticket) -> InsideView:
    """What only we know of this ticket."""
    noted = assignments.get(connection, ticket.id)
    who = None if ticket.assignee is None else agents.find(connection, ticket.assignee)
    rating = guests.rating_of(connection, ticket.id)
    team = None if noted.team_id is None else teams.find(connection, noted.team_id)
    return InsideView(
        assignee=ticket.assignee,
        assignee_name="" if who is None else who.display,
        team=noted.team_id,
        team_name="" if team is None else team.name,
        tags=assignments.tags(connection, [ticket.id]).get(ticket.id, ()),
        due_source=None if ticket.due_at is None else noted.due_source,
        customer=noted.customer_id,
        customer_name=_called(connection, Customer, noted.customer_id),
        site=noted.site_id,
        site_name=_called(connection, CustomerSite, noted.site_id),
        asset=noted.asset_id,
        asset_name=_called(connection, CustomerAsset, noted.asset_id),
        visit_at=noted.visit_at,
        visit_stage=noted.visit_stage,
        client_score=None if rating is None else rating.score,
        client_text="" if rating is None else rating.text,
        tied=_tied(connection, ticket),
        notes=[
            NoteView(one.at, one.actor, one.event, one.facts)
            for one in assignments.history(connection, ticket.id)
        ],
    )


def _called(connection: Connection, kind: type[Any], entry_id: str | None) -> str:
    if entry_id is None:
        return ""
    return directories.names(connection, kind, [entry_id]).get(entry_id, "")


def _tied(connection: Connection, ticket: Ticket) -> list[TiedView]:
    ties = assignments.links_of(connection, ticket.id)
    ids = [one.other_id if one.ticket_id == ticket.id else one.ticket_id for one in ties]
    along: dict[str, list[str]] = {}
    for handoff in handoffs.of_tickets(connection, ids):
        peer = links.get(connection, handoff.link_id).peer_name
        said = " · ".join(part for part in (peer, handoff.peer_number) if part)
        along.setdefault(handoff.ticket_id, []).append(f"{said} · {handoff.state}")
    found = []
    for tie, other_id in zip(ties, ids, strict=True):
        other = tickets.get(connection, other_id)
        named_second = tie.other_id == ticket.id and tie.kind != "related"
        kind = "duplicated" if named_second else str(tie.kind)
        found.append(
            TiedView(
                other.id, other.number, other.title, other.status, kind, along.get(other.id, [])
            )
        )
    return found


def by_name(connection: Connection, name: str) -> InsideView:
    """The same, of the ticket with this number or id. Raises NotFound."""
    return of(connection, tickets.named(connection, name))
