"""The inbox: verified messages are stored first, receipted, and only then applied.

Accepting is one transaction per batch with the streams of the link locked; the receipt is
signed over what was stored and leaves after the commit. Applying goes in order per link, many
rows to a commit, each in a savepoint of its own.
"""

from __future__ import annotations

import collections
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter

from hub.actions import incoming, outgoing
from hub.actions.context import Hub
from hub.errors import Conflict, HubError, Refused, Unavailable, Untrusted
from hub.ids import HandoffId, LinkId
from hub.protocol import payloads, receipts
from hub.protocol.receipts import Receipt
from hub.protocol.signing import VerifiedMessage
from hub.storage import audit, inbox, links, streams
from hub.storage.database import Tx
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.links import AGREED, Link, LinkState
from hub.storage.streams import Stream

APPLY_LIMIT = 50


def apply_topic(link_id: str) -> str:
    """The topic woken when messages of this link wait to be applied."""
    return f"apply:{link_id}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch: the receipt for what is stored, and why it stopped before the end."""

    receipt: str
    upto: int
    stopped: HubError | None


async def accept(
    hub: Hub, link_id: LinkId, batch: Sequence[VerifiedMessage], stopped: HubError | None = None
) -> Accepted:
    """Store the messages that continue the stream, and sign a receipt for all that is stored.

    A second copy gets the same receipt. `stopped` is why the caller could not verify what came
    behind this batch. Raises Refused(not_found) without storing anything.
    """

    def transaction(tx: Tx) -> Accepted:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state not in AGREED:
            raise Refused("not_found", "There is no such link.")
        stream = streams.lock(tx, link_id)
        fresh, why = _continue(tx, hub, link, stream, batch, now)
        last = fresh[-1] if fresh else None
        upto, head = (last.envelope.seq, last.hash) if last else (stream.in_seq, stream.in_head)
        touched: dict[HandoffId, tuple[int, str]] = {}
        if fresh:
            touched = _store(tx, hub, link_id, fresh, now)
            streams.change(tx, link_id, in_seq=upto, in_head=head)
            tx.wake(apply_topic(link_id))
        kept = (
            None
            if fresh
            else streams.find_receipt(
                tx.connection, link_id, "issued", epoch=stream.in_epoch, upto=upto
            )
        )
        jws = kept or receipts.seal_receipt(
            Receipt(
                link=link_id,
                of=link.peer_node_id,
                epoch=stream.in_epoch,
                upto=upto,
                head=head,
                handoffs=touched,
                at=now,
            ),
            hub.keys.message,
        )
        if fresh:
            streams.keep_receipt(
                tx, link_id, "issued", epoch=stream.in_epoch, upto=upto, jws=jws, at=now
            )
        return Accepted(jws, upto, why or stopped)

    return await hub.db.write(transaction)


def _continue(
    tx: Tx, hub: Hub, link: Link, stream: Stream, batch: Sequence[VerifiedMessage], now: datetime
) -> tuple[list[VerifiedMessage], HubError | None]:
    """The messages of the batch that continue the stream, up to the first that does not fit."""
    epochs = streams.epoch_table(tx.connection, link.id, "in")
    behind = [one.envelope.seq for one in batch if one.envelope.seq <= stream.in_seq]
    known = inbox.hashes(tx.connection, link.id, behind) if behind else {}
    room = hub.limits.inbox_messages_per_link - (
        inbox.waiting_count(tx.connection, link.id) if len(batch) > 1 or not behind else 0
    )
    fresh: list[VerifiedMessage] = []
    chains: dict[str, tuple[int, str]] = {}
    seq, head = stream.in_seq, stream.in_head
    for one in batch:
        envelope = one.envelope
        if any(epoch > envelope.epoch and start <= envelope.seq for epoch, start in epochs):
            continue  # a copy that a later epoch superseded
        if envelope.seq <= seq:
            stored = known.get(envelope.seq) or _among(fresh, envelope.seq)
            if stored is None or stored[1] != one.hash:
                return fresh, _fork(tx, hub, link, one, now)
            continue  # a second copy
        if envelope.seq > seq + 1:
            return fresh, None  # a gap: the receipt tells where it begins
        if envelope.prev != head:
            return fresh, _fork(tx, hub, link, one, now)
        if envelope.epoch != stream.in_epoch:
            return fresh, Untrusted("env_invalid", "The message is of an unknown epoch.")
        if not _continues_handoff(tx, link, one, chains):
            return fresh, Untrusted("env_invalid", "The message breaks the chain of its hand-off.")
        if link.closed_by_peer_at is not None:
            # Only here: a second copy of its last words still gets their receipt.
            return fresh, Refused("link_closed", "This link is closed.")
        if link.suspended_by_us and not _is_control(one):
            return fresh, Refused("link_suspended", "This link is suspended.")
        if len(fresh) >= room:
            return fresh, Unavailable("quota_exceeded", "Too many messages wait here.")
        fresh.append(one)
        seq, head = envelope.seq, one.hash
    return fresh, None


