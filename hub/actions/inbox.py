"""The inbox: verified messages are stored first, receipted, and only then applied.

Accepting is one transaction per batch with the streams of the link locked; the receipt is
signed over what was stored and leaves after the commit. Applying goes in order per link, many
rows to a commit, each in a savepoint of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from hub.actions import (
    amendments,
    applying,
    incoming,
    keyring,
    merging,
    outgoing,
    pace,
    peer_keys,
)
from hub.actions.applying import Applied
from hub.actions.context import Hub
from hub.actions.outgoing import apply_topic
from hub.actions.runs import SYNC_TOPIC
from hub.errors import Conflict, HubError, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.ids import HandoffId, LinkId, MessageId
from hub.protocol import payloads, receipts
from hub.protocol.receipts import Receipt
from hub.protocol.signing import VerifiedMessage
from hub.protocol.sync import expected_epoch
from hub.storage import audit, ground, inbox, links, outbox, streams
from hub.storage.database import Connection, Tx
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.links import AGREED, Link, LinkState
from hub.storage.streams import Stream

SUPERSEDED_KEPT = 1000  # per link: more than one sync can leave under way


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch: the receipt for what is stored, and why it stopped before the end."""

    receipt: str
    upto: int
    stopped: HubError | None
    news: bool  # something of it was not here before


async def accept(
    hub: Hub, link_id: LinkId, batch: Sequence[VerifiedMessage], stopped: HubError | None = None
) -> Accepted:
    """Store the messages that continue the stream, and sign a receipt for all that is stored.

    A second copy gets the same receipt. `stopped` is why the caller could not verify what came
    behind this batch. Raises Refused(not_found) without storing anything.
    """
    accepted = await hub.db.write(lambda tx: accept_in(tx, hub, link_id, batch, stopped))
    fault("inbox.before_answer")
    return accepted


def accept_in(
    tx: Tx,
    hub: Hub,
    link_id: LinkId,
    batch: Sequence[VerifiedMessage],
    stopped: HubError | None = None,
) -> Accepted:
    """`accept`, inside a transaction that is about more than that."""
    now = hub.now()
    link = links.lock(tx, link_id)
    if link.state not in AGREED:
        raise Refused("not_found", "There is no such link.")
    stream = streams.lock(tx, link_id)
    if not stream.synced:
        # Nothing may pass before both sides know where they stand; our own sync is under way.
        tx.wake(SYNC_TOPIC)
        raise Unavailable(
            "sync_required", "This node was started anew.", after=timedelta(seconds=2)
        )
    fresh, why = _continue(tx, hub, link, stream, batch, now)
    if why is not None and why.code == "link_suspended":
        _hear_closing(tx, hub, link, batch, now)
    last = fresh[-1] if fresh else None
    epoch = last.envelope.epoch if last else stream.in_epoch
    upto, head = (last.envelope.seq, last.hash) if last else (stream.in_seq, stream.in_head)
    touched: dict[HandoffId, tuple[int, str]] = {}
    if fresh:
        touched = _store(tx, hub, link_id, fresh, now)
        fault("inbox.stored")
        assert last is not None
        ack = last.envelope.ack[0] if last.envelope.ack else 0
        streams.change(
            tx,
            link_id,
            in_seq=upto,
            in_head=head,
            in_epoch=last.envelope.epoch,
            # What it names beyond our log belongs to a history that a restore took back.
            acked_seq=max(stream.acked_seq, ack if ack <= stream.out_seq else 0),
            in_paid_until=pace.came(link, stream, now, len(fresh)),
        )
        tx.wake(apply_topic(link_id))
    kept = (
        None
        if fresh
        else streams.find_receipt(tx.connection, link_id, "issued", epoch=epoch, upto=upto)
    )
    jws = kept or receipts.seal_receipt(
        Receipt(
            link=link_id,
            of=link.peer_node_id,
            epoch=epoch,
            upto=upto,
            head=head,
            handoffs=touched,
            at=now,
        ),
        keyring.receipt_key(tx, hub, link),
    )
    if fresh:
        streams.keep_receipt(tx, link_id, "issued", epoch=epoch, upto=upto, jws=jws, at=now)
        fault("inbox.receipt_signed")
    return Accepted(jws, upto, why or stopped, news=bool(fresh))


