"""Where the two streams of a link stand: what was sent, received, receipted and applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from hub.ids import HandoffId, LinkId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself
from hub.storage.tables import epochs, forks, handoff_streams, receipts, streams


@dataclass(frozen=True, slots=True)
class Stream:
    """Both directions of one link."""

    link_id: LinkId
    out_epoch: int
    out_seq: int
    out_head: str
    receipted_seq: int
    in_epoch: int
    in_seq: int
    in_head: str
    applied_seq: int
    applied_head: str


@dataclass(frozen=True, slots=True)
class HandoffStream:
    """The chain of one hand-off inside the streams of its link, per direction."""

    out_hseq: int
    out_hhead: str
    in_hseq: int
    in_hhead: str


_STREAM: Final = Query(
    select(*columns_of(streams, Stream)).where(streams.c.link_id == bindparam("link_id")), Stream
)
_EPOCHS: Final[Query[tuple[int, int]]] = Query(
    select(epochs.c.epoch, epochs.c.start_seq)
    .where(epochs.c.link_id == bindparam("link_id"), epochs.c.direction == bindparam("direction"))
    .order_by(epochs.c.epoch),
    lambda *epoch: epoch,
)
_HANDOFF: Final = Query(
    select(*columns_of(handoff_streams, HandoffStream)).where(
        handoff_streams.c.link_id == bindparam("link_id"),
        handoff_streams.c.handoff_id == bindparam("handoff_id"),
    ),
    HandoffStream,
)
_RECEIPT: Final[Query[str]] = Query(
    select(receipts.c.jws).where(
        receipts.c.link_id == bindparam("link_id"),
        receipts.c.direction == bindparam("direction"),
        receipts.c.epoch == bindparam("epoch"),
        receipts.c.upto == bindparam("upto"),
    ),
    itself,
)


def begin(tx: Tx, link_id: LinkId, agreement_hash: str) -> None:
    """Start both streams: the agreement is what their first messages point back to."""
    tx.connection.execute(
        insert(streams).values(
            link_id=link_id,
            out_epoch=1,
            out_seq=0,
            out_head=agreement_hash,
            receipted_seq=0,
            in_epoch=1,
            in_seq=0,
            in_head=agreement_hash,
            applied_seq=0,
            applied_head=agreement_hash,
        )
    )
    for direction in ("out", "in"):
        tx.connection.execute(
            insert(epochs).values(link_id=link_id, direction=direction, epoch=1, start_seq=1)
        )


def get(connection: Connection, link_id: str) -> Stream | None:
    """The streams of the link, or None before its agreement."""
    return _STREAM.one(connection, link_id=link_id)


def lock(tx: Tx, link_id: str) -> Stream:
    """The streams of an agreed link, locked: positions are given out in the order of commit."""
    stream = _STREAM.lock(tx, link_id=link_id)
    assert stream is not None
    return stream


def change(tx: Tx, link_id: str, **values: Any) -> None:
    """Set these columns of the streams."""
    statements.change(tx, streams, {"link_id": link_id}, values)


def epoch_table(connection: Connection, link_id: str, direction: str) -> list[tuple[int, int]]:
    """(epoch, first seq) of every epoch of this direction, oldest first."""
    return _EPOCHS.all(connection, link_id=link_id, direction=direction)


def handoff(tx: Tx, link_id: str, handoff_id: str) -> HandoffStream | None:
    """The chain of this hand-off, or None before its first message. The link's lock covers it."""
    return _HANDOFF.one(tx.connection, link_id=link_id, handoff_id=handoff_id)


def begin_handoff(tx: Tx, link_id: str, handoff_id: str) -> HandoffStream:
    """Start the chain of a hand-off at (0, "")."""
    tx.connection.execute(
        insert(handoff_streams).values(
            link_id=link_id, handoff_id=handoff_id, out_hseq=0, out_hhead="", in_hseq=0, in_hhead=""
        )
    )
    return HandoffStream(0, "", 0, "")


def change_handoff(tx: Tx, link_id: str, handoff_id: HandoffId | str, **values: Any) -> None:
    """Set these columns of the hand-off's chain."""
    key = {"link_id": link_id, "handoff_id": handoff_id}
    statements.change(tx, handoff_streams, key, values)


def keep_receipt(
    tx: Tx, link_id: str, direction: str, *, epoch: int, upto: int, jws: str, at: datetime
) -> None:
    """Keep a receipt as evidence; a second one for the same position changes nothing."""
    place = {"link_id": link_id, "direction": direction, "epoch": epoch, "upto": upto}
    if _RECEIPT.one(tx.connection, **place) is None:
        statements.add(tx, receipts, {**place, "jws": jws, "at": at})


def find_receipt(
    connection: Connection, link_id: str, direction: str, *, epoch: int, upto: int
) -> str | None:
    """The receipt kept for exactly this position, or None."""
    return _RECEIPT.one(connection, link_id=link_id, direction=direction, epoch=epoch, upto=upto)


def receipts_from(
    connection: Connection, link_id: str, direction: str, upto: int, limit: int
) -> list[str]:
    """Receipts from this position on, oldest first."""
    query = (
        select(receipts.c.jws)
        .where(
            receipts.c.link_id == link_id,
            receipts.c.direction == direction,
            receipts.c.upto >= upto,
        )
        .order_by(receipts.c.epoch, receipts.c.upto)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def keep_fork(tx: Tx, link_id: str, seq: int, env: str, data: str | None, at: datetime) -> bool:
    """Keep the second message that claims a position, once: proof against its signer.

    False where this very message is kept already.
    """
    known = tx.connection.execute(
        select(forks.c.id).where(forks.c.link_id == link_id, forks.c.seq == seq, forks.c.env == env)
    ).first()
    if known is not None:
        return False
    tx.connection.execute(insert(forks).values(link_id=link_id, seq=seq, env=env, data=data, at=at))
    return True
