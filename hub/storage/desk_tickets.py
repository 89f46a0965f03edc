"""Pairs of tickets, one here and one on a foreign desk, and what both sides have of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from hub import ids
from hub.domain.desk import PairState
from hub.domain.handoff import Party
from hub.ids import DeskId, PairId, TicketId
from hub.storage.database import Tx, for_update
from hub.storage.statements import Command
from hub.storage.tables import (
    attachments,
    comments,
    desk_items,
    desk_tickets,
    desks,
    handoffs,
    tickets,
)
from hub.storage.waiting import Waiting

TOPIC: Final = "desks"
"""Woken whenever there may be something to tell a desk, or to ask it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Our ticket X is their ticket Y."""

    id: PairId
    desk_id: DeskId
    ticket_id: TicketId
    external_id: str | None
    number: str
    url: str
    state: PairState
    base: dict[str, list[str | None]]
    updated_there: datetime | None
    print: str | None
    changed: int
    told: int
    attempts: int
    next_at: datetime | None
    error: dict[str, Any] | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """A comment or a file that both sides have, or that is on its way over there."""

    pair_id: PairId
    kind: str
    local_id: str
    external_id: str | None
    ours: bool
    rev: int
    print: str
    at: datetime


def _pair(row: Any) -> Pair:
    values = dict(row._mapping)
    return Pair(**values | {"state": PairState(values["state"])})


# --- what changed here ----------------------------------------------------------------------

_ONE_MORE: Final = update(desk_tickets).values(changed=desk_tickets.c.changed + 1)
_MARK: Final = Command(_ONE_MORE.where(desk_tickets.c.ticket_id == bindparam("of")))
_OF_COMMENT: Final = Command(
    _ONE_MORE.where(
        desk_tickets.c.ticket_id
        == select(comments.c.ticket_id).where(comments.c.id == bindparam("of")).scalar_subquery()
    )
)
_OF_FILE: Final = Command(
    _ONE_MORE.where(
        desk_tickets.c.ticket_id
        == select(attachments.c.ticket_id)
        .where(attachments.c.id == bindparam("of"))
        .scalar_subquery()
    )
)


def mark(tx: Tx, ticket_id: str) -> None:
    """Something of this ticket changed: whatever desk has it looks what of that it is told.

    Called by every function of storage that changes a ticket, a comment or a file, so that no
    action can forget it.
    """
    _mark(tx, _MARK, ticket_id)


def mark_of_comment(tx: Tx, comment_id: str) -> None:
    """The same, of the ticket of this comment."""
    _mark(tx, _OF_COMMENT, comment_id)


def mark_of_file(tx: Tx, attachment_id: str) -> None:
    """The same, of the ticket of this file."""
    _mark(tx, _OF_FILE, attachment_id)


def _mark(tx: Tx, command: Command, of: str) -> None:
    if command.run(tx, {"of": of}):
        tx.wake(TOPIC)


# --- pairs ----------------------------------------------------------------------------------


def add(tx: Tx, pair: Pair) -> None:
    """Store a new one."""
    values = {name: getattr(pair, name) for name in Pair.__dataclass_fields__}
    tx.connection.execute(insert(desk_tickets).values(**values))
    tx.wake(TOPIC)


def change(tx: Tx, pair_id: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(update(desk_tickets).where(desk_tickets.c.id == pair_id).values(**values))


def _one(connection: Connection, query: Any) -> Pair | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _pair(row)


def find(connection: Connection, pair_id: str) -> Pair | None:
    """The one with this id."""
    return _one(connection, select(desk_tickets).where(desk_tickets.c.id == pair_id))


def lock(tx: Tx, pair_id: str) -> Pair | None:
    """The one with this id, locked until the commit; the ticket is locked before."""
    query = select(desk_tickets).where(desk_tickets.c.id == pair_id)
    return _one(tx.connection, for_update(tx, query))


def of_theirs(connection: Connection, desk_id: str, external_id: str) -> Pair | None:
    """The one with this ticket over there."""
    query = select(desk_tickets).where(
        desk_tickets.c.desk_id == desk_id, desk_tickets.c.external_id == external_id
    )
    return _one(connection, query)


def of_ours(connection: Connection, desk_id: str, ticket_id: str) -> Pair | None:
    """The one with this ticket of ours."""
    query = select(desk_tickets).where(
        desk_tickets.c.desk_id == desk_id, desk_tickets.c.ticket_id == ticket_id
    )
    return _one(connection, query)


def of_ticket(connection: Connection, ticket_id: str) -> list[Pair]:
    """Every desk that has this ticket."""
    query = (
        select(desk_tickets)
        .where(desk_tickets.c.ticket_id == ticket_id)
        .order_by(desk_tickets.c.id)
    )
    return [_pair(row) for row in connection.execute(query)]


def prints(connection: Connection, desk_id: str) -> dict[str, str]:
    """Fingerprints of what was taken last, by the id over there."""
    query = select(desk_tickets.c.external_id, desk_tickets.c.print).where(
        desk_tickets.c.desk_id == desk_id,
        desk_tickets.c.external_id.is_not(None),
        desk_tickets.c.print.is_not(None),
    )
    return dict(connection.execute(query).all())


_WAITS: Final = (desk_tickets.c.state == PairState.LIVE) & (
    desk_tickets.c.changed > desk_tickets.c.told
)
_WAITING: Final = Waiting(desk_tickets, _WAITS)
claim = _WAITING.claim


def due(connection: Connection, desk_id: str, now: datetime, most: int) -> list[Pair]:
    """Live pairs with something that may have to be told, oldest pair first."""
    fresh_first = [desk_tickets.c.next_at.is_not(None)]
    found = _WAITING.due(
        connection, now, most, desk_tickets.c.desk_id == desk_id, order=fresh_first
    )
    return [_pair(row) for row in found]


def next_at(connection: Connection, desk_id: str) -> datetime | None:
    """When the next one is to be tried again."""
    return _WAITING.next_at(connection, desk_tickets.c.desk_id == desk_id)


def unpark(tx: Tx, desk_id: str) -> int:
    """Try all that are parked again; how many."""
    done = tx.connection.execute(
        update(desk_tickets)
        .where(desk_tickets.c.desk_id == desk_id, desk_tickets.c.state == PairState.PARKED)
        .values(state=PairState.LIVE, attempts=0, next_at=None)
    )
    return done.rowcount


def unpark_one(tx: Tx, pair_id: str) -> bool:
    """Try this one again at once; False where nothing of it waits."""
    waits = (desk_tickets.c.state == PairState.PARKED) | _WAITS
    done = tx.connection.execute(
        update(desk_tickets)
        .where(desk_tickets.c.id == pair_id, waits)
        .values(state=PairState.LIVE, attempts=0, next_at=None)
    )
    return done.rowcount == 1


def hurry(tx: Tx, desk_id: str) -> None:
    """What waits for its next try is tried at once."""
    tx.connection.execute(
        update(desk_tickets)
        .where(desk_tickets.c.desk_id == desk_id, desk_tickets.c.next_at.is_not(None))
        .values(next_at=None)
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many pairs a desk has, and what of them waits."""

    by_state: dict[str, int]
    waiting: int  # changed here and not told yet


