"""Beginning a new epoch of our stream: what comes back, what is void, what is signed again.

Only what nobody acknowledged is signed again. It keeps its id, its words and its own time;
its place and therefore its hash are new. The copies that may be on their way are kept aside
as evidence and are void for the peer, who noted the epoch down before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.actions import effects, keyring
from hub.actions.context import Hub
from hub.domain.delivery import DeliveryState
from hub.ids import LinkId, MessageId
from hub.protocol import jws, payloads, signing
from hub.protocol.keys import PrivateKey
from hub.protocol.message import Envelope, parse_envelope
from hub.protocol.sync import NewEpoch
from hub.storage import outbox, streams
from hub.storage.database import Tx
from hub.storage.links import Link
from hub.storage.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class Own:
    """A message of ours as the peer holds it; proven to be signed by us."""

    envelope: Envelope
    env: str
    data: str | None  # None: the peer does not keep the payload any more
    hash: str


def begin(
    tx: Tx,
    hub: Hub,
    link: Link,
    epoch: NewEpoch,
    taken: Sequence[Own],
    reason: str,
    now: datetime,
) -> None:
    """Put the messages we took back into our log and begin the epoch behind them.

    The streams of the link are locked by the caller, and `taken` continues our log at the place
    of its first message.
    """
    first = taken[0].envelope.seq if taken else epoch.start_seq
    tail = _cut_tail(tx, link.id, first, now)
    _put_back(tx, link.id, taken, now)
    for own in taken:
        if own.envelope.type == "link.keys" and own.data is not None:
            keyring.taken_back(tx, hub, link.id, own.envelope.id, own.envelope.seq, own.data)
    signer = _Signer(tx, hub, link, epoch, now)
    signer.announce(reason)
    signer.again(_to_sign(tail, taken))
    touched = {row.handoff_id for row in tail} | {own.envelope.handoff for own in taken}
    signer.close(sorted(one for one in touched if one is not None))


def _cut_tail(tx: Tx, link_id: str, first: int, now: datetime) -> list[OutboxRow]:
    """Take everything from this position on out of the log; what may have travelled is kept."""
    tail = outbox.after(tx.connection, link_id, first - 1, outbox.ALL)
    travelled = [
        streams.VoidedCopy(row.epoch, row.seq, row.id, row.hash, row.env, row.data)
        for row in tail
        if row.attempts
    ]
    streams.keep_voided(tx, link_id, "out", travelled, now)
    outbox.remove_from(tx, link_id, first)
    return tail


def _put_back(tx: Tx, link_id: LinkId, taken: Iterable[Own], now: datetime) -> None:
    for own in taken:
        envelope = own.envelope
        kind = payloads.TYPES.get(envelope.type)
        outbox.append(
            tx,
            link_id=link_id,
            seq=envelope.seq,
            epoch=envelope.epoch,
            id=envelope.id,
            type=envelope.type,
            control=kind is not None and kind.control,
            handoff_id=envelope.handoff,
            hseq=envelope.hseq,
            hash=own.hash,
            env=own.env,
            data=own.data,
            sealed_at=envelope.at,
            state=DeliveryState.RECEIVED,
            attempts=1,
            settled_at=now,
            reapply=own.data is not None,
        )


def _to_sign(tail: Sequence[OutboxRow], taken: Sequence[Own]) -> list[OutboxRow]:
    """What of the tail is said again: nothing the peer has, no beginning of an older epoch.

    A consequence sealed since the restore, of something that had the same consequence before it,
    has another id and is the same message all the same.
    """
    there = {own.envelope.id for own in taken}
    said = {
        effects.effect_key(own.envelope.type, own.envelope.handoff, signing.read_data(own.data))
        for own in taken
        if own.data is not None and own.envelope.type not in effects.EACH
    }
    return [
        row
        for row in tail
        if row.id not in there and row.type != "link.epoch" and effects.key_of(row) not in said
    ]


class _Signer:
    """Signs the un-acknowledged rest of our log again, under the new epoch and in its order."""

    def __init__(self, tx: Tx, hub: Hub, link: Link, begin: NewEpoch, now: datetime) -> None:
        self._tx, self._hub, self._link, self._begin, self._now = tx, hub, link, begin, now
        self._seq = begin.start_seq - 1
        self._head = _head(tx, link, self._seq)
        self._chains: dict[str, tuple[int, str]] = {}

    def announce(self, reason: str) -> None:
        """The first message of the epoch says that it begins."""
        data = {
            "epoch": self._begin.epoch,
            "start_seq": self._begin.start_seq,
            "instance": self._hub.keys.instance,
            "reason": reason,
        }
        self._fresh("link.epoch", data)

    def again(self, rows: Iterable[OutboxRow]) -> None:
        """These words again, under the ids they have."""
        for row in rows:
            if row.skip_reason is not None or row.data is None:
                reason = row.skip_reason or "erased"
                self._fresh("link.skip", {"id": row.id, "reason": reason})
                continue
            written = parse_envelope(jws.peek(row.env).payload)
            hseq, hprev = self._next_in(row.handoff_id)
            envelope = replace(
                written,
                epoch=self._begin.epoch,
                seq=self._seq + 1,
                prev=self._head,
                hseq=hseq,
                hprev=hprev,
            )
            sealed = signing.seal_text(envelope, row.data, self._key())
            self._append(sealed, row.type, control=row.control, sealed_at=row.sealed_at)

    def close(self, handoffs: Iterable[str]) -> None:
        """Write down where our stream and these hand-offs stand now."""
        tx, link_id = self._tx, self._link.id
        for handoff_id in handoffs:
            if streams.handoff(tx, link_id, handoff_id) is None:
                streams.begin_handoff(tx, link_id, handoff_id)
            hseq, head = self._chains.get(handoff_id) or _chain(tx, link_id, handoff_id)
            streams.change_handoff(tx, link_id, handoff_id, out_hseq=hseq, out_hhead=head)
        streams.change(
            tx, link_id, out_epoch=self._begin.epoch, out_seq=self._seq, out_head=self._head
        )

    def _fresh(self, type_: str, data: dict[str, object]) -> None:
        kind = payloads.TYPES[type_]
        payloads.check(kind.schema_id, data, salted=False)
        envelope = Envelope(
            id=MessageId(self._hub.new_id("msg", self._now)),
            link=self._link.id,
            sender=self._hub.account.node_id,
            receiver=self._link.peer_node_id,
            agreement=self._link.revision,
            type=type_,
            must=kind.must,
            schema=kind.schema_id,
            at=self._now,
            epoch=self._begin.epoch,
            seq=self._seq + 1,
            prev=self._head,
        )
        sealed = signing.seal(envelope, data, self._hub.entropy.bytes(16), self._key())
        self._append(sealed, type_, control=kind.control, sealed_at=self._now)

    def _key(self) -> PrivateKey:
        """The key that holds at the next place: announcements count where they stand by now."""
        return keyring.signing_key(self._tx, self._hub, self._link.id, self._seq + 1)

    def _next_in(self, handoff_id: str | None) -> tuple[int | None, str | None]:
        """The next place in the chain of this hand-off."""
        if handoff_id is None:
            return None, None
        if handoff_id not in self._chains:
            self._chains[handoff_id] = _chain(self._tx, self._link.id, handoff_id)
        hseq, head = self._chains[handoff_id]
        return hseq + 1, head or self._link.agreement_hash

    def _append(
        self, sealed: signing.SealedMessage, type_: str, *, control: bool, sealed_at: datetime
    ) -> None:
        envelope = sealed.envelope
        outbox.append(
            self._tx,
            link_id=self._link.id,
            seq=envelope.seq,
            epoch=envelope.epoch,
            id=envelope.id,
            type=type_,
            control=control,
            handoff_id=envelope.handoff,
            hseq=envelope.hseq,
            hash=sealed.hash,
            env=sealed.env,
            data=sealed.data,
            sealed_at=sealed_at,
        )
        self._seq, self._head = envelope.seq, sealed.hash
        if envelope.handoff is not None and envelope.hseq is not None:
            self._chains[envelope.handoff] = (envelope.hseq, sealed.hash)


def _chain(tx: Tx, link_id: str, handoff_id: str) -> tuple[int, str]:
    """Where the chain of a hand-off stands in our log as it is; (0, "") before its first."""
    last = outbox.last_of_handoff(tx.connection, link_id, handoff_id)
    return (0, "") if last is None or last.hseq is None else (last.hseq, last.hash)


def _head(tx: Tx, link: Link, seq: int) -> str:
    """The hash the message behind this place points back to."""
    if seq == 0:
        assert link.agreement_hash is not None
        return link.agreement_hash
    row = outbox.at(tx.connection, link.id, seq)
    assert row is not None
    return row.hash
