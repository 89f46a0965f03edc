"""The audit log (append-only, each record hashed over the one before) and open alerts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, String, bindparam, func, insert, select, type_coerce, update

from hub.clock import Entropy
from hub.ids import AlertId, new
from hub.protocol.audit import Record, record_hash
from hub.storage import counters, statements
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself, pair
from hub.storage.tables import Instant, alerts, audit, audit_heads

MADE: Final = "backup.made"
"""The event of a backup that is whole and on disk."""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A head of the log that was signed."""

    seq: int
    head: str
    jws: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person must see; open until it is resolved."""

    id: AlertId
    kind: str
    subject: str
    text: str
    facts: dict[str, Any]
    at: datetime
    resolved_at: datetime | None
    seen_at: datetime | None = None
    seen_by: str | None = None  # what they are called


_HEAD: Final[Query[tuple[int, str]]] = Query(
    select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1), pair
)
_HASH: Final[Query[str]] = Query(
    select(audit.c.hash).where(audit.c.seq == bindparam("seq")), itself
)


def append(tx: Tx, *, at: datetime, actor: str, event: str, **facts: Any) -> None:
    """Add a record. The counter row is locked, so the chain has one order."""
    last = counters.lock(tx, "audit")["audit"]
    prev = (_HASH.one(tx.connection, seq=last) or "") if last else ""
    seq = last + 1
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    row = {
        "seq": seq,
        "at": at,
        "actor": actor,
        "event": event,
        "facts": text,
        "prev": prev,
        "hash": record_hash(seq, at, actor, event, text, prev),
    }
    statements.add(tx, audit, row)
    counters.put(tx, "audit", seq)


def head(connection: Connection) -> tuple[int, str]:
    """Number and hash of the last record; (0, "") before the first."""
    return _HEAD.one(connection) or (0, "")


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk along the whole log found."""

    records: int  # up to the break, or all
    head: str
    broken_at: int | None  # the first record that does not follow; None if all do
    hashes: dict[int, str]  # of the records asked for


def walk(connection: Connection, wanted: set[int]) -> Walked:
    """Follow the chain from its first record, as it is stored to the letter."""
    prev, seq = "", 0
    hashes: dict[int, str] = {}
    rows = connection.execute(
        select(
            audit.c.seq,
            type_coerce(audit.c.at, String).label("at"),  # two spellings of one instant are two
            audit.c.actor,
            audit.c.event,
            audit.c.facts,
            audit.c.prev,
            audit.c.hash,
        ).order_by(audit.c.seq)
    )
    for row in rows:
        if row.seq != seq + 1 or row.prev != prev or not _is_right(row):
            return Walked(seq, prev, seq + 1, hashes)
        prev, seq = row.hash, seq + 1
        if seq in wanted:
            hashes[seq] = prev
    last = counters.last(connection, "audit")
    return Walked(seq, prev, None if last == seq else seq + 1, hashes)


def first_break(connection: Connection) -> int | None:
    """The seq of the first record that does not follow from the one before; None if all do."""
    return walk(connection, set()).broken_at


def chain_break(records: Iterable[Record]) -> int | None:
    """`first_break` of records that are at hand, in order."""
    prev, expected = "", 1
    for one in records:
        right = record_hash(one.seq, one.at, one.actor, one.event, one.facts, prev)
        if one.seq != expected or one.prev != prev or one.hash != right:
            return int(one.seq)
        prev, expected = one.hash, expected + 1
    return None


def from_text(row: Mapping[str, str | None]) -> Record:
    """A record whose values are the database's own text."""
    said = {name: row.get(name) or "" for name in Record.__dataclass_fields__}
    return Record(
        seq=int(said["seq"]),
        at=datetime.fromisoformat(said["at"]),
        actor=said["actor"],
        event=said["event"],
        facts=said["facts"],
        prev=said["prev"],
        hash=said["hash"],
    )


