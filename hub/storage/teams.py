"""Teams: which of our people work together, and whose a ticket is before it is somebody's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from hub.ids import AgentId, TeamId
from hub.storage.database import Tx
from hub.storage.tables import team_members, teams, tickets


@dataclass(frozen=True, slots=True)
class Team:
    """A group of agents."""

    id: TeamId
    name: str
    created_at: datetime


def add(tx: Tx, team: Team) -> None:
    """Store a new team."""
    tx.connection.execute(
        insert(teams).values(id=team.id, name=team.name, created_at=team.created_at)
    )


def find(connection: Connection, team_id: str) -> Team | None:
    """The team with this id, or None."""
    row = connection.execute(select(teams).where(teams.c.id == team_id)).one_or_none()
    return None if row is None else Team(**row._mapping)


def called(connection: Connection, name: str) -> Team | None:
    """The team of this name, or None."""
    row = connection.execute(select(teams).where(teams.c.name == name)).one_or_none()
    return None if row is None else Team(**row._mapping)


def everyone(connection: Connection) -> list[Team]:
    """All teams by name."""
    return [
        Team(**row._mapping) for row in connection.execute(select(teams).order_by(teams.c.name))
    ]


def members(connection: Connection) -> dict[TeamId, list[AgentId]]:
    """Who is in each team that has anybody."""
    found: dict[TeamId, list[AgentId]] = {}
    query = select(team_members).order_by(team_members.c.team_id, team_members.c.agent_id)
    for row in connection.execute(query):
        found.setdefault(row.team_id, []).append(row.agent_id)
    return found


def rename(tx: Tx, team_id: str, name: str) -> None:
    """Call it so from now on."""
    tx.connection.execute(update(teams).where(teams.c.id == team_id).values(name=name))


def set_members(tx: Tx, team_id: str, agents: Collection[str]) -> None:
    """These are in it, and nobody else."""
    tx.connection.execute(delete(team_members).where(team_members.c.team_id == team_id))
    if agents:
        rows = [{"team_id": team_id, "agent_id": one} for one in sorted(agents)]
        tx.connection.execute(insert(team_members), rows)


def remove(tx: Tx, team_id: str) -> None:
    """Take it away: its tickets are no team's from now on."""
    tx.connection.execute(update(tickets).where(tickets.c.team_id == team_id).values(team_id=None))
    tx.connection.execute(delete(team_members).where(team_members.c.team_id == team_id))
    tx.connection.execute(delete(teams).where(teams.c.id == team_id))
