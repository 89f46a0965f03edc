"""Lists of tickets as people and programs see them: filtered pages, search, the board."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.domain.handoff import Party
from hub.domain.search import wanted
from hub.errors import Refused
from hub.ids import is_id
from hub.storage import agents, assignments, directories, handoffs, links, search, ticket_lists
from hub.storage.database import Connection
from hub.storage.directories import Customer
from hub.storage.ticket_lists import OPEN as OPEN  # noqa: PLC0414 - doors say it too
from hub.storage.ticket_lists import Filter as Filter  # noqa: PLC0414 - doors say it too
from hub.storage.ticket_lists import Line
from hub.storage.ticket_lists import Sort as Sort  # noqa: PLC0414 - doors say it too


@dataclass(frozen=True, slots=True)
class Dot:
    """One company of the chain of a ticket, as the little picture in lists shows it."""

    company: str
    state: str  # of the hand-off that took the ticket there; ours: empty
    holds: bool  # the work is there now


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket in a list."""

    id: str
    number: str
    title: str
    status: str
    priority: str
    due_at: datetime | None
    due_source: str | None
    created_at: datetime
    updated_at: datetime
    assignee: str | None  # id
    assignee_name: str
    team: str | None
    customer: str | None  # id
    customer_name: str
    place: str
    tags: Sequence[str]
    chain: Sequence[Dot]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page, and where the next begins (null: this was the last)."""

    items: Sequence[TicketRow]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """How much one of our people has to do."""

    agent: str | None  # id; null: what nobody has taken
    name: str
    open: int
    overdue: int
    by_status: dict[str, int]


def listing(
    connection: Connection,
    filters: Filter,
    *,
    text: str = "",
    sort: Sort = Sort.UPDATED,
    cursor: str | None = None,
    limit: int = 50,
    company: str = "",
) -> Listing:
    """One page of the tickets that fit. Raises Refused(cursor_invalid)."""
    after = None if cursor is None else _read(cursor, sort)
    if text.strip():
        beginnings = wanted(text)
        filters = replace(filters, ids=search.find(connection, beginnings) if beginnings else ())
    found = ticket_lists.page(connection, filters, sort=sort, after=after, most=limit + 1)
    more = len(found) > limit
    items = rows(connection, found[:limit], company)
    return Listing(items, _written(found[limit - 1], sort) if more else None)


def _written(last: Line, sort: Sort) -> str:
    at = {Sort.UPDATED: last.updated_at, Sort.DUE: last.due_at, Sort.CREATED: None}[sort]
    said = json.dumps([sort, None if at is None else at.isoformat(), last.id])
    return base64.urlsafe_b64encode(said.encode()).rstrip(b"=").decode("ascii")


def _read(cursor: str, sort: Sort) -> tuple[datetime | None, str]:
    try:
        said = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        by, at, ticket_id = said
        moment = None if at is None else datetime.fromisoformat(at)
        fits = by == sort and is_id(ticket_id, "tkt")
        if fits and (moment is None) == (sort is Sort.CREATED):
            return moment, ticket_id
    except (ValueError, TypeError, AttributeError):
        pass
    raise Refused(
        "cursor_invalid",
        "This is no cursor of this list.",
        hint="Take `next` of the page before, unchanged.",
    )


def rows(connection: Connection, lines: Sequence[Line], company: str) -> list[TicketRow]:
    """The lines with names instead of ids, in a handful of look-ups for all of them."""
    ids = [one.id for one in lines]
    tags = assignments.tags(connection, ids)
    chains = _chains(connection, ids, company)
    people = {one.id: one.display for one in agents.everyone(connection)}
    customers = directories.names(
        connection, Customer, {one.customer_id for one in lines if one.customer_id}
    )
    return [
        TicketRow(
            id=one.id,
            number=one.number,
            title=one.title,
            status=one.status,
            priority=one.priority,
            due_at=one.due_at,
            due_source=one.due_source,
            created_at=one.created_at,
            updated_at=one.updated_at,
            assignee=one.assignee_id,
            assignee_name=people.get(one.assignee_id, "") if one.assignee_id else "",  # type: ignore[call-overload]  # plain ids
            team=one.team_id,
            customer=one.customer_id,
            customer_name=customers.get(one.customer_id or "", ""),
            place=_place(one.site),
            tags=tags.get(one.id, ()),
            chain=chains.get(one.id, ()),
        )
        for one in lines
    ]


def _place(site: dict[str, str] | None) -> str:
    return "" if not site else site.get("name") or site.get("address") or ""


def _chains(connection: Connection, ids: Collection[str], company: str) -> dict[str, list[Dot]]:
    """Principal, we, contractors: who has the work is filled."""
    found: dict[str, list[Dot]] = {}
    peers = {one.id: one.peer_name for one in links.everyone(connection)}
    above: dict[str, list[Dot]] = {}
    below: dict[str, list[Dot]] = {}
    for one in handoffs.of_tickets(connection, ids):
        side = above if one.party is Party.CONTRACTOR else below
        holds = one.party is Party.PRINCIPAL and str(one.state) in _WITH_CONTRACTOR
        dot = Dot(peers.get(one.link_id, ""), str(one.state), holds)
        side.setdefault(one.ticket_id, []).append(dot)
    for ticket_id in above.keys() | below.keys():
        downward = below.get(ticket_id, [])
        ours = Dot(company, "", not any(one.holds for one in downward))
        found[ticket_id] = [*above.get(ticket_id, []), ours, *downward]
    return found


_WITH_CONTRACTOR = frozenset({"offered", "accepted", "in_progress", "pending", "rework"})


def board(connection: Connection, now: datetime) -> list[Load]:
    """Who has how much to do, whoever has most first; what nobody has taken, before all."""
    people = {str(one.id): one for one in agents.everyone(connection)}
    counted: dict[str | None, dict[str, Any]] = {None: {"overdue": 0, "by": {}}}
    for agent_id, one in people.items():
        if one.disabled_at is None:
            counted[agent_id] = {"overdue": 0, "by": {}}
    for who, status, count, late in ticket_lists.load(connection, now):
        mine = counted.setdefault(who, {"overdue": 0, "by": {}})
        mine["by"][status] = count
        mine["overdue"] += late
    found = [
        Load(
            who,
            people[who].display if who in people else "",
            sum(one["by"].values()),
            one["overdue"],
            one["by"],
        )
        for who, one in counted.items()
    ]
    return sorted(found, key=lambda one: (one.agent is not None, -one.open, one.name))
