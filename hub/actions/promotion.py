"""A partner that worked by mail gets a node: its open work goes on there.

The new link is one of its own, with the partner's own keys. Our invitation names the mail link in
the offer that both sign, so the partner's people agree that what was said by mail stands. Then each
hand-off that is open is offered over the new link, under its id, with where it stands and
everything that was said along it; the partner's node answers with the steps that lead there, in
its own name. What was said by mail stays on the mail link, as evidence. docs/decisions/0034.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from hub.actions import (
    comments,
    inbox,
    invitations,
    mail_links,
    outgoing,
    permits,
    sharing,
    terms,
)
from hub.actions import handoffs as own
from hub.actions.context import SYSTEM, Actor, Hub
from hub.actions.handoffs import Particulars
from hub.actions.invitations import Invited
from hub.actions.sharing import Listener
from hub.domain import disclosure
from hub.domain.agreement import DisclosureClass, check_may_hand_off
from hub.domain.handoff import Act, Party, State
from hub.domain.permission import Permission
from hub.errors import Conflict, Refused
from hub.ids import LinkId
from hub.protocol import agreement as agreements
from hub.storage import agreements as stored_agreements
from hub.storage import attachments, audit, custodies, ground, handoffs, links, tickets
from hub.storage import comments as stored_comments
from hub.storage import inbox as stored_inbox
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link, LinkKind, LinkState

_BEGUN: Final = {
    State.ACCEPTED: "accepted",
    State.IN_PROGRESS: "in_progress",
    State.REWORK: "in_progress",  # rounds are counted anew over the new link
    State.PENDING: "pending",
    State.RESOLVED: "resolved",
}
"""What the new offer says of where the work stands; an offer nobody answered is one again."""

_ANEW: Final[dict[str, Any]] = {
    "state": State.OFFERED,
    "round": 0,
    "peer_number": None,
    "valid_until": None,
    "due_promised": None,
    "eta": None,
    "assignee": None,
    "stage": None,
    "plan": None,
    "pend_reason": None,
    "pend_until": None,
    "stops_clock": None,
    "resolution": None,
    "resolution_code": None,
    "effort_minutes": None,
    "reason": None,
    "work_started": False,
    "resolved_at": None,
}
"""Of a hand-off that was moved, until the partner's node has said its steps over the new link."""


async def invite(hub: Hub, actor: Actor, link_id: LinkId) -> Invited:
    """Make the invitation by which the partner of a mail link gets a node, on the same terms.

    Raises Conflict(not_by_mail | link_not_active), and what `invitations.invite` does.
    """
    permits.require(actor, Permission.LINKS_WRITE)

    def found(tx: Tx) -> tuple[Link, str]:
        link = links.get(tx.connection, link_id)
        if link.kind is not LinkKind.MAIL:
            raise Conflict("not_by_mail", "{peer} does not take part by mail.", peer=link.peer_name)
        if link.state is not LinkState.ACTIVE:
            raise Conflict(
                "link_not_active",
                "The link with {peer} is '{state}'.",
                peer=link.peer_name,
                state=link.state,
            )
        return link, stored_agreements.newest(tx.connection, link).text

    link, terms_now = await hub.db.write(found)
    ours = invitations.read_offer(agreements.parse(terms_now).inviter_offer)
    return await invitations.invite(
        hub, actor, link.peer_name, offer=ours.scopes, continues=link.id
    )


# --- our side: the work moves -------------------------------------------------------------------


async def run(hub: Hub) -> None:
    """Move the work of every partner whose node is there now."""
    for old, new in await hub.db.glance(links.continued):
        await inbox.apply_some(hub, old)  # what was said by mail comes first
        await hub.db.write(partial(_move, hub=hub, old_id=old, new_id=new))


def _move(tx: Tx, *, hub: Hub, old_id: LinkId, new_id: LinkId) -> None:
    """Everything in one transaction: a hand-off is with the one or with the other."""
    now = hub.now()
    ground.of_handoffs(tx, beside=[new_id], whole=old_id)
    old, new = links.lock(tx, old_id), links.lock(tx, new_id)
    if old.closed_at is not None or new.state is not LinkState.ACTIVE:
        return
    if stored_inbox.waiting_count(tx.connection, old_id):
        return  # at the next turn
    left = []
    for handoff in handoffs.of_link(tx.connection, old_id, only_open=True):
        try:
            with tx.part():
                _move_one(tx, hub, old, new, handoffs.lock(tx, handoff.id), now)
        except Refused as error:
            left.append((handoff, error))
    custodies.change(tx, old_id, successor_id=new_id)
    for handoff, why in left:
        number = tickets.get(tx.connection, handoff.ticket_id).number
        outgoing.alarm(
            tx,
            hub,
            "not_moved",
            handoff.id,
            "{peer} has a node now, but ticket {number} could not move there: {why}",
            now,
            peer=old.peer_name,
            number=number,
            why=why.told,
        )
        handoffs.change(tx, handoff.id, detached_at=now)
    outgoing.send(
        tx, hub, links.get(tx.connection, old_id), disclosure.link_view("link.close", {}), now=now
    )
    links.change(tx, old_id, state=LinkState.CLOSED, closed_at=now)
    audit.append(
        tx,
        at=now,
        actor="system",
        event="link.promoted",
        link=old_id,
        to=new_id,
        peer=new.peer_node_id,
    )


