"""Hand-offs, their history, and what is known of the hops below them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, type_coerce, update

from hub.domain.handoff import OVER, Act, Party, State
from hub.errors import NotFound
from hub.ids import HandoffId, HopId, LinkId, TicketId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself, one_of
from hub.storage.tables import Instant, handoff_events, handoffs, hop_refs, hop_tokens, hops


@dataclass(frozen=True, slots=True)
class Handoff:
    """One ticket offered to one peer, as this side knows it."""

    id: HandoffId
    link_id: LinkId
    ticket_id: TicketId
    party: Party
    state: State
    since: datetime
    round: int
    peer_number: str | None
    withheld: list[str]
    hops: list[str]
    hop_limit: int
    offered_at: datetime
    valid_until: datetime | None
    due_requested: datetime | None
    due_promised: datetime | None
    eta: datetime | None
    assignee: str | None
    stage: str | None
    plan: str | None
    pend_reason: str | None
    pend_until: datetime | None
    stops_clock: bool | None
    resolution: str | None
    resolution_code: str | None
    effort_minutes: int | None
    reason: str | None
    work_started: bool
    request: str | None
    request_id: str | None
    request_reason: str | None
    request_at: datetime | None
    request_deadline: datetime | None
    consent: str | None
    consent_id: str | None
    consent_text: str | None
    consent_at: datetime | None
    detached_at: datetime | None
    resolved_at: datetime | None
    confirmed_at: datetime | None
    closed_at: datetime | None
    score: int | None
    rating_criteria: dict[str, int] | None
    rating_text: str | None
    rating_rev: int
    rating_reply: str | None
    rating_reply_rev: int


@dataclass(frozen=True, slots=True)
class Side:
    """So much of a hand-off as decides who hears of something on its ticket, and how much."""

    id: HandoffId
    link_id: LinkId
    party: Party
    state: State
    withheld: list[str]
    detached_at: datetime | None


@dataclass(frozen=True, slots=True)
class HandoffEvent:
    """One line of a hand-off's history."""

    handoff_id: HandoffId
    n: int
    at: datetime
    party: str
    actor: str
    event: str
    before: str | None
    after: str | None
    facts: dict[str, Any]
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Hop:
    """A deeper hop of the chain, as the contractor below us told it."""

    id: HopId
    handoff_id: HandoffId
    above: str | None
    level: int
    role: str
    display: str | None
    status: str
    since: datetime


def _handoff(row: Any) -> Handoff:
    values = dict(row._mapping)
    values["party"] = Party(values["party"])
    values["state"] = State(values["state"])
    return Handoff(**values)


_HANDOFF: Final = select(*columns_of(handoffs, Handoff))
_BY_ID: Final = Query(
    _HANDOFF.where(handoffs.c.id == bindparam("id")), Handoff, party=Party, state=State
)
_OF_TICKET: Final = Query(
    _HANDOFF.where(handoffs.c.ticket_id == bindparam("ticket_id")).order_by(handoffs.c.id),
    Handoff,
    party=Party,
    state=State,
)
_OF_LINK: Final = Query(
    _HANDOFF.where(handoffs.c.link_id == bindparam("link_id")).order_by(handoffs.c.id),
    Handoff,
    party=Party,
    state=State,
)
_OPEN_OF_LINK: Final = Query(
    _HANDOFF.where(
        handoffs.c.link_id == bindparam("link_id"), ~one_of(handoffs.c.state, OVER)
    ).order_by(handoffs.c.id),
    Handoff,
    party=Party,
    state=State,
)
_IN_STATE: Final = Query(
    _HANDOFF.where(handoffs.c.party == bindparam("party"), handoffs.c.state == bindparam("state")),
    Handoff,
    party=Party,
    state=State,
)
_ASKED: Final = Query(
    _HANDOFF.where(handoffs.c.party == bindparam("party"), handoffs.c.request.is_not(None)),
    Handoff,
    party=Party,
    state=State,
)
_SIDES: Final = Query(
    select(*columns_of(handoffs, Side))
    .where(handoffs.c.ticket_id == bindparam("ticket_id"))
    .order_by(handoffs.c.id),
    Side,
    party=Party,
    state=State,
)
_LAST_EVENT: Final[Query[int]] = Query(
    select(func.coalesce(func.max(handoff_events.c.n), 0)).where(
        handoff_events.c.handoff_id == bindparam("handoff_id")
    ),
    itself,
)


def add(tx: Tx, **values: Any) -> None:
    """Store a new hand-off."""
    statements.add(tx, handoffs, values)


