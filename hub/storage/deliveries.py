"""How delivery to each peer goes: failures in a row, the next try, and which process works it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from hub.ids import LinkId
from hub.storage import nodes, statements
from hub.storage.database import Tx, for_update
from hub.storage.links import Link
from hub.storage.statements import Query, columns_of
from hub.storage.tables import deliveries, delivery_attempts, links, streams


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of delivery to one peer."""

    link_id: LinkId
    failures: int
    next_at: datetime | None
    failing_since: datetime | None
    last_error: str | None
    last_ok_at: datetime | None
    collected_at: datetime | None
    paced_until: datetime | None
    lease_owner: str | None
    lease_until: datetime | None


_DELIVERY: Final = Query(
    select(*columns_of(deliveries, Delivery)).where(deliveries.c.link_id == bindparam("link_id")),
    Delivery,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A link with messages that have no receipt."""

    link_id: LinkId
    next_at: datetime | None  # after a failure: not before
    paced_until: datetime | None  # by the agreed rate: not before
    failing_since: datetime | None

    @property
    def due_at(self) -> datetime | None:
        """When it may be tried; None for at once."""
        return max((at for at in (self.next_at, self.paced_until) if at is not None), default=None)


_PENDING: Final = Query(
    select(
        deliveries.c.link_id,
        deliveries.c.next_at,
        deliveries.c.paced_until,
        deliveries.c.failing_since,
    )
    .join(streams, streams.c.link_id == deliveries.c.link_id)
    .join(links, links.c.id == deliveries.c.link_id)
    .where(
        streams.c.out_seq > streams.c.receipted_seq,
        streams.c.synced.is_(True),
        links.c.peer_base_url != "",
    )
    .order_by(deliveries.c.link_id),
    Pending,
)


def get(connection: Connection, link_id: str) -> Delivery:
    """How delivery over this link goes."""
    delivery = _DELIVERY.one(connection, link_id=link_id)
    assert delivery is not None
    return delivery


def pending(connection: Connection) -> list[Pending]:
    """Links with messages that have no receipt, and when each may be tried next.

    Only of peers we can call; the others collect what is for them.
    """
    return _PENDING.all(connection)


def succeeded(tx: Tx, link_id: str, at: datetime) -> None:
    """A receipt came."""
    statements.change(
        tx,
        deliveries,
        {"link_id": link_id},
        {
            "failures": 0,
            "next_at": None,
            "failing_since": None,
            "last_error": None,
            "last_ok_at": at,
        },
    )


def silent_for(connection: Connection, link: Link, now: datetime) -> timedelta:
    """For how long a peer that we cannot call has not come, though it could have."""
    node = nodes.find(connection)
    since = (
        get(connection, link.id).collected_at,
        link.active_at,
        None if node is None else node.run_began_at,  # before that nobody could
    )
    return now - max((at for at in since if at is not None), default=link.created_at)


def collected(tx: Tx, link_id: str, at: datetime) -> None:
    """The peer asked what is for it."""
    statements.change(tx, deliveries, {"link_id": link_id}, {"collected_at": at})


def pace(tx: Tx, link_id: str, until: datetime) -> None:
    """By the agreed rate nothing more may leave before."""
    statements.change(tx, deliveries, {"link_id": link_id}, {"paced_until": until})


def failed(
    tx: Tx, link_id: str, *, failures: int, next_at: datetime, since: datetime, error: str
) -> None:
    """No receipt came."""
    values = {
        "failures": failures,
        "next_at": next_at,
        "failing_since": since,
        "last_error": error,
    }
    statements.change(tx, deliveries, {"link_id": link_id}, values)


ATTEMPTS_KEPT: Final = timedelta(days=35)
ANSWER_MAX: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that brought no receipt."""

    at: datetime
    code: str
    answer: str
    together: int  # with so many messages, this one among them


def note_attempt(
    tx: Tx, link_id: str, seqs: Sequence[int], *, at: datetime, code: str, answer: str
) -> None:
    """Keep what came of an attempt for whoever asks why."""
    values = {"link_id": link_id, "first_seq": min(seqs), "last_seq": max(seqs), "at": at}
    tx.connection.execute(
        insert(delivery_attempts).values(**values, code=code, answer=answer[:ANSWER_MAX])
    )


def attempts_at(connection: Connection, link_id: str, seq: int, most: int = 50) -> list[Attempt]:
    """The last attempts at this message, the newest first."""
    table = delivery_attempts.c
    query = (
        select(table.at, table.code, table.answer, table.last_seq - table.first_seq + 1)
        .where(table.link_id == link_id, table.first_seq <= seq, table.last_seq >= seq)
        .order_by(table.n.desc())
        .limit(most)
    )
    return [Attempt(*row) for row in connection.execute(query)]


def forget_attempts_before(tx: Tx, before: datetime) -> None:
    """Drop what is too old to be asked for."""
    tx.connection.execute(delete(delivery_attempts).where(delivery_attempts.c.at < before))


def try_now(tx: Tx, link_id: str) -> None:
    """Do not wait any longer."""
    statements.change(tx, deliveries, {"link_id": link_id}, {"failures": 0, "next_at": None})


def let_try(tx: Tx, link_id: str) -> None:
    """Try once more at once; what has failed in a row so far still counts."""
    statements.change(tx, deliveries, {"link_id": link_id}, {"next_at": None})


def claim(tx: Tx, link_id: str, owner: str, now: datetime, until: datetime) -> bool:
    """Take the work of this link for one process; False while another has it."""
    row = _DELIVERY.lock(tx, link_id=link_id)
    if row is None:
        return False
    if row.lease_owner not in {None, owner} and row.lease_until and row.lease_until > now:
        return False
    lease = {"lease_owner": owner, "lease_until": until}
    statements.change(tx, deliveries, {"link_id": link_id}, lease)
    return True


def release(tx: Tx, owner: str) -> None:
    """Let other processes have the work of this one at once."""
    _lock(tx, deliveries.c.lease_owner == owner)
    tx.connection.execute(
        update(deliveries)
        .where(deliveries.c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )


def release_all(tx: Tx) -> None:
    """No process is left that could hold a lease."""
    _lock(tx, deliveries.c.lease_owner.is_not(None))
    tx.connection.execute(update(deliveries).values(lease_owner=None, lease_until=None))


def _lock(tx: Tx, which: ColumnElement[bool]) -> None:
    """Lock these rows in the order of their links: two processes may take several at once."""
    query = select(deliveries.c.link_id).where(which).order_by(deliveries.c.link_id)
    tx.connection.execute(for_update(tx, query))