def _among(fresh: Sequence[VerifiedMessage], seq: int) -> tuple[int, str] | None:
    for one in fresh:
        if one.envelope.seq == seq:
            return one.envelope.epoch, one.hash
    return None


def _is_control(one: VerifiedMessage) -> bool:
    kind = payloads.TYPES.get(one.envelope.type)
    return kind is not None and kind.control


def _continues_handoff(
    tx: Tx, link: Link, one: VerifiedMessage, chains: dict[str, tuple[int, str]]
) -> bool:
    envelope = one.envelope
    if envelope.handoff is None:
        return True
    if envelope.handoff not in chains:
        stored = streams.handoff(tx, link.id, envelope.handoff)
        assert link.agreement_hash is not None
        chains[envelope.handoff] = (
            (stored.in_hseq, stored.in_hhead or link.agreement_hash)
            if stored
            else (0, link.agreement_hash)
        )
    hseq, hhead = chains[envelope.handoff]
    if (envelope.hseq, envelope.hprev) != (hseq + 1, hhead):
        return False
    chains[envelope.handoff] = (hseq + 1, one.hash)
    return True


def _fork(tx: Tx, hub: Hub, link: Link, one: VerifiedMessage, now: datetime) -> HubError:
    """Two signed messages for one position: freeze the link, keep both as proof, tell people."""
    forked = Refused("fork_detected", "Another message already has this position.")
    if not streams.keep_fork(tx, link.id, one.envelope.seq, one.env, one.data_text, now):
        return forked  # it was sent before: people know
    if link.state is not LinkState.CLOSED:
        links.change(tx, link.id, state=LinkState.SUSPENDED, suspended_by_us=True)
    outgoing.alarm(
        tx,
        hub,
        "fork",
        link.id,
        "{peer} signed two different messages for one position. The link is suspended.",
        now,
        peer=link.peer_name,
        seq=one.envelope.seq,
    )
    audit.append(
        tx, at=now, actor=link.peer_node_id, event="link.fork", link=link.id, seq=one.envelope.seq
    )
    return forked


def _store(
    tx: Tx, hub: Hub, link_id: LinkId, fresh: Sequence[VerifiedMessage], now: datetime
) -> dict[HandoffId, tuple[int, str]]:
    """Put the messages into the inbox; the heads of the hand-offs they touch."""
    rows = []
    touched: dict[HandoffId, tuple[int, str]] = {}
    for one in fresh:
        envelope = one.envelope
        rows.append(
            {
                "link_id": link_id,
                "seq": envelope.seq,
                "epoch": envelope.epoch,
                "id": envelope.id,
                "type": envelope.type,
                "must": envelope.must,
                "schema": envelope.schema,
                "handoff_id": envelope.handoff,
                "hseq": envelope.hseq,
                "hash": one.hash,
                "env": one.env,
                "data": one.data_text,
                "stored_at": now,
            }
        )
        if envelope.handoff is not None and envelope.hseq is not None:
            touched[envelope.handoff] = (envelope.hseq, one.hash)
    inbox.append(tx, rows)
    _count(hub.metrics.received, (one.envelope.type for one in fresh))
    for handoff_id, (hseq, head) in touched.items():
        if streams.handoff(tx, link_id, handoff_id) is None:
            streams.begin_handoff(tx, link_id, handoff_id)
        streams.change_handoff(tx, link_id, handoff_id, in_hseq=hseq, in_hhead=head)
    return touched


# --- applying -------------------------------------------------------------------------------


async def links_with_work(hub: Hub) -> list[LinkId]:
    """Links whose messages wait to be applied."""
    return await hub.db.glance(inbox.links_with_waiting)


@dataclass(frozen=True, slots=True)
class Applied:
    """What one turn at a link's inbox did."""

    settled: int
    failed: bool  # our side failed at one: it will be tried again, not at once


async def apply_some(hub: Hub, link_id: LinkId) -> Applied:
    """Apply the next messages of this link, in order.

    One transaction for all of them. A message that fails on our side is rolled back alone,
    tried again a bounded number of times and then parked whole for a person; later messages
    of the same hand-off wait behind it, all others go on.
    """

    def transaction(tx: Tx) -> Applied:
        now = hub.now()
        stream = streams.lock(tx, link_id)
        parked = inbox.parked_handoffs(tx.connection, link_id)
        rows = inbox.waiting(tx.connection, link_id, parked, APPLY_LIMIT)
        settled = _apply_in_order(tx, hub, link_id, rows, now) if rows else 0
        if settled:
            _advance(tx, link_id, stream, rows, settled, bool(parked))
            if len(rows) == APPLY_LIMIT:
                tx.wake(apply_topic(link_id))
        return Applied(settled, failed=settled < len(rows))

    return await hub.db.write(transaction)


