"""The outbox's side of delivery: what to send next, and what a receipt or a failure changes.

One batch in flight per link. A message stays until the peer's signed receipt covers it;
nothing is ever dropped, age only changes who is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from hub.actions import outgoing
from hub.actions.context import Hub
from hub.domain.delivery import DeliveryState, Health, backoff, health
from hub.errors import Conflict, HubError, NotFound, Refused, Untrusted
from hub.ids import LinkId, MessageId
from hub.protocol import jws, payloads, receipts
from hub.protocol.keys import PublicKey
from hub.protocol.message import WireMessage, fit_batch
from hub.storage import audit, deliveries, links, outbox, streams
from hub.storage.database import Connection, Tx
from hub.storage.links import Link, LinkState
from hub.storage.outbox import OutboxRow


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


async def links_with_work(hub: Hub) -> list[tuple[LinkId, datetime | None]]:
    """Links that have something to send, and the instant before which they must not be tried."""
    return await hub.db.glance(deliveries.pending)


async def next_batch(hub: Hub, link_id: LinkId) -> Batch | None:
    """What to send to this peer now; None while there is nothing, or nothing may be sent."""
    return await hub.db.glance(lambda connection: _next(connection, hub, link_id))


def _next(connection: Connection, hub: Hub, link_id: LinkId) -> Batch | None:
    link = links.get(connection, link_id)
    stream = streams.get(connection, link_id)
    if stream is None or stream.out_seq == stream.receipted_seq:
        return None
    rows = outbox.after(connection, link_id, stream.receipted_seq, hub.limits.message_batch)
    if link.state is LinkState.SUSPENDED:
        # Only control messages leave now, and none may overtake another.
        rows = list(takewhile(lambda row: row.control, rows))
    fitting = fit_batch([WireMessage(row.env, row.data) for row in rows])
    return Batch(link, rows[:fitting], stream.in_seq) if fitting else None


def msg_key(tx: Tx, link_id: str, kid: str) -> PublicKey:
    """The peer's pinned message key of this name. Raises Untrusted(key_unknown)."""
    for key in links.keys(tx.connection, link_id):
        if key.kid == kid and key.use == "msg":
            return links.public_key(key)
    raise Untrusted("key_unknown", "The message is signed by an unknown key.", because=kid)


async def record_receipt(hub: Hub, link_id: LinkId, text: str) -> Batch | None:
    """The peer has what the receipt covers; what to send next.

    Raises Untrusted for a receipt that is not the pinned key's, is about another stream, or
    names other hashes than ours: then nothing has changed.
    """

    def transaction(tx: Tx) -> Batch | None:
        now = hub.now()
        key = msg_key(tx, link_id, jws.peek(text).kid)
        receipt = receipts.open_receipt(text, key, link=link_id, of=hub.account.node_id)
        stream = streams.lock(tx, link_id)
        news = receipt.epoch == stream.out_epoch and receipt.upto > stream.receipted_seq
        if news:
            row = outbox.at(tx.connection, link_id, receipt.upto)
            if row is None or row.hash != receipt.head:
                raise Untrusted(
                    "malformed",
                    "The receipt does not fit what was sent.",
                    because=f"upto {receipt.upto}",
                )
            outbox.settle_upto(tx, link_id, stream.receipted_seq, receipt.upto, now)
            streams.change(tx, link_id, receipted_seq=receipt.upto)
            streams.keep_receipt(
                tx, link_id, "received", epoch=receipt.epoch, upto=receipt.upto, jws=text, at=now
            )
            hub.metrics.sent.inc(receipt.upto - stream.receipted_seq)
        following = _next(tx.connection, hub, link_id)
        if not news and following is not None:
            # A receipt for what we knew already: a peer that stores nothing and says so must
            # not look like one to which delivery goes well.
            return following
        if deliveries.get(tx.connection, link_id).failing_since is not None:
            # Settled, so that the next silence is told anew.
            for how in (Health.OVERDUE, Health.UNREACHABLE):
                audit.resolve_alerts(tx, kind=f"delivery_{how}", subject=link_id, at=now)
        deliveries.succeeded(tx, link_id, now)
        return following

    return await hub.db.write(transaction)


async def record_failure(
    hub: Hub, batch: Batch, error: HubError, retry_after: timedelta | None
) -> datetime:
    """The attempt brought no receipt; the instant of the next one."""
    link = batch.link

    def transaction(tx: Tx) -> datetime:
        now = hub.now()
        how = deliveries.get(tx.connection, link.id)
        failures = how.failures + 1
        wait = backoff(
            failures,
            hub.entropy.fraction(),
            cap=timedelta(seconds=hub.limits.retry_cap_s),
            base=timedelta(seconds=hub.limits.retry_base_s),
            retry_after=retry_after,
        )
        outbox.mark_tried(tx, link.id, [row.seq for row in batch.rows], error.code)
        since = how.failing_since or now
        deliveries.failed(
            tx,
            link.id,
            failures=failures,
            next_at=now + wait,
            since=since,
            error=f"{error.code}: {error.because or error.code}"[:500],
        )
        _tell_people(tx, hub, link, now - since, now)
        if error.code == "link_suspended" and isinstance(error, Refused):
            _suspended_by_peer(tx, batch)
        return now + wait

    return await hub.db.write(transaction)


def _suspended_by_peer(tx: Tx, batch: Batch) -> None:
    """Hold content back, unless something overtook the peer's answer: its resumption, perhaps."""
    link = links.lock(tx, batch.link.id)
    if link.state is LinkState.ACTIVE and streams.lock(tx, link.id).in_seq == batch.heard:
        links.change(tx, link.id, suspended_by_peer=True, state=LinkState.SUSPENDED)


def _tell_people(tx: Tx, hub: Hub, link: Link, failing_for: timedelta, now: datetime) -> None:
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


async def sign_of_life(hub: Hub, link_id: LinkId) -> None:
    """The peer called us, authentically: what waits for it is tried at once."""

    def transaction(tx: Tx) -> None:
        how = deliveries.get(tx.connection, link_id)
        if how.failures:
            deliveries.try_now(tx, link_id)
            tx.wake(outgoing.deliver_topic(link_id))

    await hub.db.write(transaction)


async def retry_now(hub: Hub, link_id: LinkId) -> None:
    """Forget the waiting time of this link: its messages are tried at once."""

    def transaction(tx: Tx) -> None:
        deliveries.try_now(tx, link_id)
        tx.wake(outgoing.deliver_topic(link_id))

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
        link = links.get(tx.connection, row.link_id)
        assert row.data is not None
        message_id = outgoing.send_again(tx, hub, link, row, now)
        audit.resolve_alerts(tx, kind="message_rejected", subject=row.id, at=now)
        return message_id

    return await hub.db.write(transaction)


async def dismiss(hub: Hub, row: OutboxRow, actor: str, reason: str) -> None:
    """A person has seen a refused message and lets it be."""
    if row.state is not DeliveryState.FAILED:
        raise Conflict(
            "not_failed",
            "A message that the peer has not received yet cannot be skipped: later ones build "
            "on it.",
            hint="It is tried again by itself. To stop the exchange: hub link suspend",
        )

    def transaction(tx: Tx) -> None:
        now = hub.now()
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