def _continue(
    tx: Tx, hub: Hub, link: Link, stream: Stream, batch: Sequence[VerifiedMessage], now: datetime
) -> tuple[list[VerifiedMessage], HubError | None]:
    """The messages of the batch that continue the stream, up to the first that does not fit."""
    epochs = dict(streams.epoch_table(tx.connection, link.id, "in"))
    behind = [one.envelope.seq for one in batch if one.envelope.seq <= stream.in_seq]
    known = inbox.hashes(tx.connection, link.id, behind) if behind else {}
    room = hub.limits.inbox_messages_per_link - (
        inbox.waiting_count(tx.connection, link.id) if len(batch) > 1 or not behind else 0
    )
    paced = pace.incoming(link, stream, now, len(batch))
    fresh: list[VerifiedMessage] = []
    chains: dict[str, tuple[int, str]] = {}
    seq, head = stream.in_seq, stream.in_head
    for one in batch:
        envelope = one.envelope
        epoch = expected_epoch(epochs, envelope.seq)
        if envelope.epoch < epoch:
            _keep_superseded(tx, link, one, now)
            continue
        if envelope.epoch > epoch:
            return fresh, Untrusted("env_invalid", "The message is of an unknown epoch.")
        if envelope.seq <= seq:
            stored = known.get(envelope.seq) or _among(fresh, envelope.seq)
            if stored is None or stored[1] != one.hash:
                # Not a proof against the peer where whoever has its old key may have made it.
                untrusted = peer_keys.check_position(tx, hub, link, one.kid, envelope.seq, now)
                return fresh, untrusted or _fork(tx, hub, link, one, now)
            continue  # a second copy
        if envelope.seq > seq + 1:
            return fresh, None  # a gap: the receipt tells where it begins
        untrusted = peer_keys.check_position(tx, hub, link, one.kid, envelope.seq, now)
        if untrusted is not None:
            return fresh, untrusted
        if envelope.prev != head:
            return fresh, _fork(tx, hub, link, one, now)
        if not _continues_handoff(tx, link, one, chains):
            return fresh, Untrusted("env_invalid", "The message breaks the chain of its hand-off.")
        if link.closed_by_peer_at is not None and envelope.type != "link.epoch":
            # Only here: a second copy of its last words still gets their receipt. And a peer that
            # was restored begins an epoch before it knows again that it closed.
            return fresh, Refused("link_closed", "This link is closed.")
        if link.suspended_by_us and not _is_control(one):
            return fresh, Refused("link_suspended", "This link is suspended.")
        if len(fresh) >= room:
            return fresh, Unavailable("quota_exceeded", "Too many messages wait here.")
        if len(fresh) >= paced.allowed:
            return fresh, Unavailable(
                "rate_limited",
                "More messages come than were agreed for a minute.",
                after=paced.wait,
            )
        fresh.append(one)
        seq, head = envelope.seq, one.hash
        if envelope.type == "link.keys":
            link = peer_keys.take_by_position(tx, hub, link, one, now)
    return fresh, None


def _hear_closing(
    tx: Tx, hub: Hub, link: Link, batch: Sequence[VerifiedMessage], now: datetime
) -> None:
    """The peer's last words stand behind content we do not take: let people decide."""
    if any(one.envelope.type == "link.close" for one in batch):
        outgoing.alarm(
            tx,
            hub,
            "link_closing",
            link.id,
            "{peer} closes the link, which is suspended here. Resume it to take its last words, or "
            "close it too.",
            now,
            peer=link.peer_name,
        )


