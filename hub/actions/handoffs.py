"""What our own people (and timers) do with hand-offs.

Every function is one transaction: if it returns, the step is made here and the message that
tells the peer is queued, or will end up before a person's eyes; if it raises, nothing happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import (
    announcing,
    chains,
    outgoing,
    permits,
    requests,
    settled,
    sharing,
    steps,
    terms,
)
from hub.actions.context import SYSTEM, Actor, Hub
from hub.domain import chain, disclosure
from hub.domain.agreement import Direction, DisclosureClass, check_may_hand_off
from hub.domain.attachment import Attachment
from hub.domain.comment import Author, Role, may_travel
from hub.domain.consent import Consent
from hub.domain.handoff import FINAL, OVER, PEN, Act, Party, Request, State, check_request
from hub.domain.permission import Permission
from hub.domain.rating import check_rating
from hub.domain.ticket import Ticket, TicketStatus
from hub.domain.webhook import EventType
from hub.errors import Conflict, Refused
from hub.ids import AttachmentId, HandoffId, LinkId, TicketId
from hub.storage import attachments, audit, ground, handoffs, links, tickets
from hub.storage.attachments import FileState
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link, LinkState


@dataclass(frozen=True, slots=True)
class OfferHandoff:
    """The wish to hand a ticket to a peer."""

    ticket_id: TicketId
    link_id: LinkId
    due: datetime | None = None  # None: the ticket's own
    valid_until: datetime | None = None
    withhold: frozenset[DisclosureClass] = frozenset()
    files: frozenset[AttachmentId] | None = None  # of the ticket's own those leave; None: all


@dataclass(frozen=True, slots=True)
class Particulars:
    """What may be said with an act. Each act uses the members that its message has."""

    reason: str | None = None
    code: str | None = None
    text: str | None = None
    due_promised: datetime | None = None
    assignee: str | None = None
    until: datetime | None = None
    stops_clock: bool | None = None
    plan: str | None = None
    resolution: str | None = None
    effort_minutes: int | None = None
    work_done: str | None = None
    cause: str | None = None
    score: int | None = None
    criteria: Mapping[str, int] = field(default_factory=dict)
    attachment_ids: Sequence[AttachmentId] = ()


def own_files(tx: Tx, ticket: Ticket) -> list[Attachment]:
    """The ticket's own files that are whole or on their way, as rules see them."""
    return [
        sharing.described(row)
        for row in attachments.of_ticket(tx.connection, ticket.id)
        if row.comment_id is None
        and row.redacted_at is None
        and row.state not in {FileState.REFUSED, FileState.GONE}
    ]


def author_of(hub: Hub, actor: Actor) -> Author:
    """The actor as an author; what a peer is told of it is decided by disclosure."""
    role = Role.SYSTEM if actor.ref == "system" else Role.AGENT
    return Author(ref=actor.ref, display=actor.display, role=role, account=hub.account.name)


async def offer(hub: Hub, actor: Actor, wish: OfferHandoff) -> HandoffId:
    """Offer a ticket to a peer.

    One transaction: if this returns, the offer will reach the peer or end up before a person's
    eyes; if it raises, nothing happened.
    """
    permits.require(actor, Permission.HANDOFFS_WRITE)
    return await hub.db.write(lambda tx: offer_in(tx, hub, actor, wish))


