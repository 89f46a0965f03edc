"""Where both sides of a link stand, agreed anew before anything passes after a start.

Each side brings its own direction in order. It learns what the peer holds of its messages,
takes back those it has lost itself, says where it stands in the peer's stream (the peer goes
back and sends again from there), and begins a new epoch: what it signed before and nobody
acknowledged is void from then on, however late a copy of it arrives, and is signed again under
the same ids. The peer writes the epoch down first; then we do, in one transaction.

A break anywhere is repaired by starting over with a higher number: the epoch the peer noted
down and nobody ever used does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.actions import epochs, holds, keyring, outgoing, rebuilding
from hub.actions import outbox as delivery
from hub.actions.context import Hub
from hub.actions.epochs import Own
from hub.actions.outgoing import apply_topic
from hub.actions.runs import COLLECT_TOPIC, SYNC_TOPIC
from hub.domain.delivery import backoff
from hub.errors import Conflict, HubError, NotFound, Refused, Untrusted
from hub.faults import fault
from hub.ids import LinkId
from hub.protocol import jws, receipts, signing, sync
from hub.protocol.message import WireMessage
from hub.protocol.sync import NewEpoch, Place, Standing
from hub.storage import audit, deliveries, ground, links, nodes, outbox, returned, streams
from hub.storage.database import Connection, Tx
from hub.storage.links import AGREED, Link, LinkState
from hub.storage.outbox import OutboxRow
from hub.storage.streams import Stream


async def due(hub: Hub) -> list[tuple[LinkId, datetime | None]]:
    """Links that have to be synced, and the instant before which each must not be tried."""
    closed_before = hub.now() - timedelta(days=hub.limits.closed_link_readable_days)
    return await hub.db.glance(lambda connection: streams.unsynced(connection, closed_before))


async def standing(hub: Hub, link_id: LinkId) -> Standing:
    """Where we stand on this link. Raises NotFound."""
    return await hub.db.read(lambda connection: standing_in(connection, hub, link_id))


def standing_in(connection: Connection, hub: Hub, link_id: LinkId) -> Standing:
    """See `standing`."""
    stream = streams.get(connection, link_id)
    if stream is None:
        raise NotFound("not_found", "There is no such link.")
    return Standing(
        instance=hub.keys.instance,
        run=nodes.run(connection),
        synced=stream.synced,
        sent=Place(stream.out_seq, stream.out_head),
        held=Place(stream.in_seq, stream.in_head),
        sent_epochs=dict(streams.epoch_table(connection, link_id, "out")),
        held_epochs=dict(streams.epoch_table(connection, link_id, "in")),
    )


# --- the side that asks ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What we ourselves have at one place of our log."""

    seq: int
    hash: str


async def compare(hub: Hub, link_id: LinkId, held: Place) -> Known | None:
    """From where on the peer's copy of our log has to be read; None if ours goes as far.

    The place given is one we have; whether the peer has the same there is still to be seen.
    """
    return await hub.db.read(lambda connection: compare_in(connection, link_id, held))


def compare_in(connection: Connection, link_id: LinkId, held: Place) -> Known | None:
    """See `compare`."""
    stream = streams.get(connection, link_id)
    assert stream is not None
    if hash_at(connection, link_id, held.seq) == held.head:
        return None
    return known_at(connection, link_id, min(stream.receipted_seq, held.seq, stream.out_seq))


async def known_before(hub: Hub, link_id: LinkId, seq: int) -> Known:
    """What we have at this place or, below 1, before the first message."""
    return await hub.db.read(lambda connection: known_at(connection, link_id, max(seq, 0)))


def known_at(connection: Connection, link_id: str, seq: int) -> Known:
    """What we have at this place; there is something at it."""
    known = hash_at(connection, link_id, seq)
    assert known is not None
    return Known(seq, known)


def hash_at(connection: Connection, link_id: str, seq: int) -> str | None:
    """The hash of our message at this place; of the agreement before the first one."""
    if seq == 0:
        return links.get(connection, link_id).agreement_hash
    row = outbox.at(connection, link_id, seq)
    return None if row is None else row.hash


def open_own(hub: Hub, link: Link, wire: WireMessage) -> Own:
    """The message, if we signed it. Its place is for the caller to judge. Raises Untrusted."""
    key = hub.own_message_key(signing.peek_kid(wire.env))
    who = {"link": link.id, "sender": hub.account.node_id, "receiver": link.peer_node_id}
    if wire.data is None:
        envelope, mh = signing.open_envelope(wire.env, key, **who)
    else:
        opened = signing.open_sealed(wire, key, **who)
        envelope, mh = opened.envelope, opened.hash
    return Own(envelope, wire.env, wire.data, mh)


