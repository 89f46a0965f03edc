"""How a link begins: invitation, request, one agreement signed by both.

The inviter's half and the invitee's half stand side by side here. Nothing in it needs the
network: the federation door carries the texts, and each step may be repeated after a break
with the same outcome.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from hub.actions import keyring, keys, outgoing, permits
from hub.actions.context import Actor, Hub
from hub.actions.runs import COLLECT_TOPIC
from hub.domain.agreement import Offer, combine, default_offer
from hub.domain.limits import registrable_domain
from hub.domain.permission import Permission
from hub.errors import Conflict, HubError, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.ids import InvitationId, LinkId
from hub.protocol import agreement as agreements
from hub.protocol import invitation as invitations
from hub.protocol import linking, strict_json, versions
from hub.protocol.agreement import Agreement, AgreementParty
from hub.protocol.encoding import sha256_b64
from hub.protocol.invitation import Invitation
from hub.protocol.keys import KeySet, KeyUse
from hub.protocol.linking import LinkRequest
from hub.protocol.node_document import NodeDocument
from hub.storage import audit, links, nodes, streams
from hub.storage.database import Tx
from hub.storage.links import Link, LinkKey, LinkState

POLL = "poll"
"""Both sides know how the one that cannot be called collects what is for it."""
CAPABILITIES = ("files", POLL)
CONTINUES = "continues"
"""Member of an inviter's offer: the link whose hand-offs go on over the new one."""
HANDSHAKE_TOPIC = "handshake"
LEGAL_HASH = sha256_b64(b"")
"""Hash of the legal text both accept; there is none by default."""


@dataclass(frozen=True, slots=True)
class Invited:
    """A fresh invitation: the code is shown once and not kept."""

    id: InvitationId
    code: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """What the inviter answers to a request: the agreement, and whether it has signed it."""

    link: Link
    agreement: str
    signature: str | None


async def invite(
    hub: Hub,
    actor: Actor,
    peer_label: str,
    *,
    offer: Offer | None = None,
    compare: bool = False,
    continues: LinkId | None = None,
) -> Invited:
    """Make a one-time code for a partner. With `compare` our people compare the digits first.

    With `continues` it takes the place of a link whose partner had no node, and says so in our
    offer, which the partner signs. Raises Refused(outbound_only) where no partner could call us to
    accept it.
    """
    permits.require(actor, Permission.LINKS_WRITE)
    if hub.account.outbound_only:
        raise Refused(
            "outbound_only",
            "Nobody can call this node, so nobody could accept its invitation.",
            hint="Ask the partner for an invitation and accept it here: hub link accept CODE",
        )
    secret = hub.entropy.bytes(invitations.SECRET_BYTES)

    def transaction(tx: Tx) -> Invited:
        now = hub.now()
        expires_at = now + timedelta(hours=hub.limits.invitation_hours)
        invitation = Invitation(
            base_url=hub.account.base_url,
            id=InvitationId(hub.new_id("inv", now)),
            secret=secret,
            identity_hash=sha256_b64(hub.keys.identity.public.raw),
            expires_at=expires_at,
        )
        links.add_invitation(
            tx,
            id=invitation.id,
            peer_label=peer_label.strip(),
            secret_hash=hub.hide(invitations.secret_hash(secret)),
            offer=offer_text(hub, offer or default_offer(), continues),
            continues_id=continues,
            compare=compare,
            created_at=now,
            created_by=actor.ref,
            expires_at=expires_at,
        )
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="link.invited",
            invitation=invitation.id,
            peer=peer_label,
        )
        fault("handshake.invited")
        return Invited(
            invitation.id, invitations.encode(invitation), invitations.url(invitation), expires_at
        )

    return await hub.db.write(transaction)


