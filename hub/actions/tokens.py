"""API tokens: what a program shows instead of a person's password.

A token acts for one agent, within scopes, and is shown once: only its SHA-256 is kept. It is
256 random bits, so the digest needs no salt and no stretching. The last six characters are a
checksum: a mistyped or cut token is told apart without asking the database, and leaked ones
can be searched for by shape (`hub_` and 49 letters and digits).
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from hub.actions import denials, permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import SCOPES, Permission, may, within
from hub.errors import NotFound, Refused, Untrusted
from hub.ids import AgentId, TokenId
from hub.storage import agents, audit
from hub.storage.agents import Agent, ApiToken
from hub.storage.database import Connection, Tx

LABEL_MAX: Final = 200
_PREFIX: Final = "hub_"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES: Final = 32
_SECRET_CHARS: Final = 43  # 62 ** 43 > 2 ** 256
_CHECK_CHARS: Final = 6  # 62 ** 6 > 2 ** 32
_SHAPE: Final = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{{_SECRET_CHARS + _CHECK_CHARS}}}")
_USED_EVERY: Final = timedelta(minutes=1)
"""How exact `last_used_at` is: a write for every request would cost more than it tells."""


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits


def _checksum(text: str) -> str:
    return _base62(crc32(text.encode("ascii")), _CHECK_CHARS)


def _digest(plaintext: str) -> str:
    return sha256(plaintext.encode("ascii")).hexdigest()


async def new(
    hub: Hub,
    actor: Actor,
    agent_id: AgentId,
    label: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
) -> tuple[TokenId, str]:
    """Make a token for this agent; its id, and the token itself, which is not kept.

    Raises Refused(scopes_invalid | label_invalid | token_expired | not_yours), NotFound.
    """
    permits.require(actor, Permission.PROFILE, Permission.ADMIN)
    wanted = _known(scopes)
    label = label.strip()
    if not 0 < len(label) <= LABEL_MAX:
        raise Refused(
            "label_invalid", "Give the token a name of at most {limit} characters.", limit=LABEL_MAX
        )
    secret = _base62(int.from_bytes(hub.entropy.bytes(_SECRET_BYTES), "big"), _SECRET_CHARS)
    body = _PREFIX + secret
    plaintext = body + _checksum(body)

    def transaction(tx: Tx) -> TokenId:
        now = hub.now()
        if expires_at is not None and expires_at <= now:
            raise Refused("token_expired", "The token would expire before it is made.")
        agent = agents.find(tx.connection, agent_id)
        if agent is None or agent.disabled_at is not None:
            raise NotFound("not_found", "There is no such agent.")
        _may(actor, agent.id)
        if beyond := [one for one in wanted if not may(agent.role, Permission(one))]:
            raise Refused(
                "scopes_invalid",
                "The role of this agent does not allow the scope '{name}'.",
                name=beyond[0],
            )
        token = ApiToken(
            id=TokenId(hub.new_id("tok", now)),
            agent_id=agent.id,
            label=label,
            token_hash=_digest(plaintext),
            scopes=wanted,
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
            revoked_at=None,
        )
        agents.add_token(tx, token)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="token.made",
            token=token.id,
            agent=agent.id,
            label=label,
            scopes=wanted,
        )
        return token.id

    return await hub.db.write(transaction), plaintext


def _known(scopes: Iterable[str]) -> list[str]:
    wanted = sorted(set(scopes))
    unknown = [name for name in wanted if name not in SCOPES]
    if unknown or not wanted:
        raise Refused(
            "scopes_invalid",
            "There is no scope '{name}'." if unknown else "A token without scopes is of no use.",
            hint="Scopes: {known}",
            name=unknown[0] if unknown else "",
            known=" ".join(SCOPES),
        )
    return wanted


def _may(actor: Actor, agent_id: AgentId) -> None:
    """A token is a matter of its own agent or of an admin; never of a lesser token."""
    if not permits.holds(actor, Permission.ADMIN) and (
        actor.scopes is not None or actor.ref != agent_id
    ):
        raise Refused("not_yours", "Only an administrator does this for others.")


async def revoke(hub: Hub, actor: Actor, token_id: TokenId) -> None:
    """The token opens nothing from now on. Twice is once. Raises NotFound."""
    permits.require(actor, Permission.PROFILE, Permission.ADMIN)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        token = next((one for one in agents.tokens(tx.connection) if one.id == token_id), None)
        if token is None:
            raise NotFound("not_found", "There is no such token.")
        _may(actor, token.agent_id)
        if token.revoked_at is not None:
            return
        agents.change_token(tx, token_id, revoked_at=now)
        audit.append(tx, at=now, actor=actor.ref, event="token.revoked", token=token_id)

    await hub.db.write(transaction)


async def everyone(hub: Hub) -> list[ApiToken]:
    """All tokens, oldest first, with those that open nothing any more."""
    return await hub.db.read(agents.tokens)


@dataclass(frozen=True, slots=True)
class _Found:
    token: ApiToken
    agent: Agent


async def authenticate(hub: Hub, plaintext: str) -> Actor:
    """For whom this token speaks, and within which scopes.

    Raises Untrusted(token_invalid) whatever is wrong with it: unknown, expired, revoked, of a
    disabled agent. Which of them it is, only our log knows.
    """
    if _SHAPE.fullmatch(plaintext) is None:
        raise _wrong("not of the shape of a token")
    body, check = plaintext[:-_CHECK_CHARS], plaintext[-_CHECK_CHARS:]
    if check != _checksum(body):
        raise _wrong("mistyped")
    digest = _digest(plaintext)
    found = await hub.db.read(lambda connection: _find(connection, digest))
    if found is None:
        raise _wrong("unknown")
    token, agent, now = found.token, found.agent, hub.now()
    why = None
    if token.revoked_at is not None:
        why = "revoked"
    elif token.expires_at is not None and token.expires_at <= now:
        why = "expired"
    elif agent.disabled_at is not None:
        why = "agent_disabled"
    if why is not None:
        await denials.record_token(hub, token, why)
        raise _wrong(f"{token.id}: {why}")
    if token.last_used_at is None or now - token.last_used_at >= _USED_EVERY:
        await hub.db.write(lambda tx: _note_use(tx, token, now))
    # Read anew each time: who is no administrator any more has no such token any more either.
    return Actor(agent.id, agent.display, agent.role, within(token.scopes, agent.role))


def _note_use(tx: Tx, token: ApiToken, now: datetime) -> None:
    """Remember it; the first use of a day is a login, and recorded as one."""
    if token.last_used_at is None or token.last_used_at.date() != now.date():
        audit.append(tx, at=now, actor=token.agent_id, event="token.used", token=token.id)
    agents.change_token(tx, token.id, last_used_at=now)


def _find(connection: Connection, digest: str) -> _Found | None:
    token = agents.token_with_hash(connection, digest)
    agent = None if token is None else agents.find(connection, token.agent_id)
    return None if token is None or agent is None else _Found(token, agent)


def _wrong(because: str) -> Untrusted:
    return Untrusted(
        "token_invalid",
        "This token is not valid (any more).",
        because=because,
        hint="Make a new one: hub token new",
    )