def offer_in(
    tx: Tx, hub: Hub, actor: Actor, wish: OfferHandoff, called: HandoffId | None = None
) -> HandoffId:
    """`offer`, inside a transaction that has more to do; `called`: the id it was promised."""
    now = hub.now()
    ground.of_tickets(tx, wish.ticket_id, beside=[wish.link_id])
    ticket = tickets.get(tx.connection, wish.ticket_id)
    link = links.get(tx.connection, wish.link_id)
    settled.check(tx, link.id)
    direction = check_offer(tx, ticket, link)
    upstream = _upstream(tx, ticket)
    handoff_id = called or HandoffId(hub.new_id("hnd", now))
    token = chain.new_hop_token(hub.entropy)
    before = upstream.hops if upstream else []
    limit = min(direction.hop_limit, upstream.hop_limit if upstream else direction.hop_limit)
    hops = chain.add_hop(before, token, limit)
    due = wish.due or ticket.due_at
    disclosed = direction.disclose - wish.withhold
    if wish.valid_until is not None and wish.valid_until <= now:
        raise Refused("offer_expired", "The offer would end before it is made.")
    leaving = chosen_files(own_files(tx, ticket), wish.files)[0]
    view = disclosure.offer_view(
        ticket,
        leaving,
        direction,
        withhold=wish.withhold,
        number=ticket.number,
        hops=hops,
        valid_until=wish.valid_until,
        due=due,
        handed_off_at=now,
        hop_limit=limit,
        service=ticket.service,
    )
    handoffs.add(
        tx,
        id=handoff_id,
        link_id=link.id,
        ticket_id=ticket.id,
        party=Party.PRINCIPAL,
        state=State.OFFERED,
        since=now,
        round=0,
        withheld=sorted(wish.withhold),
        hops=list(hops),
        hop_limit=limit,
        offered_at=now,
        valid_until=wish.valid_until,
        due_requested=due if DisclosureClass.DUE in disclosed else None,
        work_started=False,
        rating_rev=0,
        rating_reply_rev=0,
    )
    handoffs.remember_token(tx, token, handoff_id)
    message_id = outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff_id)
    sharing.share_files(tx, handoff_id, view)
    offered = handoffs.lock(tx, handoff_id)
    _announce_rest(tx, hub, offered, leaving, actor, now)
    handoffs.record(
        tx,
        handoff_id,
        at=now,
        party=Party.PRINCIPAL,
        actor=actor.display,
        event=Act.OFFER,
        after=State.OFFERED,
        message_id=message_id,
    )
    tickets.change(tx, ticket.id, updated_at=now)
    audit.append(
        tx,
        at=now,
        actor=actor.ref,
        event="handoff.offered",
        ticket=ticket.number,
        handoff=handoff_id,
        peer=link.peer_node_id,
        disclosed=sorted(disclosed),
        withheld=sorted(wish.withhold),
    )
    chains.hop_changed(tx, hub, handoff_id, now)
    announcing.of_handoff(tx, hub, EventType.HANDOFF_OFFERED, offered, now)
    return handoff_id


def chosen_files(
    files: Sequence[Attachment], chosen: frozenset[AttachmentId] | None
) -> tuple[list[Attachment], list[Attachment]]:
    """Those that may leave by what our people chose, and those they leave out."""
    leaving = [one for one in files if chosen is None or one.attachment_id in chosen]
    return leaving, [one for one in files if one not in leaving]


def _announce_rest(
    tx: Tx, hub: Hub, handoff: Handoff, rest_of: Sequence[Attachment], actor: Actor, now: datetime
) -> None:
    """Name the files that found no room in the message that should have named them."""
    there = sharing.listener(tx, handoff)
    if there is not None:
        author = author_of(hub, actor)
        sharing.announce(tx, hub, there, rest_of, author, now, relayed=False, beyond_first=True)


def check_offer(tx: Tx, ticket: Ticket, link: Link) -> Direction:
    """Return if the ticket may be handed along this link now. Raises Refused, Conflict."""
    if link.state is not LinkState.ACTIVE:
        raise Refused(
            "link_not_active",
            "Nothing can be handed to {peer} now: the link is '{state}'.",
            hint="hub link show {peer}",
            peer=link.peer_name,
            state=link.state,
        )
    if ticket.status in {TicketStatus.CLOSED, TicketStatus.CANCELLED}:
        raise Refused(
            "ticket_over",
            "Ticket {number} is over; nothing of it can be handed off.",
            number=ticket.number,
        )
    direction = terms.direction(link, Party.PRINCIPAL)
    check_may_hand_off(
        direction,
        service=ticket.service,
        open_now=handoffs.count_open(tx.connection, link.id, Party.PRINCIPAL),
    )
    for other in handoffs.of_ticket(tx.connection, ticket.id):
        if other.link_id == link.id and other.state not in OVER and other.detached_at is None:
            raise Conflict(
                "duplicate_offer",
                "Ticket {number} is already with {peer}.",
                hint="hub ticket show {number}",
                number=ticket.number,
                peer=link.peer_name,
            )
    _upstream(tx, ticket)  # that the terms above forbid it is known before anybody is asked
    return direction


def _upstream(tx: Tx, ticket: Ticket) -> Handoff | None:
    """The hand-off by which this ticket came to us, if the work may be handed on."""
    for handoff in handoffs.of_ticket(tx.connection, ticket.id):
        if handoff.party is Party.CONTRACTOR:
            link = links.get(tx.connection, handoff.link_id)
            chain.check_subcontracting(
                terms.direction(link, Party.CONTRACTOR),
                consented=handoff.consent == Consent.GRANTED,
            )
            return handoff
    return None


