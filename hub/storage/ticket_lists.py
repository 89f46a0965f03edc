"""Lists of tickets: filtered pages, lanes of the queue, the board. Fast at 100,000 tickets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from hub.domain.comment import Role, Visibility
from hub.domain.handoff import OVER, Party, State
from hub.domain.ticket import TicketStatus
from hub.storage.statements import Query, itself, one_of, pair
from hub.storage.tables import comments, handoffs, seen, ticket_tags, tickets

OPEN: Final = (
    TicketStatus.NEW,
    TicketStatus.OPEN,
    TicketStatus.IN_PROGRESS,
    TicketStatus.PENDING,
    TicketStatus.RESOLVED,
)
"""Somebody still has to do something."""

NOBODY: Final = "none"
"""Stands for an assignee where there is none."""


class Sort(StrEnum):
    """By what a list is ordered; the newest first, deadlines the nearest first."""

    UPDATED = "updated"
    CREATED = "created"
    DUE = "due"  # only tickets that have one


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tickets. Everything that is said must be true of them."""

    statuses: Collection[str] = ()  # empty: any
    assignee: str | None = None  # an id, or NOBODY
    team: str | None = None
    priorities: Collection[str] = ()
    tag: str | None = None
    customer: str | None = None
    site: str | None = None
    asset: str | None = None
    link: str | None = None  # handed off along it, or came by it
    due_before: datetime | None = None
    ids: Collection[str] | None = None  # only these


@dataclass(frozen=True, slots=True)
class Line:
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
    assignee_id: str | None
    team_id: str | None
    customer_id: str | None
    site: dict[str, str] | None
    visit_at: datetime | None
    visit_stage: str | None


_COLUMNS: Final = [tickets.c[name] for name in Line.__dataclass_fields__]


def page(
    connection: Connection,
    wanted: Filter,
    *,
    sort: Sort = Sort.UPDATED,
    after: tuple[datetime | None, str] | None = None,
    most: int = 50,
) -> list[Line]:
    """Tickets in this order, from behind the one with this (value of the order, id)."""
    # A state that most tickets have is no help in finding the newest of them: walked by its index,
    # they would all be sorted. Then the order's own index is walked, from its end.
    common = sort is not Sort.CREATED and (
        len(wanted.statuses) > 1 or TicketStatus.CLOSED in wanted.statuses
    )
    query = select(*_COLUMNS).where(*_conditions(wanted, by_status=not common)).limit(most)
    if sort is Sort.CREATED:
        query = query.order_by(tickets.c.id.desc())
        if after is not None:
            query = query.where(tickets.c.id < after[1])
    elif sort is Sort.UPDATED:
        query = query.order_by(tickets.c.updated_at.desc(), tickets.c.id.desc())
        if after is not None:
            at, ticket_id = after
            same = and_(tickets.c.updated_at == at, tickets.c.id < ticket_id)
            query = query.where(tickets.c.updated_at <= at, or_(tickets.c.updated_at < at, same))
    else:
        query = query.where(tickets.c.due_at.is_not(None))
        query = query.order_by(tickets.c.due_at, tickets.c.id)
        if after is not None:
            at, ticket_id = after
            same = and_(tickets.c.due_at == at, tickets.c.id > ticket_id)
            query = query.where(tickets.c.due_at >= at, or_(tickets.c.due_at > at, same))
    return _lines(connection, query)


