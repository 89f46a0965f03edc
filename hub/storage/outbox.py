"""The outbox: sealed messages on their way to peers.

A row is the very bytes that travel; it is written in the transaction of the act it tells of.
At least once: a row is sent until the peer's signed receipt covers it; the message id is the
key by which the peer recognises a second copy.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from hub.domain.delivery import DeliveryState
from hub.ids import HandoffId, LinkId, MessageId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Command, Query, columns_of
from hub.storage.tables import outbox


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message to a peer."""

    link_id: LinkId
    seq: int
    epoch: int
    id: MessageId
    type: str
    control: bool
    handoff_id: HandoffId | None
    hseq: int | None
    hash: str
    env: str
    data: str | None
    sealed_at: datetime
    state: DeliveryState
    attempts: int
    last_error: str | None
    settled_at: datetime | None
    reapply: bool  # we lost it, the peer gave it back, and its effect here is still to come
    skip_reason: str | None  # our people leave it out: the next epoch has a tombstone for it


def _row(row: Any) -> OutboxRow:
    values = {name: row._mapping[name] for name in OutboxRow.__dataclass_fields__}
    values["state"] = DeliveryState(values["state"])
    return OutboxRow(**values)


ALL: Final = 2**31  # as a limit: none
_WAITING: Final = (DeliveryState.QUEUED, DeliveryState.SENT)  # no receipt covers it
_ROW: Final = select(*columns_of(outbox, OutboxRow))
_AFTER: Final = Query(
    _ROW.where(outbox.c.link_id == bindparam("link_id"), outbox.c.seq > bindparam("seq"))
    .order_by(outbox.c.seq)
    .limit(bindparam("most")),
    OutboxRow,
    state=DeliveryState,
)
_AT: Final = Query(
    _ROW.where(outbox.c.link_id == bindparam("link_id"), outbox.c.seq == bindparam("seq")),
    OutboxRow,
    state=DeliveryState,
)
_TO_REAPPLY: Final = _ROW.where(
    outbox.c.link_id == bindparam("link_id"),
    outbox.c.reapply.is_(True),
    outbox.c.state != DeliveryState.PARKED,
).order_by(outbox.c.seq)
_NEXT_TO_REAPPLY: Final = Query(_TO_REAPPLY.limit(1), OutboxRow, state=DeliveryState)
_SETTLE: Final = Command(
    update(outbox)
    .where(
        outbox.c.link_id == bindparam("of_link"),
        outbox.c.seq > bindparam("after_seq"),
        outbox.c.seq <= bindparam("upto"),
        outbox.c.state != DeliveryState.FAILED,
    )
    .values(
        state=DeliveryState.RECEIVED,
        settled_at=bindparam("settled"),
        attempts=outbox.c.attempts + 1,
        last_error=None,
    )
)


def append(tx: Tx, **values: Any) -> None:
    """Store a sealed message."""
    statements.add(tx, outbox, {"state": DeliveryState.QUEUED, "attempts": 0, **values})


def after(connection: Connection, link_id: str, seq: int, limit: int) -> list[OutboxRow]:
    """Messages behind this position, in order."""
    return _AFTER.all(connection, link_id=link_id, seq=seq, most=limit)


def remove_from(tx: Tx, link_id: str, seq: int) -> None:
    """Take this message and all behind it out of the log: they are signed again."""
    tx.connection.execute(delete(outbox).where(outbox.c.link_id == link_id, outbox.c.seq >= seq))


def settle_from(tx: Tx, link_id: str, held: int, at: datetime) -> None:
    """The peer has all up to `held` and nothing behind it, whatever we believed before."""
    of_link = outbox.c.link_id == link_id
    tx.connection.execute(
        update(outbox)
        .where(of_link, outbox.c.seq <= held, outbox.c.state.in_(_WAITING))
        .values(state=DeliveryState.RECEIVED, settled_at=at, last_error=None)
    )
    tx.connection.execute(
        update(outbox)
        .where(of_link, outbox.c.seq > held, outbox.c.state == DeliveryState.RECEIVED)
        .values(state=DeliveryState.QUEUED, settled_at=None)
    )


def waits(connection: Connection, link_id: str, type_: str, behind: int) -> bool:
    """Whether a message of this type stands behind this position."""
    return waiting(connection, link_id, type_, behind) is not None


def waiting(connection: Connection, link_id: str, type_: str, behind: int) -> OutboxRow | None:
    """The first message of this type behind this position."""
    query = _ROW.where(outbox.c.link_id == link_id, outbox.c.seq > behind, outbox.c.type == type_)
    row = connection.execute(query.order_by(outbox.c.seq).limit(1)).one_or_none()
    return None if row is None else _row(row)


def has_skipped(connection: Connection, link_id: str) -> bool:
    """Whether people want a message left out of this link's log."""
    query = select(outbox.c.seq).where(
        outbox.c.link_id == link_id, outbox.c.skip_reason.is_not(None)
    )
    return connection.execute(query.limit(1)).first() is not None


