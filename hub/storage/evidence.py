"""What is kept of a link as proof: both logs, receipts, superseded copies, contradictions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.evidence.verify import SUPPORT
from hub.storage.tables import forks, inbox, outbox, receipts, voided


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as it was signed."""

    seq: int
    id: str
    type: str
    handoff_id: str | None
    hash: str
    env: str
    data: str | None  # None: erased
    at: datetime  # when we sealed or stored it


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that is not part of a log."""

    env: str
    data: str | None


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt, and the place it covers."""

    upto: int
    jws: str


def log(
    connection: Connection, link_id: str, direction: str, handoffs: Collection[str] = ()
) -> list[Kept]:
    """Every message of this direction (out | in), in order.

    With `handoffs` only those about them, and those about the link on which others lean.
    """
    table, at = (outbox, outbox.c.sealed_at) if direction == "out" else (inbox, inbox.c.stored_at)
    c = table.c
    query = (
        select(c.seq, c.id, c.type, c.handoff_id, c.hash, c.env, c.data, at.label("at"))
        .where(c.link_id == link_id)
        .order_by(c.seq)
    )
    if handoffs:
        query = query.where(c.handoff_id.in_(sorted(handoffs)) | c.type.in_(sorted(SUPPORT)))
    return [Kept(**row._mapping) for row in connection.execute(query)]


def receipts_of(connection: Connection, link_id: str, direction: str) -> list[KeptReceipt]:
    """Every receipt of this direction (received | issued), in the order of what it covers."""
    query = (
        select(receipts.c.upto, receipts.c.jws)
        .where(receipts.c.link_id == link_id, receipts.c.direction == direction)
        .order_by(receipts.c.epoch, receipts.c.upto)
    )
    return [KeptReceipt(**row._mapping) for row in connection.execute(query)]


def superseded(connection: Connection, link_id: str) -> list[Aside]:
    """Copies that a later epoch superseded, in both directions."""
    query = select(voided.c.env, voided.c.data).where(voided.c.link_id == link_id)
    return _aside(connection, query.order_by(voided.c.n))


def contradictions(connection: Connection, link_id: str) -> list[Aside]:
    """Second messages for a place that was taken."""
    query = select(forks.c.env, forks.c.data).where(forks.c.link_id == link_id)
    return _aside(connection, query.order_by(forks.c.id))


def _aside(connection: Connection, query: Any) -> list[Aside]:
    return [Aside(**row._mapping) for row in connection.execute(query)]
