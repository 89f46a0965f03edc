"""Teams, as everybody here sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.errors import NotFound
from hub.ids import AgentId, TeamId
from hub.storage import teams
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team and who is in it."""

    id: TeamId
    name: str
    members: Sequence[AgentId]


def everyone(connection: Connection) -> list[TeamView]:
    """All teams by name."""
    members = teams.members(connection)
    return [
        TeamView(one.id, one.name, members.get(one.id, [])) for one in teams.everyone(connection)
    ]


def named(connection: Connection, team_id: str) -> TeamView:
    """The team with this id. Raises NotFound."""
    found = next((one for one in everyone(connection) if one.id == team_id), None)
    if found is None:
        raise NotFound("not_found", "There is no such team.")
    return found