def offer_text(hub: Hub, offer: Offer, continues: LinkId | None = None) -> str:
    """What we offer, as the exact text that both will sign."""
    return strict_json.dump(
        {
            "name": hub.account.name,
            **({"base_url": hub.account.base_url} if hub.account.base_url else {}),
            "versions": list(versions.SUPPORTED),
            "capabilities": list(CAPABILITIES),
            "limits": {
                "message_batch": hub.limits.message_batch,
                "file_bytes": hub.limits.file_bytes,
            },
            "scopes": offer.to_data(),
            **({CONTINUES: continues} if continues else {}),
        }
    )


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer text, read."""

    name: str
    base_url: str  # empty: whoever offers this cannot be called
    versions: tuple[str, ...]
    capabilities: tuple[str, ...]
    limits: dict[str, int]
    scopes: Offer
    continues: str = ""  # the link whose work goes on over this one


def read_offer(text: str) -> Offered:
    """What one party offers. Raises `Refused(malformed)`."""
    try:
        data = strict_json.parse(text, max_bytes=linking.MAX_OFFER, what="offer")
        base_url = data.get("base_url", "")
        capabilities = tuple(str(one) for one in data["capabilities"])
        if "base_url" in data:
            invitations.check_base_url(base_url)
        elif POLL not in capabilities:
            raise ValueError("base_url")
        name = data["name"]
        if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
            raise ValueError("name")
        return Offered(
            name=name,
            base_url=base_url,
            versions=tuple(str(one) for one in data["versions"]),
            capabilities=capabilities,
            limits={key: int(value) for key, value in data["limits"].items()},
            scopes=Offer.from_data(data["scopes"]),
            continues=str(data.get(CONTINUES, "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, Refused) as error:
        raise Refused(
            "malformed", "The partner's offer cannot be read.", because=str(error)
        ) from error


# --- the inviter's half ---------------------------------------------------------------------


async def receive_request(hub: Hub, request: LinkRequest) -> Answered:
    """A partner proves that it holds a code of ours: compose the agreement.

    Repeated by the same partner, it gets the same answer. Raises Untrusted(mac_invalid), after
    counting it; Refused(not_found | invite_expired | invite_used | version_unsupported |
    malformed).
    """
    outcome = await hub.db.write(lambda tx: _receive_request(tx, hub, request))
    if isinstance(outcome, HubError):  # committed with what was counted
        raise outcome
    return outcome


def _receive_request(tx: Tx, hub: Hub, request: LinkRequest) -> Answered | HubError:
    now = hub.now()
    kept = links.lock_invitation(tx, request.invitation_id)
    if kept is None or kept.revoked_at is not None:
        return Refused("not_found", "There is no such invitation.")
    known = None if kept.link_id is None else links.get(tx.connection, kept.link_id)
    if known is None and kept.expires_at <= now:
        return _expired()
    if known is None and kept.failures >= hub.limits.invitation_mac_failures:
        return Refused("invite_expired", "This invitation was tried too often and is dead.")
    invitee = request.key_set.node_id
    try:
        invitations.check_mac(
            request.mac,
            hub.reveal(kept.secret_hash),
            hub.account.node_id,
            invitee,
            request.offer_text,
            request.nonce,
        )
    except Untrusted as error:
        if known is None:  # of a used one guessing gains nothing, and its partner may ask again
            _count_wrong_code(tx, hub, kept, invitee, now)
        return error
    if known is not None:
        same = (
            known.peer_node_id == invitee
            and known.agreement is not None
            and agreements.parse(known.agreement).invitee_offer == request.offer_text
        )
        if not same or known.state is LinkState.VOID:
            return Refused("invite_used", "This invitation has been used.")
        assert known.agreement is not None
        return Answered(known, known.agreement, known.our_signature)
    try:
        return _agree(tx, hub, kept, request, now)
    except Refused as error:
        return error
    except ValueError as error:  # from composing: before anything was written
        return Refused(
            "malformed", "The partner's offer cannot be part of an agreement.", because=str(error)
        )


def _count_wrong_code(
    tx: Tx, hub: Hub, kept: links.Invitation, invitee: str, now: datetime
) -> None:
    failures = kept.failures + 1
    links.change_invitation(tx, kept.id, failures=failures)
    audit.append(
        tx, at=now, actor=invitee, event="link.wrong_code", invitation=kept.id, count=failures
    )
    if failures == hub.limits.invitation_mac_failures:
        outgoing.alarm(
            tx,
            hub,
            "invitation_dead",
            kept.id,
            "Somebody tried the invitation for {peer} with wrong codes; it is dead.",
            now,
            peer=kept.peer_label,
        )


def _expired() -> Refused:
    return Refused(
        "invite_expired", "This invitation has expired.", hint="Ask the partner for a new one."
    )


def _watch_address(tx: Tx, hub: Hub, base_url: str, node_id: str, name: str, now: datetime) -> None:
    """Another identity at the address of a partner is an alarm; what is pinned stays pinned."""
    if not base_url:
        return  # many have none
    for link in links.in_states(tx.connection, {LinkState.ACTIVE, LinkState.SUSPENDED}):
        if link.peer_base_url == base_url and link.peer_node_id != node_id:
            outgoing.alarm(
                tx,
                hub,
                "identity_changed",
                link.id,
                "Another node ({name}) answers at the address of {peer}. Ask {peer} by telephone.",
                now,
                peer=link.peer_name,
                name=name,
            )


def _check_room(tx: Tx, hub: Hub, base_url: str) -> None:
    """Return if few others of the same registered domain wait to be confirmed."""
    if not base_url:
        return  # no domain to count by; each of them has a code that our people gave it
    domain = registrable_domain(urlsplit(base_url).hostname or "")
    waiting = links.in_states(tx.connection, {LinkState.REQUESTED, LinkState.AWAITING_CONFIRMATION})
    same = sum(
        registrable_domain(urlsplit(one.peer_base_url).hostname or "") == domain for one in waiting
    )
    if same >= hub.limits.pending_links_per_domain:
        raise Unavailable(
            "quota_exceeded",
            "Too many links of {domain} wait to be confirmed.",
            after=timedelta(hours=1),
            domain=domain,
        )


def _agree(
    tx: Tx, hub: Hub, kept: links.Invitation, request: LinkRequest, now: datetime
) -> Answered:
    if request.key_set.node_id == hub.account.node_id:
        raise Refused("malformed", "A node cannot be linked with itself.")
    theirs = read_offer(request.offer_text)
    _check_room(tx, hub, theirs.base_url)
    ours = read_offer(kept.offer)
    link_id = LinkId(hub.new_id("lnk", now))
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
            node_id=request.key_set.node_id,
            name=theirs.name,
            base_url=theirs.base_url,
            identity=request.identity,
            key_set_version=request.key_set.version,
        ),
        inviter_offer=kept.offer,
        invitee_offer=request.offer_text,
        terms=combined(ours, theirs),
        legal=LEGAL_HASH,
    )
    # The one who made the invitation handed the code over itself: unless its people asked to
    # compare the digits, that was the second channel.
    confirmed_at = None if kept.compare else now
    links.add(
        tx,
        id=link_id,
        state=LinkState.AWAITING_CONFIRMATION if kept.compare else LinkState.REQUESTED,
        inviter=True,
        invitation_id=kept.id,
        peer_node_id=request.key_set.node_id,
        peer_name=theirs.name,
        peer_base_url=theirs.base_url,
        peer_identity=json.dumps(request.identity.jwk),
        peer_key_set_version=request.key_set.version,
        agreement=agreement.text,
        agreement_hash=agreement.hash,
        revision=agreement.revision,
        our_signature=None if kept.compare else agreements.sign(agreement, hub.keys.identity),
        digits_confirmed_at=confirmed_at,
        suspended_by_us=False,
        suspended_by_peer=False,
        created_at=now,
    )
    pin_keys(tx, link_id, request.key_set, request.key_set_jws, now)
    _watch_address(tx, hub, theirs.base_url, request.key_set.node_id, theirs.name, now)
    links.change_invitation(tx, kept.id, link_id=link_id)
    audit.append(
        tx,
        at=now,
        actor=request.key_set.node_id,
        event="link.requested",
        link=link_id,
        peer=theirs.name,
    )
    if kept.compare:
        outgoing.alarm(
            tx,
            hub,
            "compare_digits",
            link_id,
            "{peer} accepted the invitation: compare the digits and confirm.",
            now,
            peer=theirs.name,
        )
    fault("handshake.agreement_made")
    link = links.get(tx.connection, link_id)
    return Answered(link, agreement.text, link.our_signature)


def combined(inviter: Offered, invitee: Offered) -> dict[str, object]:
    """What follows from two offers; both nodes compute it and must come to the same."""
    return {
        "version": versions.choose(inviter.versions, invitee.versions),
        "capabilities": sorted(set(inviter.capabilities) & set(invitee.capabilities)),
        "limits": {
            name: min(inviter.limits[name], invitee.limits[name])
            for name in sorted(inviter.limits.keys() & invitee.limits.keys())
        },
        "directions": combine(inviter.scopes, invitee.scopes),
    }


def pin_keys(tx: Tx, link_id: LinkId, key_set: KeySet, text: str, now: datetime) -> None:
    """Pin the peer's current keys: its message key from position 1, its http keys by date."""
    if key_set.version not in nodes.key_sets_of(tx.connection, key_set.node_id):
        nodes.keep_key_set(tx, key_set.node_id, key_set.version, text, now)
    message = key_set.only(KeyUse.MSG)
    for entry in key_set.keys:
        if (entry.use is KeyUse.MSG and entry.kid != message.kid) or key_set.is_revoked(entry.kid):
            continue
        links.add_key(
            tx,
            LinkKey(
                link_id=link_id,
                kid=entry.kid,
                use=entry.use,
                jwk=json.dumps(entry.key.jwk),
                from_seq=1,
                until_seq=None,
                not_after=entry.not_after if entry.use is KeyUse.HTTP else None,
            ),
        )


