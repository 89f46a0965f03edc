"""What happened is put down for the programs that want to hear of it, in the same transaction.

Only ids and states are said, never words: a program asks for the rest with its own token, and
sees what that token may see. What a restore takes back is not announced (`hub/actions/recovery.py`
does not come by here), and nothing is while a node is held: it may have been told before.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from hub.actions.context import Hub
from hub.domain.ticket import Ticket
from hub.domain.webhook import CallState, EventType, wants
from hub.ids import EventId
from hub.protocol.encoding import instant
from hub.storage import resets, webhooks
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.webhooks import Call, Webhook

TOPIC: Final = "webhooks"


def announce(tx: Tx, hub: Hub, event: EventType, now: datetime, **facts: str | int | None) -> None:
    """Tell every enabled webhook that asked for it; after the commit, and until it has heard."""
    listeners = [one for one in webhooks.enabled(tx.connection) if wants(one.types, event)]
    if listeners and resets.held_since(tx.connection) is None:
        tell(tx, hub, listeners, event, now, **facts)


def of_ticket(
    tx: Tx, hub: Hub, event: EventType, ticket: Ticket, now: datetime, **facts: str
) -> None:
    """`announce` something of a ticket."""
    announce(tx, hub, event, now, ticket_id=ticket.id, number=ticket.number, **facts)


def of_handoff(
    tx: Tx, hub: Hub, event: EventType, handoff: Handoff, now: datetime, **facts: str | int
) -> None:
    """`announce` something of a hand-off."""
    announce(
        tx,
        hub,
        event,
        now,
        handoff_id=handoff.id,
        ticket_id=handoff.ticket_id,
        link_id=handoff.link_id,
        party=handoff.party,
        **facts,
    )


def tell(
    tx: Tx,
    hub: Hub,
    listeners: list[Webhook],
    event: EventType,
    now: datetime,
    **facts: str | int | None,
) -> list[EventId]:
    """Put the event down for each of these; the ids of the calls."""
    calls = [
        Call(
            id=EventId(hub.new_id("evt", now)),
            webhook_id=one.id,
            type=event,
            body=json.dumps(
                {"type": event, "timestamp": instant(now), "data": facts}, ensure_ascii=False
            ),
            at=now,
            state=CallState.WAITING,
            attempts=0,
            next_at=now,
            status=None,
            error=None,
            tried_at=None,
        )
        for one in listeners
    ]
    webhooks.tell(tx, calls)
    tx.wake(TOPIC)
    return [one.id for one in calls]
