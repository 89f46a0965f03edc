"""The inbox: verified messages from peers, stored before anything is done with them.

Stored in the order of their stream, in one transaction per batch, before the receipt is
signed. Applying is a second step; de-duplication lasts as long as the link.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from hub.ids import HandoffId, LinkId, MessageId
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Command, Query, columns_of, itself
from hub.storage.tables import inbox


class InboxState(StrEnum):
    """What became of a received message."""

    NEW = "new"  # stored and receipted; not yet applied
    DONE = "done"  # its effect is part of our state
    REFUSED = "refused"  # authentic but unacceptable: `message.rejected` went back
    PARKED = "parked"  # our side failed at it; a person decides, its hand-off waits
    SKIPPED = "skipped"  # a person set it aside, with a reason


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One message from a peer."""

    link_id: LinkId
    seq: int
    epoch: int
    id: MessageId
    type: str
    must: bool
    schema: str
    handoff_id: HandoffId | None
    hseq: int | None
    hash: str
    env: str
    data: str | None
    stored_at: datetime
    state: InboxState
    attempts: int
    last_error: str | None
    settled_at: datetime | None


def _row(row: Any) -> InboxRow:
    values = dict(row._mapping)
    values["state"] = InboxState(values["state"])
    return InboxRow(**values)


_ROW: Final = select(*columns_of(inbox, InboxRow))
_OF_LINK: Final = inbox.c.link_id == bindparam("link_id")
_WAITING: Final = Query(
    _ROW.where(_OF_LINK, inbox.c.state == InboxState.NEW)
    .order_by(inbox.c.seq)
    .limit(bindparam("most")),
    InboxRow,
    state=InboxState,
)
_AT: Final = Query(
    _ROW.where(_OF_LINK, inbox.c.seq == bindparam("seq")), InboxRow, state=InboxState
)
_PARKED: Final[Query[str]] = Query(
    select(inbox.c.handoff_id).where(
        _OF_LINK, inbox.c.state == InboxState.PARKED, inbox.c.handoff_id.is_not(None)
    ),
    itself,
)
_WITH_WAITING: Final[Query[LinkId]] = Query(
    select(inbox.c.link_id).where(inbox.c.state == InboxState.NEW).distinct(), itself
)
_WAITING_COUNT: Final[Query[int]] = Query(
    select(func.count()).select_from(inbox).where(_OF_LINK, inbox.c.state == InboxState.NEW),
    itself,
)
# Nothing but the id is compared: with `seq < …` beside it SQLite would walk the whole stream by
# its primary key instead of using the index on ids.
_other: Final = inbox.alias()
_SAME_ID: Final[Query[tuple[int, int]]] = Query(
    select(inbox.c.seq, _other.c.seq.label("other"))
    .join(_other, (_other.c.link_id == inbox.c.link_id) & (_other.c.id == inbox.c.id))
    .where(_OF_LINK, inbox.c.seq.between(bindparam("first"), bindparam("last"))),
    lambda *pair: pair,
)
_SETTLE: Final = Command(
    update(inbox)
    .where(inbox.c.link_id == bindparam("of_link"), inbox.c.seq == bindparam("at_seq"))
    .values(state=InboxState.DONE, settled_at=bindparam("settled"), last_error=None)
)