# --- the invitee's half ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An invitation on its way to become a link: what to send to the inviter."""

    link_id: LinkId
    invitation_id: InvitationId
    base_url: str
    request: str  # to POST to the inviter
    inviter: NodeDocument


def check_inviter(hub: Hub, invitation: Invitation, document: NodeDocument) -> None:
    """Return if this is the node the code speaks of, and we can speak with it."""
    if sha256_b64(document.identity.raw) != invitation.identity_hash:
        raise Untrusted(
            "identity_differs",
            "The node at {url} is not the one that made the invitation.",
            hint="Do not link. Ask the partner by telephone for a new code.",
            url=invitation.base_url,
        )
    if document.base_url != invitation.base_url:
        raise Untrusted(
            "identity_differs",
            "The node says that its address is another one.",
            because=document.base_url,
        )
    if document.node_id == hub.account.node_id:
        raise Refused("own_invitation", "This is an invitation of this very node.")
    if hub.account.outbound_only and POLL not in document.capabilities:
        raise Refused(
            "poll_unsupported",
            "The partner's node cannot work with a node that it cannot call.",
            hint="Ask the partner to upgrade its node, or give this company a public address.",
        )
    versions.choose(versions.SUPPORTED, document.versions)


async def begin(
    hub: Hub,
    actor: Actor,
    invitation: Invitation,
    document: NodeDocument,
    offer: Offer | None = None,
) -> Acceptance:
    """Write down that we accept, and what to send. Repeated, it is the same request."""
    permits.require(actor, Permission.LINKS_WRITE)
    check_inviter(hub, invitation, document)

    def transaction(tx: Tx) -> Acceptance:
        now = hub.now()
        known = links.of_invitation(tx.connection, invitation.id)
        if known is not None:
            if known.state is LinkState.VOID:
                raise Refused("invite_used", "This invitation was given up here.")
            if known.handshake is None:
                raise Conflict(
                    "already_linked",
                    "This invitation has become a link already.",
                    hint="hub link show {peer}",
                    peer=known.peer_name,
                )
            request = hub.reveal(known.handshake).decode()
            return Acceptance(known.id, invitation.id, invitation.base_url, request, document)
        if invitation.expires_at <= now:
            raise _expired()
        _watch_address(tx, hub, document.base_url, document.node_id, document.name, now)
        offered = offer_text(hub, offer or default_offer())
        nonce = hub.entropy.bytes(invitations.NONCE_BYTES)
        request = linking.seal_link_request(
            invitation_id=invitation.id,
            key_set_jws=hub.key_set_jws,
            offer_text=offered,
            nonce=nonce,
            mac=invitations.mac(
                invitations.secret_hash(invitation.secret),
                document.node_id,
                hub.account.node_id,
                offered,
                nonce,
            ),
            identity=hub.keys.identity,
            succession_texts=hub.keys.succession,
        )
        # The link's real id is the inviter's to give; until its answer this row stands under one
        # of ours, so that a broken-off handshake can be seen and taken up again.
        link_id = LinkId(hub.new_id("lnk", now))
        links.add(
            tx,
            id=link_id,
            state=LinkState.REQUESTED,
            inviter=False,
            invitation_id=invitation.id,
            peer_node_id=document.node_id,
            peer_name=document.name,
            peer_base_url=document.base_url,
            peer_identity=json.dumps(document.identity.jwk),
            peer_key_set_version=document.key_set.version,
            revision=1,
            handshake=hub.hide(request.encode()),
            suspended_by_us=False,
            suspended_by_peer=False,
            created_at=now,
        )
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="link.accepting",
            peer=document.node_id,
            invitation=invitation.id,
        )
        fault("handshake.request_made")
        return Acceptance(link_id, invitation.id, invitation.base_url, request, document)

    return await hub.db.write(transaction)


