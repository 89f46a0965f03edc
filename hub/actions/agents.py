"""The people of this account: added and disabled by an admin."""

from __future__ import annotations

from typing import Final

from hub.actions.context import Actor, Hub
from hub.errors import Conflict, NotFound, Refused
from hub.ids import AgentId
from hub.storage import agents, audit
from hub.storage.agents import Agent
from hub.storage.database import Tx

ROLES: Final = ("admin", "agent")
"""What an agent may be: an admin also manages links, people and tokens."""

_NAME_MAX: Final = 200


async def add(hub: Hub, actor: Actor, *, email: str, name: str, role: str) -> AgentId:
    """Add a person. Raises Refused; Conflict where the address is taken."""
    _admin_only(actor)
    email, name = email.strip(), name.strip()
    if "@" not in email[1:-1] or len(email) > _NAME_MAX or any(ch.isspace() for ch in email):
        raise Refused("email_invalid", "'{email}' is not an e-mail address.", email=email)
    if not 0 < len(name) <= _NAME_MAX or not name.isprintable():
        raise Refused("name_invalid", "The name is empty, too long or cannot be printed.")
    if role not in ROLES:
        raise Refused(
            "role_unknown",
            "There is no role '{role}'.",
            hint="Roles: {known}",
            role=role,
            known=", ".join(ROLES),
        )

    def transaction(tx: Tx) -> AgentId:
        now = hub.now()
        if agents.find(tx.connection, email) is not None:
            raise Conflict(
                "agent_exists",
                "There is an agent with the address {email} already.",
                hint="hub user list",
                email=email,
            )
        agent_id = AgentId(hub.new_id("agt", now))
        agents.add(
            tx,
            Agent(
                id=agent_id,
                email=email,
                display=name,
                role=role,
                password_hash=None,
                created_at=now,
                disabled_at=None,
            ),
        )
        audit.append(tx, at=now, actor=actor.ref, event="agent.added", agent=agent_id, role=role)
        return agent_id

    return await hub.db.write(transaction)


async def disable(hub: Hub, actor: Actor, name: str) -> AgentId:
    """The person with this e-mail or id may do nothing from now on; nor may their tokens.

    Twice is once. Raises NotFound; Refused for the last admin.
    """
    _admin_only(actor)

    def transaction(tx: Tx) -> AgentId:
        now = hub.now()
        found = agents.find(tx.connection, name.strip())
        if found is None:
            raise NotFound(
                "agent_unknown", "There is no agent '{name}'.", hint="hub user list", name=name
            )
        if found.disabled_at is not None:
            return found.id
        others = [
            one
            for one in agents.everyone(tx.connection)
            if one.role == "admin" and one.disabled_at is None and one.id != found.id
        ]
        if not others:
            raise Refused(
                "last_admin",
                "This is the last admin: nobody could manage the node any more.",
                hint="hub user add EMAIL --role admin",
            )
        agents.change(tx, found.id, disabled_at=now)
        audit.append(tx, at=now, actor=actor.ref, event="agent.disabled", agent=found.id)
        return found.id

    return await hub.db.write(transaction)


def _admin_only(actor: Actor) -> None:
    if actor.role not in {"admin", "system"}:
        raise Refused("not_yours", "Only an administrator does this.")
