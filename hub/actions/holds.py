"""Held: after a restore mail and desks wait, until every link is synced or a person says so.

What was mailed or written to a desk since the backup is unknown to the restored node. It would
do it again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hub.actions import announcing, permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.protocol.encoding import instant
from hub.storage import audit, nodes, resets
from hub.storage.database import Connection, Tx

HELD: Final = "held"  # alert: mail and desks wait; settled by the release
MOVED: Final = "node_moved"  # alert: the same, where no restore of ours said why
RESTORED: Final = "restored"  # alert: what is lost for good; settled by a person


async def release(hub: Hub, actor: Actor) -> bool:
    """Let mail and desks go on, whether or not every link is synced; False: nothing was held.

    The person who does it has seen what the restore lost. Raises Refused(not_yours).
    """
    permits.require(actor, Permission.ADMIN)

    def transaction(tx: Tx) -> bool:
        now = hub.now()
        audit.resolve_alerts(tx, kind=RESTORED, subject=hub.account.node_id, at=now)
        unsynced = resets.not_synced(tx.connection)
        return _let_go(tx, hub, now, actor.ref, unsynced)

    return await hub.db.write(transaction)


async def look(hub: Hub) -> None:
    """Let mail and desks go on where every open link is synced by now."""
    if await hub.db.read(_is_over):
        await hub.db.write(lambda tx: released_if_synced(tx, hub, hub.now()))


def _is_over(connection: Connection) -> bool:
    return resets.held_since(connection) is not None and not resets.not_synced(connection)


def released_if_synced(tx: Tx, hub: Hub, now: datetime) -> bool:
    """Let mail and desks go on if every open link is synced; whether that was so just now.

    For the transaction in which a link becomes synced, or what was taken back from its peer is
    applied; `look` finds the rest.
    """
    return not resets.not_synced(tx.connection) and _let_go(tx, hub, now, "system", [])


def _let_go(tx: Tx, hub: Hub, now: datetime, actor: str, unsynced: list[str]) -> bool:
    since = resets.held_since(tx.connection)
    if since is None:
        return False
    resets.let_go(tx)
    stored = nodes.find(tx.connection)
    assert stored is not None
    for kind in (HELD, MOVED):
        audit.resolve_alerts(tx, kind=kind, subject=stored.node_id, at=now)
    audit.append(tx, at=now, actor=actor, event="node.released", held_at=since, not_synced=unsynced)
    announcing.announce(tx, hub, EventType.NODE_RESTORED, now, held_at=instant(since))
    return True