async def lost(hub: Hub, link_id: LinkId, log: Sequence[Own]) -> list[Own]:
    """Of this part of our log as the peer holds it: what we do not have ourselves."""
    return await hub.db.read(lambda connection: lost_in(connection, link_id, log))


def lost_in(connection: Connection, link_id: LinkId, log: Sequence[Own]) -> list[Own]:
    """See `lost`."""
    for n, own in enumerate(log):
        if hash_at(connection, link_id, own.envelope.seq) != own.hash:
            return list(log[n:])
    return []


async def propose(
    hub: Hub, link_id: LinkId, theirs: Standing, taken: Sequence[Own]
) -> tuple[Standing, NewEpoch]:
    """Where we stand, and the epoch we want to begin behind all that anybody ever acknowledged."""
    return await hub.db.read(lambda connection: propose_in(connection, hub, link_id, theirs, taken))


def propose_in(
    connection: Connection, hub: Hub, link_id: LinkId, theirs: Standing, taken: Sequence[Own]
) -> tuple[Standing, NewEpoch]:
    """See `propose`."""
    stream = streams.get(connection, link_id)
    assert stream is not None
    ours = standing_in(connection, hub, link_id)
    epoch = sync.following_epoch(int(hub.now().timestamp()), ours.sent_epochs, theirs.held_epochs)
    return ours, NewEpoch(epoch, _firm(stream, theirs.held.seq, taken) + 1, theirs.held)


def _firm(stream: Stream, held: int, taken: Sequence[Own]) -> int:
    """The last position that keeps the envelope it has."""
    if taken:
        # What we lost was written after all we know to be receipted, in this history.
        return held
    return min(max(held, stream.firm_seq), stream.out_seq)


async def finish(
    hub: Hub, link_id: LinkId, theirs: Standing, begin: NewEpoch, taken: Sequence[Own]
) -> None:
    """The peer noted the epoch down: begin it. From here on the link is in use.

    Raises Conflict(epoch_stale) where our own log moved in a way the proposal did not foresee;
    then nothing has changed, and the sync starts over.
    """

    def transaction(tx: Tx) -> None:
        now = hub.now()
        link = links.lock(tx, link_id)
        stream = streams.lock(tx, link_id)
        if stream.synced:  # another process was faster
            if begin.epoch > stream.out_epoch:
                # But the peer noted our epoch down behind its own: what is said in the other one
                # would be superseded there for good. A third one, above both, ends that.
                streams.change(tx, link_id, synced=False)
                tx.wake(SYNC_TOPIC)
            return
        if _firm(stream, begin.base.seq, taken) + 1 != begin.start_seq:
            raise _stale()
        reason = _reason(tx, link_id, taken)
        streams.add_epochs(tx, link_id, "out", theirs.held_epochs)
        streams.add_epochs(
            tx,
            link_id,
            "out",
            {begin.epoch: begin.start_seq},
            instance=hub.keys.instance,
            run=nodes.run(tx.connection),
        )
        streams.add_epochs(tx, link_id, "in", theirs.sent_epochs)
        epochs.begin(tx, hub, link, begin, taken, reason, now)
        outbox.settle_from(tx, link_id, begin.base.seq, now)
        streams.change(
            tx,
            link_id,
            receipted_seq=begin.base.seq,
            receipted_max=max(stream.firm_seq, begin.base.seq),
            synced=True,
            reapplying=stream.reapplying or any(own.data is not None for own in taken),
        )
        returned.forget(tx, link_id)
        rebuilding.reserve_numbers(tx, link_id)
        holds.released_if_synced(tx, hub, now)
        _tell(tx, hub, link, taken, now)
        audit.append(
            tx,
            at=now,
            actor="system",
            event="link.synced",
            link=link_id,
            epoch=begin.epoch,
            start_seq=begin.start_seq,
            reason=reason,
            taken_back=len(taken),
        )
        # No success yet: only a receipt ends a silence that people may have to hear of.
        deliveries.let_try(tx, link_id)
        tx.wake(outgoing.deliver_topic(link_id))
        tx.wake(apply_topic(link_id))
        tx.wake(COLLECT_TOPIC)
        fault("sync.begun")

    await hub.db.write(transaction)


