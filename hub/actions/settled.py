"""Whether it is known where a link stands: after a restore not before its past is here again.

Until then our people's acts on its hand-offs are refused, and timers leave them alone: what would
be done now may have been done before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.errors import Unavailable
from hub.ids import HandoffId
from hub.storage import ground, handoffs, links, nodes, outbox, streams
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

_SOON: Final = timedelta(seconds=30)


def is_settled(tx: Tx, link_id: str, handoff_id: str | None = None) -> bool:
    """Whether we know where this link (and hand-off) stands: not while it comes back."""
    stream = streams.get(tx.connection, link_id)
    if stream is None:
        return True
    if stream.reapplying or (not stream.synced and nodes.held_at(tx.connection) is not None):
        return False
    # Put aside at re-applying: a person looks at that first.
    return not stream.taken_back or handoff_id not in outbox.parked_handoffs(tx.connection, link_id)


def check(tx: Tx, link_id: str, handoff_id: str | None = None) -> None:
    """Raise Unavailable(link_held) where an act now would be about a state that is not ours yet."""
    if not is_settled(tx, link_id, handoff_id):
        raise Unavailable(
            "link_held",
            "After a restore the work shared with {peer} is still being brought up to date.",
            hint="Try again in a moment. How far it is: hub link show {peer}",
            after=_SOON,
            peer=links.get(tx.connection, link_id).peer_name,
        )


def take_up(tx: Tx, handoff_id: HandoffId) -> Handoff:
    """The hand-off, locked, for something that is done with it here. All of that passes here.

    Raises NotFound; Unavailable(link_held) while a restore brings its link up to date.
    """
    ground.of_handoffs(tx, handoff_id)
    handoff = handoffs.lock(tx, handoff_id)
    check(tx, handoff.link_id, handoff.id)
    return handoff
