"""A partner without a node: ours plays the partner's (decision 34).

Such a link is one like any other: an agreement with two signatures, two streams of sealed
messages, receipts, one table of states. The partner's half of it is sealed here with keys that
we keep for this link alone, and the agreement says so: whoever reads the evidence sees whose word
stands behind each signature. What the partner really said (a letter, a page it sent) is kept
beside the message that it became.

What leads here, the way of the kind (hub/actions/custodian.py), says only what the partner said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hub.actions import epochs, inbox, invitations, keyring, permits
from hub.actions.context import Actor, Hub
from hub.actions.nodes import KEY_SET_VALIDITY
from hub.domain.agreement import AsContractor, AsPrincipal, Offer, default_offer
from hub.domain.permission import Permission
from hub.errors import Conflict, Refused, Unavailable
from hub.ids import HandoffId, InvitationId, LinkId, MessageId
from hub.protocol import agreement as agreements
from hub.protocol import payloads, receipts, signing, strict_json, sync
from hub.protocol.agreement import Agreement, AgreementParty
from hub.protocol.keys import KeyEntry, KeySet, KeyUse, PrivateKey, PublicKey, seal_key_set
from hub.protocol.linking import MAX_OFFER
from hub.protocol.message import Envelope
from hub.protocol.receipts import Receipt
from hub.storage import audit, custodies, links, outbox, streams
from hub.storage import inbox as stored_inbox
from hub.storage.custodies import Custody
from hub.storage.database import Tx
from hub.storage.links import Link, LinkKind, LinkState

AGREED_TO: Final = "link.amended"
_RESTORED: Final = "restore"  # why an epoch begins
CUSTODY: Final = "custody"
"""Member of the partner's offer, in the agreement: who seals its messages, and whose they are."""


@dataclass(frozen=True, slots=True)
class FoundLink:
    """The wish to work with a partner that has no node."""

    kind: LinkKind
    name: str
    address: str  # where its people or its desk are reached
    language: str = "ru"
    offer: Offer = field(default_factory=default_offer)  # what we offer
    contractor: bool = True  # it takes work from us
    principal: bool = False  # it hands work to us


def found_in(tx: Tx, hub: Hub, actor: Actor, wish: FoundLink, now: datetime) -> Link:
    """Make the link: both halves of the agreement, both streams. It is active at once.

    Raises Refused(outbound_only | name_missing), Conflict(already_linked).
    """
    permits.require(actor, Permission.LINKS_WRITE)
    if hub.account.outbound_only:
        raise Refused(
            "outbound_only",
            "Nobody can call this node, so a partner could open none of its pages.",
            hint="Give the node an address: docs/howto/outbound-only.md",
        )
    if not wish.name.strip():
        raise Refused("name_missing", "Say what the partner is called.", hint="--name TEXT")
    if custodies.with_address(tx.connection, wish.kind, wish.address) is not None:
        raise Conflict(
            "already_linked", "There is a link with {address} already.", address=wish.address
        )
    identity = PrivateKey.generate(hub.entropy)
    message = PrivateKey.generate(hub.entropy)
    key_set = _key_set(identity, message, now)
    link_id = LinkId(hub.new_id("lnk", now))
    ours = invitations.offer_text(hub, wish.offer)
    theirs = _their_offer(hub, wish)
    agreement = agreements.compose(
        link=link_id,
        made_at=now,
        inviter=AgreementParty(
            node_id=hub.key_set.node_id,
            name=hub.account.name,
            base_url=hub.account.base_url,
            identity=hub.keys.identity.public,
            key_set_version=hub.key_set.version,
        ),
        invitee=AgreementParty(
            node_id=identity.kid,
            name=wish.name.strip(),
            base_url="",
            identity=identity.public,
            key_set_version=1,
        ),
        inviter_offer=ours,
        invitee_offer=theirs,
        terms=invitations.combined(invitations.read_offer(ours), invitations.read_offer(theirs)),
        legal=invitations.LEGAL_HASH,
    )
    links.add(
        tx,
        id=link_id,
        kind=wish.kind,
        state=LinkState.ACTIVE,
        inviter=True,
        invitation_id=InvitationId(hub.new_id("inv", now)),  # of none: nobody was sent a code
        peer_node_id=identity.kid,
        peer_name=wish.name.strip(),
        peer_base_url="",
        peer_identity=json.dumps(identity.public.jwk),
        peer_key_set_version=1,
        agreement=agreement.text,
        agreement_hash=agreement.hash,
        revision=agreement.revision,
        our_signature=agreements.sign(agreement, hub.keys.identity),
        peer_signature=agreements.sign(agreement, identity),
        digits_confirmed_at=now,
        suspended_by_us=False,
        suspended_by_peer=False,
        created_at=now,
        active_at=now,
    )
    invitations.pin_keys(tx, link_id, key_set, seal_key_set(key_set, identity), now)
    streams.begin(tx, link_id, agreement.hash)
    keyring.agreed(tx, link_id, hub.key_set)
    custodies.add(
        tx,
        Custody(
            link_id=link_id,
            message_key=hub.hide(message.to_pem(None)),
            identity_key=hub.hide(identity.to_pem(None)),
            address=wish.address,
            language=wish.language,
            told_seq=0,
            successor_id=None,
        ),
    )
    audit.append(
        tx,
        at=now,
        actor=actor.ref,
        event="link.founded",
        link=link_id,
        peer=wish.name.strip(),
        kind=wish.kind,
    )
    return links.get(tx.connection, link_id)


