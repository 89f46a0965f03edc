"""The audit log (append-only, each record hashed over the one before) and open alerts."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from hub.clock import Entropy
from hub.ids import AlertId, new
from hub.storage.database import Tx, for_update
from hub.storage.tables import alerts, audit, counters


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what, when."""

    seq: int
    at: datetime
    actor: str
    event: str
    facts: str
    prev: str
    hash: str


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


def _hash(seq: int, at: datetime, actor: str, event: str, facts: str, prev: str) -> str:
    canonical = json.dumps(
        [seq, at.isoformat(), actor, event, facts, prev], ensure_ascii=False, separators=(",", ":")
    )
    return urlsafe_b64encode(sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def append(tx: Tx, *, at: datetime, actor: str, event: str, **facts: Any) -> None:
    """Add a record. The counter row is locked, so the chain has one order."""
    last: int = tx.connection.execute(
        for_update(tx, select(counters.c.value).where(counters.c.name == "audit"))
    ).scalar_one()
    prev = (
        tx.connection.execute(select(audit.c.hash).where(audit.c.seq == last)).scalar_one()
        if last
        else ""
    )
    seq = last + 1
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    tx.connection.execute(
        insert(audit).values(
            seq=seq,
            at=at,
            actor=actor,
            event=event,
            facts=text,
            prev=prev,
            hash=_hash(seq, at, actor, event, text, prev),
        )
    )
    tx.connection.execute(update(counters).where(counters.c.name == "audit").values(value=seq))


def first_break(connection: Connection) -> int | None:
    """The seq of the first record that does not follow from the one before; None if all do."""
    prev, expected = "", 1
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        right = _hash(row.seq, row.at, row.actor, row.event, row.facts, prev)
        if row.seq != expected or row.prev != prev or row.hash != right:
            return int(row.seq)
        prev, expected = row.hash, expected + 1
    return None


def page(connection: Connection, *, before: int | None, limit: int) -> list[AuditRecord]:
    """Records, newest first."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return [AuditRecord(**row._mapping) for row in connection.execute(query)]


def raise_alert(
    tx: Tx,
    *,
    kind: str,
    subject: str,
    text: str,
    at: datetime,
    entropy: Entropy,
    **facts: Any,
) -> None:
    """Show this to people, once: an open alert of the same kind and subject stands for both."""
    known = tx.connection.execute(
        select(alerts.c.id).where(
            alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None)
        )
    ).first()
    if known is None:
        tx.connection.execute(
            insert(alerts).values(
                id=new("alr", at, entropy),
                kind=kind,
                subject=subject,
                text=text,
                facts=facts,
                at=at,
            )
        )


def resolve_alerts(tx: Tx, *, kind: str, subject: str, at: datetime) -> None:
    """The matter is settled."""
    tx.connection.execute(
        update(alerts)
        .where(alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.resolved_at.is_(None))
        .values(resolved_at=at)
    )


def open_alerts(connection: Connection) -> list[Alert]:
    """Everything people must still see, newest first."""
    query = select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.id.desc())
    return [Alert(**row._mapping) for row in connection.execute(query)]


def count_open(connection: Connection) -> int:
    """How many alerts are open."""
    return connection.execute(
        select(func.count()).select_from(alerts).where(alerts.c.resolved_at.is_(None))
    ).scalar_one()
