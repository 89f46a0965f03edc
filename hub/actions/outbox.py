"""The outbox's side of delivery: what to send next, and what a receipt or a failure changes.

One batch in flight per link. A message stays until the peer's signed receipt covers it;
nothing is ever dropped, age only changes who is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from hub.actions import keyring, outgoing, pace
from hub.actions.context import Hub
from hub.actions.runs import SYNC_TOPIC
from hub.domain.delivery import COLLECT_CAP, DeliveryState, Health, backoff, health
from hub.errors import Conflict, HubError, NotFound, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.ids import LinkId, MessageId
from hub.protocol import jws, payloads, receipts
from hub.protocol.keys import PublicKey
from hub.protocol.message import WireMessage, fit_batch
from hub.storage import audit, comments, deliveries, ground, links, outbox, streams
from hub.storage.database import Connection, Tx
from hub.storage.deliveries import Delivery, Pending
from hub.storage.links import Link, LinkState
from hub.storage.outbox import OutboxRow
from hub.storage.streams import Stream

NOT_STORED: Final = "not_stored"
"""The peer answered with a receipt for what we knew it had, and for nothing of a batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What to send to one peer now."""

    link: Link
    rows: Sequence[OutboxRow]
    heard: int  # how many messages of the peer were here when this was put together

    @property
    def messages(self) -> list[WireMessage]:
        """As they travel."""
        return [WireMessage(row.env, row.data) for row in self.rows]


async def links_with_work(hub: Hub) -> list[Pending]:
    """Links that have something to send, and when each may be tried."""
    return await hub.db.glance(deliveries.pending)


async def next_batch(hub: Hub, link_id: LinkId) -> Batch | None:
    """What to send to this peer now; None while there is nothing, or nothing may be sent."""

    def body(connection: Connection) -> Batch | None:
        # Asked again here: what woke the worker may lie before the last failure.
        next_at = deliveries.get(connection, link_id).next_at
        if next_at is not None and next_at > hub.now():
            return None
        return following(connection, hub, link_id)

    return await hub.db.glance(body)


def following(
    connection: Connection, hub: Hub, link_id: LinkId, *, after: int | None = None
) -> Batch | None:
    """What may leave now behind this position, else behind what the peer has a receipt for."""
    link = links.get(connection, link_id)
    stream = streams.get(connection, link_id)
    if stream is None or not stream.synced or stream.out_seq == stream.receipted_seq:
        return None
    after = stream.receipted_seq if after is None else after
    if link.keys_call:
        return None  # the peer has to know our keys before it can believe anything more
    rows = outbox.after(connection, link_id, after, hub.limits.message_batch)
    if link.state is LinkState.SUSPENDED and not _offers_content(connection, link, stream):
        # Only control messages leave now, and none may overtake another.
        rows = list(takewhile(lambda row: row.control, rows))
    rows = rows[: pace.outgoing(link, stream, hub.now(), len(rows)).allowed]
    rows = _fitting(rows)
    if rows and link.closed_at is not None:
        rows = _with_last_words(connection, link, stream, rows)
    return Batch(link, rows, stream.in_seq) if rows else None


def _fitting(rows: list[OutboxRow]) -> list[OutboxRow]:
    return rows[: fit_batch([WireMessage(row.env, row.data) for row in rows])]


def _with_last_words(
    connection: Connection, link: Link, stream: Stream, rows: list[OutboxRow]
) -> list[OutboxRow]:
    """The batch, with our `link.close` at its end where a peer that suspends the link refuses it.

    More content may stand before that than a batch holds. The peer stores nothing of it, but
    tells its people that we close. One that takes the batch after all stops at the gap.
    """
    said = deliveries.get(connection, link.id).last_error or ""
    if said.partition(":")[0] != "link_suspended":
        return rows
    last = outbox.waiting(connection, link.id, "link.close", stream.receipted_seq)
    if last is None or last.seq <= rows[-1].seq:
        return rows
    shown = [*rows[: max(1, len(rows) - 1)], last]
    return shown if _fitting(shown) == shown else rows


def _offers_content(connection: Connection, link: Link, stream: Stream) -> bool:
    """Whether content leaves though the link is suspended: our `link.resume` waits behind it.

    The peer takes it as soon as it does not suspend the link itself; it may only not know yet
    that we do not either. Else each would wait for the other's word.
    """
    return not link.suspended_by_us and outbox.waits(
        connection, link.id, "link.resume", stream.receipted_seq
    )


def msg_key(tx: Tx, link_id: str, kid: str) -> PublicKey:
    """The peer's message key of this name, an earlier one too: receipts overlap a rotation.

    Raises Untrusted(key_unknown | key_revoked).
    """
    for key in links.keys(tx.connection, link_id):
        if key.kid == kid and key.use == "msg":
            if key.revoked_at is not None:
                raise Untrusted(
                    "key_revoked", "The message is signed by a revoked key.", because=kid
                )
            return links.public_key(key)
    raise Untrusted("key_unknown", "The message is signed by an unknown key.", because=kid)


async def record_receipt(
    hub: Hub, link_id: LinkId, text: str, *, handed_in: bool = False
) -> Batch | None:
    """The peer has what the receipt covers; what to send next.

    One that was `handed_in` answers no call of ours, so it may be an old one that comes late.

    Raises Untrusted for a receipt that is not the pinned key's, is about another stream, or
    names other hashes than ours: then nothing has changed. Raises Unavailable(sync_required)
    where it shows that one of the two was put back: the link is synced before anything passes.
    """
    found = await hub.db.write(
        lambda tx: record_receipt_in(tx, hub, link_id, text, handed_in=handed_in)
    )
    if isinstance(found, Unavailable):
        raise found  # after it is noted that the link is not synced
    return found


def record_receipt_in(
    tx: Tx, hub: Hub, link_id: LinkId, text: str, *, handed_in: bool
) -> Batch | Unavailable | None:
    """`record_receipt`, in a transaction; it returns what is to be raised behind the commit."""
    now = hub.now()
    ground.of_links(tx, link_id)
    key = msg_key(tx, link_id, jws.peek(text).kid)
    receipt = receipts.open_receipt(text, key, link=link_id, of=hub.account.node_id)
    link = links.get(tx.connection, link_id)
    stream = streams.lock(tx, link_id)
    row = outbox.at(tx.connection, link_id, receipt.upto)
    ours = row is not None and row.hash == receipt.head
    less = receipt.upto < stream.receipted_seq and ours and not handed_in
    if receipt.epoch > stream.out_epoch or less:
        # The peer heard of an epoch we do not know: another copy of us speaks, or we were
        # put back without noticing. Or it has less than it said once. Ask before going on.
        streams.change(tx, link_id, synced=False)
        tx.wake(SYNC_TOPIC)
        return Unavailable("sync_required", "The partner's node stands elsewhere.")
    news = receipt.epoch == (stream.out_epoch if row is None else row.epoch) and (
        receipt.upto > stream.receipted_seq
    )
    if news:
        if not ours:
            raise Untrusted(
                "malformed",
                "The receipt does not fit what was sent.",
                because=f"upto {receipt.upto}",
            )
        outbox.settle_upto(tx, link_id, stream.receipted_seq, receipt.upto, now)
        paid = pace.went(link, stream, now, receipt.upto - stream.receipted_seq)
        streams.change(
            tx,
            link_id,
            receipted_seq=receipt.upto,
            receipted_max=max(stream.firm_seq, receipt.upto),
            out_paid_until=paid,
        )
        if (rest := pace.resting_until(link, paid, now)) is not None:
            deliveries.pace(tx, link_id, rest)
        streams.keep_receipt(
            tx, link_id, "received", epoch=receipt.epoch, upto=receipt.upto, jws=text, at=now
        )
        fault("outbox.receipt_recorded")
        hub.metrics.sent.inc(receipt.upto - stream.receipted_seq)
    batch = following(tx.connection, hub, link_id)
    if not news and (handed_in or batch is not None):
        # A receipt for what we knew already: a peer that stores nothing and says so must
        # not look like one to which delivery goes well.
        return batch
    if deliveries.get(tx.connection, link_id).failing_since is not None:
        silence_ended(tx, link_id, now)
    deliveries.succeeded(tx, link_id, now)
    return batch


async def record_failure(
    hub: Hub, batch: Batch, error: HubError, retry_after: timedelta | None
) -> datetime:
    """The attempt brought no receipt; the instant of the next one."""
    link = batch.link

    def transaction(tx: Tx) -> datetime:
        now = hub.now()
        ground.of_links(tx, link.id)
        how = deliveries.get(tx.connection, link.id)
        failures = how.failures + 1
        wait = backoff(
            failures,
            hub.entropy.fraction(),
            cap=retry_cap(hub),
            base=timedelta(seconds=hub.limits.retry_base_s),
            retry_after=retry_after,
        )
        seqs = [row.seq for row in batch.rows]
        outbox.mark_tried(tx, link.id, seqs, error.code)
        answer = error.because or error.told
        deliveries.note_attempt(tx, link.id, seqs, at=now, code=error.code, answer=answer)
        since = how.failing_since or now
        deliveries.failed(
            tx,
            link.id,
            failures=failures,
            next_at=now + wait,
            since=since,
            error=f"{error.code}: {error.because or error.code}"[:500],
        )
        fault("outbox.failure_recorded")
        suspended = error.code == "link_suspended" and isinstance(error, Refused)
        if not suspended or link.state is LinkState.CLOSED:
            tell_people(tx, hub, link, now - since, now)
        keyring.heed_answer(tx, hub, link.id, error)
        if suspended:
            _suspended_by_peer(tx, batch)
        if error.code == NOT_STORED:
            # It stands elsewhere than we think: behind a gap, or beyond an epoch that a process
            # of ours asked for and did not live to begin.
            streams.change(tx, link.id, synced=False)
            tx.wake(SYNC_TOPIC)
        return now + wait

    return await hub.db.write(transaction)


def _suspended_by_peer(tx: Tx, batch: Batch) -> None:
    """Hold content back, unless something overtook the peer's answer: its resumption, perhaps."""
    link = links.lock(tx, batch.link.id)
    if link.state is LinkState.ACTIVE and streams.lock(tx, link.id).in_seq == batch.heard:
        links.change(tx, link.id, suspended_by_peer=True, state=LinkState.SUSPENDED)


