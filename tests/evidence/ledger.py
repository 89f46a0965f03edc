"""A link written by hand: two nodes that can do what honest ones do, and what they do not.

For stories no network tells on demand: epochs, superseded copies, forks, changed keys, revisions
of the agreement, steps out of turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hub.evidence import verify as verifier
from hub.ids import HandoffId, MessageId
from hub.protocol import agreement, evidence, jws, keys, receipts, signing, strict_json
from hub.protocol.encoding import instant, sha256_b64
from hub.protocol.evidence import Entry, LinkPart, Scope
from hub.protocol.keys import KeyEntry, KeySet, KeyUse, PrivateKey
from hub.protocol.message import Envelope
from hub.protocol.receipts import Receipt
from hub.protocol.signing import SealedMessage
from tests.protocol.builders import LINK, NOW, a_key, an_id

SIDES = verifier.SIDES
HANDOFF = HandoffId(an_id("hnd", "first"))


@dataclass
class Side:
    """One node of the link."""

    name: str
    identity: PrivateKey
    msg: PrivateKey
    sets: list[str] = field(default_factory=list)
    succession: list[str] = field(default_factory=list)
    log: list[SealedMessage] = field(default_factory=list)
    epoch: int = 1
    node_id: str = ""

    @property
    def head(self) -> tuple[int, str]:
        last = self.log[-1]
        return last.envelope.seq, last.hash


def key_set(
    side: Side, version: int, msg: PrivateKey, *, revoked: Sequence[str] = (), identity: int = 1
) -> str:
    """A key set of the side, signed by its identity."""
    until = NOW + timedelta(days=400)
    made = KeySet(
        node_id=side.node_id,
        version=version,
        identity_version=identity,
        keys=(KeyEntry(msg.kid, msg.public, KeyUse.MSG, NOW + timedelta(seconds=version), until),),
        revoked=tuple(keys.RevokedKey(kid, "compromised") for kid in revoked),
        issued_at=NOW,
        expires=until,
    )
    return keys.seal_key_set(made, side.identity)


class Ledger:
    """Both streams of a link and everything that was signed about them."""

    def __init__(self) -> None:
        self.now: datetime = NOW
        self.sides: dict[str, Side] = {}
        for which, name in zip(SIDES, ("Касса-Сервис", "Мастер-Юг"), strict=True):
            side = Side(name, a_key(f"{name} identity"), a_key(f"{name} msg"))
            side.node_id = side.identity.kid
            side.sets.append(key_set(side, 1, side.msg))
            self.sides[which] = side
        self.agreement = self.compose(1)
        self.signatures = {
            which: agreement.sign(self.agreement, side.identity)
            for which, side in self.sides.items()
        }
        self.receipts: list[str] = []
        self.superseded: list[SealedMessage] = []
        self.forks: list[SealedMessage] = []
        self.hidden: set[str] = set()
        self.gone: dict[str, str] = {}  # id of a message → why its payload is not there
        self._count = 0

    def compose(self, revision: int) -> agreement.Agreement:
        """The agreement, in this revision."""
        parties = {
            which: agreement.AgreementParty(
                node_id=side.node_id,
                name=side.name,
                base_url=f"https://{which}.example",
                identity=side.identity.public,
                key_set_version=1,
            )
            for which, side in self.sides.items()
        }
        return agreement.compose(
            link=LINK,
            made_at=NOW,
            inviter=parties["inviter"],
            invitee=parties["invitee"],
            inviter_offer="{}",
            invitee_offer="{}",
            terms={"version": "1.0", "note": f"revision {revision}"},
            legal=sha256_b64(b""),
            revision=revision,
        )

    def other(self, which: str) -> str:
        return SIDES[1 - SIDES.index(which)]

    # --- writing

    def sealed(
        self,
        which: str,
        type_: str,
        payload: dict[str, Any],
        *,
        handoff: HandoffId | None = None,
        signer: PrivateKey | None = None,
        **changes: Any,
    ) -> SealedMessage:
        """The next message of this side, not written down yet."""
        side, other = self.sides[which], self.sides[self.other(which)]
        self._count += 1
        self.now += timedelta(minutes=1)
        before = [one for one in side.log if one.envelope.handoff == handoff] if handoff else []
        place: dict[str, Any] = {
            "id": MessageId(an_id("msg", str(self._count))),
            "epoch": side.epoch,
            "seq": side.head[0] + 1 if side.log else 1,
            "prev": side.head[1] if side.log else self.agreement.hash,
            "ack": other.head if other.log else None,
            "agreement": 1,
        }
        if handoff:
            place |= {
                "handoff": handoff,
                "hseq": len(before) + 1,
                "hprev": before[-1].hash if before else self.agreement.hash,
            }
        place["link"] = LINK
        envelope = Envelope(
            sender=side.node_id,
            receiver=other.node_id,
            type=type_,
            must=True,
            schema=f"{type_}/1",
            at=self.now,
            **(place | changes),
        )
        salt = sha256_b64(str(self._count).encode()).encode()[:16]
        return signing.seal(envelope, payload, salt, signer or side.msg)

    def write(self, which: str, type_: str, payload: dict[str, Any], **how: Any) -> SealedMessage:
        """A message of this side, in its log."""
        made = self.sealed(which, type_, payload, **how)
        self.sides[which].log.append(made)
        return made

    def step(
        self, which: str, act: str, before: str | None = None, **payload: Any
    ) -> SealedMessage:
        """A step of the hand-off."""
        said = {"from": before, **payload} if before else payload
        return self.write(which, f"handoff.{act}", said, handoff=HANDOFF)

    def work(self) -> None:
        """The inviter hands off, the invitee takes it and begins; all receipted."""
        self.step("inviter", "offer", title="Не печатает чек", number="T-1")
        self.step("invitee", "accept", "offered", number="T-9")
        self.step("invitee", "start", "accepted")
        self.receipt("inviter")
        self.receipt("invitee")

    def receipt(self, of: str, *, signer: PrivateKey | None = None, **changes: Any) -> None:
        """What the other side says to have of this side's stream: everything."""
        side, other = self.sides[of], self.sides[self.other(of)]
        about = [one for one in side.log if one.envelope.handoff is not None]
        heads = {}
        for one in about:
            assert one.envelope.handoff is not None
            assert one.envelope.hseq is not None
            heads[one.envelope.handoff] = (one.envelope.hseq, one.hash)
        seq, head = side.head
        self.now += timedelta(seconds=1)
        made = Receipt(
            link=LINK,
            of=side.node_id,
            epoch=side.epoch,
            upto=seq,
            head=head,
            handoffs=heads,
            at=self.now,
        )
        self.receipts.append(receipts.seal_receipt(replace(made, **changes), signer or other.msg))

    # --- what seldom happens

    def begin_epoch(
        self, which: str, start: int, epoch: int = 2, said: dict[str, Any] | None = None
    ) -> None:
        """Sign the tail from `start` on again under a new epoch; the old copies are superseded."""
        side = self.sides[which]
        tail = [one for one in side.log if one.envelope.seq >= start]
        side.log = [one for one in side.log if one.envelope.seq < start]
        side.epoch = epoch
        self.superseded += tail
        payload = {"epoch": epoch, "start_seq": start, "instance": "x", **(said or {})}
        self.write(which, "link.epoch", payload)
        for old in tail:
            chain = [one for one in side.log if one.envelope.handoff == old.envelope.handoff]
            place: dict[str, Any] = {"seq": side.head[0] + 1, "prev": side.head[1], "epoch": epoch}
            if old.envelope.handoff:
                place["hseq"] = len(chain) + 1
                place["hprev"] = chain[-1].hash if chain else self.agreement.hash
            side.log.append(signing.seal_text(replace(old.envelope, **place), old.data, side.msg))

    def rotate(self, which: str, version: int = 2, **how: Any) -> PrivateKey:
        """Announce a new message key in the stream; the old key."""
        side = self.sides[which]
        old, new = side.msg, a_key(f"{side.name} msg {version}")
        text = key_set(side, version, new, **how)
        said: dict[str, Any] = {"key_set": text}
        if side.succession:
            said["succession"] = list(side.succession)
        self.write(which, "link.keys", said)
        side.sets.append(text)
        side.msg = new
        return old

    def new_identity(self, which: str) -> None:
        """Another identity key, vouched for by the old one."""
        side = self.sides[which]
        old, new = side.identity, a_key(f"{side.name} identity 2")
        payload = strict_json.dump(
            {
                "node_id": side.node_id,
                "version": 2,
                "old": old.public.jwk,
                "new": new.public.jwk,
                "at": instant(NOW),
            }
        ).encode()
        typ: Any = _Named("txp-identity+jws")
        side.succession += [jws.sign(typ, payload, one) for one in (old, new)]
        side.identity = new

    # --- the bundle

    def entries(self) -> dict[str, bytes]:
        """The folder of the link."""
        folder = "links/1"
        texts = {
            "agreement.json": self.agreement.text.encode(),
            "proof.json": evidence.proof(
                self.signatures,
                {which: side.sets for which, side in self.sides.items()},
                {which: side.succession for which, side in self.sides.items()},
            ),
            "receipts.ndjson": b"".join(evidence.receipt_line(one) for one in self.receipts),
            "superseded.ndjson": b"".join(map(self._line, self.superseded)),
            "forks.ndjson": b"".join(map(self._line, self.forks)),
        }
        for which, side in self.sides.items():
            texts[f"{which}.ndjson"] = b"".join(map(self._line, side.log))
        return {f"{folder}/{name}": text for name, text in texts.items()}

    def _line(self, one: SealedMessage) -> bytes:
        missing = "redacted" if one.envelope.id in self.hidden else self.gone.get(one.envelope.id)
        data = one.data if missing is None else None
        return evidence.message_line(one.env, data, missing or "")

    def bundle(
        self, exporter: str = "inviter", *, ticket: bool = False, signer: PrivateKey | None = None
    ) -> bytes:
        """The archive, as this side exports it."""
        side = self.sides[exporter]
        entries = [Entry.of(name, text) for name, text in self.entries().items()]
        entries += [Entry.of(name, b"-") for name in verifier.FREE]
        payload = evidence.manifest(
            exporter=side.node_id,
            key_set=side.sets[-1],
            made_at=self.now,
            scope=Scope(number="T-1") if ticket else Scope(),
            links=[LinkPart(LINK, "links/1", [HANDOFF] if ticket else [])],
            redacted=[],
            files=False,
            entries=entries,
        )
        return b"".join(evidence.archive([*entries, evidence.seal(payload, signer or side.msg)]))


class _Named(str):
    """A `typ` this version of the node does not sign itself."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)