def append(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Store verified messages, in order."""
    statements.add_all(tx, inbox, [{"state": InboxState.NEW, "attempts": 0, **row} for row in rows])


def hashes(connection: Connection, link_id: str, seqs: list[int]) -> dict[int, tuple[int, str]]:
    """(epoch, hash) of what is stored at these positions."""
    query = select(inbox.c.seq, inbox.c.epoch, inbox.c.hash).where(
        inbox.c.link_id == link_id, inbox.c.seq.in_(seqs)
    )
    return {row.seq: (row.epoch, row.hash) for row in connection.execute(query)}


def at(connection: Connection, link_id: str, seq: int) -> InboxRow | None:
    """The message at this position, or None."""
    return _AT.one(connection, link_id=link_id, seq=seq)


def find(connection: Connection, message_id: str, link_id: str | None = None) -> InboxRow | None:
    """The message with this id (of this link), or None."""
    query = select(inbox).where(inbox.c.id == message_id)
    if link_id is not None:
        query = query.where(inbox.c.link_id == link_id)
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _row(row)


def waiting(connection: Connection, link_id: str, parked: set[str], limit: int) -> list[InboxRow]:
    """Messages not yet applied, in order, without those of hand-offs that wait for a person."""
    if not parked:
        return _WAITING.all(connection, link_id=link_id, most=limit)
    query = (
        select(inbox)
        .where(
            inbox.c.link_id == link_id,
            inbox.c.state == InboxState.NEW,
            inbox.c.handoff_id.is_(None) | inbox.c.handoff_id.not_in(sorted(parked)),
        )
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    return [_row(row) for row in connection.execute(query)]


def parked_handoffs(connection: Connection, link_id: str) -> set[str]:
    """Hand-offs with a parked message."""
    return set(_PARKED.all(connection, link_id=link_id))


def is_parked(connection: Connection, link_id: str, type_: str) -> bool:
    """Whether a message of this type waits for a person."""
    query = select(inbox.c.seq).where(
        inbox.c.link_id == link_id,
        inbox.c.state == InboxState.PARKED,
        inbox.c.type == type_,
    )
    return connection.execute(query.limit(1)).first() is not None


def waits(connection: Connection, link_id: str, type_: str) -> bool:
    """Whether a message of this type is stored and not applied yet."""
    query = select(inbox.c.seq).where(
        inbox.c.link_id == link_id, inbox.c.state == InboxState.NEW, inbox.c.type == type_
    )
    return connection.execute(query.limit(1)).first() is not None


def settle(
    tx: Tx, link_id: str, seq: int, state: InboxState, at: datetime, error: str | None = None
) -> None:
    """Say what became of a message."""
    change(tx, link_id, seq, state=state, settled_at=at, last_error=error)


def settle_done(tx: Tx, link_id: str, seqs: list[int], at: datetime) -> None:
    """The effect of these messages is part of our state."""
    _SETTLE.run_all(tx, [{"of_link": link_id, "at_seq": seq, "settled": at} for seq in seqs])


def change(tx: Tx, link_id: str, seq: int, **values: Any) -> None:
    """Set these columns of one message."""
    statements.change(tx, inbox, {"link_id": link_id, "seq": seq}, values)


def first_unsettled(connection: Connection, link_id: str) -> int | None:
    """The first position whose message is not applied, refused or skipped; None if all are."""
    found: int | None = connection.execute(
        select(func.min(inbox.c.seq)).where(
            inbox.c.link_id == link_id,
            inbox.c.state.in_([InboxState.NEW, InboxState.PARKED]),
        )
    ).scalar_one()
    return found


def last_seq(connection: Connection, link_id: str) -> int:
    """The position of the newest message of this link; 0 before the first."""
    query = select(func.coalesce(func.max(inbox.c.seq), 0)).where(inbox.c.link_id == link_id)
    return int(connection.execute(query).scalar_one())


def has_type(connection: Connection, link_id: str, handoff_id: str, type_: str) -> bool:
    """Whether a message of this type about this hand-off came, whatever became of it."""
    query = select(inbox.c.seq).where(
        inbox.c.handoff_id == handoff_id, inbox.c.link_id == link_id, inbox.c.type == type_
    )
    return connection.execute(query.limit(1)).first() is not None


def links_with_waiting(connection: Connection) -> list[LinkId]:
    """Links that have a message not yet applied."""
    return _WITH_WAITING.all(connection)


def in_state(connection: Connection, state: InboxState, limit: int) -> list[InboxRow]:
    """Messages in this state, newest first."""
    query = select(inbox).where(inbox.c.state == state).order_by(inbox.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(query)]


def waiting_count(connection: Connection, link_id: str | None = None) -> int:
    """How many messages are stored and not applied (of one link)."""
    if link_id is not None:
        return _WAITING_COUNT.one(connection, link_id=link_id) or 0
    query = select(func.count()).select_from(inbox).where(inbox.c.state == InboxState.NEW)
    return connection.execute(query).scalar_one()


def log_from(connection: Connection, link_id: str, seq: int, limit: int) -> list[InboxRow]:
    """Messages of the stream from this position on, in order."""
    query = (
        select(inbox)
        .where(inbox.c.link_id == link_id, inbox.c.seq >= seq)
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    return [_row(row) for row in connection.execute(query)]


def said_before(connection: Connection, link_id: str, type_: str, seq: int, part: str) -> bool:
    """Whether an earlier message of this type has this part in its payload."""
    query = (
        select(inbox.c.seq)
        .where(
            inbox.c.link_id == link_id,
            inbox.c.type == type_,
            inbox.c.seq < seq,
            inbox.c.data.contains(part, autoescape=True),
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


def repeated_ids(connection: Connection, link_id: str, first: int, last: int) -> set[int]:
    """Which of the messages from `first` to `last` carry the id of an earlier one of the link."""
    pairs = _SAME_ID.all(connection, link_id=link_id, first=first, last=last)
    return {seq for seq, other in pairs if other < seq}
