"""Webhooks: addresses of our own programs that are told what happens on this node.

At least once, each call under an id that stays the same, until it is answered with 2xx or has
failed for more than three days. An address that does not answer is asked less and less often and
holds up no other; a single event an address does not take holds up none of its others.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.actions import announcing, outgoing, permits
from hub.actions.context import Actor, Hub
from hub.domain.delivery import backoff
from hub.domain.permission import Permission
from hub.domain.webhook import (
    CallState,
    EventType,
    WebhookState,
    check_types,
    check_url,
    next_wait,
)
from hub.errors import Conflict, NotFound, Refused
from hub.ids import EventId, WebhookId
from hub.storage import audit, webhooks
from hub.storage.database import Tx
from hub.storage.webhooks import Call, Webhook

MOST: Final = 20
"""So many may be enabled at a time: everything that happens is written down once for each."""

HELD_FOR: Final = timedelta(minutes=1)  # a call is one process's so long
GIVEN_UP_AFTER: Final = timedelta(days=5)  # without one good answer
ALARM_AFTER: Final = timedelta(hours=1)
DONE_KEPT: Final = timedelta(days=7)
FAILED_KEPT: Final = timedelta(days=35)
FAILING: Final = "webhook_failing"  # alert
_SECRET_BYTES: Final = 32
_GONE: Final = 410
_LATER: Final = frozenset({408, 425, 429})
"""Answers under 500 that say nothing against the call itself."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one attempt."""

    status: int | None  # None: no answer
    error: str | None = None  # what happened instead
    retry_after: timedelta | None = None

    @property
    def good(self) -> bool:
        """Whether the program has taken it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def against_the_call(self) -> bool:
        """Whether the program is well, and does not take this one."""
        return (
            self.status is not None
            and not self.good
            and self.status < 500
            and self.status not in _LATER
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that is ours for a while, and what is needed to make it."""

    call: Call
    url: str
    secret: str


# --- what people decide ---------------------------------------------------------------------


async def add(hub: Hub, actor: Actor, url: str, types: Collection[str]) -> tuple[WebhookId, str]:
    """Tell this address what happens from now on; its id, and the secret that signs every call.

    The secret is shown once. Raises Refused(url_invalid | event_unknown | too_many_webhooks).
    """
    permits.require(actor, Permission.DESKS_WRITE)
    url, wanted = check_url(url), check_types(types)
    secret = _new_secret(hub)

    def transaction(tx: Tx) -> WebhookId:
        now = hub.now()
        if len(webhooks.enabled(tx.connection)) >= MOST:
            raise Refused(
                "too_many_webhooks",
                "There are {limit} webhooks already.",
                hint="hub webhook list",
                limit=MOST,
            )
        made = Webhook(
            id=WebhookId(hub.new_id("whk", now)),
            url=url,
            types=[str(one) for one in wanted],
            secret=hub.hide(secret.encode()),
            state=WebhookState.ENABLED,
            created_by=actor.ref,
            created_at=now,
            failing_since=None,
            failures=0,
            next_at=None,
        )
        webhooks.add(tx, made)
        audit.append(tx, at=now, actor=actor.ref, event="webhook.added", webhook=made.id, url=url)
        return made.id

    return await hub.db.write(transaction), secret


async def enable(hub: Hub, actor: Actor, webhook_id: str) -> None:
    """It is told what happens from now on, and tried at once. Raises NotFound, Conflict."""
    permits.require(actor, Permission.DESKS_WRITE)
    await _set_state(hub, actor, webhook_id, WebhookState.ENABLED)


async def disable(hub: Hub, actor: Actor, webhook_id: str) -> None:
    """It is told nothing from now on, and what waits is dropped. Twice is once."""
    permits.require(actor, Permission.DESKS_WRITE)
    await _set_state(hub, actor, webhook_id, WebhookState.DISABLED)


async def remove(hub: Hub, actor: Actor, webhook_id: str) -> None:
    """The same for good. Twice is once."""
    permits.require(actor, Permission.DESKS_WRITE)
    await _set_state(hub, actor, webhook_id, WebhookState.REMOVED)


async def _set_state(hub: Hub, actor: Actor, webhook_id: str, state: WebhookState) -> None:
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        found = _known(tx, webhook_id, gone_too=state is WebhookState.REMOVED)
        if found.state is state:
            return
        _turn(tx, found, state, hub.now(), actor.ref)

    await hub.db.write(transaction)


def _turn(tx: Tx, found: Webhook, state: WebhookState, now: datetime, by: str) -> None:
    webhooks.change(tx, found.id, state=state, failing_since=None, failures=0, next_at=None)
    dropped = 0 if state is WebhookState.ENABLED else webhooks.drop_waiting(tx, found.id)
    audit.resolve_alerts(tx, kind=FAILING, subject=found.id, at=now)
    audit.append(tx, at=now, actor=by, event=f"webhook.{state}", webhook=found.id, dropped=dropped)


async def renew_secret(hub: Hub, actor: Actor, webhook_id: str) -> str:
    """Sign with another secret from now on; it is shown once."""
    permits.require(actor, Permission.DESKS_WRITE)
    secret = _new_secret(hub)

    def transaction(tx: Tx) -> None:
        found = _known(tx, webhook_id)
        webhooks.change(tx, found.id, secret=hub.hide(secret.encode()))
        audit.append(
            tx, at=hub.now(), actor=actor.ref, event="webhook.secret_renewed", webhook=found.id
        )

    await hub.db.write(transaction)
    return secret


