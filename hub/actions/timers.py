"""What happens by itself when its time comes: expiry, silence that counts as yes, deadlines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from hub.actions import (
    audit,
    checkpoints,
    collecting,
    erasures,
    holds,
    notices,
    outgoing,
    reminders,
    retention,
    settled,
    suspicions,
    terms,
    webhooks,
)
from hub.actions import handoffs as own
from hub.actions.context import SYSTEM, Hub
from hub.actions.handoffs import Particulars
from hub.domain.handoff import PEN, Act, Party, State
from hub.faults import fault
from hub.ids import HandoffId
from hub.storage import agents, ground, handoffs, links
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff

ANSWERS_KEPT: Final = timedelta(days=2)  # for repeated API requests


async def run(hub: Hub) -> None:
    """Do everything that is due now, each in its own transaction; then `tidy`."""
    await act(hub)
    await tidy(hub)


async def act(hub: Hub) -> None:
    """Do what somebody waits for, now that its time has come.

    Nothing on a link that a restore is still bringing up to date: it may have been done before.
    """
    fault("timers.before")
    await _each(hub, EXPIRY)
    fault("timers.between")
    await _each(hub, SILENCE)
    await _each(hub, DEADLINE)
    await reminders.run(hub)
    await checkpoints.run_due(hub)
    await collecting.watch(hub)
    await suspicions.write_down(hub)
    await audit.sign_by_the_hour(hub)
    await holds.look(hub)
    await notices.run(hub)
    await erasures.sweep(hub)
    await retention.prune(hub)
    await retention.collect(hub)


async def tidy(hub: Hub) -> None:
    """Drop what nobody asks for any more. Nobody waits for it: once an hour is often enough."""
    await hub.db.write(lambda tx: agents.forget_answers_before(tx, hub.now() - ANSWERS_KEPT))
    await retention.forget_personal(hub)
    await notices.forget(hub)
    await webhooks.forget(hub)


async def _each(hub: Hub, rule: Rule) -> None:
    """Do it with every hand-off whose time has come, as it is once it is locked."""
    now = hub.now()

    def due(connection: Connection) -> list[HandoffId]:
        found = rule.among(connection)
        return [one.id for one in found if rule.is_due(connection, one, now)]

    def transaction(tx: Tx, handoff_id: HandoffId) -> None:
        ground.of_handoffs(tx, handoff_id)
        handoff = handoffs.lock(tx, handoff_id)
        if rule.is_due(tx.connection, handoff, now) and settled.is_settled(
            tx, handoff.link_id, handoff.id
        ):
            rule.do(tx, hub, handoff, now)

    for handoff_id in await hub.db.read(due):
        await hub.db.write(partial(transaction, handoff_id=handoff_id))


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that happens to a hand-off when its time has come."""

    among: Callable[[Connection], list[Handoff]]
    is_due: Callable[[Connection, Handoff, datetime], bool]
    do: Callable[[Tx, Hub, Handoff, datetime], object]


def _is_expired(_connection: Connection, handoff: Handoff, now: datetime) -> bool:
    return (
        handoff.state is State.OFFERED
        and handoff.valid_until is not None
        and handoff.valid_until <= now
    )


def _expire(tx: Tx, hub: Hub, handoff: Handoff, now: datetime) -> None:
    said = Particulars(code="expired_offer")
    own.act_in(tx, hub, handoff, Act.DECLINE, said, actor=SYSTEM, now=now)


def _silent_hours(connection: Connection, handoff: Handoff) -> int | None:
    """After how many hours silence is a yes; None: never."""
    link = links.get(connection, handoff.link_id)
    if link.closed_at is not None:
        return None  # resolved while our closing was on its way: nobody hears a judgement
    return terms.direction(link, Party.PRINCIPAL).auto_accept_after_hours or None


def _is_accepted_by_silence(connection: Connection, handoff: Handoff, now: datetime) -> bool:
    if handoff.state is not State.RESOLVED:
        return False
    hours = _silent_hours(connection, handoff)
    return hours is not None and handoff.since + timedelta(hours=hours) <= now


def _confirm(tx: Tx, hub: Hub, handoff: Handoff, now: datetime) -> None:
    own.act_in(tx, hub, handoff, Act.CONFIRM, Particulars(), actor=SYSTEM, now=now, auto=True)
    outgoing.alarm(
        tx,
        hub,
        "confirmed_by_silence",
        handoff.id,
        "Work of {peer} was confirmed by silence after {hours} hours.",
        now,
        peer=links.get(tx.connection, handoff.link_id).peer_name,
        hours=_silent_hours(tx.connection, handoff),
    )


def _is_past_deadline(_connection: Connection, handoff: Handoff, now: datetime) -> bool:
    return (
        handoff.request is not None
        and PEN[handoff.state] is Party.CONTRACTOR  # else we ended it otherwise meanwhile
        and handoff.request_deadline is not None
        and handoff.request_deadline <= now
    )


def _grant_cancel(tx: Tx, hub: Hub, handoff: Handoff, now: datetime) -> None:
    own.act_in(tx, hub, handoff, Act.CANCELLED, Particulars(), actor=SYSTEM, now=now)


EXPIRY: Final = Rule(
    lambda connection: handoffs.in_state(connection, Party.CONTRACTOR, State.OFFERED),
    _is_expired,
    _expire,
)
"""Offers past their `valid_until` are declined by the contractor's node itself."""

SILENCE: Final = Rule(
    lambda connection: handoffs.in_state(connection, Party.PRINCIPAL, State.RESOLVED),
    _is_accepted_by_silence,
    _confirm,
)
"""Resolved work nobody judged within the agreed time is confirmed by the principal's node."""

DEADLINE: Final = Rule(
    lambda connection: handoffs.with_open_request(connection, Party.CONTRACTOR),
    _is_past_deadline,
    _grant_cancel,
)
"""A cancel request nobody answered by its deadline is granted."""
