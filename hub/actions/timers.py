"""What happens by itself when its time comes: expiry, silence that counts as yes, deadlines."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.actions import (
    audit,
    checkpoints,
    erasures,
    holds,
    outgoing,
    retention,
    settled,
    suspicions,
    terms,
)
from hub.actions import handoffs as own
from hub.actions.context import SYSTEM, Hub
from hub.actions.handoffs import Particulars
from hub.domain.handoff import PEN, Act, Party, State
from hub.faults import fault
from hub.storage import agents, handoffs, links
from hub.storage.database import Tx

ANSWERS_KEPT: Final = timedelta(days=2)  # for repeated API requests


async def run(hub: Hub) -> None:
    """Do everything that is due now, each in its own transaction.

    Nothing on a link that a restore is still bringing up to date: it may have been done before.
    """
    fault("timers.before")
    await hub.db.write(lambda tx: _expire_offers(tx, hub))
    fault("timers.between")
    await hub.db.write(lambda tx: _confirm_by_silence(tx, hub))
    await hub.db.write(lambda tx: _grant_cancels(tx, hub))
    await checkpoints.run_due(hub)
    await suspicions.write_down(hub)
    await audit.sign_by_the_hour(hub)
    await hub.db.write(lambda tx: agents.forget_answers_before(tx, hub.now() - ANSWERS_KEPT))
    await holds.look(hub)
    await erasures.sweep(hub)
    await retention.prune(hub)
    await retention.collect(hub)


def _expire_offers(tx: Tx, hub: Hub) -> None:
    """Offers past their `valid_until` are declined by the contractor's node itself."""
    now = hub.now()
    for handoff in handoffs.in_state(tx.connection, Party.CONTRACTOR, State.OFFERED):
        if (
            handoff.valid_until is not None
            and handoff.valid_until <= now
            and settled.is_settled(tx, handoff.link_id, handoff.id)
        ):
            own.act_in(
                tx,
                hub,
                handoff,
                Act.DECLINE,
                Particulars(code="expired_offer"),
                actor=SYSTEM,
                now=now,
            )


def _confirm_by_silence(tx: Tx, hub: Hub) -> None:
    """Resolved work nobody judged within the agreed time is confirmed by the principal's node."""
    now = hub.now()
    for handoff in handoffs.in_state(tx.connection, Party.PRINCIPAL, State.RESOLVED):
        link = links.get(tx.connection, handoff.link_id)
        if link.closed_at is not None:
            continue  # resolved while our closing was on its way: nobody hears a judgement
        hours = terms.direction(link, Party.PRINCIPAL).auto_accept_after_hours
        if (
            hours
            and handoff.since + timedelta(hours=hours) <= now
            and settled.is_settled(tx, handoff.link_id, handoff.id)
        ):
            own.act_in(
                tx, hub, handoff, Act.CONFIRM, Particulars(), actor=SYSTEM, now=now, auto=True
            )
            outgoing.alarm(
                tx,
                hub,
                "confirmed_by_silence",
                handoff.id,
                "Work of {peer} was confirmed by silence after {hours} hours.",
                now,
                peer=link.peer_name,
                hours=hours,
            )


def _grant_cancels(tx: Tx, hub: Hub) -> None:
    """A cancel request nobody answered by its deadline is granted."""
    now = hub.now()
    for handoff in handoffs.with_open_request(tx.connection, Party.CONTRACTOR):
        if PEN[handoff.state] is not Party.CONTRACTOR:
            continue  # we ended it otherwise meanwhile
        if (
            handoff.request_deadline is not None
            and handoff.request_deadline <= now
            and settled.is_settled(tx, handoff.link_id, handoff.id)
        ):
            own.act_in(tx, hub, handoff, Act.CANCELLED, Particulars(), actor=SYSTEM, now=now)