def _reason(tx: Tx, link_id: LinkId, taken: Sequence[Own]) -> str:
    if taken:
        return "restore"
    return "skip" if outbox.has_skipped(tx.connection, link_id) else "start"


def _stale() -> Conflict:
    return Conflict("epoch_stale", "The streams moved while the two nodes compared them.")


def _tell(tx: Tx, hub: Hub, link: Link, taken: Sequence[Own], now: datetime) -> None:
    """People hear that messages came back, and whether all of them did."""
    if not taken:
        return
    erased = sum(own.data is None for own in taken)
    outgoing.alarm(
        tx,
        hub,
        "taken_back",
        link.id,
        "This node was restored: {count} of its own messages came back from {peer}. What was "
        "never shared with {peer} since the backup is lost.",
        now,
        count=len(taken),
        peer=link.peer_name,
    )
    if erased:
        outgoing.alarm(
            tx,
            hub,
            "taken_back_empty",
            link.id,
            "{peer} no longer keeps the content of {count} of our lost messages.",
            now,
            count=erased,
            peer=link.peer_name,
        )


async def keep_receipts(hub: Hub, link_id: LinkId, texts: Sequence[str]) -> None:
    """Keep the peer's receipts for messages we took back, those that fit our log."""

    def transaction(tx: Tx) -> None:
        ground.of_links(tx, link_id)
        for text in texts:
            try:
                key = delivery.msg_key(tx, link_id, jws.peek(text).kid)
                receipt = receipts.open_receipt(text, key, link=link_id, of=hub.account.node_id)
            except Untrusted:
                continue
            if hash_at(tx.connection, link_id, receipt.upto) == receipt.head:
                streams.keep_receipt(
                    tx,
                    link_id,
                    "received",
                    epoch=receipt.epoch,
                    upto=receipt.upto,
                    jws=text,
                    at=hub.now(),
                )

    await hub.db.write(transaction)


async def record_failure(hub: Hub, link_id: LinkId, error: HubError) -> None:
    """The sync did not come to its end: when to try again, and who has to be told."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_links(tx, link_id)
        how = deliveries.get(tx.connection, link_id)
        wait = backoff(
            how.failures + 1,
            hub.entropy.fraction(),
            cap=delivery.retry_cap(hub),
            base=timedelta(seconds=hub.limits.retry_base_s),
            retry_after=getattr(error, "after", None),
        )
        since = how.failing_since or now
        deliveries.failed(
            tx,
            link_id,
            failures=how.failures + 1,
            next_at=now + wait,
            since=since,
            error=f"{error.code}: {error.because or error.code}"[:500],
        )
        delivery.tell_people(tx, hub, links.get(tx.connection, link_id), now - since, now)
        keyring.heed_answer(tx, hub, link_id, error)

    await hub.db.write(transaction)


async def held_as_clone(hub: Hub, link_id: LinkId) -> None:
    """The peer hears two of us: stop on this link, before our people have looked."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state is LinkState.CLOSED:
            return
        links.change(tx, link_id, state=LinkState.SUSPENDED, suspended_by_us=True)
        outgoing.alarm(
            tx,
            hub,
            "clone",
            link_id,
            "{peer} hears two copies of this node. Stop one of them; then resume the link.",
            now,
            peer=link.peer_name,
        )
        audit.append(tx, at=now, actor="system", event="link.clone", link=link_id, whose="ours")

    await hub.db.write(transaction)


# --- the side that is asked -----------------------------------------------------------------


async def answer(hub: Hub, link_id: LinkId, theirs: Standing, begin: NewEpoch | None) -> Standing:
    """Where we stand; with `begin`, after the peer's epoch is noted down.

    From then on older copies of what it signed are void here, and our own messages are sent
    again from where it says it stands. Raises NotFound; Refused(clone_detected | epoch_stale).
    """

    def transaction(tx: Tx) -> Standing | HubError:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state not in AGREED:
            raise NotFound("not_found", "There is no such link.")
        if begin is None:
            return standing_in(tx.connection, hub, link_id)
        stream = streams.lock(tx, link_id)
        known = dict(streams.epoch_table(tx.connection, link_id, "in"))
        if begin.epoch <= max(known):
            # Also what was long on its way: only an epoch above all others was thought of later.
            raise _stale()
        if _is_clone(tx.connection, link_id, theirs):
            return _hold_clone(tx, hub, link, now)
        _note(tx, link_id, stream, theirs, begin)
        _rewind(tx, hub, link, stream, theirs.held, now)
        audit.append(
            tx,
            at=now,
            actor=link.peer_node_id,
            event="link.peer_synced",
            link=link_id,
            epoch=begin.epoch,
            start_seq=begin.start_seq,
            instance=theirs.instance,
        )
        fault("sync.peer_noted")
        return standing_in(tx.connection, hub, link_id)

    found = await hub.db.write(transaction)
    if isinstance(found, HubError):
        raise found  # after what it changed is durable
    return found


