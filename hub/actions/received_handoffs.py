"""What a peer's messages do to hand-offs. Refusals here go back in-band, see `incoming`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import (
    announcing,
    chains,
    continuing,
    files,
    outgoing,
    rebuilding,
    requests,
    steps,
    terms,
    tickets,
)
from hub.actions import handoffs as own
from hub.actions.context import SYSTEM, Hub
from hub.actions.handoffs import Particulars
from hub.domain import chain
from hub.domain.agreement import CancelPolicy, Direction, check_may_hand_off
from hub.domain.comment import Author, Role
from hub.domain.disclosure import COMPANY_REF
from hub.domain.handoff import PEN, Act, Party, Request, State, check_request
from hub.domain.rating import check_rating, check_reply
from hub.domain.replay import rating_changes
from hub.domain.webhook import EventType
from hub.errors import NotFound, Refused
from hub.ids import HandoffId
from hub.protocol import signing
from hub.protocol.encoding import parse_instant
from hub.storage import audit, handoffs, outbox
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a peer about a hand-off, as the handlers need it."""

    link: Link
    handoff_id: HandoffId
    message_id: str
    type: str
    said: dict[str, Any]
    envelope: Mapping[str, Any]  # as it was signed; verified before it was stored
    agreement: str | None  # the revision in force where it stands; None: the founding one
    now: datetime

    @property
    def at(self) -> datetime:
        """The sender's clock: recorded as the instant of its step."""
        return parse_instant(self.envelope["ts"])

    def direction(self, our_party: Party) -> Direction:
        """The terms it is judged by: those in force where it stands in the peer's stream."""
        return terms.direction(self.link, our_party, self.agreement or self.link.agreement)


def offer(tx: Tx, hub: Hub, message: Received) -> None:
    """An offer becomes a child ticket. One that cannot be taken is declined at once, and kept."""
    if handoffs.find(tx.connection, message.handoff_id) is not None:
        raise Refused("duplicate_id", "There is a hand-off with this id already.")
    said, now, link = message.said, message.now, message.link
    if link.closed_at is not None:
        # It crossed our closing. A ticket here could be neither declined nor worked on.
        raise Refused("scope_denied", "This link is closed.")
    direction = message.direction(Party.CONTRACTOR)
    why_not = _why_not(tx, message, direction)
    answered = rebuilding.was_answered(tx, link, message.handoff_id)
    ticket = rebuilding.child_ticket(tx, hub, link, message.handoff_id, said, now)
    handoffs.add(
        tx,
        id=message.handoff_id,
        link_id=link.id,
        ticket_id=ticket.id,
        party=Party.CONTRACTOR,
        state=State.OFFERED,
        since=message.at,
        round=0,
        peer_number=said["number"],
        withheld=[],
        hops=said["hops"],
        hop_limit=min(said["hop_limit"], chain.LONGEST),
        offered_at=message.at,
        valid_until=_instant(said.get("valid_until")),
        due_requested=_instant(said.get("due_requested")),
        work_started=False,
        rating_rev=0,
        rating_reply_rev=0,
    )
    handoff = handoffs.lock(tx, message.handoff_id)
    files.receive_in(tx, hub, handoff, said["files"], now, comment_id=None, direction=direction)
    handoffs.record(
        tx,
        handoff.id,
        at=message.at,
        party=Party.PRINCIPAL,
        actor=link.peer_name,
        event=Act.OFFER,
        after=State.OFFERED,
        message_id=message.message_id,
    )
    audit.append(
        tx,
        at=now,
        actor=link.peer_node_id,
        event="handoff.received",
        ticket=ticket.number,
        handoff=handoff.id,
    )
    announcing.of_handoff(tx, hub, EventType.HANDOFF_OFFERED, handoff, now)
    if answered:
        # Before a restore: what we said to it comes back from the principal's log.
        told = rebuilding.number_of(tx, link, handoff.id)
        if told is not None and told[0] != ticket.number:
            _tell_number(tx, hub, handoff, ticket.number, now)
        return
    if why_not is not None:
        own.act_in(
            tx,
            hub,
            handoff,
            Act.DECLINE,
            Particulars(code=why_not.code, text=why_not.told),
            actor=SYSTEM,
            now=now,
            cause=message.message_id,
        )
        return
    if (stands := said.get("continues")) is not None:
        continuing.take_up(tx, hub, link, handoff, stands, message.message_id, now)
    # Both sides name the other's number from the first moment, not only once somebody answers.
    _tell_number(tx, hub, handoff, ticket.number, now)


