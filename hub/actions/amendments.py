"""Changing what was agreed, while messages go on flowing both ways.

One side proposes, the other side's people accept or refuse. Everything of it is said in the two
streams, so both know to the message where the new revision is in force: in the stream of whoever
accepted right after its `link.amended`, in the other from the first message whose `ack` covers
that. One proposal at a time; if two cross, that of the smaller node id stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from hub.actions import invitations, outgoing, peer_keys, permits
from hub.actions import links as relations
from hub.actions.context import Actor, Hub
from hub.domain.agreement import Offer
from hub.domain.amendment import AmendmentState, changes, check_amendment
from hub.domain.disclosure import link_view
from hub.domain.permission import Permission
from hub.errors import Conflict, Refused, Untrusted
from hub.ids import LinkId, MessageId
from hub.protocol import agreement as agreements
from hub.protocol import strict_json
from hub.protocol.agreement import MAX_AGREEMENT, Agreement
from hub.protocol.linking import MAX_OFFER
from hub.storage import agreements as stored
from hub.storage import audit, links, streams
from hub.storage.agreements import Amendment
from hub.storage.database import Tx
from hub.storage.inbox import InboxRow
from hub.storage.links import Link, LinkKind
from hub.storage.outbox import OutboxRow

ALERT = "amendment"
"""Kind of the alerts about a proposal: an answer is wanted, or was given."""


async def propose(hub: Hub, actor: Actor, link_id: LinkId, offer: Offer) -> Amendment:
    """Propose that the link goes on under what follows from this new offer of ours.

    Raises Conflict(amendment_open) while a proposal of either side waits, Refused
    (nothing_to_change | agreement_too_long).
    """
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Amendment:
        now = hub.now()
        link = relations.agreed(tx, link_id)
        if link.kind is not LinkKind.MAIL:  # a letter asks its people: mail_terms.py
            outgoing.check_node(link)
        for by_us in (True, False):
            if stored.waiting(tx.connection, link_id, by_us=by_us) is not None:
                raise Conflict(
                    "amendment_open",
                    "A proposal to change the agreement with {peer} is open already.",
                    hint="hub link amend {peer}",
                    peer=link.peer_name,
                )
        before = agreements.parse(stored.newest(tx.connection, link).text)
        after = _composed(hub, link, before, offer, now)
        signature = agreements.sign(after, hub.keys.identity)
        message_id = outgoing.send(
            tx,
            hub,
            link,
            link_view("link.amend", {"agreement": after.text, "sig": signature}),
            now=now,
        )
        amendment = _open(message_id, link, after, now, ours=signature)
        stored.add(tx, amendment)
        audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=now)
        _note(tx, actor.ref, "link.amendment_proposed", amendment, now)
        return amendment

    return await hub.db.write(transaction)


def _composed(hub: Hub, link: Link, before: Agreement, offer: Offer, now: datetime) -> Agreement:
    """The next revision: our offer anew, the peer's as it stands."""
    ours = before.inviter_offer if link.inviter else before.invitee_offer
    fresh = strict_json.parse(invitations.offer_text(hub, offer), max_bytes=MAX_OFFER)
    changed = strict_json.parse(ours, max_bytes=MAX_OFFER) | {
        name: fresh[name] for name in ("scopes", "limits")
    }
    offers = {"inviter_offer": before.inviter_offer, "invitee_offer": before.invitee_offer}
    offers["inviter_offer" if link.inviter else "invitee_offer"] = strict_json.dump(changed)
    inviter, invitee = _parties(hub, link, before)
    terms = invitations.combined(
        *(invitations.read_offer(offers[name]) for name in ("inviter_offer", "invitee_offer"))
    )
    if not changes(before.terms, terms):
        raise Refused("nothing_to_change", "This offer changes nothing in the agreement.")
    try:
        return agreements.compose(
            link=link.id,
            made_at=now,
            inviter=inviter,
            invitee=invitee,
            terms=terms,
            legal=before.legal,
            revision=before.revision + 1,
            **offers,
        )
    except ValueError as error:
        raise Refused(
            "agreement_too_long",
            "The agreement would be longer than {limit} bytes.",
            hint="Name fewer services.",
            because=str(error),
            limit=MAX_AGREEMENT,
        ) from error


def _parties(
    hub: Hub, link: Link, before: Agreement
) -> tuple[agreements.AgreementParty, agreements.AgreementParty]:
    """Both parties, under the identities they have now: a rotation is no amendment."""
    ours, theirs = hub.keys.identity.public, peer_keys.peer_identity(link)
    inviter, invitee = (ours, theirs) if link.inviter else (theirs, ours)
    return replace(before.inviter, identity=inviter), replace(before.invitee, identity=invitee)


