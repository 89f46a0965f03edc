"""What only we know of tickets: the queue, the load, ties, visits, checklists, guests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hub.actions import guests, ties, visits
from hub.actions.guests import Purpose
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Short, Text
from hub.api.tickets import ticket_id
from hub.api.views import Page
from hub.domain.assignment import LinkKind, VisitStage
from hub.domain.permission import Permission
from hub.domain.ticket import ChecklistItem
from hub.ids import AttachmentId
from hub.queries import inside, names, queue
from hub.queries.inside import InsideView
from hub.queries.queue import Queue
from hub.queries.ticket_lists import Load, board


class QueueQuery(Form):
    """Whose queue."""

    everybody: bool = False


class TieForm(Form):
    """Which ticket belongs to this one, and how."""

    other: Short
    kind: LinkKind = LinkKind.RELATED


class VisitForm(Form):
    """How far the engineer is."""

    stage: VisitStage
    note: Text = ""


class TickForm(Form):
    """Whether it is done, and the file that shows it."""

    done: bool
    photo: Short | None = None


class GuestForm(Form):
    """What the requester is to be shown."""

    purpose: Purpose = Purpose.FOLLOW


@dataclass(frozen=True, slots=True)
class VisitView:
    """How far the engineer is."""

    stage: str


@dataclass(frozen=True, slots=True)
class GuestView:
    """An address for the requester. It is shown once."""

    url: str


async def _queue(visit: Visit, form: QueueQuery) -> Queue:
    hub, now = visit.hub, visit.hub.now()
    return await hub.db.read(
        lambda connection: queue.of(
            connection, visit.actor.ref, now, hub.account.name, everybody=form.everybody
        )
    )


async def _board(visit: Visit, form: Nothing) -> Page[Load]:
    now = visit.hub.now()
    return Page(await visit.hub.db.read(lambda connection: board(connection, now)))


async def _inside(visit: Visit, form: Nothing) -> InsideView:
    name = visit.params["ticket"]
    return await visit.hub.db.read(lambda connection: inside.by_name(connection, name))


async def _tie(visit: Visit, form: TieForm) -> Effect[None]:
    mine = await ticket_id(visit)
    other = await visit.hub.db.read(lambda connection: names.ticket(connection, form.other).id)
    return Effect(
        lambda hub: ties.tie(hub, visit.actor, mine, other, form.kind),
        lambda connection, _done: inside.by_name(connection, mine),
    )


async def _untie(visit: Visit, form: Nothing) -> Effect[None]:
    mine, name = await ticket_id(visit), visit.params["other"]
    other = await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)
    return Effect(
        lambda hub: ties.untie(hub, visit.actor, mine, other), lambda _connection, _done: None
    )


async def _advance(visit: Visit, form: VisitForm) -> Effect[VisitStage]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: visits.advance(hub, visit.actor, which, form.stage, form.note),
        lambda _connection, stage: VisitView(stage),
    )


async def _tick(visit: Visit, form: TickForm) -> Effect[ChecklistItem]:
    which, item = await ticket_id(visit), visit.params["item"]
    photo = None if form.photo is None else AttachmentId(form.photo)
    return Effect(
        lambda hub: visits.tick(hub, visit.actor, which, item, done=form.done, photo=photo),
        lambda _connection, ticked: ticked,
    )


async def _guest(visit: Visit, form: GuestForm) -> Effect[str]:
    which, base = await ticket_id(visit), visit.hub.account.base_url
    return Effect(
        lambda hub: guests.invite(hub, visit.actor, which, form.purpose),
        lambda _connection, token: GuestView(f"{base}/g/{token}"),
    )


async def _no_guests(visit: Visit, form: Nothing) -> Effect[None]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: guests.revoke_all(hub, visit.actor, which), lambda _connection, _done: None
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="getQueue",
        method="GET",
        path="/queue",
        scope=Permission.TICKETS_READ,
        summary="What waits for the agent of the token, in lanes",
        form=QueueQuery,
        handler=_queue,
        answer=Queue,
    ),
    Route(
        name="getBoard",
        method="GET",
        path="/board",
        scope=Permission.TICKETS_READ,
        summary="Who has how much to do",
        form=Nothing,
        handler=_board,
        answer=Page[Load],
    ),
    Route(
        name="getInside",
        method="GET",
        path="/tickets/{ticket}/inside",
        scope=Permission.TICKETS_READ,
        summary="What only we know of a ticket; none of it ever leaves",
        form=Nothing,
        handler=_inside,
        answer=InsideView,
    ),
    Route(
        name="tieTickets",
        method="POST",
        path="/tickets/{ticket}/ties",
        scope=Permission.TICKETS_WRITE,
        summary="Two tickets belong together",
        form=TieForm,
        takes=Takes.JSON,
        handler=_tie,
        answer=InsideView,
    ),
    Route(
        name="untieTickets",
        method="DELETE",
        path="/tickets/{ticket}/ties/{other}",
        scope=Permission.TICKETS_WRITE,
        summary="They belong together no more",
        form=Nothing,
        handler=_untie,
        answer=Sends.NOTHING,
        status=204,
    ),
    Route(
        name="advanceVisit",
        method="POST",
        path="/tickets/{ticket}/visit",
        scope=Permission.TICKETS_WORK,
        summary="The next stage of the visit; the principal hears of it",
        form=VisitForm,
        takes=Takes.JSON,
        handler=_advance,
        answer=VisitView,
    ),
    Route(
        name="tickItem",
        method="PATCH",
        path="/tickets/{ticket}/checklist/{item}",
        scope=Permission.TICKETS_WORK,
        summary="One item of the checklist is done, or not",
        form=TickForm,
        takes=Takes.JSON,
        handler=_tick,
        answer=ChecklistItem,
    ),
    Route(
        name="inviteGuest",
        method="POST",
        path="/tickets/{ticket}/guests",
        scope=Permission.TICKETS_WORK,
        summary="An address where the requester follows the ticket or rates the work",
        form=GuestForm,
        takes=Takes.JSON,
        handler=_guest,
        answer=GuestView,
        status=201,
    ),
    Route(
        name="revokeGuests",
        method="DELETE",
        path="/tickets/{ticket}/guests",
        scope=Permission.TICKETS_WORK,
        summary="No address of this ticket opens anything any more",
        form=Nothing,
        handler=_no_guests,
        answer=Sends.NOTHING,
        status=204,
    ),
)
