"""Teams: who works together."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import teams
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Short
from hub.api.views import Page
from hub.domain.permission import Permission
from hub.ids import TeamId
from hub.queries import teams as shown
from hub.queries.teams import TeamView


class TeamForm(Form):
    """A team as it is to be."""

    name: Short
    members: Annotated[tuple[Short, ...], Constraint(max_length=500)] = ()


async def _list(visit: Visit, form: Nothing) -> Page[TeamView]:
    return Page(await visit.hub.db.read(shown.everyone))


async def _add(visit: Visit, form: TeamForm) -> Effect[TeamId]:
    return Effect(
        lambda hub: teams.add(hub, visit.actor, form.name, form.members),
        shown.named,
    )


async def _change(visit: Visit, form: TeamForm) -> Effect[None]:
    which = visit.params["team"]
    return Effect(
        lambda hub: teams.change(hub, visit.actor, which, form.name, form.members),
        lambda connection, _done: shown.named(connection, which),
    )


async def _remove(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["team"]
    return Effect(
        lambda hub: teams.remove(hub, visit.actor, which), lambda _connection, _done: None
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listTeams",
        method="GET",
        path="/teams",
        scope=Permission.TICKETS_READ,
        summary="Teams and who is in them",
        form=Nothing,
        handler=_list,
        answer=Page[TeamView],
    ),
    Route(
        name="addTeam",
        method="POST",
        path="/teams",
        scope=Permission.ADMIN,
        summary="Put agents together under a name",
        form=TeamForm,
        takes=Takes.JSON,
        handler=_add,
        answer=TeamView,
        status=201,
    ),
    Route(
        name="changeTeam",
        method="PUT",
        path="/teams/{team}",
        scope=Permission.ADMIN,
        summary="What the team is to be",
        form=TeamForm,
        takes=Takes.JSON,
        handler=_change,
        answer=TeamView,
    ),
    Route(
        name="removeTeam",
        method="DELETE",
        path="/teams/{team}",
        scope=Permission.ADMIN,
        summary="Take the team away; its tickets stay with whoever has them",
        form=Nothing,
        handler=_remove,
        answer=Sends.NOTHING,
        status=204,
    ),
)
