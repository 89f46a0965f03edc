"""Our own sync with a peer that we cannot call: it makes our calls for us.

The steps are those of `syncing`, with the parts changed over. In every answer to its `POST
…/sync` stands what our sync waits for: that the peer hands back those of our messages we lost,
page by page, then that it notes our next epoch down. With its word that it did, the epoch
begins here, in the same transaction as anywhere else.

We keep nothing in memory between two of its calls: any process may answer any of them, and a
break anywhere is repaired by asking again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hub.actions import syncing
from hub.actions.context import Hub
from hub.actions.epochs import Own
from hub.errors import Conflict, NotFound, Untrusted
from hub.faults import fault
from hub.ids import LinkId
from hub.protocol import sync
from hub.protocol.message import MAX_BATCH, WireMessage
from hub.protocol.sync import NewEpoch, Place, Standing, Turn
from hub.storage import links, returned, streams
from hub.storage.database import Connection, Tx
from hub.storage.links import Link
from hub.storage.returned import Returned


async def turn(hub: Hub, link_id: LinkId, theirs: Standing) -> Turn | None:
    """What our sync waits for, of a peer that stands there; None where we are synced."""

    def body(connection: Connection) -> Turn | None:
        link = links.get(connection, link_id)
        stream = streams.get(connection, link_id)
        if stream is None or stream.synced or not link.collects:
            return None
        taken = _taken(connection, hub, link, theirs.held)
        if isinstance(taken, int):
            return Turn(lost_from=taken)
        return Turn(begin=syncing.propose_in(connection, hub, link_id, theirs, taken)[1])

    return await hub.db.read(body)


def _taken(connection: Connection, hub: Hub, link: Link, held: Place) -> list[Own] | int:
    """What we lost and have been handed back; the position to go on from while that is not all."""
    known = syncing.compare_in(connection, link.id, held)
    if known is None:
        return []
    last = returned.last(connection, link.id)
    if last is None or last.seq > held.seq or (last.seq == held.seq and last.hash != held.head):
        return known.seq + 1
    if last.seq < held.seq:
        return last.seq + 1
    log = [
        syncing.open_own(hub, link, WireMessage(one.env, one.data))
        for one in returned.of_link(connection, link.id)
    ]
    return syncing.lost_in(connection, link.id, log)


async def take_page(hub: Hub, link_id: LinkId, wires: Sequence[WireMessage]) -> int:
    """Keep a page of our own log that the peer hands back; from where it goes on.

    That is further down where the page does not follow from anything we know. Raises NotFound
    where nothing was asked for; Untrusted for what we did not sign, or what does not hold
    together.
    """

    def transaction(tx: Tx) -> int:
        link = links.lock(tx, link_id)
        if not link.collects or streams.lock(tx, link_id).synced:
            raise NotFound("not_found", "Nothing is asked for.")
        page = [syncing.open_own(hub, link, wire) for wire in wires]
        if not page or any(
            (after.envelope.seq, after.envelope.prev) != (before.envelope.seq + 1, before.hash)
            for before, after in itertools.pairwise(page)
        ):
            raise _broken()
        first = page[0].envelope
        last = returned.last(tx.connection, link_id)
        if last is None or (first.seq, first.prev) != (last.seq + 1, last.hash):
            returned.forget(tx, link_id)
            if syncing.hash_at(tx.connection, link_id, first.seq - 1) != first.prev:
                # Both sides were put back: what we know from before does not count either.
                if first.seq == 1:
                    raise _broken()
                return max(1, first.seq - MAX_BATCH)
        returned.add(
            tx,
            link_id,
            [Returned(one.envelope.seq, one.hash, one.env, one.data) for one in page],
        )
        fault("turns.page_taken")
        return page[-1].envelope.seq + 1

    return await hub.db.write(transaction)


def _broken() -> Untrusted:
    return Untrusted("env_invalid", "The log of the partner does not hold together.")


async def noted(hub: Hub, link_id: LinkId, theirs: Standing, begin: NewEpoch) -> None:
    """The peer noted this epoch of ours down: begin it, if it is one we would ask for now.

    Raises NotFound; Conflict(epoch_stale) for any other one: then the sync starts over.
    """

    def body(connection: Connection) -> list[Own] | None:
        link = links.get(connection, link_id)
        stream = streams.get(connection, link_id)
        if stream is None or not link.collects:
            raise NotFound("not_found", "There is no such link.")
        if stream.synced and stream.out_epoch == begin.epoch:
            return None  # told a second time
        ours = syncing.standing_in(connection, hub, link_id)
        others = [one for one in theirs.held_epochs if one != begin.epoch]
        highest = sync.following_epoch(int(hub.now().timestamp()), ours.sent_epochs, others)
        taken = _taken(connection, hub, link, theirs.held)
        if (
            isinstance(taken, int)
            or begin.base != theirs.held
            or theirs.held_epochs.get(begin.epoch) != begin.start_seq
            # Not one that the peer made up: no number would be left above it.
            or not max([*ours.sent_epochs, *others]) < begin.epoch <= highest
        ):
            raise Conflict("epoch_stale", "The streams moved while the two nodes compared them.")
        return taken

    taken = await hub.db.read(body)
    if taken is not None:
        await syncing.finish(hub, link_id, theirs, begin, taken)
