"""A run of the node: from the first process at work until all of them are gone.

Between two runs anything may have happened to the database: a power cut, an older copy put in
its place, another server of the database promoted. So when a run begins nothing is believed
about where the peers stand until each of them was asked (hub/actions/syncing.py).
"""

from __future__ import annotations

from hub.actions import outgoing
from hub.actions.context import Hub
from hub.faults import fault
from hub.storage import audit, deliveries, ground, nodes, streams
from hub.storage.database import Tx

SYNC_TOPIC = "sync"
"""Woken when a link has to be synced."""
COLLECT_TOPIC = "collect"
"""Woken when a node that nobody can call may ask a peer what is for it."""


async def begin(hub: Hub) -> str:
    """Begin a run of the node; its random name. All links have to be synced anew.

    A database that last worked with another data directory was restored or copied: then
    mail and desks are held as well, until all links are synced or a person lets them go.
    """

    def transaction(tx: Tx) -> str:
        now = hub.now()
        ground.of_all_links(tx)
        run = hub.entropy.bytes(16).hex()
        node = nodes.find(tx.connection)
        assert node is not None
        elsewhere = node.instance is not None and node.instance != hub.keys.instance
        nodes.change(tx, run=run, run_began_at=now, instance=hub.keys.instance)
        streams.unsync_all(tx)
        deliveries.release_all(tx)  # whoever holds one is dead, or on another copy
        audit.append(
            tx, at=now, actor="system", event="node.run", run=run, instance=hub.keys.instance
        )
        if elsewhere and node.held_at is None:
            nodes.change(tx, held_at=now)
            outgoing.alarm(
                tx,
                hub,
                "node_moved",
                hub.account.node_id,
                "The database was restored or copied. Mail and desks wait until every link is "
                "synced.",
                now,
            )
        fault("run.begun")
        tx.wake(SYNC_TOPIC)
        return run

    return await hub.db.write(transaction)