def _tell_number(tx: Tx, hub: Hub, handoff: Handoff, number: str, now: datetime) -> None:
    requests.send_statement(
        tx, hub, handoff, "handoff.plan", {"number": number}, now=now, actor=SYSTEM
    )


_DECLINE_CODES: Final[Mapping[str, str]] = {
    "scope_denied": "out_of_scope",
    "limit_exceeded": "capacity",
}


def _why_not(tx: Tx, message: Received, direction: Direction) -> Refused | None:
    """The rule that forbids this offer, under the code of a decline; None if all allow it."""
    said = message.said
    try:
        check_may_hand_off(
            direction,
            service=said.get("service", ""),
            open_now=handoffs.count_open(tx.connection, message.link.id, Party.CONTRACTOR),
        )
        chain.check_hops(
            said["hops"], handoffs.own_tokens(tx.connection, said["hops"]), said["hop_limit"]
        )
        valid_until = _instant(said.get("valid_until"))
        if valid_until is not None and valid_until <= message.now:
            raise Refused("expired_offer", "The offer arrived after it had expired.")
        if handoffs.is_here(tx.connection, message.link.id, said["number"]):
            raise Refused("duplicate_offer", "The same ticket is already here.")
    except Refused as error:
        return error.under(_DECLINE_CODES.get(error.code, error.code))
    return None


def step(tx: Tx, hub: Hub, message: Received) -> None:
    """The peer made a step; `from` must be the state we know, else the pen is not where it says."""
    handoff = _known(tx, message)
    act = Act(message.type.removeprefix("handoff."))
    by = handoff.party.other
    if message.said["from"] != handoff.state:
        raise Refused(
            "wrong_pen",
            "The hand-off is '{state}' here.",
            state=handoff.state,
        )
    if act is Act.RETURN:
        _check_return(handoff, message)
    if act is Act.CONFIRM and (rating := message.said.get("rating")) is not None:
        check_rating(rating["score"], State.CONFIRMED, 1, criteria=rating.get("criteria"))
    detached_work = (
        handoff.detached_at is not None
        and handoff.party is Party.PRINCIPAL
        and act in {Act.ACCEPT, Act.START, Act.RESOLVE}
    )
    target = steps.take(
        tx,
        hub,
        handoff,
        act,
        by,
        message.said,
        at=message.at,
        now=message.now,
        actor=message.link.peer_name,
        message_id=message.message_id,
    )
    if act is Act.CANCELLED:
        _check_asked(tx, handoff, Request.CANCEL, message)
    if act is Act.ACCEPT:
        handoffs.change(tx, handoff.id, peer_number=message.said["number"])
    if act is Act.RESOLVE:
        peer = message.link.peer_name
        author = Author(ref=COMPANY_REF, display=peer, role=Role.AGENT, account=peer)
        direction = message.direction(handoff.party)
        files.receive_own(tx, hub, handoff, message.said["files"], author, message.now, direction)
    if act is Act.CANCEL:
        own.cancel_below(tx, hub, handoff, message.said["reason"], message.now)
    if detached_work:
        _tell_both_worked(tx, hub, handoff, message)
    if handoff.party is Party.PRINCIPAL:
        _mirror_up(tx, hub, handoff, target, message)


def _tell_both_worked(tx: Tx, hub: Hub, handoff: Handoff, message: Received) -> None:
    """Our ticket was freed and perhaps given to another while this contractor worked."""
    outgoing.alarm(
        tx,
        hub,
        "both_worked",
        handoff.id,
        "{peer} worked on a hand-off that was detached here. Both may have worked.",
        message.now,
        peer=message.link.peer_name,
    )


def _check_return(handoff: Handoff, message: Received) -> None:
    if message.said["round"] != handoff.round + 1:
        raise Refused("wrong_pen", "The work is in another round here.")
    if handoff.state is not State.CLOSED or handoff.closed_at is None:
        return
    direction = message.direction(Party.CONTRACTOR)
    # Both instants are the principal's own claims, so both nodes come to the same verdict,
    # however long the message was on its way.
    if message.at > handoff.closed_at + timedelta(days=direction.warranty_days):
        raise Refused("wrong_pen", "The warranty is over.")