def _key_set(identity: PrivateKey, message: PrivateKey, now: datetime) -> KeySet:
    until = now + KEY_SET_VALIDITY
    return KeySet(
        node_id=identity.kid,
        version=1,
        identity_version=1,
        keys=(KeyEntry(message.kid, message.public, KeyUse.MSG, now, until),),
        revoked=(),
        issued_at=now,
        expires=until,
    )


def _their_offer(hub: Hub, wish: FoundLink) -> str:
    """What the partner offers by our mouth, and that it is our mouth."""
    offer = Offer(
        as_principal=AsPrincipal(hand_off=wish.principal),
        as_contractor=AsContractor(hand_off=wish.contractor),
    )
    said = strict_json.parse(invitations.offer_text(hub, offer), max_bytes=MAX_OFFER)
    said.pop("base_url", None)
    said |= {
        "name": wish.name.strip(),
        CUSTODY: {"by": hub.account.node_id, "kind": str(wish.kind), "of": wish.address},
    }
    return strict_json.dump(said)


def begin_epochs(tx: Tx, hub: Hub, link: Link, now: datetime) -> None:
    """After a restore: from here on neither stream uses a number that may have been used before.

    Both halves lie in this database, so nobody can say what was signed since the backup. What of
    ours had no receipt is signed again, under its id.
    """
    stream = streams.lock(tx, link.id)
    tables = {way: dict(streams.epoch_table(tx.connection, link.id, way)) for way in ("out", "in")}
    number = sync.following_epoch(int(now.timestamp()), *tables.values())
    start = stream.firm_seq + 1
    streams.add_epochs(tx, link.id, "out", {number: start})
    held = outbox.at(tx.connection, link.id, stream.firm_seq)
    base = sync.Place(stream.firm_seq, held.hash if held is not None else link.agreement_hash or "")
    epochs.begin(tx, hub, link, sync.NewEpoch(number, start, base), [], _RESTORED, now)
    place = stream.in_seq + 1
    streams.add_epochs(tx, link.id, "in", {number: place})
    said = {
        "epoch": number,
        "start_seq": place,
        "instance": hub.keys.instance,
        "reason": _RESTORED,
    }
    say(tx, hub, link.id, "link.epoch", said, now=now)


# --- what the partner says ------------------------------------------------------------------


