"""Every route of this door, in one table. What is not here does not exist."""

from __future__ import annotations

from typing import Any, Final

from hub.api import (
    amendments,
    checkpoints,
    comments,
    company,
    deliveries,
    desks,
    directories,
    erasures,
    events,
    files,
    handoffs,
    inside,
    letters,
    links,
    notices,
    people,
    personal,
    teams,
    tickets,
    webhooks,
)
from hub.api.door import Open, Route, Sends, Visit
from hub.api.forms import Nothing
from hub.api.openapi import document


async def _openapi(visit: Visit, form: Nothing) -> dict[str, Any]:
    return document(ROUTES, visit.hub.account.base_url or "/")


ROUTES: Final[tuple[Route[Any], ...]] = (
    *tickets.ROUTES,
    *inside.ROUTES,
    *personal.ROUTES,
    *notices.ROUTES,
    *directories.ROUTES,
    *teams.ROUTES,
    *events.ROUTES,
    *comments.ROUTES,
    *erasures.ROUTES,
    *files.ROUTES,
    *handoffs.ROUTES,
    *links.ROUTES,
    *amendments.ROUTES,
    *checkpoints.ROUTES,
    *deliveries.ROUTES,
    *letters.ROUTES,
    *desks.ROUTES,
    *webhooks.ROUTES,
    *people.ROUTES,
    *company.ROUTES,
    Route(
        name="openapi",
        method="GET",
        path="/openapi.json",
        scope=Open.TO_ALL,
        summary="This description",
        form=Nothing,
        handler=_openapi,
        answer=Sends.DOCUMENT,
    ),
)
