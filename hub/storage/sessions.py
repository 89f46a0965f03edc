"""Sessions of people, links that let somebody in once, and recovery codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from hub.ids import AccessLinkId, AgentId, SessionId
from hub.storage.database import Tx
from hub.storage.tables import access_links, recovery_codes, sessions


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; what its cookie says is kept as a digest alone."""

    id: SessionId
    agent_id: AgentId
    token_hash: str = field(repr=False)
    complete: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    browser: str
    address: str


@dataclass(frozen=True, slots=True)
class AccessLink:
    """A link that lets its agent in once."""

    id: AccessLinkId
    agent_id: AgentId
    purpose: str
    token_hash: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


def add(tx: Tx, session: Session) -> None:
    """Store a new session."""
    values = {name: getattr(session, name) for name in Session.__dataclass_fields__}
    tx.connection.execute(insert(sessions).values(**values))


def with_hash(connection: Connection, token_hash: str) -> Session | None:
    """The session whose token has this SHA-256, or None."""
    row = connection.execute(
        select(sessions).where(sessions.c.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else Session(**row._mapping)


def of_agent(connection: Connection, agent_id: str) -> list[Session]:
    """Every session of the agent, the last seen first."""
    query = (
        select(sessions)
        .where(sessions.c.agent_id == agent_id)
        .order_by(sessions.c.seen_at.desc(), sessions.c.id)
    )
    return [Session(**row._mapping) for row in connection.execute(query)]


def change(tx: Tx, session_id: str, **values: Any) -> None:
    """Set these columns of the session."""
    tx.connection.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


def end(tx: Tx, session_id: str, agent_id: str) -> bool:
    """Forget this session of this agent; whether there was one."""
    found = tx.connection.execute(
        delete(sessions).where(sessions.c.id == session_id, sessions.c.agent_id == agent_id)
    )
    return bool(found.rowcount)


def end_all(tx: Tx, agent_id: str, *, but: str = "") -> int:
    """Forget every session of the agent but one; how many there were."""
    found = tx.connection.execute(
        delete(sessions).where(sessions.c.agent_id == agent_id, sessions.c.id != but)
    )
    return int(found.rowcount)


def forget_ended(tx: Tx, now: datetime, seen_before: datetime) -> None:
    """Drop sessions and links nobody can use any more."""
    tx.connection.execute(
        delete(sessions).where(or_(sessions.c.expires_at <= now, sessions.c.seen_at <= seen_before))
    )
    tx.connection.execute(delete(access_links).where(access_links.c.expires_at <= now))


# --- links that let somebody in once --------------------------------------------------------


def add_link(tx: Tx, link: AccessLink) -> None:
    """Store a new link."""
    values = {name: getattr(link, name) for name in AccessLink.__dataclass_fields__}
    tx.connection.execute(insert(access_links).values(**values))


def link_with_hash(connection: Connection, token_hash: str) -> AccessLink | None:
    """The link whose token has this SHA-256, or None."""
    row = connection.execute(
        select(access_links).where(access_links.c.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else AccessLink(**row._mapping)


def use_link(tx: Tx, link_id: str, at: datetime) -> bool:
    """The link opens nothing any more; False where it did not before either."""
    found = tx.connection.execute(
        update(access_links)
        .where(access_links.c.id == link_id, access_links.c.used_at.is_(None))
        .values(used_at=at)
    )
    return bool(found.rowcount)


def end_links(tx: Tx, agent_id: str, at: datetime) -> None:
    """No link of the agent opens anything any more."""
    tx.connection.execute(
        update(access_links)
        .where(access_links.c.agent_id == agent_id, access_links.c.used_at.is_(None))
        .values(used_at=at)
    )


# --- recovery codes -------------------------------------------------------------------------


def put_codes(tx: Tx, agent_id: str, hashes: list[str]) -> None:
    """These are the agent's recovery codes from now on, and no others."""
    tx.connection.execute(delete(recovery_codes).where(recovery_codes.c.agent_id == agent_id))
    for one in hashes:
        tx.connection.execute(insert(recovery_codes).values(agent_id=agent_id, code_hash=one))


def use_code(tx: Tx, agent_id: str, code_hash: str, at: datetime) -> bool:
    """Take this code; False where there is none or it was taken."""
    found = tx.connection.execute(
        update(recovery_codes)
        .where(
            recovery_codes.c.agent_id == agent_id,
            recovery_codes.c.code_hash == code_hash,
            recovery_codes.c.used_at.is_(None),
        )
        .values(used_at=at)
    )
    return bool(found.rowcount)


def codes_left(connection: Connection, agent_id: str) -> int:
    """How many recovery codes the agent has."""
    query = select(func.count()).where(
        recovery_codes.c.agent_id == agent_id, recovery_codes.c.used_at.is_(None)
    )
    return int(connection.execute(query).scalar_one())