def say(
    tx: Tx,
    hub: Hub,
    link_id: LinkId,
    type_: str,
    said: Mapping[str, Any],
    *,
    now: datetime,
    handoff_id: HandoffId | None = None,
    cause: MessageId | None = None,
) -> MessageId:
    """Seal what the partner said and take it in like any message of a peer; its id.

    It is applied behind the commit, by the rules for peers (`inbox.apply_some`). Raises
    Refused(schema_invalid | message_too_large | link_suspended | link_closed), Unavailable;
    then nothing was said.
    """
    link = links.lock(tx, link_id)
    if stored_inbox.waits(tx.connection, link_id, AGREED_TO):
        # Which revision of the agreement holds behind it is known when it is applied.
        raise Unavailable("overloaded", "Something the partner said before is still on its way.")
    stream = streams.lock(tx, link_id)
    key = _message_key(tx, hub, link)
    kind = payloads.TYPES[type_]
    payloads.check(kind.schema_id, dict(said), salted=False)
    hseq = hprev = None
    if handoff_id is not None:
        chain = streams.handoff(tx, link_id, handoff_id)
        hseq = 1 + (chain.in_hseq if chain else 0)
        hprev = (chain.in_hhead if chain else "") or link.agreement_hash
    heard = outbox.at(tx.connection, link_id, stream.receipted_seq)
    envelope = Envelope(
        id=MessageId(hub.new_id("msg", now)),
        link=link_id,
        sender=link.peer_node_id,
        receiver=hub.account.node_id,
        epoch=sync.expected_epoch(
            dict(streams.epoch_table(tx.connection, link_id, "in")), stream.in_seq + 1
        ),
        seq=stream.in_seq + 1,
        prev=stream.in_head,
        agreement=link.revision,  # what the partner agreed to holds in both streams at once
        ack=None if heard is None else (heard.seq, heard.hash),
        type=type_,
        must=kind.must,
        schema=kind.schema_id,
        handoff=handoff_id,
        hseq=hseq,
        hprev=hprev,
        at=now,
        cause=cause,
    )
    try:
        sealed = signing.seal(envelope, dict(said), hub.entropy.bytes(16), key)
    except ValueError as error:
        raise Refused(
            "message_too_large", "This is too long for one message.", because=str(error)
        ) from error
    verified = signing.open_sealed(
        sealed.wire,
        _public(tx, link, key.kid),
        link=link_id,
        sender=link.peer_node_id,
        receiver=hub.account.node_id,
    )
    taken = inbox.accept_in(tx, hub, link_id, [verified])
    if taken.stopped is not None:
        raise taken.stopped
    return envelope.id


def sign(tx: Tx, hub: Hub, link_id: LinkId, agreement: Agreement) -> str:
    """The partner's signature of an agreement that it agreed to."""
    pem = hub.reveal(custodies.get(tx.connection, link_id).identity_key)
    return agreements.sign(agreement, PrivateKey.from_pem(pem, None))


def _message_key(tx: Tx, hub: Hub, link: Link) -> PrivateKey:
    return PrivateKey.from_pem(hub.reveal(custodies.get(tx.connection, link.id).message_key), None)


def _public(tx: Tx, link: Link, kid: str) -> PublicKey:
    """The key that is pinned for the link: what we keep must be the other half of it."""
    return next(
        links.public_key(one) for one in links.keys(tx.connection, link.id) if one.kid == kid
    )


def receipt(tx: Tx, hub: Hub, link: Link, upto: int, now: datetime) -> str:
    """The partner's receipt for our messages up to there, as its node would sign it."""
    row = outbox.at(tx.connection, link.id, upto)
    assert row is not None
    return receipts.seal_receipt(
        Receipt(
            link=link.id,
            of=hub.account.node_id,
            epoch=row.epoch,
            upto=upto,
            head=row.hash,
            handoffs={},
            at=now,
        ),
        _message_key(tx, hub, link),
    )
