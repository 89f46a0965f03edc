"""Links that let somebody in once: the first admin, who is invited, who lost the password.

256 random bits, of which we keep the SHA-256; each link has one agent, one purpose and an end,
and opens once. A new one of the same agent ends those before it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from hub.actions import passwords, permits, second_factor, sessions
from hub.actions.context import Actor, Hub
from hub.actions.sessions import Browser, Opened
from hub.domain import password as rule
from hub.domain.permission import Permission
from hub.errors import NotFound, Refused, Untrusted
from hub.ids import AccessLinkId, AgentId
from hub.storage import agents, audit
from hub.storage import sessions as stored
from hub.storage.agents import Agent
from hub.storage.database import Connection, Tx
from hub.storage.sessions import AccessLink

_SECRET_BYTES: Final = 32


class Purpose(StrEnum):
    """What a link is for."""

    SET_UP = "set_up"  # the first admin of a new node chooses a password
    INVITE = "invite"  # so does whoever was added
    RESET = "reset"  # and who has lost it, or the phone with the second factor
    SIGN_IN = "sign_in"  # whoever owns this machine is let in at once


LASTS: Final[Mapping[Purpose, timedelta]] = {
    Purpose.SET_UP: timedelta(hours=24),
    Purpose.INVITE: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=2),
    Purpose.SIGN_IN: timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A new link; its token is told once."""

    token: str
    purpose: Purpose
    expires_at: datetime

    @property
    def path(self) -> str:
        """Where it leads, on our own address."""
        return f"/enter/{self.token}"


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a link is for."""

    agent: Agent
    purpose: Purpose
    expires_at: datetime


async def make(hub: Hub, actor: Actor, name: str, purpose: Purpose) -> Made:
    """A link for the agent with this id or e-mail. Raises Refused, NotFound."""
    permits.require(actor, Permission.ADMIN)
    token = base64.urlsafe_b64encode(hub.entropy.bytes(_SECRET_BYTES)).rstrip(b"=").decode()

    def transaction(tx: Tx) -> Made:
        now = hub.now()
        agent = agents.find(tx.connection, name.strip())
        if agent is None:
            raise NotFound(
                "agent_unknown", "There is no agent '{name}'.", hint="hub user list", name=name
            )
        if agent.disabled_at is not None:
            raise Refused("agent_disabled", "The agent '{name}' is disabled.", name=name)
        stored.end_links(tx, agent.id, now)
        expires_at = now + LASTS[purpose]
        stored.add_link(
            tx,
            AccessLink(
                id=AccessLinkId(hub.new_id("acl", now)),
                agent_id=agent.id,
                purpose=purpose,
                token_hash=sessions.digest(token),
                created_at=now,
                expires_at=expires_at,
                used_at=None,
            ),
        )
        audit.append(
            tx, at=now, actor=actor.ref, event="access_link.made", agent=agent.id, purpose=purpose
        )
        return Made(token, purpose, expires_at)

    return await hub.db.write(transaction)


async def nobody_can_sign_in(hub: Hub) -> bool:
    """Whether no agent has a password yet: the node has just begun."""
    everyone = await hub.db.read(agents.everyone)
    return all(one.password_hash is None for one in everyone)


async def whose(hub: Hub, token: str) -> Guest:
    """Whom this link is for. Raises Untrusted(access_link_over) whatever is wrong with it."""
    link, agent = await hub.db.read(lambda connection: _find(connection, hub, token))
    return Guest(agent, Purpose(link.purpose), link.expires_at)


async def enter(hub: Hub, token: str, browser: Browser, password: str | None = None) -> Opened:
    """Let them in, once; unless the link is of the owner of this machine, with a new password.

    Raises Untrusted(access_link_over); Refused(password_weak). What is refused uses nothing up.
    """
    link, agent = await hub.db.read(lambda connection: _find(connection, hub, token))
    purpose = Purpose(link.purpose)
    made = None
    if purpose is not Purpose.SIGN_IN:
        rule.check(password or "", passwords.about_of(hub, agent))
        made = await passwords.digest(password or "")

    def transaction(tx: Tx) -> None:
        now = hub.now()
        link, agent = _find(tx.connection, hub, token)
        if not stored.use_link(tx, link.id, now):
            raise _over("used meanwhile")
        if made is not None:
            agents.change(tx, agent.id, password_hash=made)
            stored.end_all(tx, agent.id)
            whose = Actor(agent.id, agent.display, agent.role)
            if purpose is Purpose.RESET and agent.totp_secret is not None:
                second_factor.forget(tx, hub, whose, agent.id)
        audit.append(tx, at=now, actor=agent.id, event="access_link.used", purpose=purpose)

    await hub.db.write(transaction)
    return await sessions.begin(hub, agent, browser, complete=True)


def _find(connection: Connection, hub: Hub, token: str) -> tuple[AccessLink, Agent]:
    link = stored.link_with_hash(connection, sessions.digest(token))
    if link is None:
        raise _over("unknown")
    if link.used_at is not None:
        raise _over("used or revoked")
    if link.expires_at <= hub.now():
        raise _over("expired")
    agent = agents.find(connection, AgentId(link.agent_id))
    if agent is None or agent.disabled_at is not None:
        raise _over("its agent is disabled")
    return link, agent


def _over(because: str) -> Untrusted:
    return Untrusted(
        "access_link_over",
        "This link opens nothing (any more): it was used, replaced, or its time is over.",
        because=because,
        hint="Ask an administrator for a new one.",
    )
