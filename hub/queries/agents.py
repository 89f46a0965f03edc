"""The people of this account, as their own colleagues see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.actions.context import Actor
from hub.errors import NotFound, Refused
from hub.ids import AgentId
from hub.storage import agents
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class AgentLine:
    """An agent in a list."""

    id: AgentId
    email: str
    name: str
    role: str
    state: str
    created_at: datetime


def everyone(connection: Connection) -> list[AgentLine]:
    """All agents, oldest first."""
    return [
        AgentLine(
            one.id,
            one.email,
            one.display,
            one.role,
            "enabled" if one.disabled_at is None else "disabled",
            one.created_at,
        )
        for one in agents.everyone(connection)
    ]


def acting(connection: Connection, name: str) -> Actor:
    """The agent with this id or e-mail as who acts. Raises NotFound; Refused when disabled."""
    found = agents.find(connection, name.strip())
    if found is None:
        raise NotFound(
            "agent_unknown", "There is no agent '{name}'.", hint="hub user list", name=name
        )
    if found.disabled_at is not None:
        raise Refused("agent_disabled", "The agent '{name}' is disabled.", name=name)
    return Actor(found.id, found.display, found.role)
