"""Agents, their API tokens, and the answers kept for repeated requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hub.ids import AgentId, TokenId
from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of
from hub.storage.tables import agents, api_tokens, idempotency_keys, team_members


@dataclass(frozen=True, slots=True)
class Agent:
    """A person who works in this account."""

    id: AgentId
    email: str  # internal: never leaves the company
    display: str
    role: str
    password_hash: str | None = field(repr=False)
    created_at: datetime
    disabled_at: datetime | None
    language: str | None = None
    time_zone: str | None = None
    totp_secret: str | None = field(default=None, repr=False)  # hidden
    totp_confirmed: bool = False
    totp_step: int | None = None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A program's credential; the token itself is not kept."""

    id: TokenId
    agent_id: AgentId
    label: str
    token_hash: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request with an idempotency key was answered."""

    request_hash: str
    status: int | None
    answer: str | None
    created_at: datetime


def add(tx: Tx, agent: Agent) -> None:
    """Store a new agent."""
    tx.connection.execute(
        insert(agents).values(**{name: getattr(agent, name) for name in Agent.__dataclass_fields__})
    )


def everyone(connection: Connection) -> list[Agent]:
    """All agents, oldest first."""
    return [
        Agent(**row._mapping) for row in connection.execute(select(agents).order_by(agents.c.id))
    ]


_NAMED: Final = Query(
    select(*columns_of(agents, Agent)).where(
        (agents.c.id == bindparam("name")) | (agents.c.email == bindparam("name"))
    ),
    Agent,
)


def find(connection: Connection, name: str) -> Agent | None:
    """The agent with this id or e-mail address, or None."""
    return _NAMED.one(connection, name=name)


def change(tx: Tx, agent_id: str, **values: Any) -> None:
    """Set these columns of the agent."""
    tx.connection.execute(update(agents).where(agents.c.id == agent_id).values(**values))


def teams_of(connection: Connection, agent_id: str) -> frozenset[str]:
    """The ids of the teams this agent is in."""
    query = select(team_members.c.team_id).where(team_members.c.agent_id == agent_id)
    return frozenset(connection.scalars(query))


def add_token(tx: Tx, token: ApiToken) -> None:
    """Store a new token."""
    tx.connection.execute(
        insert(api_tokens).values(
            **{name: getattr(token, name) for name in ApiToken.__dataclass_fields__}
        )
    )


def token_with_hash(connection: Connection, token_hash: str) -> ApiToken | None:
    """The token whose SHA-256 this is, or None."""
    row = connection.execute(
        select(api_tokens).where(api_tokens.c.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else ApiToken(**row._mapping)


def tokens(connection: Connection) -> list[ApiToken]:
    """All tokens, oldest first."""
    query = select(api_tokens).order_by(api_tokens.c.id)
    return [ApiToken(**row._mapping) for row in connection.execute(query)]


def change_token(tx: Tx, token_id: str, **values: Any) -> None:
    """Set these columns of the token."""
    tx.connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(**values))


def kept_answer(connection: Connection, agent_id: str, key: str) -> KeptAnswer | None:
    """What this agent's request with this key was answered, or None."""
    row = connection.execute(
        select(
            idempotency_keys.c.request_hash,
            idempotency_keys.c.status,
            idempotency_keys.c.answer,
            idempotency_keys.c.created_at,
        ).where(idempotency_keys.c.agent_id == agent_id, idempotency_keys.c.key == key)
    ).one_or_none()
    return None if row is None else KeptAnswer(**row._mapping)


def keep_answer(
    tx: Tx, agent_id: str, key: str, *, request_hash: str, status: int, answer: str, at: datetime
) -> None:
    """Keep the answer for a repeated request."""
    tx.connection.execute(
        insert(idempotency_keys).values(
            agent_id=agent_id,
            key=key,
            request_hash=request_hash,
            status=status,
            answer=answer,
            created_at=at,
        )
    )


def forget_answers_before(tx: Tx, at: datetime) -> None:
    """Drop answers older than this."""
    tx.connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < at))