def last_of_handoff(connection: Connection, link_id: str, handoff_id: str) -> OutboxRow | None:
    """The last message of our log about this hand-off, or None."""
    query = (
        select(outbox)
        .where(outbox.c.link_id == link_id, outbox.c.handoff_id == handoff_id)
        .order_by(outbox.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _row(row)


def at(connection: Connection, link_id: str, seq: int) -> OutboxRow | None:
    """The message at this position, or None."""
    return _AT.one(connection, link_id=link_id, seq=seq)


def find(connection: Connection, message_id: str) -> OutboxRow | None:
    """The message with this id, or None."""
    row = connection.execute(select(outbox).where(outbox.c.id == message_id)).one_or_none()
    return None if row is None else _row(row)


def said(
    connection: Connection,
    link_id: str,
    type_: str,
    handoff_id: str | None,
    *,
    pending: bool,
    holding: str = "",
) -> list[OutboxRow]:
    """What was said of this type about this hand-off, in order.

    `pending` leaves only what is still to be re-applied, `holding` what has this text in it.
    """
    query = select(outbox).where(
        outbox.c.link_id == link_id,
        outbox.c.type == type_,
        outbox.c.handoff_id.is_(None) if handoff_id is None else outbox.c.handoff_id == handoff_id,
    )
    if pending:
        query = query.where(outbox.c.reapply.is_(True))
    if holding:
        query = query.where(outbox.c.data.contains(holding, autoescape=True))
    return [_row(row) for row in connection.execute(query.order_by(outbox.c.seq))]


def to_reapply(
    connection: Connection,
    link_id: str,
    type_: str | None = None,
    *,
    handoff_id: str | None = None,
) -> list[OutboxRow]:
    """Own messages of this link (of this type, about this hand-off) that are to be re-applied."""
    query = select(outbox).where(outbox.c.link_id == link_id, outbox.c.reapply.is_(True))
    if type_ is not None:
        query = query.where(outbox.c.type == type_)
    if handoff_id is not None:
        query = query.where(outbox.c.handoff_id == handoff_id)
    return [_row(row) for row in connection.execute(query.order_by(outbox.c.seq))]


def next_to_reapply(
    connection: Connection, link_id: str, parked: AbstractSet[str] = frozenset()
) -> OutboxRow | None:
    """The first of them that is not put aside and does not wait behind one that is; or None."""
    if not parked:
        return _NEXT_TO_REAPPLY.one(connection, link_id=link_id)
    query = (
        select(outbox)
        .where(
            outbox.c.link_id == link_id,
            outbox.c.reapply.is_(True),
            outbox.c.state != DeliveryState.PARKED,
            outbox.c.handoff_id.is_(None) | outbox.c.handoff_id.not_in(sorted(parked)),
        )
        .order_by(outbox.c.seq)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _row(row)


def parked_handoffs(connection: Connection, link_id: str) -> set[str]:
    """Hand-offs with a message of ours that could not be re-applied and waits for a person."""
    query = select(outbox.c.handoff_id).where(
        outbox.c.link_id == link_id,
        outbox.c.reapply.is_(True),
        outbox.c.state == DeliveryState.PARKED,
        outbox.c.handoff_id.is_not(None),
    )
    return set(connection.execute(query).scalars())


def settle_upto(tx: Tx, link_id: str, after_seq: int, upto: int, at: datetime) -> None:
    """The peer has these: mark every one that is not already marked failed."""
    _SETTLE.run(tx, {"of_link": link_id, "after_seq": after_seq, "upto": upto, "settled": at})


def mark_tried(tx: Tx, link_id: str, seqs: list[int], error: str) -> None:
    """An attempt at these was made and brought no receipt.

    Those a receipt covers all the same (it came beside a refusal of what stood behind them, or
    its answer was lost to a crash of ours) stay received.
    """
    tx.connection.execute(
        update(outbox)
        .where(
            outbox.c.link_id == link_id,
            outbox.c.seq.in_(seqs),
            outbox.c.state.in_(_WAITING),
        )
        .values(state=DeliveryState.SENT, attempts=outbox.c.attempts + 1, last_error=error)
    )


def change(tx: Tx, link_id: str, seq: int, **values: Any) -> None:
    """Set these columns of one message."""
    statements.change(tx, outbox, {"link_id": link_id, "seq": seq}, values)


def page(
    connection: Connection,
    *,
    state: DeliveryState | None,
    before: str | None,
    limit: int,
    link_id: str | None = None,
) -> list[OutboxRow]:
    """Messages to peers, newest first, from before this message id."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(outbox.c.state == state)
    if before is not None:
        query = query.where(outbox.c.id < before)
    if link_id is not None:
        query = query.where(outbox.c.link_id == link_id)
    return [_row(row) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def oldest_pending(connection: Connection) -> datetime | None:
    """When the oldest message without a receipt was sealed, or None."""
    found: datetime | None = connection.execute(
        select(func.min(outbox.c.sealed_at)).where(outbox.c.state.in_(_WAITING))
    ).scalar_one()
    return found


def payloads_of(connection: Connection, type_: str) -> list[str]:
    """The payloads of all our messages of this type that were not erased, oldest first."""
    query = (
        select(outbox.c.data)
        .where(outbox.c.type == type_, outbox.c.data.is_not(None))
        .order_by(outbox.c.link_id, outbox.c.seq)
    )
    return [str(data) for data in connection.execute(query).scalars()]