def _conditions(wanted: Filter, *, by_status: bool = True) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        status = tickets.c.status if by_status else tickets.c.status.concat("")  # of no index
        found.append(status.in_(sorted(wanted.statuses)))
    if wanted.assignee == NOBODY:
        found.append(tickets.c.assignee_id.is_(None))
    elif wanted.assignee is not None:
        found.append(tickets.c.assignee_id == wanted.assignee)
    if wanted.priorities:
        found.append(tickets.c.priority.in_(sorted(wanted.priorities)))
    for column, value in (
        (tickets.c.team_id, wanted.team),
        (tickets.c.customer_id, wanted.customer),
        (tickets.c.site_id, wanted.site),
        (tickets.c.asset_id, wanted.asset),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.tag is not None:
        tagged = select(ticket_tags.c.ticket_id).where(ticket_tags.c.tag == wanted.tag)
        found.append(tickets.c.id.in_(tagged))
    if wanted.link is not None:
        along = select(handoffs.c.ticket_id).where(handoffs.c.link_id == wanted.link)
        found.append(tickets.c.id.in_(along))
    if wanted.due_before is not None:
        found.append(tickets.c.due_at < wanted.due_before)
    if wanted.ids is not None:
        found.append(tickets.c.id.in_(sorted(wanted.ids)))
    return found


def _lines(connection: Connection, query: Select[Any]) -> list[Line]:
    return [Line(*row) for row in connection.execute(query)]


def by_ids(connection: Connection, ids: Collection[str]) -> dict[str, Line]:
    """These tickets."""
    query = select(*_COLUMNS).where(tickets.c.id.in_(sorted(ids)))
    return {one.id: one for one in _lines(connection, query)}


# --- lanes ----------------------------------------------------------------------------------
# Looked at all day, for everybody: each is made once.


class Whose(StrEnum):
    """Whose tickets a lane is about."""

    MINE = "mine"  # one agent's and nobody's
    ALL = "all"


def _whose(agent_id: str | None) -> Whose:
    return Whose.ALL if agent_id is None else Whose.MINE


def _scope(whose: Whose) -> list[ColumnElement[bool]]:
    """Open tickets that somebody answers for: their own and nobody's, or everybody's."""
    return [one_of(tickets.c.status, OPEN), *_answering(whose)]


def _answering(whose: Whose) -> list[ColumnElement[bool]]:
    if whose is Whose.ALL:
        return []
    mine = tickets.c.assignee_id == bindparam("agent_id")
    return [or_(mine, tickets.c.assignee_id.is_(None))]


def in_handoff(
    connection: Connection,
    agent_id: str | None,
    party: Party,
    states: Sequence[State],
    most: int,
) -> list[tuple[str, str]]:
    """(ticket, hand-off) where our side of one stands so, the longest waiting first."""
    query = _in_handoff(_whose(agent_id), party, tuple(states))
    return query.all(connection, agent_id=agent_id, most=most)


@lru_cache
def _in_handoff(whose: Whose, party: Party, states: tuple[State, ...]) -> Query[tuple[str, str]]:
    return Query(
        select(handoffs.c.ticket_id, handoffs.c.id)
        .join(tickets, tickets.c.id == handoffs.c.ticket_id)
        .where(
            one_of(handoffs.c.state, states),
            handoffs.c.party == literal(party),
            handoffs.c.detached_at.is_(None),
            *_scope(whose),
        )
        .order_by(handoffs.c.since)
        .limit(bindparam("most")),
        pair,
    )


def left_alone(connection: Connection, agent_id: str | None, most: int) -> list[tuple[str, str]]:
    """(ticket, hand-off) that the contractor ended, and nobody else has the work since."""
    return _left_alone(_whose(agent_id)).all(connection, agent_id=agent_id, most=most)


@lru_cache
def _left_alone(whose: Whose) -> Query[tuple[str, str]]:
    other = handoffs.alias()
    taken = exists().where(
        other.c.ticket_id == handoffs.c.ticket_id,
        other.c.party == literal(Party.PRINCIPAL),
        or_(~one_of(other.c.state, OVER), other.c.since > handoffs.c.since),
    )
    return Query(
        select(handoffs.c.ticket_id, handoffs.c.id)
        .join(tickets, tickets.c.id == handoffs.c.ticket_id)
        .where(
            one_of(handoffs.c.state, (State.DECLINED, State.HANDED_BACK)),
            handoffs.c.party == literal(Party.PRINCIPAL),
            ~taken,
            *_scope(whose),
        )
        .order_by(handoffs.c.since)
        .limit(bindparam("most")),
        pair,
    )


def unrated(
    connection: Connection, agent_id: str | None, since: datetime, most: int
) -> list[tuple[str, str]]:
    """(ticket, hand-off) confirmed or closed lately, and not rated."""
    query = _unrated(_whose(agent_id))
    return query.all(connection, agent_id=agent_id, since=since, most=most)


@lru_cache
def _unrated(whose: Whose) -> Query[tuple[str, str]]:
    return Query(
        select(handoffs.c.ticket_id, handoffs.c.id)
        .join(tickets, tickets.c.id == handoffs.c.ticket_id)
        .where(
            one_of(handoffs.c.state, (State.CONFIRMED, State.CLOSED)),
            handoffs.c.party == literal(Party.PRINCIPAL),
            handoffs.c.score.is_(None),
            handoffs.c.since > bindparam("since", type_=handoffs.c.since.type),
            *_answering(whose),
        )
        .order_by(handoffs.c.since)
        .limit(bindparam("most")),
        pair,
    )


def burning(connection: Connection, agent_id: str | None, before: datetime, most: int) -> list[str]:
    """Tickets whose deadline is over or near, the nearest first."""
    return _burning(_whose(agent_id)).all(connection, agent_id=agent_id, before=before, most=most)


@lru_cache
def _burning(whose: Whose) -> Query[str]:
    return Query(
        select(tickets.c.id)
        .where(
            tickets.c.due_at < bindparam("before", type_=tickets.c.due_at.type),
            tickets.c.status != literal(TicketStatus.RESOLVED),
            *_scope(whose),
        )
        .order_by(tickets.c.due_at)
        .limit(bindparam("most")),
        itself,
    )


def replies(
    connection: Connection, agent_id: str | None, reader: str, since: datetime, most: int
) -> dict[str, datetime]:
    """Tickets where somebody outside spoke after the reader looked and after we spoke: when."""
    query = _replies(_whose(agent_id))
    values = {"agent_id": agent_id, "reader": reader, "since": since, "most": most}
    return dict(query.all(connection, **values))


@lru_cache
def _replies(whose: Whose) -> Query[tuple[str, datetime]]:
    outside = or_(
        comments.c.origin_handoff_id.is_not(None), comments.c.role == literal(Role.REQUESTER)
    )
    from_outside = func.max(case((outside, comments.c.at)))
    from_us = func.max(case((~outside, comments.c.at)))
    looked = and_(seen.c.ticket_id == tickets.c.id, seen.c.agent_id == bindparam("reader"))
    return Query(
        select(comments.c.ticket_id, from_outside.label("at"))
        .join(tickets, tickets.c.id == comments.c.ticket_id)
        .outerjoin(seen, looked)
        .where(
            comments.c.visibility != literal(Visibility.INTERNAL),
            comments.c.redacted_at.is_(None),
            comments.c.at > bindparam("since", type_=comments.c.at.type),
            *_scope(whose),
        )
        .group_by(comments.c.ticket_id, seen.c.at)
        .having(
            from_outside.is_not(None),
            or_(seen.c.at.is_(None), from_outside > seen.c.at),
            or_(from_us.is_(None), from_outside > from_us),
        )
        .order_by(from_outside)
        .limit(bindparam("most")),
        pair,
    )


def visits(connection: Connection, agent_id: str, start: datetime, end: datetime) -> list[Line]:
    """Visits of an engineer between these moments, and earlier ones that are not done."""
    query = (
        select(*_COLUMNS)
        .where(
            tickets.c.assignee_id == agent_id,
            tickets.c.visit_at < end,
            or_(tickets.c.visit_at >= start, tickets.c.visit_stage != "done"),
            tickets.c.status.in_(sorted({*OPEN, TicketStatus.CLOSED})),
        )
        .order_by(tickets.c.visit_at, tickets.c.id)
        .limit(100)
    )
    return _lines(connection, query)


# --- the board ------------------------------------------------------------------------------


def load(connection: Connection, now: datetime) -> list[tuple[str | None, str, int, int]]:
    """(assignee, status, how many open tickets, how many of them overdue)."""
    late = func.sum(case((tickets.c.due_at < now, 1), else_=0))
    query = (
        select(tickets.c.assignee_id, tickets.c.status, func.count(), late)
        .where(tickets.c.status.in_(sorted(OPEN)))
        .group_by(tickets.c.assignee_id, tickets.c.status)
    )
    return [(row[0], row[1], row[2], int(row[3])) for row in connection.execute(query)]


# --- what changed ---------------------------------------------------------------------------

LATE: Final = timedelta(seconds=10)
"""A transaction notes its moment when it begins and is seen when it commits."""


def changed_since(connection: Connection, at: datetime, most: int) -> list[tuple[str, datetime]]:
    """Tickets that changed at or after this moment, oldest change first."""
    query = (
        select(tickets.c.id, tickets.c.updated_at)
        .where(tickets.c.updated_at >= at)
        .order_by(tickets.c.updated_at, tickets.c.id)
        .limit(most)
    )
    return [(row.id, row.updated_at) for row in connection.execute(query)]
