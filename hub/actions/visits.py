"""What an engineer does on site, with one button: on the way, on site, done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from hub.actions import assigning, comments, handoffs, permits, plans, settled
from hub.actions import tickets as handed
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import Particulars
from hub.actions.plans import Plan
from hub.domain.assignment import NEXT_STAGE, VisitStage
from hub.domain.comment import Role, Visibility, check_body
from hub.domain.handoff import OVER, Act, Party, possible
from hub.domain.permission import Permission
from hub.domain.ticket import ChecklistItem, Ticket, TicketStatus
from hub.domain.webhook import EventType
from hub.errors import NotFound, Refused
from hub.i18n import gettext, reading_in
from hub.ids import AttachmentId, CommentId, TicketId
from hub.storage import assignments, ground, tickets
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored
from hub.storage.comments import Comment
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

_TOLD: Final = {VisitStage.ON_WAY: "On the way", VisitStage.ON_SITE: "On site"}
"""What the principal reads as the stage, in the language of our company."""


async def advance(
    hub: Hub, actor: Actor, ticket_id: TicketId, expected: VisitStage, note: str = ""
) -> VisitStage:
    """Bring the visit to its next stage, which is `expected`; the principal hears of it.

    Pressed twice it is done once. Raises Refused(no_visit | checklist_open | note_missing).
    """
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> VisitStage:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.lock(tx, ticket_id)
        permits.on_tickets(tx.connection, actor, ticket_id)
        stage = assignments.get(tx.connection, ticket_id).visit_stage
        if stage is expected:
            return expected
        if stage is None or NEXT_STAGE.get(stage) is not expected:
            raise Refused("no_visit", "This is not the next step of the visit.")
        if expected is VisitStage.DONE:
            _check_done(ticket, note)
        assignments.change(tx, ticket_id, visit_stage=expected)
        tickets.touch(tx, ticket_id, now)
        assigning.record(tx, actor, ticket_id, "visit", {"stage": [expected]}, now)
        ours = _our_work(tx, ticket_id)
        if ours is None:
            _own(tx, hub, actor, ticket, expected, note, now)
        else:
            settled.check(tx, ours.link_id, ours.id)
            _tell(tx, hub, actor, ours, expected, note, now)
        return expected

    return await hub.db.write(transaction)


def _check_done(ticket: Ticket, note: str) -> None:
    left = sum(not one.done for one in ticket.checklist)
    if left:
        raise Refused("checklist_open", "The checklist is not done yet: {count} left.", count=left)
    if not note.strip():
        raise Refused("note_missing", "Say what was done.")


def _our_work(tx: Tx, ticket_id: TicketId) -> Handoff | None:
    """The hand-off in which we are the contractor of this ticket, if it is not over."""
    for one in stored.of_ticket(tx.connection, ticket_id):
        if one.party is Party.CONTRACTOR and one.state not in OVER and one.detached_at is None:
            return one
    return None


def _tell(
    tx: Tx, hub: Hub, actor: Actor, work: Handoff, stage: VisitStage, note: str, now: datetime
) -> None:
    if stage in _TOLD:
        with reading_in(hub.account.language):
            told = gettext(_TOLD[stage])
        plans.plan_in(tx, hub, actor, work, Plan(stage=told), now)
    act = {VisitStage.ON_SITE: Act.START, VisitStage.DONE: Act.RESOLVE}.get(stage)
    if act is not None and act in possible(work.party, work.state):
        said = Particulars(resolution=note) if act is Act.RESOLVE else Particulars()
        handoffs.act_in(tx, hub, work, act, said, actor=actor, now=now)


def _own(
    tx: Tx, hub: Hub, actor: Actor, ticket: Ticket, stage: VisitStage, note: str, now: datetime
) -> None:
    status = {
        VisitStage.ON_SITE: TicketStatus.IN_PROGRESS,
        VisitStage.DONE: TicketStatus.RESOLVED,
    }.get(stage)
    if status is not None:
        tickets.change(tx, ticket.id, updated_at=now, status=status)
    if note.strip():
        check_body(note)
        comment = Comment(
            id=CommentId(hub.new_id("cmt", now)),
            ticket_id=ticket.id,
            visibility=Visibility.INTERNAL,
            author_ref=actor.ref,
            author=actor.display,
            role=Role.AGENT,
            account=hub.account.name,
            body=note,
            at=now,
        )
        stored_comments.add(tx, comment)
        comments.announce(tx, hub, EventType.COMMENT_ADDED, comment, now)


async def tick(
    hub: Hub,
    actor: Actor,
    ticket_id: TicketId,
    item_id: str,
    *,
    done: bool,
    photo: AttachmentId | None = None,
) -> ChecklistItem:
    """Say that one item of the checklist is done or not. Raises NotFound; Refused(photo_missing).

    Two people may tick two items at once: only this one is changed.
    """
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> ChecklistItem:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        before = tickets.lock(tx, ticket_id)
        permits.on_tickets(tx.connection, actor, ticket_id)
        item = next((one for one in before.checklist if one.item_id == item_id), None)
        if item is None:
            raise NotFound("not_found", "There is no such item in the checklist.")
        ticked = replace(item, done=done, photo_id=photo or item.photo_id)
        after = tuple(ticked if one is item else one for one in before.checklist)
        assigning.check_photos(tx.connection, ticket_id, [ticked])
        tickets.change(tx, ticket_id, updated_at=now, checklist=after)
        told = {"checklist": [sum(one.done for one in each) for each in (before.checklist, after)]}
        assigning.record(tx, actor, ticket_id, "changed", told, now)
        handed.tell_contractors(tx, hub, before, replace(before, checklist=after), now)
        return ticked

    return await hub.db.write(transaction)
