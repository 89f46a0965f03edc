"""Changing what was agreed on a link: propose, accept, refuse, take back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic import Field as Constraint

from hub.actions import amendments
from hub.actions.context import Actor, Hub
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, all_sendable
from hub.api.links import LinkReasonForm, link_id
from hub.domain.agreement import offer_from_scopes
from hub.domain.permission import Permission
from hub.ids import LinkId
from hub.queries import amendments as shown
from hub.queries.amendments import AmendmentsView


class AmendmentForm(Form):
    """Our new offer, whole: what it leaves out is as by default."""

    scopes: Annotated[
        dict[str, Any],
        AfterValidator(all_sendable),
        Constraint(description="as in a scopes file (docs/reference/scopes.md)"),
    ]


async def _list(visit: Visit, form: Nothing) -> AmendmentsView:
    name = visit.params["link"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, name))


async def _propose(visit: Visit, form: AmendmentForm) -> Effect[object]:
    which, offer = await link_id(visit), offer_from_scopes(form.scopes)
    return Effect(
        lambda hub: amendments.propose(hub, visit.actor, which, offer),
        lambda connection, _done: shown.show(connection, which),
    )


def _answer(
    name: str, summary: str, do: Callable[[Hub, Actor, LinkId, str], Awaitable[object]]
) -> Route[LinkReasonForm]:
    async def handler(visit: Visit, form: LinkReasonForm) -> Effect[object]:
        which = await link_id(visit)
        return Effect(
            lambda hub: do(hub, visit.actor, which, form.reason),
            lambda connection, _done: shown.show(connection, which),
        )

    return Route(
        name=f"{name}Amendment",
        method="POST",
        path=f"/links/{{link}}/amendments/{name}",
        scope=Permission.LINKS_WRITE,
        summary=summary,
        form=LinkReasonForm,
        takes=Takes.JSON,
        handler=handler,
        answer=AmendmentsView,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listAmendments",
        method="GET",
        path="/links/{link}/amendments",
        scope=Permission.LINKS_READ,
        summary="Revisions of the agreement, and the open proposal with what it changes",
        form=Nothing,
        handler=_list,
        answer=AmendmentsView,
    ),
    Route(
        name="proposeAmendment",
        method="POST",
        path="/links/{link}/amendments",
        scope=Permission.LINKS_WRITE,
        summary="Propose other terms: our offer anew",
        form=AmendmentForm,
        takes=Takes.JSON,
        handler=_propose,
        answer=AmendmentsView,
        status=201,
    ),
    _answer(
        "accept",
        "Agree to the partner's proposal",
        lambda hub, actor, which, _reason: amendments.accept(hub, actor, which),
    ),
    _answer("refuse", "Do not agree to the partner's proposal", amendments.refuse),
    _answer(
        "withdraw",
        "Take our own proposal back",
        lambda hub, actor, which, _reason: amendments.withdraw(hub, actor, which),
    ),
)