def _apply_in_order(
    tx: Tx, hub: Hub, link_id: LinkId, rows: Sequence[InboxRow], now: datetime
) -> int:
    """How many of the messages, from the first on, are settled; the next one failed here."""
    link = links.get(tx.connection, link_id)
    repeated = inbox.repeated_ids(tx.connection, link_id, rows[0].seq, rows[-1].seq)
    settled, done = 0, []
    for row in rows:
        how = _apply_one(tx, hub, link, row, now, repeated=row.seq in repeated)
        if how is None:
            break
        settled += 1
        if how is InboxState.DONE:
            done.append(row)
        if row.type in incoming.ON_LINK:
            # Only such a message changes the link, and those behind it are judged by the new one.
            link = links.get(tx.connection, link_id)
    if done:
        inbox.settle_done(tx, link_id, [row.seq for row in done], now)
        _count(hub.metrics.applied, (row.type for row in done))
    return settled


def _count(counter: Counter, types: Iterable[str]) -> None:
    """Count messages by their types; whatever a peer calls its own is `other`."""
    known = collections.Counter(one if one in payloads.TYPES else "other" for one in types)
    for label, count in known.items():
        counter.labels(label).inc(count)


def _advance(
    tx: Tx, link_id: LinkId, stream: Stream, rows: list[InboxRow], settled: int, parked: bool
) -> None:
    """Move the position up to which everything is settled: later messages `ack` it."""
    if settled == len(rows) and not parked and rows[0].seq == stream.applied_seq + 1:
        last = rows[-1]
        streams.change(tx, link_id, applied_seq=last.seq, applied_head=last.hash)
        return
    first = inbox.first_unsettled(tx.connection, link_id)
    upto = (first - 1) if first is not None else streams.lock(tx, link_id).in_seq
    if upto > stream.applied_seq:
        row = inbox.at(tx.connection, link_id, upto)
        assert row is not None
        streams.change(tx, link_id, applied_seq=upto, applied_head=row.hash)


def _apply_one(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, now: datetime, *, repeated: bool
) -> InboxState | None:
    """DONE where the caller has to settle the row, REFUSED where that was done here.

    None where our side failed: the row must be tried again, or was parked.
    """
    try:
        with tx.part():
            incoming.apply(tx, hub, link, row, now, repeated=repeated)
    except incoming.Rejected as rejected:
        incoming.reject(tx, hub, link, row, rejected.refusal, now)
        return InboxState.REFUSED
    except Exception as error:  # noqa: BLE001 - the worker's catch: one bad message stops no other
        _failed(tx, hub, link, row, error, now)
        return None
    return InboxState.DONE


def _failed(tx: Tx, hub: Hub, link: Link, row: InboxRow, error: Exception, now: datetime) -> None:
    """Our side failed at a message: try it again soon, or park it for a person."""
    attempts = row.attempts + 1
    where = "".join(traceback.format_exception(error)[-3:])[-2000:]
    if attempts < hub.limits.poison_tries or isinstance(error, Unavailable):
        inbox.change(tx, link.id, row.seq, attempts=attempts, last_error=where)
        return
    inbox.change(tx, link.id, row.seq, attempts=attempts, last_error=where, state=InboxState.PARKED)
    hub.metrics.parked.labels("failed").inc()
    outgoing.alarm(
        tx,
        hub,
        "message_parked",
        row.id,
        "A message of {peer} could not be processed here and was put aside.",
        now,
        peer=link.peer_name,
        type=row.type,
    )
    tx.wake(apply_topic(link.id))


async def replay(hub: Hub, row: InboxRow) -> None:
    """Try a parked message again. Raises Conflict(not_parked)."""

    def transaction(tx: Tx) -> None:
        _check_parked(tx, row)
        inbox.change(tx, row.link_id, row.seq, state=InboxState.NEW, attempts=0)
        audit.resolve_alerts(tx, kind="message_parked", subject=row.id, at=hub.now())
        tx.wake(apply_topic(row.link_id))

    await hub.db.write(transaction)


async def skip(hub: Hub, row: InboxRow, actor: str, reason: str) -> None:
    """Set a parked message aside for good, and tell its sender that it was not applied.

    Raises Conflict(not_parked).
    """

    def transaction(tx: Tx) -> None:
        _check_parked(tx, row)
        now = hub.now()
        link = links.get(tx.connection, row.link_id)
        incoming.reject(tx, hub, link, row, Refused("scope_denied", "Set aside by a person."), now)
        inbox.settle(tx, row.link_id, row.seq, InboxState.SKIPPED, now, reason)
        audit.resolve_alerts(tx, kind="message_parked", subject=row.id, at=now)
        audit.append(
            tx, at=now, actor=actor, event="message.skipped", message=row.id, reason=reason
        )
        tx.wake(apply_topic(row.link_id))

    await hub.db.write(transaction)


def _check_parked(tx: Tx, row: InboxRow) -> None:
    now_there = inbox.at(tx.connection, row.link_id, row.seq)
    # Another person may have been faster; a message that was applied must never be again.
    if now_there is None or now_there.state is not InboxState.PARKED:
        raise Conflict("not_parked", "This message is not put aside (any more).")
