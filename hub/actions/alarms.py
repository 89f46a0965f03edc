"""Alarms: a person says that they know. The matter itself is settled elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.storage import audit
from hub.storage.database import Tx


async def acknowledge(hub: Hub, actor: Actor, ids: Collection[str]) -> int:
    """The agent knows of these alarms; how many of them nobody knew of before."""
    permits.require(actor, Permission.DELIVERIES_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        seen = audit.see_alerts(tx, ids, at=now, by=actor.display)
        if seen:
            audit.append(tx, at=now, actor=actor.ref, event="alerts.seen", alerts=sorted(ids))
        return seen

    return await hub.db.write(transaction)
