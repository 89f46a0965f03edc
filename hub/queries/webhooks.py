"""Webhooks and what they were told, as their admins see them. Secrets are never shown again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.domain.webhook import CallState
from hub.errors import NotFound
from hub.ids import EventId, WebhookId
from hub.storage import webhooks
from hub.storage.database import Connection
from hub.storage.webhooks import Call, Webhook


@dataclass(frozen=True, slots=True)
class WebhookView:
    """An address that is told things."""

    id: WebhookId
    url: str
    events: list[str]  # empty: all
    state: str
    created_at: datetime
    failing_since: datetime | None
    next_at: datetime | None  # nothing is sent to it before
    waiting: int
    failed: int


@dataclass(frozen=True, slots=True)
class CallView:
    """One thing it was told, or is to be told."""

    id: EventId
    event: str
    state: str
    at: datetime
    attempts: int
    tried_at: datetime | None
    next_at: datetime | None
    status: int | None  # of the last answer
    error: str | None  # what happened instead of an answer
    body: str


def everyone(connection: Connection) -> list[WebhookView]:
    """All but removed ones, oldest first."""
    return [_view(connection, one) for one in webhooks.everyone(connection)]


def show(connection: Connection, webhook_id: str) -> WebhookView:
    """One of them, a removed one too. Raises NotFound."""
    return _view(connection, _known(connection, webhook_id))


def calls(
    connection: Connection,
    webhook_id: str,
    *,
    state: CallState | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[CallView]:
    """What it was told, newest first. Raises NotFound."""
    which = _known(connection, webhook_id).id
    found = webhooks.calls_page(connection, which, state=state, before=before, limit=limit)
    return [_call(one) for one in found]


def call(connection: Connection, webhook_id: str, event_id: str) -> CallView:
    """One call. Raises NotFound."""
    found = webhooks.call(connection, event_id)
    if found is None or found.webhook_id != webhook_id:
        raise NotFound("not_found", "There is no such call.")
    return _call(found)


def _known(connection: Connection, webhook_id: str) -> Webhook:
    found = webhooks.find(connection, webhook_id)
    if found is None:
        raise NotFound("not_found", "There is no such webhook.", hint="hub webhook list")
    return found


def _view(connection: Connection, one: Webhook) -> WebhookView:
    many = webhooks.count(connection, one.id)
    return WebhookView(
        id=one.id,
        url=one.url,
        events=one.types,
        state=one.state,
        created_at=one.created_at,
        failing_since=one.failing_since,
        next_at=one.next_at,
        waiting=many.get(CallState.WAITING, 0),
        failed=many.get(CallState.FAILED, 0),
    )


def _call(one: Call) -> CallView:
    return CallView(
        id=one.id,
        event=one.type,
        state=one.state,
        at=one.at,
        attempts=one.attempts,
        tried_at=one.tried_at,
        next_at=one.next_at,
        status=one.status,
        error=one.error,
        body=one.body,
    )
