"""After a restore: both streams of a link merged, in the order in which one knew of the other.

Our own messages that came back from the peer's log are re-applied between those of the peer,
each behind what it acknowledged.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import datetime

from hub.actions import amendments, applying, holds, outgoing, rebuilding, recovery
from hub.actions.applying import Applied
from hub.actions.context import Hub
from hub.actions.outgoing import apply_topic
from hub.domain.delivery import DeliveryState
from hub.errors import Unavailable
from hub.ids import LinkId
from hub.protocol import signing
from hub.storage import handoffs, inbox, links, outbox, streams
from hub.storage.database import Tx, is_trouble
from hub.storage.inbox import InboxRow
from hub.storage.outbox import OutboxRow


def merge_some(tx: Tx, hub: Hub, link_id: LinkId, now: datetime) -> Applied:
    """Re-apply own messages and apply the peer's, in the order in which one knew of the other."""
    stream = streams.lock(tx, link_id)
    if not stream.taken_back:
        streams.change(tx, link_id, taken_back=True)
        rebuilding.reserve_numbers(tx, link_id)
    settled = 0
    while settled < applying.LIMIT:
        parked = inbox.parked_handoffs(tx.connection, link_id)
        waiting = parked | outbox.parked_handoffs(tx.connection, link_id)
        mine = outbox.next_to_reapply(tx.connection, link_id, waiting)
        if mine is None:
            streams.change(tx, link_id, reapplying=False)
            holds.released_if_synced(tx, hub, now)
            tx.wake(apply_topic(link_id))
            tx.wake(outgoing.deliver_topic(link_id))
            return Applied(settled + 1, failed=False)
        theirs = inbox.waiting(tx.connection, link_id, waiting, 1)
        if _is_behind(tx, mine, theirs):
            if not theirs:
                return Applied(settled, failed=False)  # what it acknowledged is still to come
            stream = streams.lock(tx, link_id)
            if not applying.apply_in_order(tx, hub, link_id, stream, theirs, now):
                return Applied(settled, failed=True)
            upto = applying.advance(tx, link_id, stream, theirs, 1, bool(parked))
            amendments.acknowledged(tx, links.get(tx.connection, link_id), upto)
        elif not _reapply_one(tx, hub, link_id, mine, now):
            return Applied(settled, failed=True)
        settled += 1
    tx.wake(apply_topic(link_id))
    return Applied(settled, failed=False)


def _is_behind(tx: Tx, mine: OutboxRow, theirs: Sequence[InboxRow]) -> bool:
    """Whether a message of ours has its place behind the next one of the peer."""
    ack = signing.stored_envelope(mine.env).ack
    acknowledged = 0 if ack is None else ack[0]
    if theirs:
        if theirs[0].seq <= acknowledged:
            return True
    elif inbox.last_seq(tx.connection, mine.link_id) < acknowledged:
        return True
    # Where an older message of the peer was put aside when ours was written, `ack` says less
    # than was known: nothing is said about a hand-off before its offer.
    return (
        mine.handoff_id is not None
        and mine.type != "handoff.offer"
        and handoffs.find(tx.connection, mine.handoff_id) is None
        and not inbox.has_type(tx.connection, mine.link_id, mine.handoff_id, "handoff.offer")
        and not outbox.said(
            tx.connection, mine.link_id, "handoff.offer", mine.handoff_id, pending=False
        )
    )


def _reapply_one(tx: Tx, hub: Hub, link_id: LinkId, row: OutboxRow, now: datetime) -> bool:
    """Whether its effect is part of our state again; else it is tried again, or was parked."""
    link = links.get(tx.connection, link_id)
    try:
        with tx.part():
            recovery.reapply(tx, hub, link, row, now)
    except Exception as error:
        if is_trouble(error):
            raise  # it says nothing about the message
        attempts = row.attempts + 1
        where = "".join(traceback.format_exception(error)[-3:])[-2000:]
        outbox.change(tx, link_id, row.seq, attempts=attempts, last_error=where)
        if attempts >= hub.limits.poison_tries and not isinstance(error, Unavailable):
            outbox.change(tx, link_id, row.seq, state=DeliveryState.PARKED)
            hub.metrics.parked.labels("failed").inc()
            outgoing.alarm(
                tx,
                hub,
                "message_parked",
                row.id,
                "A message to {peer} from before the restore does not fit our state and was put "
                "aside.",
                now,
                peer=link.peer_name,
                type=row.type,
            )
            tx.wake(apply_topic(link_id))
        return False
    return True
