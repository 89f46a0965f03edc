"""Sealing: a view becomes a signed message in the outbox, inside the transaction of its act.

Positions are given out while the streams of the link are locked, so their order is the order
of commit: a gap or a second message for one position cannot come to be. A message is sealed
once; the outbox row is the bytes that travel.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.actions import announcing, effects, keyring
from hub.actions.context import Hub
from hub.domain.disclosure import PublicView
from hub.domain.webhook import EventType
from hub.errors import Conflict, Refused
from hub.faults import fault
from hub.ids import HandoffId, MessageId
from hub.protocol import payloads, signing
from hub.protocol.message import MAX_DATA, Envelope
from hub.storage import audit, outbox, streams
from hub.storage.database import Overtaken, Tx
from hub.storage.links import AGREED, Link
from hub.storage.outbox import OutboxRow


def deliver_topic(link_id: str) -> str:
    """The topic woken when this link has something to send."""
    return f"deliver:{link_id}"


CUSTODY_TOPIC = "custody"
"""The topic woken when there is something for a partner that has no node."""


def check_node(link: Link) -> None:
    """Return if there is a node on the other side. Raises Conflict(no_node_there)."""
    if link.in_custody:
        raise Conflict(
            "no_node_there",
            "{peer} has no node that could do this: it takes part by '{kind}'.",
            hint="hub link promote {peer}",
            peer=link.peer_name,
            kind=link.kind,
        )


def apply_topic(link_id: str) -> str:
    """The topic woken when messages of this link wait to be applied."""
    return f"apply:{link_id}"


def send(
    tx: Tx,
    hub: Hub,
    link: Link,
    view: PublicView,
    *,
    now: datetime,
    handoff_id: HandoffId | None = None,
    cause: str | None = None,
) -> MessageId:
    """Queue a message to the peer of this link; its id.

    What was said before a restore is not said again: then the id is that of the first time.
    Raises `Refused` where the payload breaks its own schema or is too large: nothing that a
    peer must refuse is ever signed.
    """
    return _send(tx, hub, link, view.kind, view.to_data(), now, handoff_id, cause)


def send_again(tx: Tx, hub: Hub, link: Link, row: OutboxRow, now: datetime) -> MessageId:
    """Queue the words of a message that was disclosed to this very peer before."""
    assert row.data is not None
    return _send(tx, hub, link, row.type, signing.read_data(row.data), now, row.handoff_id, row.id)


def _send(
    tx: Tx,
    hub: Hub,
    link: Link,
    type_: str,
    data: dict[str, Any],
    now: datetime,
    handoff_id: HandoffId | None,
    cause: str | None,
) -> MessageId:
    if link.state not in AGREED or link.closed_at is not None:
        # Behind our `link.close` nothing may stand: the peer takes no more from us.
        raise Refused("link_not_active", "The link with {peer} is not active.", peer=link.peer_name)
    kind = payloads.TYPES[type_]
    payloads.check(kind.schema_id, data, salted=False)
    stream = streams.lock(tx, link.id)
    before = effects.said_before(tx.connection, stream, type_, handoff_id, data)
    if before is not None:
        return before.id
    if stream.revision != link.revision:
        raise Overtaken  # an amendment came into force since the link was read
    assert link.agreement_hash is not None
    hseq = hprev = None
    if handoff_id is not None:
        chain = streams.handoff(tx, link.id, handoff_id) or streams.begin_handoff(
            tx, link.id, handoff_id
        )
        hseq, hprev = chain.out_hseq + 1, chain.out_hhead or link.agreement_hash
    envelope = Envelope(
        id=MessageId(hub.new_id("msg", now)),
        link=link.id,
        sender=hub.account.node_id,
        receiver=link.peer_node_id,
        epoch=stream.out_epoch,
        seq=stream.out_seq + 1,
        prev=stream.out_head,
        agreement=stream.revision,
        ack=(stream.applied_seq, stream.applied_head) if stream.applied_seq else None,
        type=type_,
        must=kind.must,
        schema=kind.schema_id,
        handoff=handoff_id,
        hseq=hseq,
        hprev=hprev,
        at=now,
        cause=None if cause is None else MessageId(cause),
    )
    try:
        sealed = signing.seal(
            envelope,
            data,
            hub.entropy.bytes(16),
            keyring.signing_key(tx, hub, link.id, envelope.seq),
        )
    except ValueError as error:
        raise Refused(
            "message_too_large",
            "This is too long for one message: at most {limit} bytes.",
            hint="Send the long text as a file.",
            because=str(error),
            limit=MAX_DATA,
        ) from error
    outbox.append(
        tx,
        link_id=link.id,
        seq=sealed.envelope.seq,
        epoch=sealed.envelope.epoch,
        id=sealed.envelope.id,
        type=type_,
        control=kind.control,
        handoff_id=handoff_id,
        hseq=hseq,
        hash=sealed.hash,
        env=sealed.env,
        data=sealed.data,
        sealed_at=now,
    )
    streams.change(tx, link.id, out_seq=sealed.envelope.seq, out_head=sealed.hash)
    if handoff_id is not None:
        streams.change_handoff(tx, link.id, handoff_id, out_hseq=hseq, out_hhead=sealed.hash)
    fault("outbox.sealed")
    tx.wake(CUSTODY_TOPIC if link.in_custody else deliver_topic(link.id))
    hub.metrics.sealed.labels(type_).inc()
    return MessageId(sealed.envelope.id)


def said_before(
    tx: Tx, link: Link, view: PublicView, handoff_id: HandoffId | None = None
) -> MessageId | None:
    """The message of ours, from before a restore, that says this already; None: it is news.

    Its effect here is made when its turn to be re-applied comes, with the instants it has.
    """
    stream = streams.lock(tx, link.id)
    found = effects.said_before(tx.connection, stream, view.kind, handoff_id, view.to_data())
    return None if found is None else found.id


def alarm(
    tx: Tx, hub: Hub, kind: str, subject: str, text: str, now: datetime, **facts: object
) -> None:
    """Put something before a person's eyes; a second one about the same changes nothing."""
    made = audit.raise_alert(
        tx, kind=kind, subject=subject, text=text, at=now, entropy=hub.entropy, **facts
    )
    if made is not None:
        announcing.announce(
            tx, hub, EventType.ALERT_RAISED, now, alert_id=made, kind=kind, subject=subject
        )