async def try_out(hub: Hub, actor: Actor, webhook_id: str) -> EventId:
    """Send a `webhook.test`; the id of the call. Raises NotFound, Conflict(webhook_disabled)."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> EventId:
        found = _enabled(tx, webhook_id)
        return announcing.tell(tx, hub, [found], EventType.TEST, hub.now(), by=actor.display)[0]

    return await hub.db.write(transaction)


async def replay(hub: Hub, actor: Actor, webhook_id: str, event_id: str | None) -> int:
    """Make one call again, whatever became of it, or all that failed; how many wait now.

    Raises NotFound, Conflict(webhook_disabled).
    """
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        found = _enabled(tx, webhook_id)
        webhooks.change(tx, found.id, next_at=None)
        tx.wake(announcing.TOPIC)
        if event_id is None:
            return webhooks.again(tx, found.id, now)
        one = webhooks.call(tx.connection, event_id)
        if one is None or one.webhook_id != found.id:
            raise NotFound("not_found", "There is no such call.")
        webhooks.change_call(tx, one.id, state=CallState.WAITING, attempts=0, next_at=now)
        return 1

    return await hub.db.write(transaction)


def _enabled(tx: Tx, webhook_id: str) -> Webhook:
    found = _known(tx, webhook_id)
    if found.state is not WebhookState.ENABLED:
        raise Conflict(
            "webhook_disabled",
            "This webhook is disabled.",
            hint="hub webhook enable {id}",
            id=found.id,
        )
    return found


def _known(tx: Tx, webhook_id: str, *, gone_too: bool = False) -> Webhook:
    found = webhooks.lock(tx, webhook_id)
    if found is None or (found.state is WebhookState.REMOVED and not gone_too):
        raise NotFound("not_found", "There is no such webhook.", hint="hub webhook list")
    return found


def _new_secret(hub: Hub) -> str:
    return "whsec_" + base64.b64encode(hub.entropy.bytes(_SECRET_BYTES)).decode()


# --- the calls ------------------------------------------------------------------------------


async def due(hub: Hub) -> list[webhooks.Due]:
    """Every webhook with something to be told, and when."""
    return await hub.db.read(webhooks.due)


async def claim(hub: Hub, webhook_id: WebhookId) -> Attempt | None:
    """The oldest call that is due, ours for a minute; None: nothing is to be done now."""

    def transaction(tx: Tx) -> Attempt | None:
        now = hub.now()
        found = webhooks.find(tx.connection, webhook_id)
        if found is None or found.state is not WebhookState.ENABLED:
            return None
        if found.next_at is not None and found.next_at > now:
            return None
        one = webhooks.claim(tx, webhook_id, now, now + HELD_FOR)
        if one is None:
            return None
        return Attempt(one, found.url, hub.reveal(found.secret).decode())

    return await hub.db.write(transaction)


async def settle(hub: Hub, attempt: Attempt, heard: Heard) -> None:
    """Note what became of it, and when it goes on."""

    def transaction(tx: Tx) -> None:
        now, call = hub.now(), attempt.call
        found = webhooks.lock(tx, call.webhook_id)
        assert found is not None
        known = webhooks.call(tx.connection, call.id)
        if known is None or known.state is not CallState.WAITING:
            return  # dropped meanwhile
        told = {"status": heard.status, "error": heard.error, "tried_at": now}
        attempts = known.attempts + 1
        if heard.good:
            webhooks.change_call(
                tx, call.id, state=CallState.DONE, next_at=None, attempts=attempts, **told
            )
            webhooks.change(tx, found.id, failing_since=None, failures=0, next_at=None)
            audit.resolve_alerts(tx, kind=FAILING, subject=found.id, at=now)
            return
        wait = next_wait(attempts, hub.entropy.fraction())
        webhooks.change_call(
            tx,
            call.id,
            state=CallState.FAILED if wait is None else CallState.WAITING,
            next_at=None if wait is None else now + wait,
            attempts=attempts,
            **told,
        )
        if found.state is WebhookState.ENABLED:
            _failed(tx, hub, found, heard, now)

    await hub.db.write(transaction)


def _failed(tx: Tx, hub: Hub, found: Webhook, heard: Heard, now: datetime) -> None:
    """What a failure says of the address: it is asked less often, then a person hears of it."""
    since = found.failing_since or now
    if heard.status == _GONE or now - since >= GIVEN_UP_AFTER:
        _turn(tx, found, WebhookState.DISABLED, now, "system")
        told = "The webhook {url} is disabled: it does not answer any more."
        outgoing.alarm(tx, hub, FAILING, found.id, told, now, url=found.url)
        return
    failures = found.failures + 1
    webhooks.change(tx, found.id, failing_since=since, failures=failures)
    if not heard.against_the_call:
        wait = backoff(failures, hub.entropy.fraction(), retry_after=heard.retry_after)
        webhooks.change(tx, found.id, next_at=now + wait)
    if now - since >= ALARM_AFTER:
        told = "The webhook {url} has not answered well for more than an hour."
        outgoing.alarm(tx, hub, FAILING, found.id, told, now, url=found.url)


async def forget(hub: Hub) -> None:
    """Drop the memory of old calls."""
    now = hub.now()
    await hub.db.write(lambda tx: webhooks.forget_before(tx, now - DONE_KEPT, now - FAILED_KEPT))