async def preview(
    hub: Hub,
    ticket_id: TicketId,
    link_id: LinkId,
    withhold: frozenset[DisclosureClass],
    due: datetime | None,
    files: frozenset[AttachmentId] | None = None,
) -> disclosure.Preview:
    """What an offer of this ticket would tell, and what would stay; changes nothing."""

    def transaction(tx: Tx) -> disclosure.Preview:
        ticket = tickets.get(tx.connection, ticket_id)
        link = links.get(tx.connection, link_id)
        direction = check_offer(tx, ticket, link)
        leaving, kept = chosen_files(own_files(tx, ticket), files)
        return disclosure.preview(
            ticket, leaving, direction, withhold, due=due or ticket.due_at, kept=kept
        )

    return await hub.db.write(transaction)


# --- steps ----------------------------------------------------------------------------------


async def act(
    hub: Hub, actor: Actor, handoff_id: HandoffId, what: Act, said: Particulars = Particulars()
) -> State:
    """Make a step on our side and queue the message that tells it; the new state.

    Raises `Refused(wrong_pen)` where the step is not ours to make now.
    """
    works = (Permission.TICKETS_WORK,) if what in _WORK else ()
    permits.require(actor, *works, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> State:
        handoff = settled.take_up(tx, handoff_id)
        permits.on_tickets(tx.connection, actor, handoff.ticket_id)
        return act_in(tx, hub, handoff, what, said, actor=actor, now=hub.now())

    return await hub.db.write(transaction)


_WORK: Final = frozenset({Act.START, Act.PEND, Act.RESOLVE})
"""Steps of those who do the work; the others are answers between companies."""


def act_in(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    what: Act,
    said: Particulars,
    *,
    actor: Actor,
    now: datetime,
    auto: bool = False,
    cause: str | None = None,
) -> State:
    """`act`, inside a transaction that is about more than this step."""
    link = links.get(tx.connection, handoff.link_id)
    direction = terms.direction(link, handoff.party)
    if what is Act.RETURN and handoff.state is State.CLOSED:
        _check_warranty(handoff, direction, now)
    if what is Act.CONFIRM and said.score is not None:
        check_rating(said.score, State.CONFIRMED, 1, criteria=said.criteria)
    members = _members(tx, handoff, what, said, auto=auto)
    view = disclosure.statement_view(
        f"handoff.{what}", members, direction, by=handoff.party, withhold=terms.withheld(handoff)
    )
    if outgoing.said_before(tx, link, view, handoff.id) is not None:
        return handoff.state  # this step is among those that come back from the peer's log
    data = view.to_data()
    message_id = outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff.id, cause=cause)
    sharing.share_files(tx, handoff.id, view)
    if what is Act.RESOLVE:
        _announce_rest(tx, hub, handoff, members["files"], actor, now)
    target = steps.take(
        tx,
        hub,
        handoff,
        what,
        handoff.party,
        data,
        at=now,
        now=now,
        actor=actor.display,
        message_id=message_id,
    )
    if what is Act.CANCELLED:
        cancel_below(tx, hub, handoff, handoff.request_reason or "", now)
    return target


def cancel_below(tx: Tx, hub: Hub, handoff: Handoff, reason: str, now: datetime) -> None:
    """What was called off above us is called off below us too, whoever granted it."""
    for below in handoffs.of_ticket(tx.connection, handoff.ticket_id):
        if below.party is not Party.PRINCIPAL or below.state in OVER or below.request is not None:
            continue
        if sharing.listener(tx, below) is None:
            continue  # its link was closed: there is nobody to ask
        if below.state is State.RESOLVED:
            act_in(tx, hub, below, Act.CANCEL, Particulars(reason=reason), actor=SYSTEM, now=now)
        elif PEN[below.state] is Party.CONTRACTOR:
            requests.ask_in(
                tx, hub, below, Request.CANCEL, reason, code="cancel", actor=SYSTEM, now=now
            )


