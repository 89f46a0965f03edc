"""The people of this account: added and disabled by an admin."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission, Role
from hub.errors import Conflict, NotFound, Refused
from hub.i18n import LANGUAGES
from hub.ids import AgentId
from hub.storage import agents, audit, sessions
from hub.storage.agents import Agent
from hub.storage.database import Tx

ROLES: Final = tuple(role.value for role in Role)
"""What an agent may be; what each of them may do is in `hub/domain/permission.py`."""

_NAME_MAX: Final = 200


async def add(hub: Hub, actor: Actor, *, email: str, name: str, role: str) -> AgentId:
    """Add a person. Raises Refused; Conflict where the address is taken."""
    permits.require(actor, Permission.ADMIN)
    email, name = email.strip(), _name(name)
    if "@" not in email[1:-1] or len(email) > _NAME_MAX or any(ch.isspace() for ch in email):
        raise Refused("email_invalid", "'{email}' is not an e-mail address.", email=email)
    _known_role(role)

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
    permits.require(actor, Permission.ADMIN)

    def transaction(tx: Tx) -> AgentId:
        now = hub.now()
        found = _find(tx, name)
        if found.disabled_at is not None:
            return found.id
        _not_the_last_admin(tx, found)
        agents.change(tx, found.id, disabled_at=now)
        sessions.end_all(tx, found.id)
        sessions.end_links(tx, found.id, now)
        audit.append(tx, at=now, actor=actor.ref, event="agent.disabled", agent=found.id)
        return found.id

    return await hub.db.write(transaction)


async def change(hub: Hub, actor: Actor, name: str, *, display: str, role: str) -> AgentId:
    """The person with this e-mail or id is called so and has this role from now on.

    Raises NotFound; Refused(name_invalid | role_unknown | last_admin).
    """
    permits.require(actor, Permission.ADMIN)
    display = _name(display)
    _known_role(role)

    def transaction(tx: Tx) -> AgentId:
        now = hub.now()
        found = _find(tx, name)
        if role != Role.ADMIN:
            _not_the_last_admin(tx, found)
        if (found.display, found.role) != (display, role):
            agents.change(tx, found.id, display=display, role=role)
            audit.append(
                tx, at=now, actor=actor.ref, event="agent.changed", agent=found.id, role=role
            )
        return found.id

    return await hub.db.write(transaction)


async def enable(hub: Hub, actor: Actor, name: str) -> AgentId:
    """The person may sign in again, with the password they had. Twice is once. Raises NotFound."""
    permits.require(actor, Permission.ADMIN)

    def transaction(tx: Tx) -> AgentId:
        found = _find(tx, name)
        if found.disabled_at is not None:
            agents.change(tx, found.id, disabled_at=None)
            audit.append(tx, at=hub.now(), actor=actor.ref, event="agent.enabled", agent=found.id)
        return found.id

    return await hub.db.write(transaction)


async def prefer(
    hub: Hub, actor: Actor, *, language: str | None = None, time_zone: str | None = None
) -> None:
    """The actor reads this language, and times of this zone; None leaves it as it is."""
    permits.require(actor, Permission.PROFILE)
    wanted = {"language": language, "time_zone": time_zone}
    if language is not None and language not in LANGUAGES:
        raise Refused("language_unknown", "There is no language '{name}' here.", name=language)
    if time_zone is not None and time_zone not in available_timezones():
        raise Refused("zone_unknown", "There is no time zone '{name}'.", name=time_zone)
    values = {name: value for name, value in wanted.items() if value is not None}
    if values:
        await hub.db.write(lambda tx: agents.change(tx, actor.ref, **values))


async def call(hub: Hub, actor: Actor, display: str) -> None:
    """The actor is called so from now on. Raises Refused(name_invalid)."""
    permits.require(actor, Permission.PROFILE)
    display = _name(display)
    await hub.db.write(lambda tx: agents.change(tx, actor.ref, display=display))


def _find(tx: Tx, name: str) -> Agent:
    found = agents.find(tx.connection, name.strip())
    if found is None:
        raise NotFound(
            "agent_unknown", "There is no agent '{name}'.", hint="hub user list", name=name
        )
    return found


def _not_the_last_admin(tx: Tx, found: Agent) -> None:
    """Return if the node still has an admin without this agent. Raises Refused(last_admin)."""
    others = [
        one
        for one in agents.everyone(tx.connection)
        if one.role == Role.ADMIN and one.disabled_at is None and one.id != found.id
    ]
    if found.role == Role.ADMIN and found.disabled_at is None and not others:
        raise Refused(
            "last_admin",
            "This is the last admin: nobody could manage the node any more.",
            hint="hub user add EMAIL --role admin",
        )


def _name(text: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= _NAME_MAX or not text.isprintable():
        raise Refused("name_invalid", "The name is empty, too long or cannot be printed.")
    return text


def _known_role(role: str) -> None:
    if role not in ROLES:
        raise Refused(
            "role_unknown",
            "There is no role '{role}'.",
            hint="Roles: {known}",
            role=role,
            known=", ".join(ROLES),
        )
