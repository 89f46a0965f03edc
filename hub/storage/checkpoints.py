"""When both sides of a link compare what they share, what came of it, and who witnesses what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from hub.ids import HandoffId, LinkId, MessageId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.inbox import InboxState
from hub.storage.statements import Query, columns_of
from hub.storage.tables import checkpoints, differences, inbox, outbox, streams, witnesses


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How comparing with one peer goes."""

    link_id: LinkId
    next_at: datetime
    tries: int
    seq: int
    asked_at: datetime | None
    compared_at: datetime | None
    compared: int
    not_comparable: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One shared field of a hand-off that is another on the other side."""

    handoff_id: HandoffId
    field: str
    link_id: LinkId
    theirs: str | None
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Witness:
    """The head of a node's audit log, as it was stated in a signed checkpoint."""

    node_id: str
    seq: int
    head: str
    link_id: LinkId
    message_id: MessageId
    at: datetime


_ALL: Final = Query(select(*columns_of(checkpoints, Checkpoint)), Checkpoint)
_OF_LINK: Final = Query(
    select(*columns_of(checkpoints, Checkpoint)).where(
        checkpoints.c.link_id == bindparam("link_id")
    ),
    Checkpoint,
)


def everyone(connection: Connection) -> dict[str, Checkpoint]:
    """How it goes, by link."""
    return {one.link_id: one for one in _ALL.all(connection)}


def find(connection: Connection, link_id: str) -> Checkpoint | None:
    """How it goes with this peer, or None before anything was planned."""
    row = connection.execute(
        select(*columns_of(checkpoints, Checkpoint)).where(checkpoints.c.link_id == link_id)
    ).one_or_none()
    return None if row is None else Checkpoint(**row._mapping)


def lock(tx: Tx, link_id: LinkId, next_at: datetime) -> Checkpoint:
    """The same, locked; planned for `next_at` if nothing was planned yet."""
    known = _OF_LINK.lock(tx, link_id=link_id)
    if known is not None:
        return known
    fresh = Checkpoint(link_id, next_at, 0, 0, None, None, 0, 0)
    statements.add_record(tx, checkpoints, fresh)
    return fresh


def change(tx: Tx, link_id: str, **values: Any) -> None:
    """Set these columns."""
    statements.change(tx, checkpoints, {"link_id": link_id}, values)


# --- what is on its way ---------------------------------------------------------------------


def spoken_beyond(connection: Connection, link_id: str, seq: int) -> set[str]:
    """Hand-offs about which we wrote behind this position of our stream."""
    query = select(outbox.c.handoff_id).where(
        outbox.c.link_id == link_id, outbox.c.seq > seq, outbox.c.handoff_id.is_not(None)
    )
    return set(connection.execute(query.distinct()).scalars())


def unsettled(connection: Connection, link_id: str, before: int) -> set[str]:
    """Hand-offs with a message before this position of the peer's stream that is not applied."""
    query = select(inbox.c.handoff_id).where(
        inbox.c.link_id == link_id,
        inbox.c.seq < before,
        inbox.c.state.in_([InboxState.NEW, InboxState.PARKED]),
        inbox.c.handoff_id.is_not(None),
    )
    return set(connection.execute(query.distinct()).scalars())


# --- differences ----------------------------------------------------------------------------


def differences_of(
    connection: Connection, *, link_id: str | None = None, handoff_id: str | None = None
) -> list[Difference]:
    """Known differences, by hand-off and field."""
    query = select(*columns_of(differences, Difference)).order_by(
        differences.c.handoff_id, differences.c.field
    )
    if link_id is not None:
        query = query.where(differences.c.link_id == link_id)
    if handoff_id is not None:
        query = query.where(differences.c.handoff_id == handoff_id)
    return [Difference(**row._mapping) for row in connection.execute(query)]


def forget(tx: Tx, handoff_id: str, fields: Sequence[str] | None = None) -> None:
    """These fields (all of them) are the same on both sides."""
    query = delete(differences).where(differences.c.handoff_id == handoff_id)
    if fields is not None:
        query = query.where(differences.c.field.in_(fields))
    tx.connection.execute(query)


def keep(tx: Tx, difference: Difference) -> None:
    """Remember that this field differs."""
    known = tx.connection.execute(
        update(differences)
        .where(
            differences.c.handoff_id == difference.handoff_id,
            differences.c.field == difference.field,
        )
        .values(theirs=difference.theirs)
    )
    if known.rowcount == 0:
        statements.add_record(tx, differences, difference)


# --- witnesses ------------------------------------------------------------------------------


def witness(tx: Tx, stated: Witness) -> str | None:
    """Keep what a peer stated of its audit log; what it had stated for the same record before."""
    known: str | None = tx.connection.execute(
        select(witnesses.c.head).where(
            witnesses.c.node_id == stated.node_id, witnesses.c.seq == stated.seq
        )
    ).scalar_one_or_none()
    if known is None:
        values = {name: getattr(stated, name) for name in Witness.__dataclass_fields__}
        tx.connection.execute(insert(witnesses).values(**values))
    return known


def witnessed(connection: Connection, node_id: str) -> list[Witness]:
    """What this peer stated of its audit log, oldest first."""
    query = select(witnesses).where(witnesses.c.node_id == node_id).order_by(witnesses.c.seq)
    return [Witness(**row._mapping) for row in connection.execute(query)]


def own_heads(connection: Connection, node_id: str) -> list[Witness]:
    """What we stated of our own audit log and a peer has a signed copy of, oldest first.

    Whoever rewrites our log must also make these messages and their receipts unsaid, which the
    peers hold.
    """
    query = (
        select(outbox.c.link_id, outbox.c.id, outbox.c.data, outbox.c.sealed_at)
        .join(streams, streams.c.link_id == outbox.c.link_id)
        .where(
            outbox.c.type == "link.checkpoint",
            outbox.c.data.is_not(None),
            outbox.c.seq <= func.coalesce(streams.c.receipted_seq, 0),
        )
        .order_by(outbox.c.sealed_at, outbox.c.id)
    )
    found = []
    for row in connection.execute(query):
        stated = json.loads(row.data).get("audit")
        if stated is not None:
            found.append(
                Witness(node_id, stated["seq"], stated["head"], row.link_id, row.id, row.sealed_at)
            )
    return found