async def accept(hub: Hub, actor: Actor, link_id: LinkId) -> Amendment:
    """Our people agree to the peer's proposal: in force for whatever we write from now on."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Amendment:
        now = hub.now()
        link = relations.agreed(tx, link_id)
        amendment = _theirs(tx, link)
        signature = agreements.sign(agreements.parse(amendment.text), hub.keys.identity)
        view = link_view("link.amended", {"agreement_hash": amendment.hash, "sig": signature})
        amended_id = outgoing.send(tx, hub, link, view, now=now, cause=amendment.id)
        stored.change(
            tx,
            amendment.id,
            state=AmendmentState.AGREED,
            our_signature=signature,
            settled_at=now,
            amended_id=amended_id,
        )
        _come_into_force(tx, link, amendment)
        audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=now)
        _note(tx, actor.ref, "link.amended", amendment, now)
        return _again(tx, amendment)

    return await hub.db.write(transaction)


async def refuse(hub: Hub, actor: Actor, link_id: LinkId, reason: str = "") -> Amendment:
    """Our people do not agree; what was agreed before goes on."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Amendment:
        now = hub.now()
        link = relations.agreed(tx, link_id)
        amendment = _theirs(tx, link)
        _say_no(tx, hub, link, amendment, "refused", reason, now)
        stored.change(
            tx, amendment.id, state=AmendmentState.REFUSED, reason=reason or None, settled_at=now
        )
        audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=now)
        _note(tx, actor.ref, "link.amendment_refused", amendment, now)
        return _again(tx, amendment)

    return await hub.db.write(transaction)


async def withdraw(hub: Hub, actor: Actor, link_id: LinkId) -> Amendment:
    """Take our proposal back. If the peer accepted it before it hears of that, it is in force."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Amendment:
        now = hub.now()
        link = relations.agreed(tx, link_id)
        amendment = stored.waiting(tx.connection, link_id, by_us=True)
        if amendment is None or amendment.state is AmendmentState.WITHDRAWN:
            raise _nothing_open(link)
        view = link_view("link.amend_withdrawn", {"agreement_hash": amendment.hash})
        outgoing.send(tx, hub, link, view, now=now)
        stored.change(tx, amendment.id, state=AmendmentState.WITHDRAWN)
        _note(tx, actor.ref, "link.amendment_withdrawn", amendment, now)
        return _again(tx, amendment)

    return await hub.db.write(transaction)


def _theirs(tx: Tx, link: Link) -> Amendment:
    amendment = stored.waiting(tx.connection, link.id, by_us=False)
    if amendment is None:
        raise _nothing_open(link)
    return amendment


def _nothing_open(link: Link) -> Conflict:
    return Conflict(
        "no_amendment",
        "There is no proposal to change the agreement with {peer} that this could be said to.",
        hint="hub link amend {peer}",
        peer=link.peer_name,
    )


def _again(tx: Tx, amendment: Amendment) -> Amendment:
    found = stored.proposals(tx.connection, amendment.link_id)
    return next(one for one in found if one.id == amendment.id)


def _say_no(
    tx: Tx, hub: Hub, link: Link, amendment: Amendment, code: str, reason: str, now: datetime
) -> None:
    said = {"agreement_hash": amendment.hash, "code": code, "reason": reason or None}
    view = link_view("link.amend_refused", said)
    outgoing.send(tx, hub, link, view, now=now, cause=amendment.id)


def _note(tx: Tx, actor: str, event: str, amendment: Amendment, now: datetime) -> None:
    audit.append(
        tx,
        at=now,
        actor=actor,
        event=event,
        link=amendment.link_id,
        revision=amendment.revision,
        agreement=amendment.hash,
    )


# --- coming into force ----------------------------------------------------------------------


def _come_into_force(tx: Tx, link: Link, amendment: Amendment) -> None:
    """Whatever we write from here on is written under this revision."""
    streams.lock(tx, link.id)
    streams.change(tx, link.id, revision=amendment.revision)
    links.change(
        tx, link.id, revision=amendment.revision, in_force=amendment.text, amended_seq=None
    )


def acknowledged(tx: Tx, link: Link, upto: int) -> None:
    """Our next message will acknowledge the peer's stream up to here: follow what it accepted."""
    if link.amended_seq is None or upto < link.amended_seq:
        return
    for amendment in stored.proposals(tx.connection, link.id):
        if amendment.amended_seq == link.amended_seq:
            _come_into_force(tx, link, amendment)