def change(tx: Tx, handoff_id: str, **values: Any) -> None:
    """Set these columns of the hand-off."""
    statements.change(tx, handoffs, {"id": handoff_id}, values)


def find(connection: Connection, handoff_id: str) -> Handoff | None:
    """The hand-off, or None."""
    return _BY_ID.one(connection, id=handoff_id)


def lock(tx: Tx, handoff_id: str) -> Handoff:
    """The hand-off, locked until the commit. Raises NotFound."""
    handoff = _BY_ID.lock(tx, id=handoff_id)
    if handoff is None:
        raise NotFound("not_found", "There is no such hand-off.")
    return handoff


def of_tickets(connection: Connection, ticket_ids: Collection[str]) -> list[Handoff]:
    """All hand-offs of these tickets, oldest first."""
    if len(ticket_ids) == 1:
        return of_ticket(connection, *ticket_ids)
    query = _HANDOFF.where(handoffs.c.ticket_id.in_(sorted(ticket_ids))).order_by(handoffs.c.id)
    return [_handoff(row) for row in connection.execute(query)]


def of_ticket(connection: Connection, ticket_id: str) -> list[Handoff]:
    """All hand-offs of a ticket, oldest first: at most one in which we are the contractor."""
    return _OF_TICKET.all(connection, ticket_id=ticket_id)


def sides(connection: Connection, ticket_id: str) -> list[Side]:
    """What `of_ticket` finds, as far as it decides who hears of something."""
    return _SIDES.all(connection, ticket_id=ticket_id)


def of_link(connection: Connection, link_id: str, *, only_open: bool) -> list[Handoff]:
    """Hand-offs over one link, oldest first."""
    query = _OPEN_OF_LINK if only_open else _OF_LINK
    return query.all(connection, link_id=link_id)


def count_open(connection: Connection, link_id: str, party: Party) -> int:
    """How many hand-offs of this link are not over, counted by the side we are on."""
    return connection.execute(
        select(func.count())
        .select_from(handoffs)
        .where(
            handoffs.c.link_id == link_id,
            handoffs.c.party == party,
            handoffs.c.state.not_in(sorted(OVER)),
        )
    ).scalar_one()


@dataclass(frozen=True, slots=True)
class Past:
    """What became of one hand-off, as far as a scorecard asks."""

    state: State
    offered_at: datetime
    accepted_at: datetime | None
    resolved_at: datetime | None
    due_promised: datetime | None
    score: int | None


def past_of(connection: Connection, link_id: str, since: datetime, most: int) -> list[Past]:
    """The newest hand-offs we offered along this link, and when each was first accepted."""
    accepted = (
        select(func.min(handoff_events.c.at))
        .where(handoff_events.c.handoff_id == handoffs.c.id, handoff_events.c.event == Act.ACCEPT)
        .correlate(handoffs)
        .scalar_subquery()
    )
    query = (
        select(
            handoffs.c.state,
            handoffs.c.offered_at,
            type_coerce(accepted, Instant),
            handoffs.c.resolved_at,
            handoffs.c.due_promised,
            handoffs.c.score,
        )
        .where(
            handoffs.c.link_id == link_id,
            handoffs.c.party == Party.PRINCIPAL,
            handoffs.c.offered_at >= since,
        )
        .order_by(handoffs.c.id.desc())
        .limit(most)
    )
    return [Past(State(row[0]), *row[1:]) for row in connection.execute(query)]


def is_here(connection: Connection, link_id: str, peer_number: str) -> bool:
    """Whether the principal's ticket of this number is with us, over this link, and not over."""
    found = connection.execute(
        select(handoffs.c.id)
        .where(
            handoffs.c.link_id == link_id,
            handoffs.c.party == Party.CONTRACTOR,
            handoffs.c.peer_number == peer_number,
            handoffs.c.state.not_in(sorted(OVER)),
        )
        .limit(1)
    )
    return found.one_or_none() is not None


def with_hops(connection: Connection, party: Party, hops: list[str]) -> Handoff | None:
    """The hand-off on which we are this party whose offer came this very way, or None."""
    if not hops:
        return None
    query = select(handoffs).where(handoffs.c.party == party)
    # Compared here: two databases spell JSON in two ways. Asked for after a restore only.
    return next((_handoff(row) for row in connection.execute(query) if row.hops == hops), None)


