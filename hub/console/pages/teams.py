"""Teams: who works together."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import teams
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.errors import Conflict, HubError, Refused
from hub.i18n import gettext as _
from hub.queries import agents
from hub.queries import teams as views


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    def look(connection: Any) -> dict[str, Any]:
        people = [one for one in agents.everyone(connection) if one.state == "enabled"]
        return {"teams": views.everyone(connection), "people": people}

    facts = await visit.hub.db.read(look)
    facts["names"] = {one.id: one.name for one in facts["people"]}
    name = "" if error is None else await visit.word("name")
    return Shown("teams.html", {**facts, "error": error, "name": name}, 422 if error else 200)


async def _add(visit: Visit) -> Answer:
    try:
        await teams.add(
            visit.hub, visit.actor, await visit.word("name"), await visit.words("member")
        )
    except (Refused, Conflict) as error:
        return await _page(visit, error)
    return _back(visit, _("The team is there."))


async def _show(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: HubError | None = None) -> Shown:
    which = visit.param("team")

    def look(connection: Any) -> dict[str, Any]:
        people = [one for one in agents.everyone(connection) if one.state == "enabled"]
        return {"team": views.named(connection, which), "people": people}

    facts = await visit.hub.db.read(look)
    return Shown("team.html", {**facts, "error": error}, 422 if error else 200)


async def _change(visit: Visit) -> Answer:
    try:
        await teams.change(
            visit.hub,
            visit.actor,
            visit.param("team"),
            await visit.word("name"),
            await visit.words("member"),
        )
    except (Refused, Conflict) as error:
        return await _one(visit, error)
    return _back(visit, _("Saved."))


async def _remove(visit: Visit) -> Answer:
    await teams.remove(visit.hub, visit.actor, visit.param("team"))
    return _back(visit, _("The team is no more; its tickets stay with whoever has them."))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("teams"), Toast(text))


_page_of: Final = page_for(Permission.RULES_WRITE)

PAGES: Final = (
    _page_of("teams", "GET", "/settings/teams", _list),
    _page_of("add_team", "POST", "/settings/teams", _add),
    _page_of("team", "GET", "/settings/teams/{team}", _show),
    _page_of("change_team", "POST", "/settings/teams/{team}", _change),
    _page_of("remove_team", "POST", "/settings/teams/{team}/remove", _remove),
)
