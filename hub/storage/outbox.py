"""The outbox: sealed messages on their way to peers.

A row is the very bytes that travel; it is written in the transaction of the act it tells of.
At least once: a row is sent until the peer's signed receipt covers it; the message id is the
key by which the peer recognises a second copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

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


def _row(row: Any) -> OutboxRow:
    values = dict(row._mapping)
    values["state"] = DeliveryState(values["state"])
    return OutboxRow(**values)


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


def at(connection: Connection, link_id: str, seq: int) -> OutboxRow | None:
    """The message at this position, or None."""
    return _AT.one(connection, link_id=link_id, seq=seq)


def find(connection: Connection, message_id: str) -> OutboxRow | None:
    """The message with this id, or None."""
    row = connection.execute(select(outbox).where(outbox.c.id == message_id)).one_or_none()
    return None if row is None else _row(row)


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
            outbox.c.state.in_([DeliveryState.QUEUED, DeliveryState.SENT]),
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
        select(func.min(outbox.c.sealed_at)).where(
            outbox.c.state.in_([DeliveryState.QUEUED, DeliveryState.SENT])
        )
    ).scalar_one()
    return found