def last(connection: Connection, event: str) -> Record | None:
    """The newest record of this event, or None."""
    found = connection.execute(
        select(*columns_of(audit, Record))
        .where(audit.c.event == event)
        .order_by(audit.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else Record(*found)


def _is_right(row: Any) -> bool:
    try:
        at = datetime.fromisoformat(row.at)
        spelled = Instant().process_bind_param(at, None) == row.at
        right = record_hash(row.seq, at, row.actor, row.event, row.facts, row.prev)
    except (ValueError, TypeError, AttributeError):
        return False
    return spelled and bool(row.hash == right)


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    since: datetime | None = None,
    event: str | None = None,
    actor: str | None = None,
) -> list[Record]:
    """Records, newest first: of this event (or of all that begin so, as `link.`), by this actor."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    if since is not None:
        query = query.where(audit.c.at >= since)
    if event is not None:
        query = query.where(
            audit.c.event.startswith(event, autoescape=True)
            if event.endswith(".")
            else audit.c.event == event
        )
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    return [Record(**row._mapping) for row in connection.execute(query)]


def everything(connection: Connection) -> Iterator[Record]:
    """The whole log, oldest first."""
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        yield Record(**row._mapping)


_LAST_SIGNED: Final = Query(
    select(*columns_of(audit_heads, StoredHead)).order_by(audit_heads.c.seq.desc()).limit(1),
    StoredHead,
)


def last_head(connection: Connection) -> StoredHead | None:
    """The head that was signed last."""
    return _LAST_SIGNED.one(connection)


def heads(connection: Connection) -> list[StoredHead]:
    """Every head that was signed, oldest first."""
    query = select(audit_heads).order_by(audit_heads.c.seq)
    return [StoredHead(**row._mapping) for row in connection.execute(query)]


def keep_head(tx: Tx, one: StoredHead) -> None:
    """Store a signed head; the first for a place stays."""
    known = select(audit_heads.c.seq).where(audit_heads.c.seq == one.seq)
    if tx.connection.execute(known).one_or_none() is None:
        tx.connection.execute(
            insert(audit_heads).values(seq=one.seq, head=one.head, jws=one.jws, at=one.at)
        )


def raise_alert(
    tx: Tx,
    *,
    kind: str,
    subject: str,
    text: str,
    at: datetime,
    entropy: Entropy,
    **facts: Any,
) -> str | None:
    """Show this to people, once: an open alert of the same kind and subject stands for both.

    The id of the new one, or None.
    """
    known = tx.connection.execute(
        select(alerts.c.id).where(
            alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None)
        )
    ).first()
    if known is not None:
        return None
    made = new("alr", at, entropy)
    tx.connection.execute(
        insert(alerts).values(id=made, kind=kind, subject=subject, text=text, facts=facts, at=at)
    )
    return made


def alert_facts(connection: Connection, *, kind: str, subject: str) -> dict[str, Any] | None:
    """What the open alert of this kind and subject says, or None."""
    found: dict[str, Any] | None = connection.execute(
        select(alerts.c.facts).where(
            alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None)
        )
    ).scalar_one_or_none()
    return found


def change_alert(tx: Tx, *, kind: str, subject: str, facts: dict[str, Any]) -> None:
    """Let the open alert of this kind and subject say something else."""
    tx.connection.execute(
        update(alerts)
        .where(alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None))
        .values(facts=facts)
    )


def resolve_alerts(tx: Tx, *, kind: str, subject: str, at: datetime) -> None:
    """The matter is settled."""
    tx.connection.execute(
        update(alerts)
        .where(alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None))
        .values(resolved_at=at)
    )


_OPEN_ALERTS: Final = Query(
    select(*columns_of(alerts, Alert))
    .where(alerts.c.resolved_at.is_(None))
    .order_by(alerts.c.id.desc()),
    Alert,
)


def open_alerts(connection: Connection) -> list[Alert]:
    """Everything people must still see, newest first."""
    return _OPEN_ALERTS.all(connection)


def see_alerts(tx: Tx, ids: Collection[str], *, at: datetime, by: str) -> int:
    """Somebody knows of these; how many of them are open and were news."""
    seen = tx.connection.execute(
        update(alerts)
        .where(alerts.c.id.in_(ids), alerts.c.resolved_at.is_(None), alerts.c.seen_at.is_(None))
        .values(seen_at=at, seen_by=by)
    )
    return seen.rowcount


def count_unseen(connection: Connection) -> int:
    """How many open alerts nobody knows of yet."""
    return connection.execute(
        select(func.count())
        .select_from(alerts)
        .where(alerts.c.resolved_at.is_(None), alerts.c.seen_at.is_(None))
    ).scalar_one()


def count_open(connection: Connection) -> int:
    """How many alerts are open."""
    return connection.execute(
        select(func.count()).select_from(alerts).where(alerts.c.resolved_at.is_(None))
    ).scalar_one()
