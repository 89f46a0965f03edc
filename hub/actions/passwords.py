"""Passwords: kept as argon2id digests, compared in the same time whoever asks.

One digest takes 64 MiB and a tenth of a second: they are made in threads, two at a time.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain import password as rule
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.storage import agents, audit, sessions
from hub.storage.agents import Agent
from hub.storage.database import Tx

_HASHER: Final = PasswordHasher()
_AT_ONCE: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def digest(password: str) -> str:
    """What is kept of a password."""
    return await asyncio.get_running_loop().run_in_executor(_AT_ONCE, _HASHER.hash, password)


async def matches(kept: str | None, password: str) -> bool:
    """Whether this is the password. Where none is kept it takes as long, and is not."""
    return await asyncio.get_running_loop().run_in_executor(_AT_ONCE, _matches, kept, password)


def _matches(kept: str | None, password: str) -> bool:
    try:
        _HASHER.verify(kept or _nobodys(), password[: rule.LONGEST])
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")


async def change(hub: Hub, actor: Actor, old: str, new: str, *, session_id: str) -> None:
    """The actor's password is `new`; of all sessions only this one goes on.

    Raises Refused(password_wrong | password_weak).
    """
    permits.require(actor, Permission.PROFILE)
    agent = await hub.db.read(lambda connection: agents.find(connection, actor.ref))
    assert agent is not None  # whoever acts is somebody
    if not await matches(agent.password_hash, old):
        raise Refused("password_wrong", "This is not your password.")
    rule.check(new, about_of(hub, agent))
    made = await digest(new)

    def transaction(tx: Tx) -> None:
        agents.change(tx, agent.id, password_hash=made)
        sessions.end_all(tx, agent.id, but=session_id)
        sessions.end_links(tx, agent.id, hub.now())
        audit.append(tx, at=hub.now(), actor=actor.ref, event="password.changed", agent=agent.id)

    await hub.db.write(transaction)


def about_of(hub: Hub, agent: Agent) -> tuple[str, ...]:
    """Words that a password of this agent must not consist of."""
    return (
        agent.email,
        agent.email.partition("@")[0],
        hub.account.name,
        *agent.display.split(),
    )