def _keep_superseded(tx: Tx, link: Link, one: VerifiedMessage, now: datetime) -> None:
    """Keep a copy that a later epoch made void; whoever signs endless ones fills no disk."""
    if streams.voided_count(tx.connection, link.id, "in") < SUPERSEDED_KEPT:
        envelope = one.envelope
        copy = streams.VoidedCopy(
            envelope.epoch, envelope.seq, envelope.id, one.hash, one.env, one.data_text
        )
        streams.keep_voided(tx, link.id, "in", [copy], now)


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
    applying.count(hub.metrics.received, (one.envelope.type for one in fresh))
    for handoff_id, (hseq, head) in touched.items():
        if streams.handoff(tx, link_id, handoff_id) is None:
            streams.begin_handoff(tx, link_id, handoff_id)
        streams.change_handoff(tx, link_id, handoff_id, in_hseq=hseq, in_hhead=head)
    return touched


# --- applying -------------------------------------------------------------------------------


async def links_with_work(hub: Hub) -> list[LinkId]:
    """Links whose messages wait to be applied."""

    def body(connection: Connection) -> list[LinkId]:
        found = dict.fromkeys(inbox.links_with_waiting(connection))
        return list(found | dict.fromkeys(streams.reapplying(connection)))

    return await hub.db.glance(body)


async def apply_some(hub: Hub, link_id: LinkId) -> Applied:
    """Apply the next messages of this link, in order.

    One transaction for all of them. A message that fails on our side is rolled back alone,
    tried again a bounded number of times and then parked whole for a person; later messages
    of the same hand-off wait behind it, all others go on. After a restore our own messages
    that came back from the peer's log are re-applied between them, each behind what it
    acknowledged.
    """

    def transaction(tx: Tx) -> Applied:
        now = hub.now()
        about = _stand(tx, link_id)
        stream = streams.lock(tx, link_id)
        fault("inbox.before_apply")
        if stream.reapplying:
            return merging.merge_some(tx, hub, link_id, now)
        parked = inbox.parked_handoffs(tx.connection, link_id)
        found = inbox.waiting(tx.connection, link_id, parked, applying.LIMIT)
        rows = list(takewhile(lambda row: about is None or row.id in about, found))
        more = len(rows) == applying.LIMIT or len(rows) < len(found)
        contested = peer_keys.contested_from(tx.connection, link_id)
        if contested is not None:
            rows = [row for row in rows if row.seq < contested]
        settled = applying.apply_in_order(tx, hub, link_id, stream, rows, now) if rows else 0
        if settled:
            upto = applying.advance(tx, link_id, stream, rows, settled, bool(parked))
            amendments.acknowledged(tx, links.get(tx.connection, link_id), upto)
        if more and settled == len(rows):
            tx.wake(apply_topic(link_id))
        return Applied(settled, failed=settled < len(rows))

    applied = await hub.db.write(transaction)
    if applied.settled:
        fault("inbox.after_apply")
    return applied


def _stand(tx: Tx, link_id: LinkId) -> set[MessageId] | None:
    """Lock what the waiting messages are about, before any is applied; their ids.

    One that arrives meanwhile waits for the next turn: what it is about is not locked. None where
    nobody else can write, and nothing has to be.
    """
    if tx.alone:
        return None
    rows = inbox.waiting(tx.connection, link_id, set(), applying.LIMIT)
    about: set[str | None] = {row.handoff_id for row in rows}
    stream = streams.get(tx.connection, link_id)
    if stream is not None and stream.reapplying:
        # What came back may find its ticket under another link, by its number or by its way.
        ground.of_all_links(tx)
        about |= {row.handoff_id for row in outbox.to_reapply(tx.connection, link_id)}
    closing = any(row.type == "link.close" for row in rows)
    named = [one for one in about if one is not None]
    ground.of_handoffs(tx, *named, beside=[link_id], whole=link_id if closing else None)
    return {row.id for row in rows}


# --- by people ----------------------------------------------------------------------------


async def replay(hub: Hub, row: InboxRow) -> None:
    """Try a parked message again. Raises Conflict(not_parked)."""

    def transaction(tx: Tx) -> None:
        ground.of_links(tx, row.link_id)
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
        ground.of_links(tx, row.link_id)
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
