"""The people of this account, as their own colleagues see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
    can_sign_in: bool  # they have chosen a password
    second_factor: bool


def everyone(connection: Connection) -> list[AgentLine]:
    """All agents, oldest first."""
    return [_line(one) for one in agents.everyone(connection)]


def named(connection: Connection, name: str) -> AgentLine:
    """The agent with this id or e-mail. Raises NotFound."""
    found = agents.find(connection, name.strip())
    if found is None:
        raise NotFound(
            "agent_unknown", "There is no agent '{name}'.", hint="hub user list", name=name
        )
    return _line(found)


def acting(connection: Connection, name: str) -> AgentLine:
    """The agent with this id or e-mail, who may act. Raises NotFound; Refused when disabled."""
    found = named(connection, name)
    if found.state == "disabled":
        raise Refused("agent_disabled", "The agent '{name}' is disabled.", name=name)
    return found


def _line(one: agents.Agent) -> AgentLine:
    state = "enabled" if one.disabled_at is None else "disabled"
    return AgentLine(
        one.id,
        one.email,
        one.display,
        one.role,
        state,
        one.created_at,
        can_sign_in=one.password_hash is not None,
        second_factor=one.totp_confirmed,
    )
