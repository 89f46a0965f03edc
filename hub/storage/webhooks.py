"""Webhooks, and what is to be said to each: the outbox to programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from hub.domain.webhook import CallState, EventType, WebhookState
from hub.ids import EventId, WebhookId
from hub.storage.database import Tx, for_update
from hub.storage.tables import webhook_calls, webhooks


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address of a program of ours."""

    id: WebhookId
    url: str
    types: list[str]  # what it asked for; empty: everything
    secret: str  # hidden
    state: WebhookState
    created_by: str
    created_at: datetime
    failing_since: datetime | None
    failures: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to be told to one webhook."""

    id: EventId
    webhook_id: WebhookId
    type: EventType
    body: str
    at: datetime
    state: CallState
    attempts: int
    next_at: datetime | None
    status: int | None
    error: str | None
    tried_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A webhook with something to be told, and when it may be."""

    webhook_id: WebhookId
    at: datetime
    failing: bool


def _webhook(row: Any) -> Webhook:
    values = dict(row._mapping)
    return Webhook(**values | {"state": WebhookState(values["state"])})


def _call(row: Any) -> Call:
    values = dict(row._mapping)
    return Call(**values | {"state": CallState(values["state"]), "type": EventType(values["type"])})


def add(tx: Tx, webhook: Webhook) -> None:
    """Store a new one."""
    tx.connection.execute(insert(webhooks).values(**_columns(webhook)))


def everyone(connection: Connection) -> list[Webhook]:
    """All but removed ones, oldest first."""
    query = select(webhooks).where(webhooks.c.state != WebhookState.REMOVED)
    return [_webhook(row) for row in connection.execute(query.order_by(webhooks.c.id))]


def enabled(connection: Connection) -> list[Webhook]:
    """Those that are told things."""
    query = select(webhooks).where(webhooks.c.state == WebhookState.ENABLED)
    return [_webhook(row) for row in connection.execute(query)]


def find(connection: Connection, webhook_id: str) -> Webhook | None:
    """The one with this id, removed ones too, or None."""
    return _one(connection, select(webhooks).where(webhooks.c.id == webhook_id))


def lock(tx: Tx, webhook_id: str) -> Webhook | None:
    """The same, and nobody else changes it until the commit."""
    query = select(webhooks).where(webhooks.c.id == webhook_id)
    return _one(tx.connection, for_update(tx, query))


def _one(connection: Connection, query: Select[Any]) -> Webhook | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _webhook(row)


def change(tx: Tx, webhook_id: str, **values: Any) -> None:
    """Set these columns of the webhook."""
    tx.connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**values))


def tell(tx: Tx, calls: Iterable[Call]) -> None:
    """Put these into the outbox."""
    tx.connection.execute(insert(webhook_calls), [_columns(one) for one in calls])


def call(connection: Connection, event_id: str) -> Call | None:
    """The call with this id, or None."""
    query = select(webhook_calls).where(webhook_calls.c.id == event_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _call(row)


def calls_page(
    connection: Connection,
    webhook_id: str,
    *,
    state: CallState | None,
    before: str | None,
    limit: int,
) -> list[Call]:
    """Calls of the webhook, newest first."""
    query = select(webhook_calls).where(webhook_calls.c.webhook_id == webhook_id)
    if state is not None:
        query = query.where(webhook_calls.c.state == state)
    if before is not None:
        query = query.where(webhook_calls.c.id < before)
    query = query.order_by(webhook_calls.c.id.desc()).limit(limit)
    return [_call(row) for row in connection.execute(query)]


def count(connection: Connection, webhook_id: str) -> dict[CallState, int]:
    """How many calls of it are in which state."""
    query = (
        select(webhook_calls.c.state, func.count())
        .where(webhook_calls.c.webhook_id == webhook_id)
        .group_by(webhook_calls.c.state)
    )
    return {CallState(state): number for state, number in connection.execute(query)}


def due(connection: Connection) -> list[Due]:
    """Every enabled webhook with something to be told."""
    query = (
        select(
            webhooks.c.id,
            webhooks.c.next_at,
            webhooks.c.failing_since,
            func.min(webhook_calls.c.next_at),
        )
        .join(webhook_calls, webhook_calls.c.webhook_id == webhooks.c.id)
        .where(webhooks.c.state == WebhookState.ENABLED, webhook_calls.c.state == CallState.WAITING)
        .group_by(webhooks.c.id, webhooks.c.next_at, webhooks.c.failing_since)
    )
    return [
        Due(WebhookId(id_), max(at, next_at) if next_at else at, failing is not None)
        for id_, next_at, failing, at in connection.execute(query)
    ]


def claim(tx: Tx, webhook_id: str, now: datetime, until: datetime) -> Call | None:
    """The oldest call that is due, nobody else's until then; None: there is none."""
    query = (
        select(webhook_calls)
        .where(
            webhook_calls.c.webhook_id == webhook_id,
            webhook_calls.c.state == CallState.WAITING,
            webhook_calls.c.next_at <= now,
        )
        .order_by(webhook_calls.c.id)
        .limit(1)
    )
    if not tx.alone:
        query = query.with_for_update(key_share=True, skip_locked=True)
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        return None
    found = _call(row)
    change_call(tx, found.id, next_at=until)
    return found


def change_call(tx: Tx, event_id: str, **values: Any) -> None:
    """Set these columns of the call."""
    query = update(webhook_calls).where(webhook_calls.c.id == event_id)
    tx.connection.execute(query.values(**values))


def again(tx: Tx, webhook_id: str, now: datetime) -> int:
    """Every failed call of it waits once more; how many they are."""
    query = (
        update(webhook_calls)
        .where(webhook_calls.c.webhook_id == webhook_id, webhook_calls.c.state == CallState.FAILED)
        .values(state=CallState.WAITING, attempts=0, next_at=now)
    )
    return tx.connection.execute(query).rowcount


def drop_waiting(tx: Tx, webhook_id: str | None = None) -> int:
    """What waits (for this webhook, or for all) will not be told; how much it is."""
    query = update(webhook_calls).where(webhook_calls.c.state == CallState.WAITING)
    if webhook_id is not None:
        query = query.where(webhook_calls.c.webhook_id == webhook_id)
    return tx.connection.execute(query.values(state=CallState.DROPPED, next_at=None)).rowcount


def forget_before(tx: Tx, done: datetime, failed: datetime) -> None:
    """Drop the memory of calls that old: of good ones, and of those that came to nothing."""
    old = webhook_calls.c.at
    over = webhook_calls.c.state.in_([CallState.FAILED, CallState.DROPPED])
    tx.connection.execute(
        delete(webhook_calls).where(
            or_((webhook_calls.c.state == CallState.DONE) & (old < done), over & (old < failed))
        )
    )


def _columns(one: Webhook | Call) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
