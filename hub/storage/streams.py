"""Where the two streams of a link stand: what was sent, received, receipted and applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from hub.ids import HandoffId, LinkId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself
from hub.storage.tables import (
    deliveries,
    epochs,
    forks,
    handoff_streams,
    links,
    receipts,
    streams,
    voided,
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Both directions of one link."""

    link_id: LinkId
    out_epoch: int
    out_seq: int
    out_head: str
    receipted_seq: int
    receipted_max: int
    acked_seq: int
    revision: int
    in_epoch: int
    in_seq: int
    in_head: str
    applied_seq: int
    applied_head: str
    synced: bool
    reapplying: bool
    taken_back: bool
    out_paid_until: datetime | None
    in_paid_until: datetime | None

    @property
    def firm_seq(self) -> int:
        """Up to here our messages were receipted or acknowledged: no epoch may rewrite them."""
        return max(self.receipted_seq, self.receipted_max, self.acked_seq)


@dataclass(frozen=True, slots=True)
class HandoffStream:
    """The chain of one hand-off inside the streams of its link, per direction."""

    out_hseq: int
    out_hhead: str
    in_hseq: int
    in_hhead: str


@dataclass(frozen=True, slots=True)
class VoidedCopy:
    """A signed message whose place a later epoch gave to another."""

    epoch: int
    seq: int
    id: str
    hash: str
    env: str
    data: str | None


_STREAM: Final = Query(
    select(*columns_of(streams, Stream)).where(streams.c.link_id == bindparam("link_id")), Stream
)
_EPOCHS: Final[Query[tuple[int, int]]] = Query(
    select(epochs.c.epoch, epochs.c.start_seq)
    .where(epochs.c.link_id == bindparam("link_id"), epochs.c.direction == bindparam("direction"))
    .order_by(epochs.c.epoch),
    lambda *epoch: epoch,
)
_REAPPLYING: Final[Query[LinkId]] = Query(
    select(streams.c.link_id).where(streams.c.reapplying.is_(True)), itself
)
_HANDOFF: Final = Query(
    select(*columns_of(handoff_streams, HandoffStream)).where(
        handoff_streams.c.link_id == bindparam("link_id"),
        handoff_streams.c.handoff_id == bindparam("handoff_id"),
    ),
    HandoffStream,
)
_UNSYNCED: Final[Query[tuple[LinkId, datetime | None]]] = Query(
    select(streams.c.link_id, deliveries.c.next_at)
    .join(deliveries, deliveries.c.link_id == streams.c.link_id)
    .join(links, links.c.id == streams.c.link_id)
    .where(
        streams.c.synced.is_(False),
        links.c.peer_base_url != "",
        links.c.closed_at.is_(None) | (links.c.closed_at > bindparam("closed_before")),
    )
    .order_by(streams.c.link_id),
    lambda *unsynced: unsynced,
)
_VOIDED: Final[Query[int]] = Query(
    select(voided.c.n).where(
        voided.c.link_id == bindparam("link_id"),
        voided.c.direction == bindparam("direction"),
        voided.c.hash == bindparam("hash"),
    ),
    itself,
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
            synced=True,  # the agreement says where both stand
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


def was_taken_back(connection: Connection) -> bool:
    """Whether own messages came back from a peer's log on any link, now or ever."""
    query = select(streams.c.link_id).where(streams.c.taken_back | streams.c.reapplying).limit(1)
    return connection.execute(query).first() is not None


def reapplying(connection: Connection) -> list[LinkId]:
    """Links with own messages that are still to be re-applied."""
    return _REAPPLYING.all(connection)


def epoch_table(connection: Connection, link_id: str, direction: str) -> list[tuple[int, int]]:
    """(epoch, first seq) of every epoch of this direction, oldest first."""
    return _EPOCHS.all(connection, link_id=link_id, direction=direction)


def add_epochs(
    tx: Tx,
    link_id: str,
    direction: str,
    table: Mapping[int, int],
    *,
    instance: str | None = None,
    run: str | None = None,
) -> None:
    """Add the epochs of this table that are not known yet."""
    known = dict(epoch_table(tx.connection, link_id, direction))
    fresh = [(epoch, start) for epoch, start in sorted(table.items()) if epoch not in known]
    if fresh:
        tx.connection.execute(
            insert(epochs),
            [
                {
                    "link_id": link_id,
                    "direction": direction,
                    "epoch": epoch,
                    "start_seq": start,
                    "instance": instance,
                    "run": run,
                }
                for epoch, start in fresh
            ],
        )


def speakers(connection: Connection, link_id: str) -> list[tuple[str, str]]:
    """(instance, run) of the peer's node that began its epochs, oldest epoch first."""
    query = (
        select(epochs.c.instance, epochs.c.run)
        .where(epochs.c.link_id == link_id, epochs.c.direction == "in", epochs.c.run.is_not(None))
        .order_by(epochs.c.epoch)
    )
    return [(row.instance, row.run) for row in connection.execute(query)]


def forget_speakers(tx: Tx, link_id: str) -> None:
    """People have looked which copy of the peer's node is the right one."""
    tx.connection.execute(
        update(epochs)
        .where(epochs.c.link_id == link_id, epochs.c.direction == "in")
        .values(instance=None, run=None)
    )


def unsync_all(tx: Tx) -> None:
    """A run of the node begins: where the peers stand must be asked anew, for every link."""
    tx.connection.execute(update(streams).values(synced=False))


def unsynced(
    connection: Connection, closed_before: datetime
) -> list[tuple[LinkId, datetime | None]]:
    """Links whose peer must be asked where it stands, and when each may be tried next.

    A peer we cannot call asks for us (hub/actions/turns.py).
    A link closed before that instant has nothing to say any more, and its peer may be gone.
    """
    return _UNSYNCED.all(connection, closed_before=closed_before)


def keep_voided(
    tx: Tx, link_id: str, direction: str, copies: Iterable[VoidedCopy], at: datetime
) -> None:
    """Keep copies that a later epoch superseded as evidence, each once."""
    for copy in copies:
        place = {"link_id": link_id, "direction": direction}
        if _VOIDED.one(tx.connection, **place, hash=copy.hash) is None:
            statements.add(tx, voided, {**place, **asdict(copy), "at": at})


def voided_count(connection: Connection, link_id: str, direction: str) -> int:
    """How many superseded copies of this direction are kept."""
    query = select(func.count()).where(voided.c.link_id == link_id, voided.c.direction == direction)
    return connection.execute(query).scalar_one()


def voided_copies(connection: Connection, link_id: str, direction: str) -> list[VoidedCopy]:
    """The superseded copies of this direction, in the order in which they were put aside."""
    query = (
        select(*columns_of(voided, VoidedCopy))
        .where(voided.c.link_id == link_id, voided.c.direction == direction)
        .order_by(voided.c.n)
    )
    return [VoidedCopy(*row) for row in connection.execute(query)]


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