def _is_clone(connection: Connection, link_id: str, theirs: Standing) -> bool:
    """Whether this run, or this data directory, spoke before another did: two take turns."""
    known = streams.speakers(connection, link_id)
    if not known:
        return False
    instances, runs = [one[0] for one in known], [one[1] for one in known]
    return (theirs.run in runs and runs[-1] != theirs.run) or (
        theirs.instance in instances and instances[-1] != theirs.instance
    )


def _hold_clone(tx: Tx, hub: Hub, link: Link, now: datetime) -> HubError:
    if link.state is not LinkState.CLOSED:
        links.change(tx, link.id, state=LinkState.SUSPENDED, suspended_by_us=True)
    outgoing.alarm(
        tx,
        hub,
        "clone",
        link.id,
        "Two copies of {peer}'s node speak in turn. The link is suspended until people on both "
        "sides have looked.",
        now,
        peer=link.peer_name,
    )
    audit.append(
        tx, at=now, actor=link.peer_node_id, event="link.clone", link=link.id, whose="peer"
    )
    return Refused("clone_detected", "Two copies of your node speak in turn.")


def _note(tx: Tx, link_id: str, stream: Stream, theirs: Standing, begin: NewEpoch) -> None:
    if (begin.base.seq, begin.base.head) != (stream.in_seq, stream.in_head):
        raise _stale()
    if begin.start_seq <= stream.in_seq:
        raise _stale()
    streams.add_epochs(
        tx,
        link_id,
        "in",
        {epoch: start for epoch, start in theirs.sent_epochs.items() if epoch < begin.epoch},
    )
    streams.add_epochs(
        tx,
        link_id,
        "in",
        {begin.epoch: begin.start_seq},
        instance=theirs.instance,
        run=theirs.run,
    )


def _rewind(tx: Tx, hub: Hub, link: Link, stream: Stream, held: Place, now: datetime) -> None:
    """Go on from where the peer says it stands in our stream, if our log has that place."""
    if hash_at(tx.connection, link.id, held.seq) != held.head:
        # It holds what we do not know of: it is us who lost something, and noticed nothing.
        streams.change(tx, link.id, synced=False)
        tx.wake(SYNC_TOPIC)
        return
    if held.seq < stream.receipted_seq:
        audit.append(
            tx,
            at=now,
            actor=link.peer_node_id,
            event="link.peer_restored",
            link=link.id,
            held=held.seq,
            receipted=stream.receipted_seq,
        )
        outgoing.alarm(
            tx,
            hub,
            "peer_restored",
            link.id,
            "{peer} was restored from a backup; what it lost is being sent again.",
            now,
            peer=link.peer_name,
        )
    outbox.settle_from(tx, link.id, held.seq, now)
    streams.change(
        tx,
        link.id,
        receipted_seq=held.seq,
        receipted_max=max(stream.firm_seq, held.seq),
    )
    deliveries.try_now(tx, link.id)
    tx.wake(outgoing.deliver_topic(link.id))
    tx.wake(SYNC_TOPIC)


async def skip(hub: Hub, row: OutboxRow, actor: str, reason: str) -> None:
    """Leave out a message the peer can never take: a tombstone stands in its place.

    For that a new epoch begins. Raises Conflict(not_skippable) for what the peer has a receipt
    for already.
    """

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_links(tx, row.link_id)
        stream = streams.lock(tx, row.link_id)
        if row.seq <= stream.firm_seq:
            raise Conflict(
                "not_skippable", "The partner has acknowledged this message once; it stays."
            )
        outbox.change(tx, row.link_id, row.seq, skip_reason=reason)
        streams.change(tx, row.link_id, synced=False)
        audit.append(
            tx, at=now, actor=actor, event="message.skipped", message=row.id, reason=reason
        )
        deliveries.try_now(tx, row.link_id)
        tx.wake(SYNC_TOPIC)

    await hub.db.write(transaction)
