"""The engineer on the phone: today's visits, and one visit with one big button."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final

from hub.actions import visits
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.ticket import ticket_id
from hub.domain.assignment import NEXT_STAGE, VisitStage
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import inside, today
from hub.queries import tickets as shown

BUTTONS: Final = {
    VisitStage.ON_WAY: (N_("I am on my way"), "truck"),
    VisitStage.ON_SITE: (N_("I am on site"), "map-pin"),
    VisitStage.DONE: (N_("Done"), "circle-check"),
}


async def _today(visit: Visit) -> Answer:
    local = visit.hub.now().astimezone(visit.zone)
    start = datetime.combine(local.date(), time(), visit.zone)
    who = visit.actor.ref
    found = await visit.hub.db.read(
        lambda connection: today.visits(connection, who, start, start + timedelta(days=1))
    )
    return Shown("today.html", {"visits": found, "date": local.date()})


async def _visit(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: Refused | None = None) -> Shown:
    name = visit.param("ticket")

    def look(connection: Any) -> dict[str, Any]:
        return {
            "ticket": shown.show(connection, name),
            "inside": inside.by_name(connection, name),
        }

    facts = await visit.hub.db.read(look)
    stage = facts["inside"].visit_stage
    coming = None if stage is None else NEXT_STAGE.get(VisitStage(stage))
    left = sum(not one.done for one in facts["ticket"].checklist)
    facts |= {
        "coming": coming,
        "button": None if coming is None else BUTTONS[coming],
        "left": left,
        "error": error,
        "files": [one for one in facts["ticket"].attachments if one.comment is None],
    }
    return Shown("visit.html", facts, 200 if error is None else 422)


async def _advance(visit: Visit) -> Answer:
    said = await visit.word("stage")
    if said not in set(VisitStage):
        raise Refused("no_visit", "This is not the next step of the visit.")
    note = (await visit.word("note")).replace("\r\n", "\n")
    try:
        stage = await visits.advance(
            visit.hub, visit.actor, await ticket_id(visit), VisitStage(said), note
        )
    except Refused as error:
        if error.code in {"not_yours", "not_your_team"}:
            raise
        return await _one(visit, error)
    url = visit.context.renderer.url
    if stage is VisitStage.DONE:
        return Redirect(url("today"), Toast(_("The visit is done.")))
    return Redirect(url("visit", ticket=visit.param("ticket")))


_page: Final = page_for(Permission.TICKETS_WORK)

PAGES: Final = (
    _page("today", "GET", "/today", _today),
    _page("visit", "GET", "/visits/{ticket}", _visit),
    _page("advance_visit", "POST", "/visits/{ticket}", _advance),
)