def _mirror_up(tx: Tx, hub: Hub, below: Handoff, target: State, message: Received) -> None:
    """Our contractor took the work or began: then our own work for our principal has begun."""
    if target not in {State.ACCEPTED, State.IN_PROGRESS} or below.detached_at is not None:
        return
    upstream = chains.upstream_of(tx, below.ticket_id)
    if upstream is not None and upstream.state is State.ACCEPTED:
        own.act_in(
            tx,
            hub,
            handoffs.lock(tx, upstream.id),
            Act.START,
            Particulars(),
            actor=SYSTEM,
            now=message.now,
        )


def cancel_request(tx: Tx, hub: Hub, message: Received) -> None:
    """The principal asks to call the work off: answered by our terms, or put before people."""
    handoff = _known(tx, message)
    if handoff.party is not Party.CONTRACTOR:
        raise Refused("wrong_pen", "Only the principal asks to cancel.")
    request_id = message.said["request_id"]
    detached = message.said["code"] == "detached"
    try:
        check_request(Request.CANCEL, Party.PRINCIPAL, handoff.state)
    except Refused:
        # It crossed a step of ours that the principal has not seen yet: an answer, not a fault.
        resolved = PEN[handoff.state] is Party.PRINCIPAL
        _refuse_cancel(
            tx, hub, handoff, message, "already_resolved" if resolved else "not_possible"
        )
        return
    handoffs.change(
        tx,
        handoff.id,
        request=Request.CANCEL,
        request_id=request_id,
        request_reason=message.said["reason"],
        request_at=message.at,
    )
    _record_request(tx, handoff, message)
    handoff = handoffs.lock(tx, handoff.id)
    direction = message.direction(Party.CONTRACTOR)
    if handoff.state is State.OFFERED or direction.cancel is CancelPolicy.AUTO:
        own.act_in(
            tx,
            hub,
            handoff,
            Act.CANCELLED,
            Particulars(),
            actor=SYSTEM,
            now=message.now,
            cause=message.message_id,
        )
    elif detached and handoff.work_started:
        _refuse_cancel(tx, hub, handoff, message, "work_started")
    else:
        deadline = message.now + timedelta(hours=direction.cancel_assess_hours)
        handoffs.change(tx, handoff.id, request_deadline=deadline)
        outgoing.alarm(
            tx,
            hub,
            "cancel_requested",
            handoff.id,
            "{peer} asks to cancel; without an answer it is granted at the deadline.",
            message.now,
            peer=message.link.peer_name,
        )


def _refuse_cancel(tx: Tx, hub: Hub, handoff: Handoff, message: Received, code: str) -> None:
    requests.refuse_in(
        tx,
        hub,
        handoff,
        "handoff.cancel_refused",
        {"request_id": message.said["request_id"], "code": code},
        actor=SYSTEM,
        now=message.now,
        cause=message.message_id,
    )


def cancel_refused(tx: Tx, hub: Hub, message: Received) -> None:
    """The contractor goes on; our request is answered."""
    handoff = _known(tx, message)
    if handoff.party is not Party.PRINCIPAL:
        raise Refused("wrong_pen", "Only the contractor answers a cancel request.")
    _check_asked(tx, handoff, Request.CANCEL, message)
    _answered(tx, handoff, message)
    if handoff.detached_at is not None:
        _tell_both_worked(tx, hub, handoff, message)


def retract_request(tx: Tx, hub: Hub, message: Received) -> None:
    """The contractor asks for its resolution back: given, while it is still ours to give."""
    handoff = _known(tx, message)
    if handoff.party is not Party.PRINCIPAL:
        raise Refused("wrong_pen", "Only the contractor asks for its resolution back.")
    if handoff.state is State.RESOLVED:
        _record_request(tx, handoff, message)
        own.act_in(
            tx,
            hub,
            handoff,
            Act.RETURN,
            Particulars(reason=message.said["reason"], cause="retract"),
            actor=SYSTEM,
            now=message.now,
            cause=message.message_id,
        )
        return
    requests.refuse_in(
        tx,
        hub,
        handoff,
        "handoff.retract_refused",
        {"request_id": message.said["request_id"]},
        actor=SYSTEM,
        now=message.now,
        cause=message.message_id,
    )


