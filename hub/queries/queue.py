"""My queue: what waits for this person, in lanes, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.domain.handoff import Act, Party, State, possible
from hub.queries import ticket_lists as lists
from hub.queries.ticket_lists import TicketRow
from hub.storage import handoffs, links, personal, ticket_lists
from hub.storage.database import Connection
from hub.storage.handoffs import Handoff

LANE_MAX: Final = 50
_BURNS: Final = timedelta(hours=4)  # a deadline is near
_RATED_WITHIN: Final = timedelta(days=14)  # later nobody remembers the work
_REPLIES_WITHIN: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One ticket in a lane."""

    ticket: TicketRow
    handoff: str | None  # the hand-off it is about
    role: str | None  # which side of it we are
    peer: str
    state: str
    since: datetime | None
    until: datetime | None  # until when something has to happen
    acts: Sequence[str]  # what we may do now
    unread: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """What waits for the same thing."""

    name: str  # acceptance | replies | deadline | returned | rating
    items: Sequence[Waiting]
    full: bool  # there is more than shown


@dataclass(frozen=True, slots=True)
class Queue:
    """All lanes, and the nearest deadline where nothing waits."""

    lanes: Sequence[Lane]
    next_due: TicketRow | None


def of(
    connection: Connection, agent_id: str, now: datetime, company: str, *, everybody: bool = False
) -> Queue:
    """What waits for this agent and for nobody in particular; `everybody`: for all of us."""
    mine = None if everybody else agent_id
    most = LANE_MAX + 1

    def stand(party: Party, *states: State) -> list[tuple[str, str]]:
        return ticket_lists.in_handoff(connection, mine, party, states, most)

    spoken = ticket_lists.replies(connection, mine, agent_id, now - _REPLIES_WITHIN, most)
    burning = ticket_lists.burning(connection, mine, now + _BURNS, most)
    found: dict[str, list[tuple[str, str | None]]] = {
        "acceptance": [
            *stand(Party.CONTRACTOR, State.OFFERED),
            *stand(Party.PRINCIPAL, State.OFFERED),
        ],
        "replies": [(one, None) for one in spoken],
        "deadline": [(one, None) for one in burning],
        "returned": [
            *stand(Party.CONTRACTOR, State.REWORK),
            *ticket_lists.left_alone(connection, mine, most),
        ],
        "rating": [
            *stand(Party.PRINCIPAL, State.RESOLVED),
            *ticket_lists.unrated(connection, mine, now - _RATED_WITHIN, most),
        ],
    }
    show = _shower(connection, found, agent_id, company, spoken)
    lanes = [
        Lane(name, [show(*one) for one in items[:LANE_MAX]], len(items) > LANE_MAX)
        for name, items in found.items()
    ]
    return Queue(lanes, None if any(one.items for one in lanes) else _next(connection, company))


def _shower(
    connection: Connection,
    found: dict[str, list[tuple[str, str | None]]],
    agent_id: str,
    company: str,
    spoken: dict[str, datetime],
) -> Callable[[str, str | None], Waiting]:
    """What makes a line of a lane: everything is looked up once, for all lanes together."""
    ids = {ticket_id for items in found.values() for ticket_id, _ in items}
    lines = ticket_lists.by_ids(connection, ids)
    tickets = {one.id: one for one in lists.rows(connection, list(lines.values()), company)}
    seen = personal.seen_until(connection, agent_id, ids)
    about = {str(one.id): one for one in handoffs.of_tickets(connection, ids)}
    peers = {one.id: one.peer_name for one in links.everyone(connection)}

    def show(ticket_id: str, handoff_id: str | None) -> Waiting:
        ticket = tickets[ticket_id]
        one: Handoff | None = about.get(handoff_id or "")
        read = seen.get(ticket_id)
        return Waiting(
            ticket=ticket,
            handoff=handoff_id,
            role=None if one is None else str(one.party),
            peer="" if one is None else peers.get(one.link_id, ""),
            state="" if one is None else str(one.state),
            since=spoken.get(ticket_id) if one is None else one.since,
            until=ticket.due_at if one is None else _until(one),
            acts=[] if one is None else _acts(one),
            unread=read is None or read < ticket.updated_at,
        )

    return show


def _until(one: Handoff) -> datetime | None:
    if one.state is State.OFFERED:
        return one.valid_until or one.due_requested
    return one.due_promised or one.due_requested


def _acts(one: Handoff) -> list[str]:
    return [str(act) for act in possible(one.party, one.state) if act is not Act.CANCELLED]


def _next(connection: Connection, company: str) -> TicketRow | None:
    nearest = ticket_lists.Filter(statuses=ticket_lists.OPEN)
    found = ticket_lists.page(connection, nearest, sort=ticket_lists.Sort.DUE, most=1)
    return next(iter(lists.rows(connection, found, company)), None)