def check_agreement(hub: Hub, acceptance: Acceptance, text: str, request: LinkRequest) -> Agreement:
    """The agreement, if it is what our offer, the inviter's and the rules make of each other."""
    agreement = agreements.parse(text)
    ours, theirs = agreement.invitee, agreement.inviter
    expected = combined(read_offer(agreement.inviter_offer), read_offer(agreement.invitee_offer))
    inviter_offer = read_offer(agreement.inviter_offer)
    if (
        ours.node_id != hub.account.node_id
        or ours.identity != request.identity
        or ours.base_url != hub.account.base_url
        or agreement.invitee_offer != request.offer_text
        or theirs.node_id != acceptance.inviter.node_id
        or theirs.identity != acceptance.inviter.identity
        or theirs.base_url != acceptance.base_url
        or theirs.name != inviter_offer.name
        or ours.name != hub.account.name
        or inviter_offer.base_url != acceptance.base_url
        or agreement.terms != expected
        or ours.key_set_version != request.key_set.version
        or theirs.key_set_version != acceptance.inviter.key_set.version
        or agreement.legal != LEGAL_HASH
        or agreement.revision != 1
    ):
        raise Untrusted(
            "agreement_mismatch",
            "The partner's node composed another agreement than the two offers make.",
            hint="Do not link. Tell the partner.",
        )
    return agreement


