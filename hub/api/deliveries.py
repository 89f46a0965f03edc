"""Messages on their way, and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import alarms, deliveries
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, Said, Short
from hub.api.tickets import Cursor, Limit, check_cursor
from hub.api.views import Page, page_of
from hub.domain.delivery import DeliveryState
from hub.domain.permission import Permission
from hub.i18n import gettext
from hub.ids import MessageId
from hub.queries import deliveries as shown
from hub.queries import names
from hub.queries.deliveries import DeliveryLine, DeliveryView


class DeliveryQuery(Form):
    """Which messages."""

    state: DeliveryState | None = None
    peer: Short | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class SkipForm(Form):
    """Why it is let be."""

    reason: Said


@dataclass(frozen=True, slots=True)
class AlertView:
    """Something a person must see."""

    id: str
    kind: str
    subject: str
    text: str
    at: datetime
    seen_at: datetime | None  # when somebody said that they know
    seen_by: str | None


class SeenForm(Form):
    """Which alarms you know of."""

    alerts: Annotated[list[Short], Constraint(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class SeenView:
    """How many of them nobody knew of before."""

    seen: int


async def _list(visit: Visit, form: DeliveryQuery) -> Page[DeliveryLine]:
    before = check_cursor(form.cursor, "msg")

    def find(connection: Any) -> list[DeliveryLine]:
        link_id = None if form.peer is None else names.link(connection, form.peer).id
        return shown.page(
            connection, state=form.state, before=before, limit=form.limit + 1, link_id=link_id
        )

    return page_of(await visit.hub.db.read(find), form.limit)


async def _show(visit: Visit, form: Nothing) -> DeliveryView:
    name = visit.params["message"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, name))


async def _replay(visit: Visit, form: Nothing) -> Effect[MessageId]:
    which = visit.params["message"]
    return Effect(
        lambda hub: deliveries.replay(hub, visit.actor, which),
        shown.show,
    )


async def _skip(visit: Visit, form: SkipForm) -> Effect[MessageId]:
    which = visit.params["message"]
    return Effect(
        lambda hub: deliveries.skip(hub, visit.actor, which, form.reason),
        lambda connection, _done: shown.show(connection, which),
    )


async def _alerts(visit: Visit, form: Nothing) -> Page[AlertView]:
    found = await visit.hub.db.read(shown.alerts)
    return Page(
        [
            AlertView(
                *(one.id, one.kind, one.subject, gettext(one.text).format(**one.facts), one.at),
                seen_at=one.seen_at,
                seen_by=one.seen_by,
            )
            for one in found
        ]
    )


async def _seen(visit: Visit, form: SeenForm) -> Effect[int]:
    return Effect(
        lambda hub: alarms.acknowledge(hub, visit.actor, form.alerts),
        lambda _connection, seen: SeenView(seen),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listDeliveries",
        method="GET",
        path="/deliveries",
        scope=Permission.DELIVERIES_READ,
        summary="Messages to partners, newest first; parked ones of partners among them",
        form=DeliveryQuery,
        handler=_list,
        answer=Page[DeliveryLine],
    ),
    Route(
        name="getDelivery",
        method="GET",
        path="/deliveries/{message}",
        scope=Permission.DELIVERIES_READ,
        summary="One message whole",
        form=Nothing,
        handler=_show,
        answer=DeliveryView,
    ),
    Route(
        name="replayDelivery",
        method="POST",
        path="/deliveries/{message}/replay",
        scope=Permission.DELIVERIES_WRITE,
        summary="Try a message again",
        form=Nothing,
        takes=Takes.JSON,
        handler=_replay,
        answer=DeliveryView,
    ),
    Route(
        name="skipDelivery",
        method="POST",
        path="/deliveries/{message}/skip",
        scope=Permission.DELIVERIES_WRITE,
        summary="Let a refused message be, or set a parked one aside for good",
        form=SkipForm,
        takes=Takes.JSON,
        handler=_skip,
        answer=DeliveryView,
    ),
    Route(
        name="listAlerts",
        method="GET",
        path="/alerts",
        scope=Permission.DELIVERIES_READ,
        summary="Everything that people must still see, newest first",
        form=Nothing,
        handler=_alerts,
        answer=Page[AlertView],
    ),
    Route(
        name="seeAlerts",
        method="POST",
        path="/alerts/seen",
        scope=Permission.DELIVERIES_WRITE,
        summary="Say that you know of these",
        form=SeenForm,
        takes=Takes.JSON,
        handler=_seen,
        answer=SeenView,
    ),
)
