"""Asking the principal whether work may be handed on, and answering such a question.

Needed where the terms say `subcontracting: consent`; without it an offer to a subcontractor is
refused (`domain.chain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.actions import announcing, outgoing, permits, received_handoffs, requests, settled
from hub.actions.context import Actor, Hub
from hub.actions.received_handoffs import Received
from hub.domain.consent import Consent, answered, check_answer, check_ask
from hub.domain.handoff import Party
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.errors import Refused
from hub.ids import HandoffId
from hub.storage import audit, handoffs, links, tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

ASK = "subcontract.ask"
ANSWER = "subcontract.answer"


async def ask(hub: Hub, actor: Actor, handoff_id: HandoffId, reason: str) -> None:
    """Ask the principal to let us hand this work on.

    Raises Refused(wrong_pen), Conflict(request_open | consent_given).
    """
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        check_ask(handoff.party, handoff.state, handoff.consent)
        members = {"request_id": hub.new_id("req", now), "reason": reason}
        said = requests.send_statement(tx, hub, handoff, ASK, members, now=now, actor=actor)
        asked(tx, handoff, said, now)
        tickets.touch(tx, handoff.ticket_id, now)

    await hub.db.write(transaction)


async def answer(
    hub: Hub, actor: Actor, handoff_id: HandoffId, text: str | None, *, granted: bool
) -> None:
    """Let the contractor hand the work on, or not. Raises Refused(wrong_pen | no_request)."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        check_answer(handoff.party, handoff.consent)
        members = {"request_id": handoff.consent_id, "granted": granted, "text": text or None}
        said = requests.send_statement(tx, hub, handoff, ANSWER, members, now=now, actor=actor)
        settle(tx, handoff, said, now, now)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="handoff.consent_granted" if granted else "handoff.consent_refused",
            handoff=handoff_id,
            peer=links.get(tx.connection, handoff.link_id).peer_node_id,
        )
        tickets.touch(tx, handoff.ticket_id, now)

    await hub.db.write(transaction)


def receive_ask(tx: Tx, hub: Hub, message: Received) -> None:
    """Our contractor asks: put it before our people."""
    handoff = received_handoffs.known(tx, message)
    check_ask(handoff.party.other, handoff.state, handoff.consent)
    asked(tx, handoff, message.said, message.at)
    _record(tx, handoff, message)
    outgoing.alarm(
        tx,
        hub,
        "consent_asked",
        handoff.id,
        "{peer} asks whether it may hand the work on to another company.",
        message.now,
        peer=message.link.peer_name,
    )
    _tell(tx, hub, handoff, message, Consent.ASKED)


def receive_answer(tx: Tx, hub: Hub, message: Received) -> None:
    """The principal answered our question."""
    handoff = received_handoffs.known(tx, message)
    check_answer(handoff.party.other, handoff.consent)
    if handoff.consent_id != message.said["request_id"]:
        raise Refused("scope_denied", "This hand-off has no such request.")
    settle(tx, handoff, message.said, message.at, message.now)
    _record(tx, handoff, message)
    _tell(tx, hub, handoff, message, answered(message.said["granted"]))


def _record(tx: Tx, handoff: Handoff, message: Received) -> None:
    handoffs.record(
        tx,
        handoff.id,
        at=message.at,
        party=handoff.party.other,
        actor=message.link.peer_name,
        event=message.type,
        facts=message.said,
        message_id=message.message_id,
    )


def _tell(tx: Tx, hub: Hub, handoff: Handoff, message: Received, stands: Consent) -> None:
    tickets.touch(tx, handoff.ticket_id, message.now)
    announcing.of_handoff(
        tx, hub, EventType.HANDOFF_CHANGED, handoff, message.now, act="consent", consent=stands
    )


def asked(tx: Tx, handoff: Handoff, said: Mapping[str, Any], at: datetime) -> None:
    """The question stands, whoever asked it and however it came here."""
    handoffs.change(
        tx,
        handoff.id,
        consent=Consent.ASKED,
        consent_id=said["request_id"],
        consent_text=said["reason"],
        consent_at=at,
    )


def settle(tx: Tx, handoff: Handoff, said: Mapping[str, Any], at: datetime, now: datetime) -> None:
    """The question is answered; nobody of ours has to answer it any more."""
    handoffs.change(
        tx,
        handoff.id,
        consent=answered(said["granted"]),
        consent_text=said.get("text"),
        consent_at=at,
    )
    if handoff.party is Party.PRINCIPAL:
        audit.resolve_alerts(tx, kind="consent_asked", subject=handoff.id, at=now)