def _move_one(tx: Tx, hub: Hub, old: Link, new: Link, handoff: Handoff, now: datetime) -> None:
    if handoff.state is State.CONFIRMED:
        own.act_in(tx, hub, handoff, Act.CLOSE, Particulars(), actor=SYSTEM, now=now)
        return
    direction = terms.direction(new, Party.PRINCIPAL)
    ticket = tickets.get(tx.connection, handoff.ticket_id)
    check_may_hand_off(
        direction,
        service=ticket.service,
        open_now=handoffs.count_open(tx.connection, new.id, Party.PRINCIPAL),
    )
    mail_links.write(
        tx, hub, old, handoff, "moved", {"url": new.peer_base_url or new.peer_name}, now
    )
    known = stored_comments.known_along(tx.connection, handoff.id)
    stored_comments.forget_along(tx, handoff.id)
    offered = handoff.state is State.OFFERED
    until = handoff.valid_until if offered else None
    handoffs.change(
        tx,
        handoff.id,
        link_id=new.id,
        since=now,
        offered_at=now,
        **{**_ANEW, "valid_until": until},
    )
    files = own.own_files(tx, ticket)
    view = disclosure.offer_view(
        ticket,
        files,
        direction,
        withhold=terms.withheld(handoff),
        number=ticket.number,
        hops=handoff.hops,
        valid_until=until,
        due=handoff.due_requested,
        handed_off_at=now,
        hop_limit=handoff.hop_limit,
        service=ticket.service,
        continues=None if offered else _stands(handoff),
    )
    message_id = outgoing.send(tx, hub, new, view, now=now, handoff_id=handoff.id)
    sharing.share_files(tx, handoff.id, view)
    handoffs.record(
        tx,
        handoff.id,
        at=now,
        party=Party.PRINCIPAL,
        actor=hub.account.name,
        event="moved",
        before=handoff.state,
        after=State.OFFERED,
        message_id=message_id,
    )
    there = sharing.listener(tx, handoffs.lock(tx, handoff.id))
    if there is not None:
        author = own.author_of(hub, SYSTEM)
        sharing.announce(tx, hub, there, files, author, now, relayed=False, beyond_first=True)
        said = {local_id for kind, local_id, _sent in known if kind == "cmt"}
        _say_again(tx, hub, there, handoff, said, now)
    tickets.touch(tx, ticket.id, now)


def _stands(handoff: Handoff) -> dict[str, object]:
    """What the contractor said of this work itself; it has no need to be told anything else."""
    waits = handoff.state is State.PENDING
    return {
        "state": _BEGUN[handoff.state],
        "due_promised": handoff.due_promised,
        "eta": handoff.eta,
        "assignee": handoff.assignee,
        "stage": handoff.stage,
        "plan": handoff.plan,
        "reason": handoff.pend_reason if waits else None,
        "until": handoff.pend_until if waits else None,
        "stops_clock": handoff.stops_clock if waits else None,
        "resolution": handoff.resolution if handoff.state is State.RESOLVED else None,
    }


def _say_again(
    tx: Tx, hub: Hub, there: Listener, handoff: Handoff, wanted: set[str], now: datetime
) -> None:
    """Every comment that both sides know, in order."""
    for comment in stored_comments.of_ticket(tx.connection, handoff.ticket_id):
        if comment.id not in wanted or comment.redacted_at is not None:
            continue
        attached = [
            sharing.described(row)
            for row in attachments.of_ticket(tx.connection, handoff.ticket_id)
            if row.comment_id == comment.id and row.redacted_at is None
        ]
        listens = there
        if comment.origin_handoff_id == handoff.id:
            # Its own words go back to it: under the names it gave them.
            names = {DisclosureClass.SUBCONTRACTOR_NAMES, DisclosureClass.AUTHOR_NAMES}
            shown = replace(there.direction, disclose=there.direction.disclose | names)
            listens = replace(there, direction=shown)
        comments.spread_to(tx, hub, comment, attached, listens, now, relayed=False)