def count(connection: Connection, desk_id: str) -> Counts:
    """Of this desk."""
    states = connection.execute(
        select(desk_tickets.c.state, func.count())
        .where(desk_tickets.c.desk_id == desk_id)
        .group_by(desk_tickets.c.state)
    )
    waiting = connection.execute(
        select(func.count()).where(desk_tickets.c.desk_id == desk_id, _WAITS)
    ).scalar_one()
    return Counts(dict(states.all()), waiting)


def page(
    connection: Connection, desk_id: str, *, troubled: bool, before: str | None, limit: int
) -> list[Pair]:
    """Pairs of the desk, newest first; `troubled`: only those with an error, or not live."""
    query = select(desk_tickets).where(desk_tickets.c.desk_id == desk_id)
    if troubled:
        query = query.where(
            or_(desk_tickets.c.state != PairState.LIVE, desk_tickets.c.error.is_not(None))
        )
    if before is not None:
        query = query.where(desk_tickets.c.id < before)
    query = query.order_by(desk_tickets.c.id.desc()).limit(limit)
    return [_pair(row) for row in connection.execute(query)]


def without_pair(
    connection: Connection, desk_id: str, since: datetime, *, handed: bool, most: int
) -> list[TicketId]:
    """Tickets from since then that this desk does not have; `handed`: of partners only."""
    there = (
        select(desk_tickets.c.id)
        .where(desk_tickets.c.desk_id == desk_id, desk_tickets.c.ticket_id == tickets.c.id)
        .exists()
    )
    # Ids grow with time: so this reads the end of an index, however many tickets there are.
    query = select(tickets.c.id).where(tickets.c.id >= ids.first_at("tkt", since), ~there)
    if handed:
        by_hand = (
            select(handoffs.c.id)
            .where(handoffs.c.ticket_id == tickets.c.id, handoffs.c.party == Party.CONTRACTOR)
            .exists()
        )
        query = query.where(by_hand)
    return list(connection.execute(query.order_by(tickets.c.id).limit(most)).scalars())


# --- items ----------------------------------------------------------------------------------


def items(connection: Connection, pair_id: str) -> list[Item]:
    """Everything both sides have of this pair, oldest first."""
    query = (
        select(desk_items)
        .where(desk_items.c.pair_id == pair_id)
        .order_by(desk_items.c.at, desk_items.c.local_id)
    )
    return [Item(**row._mapping) for row in connection.execute(query)]


def comments_told(
    connection: Connection, ticket_id: str
) -> list[tuple[str, str, str | None, datetime]]:
    """Comments of ours on foreign desks: (comment, desk, its id there or None, since when)."""
    query = (
        select(desk_items.c.local_id, desks.c.name, desk_items.c.external_id, desk_items.c.at)
        .join(desk_tickets, desk_tickets.c.id == desk_items.c.pair_id)
        .join(desks, desks.c.id == desk_tickets.c.desk_id)
        .where(
            desk_tickets.c.ticket_id == ticket_id,
            desk_items.c.kind == "cmt",
            desk_items.c.ours.is_(True),
        )
        .order_by(desks.c.name)
    )
    return [tuple(row) for row in connection.execute(query)]


def keep_item(tx: Tx, item: Item) -> None:
    """Store it in the place of the one of the same key."""
    tx.connection.execute(
        delete(desk_items).where(
            desk_items.c.pair_id == item.pair_id,
            desk_items.c.kind == item.kind,
            desk_items.c.local_id == item.local_id,
        )
    )
    values = {name: getattr(item, name) for name in Item.__dataclass_fields__}
    tx.connection.execute(insert(desk_items).values(**values))