def with_upstream_hops(connection: Connection, hops: list[str]) -> Handoff | None:
    """A hand-off to a contractor of ours by which work that came this way went on, or None."""
    if not hops:
        return None
    query = select(handoffs).where(handoffs.c.party == Party.PRINCIPAL)
    found = (_handoff(row) for row in connection.execute(query) if row.hops[:-1] == hops)
    return next(found, None)


def in_state(connection: Connection, party: Party, state: State) -> list[Handoff]:
    """All hand-offs in this state on which we are this party."""
    return _IN_STATE.all(connection, party=party, state=state)


def with_open_request(connection: Connection, party: Party) -> list[Handoff]:
    """Hand-offs with an unanswered request, on which we are this party."""
    return _ASKED.all(connection, party=party)


def record(
    tx: Tx,
    handoff_id: str,
    *,
    at: datetime,
    party: str,
    actor: str,
    event: str,
    before: str | None = None,
    after: str | None = None,
    facts: dict[str, Any] | None = None,
    message_id: str | None = None,
) -> None:
    """Add a line to the history of a hand-off (its row is locked by the caller)."""
    n = _LAST_EVENT.one(tx.connection, handoff_id=handoff_id) or 0
    line = HandoffEvent(
        handoff_id=HandoffId(handoff_id),
        n=n + 1,
        at=at,
        party=party,
        actor=actor,
        event=event,
        before=before,
        after=after,
        facts=facts or {},
        message_id=message_id,
    )
    statements.add_record(tx, handoff_events, line)


def event_of(connection: Connection, handoff_id: str, message_id: str) -> HandoffEvent | None:
    """The line of the history that this message brought, or None."""
    query = select(handoff_events).where(
        handoff_events.c.handoff_id == handoff_id, handoff_events.c.message_id == message_id
    )
    row = connection.execute(query.order_by(handoff_events.c.n).limit(1)).one_or_none()
    return None if row is None else HandoffEvent(**row._mapping)


def change_event(tx: Tx, handoff_id: str, n: int, *, at: datetime, message_id: str) -> None:
    """Say which message told of this line, and when."""
    key = {"handoff_id": handoff_id, "n": n}
    statements.change(tx, handoff_events, key, {"at": at, "message_id": message_id})


def history(connection: Connection, handoff_id: str) -> list[HandoffEvent]:
    """The history of a hand-off, oldest first."""
    query = (
        select(handoff_events)
        .where(handoff_events.c.handoff_id == handoff_id)
        .order_by(handoff_events.c.n)
    )
    return [HandoffEvent(**row._mapping) for row in connection.execute(query)]


def remember_token(tx: Tx, token: str, handoff_id: str) -> None:
    """A hop token of ours: an offer that carries it has come round in a circle."""
    tx.connection.execute(insert(hop_tokens).values(token=token, handoff_id=handoff_id))


def own_tokens(connection: Connection, tokens: list[str]) -> set[str]:
    """Those of the tokens that are ours."""
    query = select(hop_tokens.c.token).where(hop_tokens.c.token.in_(tokens))
    return set(connection.execute(query).scalars())


def put_hop(tx: Tx, hop: Hop) -> None:
    """Store what a notice says of a deeper hop; a later notice replaces an earlier one."""
    values = {name: getattr(hop, name) for name in Hop.__dataclass_fields__}
    known = tx.connection.execute(
        select(hops.c.id).where(hops.c.id == hop.id, hops.c.handoff_id == hop.handoff_id)
    ).one_or_none()
    if known is None:
        tx.connection.execute(insert(hops).values(**values))
    else:
        tx.connection.execute(
            update(hops)
            .where(hops.c.id == hop.id, hops.c.handoff_id == hop.handoff_id)
            .values(**values)
        )


def hops_below(connection: Connection, handoff_id: str) -> list[Hop]:
    """Everything known of the hops below this hand-off, from the top down."""
    query = select(hops).where(hops.c.handoff_id == handoff_id).order_by(hops.c.level, hops.c.id)
    return [Hop(**row._mapping) for row in connection.execute(query)]


def hop_ref(connection: Connection, upstream_id: str, below: str) -> HopId | None:
    """What we call this hop towards this principal, or None."""
    found = connection.execute(
        select(hop_refs.c.hop_id).where(
            hop_refs.c.upstream_id == upstream_id, hop_refs.c.below == below
        )
    ).scalar_one_or_none()
    return None if found is None else HopId(found)


def keep_hop_ref(tx: Tx, upstream_id: str, below: str, hop_id: HopId) -> None:
    """Call this hop so towards this principal, from now on."""
    tx.connection.execute(
        insert(hop_refs).values(upstream_id=upstream_id, below=below, hop_id=hop_id)
    )
