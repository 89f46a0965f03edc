"""Which process works which link: several may share one database, never one link at a time.

A lease is taken for a minute and renewed at half of it, so a busy link costs no statement per
message; a process that dies leaves its links to the others after that minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from hub.actions.context import Hub
from hub.faults import fault
from hub.ids import LinkId
from hub.storage import deliveries

LEASE: Final = timedelta(seconds=60)


async def hold(hub: Hub, link_id: LinkId) -> bool:
    """Whether this process may work the link now."""
    now = hub.now()
    until: datetime | None = hub.leases.get(link_id)
    if until is not None and now < until - LEASE / 2:
        return True
    ends = now + LEASE
    held = await hub.db.write(lambda tx: deliveries.claim(tx, link_id, hub.process, now, ends))
    if held:
        fault("leases.taken")
        hub.leases[link_id] = ends
    else:
        hub.leases.pop(link_id, None)
    return held


async def release_all(hub: Hub) -> None:
    """Leave all links to others at once: on a graceful stop."""
    hub.leases.clear()
    await hub.db.write(lambda tx: deliveries.release(tx, hub.process))