def _members(
    tx: Tx, handoff: Handoff, what: Act, said: Particulars, *, auto: bool
) -> dict[str, Any]:
    """The members of the message for this act, from what was said."""
    from_ = {"from": handoff.state}
    match what:
        case Act.ACCEPT:
            ticket = tickets.get(tx.connection, handoff.ticket_id)
            return from_ | {
                "number": ticket.number,
                "due_promised": said.due_promised,
                "assignee": said.assignee,
            }
        case Act.DECLINE:
            return from_ | {"code": said.code or "other", "text": said.text or said.reason}
        case Act.START:
            return from_ | {"plan": said.plan or said.text}
        case Act.PEND:
            return from_ | {
                "reason": said.code or said.reason or "awaiting_principal",
                "until": said.until,
                "stops_clock": bool(said.stops_clock),
                "text": said.text,
            }
        case Act.RESOLVE:
            files = [
                sharing.described(row)
                for one in said.attachment_ids
                if (row := attachments.find(tx.connection, one)) is not None
                and row.ticket_id == handoff.ticket_id
                and may_travel(row.visibility)
            ]
            return from_ | {
                "resolution": said.resolution or said.text or said.reason or "",
                "code": said.code,
                "effort_minutes": said.effort_minutes,
                "files": files,
            }
        case Act.HAND_BACK:
            return from_ | {
                "reason": said.reason or said.text or "",
                "work_done": said.work_done,
                "effort_minutes": said.effort_minutes,
            }
        case Act.CONFIRM:
            rating = None
            if said.score is not None:
                rating = {
                    "score": said.score,
                    "criteria": dict(said.criteria) or None,
                    "text": said.text,
                }
            return from_ | {"auto": auto, "rating": rating}
        case Act.RETURN:
            cause = said.cause or ("rejected" if handoff.state is State.RESOLVED else "reopen")
            return from_ | {
                "round": handoff.round + 1,
                "reason": said.reason or said.text or "",
                "cause": cause,
            }
        case Act.CLOSE:
            return from_ | {"reason": said.reason or said.text}
        case Act.CANCEL:
            return from_ | {"reason": said.reason or said.text or ""}
        case Act.CANCELLED:
            return from_ | {
                "request_id": handoff.request_id,
                "work_done": said.work_done or said.text,
                "effort_minutes": said.effort_minutes,
            }
        case Act.OFFER:
            raise Refused("wrong_pen", "An offer makes a new hand-off.")


def _check_warranty(handoff: Handoff, direction: Direction, now: datetime) -> None:
    assert handoff.closed_at is not None
    if now > handoff.closed_at + timedelta(days=direction.warranty_days):
        raise Refused(
            "warranty_over",
            "It was closed more than {days} days ago: the warranty is over.",
            hint="Hand off a new ticket.",
            days=direction.warranty_days,
        )


# --- requests -------------------------------------------------------------------------------


async def cancel(hub: Hub, actor: Actor, handoff_id: HandoffId, reason: str) -> State:
    """Call the work off: at once where it is resolved, else by asking the contractor.

    Before acceptance this is the recall. The state that stands now is returned; a request
    leaves it unchanged until the contractor's node answers.
    """
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> State:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        if handoff.party is Party.CONTRACTOR:
            if handoff.request != Request.CANCEL:
                raise Refused(
                    "no_request",
                    "The principal has not asked to cancel.",
                    hint="To give the work up: hub ticket hand-back",
                )
            return act_in(
                tx, hub, handoff, Act.CANCELLED, Particulars(text=reason), actor=actor, now=now
            )
        if handoff.state is State.RESOLVED:
            return act_in(
                tx, hub, handoff, Act.CANCEL, Particulars(reason=reason), actor=actor, now=now
            )
        code = "recall" if handoff.state is State.OFFERED else "cancel"
        requests.ask_in(tx, hub, handoff, Request.CANCEL, reason, code=code, actor=actor, now=now)
        return handoff.state

    return await hub.db.write(transaction)


async def detach(hub: Hub, actor: Actor, handoff_id: HandoffId, reason: str) -> None:
    """Free our ticket from a hand-off without waiting for the other side.

    Our own record: the peer is asked to cancel (the request waits in the outbox while it is
    unreachable), and what it did meanwhile still arrives and is shown.
    """
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        if handoff.state in FINAL or handoff.detached_at is not None:
            raise Refused("wrong_pen", "This hand-off is over; there is nothing to detach.")
        if handoff.party is Party.PRINCIPAL and handoff.request is None:
            try:
                check_request(Request.CANCEL, handoff.party, handoff.state)
            except Refused:
                pass  # we hold the pen: nothing to ask for
            else:
                requests.ask_in(
                    tx, hub, handoff, Request.CANCEL, reason, code="detached", actor=actor, now=now
                )
        handoffs.change(tx, handoff_id, detached_at=now)
        handoffs.record(
            tx,
            handoff_id,
            at=now,
            party=handoff.party,
            actor=actor.display,
            event="detached",
            facts={"reason": reason},
        )
        audit.append(
            tx, at=now, actor=actor.ref, event="handoff.detached", handoff=handoff_id, reason=reason
        )

    await hub.db.write(transaction)