async def take_agreement(
    hub: Hub, acceptance: Acceptance, text: str, inviter_signature: str | None
) -> Link:
    """Keep the agreement the inviter composed, under the id it gave; not signed by us yet."""
    request = linking.open_link_request(acceptance.request)
    agreement = check_agreement(hub, acceptance, text, request)
    if inviter_signature is not None:
        agreements.check_signature(inviter_signature, agreement, acceptance.inviter.identity)

    def transaction(tx: Tx) -> Link:
        known = links.lock_of_invitation(tx, acceptance.invitation_id)
        if known is None:
            raise Refused("not_found", "There is no such link.")
        if known.agreement is None:
            if links.find(tx.connection, agreement.link) is not None:
                raise Untrusted(
                    "agreement_mismatch",
                    "The partner's node gave the new link the name of another one.",
                    because=agreement.link,
                )
            links.rename(tx, known.id, agreement.link)
            links.change(
                tx, agreement.link, agreement=agreement.text, agreement_hash=agreement.hash
            )
            inviter = acceptance.inviter
            pin_keys(tx, agreement.link, inviter.key_set, inviter.key_set_jws, hub.now())
        elif known.agreement_hash != agreement.hash:
            raise Untrusted(
                "agreement_mismatch", "The partner's node now shows another agreement than before."
            )
        if inviter_signature is not None:
            links.change(tx, agreement.link, peer_signature=inviter_signature)
        fault("handshake.agreement_taken")
        return links.get(tx.connection, agreement.link)

    return await hub.db.write(transaction)


# --- both ------------------------------------------------------------------------------------


