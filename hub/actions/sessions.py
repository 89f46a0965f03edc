"""Sessions of people: begun with a password (and a code), ended by anybody they belong to.

What the browser keeps are 256 random bits; we keep their SHA-256. A session ends when nobody
used it for half a day, after a week in any case, when its agent says so, with a new password,
with the agent, and with a restore.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from hub.actions import passwords, permits, second_factor
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.errors import NotFound, Untrusted
from hub.ids import AgentId, SessionId
from hub.storage import agents, audit, sessions
from hub.storage.agents import Agent
from hub.storage.database import Connection, Tx
from hub.storage.sessions import Session

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
_CODE_WAIT: Final = timedelta(minutes=10)  # between the password and the code
_SEEN_EVERY: Final = timedelta(minutes=1)
"""How exact `seen_at` is: a write for every request would cost more than it tells."""

_SECRET_BYTES: Final = 32
_BROWSER_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Browser:
    """What somebody signs in with."""

    name: str  # as it calls itself
    address: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun; its token is told once."""

    token: str
    session: Session


@dataclass(frozen=True, slots=True)
class Present:
    """Who is signed in with this session."""

    actor: Actor
    session: Session
    agent: Agent


async def sign_in(hub: Hub, email: str, password: str, browser: Browser) -> Opened:
    """A session of whoever has this address and password; not complete where a code is due.

    Raises Untrusted(sign_in_failed), in the same words and time whatever is wrong.
    """
    agent = await hub.db.read(lambda connection: agents.find(connection, email.strip()))
    is_it = await passwords.matches(None if agent is None else agent.password_hash, password)
    if agent is None or not is_it or agent.disabled_at is not None or email.startswith("agt_"):
        raise Untrusted(
            "sign_in_failed",
            "The address and the password do not fit together.",
            because="unknown" if agent is None else agent.id,
        )
    return await begin(hub, agent, browser, complete=not agent.totp_confirmed)


async def enter_code(hub: Hub, token: str, code: str) -> Opened:
    """A complete session instead of the one that waits for a code. Raises Untrusted."""
    found = await hub.db.read(lambda connection: _find(connection, token))
    now = hub.now()
    if (
        found is None
        or found[0].complete
        or found[0].expires_at <= now
        or found[1].disabled_at is not None
    ):
        raise _over("not waiting for a code")
    session, agent = found

    def transaction(tx: Tx) -> bool:
        if not second_factor.takes(tx, hub, agent.id, code):
            return False
        sessions.end(tx, session.id, agent.id)
        return True

    if not await hub.db.write(transaction):
        raise Untrusted("code_wrong", "This code is wrong or was used already.", because=agent.id)
    return await begin(hub, agent, Browser(session.browser, session.address), complete=True)


async def begin(hub: Hub, agent: Agent, browser: Browser, *, complete: bool) -> Opened:
    """A new session of this agent, known to be them."""
    token = base64.urlsafe_b64encode(hub.entropy.bytes(_SECRET_BYTES)).rstrip(b"=").decode()

    def transaction(tx: Tx) -> Session:
        now = hub.now()
        session = Session(
            id=SessionId(hub.new_id("ses", now)),
            agent_id=agent.id,
            token_hash=digest(token),
            complete=complete,
            created_at=now,
            seen_at=now,
            expires_at=now + (LONGEST if complete else _CODE_WAIT),
            browser=browser.name[:_BROWSER_MAX],
            address=browser.address[:64],
        )
        sessions.forget_ended(tx, now, now - IDLE)
        sessions.add(tx, session)
        if complete:
            audit.append(
                tx, at=now, actor=agent.id, event="session.begun", session=session.id,
                address=session.address,
            )  # fmt: skip
        return session

    return Opened(token, await hub.db.write(transaction))


async def authenticate(hub: Hub, token: str) -> Present:
    """Who is signed in with this token. Raises Untrusted(session_over) whatever is wrong."""
    found = await hub.db.read(lambda connection: _find(connection, token))
    if found is None:
        raise _over("unknown")
    session, agent = found
    now = hub.now()
    if not session.complete:
        raise _over("a code is due")
    if session.expires_at <= now or session.seen_at + IDLE <= now:
        raise _over("its time is over")
    if agent.disabled_at is not None:
        raise _over("its agent is disabled")
    if now - session.seen_at >= _SEEN_EVERY:
        await hub.db.write(lambda tx: sessions.change(tx, session.id, seen_at=now))
        session = replace(session, seen_at=now)
    return Present(Actor(agent.id, agent.display, agent.role), session, agent)


async def end(hub: Hub, actor: Actor, session_id: str) -> None:
    """One session of the actor is over. Raises NotFound where they have no such session."""
    permits.require(actor, Permission.PROFILE)

    def transaction(tx: Tx) -> None:
        if not sessions.end(tx, session_id, actor.ref):
            raise NotFound("not_found", "There is no such session.")
        audit.append(tx, at=hub.now(), actor=actor.ref, event="session.ended", session=session_id)

    await hub.db.write(transaction)


async def end_others(hub: Hub, actor: Actor, but: str) -> int:
    """All sessions of the actor but one are over; how many there were."""
    permits.require(actor, Permission.PROFILE)

    def transaction(tx: Tx) -> int:
        ended = sessions.end_all(tx, actor.ref, but=but)
        audit.append(tx, at=hub.now(), actor=actor.ref, event="sessions.ended", count=ended)
        return ended

    return await hub.db.write(transaction)


async def mine(hub: Hub, actor: Actor) -> list[Session]:
    """The actor's sessions that are not over, the last seen first."""
    permits.require(actor, Permission.PROFILE)
    now = hub.now()
    found = await hub.db.read(lambda connection: sessions.of_agent(connection, actor.ref))
    return [one for one in found if one.complete and _lasts(one, now)]


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _lasts(session: Session, now: datetime) -> bool:
    return session.expires_at > now and session.seen_at + IDLE > now


def _find(connection: Connection, token: str) -> tuple[Session, Agent] | None:
    session = sessions.with_hash(connection, digest(token))
    agent = None if session is None else agents.find(connection, AgentId(session.agent_id))
    return None if session is None or agent is None else (session, agent)


def _over(because: str) -> Untrusted:
    return Untrusted("session_over", "Please sign in.", because=because)