# --- received -------------------------------------------------------------------------------


def receive_proposal(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer wants to change what it offers: for our people to judge."""
    _still_open(link)
    try:
        after = agreements.parse(said["agreement"])
        agreements.check_signature(said["sig"], after, peer_keys.peer_identity(link))
    except Untrusted as error:
        raise Refused(
            "agreement_mismatch", "The proposed agreement cannot be read.", because=error.because
        ) from error
    _check(hub, link, agreements.parse(stored.newest(tx.connection, link).text), after)
    if stored.waiting(tx.connection, link.id, by_us=False) is not None:
        raise Refused("limit_exceeded", "Another proposal waits for an answer.")
    amendment = _open(row.id, link, after, now, theirs=said["sig"])
    stored.add(tx, amendment)
    _note(tx, link.peer_node_id, "link.amendment_proposed", amendment, now)
    ours = stored.waiting(tx.connection, link.id, by_us=True)
    if ours is not None and hub.account.node_id < link.peer_node_id:
        stored.change(tx, amendment.id, state=AmendmentState.CROSSED, settled_at=now)
        _say_no(tx, hub, link, amendment, "crossed", "", now)
        return
    if ours is None:
        outgoing.alarm(
            tx,
            hub,
            ALERT,
            link.id,
            "{peer} proposes to change the agreement. See: hub link amend",
            now,
            peer=link.peer_name,
        )
        return
    stored.change(tx, ours.id, state=AmendmentState.CROSSED, settled_at=now)
    outgoing.alarm(
        tx,
        hub,
        ALERT,
        link.id,
        "{peer} proposed other terms when we did, and ours gave way. See: hub link amend",
        now,
        peer=link.peer_name,
    )


def _check(hub: Hub, link: Link, before: Agreement, after: Agreement) -> None:
    inviter, invitee = _parties(hub, link, before)
    expected = replace(before, inviter=inviter, invitee=invitee)
    terms = invitations.combined(
        invitations.read_offer(after.inviter_offer), invitations.read_offer(after.invitee_offer)
    )
    check_amendment(
        _document(expected),
        _document(after),
        proposer="invitee" if link.inviter else "inviter",
        terms=terms,
    )


def _document(agreement: Agreement) -> dict[str, Any]:
    return {
        "link": agreement.link,
        "revision": agreement.revision,
        "inviter": agreement.inviter,
        "invitee": agreement.invitee,
        "offers": {
            "inviter": strict_json.parse(agreement.inviter_offer, max_bytes=MAX_OFFER),
            "invitee": strict_json.parse(agreement.invitee_offer, max_bytes=MAX_OFFER),
        },
        "terms": agreement.terms,
        "legal": agreement.legal,
    }


def receive_acceptance(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer accepted our proposal: in force in its stream from its next message on."""
    amendment = stored.waiting(tx.connection, link.id, by_us=True)
    if amendment is None or amendment.hash != said["agreement_hash"]:
        raise Refused("scope_denied", "There is no such proposal of ours.")
    try:
        agreements.check_signature(
            said["sig"], agreements.parse(amendment.text), peer_keys.peer_identity(link)
        )
    except Untrusted as error:
        raise Refused(
            "agreement_mismatch",
            "The signature is not of the proposed agreement.",
            because=error.because,
        ) from error
    stored.change(
        tx,
        amendment.id,
        state=AmendmentState.AGREED,
        peer_signature=said["sig"],
        settled_at=now,
        amended_seq=row.seq,
    )
    links.change(tx, link.id, amended_seq=row.seq)
    acknowledged(tx, links.get(tx.connection, link.id), streams.lock(tx, link.id).applied_seq)
    _note(tx, link.peer_node_id, "link.amended", amendment, now)
    if amendment.state is AmendmentState.WITHDRAWN:
        outgoing.alarm(
            tx,
            hub,
            ALERT,
            link.id,
            "{peer} had accepted the change of the agreement before we took it back.",
            now,
            peer=link.peer_name,
        )


def receive_refusal(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer does not agree, or our proposal crossed one of its own."""
    amendment = stored.waiting(tx.connection, link.id, by_us=True)
    if amendment is None or amendment.hash != said["agreement_hash"]:
        return  # it crossed: we know already
    refuse_ours(tx, hub, link, amendment, said.get("reason") or None, now)


def refuse_ours(
    tx: Tx, hub: Hub, link: Link, amendment: Amendment, reason: str | None, now: datetime
) -> None:
    """Our proposal will not be accepted: tell our people, unless they took it back themselves."""
    if amendment.state is AmendmentState.WITHDRAWN:
        stored.change(tx, amendment.id, settled_at=now)
        return
    stored.change(tx, amendment.id, state=AmendmentState.REFUSED, reason=reason, settled_at=now)
    _note(tx, link.peer_node_id, "link.amendment_refused", amendment, now)
    outgoing.alarm(
        tx,
        hub,
        ALERT,
        link.id,
        "{peer} refused to change the agreement: {reason}",
        now,
        peer=link.peer_name,
        reason=reason or "-",
    )


def rejected(tx: Tx, hub: Hub, link: Link, message_id: str, why: str, now: datetime) -> None:
    """The peer's node refused a message of ours; if it was a proposal, that is settled."""
    amendment = stored.waiting(tx.connection, link.id, by_us=True)
    if amendment is not None and amendment.id == message_id:
        refuse_ours(tx, hub, link, amendment, why, now)


def receive_withdrawal(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer takes its proposal back; said no to, so that it knows where it stands."""
    amendment = stored.waiting(tx.connection, link.id, by_us=False)
    if amendment is None or amendment.hash != said["agreement_hash"]:
        return  # our answer to it is on its way
    stored.change(tx, amendment.id, state=AmendmentState.WITHDRAWN, settled_at=now)
    audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=now)
    _say_no(tx, hub, link, amendment, "withdrawn", "", now)


def _still_open(link: Link) -> None:
    if link.closed_at is not None:
        raise Refused("scope_denied", "This link is closed.")


# --- after a restore ------------------------------------------------------------------------


def proposed_again(
    tx: Tx, link: Link, row: OutboxRow, said: Mapping[str, Any], at: datetime
) -> None:
    """We had proposed this before a restore."""
    if any(one.id == row.id for one in stored.proposals(tx.connection, link.id)):
        return
    agreement = agreements.parse(said["agreement"])
    stored.add(
        tx,
        Amendment(
            id=row.id,
            link_id=link.id,
            revision=agreement.revision,
            by_us=True,
            text=agreement.text,
            hash=agreement.hash,
            our_signature=said["sig"],
            peer_signature=None,
            state=AmendmentState.OPEN,
            reason=None,
            proposed_at=at,
            settled_at=None,
            amended_id=None,
            amended_seq=None,
        ),
    )


def accepted_again(
    tx: Tx, link: Link, row: OutboxRow, said: Mapping[str, Any], at: datetime
) -> None:
    """We had accepted the peer's proposal before a restore."""
    amendment = stored.waiting(tx.connection, link.id, by_us=False)
    if amendment is None or amendment.hash != said["agreement_hash"]:
        return  # it is known already
    stored.change(
        tx,
        amendment.id,
        state=AmendmentState.AGREED,
        our_signature=said["sig"],
        settled_at=at,
        amended_id=row.id,
    )
    _come_into_force(tx, link, amendment)
    audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=at)


def refused_again(tx: Tx, link: Link, said: Mapping[str, Any], at: datetime) -> None:
    """We had said no to the peer's proposal before a restore."""
    amendment = stored.waiting(tx.connection, link.id, by_us=False)
    if amendment is None or amendment.hash != said["agreement_hash"]:
        return
    state = {
        "crossed": AmendmentState.CROSSED,
        "withdrawn": AmendmentState.WITHDRAWN,
    }.get(said["code"], AmendmentState.REFUSED)
    stored.change(tx, amendment.id, state=state, reason=said.get("reason"), settled_at=at)
    audit.resolve_alerts(tx, kind=ALERT, subject=link.id, at=at)


def withdrawn_again(tx: Tx, link: Link, said: Mapping[str, Any]) -> None:
    """We had taken our proposal back before a restore."""
    amendment = stored.waiting(tx.connection, link.id, by_us=True)
    if amendment is not None and amendment.hash == said["agreement_hash"]:
        stored.change(tx, amendment.id, state=AmendmentState.WITHDRAWN)


def _open(
    message_id: MessageId,
    link: Link,
    after: Agreement,
    now: datetime,
    *,
    ours: str | None = None,
    theirs: str | None = None,
) -> Amendment:
    """A proposal nobody has answered, with the signature of the side that makes it."""
    return Amendment(
        id=message_id,
        link_id=link.id,
        revision=after.revision,
        by_us=ours is not None,
        text=after.text,
        hash=after.hash,
        our_signature=ours,
        peer_signature=theirs,
        state=AmendmentState.OPEN,
        reason=None,
        proposed_at=now,
        settled_at=None,
        amended_id=None,
        amended_seq=None,
    )