async def confirm(hub: Hub, actor: Actor, link_id: LinkId) -> Link:
    """Our person agrees (having compared the digits, where asked to): sign the agreement."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Link:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state not in {LinkState.REQUESTED, LinkState.AWAITING_CONFIRMATION}:
            raise Conflict(
                "nothing_to_confirm",
                "This link is '{state}'; there is nothing to confirm.",
                state=link.state,
            )
        if link.agreement is None:
            raise Conflict(
                "no_agreement_yet",
                "The partner's node has not answered yet.",
                hint="Accept the invitation again: hub link accept CODE",
            )
        agreement = agreements.parse(link.agreement)
        # By the key the agreement names: the identity may have changed since the request.
        identity = hub.ring.signer(agreement.party(hub.account.node_id).identity.kid)
        signature = link.our_signature or agreements.sign(agreement, identity)
        links.change(tx, link_id, our_signature=signature, digits_confirmed_at=now)
        audit.append(tx, at=now, actor=actor.ref, event="link.confirmed", link=link_id)
        audit.resolve_alerts(tx, kind="compare_digits", subject=link_id, at=now)
        if link.inviter:
            _activate(tx, hub, link_id, now)
        else:
            # Ours is active only when the inviter has our signature, see `receive_signature`:
            # an active link whose peer knows nothing of it would send into the void.
            links.change(tx, link_id, state=LinkState.AWAITING_CONFIRMATION)
        fault("handshake.signed")
        tx.wake(HANDSHAKE_TOPIC)
        return links.get(tx.connection, link_id)

    return await hub.db.write(transaction)


async def receive_signature(hub: Hub, link_id: LinkId, signature: str) -> Link:
    """The peer signed the agreement. Raises Untrusted for any other text, link or key."""

    def transaction(tx: Tx) -> Link:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.agreement is None or link.state is LinkState.VOID:
            raise Refused("not_found", "There is no such link.")
        agreement = agreements.parse(link.agreement)
        identity = agreement.party(link.peer_node_id).identity
        agreements.check_signature(signature, agreement, identity)
        if link.peer_signature is None:
            links.change(tx, link_id, peer_signature=signature)
        _activate(tx, hub, link_id, now)
        return links.get(tx.connection, link_id)

    return await hub.db.write(transaction)


def _activate(tx: Tx, hub: Hub, link_id: LinkId, now: datetime) -> None:
    """With both signatures the link is active and its streams begin at the agreement."""
    link = links.get(tx.connection, link_id)
    if link.state in {LinkState.ACTIVE, LinkState.SUSPENDED, LinkState.CLOSED}:
        return
    if link.our_signature is None:
        links.change(tx, link_id, state=LinkState.AWAITING_CONFIRMATION)
        return
    if link.peer_signature is None:
        return
    assert link.agreement_hash is not None
    links.change(tx, link_id, state=LinkState.ACTIVE, active_at=now, handshake=None)
    tx.wake(outgoing.CUSTODY_TOPIC)  # work that the partner did by mail may go on here
    streams.begin(tx, link_id, link.agreement_hash)
    assert link.agreement is not None
    version = agreements.parse(link.agreement).party(hub.account.node_id).key_set_version
    keyring.agreed(tx, link_id, hub.ring.at_least(version).sets[version])
    # Where our keys changed during the handshake, the peer hears of it first of all.
    keys.announce(tx, hub, links.get(tx.connection, link_id), now)
    audit.append(
        tx,
        at=now,
        actor=link.peer_node_id,
        event="link.active",
        link=link_id,
        agreement=link.agreement_hash,
    )
    tx.wake(COLLECT_TOPIC)
    fault("handshake.activated")


async def void(hub: Hub, actor: Actor, link_id: LinkId, reason: str) -> None:
    """Give an unfinished handshake up. Nothing was agreed; the code stays used."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state not in {LinkState.REQUESTED, LinkState.AWAITING_CONFIRMATION}:
            raise Conflict(
                "not_void", "This link is '{state}' and cannot be given up so.", state=link.state
            )
        if not link.inviter and link.our_signature is not None:
            # The inviter may have it, and be active: it would speak to nobody.
            raise Conflict(
                "already_signed",
                "The agreement is signed here; the partner may have it already.",
                hint="Close the link once it is active: hub link close {peer}",
                peer=link.peer_name,
            )
        links.change(tx, link_id, state=LinkState.VOID, handshake=None, closed_at=now)
        audit.append(tx, at=now, actor=actor.ref, event="link.void", link=link_id, reason=reason)

    await hub.db.write(transaction)


def fingerprint(node_id: str) -> str:
    """A node id as people compare it at a glance: `7F3A-91C2-0B6E`."""
    short = sha256(node_id.encode()).hexdigest()[:12].upper()
    return "-".join(short[at : at + 4] for at in range(0, 12, 4))


async def unfinished(hub: Hub) -> list[Link]:
    """Links we accepted and signed, whose inviter has not answered with its signature yet.

    The invitee asks, the inviter only answers: so neither calls a node that knows no link yet.
    """

    def body(tx: Tx) -> list[Link]:
        states = {LinkState.REQUESTED, LinkState.AWAITING_CONFIRMATION}
        return [
            link
            for link in links.in_states(tx.connection, states)
            if not link.inviter and link.our_signature is not None and link.agreement is not None
        ]

    return await hub.db.write(body)
