"""How the contractor plans its work, told to the principal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.actions import permits, requests, settled
from hub.actions.context import Actor, Hub
from hub.domain.handoff import OVER, Party
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.ids import HandoffId
from hub.storage import handoffs, tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff


@dataclass(frozen=True, slots=True)
class Plan:
    """What the contractor tells about its work; None: unchanged."""

    eta: datetime | None = None
    assignee: str | None = None
    due_promised: datetime | None = None
    stage: str | None = None
    plan: str | None = None


async def plan(hub: Hub, actor: Actor, handoff_id: HandoffId, wish: Plan) -> None:
    """Tell the principal how our work is planned."""
    permits.require(actor, Permission.TICKETS_WORK, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        handoff = settled.take_up(tx, handoff_id)
        permits.on_tickets(tx.connection, actor, handoff.ticket_id)
        plan_in(tx, hub, actor, handoff, wish, hub.now())

    await hub.db.write(transaction)


def plan_in(tx: Tx, hub: Hub, actor: Actor, handoff: Handoff, wish: Plan, now: datetime) -> None:
    """`plan`, inside a transaction that is about more than that."""
    if handoff.party is not Party.CONTRACTOR:
        raise Refused("wrong_pen", "The plan is the contractor's.")
    if handoff.state in OVER:
        raise Refused("wrong_pen", "This hand-off is over.")
    changed = {
        name: value
        for name in Plan.__dataclass_fields__
        if (value := getattr(wish, name)) is not None
    }
    if not changed:
        raise Refused("nothing_to_change", "Say what is planned: time, person or stage.")
    told = requests.send_statement(tx, hub, handoff, "handoff.plan", changed, now=now, actor=actor)
    # What both sides know of it: a name that is not disclosed is nobody's plan but ours.
    changed = {name: value for name, value in changed.items() if name in told}
    if "assignee" in told:
        changed["assignee"] = told["assignee"]
    handoffs.change(tx, handoff.id, **changed)
    tickets.touch(tx, handoff.ticket_id, now)
