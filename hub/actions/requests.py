"""What the two parties of a hand-off say to each other beside its steps: requests, answers, words.

A request is open until it is answered by words or settled by a step. One at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.actions import outgoing, permits, settled, steps, terms
from hub.actions.context import Actor, Hub
from hub.domain import disclosure
from hub.domain.handoff import Party, Request, check_request
from hub.domain.permission import Permission
from hub.errors import Conflict, Refused
from hub.ids import HandoffId
from hub.storage import handoffs, links
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff


async def retract(hub: Hub, actor: Actor, handoff_id: HandoffId, reason: str) -> None:
    """Ask the principal to give the resolution back."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        ask_in(tx, hub, handoff, Request.RETRACT, reason, code="", actor=actor, now=now)

    await hub.db.write(transaction)


def ask_in(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    request: Request,
    reason: str,
    *,
    code: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Send a request and remember that it is open. One at a time."""
    check_request(request, handoff.party, handoff.state)
    if handoff.request is not None:
        raise Conflict(
            "request_open",
            "A request about this hand-off is already waiting for an answer.",
        )
    link = links.get(tx.connection, handoff.link_id)
    direction = terms.direction(link, handoff.party)
    request_id = hub.new_id("req", now)
    members: dict[str, Any] = {"request_id": request_id, "reason": reason}
    if request is Request.CANCEL:
        members["code"] = code
    view = disclosure.statement_view(
        f"handoff.{request}",
        members,
        direction,
        by=handoff.party,
        withhold=terms.withheld(handoff),
    )
    if outgoing.said_before(tx, link, view, handoff.id) is not None:
        return
    message_id = outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff.id)
    handoffs.change(
        tx,
        handoff.id,
        request=request,
        request_id=request_id,
        request_reason=reason,
        request_at=now,
    )
    handoffs.record(
        tx,
        handoff.id,
        at=now,
        party=handoff.party,
        actor=actor.display,
        event=request,
        facts={"reason": reason, "code": code},
        message_id=message_id,
    )


async def refuse_cancel(hub: Hub, actor: Actor, handoff_id: HandoffId, text: str) -> None:
    """Tell the principal that the work goes on: its cancel request is refused by our people."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        if handoff.party is not Party.CONTRACTOR or handoff.request != Request.CANCEL:
            raise Refused("no_request", "The principal has not asked to cancel.")
        assert handoff.request_id is not None
        refuse_in(
            tx,
            hub,
            handoff,
            "handoff.cancel_refused",
            {"request_id": handoff.request_id, "code": "work_started", "text": text},
            actor=actor,
            now=now,
        )

    await hub.db.write(transaction)


def refuse_in(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    kind: str,
    members: Mapping[str, object],
    *,
    actor: Actor,
    now: datetime,
    cause: str | None = None,
) -> None:
    """Answer the peer's request with no; it is no longer open."""
    link = links.get(tx.connection, handoff.link_id)
    direction = terms.direction(link, handoff.party)
    view = disclosure.statement_view(
        kind, members, direction, by=handoff.party, withhold=terms.withheld(handoff)
    )
    if outgoing.said_before(tx, link, view, handoff.id) is not None:
        return
    message_id = outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff.id, cause=cause)
    if handoff.request_id == members["request_id"]:  # a request of our own stays open
        steps.close_request(tx, handoff, now)
    handoffs.record(
        tx,
        handoff.id,
        at=now,
        party=handoff.party,
        actor=actor.display,
        event=kind.removeprefix("handoff."),
        facts=dict(members),
        message_id=message_id,
    )


def send_statement(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    kind: str,
    members: Mapping[str, object],
    *,
    now: datetime,
    actor: Actor,
) -> dict[str, Any]:
    """Send words about a hand-off that do not change its state; what was sent."""
    link = links.get(tx.connection, handoff.link_id)
    view = disclosure.statement_view(
        kind,
        members,
        terms.direction(link, handoff.party),
        by=handoff.party,
        withhold=terms.withheld(handoff),
    )
    data: dict[str, Any] = view.to_data()
    if outgoing.said_before(tx, link, view, handoff.id) is not None:
        return data
    message_id = outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff.id)
    handoffs.record(
        tx,
        handoff.id,
        at=now,
        party=handoff.party,
        actor=actor.display,
        event=kind.removeprefix("handoff."),
        facts=data,
        message_id=message_id,
    )
    return data
