"""Erasing the personal data of a ticket, and holding it."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import erasures
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Text
from hub.api.tickets import ticket_id
from hub.domain.permission import Permission
from hub.queries import erasures as shown
from hub.queries.erasures import TicketErasuresView


class ErasureForm(Form):
    """Why it goes, or why it must stay, in words that name nobody; partners see it."""

    reason: Text


async def _list(visit: Visit, form: Nothing) -> TicketErasuresView:
    which = await ticket_id(visit)
    return await visit.hub.db.read(lambda connection: shown.show(connection, which))


async def _erase(visit: Visit, form: ErasureForm) -> Effect[str]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: erasures.erase(hub, visit.actor, which, form.reason),
        lambda connection, _made: shown.show(connection, which),
        one_transaction=False,
    )


async def _hold(visit: Visit, form: ErasureForm) -> Effect[None]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: erasures.hold(hub, visit.actor, which, form.reason),
        lambda connection, _done: shown.show(connection, which),
    )


async def _release(visit: Visit, form: Nothing) -> Effect[None]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: erasures.release(hub, visit.actor, which),
        lambda _connection, _done: None,
        one_transaction=False,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listErasures",
        method="GET",
        path="/tickets/{ticket}/erasures",
        scope=Permission.TICKETS_READ,
        summary="What of a ticket was erased, who has confirmed it, and what holds it",
        form=Nothing,
        handler=_list,
        answer=TicketErasuresView,
    ),
    Route(
        name="eraseTicket",
        method="POST",
        path="/tickets/{ticket}/erasures",
        scope=Permission.ADMIN,
        summary="Drop what identifies people, here and at every partner that has the ticket",
        form=ErasureForm,
        takes=Takes.JSON,
        handler=_erase,
        answer=TicketErasuresView,
        status=201,
    ),
    Route(
        name="holdTicket",
        method="POST",
        path="/tickets/{ticket}/hold",
        scope=Permission.ADMIN,
        summary="Let nothing of a ticket be erased or pruned: a legal hold",
        form=ErasureForm,
        takes=Takes.JSON,
        handler=_hold,
        answer=TicketErasuresView,
    ),
    Route(
        name="releaseTicket",
        method="DELETE",
        path="/tickets/{ticket}/hold",
        scope=Permission.ADMIN,
        summary="Lift the legal hold; what partners asked for meanwhile is erased",
        form=Nothing,
        handler=_release,
        answer=Sends.NOTHING,
        status=204,
    ),
)