def retry_cap(hub: Hub) -> timedelta:
    """The longest wait between two tries.

    A node that nobody can call hears no sign of life of a peer that is back: it asks more often.
    """
    cap = timedelta(seconds=hub.limits.retry_cap_s)
    return min(cap, COLLECT_CAP) if hub.account.outbound_only else cap


def tell_people(tx: Tx, hub: Hub, link: Link, failing_for: timedelta, now: datetime) -> None:
    """Put a long silence before a person's eyes, once a degree."""
    how = health(failing_for)
    if how in {Health.OVERDUE, Health.UNREACHABLE}:
        outgoing.alarm(
            tx,
            hub,
            f"delivery_{how}",
            link.id,
            "Nothing reaches {peer} for {hours} hours.",
            now,
            peer=link.peer_name,
            hours=int(failing_for.total_seconds() // 3600),
        )


def silence_ended(tx: Tx, link_id: LinkId, now: datetime) -> None:
    """People need not look after this link any more; the next silence is told anew."""
    for how in (Health.OVERDUE, Health.UNREACHABLE):
        audit.resolve_alerts(tx, kind=f"delivery_{how}", subject=link_id, at=now)


async def is_waiting(hub: Hub, link_id: LinkId) -> bool:
    """Whether the peer is not to be tried for a while."""
    how = await hub.db.glance(lambda connection: deliveries.get(connection, link_id))
    return how.next_at is not None and how.next_at > hub.now()


async def reached(hub: Hub, link_id: LinkId) -> None:
    """A call of ours was answered: a silence that was noted is over."""

    def quiet(connection: Connection) -> bool:
        how = deliveries.get(connection, link_id)
        if how.failures or how.next_at is not None:
            return False
        # Nothing is put off: what waits all the same waits for something else.
        stream = streams.get(connection, link_id)
        waits = stream is not None and stream.out_seq > stream.receipted_seq
        return how.failing_since is None or waits

    if await hub.db.glance(quiet):
        return

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_links(tx, link_id)
        stream = streams.lock(tx, link_id)
        if stream.out_seq == stream.receipted_seq:
            silence_ended(tx, link_id, now)
            deliveries.succeeded(tx, link_id, now)
        elif unreached(deliveries.get(tx.connection, link_id)):
            # Only then: a peer that told us to come later meant it.
            deliveries.try_now(tx, link_id)
            tx.wake(outgoing.deliver_topic(link_id))

    await hub.db.write(transaction)


def unreached(how: Delivery) -> bool:
    """Whether the last try failed because nobody answered, or nobody who is the peer."""
    return says_unreached((how.last_error or "").partition(":")[0])


def says_unreached(code: str) -> bool:
    """Whether an error of this code is nothing that the peer said."""
    return code in {"peer_unreachable", "peer_answer_unusable", "answer_unsigned"}


async def sign_of_life(hub: Hub, link_id: LinkId) -> None:
    """The peer called us, authentically: what waits because nobody answered is tried at once.

    A peer that did answer and said no means it for as long as we wait, however often it calls:
    else two that refuse one another would wake each other without end.
    """

    def transaction(tx: Tx) -> None:
        how = deliveries.get(tx.connection, link_id)
        if how.failures and unreached(how):
            deliveries.try_now(tx, link_id)
            tx.wake(outgoing.deliver_topic(link_id))
            tx.wake(SYNC_TOPIC)

    await hub.db.write(transaction)


async def retry_now(hub: Hub, link_id: LinkId) -> None:
    """Forget the waiting time of this link: its messages are tried at once."""

    def transaction(tx: Tx) -> None:
        deliveries.try_now(tx, link_id)
        tx.wake(outgoing.deliver_topic(link_id))
        tx.wake(SYNC_TOPIC)

    await hub.db.write(transaction)


async def resend(hub: Hub, row: OutboxRow) -> MessageId:
    """Send the words of a refused message again, as a new one; its id.

    Useful after the cause was removed on the other side. The refused one stays as it is.
    """
    if row.state is not DeliveryState.FAILED:
        raise Conflict("not_failed", "Only a refused message is sent again as a new one.")
    if row.data is None:
        raise Refused("erased", "The payload of this message was erased.")

    def transaction(tx: Tx) -> MessageId:
        now = hub.now()
        ground.of_links(tx, row.link_id)
        link = links.get(tx.connection, row.link_id)
        assert row.data is not None
        message_id = outgoing.send_again(tx, hub, link, row, now)
        comments.now_carried_by(tx, row.id, message_id)
        audit.resolve_alerts(tx, kind="message_rejected", subject=row.id, at=now)
        return message_id

    return await hub.db.write(transaction)


async def reapply_again(hub: Hub, row: OutboxRow) -> None:
    """Try once more to make the effect of a message from before a restore."""

    def transaction(tx: Tx) -> None:
        ground.of_links(tx, row.link_id)
        outbox.change(tx, row.link_id, row.seq, state=DeliveryState.RECEIVED, attempts=0)
        streams.change(tx, row.link_id, reapplying=True)
        audit.resolve_alerts(tx, kind="message_parked", subject=row.id, at=hub.now())
        tx.wake(f"apply:{row.link_id}")

    await hub.db.write(transaction)


async def leave_out(hub: Hub, row: OutboxRow, actor: str, reason: str) -> None:
    """A person lets our state be as it is, without the effect of this message."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_links(tx, row.link_id)
        outbox.change(
            tx,
            row.link_id,
            row.seq,
            state=DeliveryState.RECEIVED,
            reapply=False,
            last_error=f"{row.last_error} | {reason}",
        )
        streams.change(tx, row.link_id, reapplying=True)  # what waited behind it goes on
        audit.resolve_alerts(tx, kind="message_parked", subject=row.id, at=now)
        audit.append(
            tx, at=now, actor=actor, event="message.skipped", message=row.id, reason=reason
        )
        tx.wake(f"apply:{row.link_id}")

    await hub.db.write(transaction)


async def dismiss(hub: Hub, row: OutboxRow, actor: str, reason: str) -> None:
    """A person has seen a refused message and lets it be."""
    if row.state is not DeliveryState.FAILED:
        raise Conflict("not_failed", "The peer has this message; there is nothing to skip.")

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_links(tx, row.link_id)
        outbox.change(tx, row.link_id, row.seq, last_error=f"{row.last_error} | {reason}")
        audit.resolve_alerts(tx, kind="message_rejected", subject=row.id, at=now)
        audit.append(
            tx, at=now, actor=actor, event="message.dismissed", message=row.id, reason=reason
        )

    await hub.db.write(transaction)


async def find(hub: Hub, message_id: str) -> OutboxRow:
    """The message with this id. Raises NotFound."""
    row = await hub.db.read(lambda connection: outbox.find(connection, message_id))
    if row is None or row.type not in payloads.TYPES:
        raise NotFound("not_found", "There is no such message.")
    return row
