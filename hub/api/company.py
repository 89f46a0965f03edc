"""The company's own card, what is kept how long, and tickets that are held."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import company, retention
from hub.actions.company import CardWish
from hub.actions.retention import DATA_LEAST, DAYS_MOST, Keep
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, Short
from hub.domain.permission import Permission
from hub.queries import company as shown
from hub.queries.company import CardView, RetentionView


class CardForm(Form):
    """How requesters reach us; empty: not told."""

    phone: Short = ""
    email: Short = ""
    hours: Short = ""


class KeepForm(Form):
    """For how many days; null: as the settings of the node say."""

    data_days: Annotated[int, Constraint(ge=DATA_LEAST, le=DAYS_MOST)] | None = None
    letters_days: Annotated[int, Constraint(ge=1, le=DAYS_MOST)] | None = None


async def _card(visit: Visit, form: Nothing) -> CardView:
    return await visit.hub.db.read(shown.card)


async def _change_card(visit: Visit, form: CardForm) -> Effect[Any]:
    wish = CardWish(form.phone, form.email, form.hours)
    return Effect(
        lambda hub: company.change_card(hub, visit.actor, wish),
        lambda connection, _made: shown.card(connection),
    )


async def _retention(visit: Visit, form: Nothing) -> RetentionView:
    limits = visit.hub.limits
    return await visit.hub.db.read(lambda connection: shown.retention(connection, limits))


async def _decide(visit: Visit, form: KeepForm) -> Effect[None]:
    wish, limits = Keep(form.data_days, form.letters_days), visit.hub.limits
    return Effect(
        lambda hub: retention.decide(hub, visit.actor, wish),
        lambda connection, _done: shown.retention(connection, limits),
    )


def _route(
    name: str, method: str, path: str, summary: str, form: type[Form], handler: Any, answer: Any
) -> Route[Any]:
    return Route(
        name=name,
        method=method,
        path=path,
        scope=Permission.ADMIN,
        summary=summary,
        form=form,
        takes=Takes.JSON if method == "PUT" else Takes.QUERY,
        handler=handler,
        answer=answer,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    _route("getCompany", "GET", "/company", "How requesters reach us", Nothing, _card, CardView),
    _route("changeCompany", "PUT", "/company", "How they are to", CardForm, _change_card, CardView),
    _route(
        "getRetention",
        "GET",
        "/retention",
        "What is kept how long, and tickets of which nothing may go",
        Nothing,
        _retention,
        RetentionView,
    ),
    _route(
        "decideRetention",
        "PUT",
        "/retention",
        "Keep it so long from now on",
        KeepForm,
        _decide,
        RetentionView,
    ),
)