def retract_refused(tx: Tx, hub: Hub, message: Received) -> None:
    """The principal keeps our resolution; our request is answered."""
    handoff = _known(tx, message)
    if handoff.party is not Party.CONTRACTOR:
        raise Refused("wrong_pen", "Only the principal answers this request.")
    _check_asked(tx, handoff, Request.RETRACT, message)
    _answered(tx, handoff, message)


def _check_asked(tx: Tx, handoff: Handoff, request: Request, message: Received) -> None:
    """Return if the message answers a request of ours about this very hand-off.

    Open or not: an answer may cross a step that settled the request here. One whose words were
    pruned cannot be told apart any more and counts.
    """
    for event in handoffs.history(tx.connection, handoff.id):
        if event.event == request and event.party == handoff.party and event.message_id:
            row = outbox.find(tx.connection, event.message_id)
            if row is None or row.data is None:
                return
            if signing.read_data(row.data).get("request_id") == message.said["request_id"]:
                return
    raise Refused("scope_denied", "This hand-off has no such request.")


def _answered(tx: Tx, handoff: Handoff, message: Received) -> None:
    if handoff.request_id == message.said["request_id"]:
        steps.close_request(tx, handoff, message.now)
    _record_request(tx, handoff, message)


def _record_request(tx: Tx, handoff: Handoff, message: Received) -> None:
    handoffs.record(
        tx,
        handoff.id,
        at=message.at,
        party=handoff.party.other,
        actor=message.link.peer_name,
        event=message.type.removeprefix("handoff."),
        facts=message.said,
        message_id=message.message_id,
    )


def update(tx: Tx, hub: Hub, message: Received) -> None:
    """The principal changed what it owns."""
    handoff = _known(tx, message)
    tickets.receive_update(tx, hub, handoff, message.said, message.now)
    _record_request(tx, handoff, message)


def plan(tx: Tx, hub: Hub, message: Received) -> None:
    """The contractor tells how its work is planned."""
    handoff = _known(tx, message)
    if handoff.party is not Party.PRINCIPAL:
        raise Refused("wrong_pen", "The plan is the contractor's.")
    said = message.said
    changes: dict[str, Any] = {
        name: parse_instant(said[name]) for name in ("eta", "due_promised") if name in said
    }
    changes |= {name: said[name] for name in ("assignee", "stage", "plan") if name in said}
    if "number" in said:
        changes["peer_number"] = said["number"]
    if changes:
        handoffs.change(tx, handoff.id, **changes)
    _record_request(tx, handoff, message)


def rating(tx: Tx, hub: Hub, message: Received) -> None:
    """The principal rated our work, or revised its rating."""
    handoff = _known(tx, message)
    said = message.said
    check_rating(
        said["score"],
        handoff.state,
        said["rev"],
        by=handoff.party.other,
        last_rev=handoff.rating_rev,
        criteria=said.get("criteria"),
    )
    handoffs.change(tx, handoff.id, **rating_changes(said, said["rev"]))
    _record_request(tx, handoff, message)
    announcing.of_handoff(tx, hub, EventType.HANDOFF_RATED, handoff, message.now, rev=said["rev"])


def rating_reply(tx: Tx, hub: Hub, message: Received) -> None:
    """The contractor says something to our rating."""
    handoff = _known(tx, message)
    said = message.said
    check_reply(
        handoff.state,
        said["rev"],
        by=handoff.party.other,
        last_rev=handoff.rating_reply_rev,
        rated=handoff.rating_rev > 0,
    )
    handoffs.change(tx, handoff.id, rating_reply=said["text"], rating_reply_rev=said["rev"])
    _record_request(tx, handoff, message)
    announcing.of_handoff(
        tx, hub, EventType.HANDOFF_RATED, handoff, message.now, reply_rev=said["rev"]
    )


def notice(tx: Tx, hub: Hub, message: Received) -> None:
    """The contractor tells of a hop below it."""
    chains.receive_notice(tx, hub, _known(tx, message), message.said, message.now)


def _known(tx: Tx, message: Received) -> Handoff:
    """The hand-off, if it is one of this very link: another's looks like none at all."""
    try:
        handoff = handoffs.lock(tx, message.handoff_id)
    except NotFound:
        handoff = None
    if handoff is None or handoff.link_id != message.link.id:
        raise Refused("unknown_handoff", "There is no such hand-off on this link.")
    return handoff


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


Handler = Callable[[Tx, Hub, Received], None]
known = _known
