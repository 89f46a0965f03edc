"""Work that our company took by mail goes on in this node (decision 34)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hub.actions import handoffs as own
from hub.actions import invitations
from hub.actions.context import SYSTEM, Hub
from hub.actions.handoffs import Particulars
from hub.actions.plans import Plan, plan_in
from hub.domain.handoff import Act
from hub.protocol import agreement as agreements
from hub.protocol.encoding import parse_instant
from hub.storage import handoffs
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link


def take_up(
    tx: Tx,
    hub: Hub,
    link: Link,
    handoff: Handoff,
    stands: Mapping[str, Any],
    cause: str,
    now: datetime,
) -> None:
    """Say over the new link what our company had said by mail, where our people agreed to that.

    An offer that says so on any other link is an offer like others: nobody is made to have
    accepted what they did not.
    """
    if link.inviter or link.agreement is None:
        return
    if not invitations.read_offer(agreements.parse(link.agreement).inviter_offer).continues:
        return
    for what, said in _steps(stands):
        again = handoffs.lock(tx, handoff.id)
        own.act_in(tx, hub, again, what, said, actor=SYSTEM, now=now, cause=cause)
    plan = Plan(eta=_at(stands, "eta"), stage=stands.get("stage"), plan=stands.get("plan"))
    if plan != Plan() and stands["state"] != "resolved":
        plan_in(tx, hub, SYSTEM, handoffs.lock(tx, handoff.id), plan, now)


def _steps(stands: Mapping[str, Any]) -> Iterator[tuple[Act, Particulars]]:
    """The steps that lead to where the work stood."""
    due = _at(stands, "due_promised")
    yield Act.ACCEPT, Particulars(due_promised=due, assignee=stands.get("assignee"))
    match stands["state"]:
        case "in_progress":
            yield Act.START, Particulars()
        case "pending":
            yield (
                Act.PEND,
                Particulars(
                    code=stands.get("reason"),
                    until=_at(stands, "until"),
                    stops_clock=stands.get("stops_clock"),
                ),
            )
        case "resolved":
            yield Act.RESOLVE, Particulars(resolution=stands.get("resolution") or "")


def _at(stands: Mapping[str, Any], name: str) -> datetime | None:
    text = stands.get(name)
    return None if text is None else parse_instant(text)
