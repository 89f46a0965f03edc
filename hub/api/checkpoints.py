"""Comparing with a partner what both share, and healing our side."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import checkpoints, repairs
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Nothing
from hub.api.links import link_id
from hub.domain.permission import Permission
from hub.queries import checkpoints as shown
from hub.queries.checkpoints import CheckView


async def _last(visit: Visit, form: Nothing) -> CheckView:
    name = visit.params["link"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, name))


async def _ask(visit: Visit, form: Nothing) -> Effect[None]:
    which = await link_id(visit)
    return Effect(
        lambda hub: checkpoints.ask(hub, visit.actor, which),
        lambda connection, _done: shown.show(connection, which),
    )


async def _repair(visit: Visit, form: Nothing) -> Effect[object]:
    which = await link_id(visit)
    return Effect(
        lambda hub: repairs.repair(hub, visit.actor, which),
        lambda connection, _done: shown.show(connection, which),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="getCheck",
        method="GET",
        path="/links/{link}/check",
        scope=Permission.LINKS_READ,
        summary="What the last comparison of both sides came to, field by field",
        form=Nothing,
        handler=_last,
        answer=CheckView,
    ),
    Route(
        name="checkLink",
        method="POST",
        path="/links/{link}/check",
        scope=Permission.LINKS_WRITE,
        summary="Compare both sides now; the answer is there once compared_at is set",
        form=Nothing,
        takes=Takes.JSON,
        handler=_ask,
        answer=CheckView,
    ),
    Route(
        name="repairLink",
        method="POST",
        path="/links/{link}/repair",
        scope=Permission.LINKS_WRITE,
        summary="Compute our side of what differs anew from the signed messages; sends nothing",
        form=Nothing,
        takes=Takes.JSON,
        handler=_repair,
        answer=CheckView,
    ),
)
