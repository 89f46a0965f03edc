"""The second factor: codes of an authenticator app (RFC 6238), and ten to print.

The printed ones are for the day the phone is lost. A code opens once.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

import pyotp

from hub.actions import passwords, permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.errors import Conflict, Refused
from hub.storage import agents, audit, sessions
from hub.storage.agents import Agent
from hub.storage.database import Connection, Tx

CODES: Final = 10
_SECRET_BYTES: Final = 20  # RFC 4226 §4 R6
_CODE_BYTES: Final = 10
_STEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the app must be told."""

    secret: str
    uri: str


async def begin(hub: Hub, actor: Actor) -> Begun:
    """A secret for the actor's app; nothing asks for its codes until one was confirmed.

    The same until then. Raises Conflict(second_factor_on).
    """
    permits.require(actor, Permission.PROFILE)
    fresh = base64.b32encode(hub.entropy.bytes(_SECRET_BYTES)).decode()

    def transaction(tx: Tx) -> tuple[Agent, str]:
        agent = _agent(tx.connection, actor)
        if agent.totp_confirmed:
            raise Conflict("second_factor_on", "A second factor is set up already.")
        if agent.totp_secret is None:
            agents.change(tx, agent.id, totp_secret=hub.hide(fresh.encode()))
            return agent, fresh
        return agent, hub.reveal(agent.totp_secret).decode()

    agent, secret = await hub.db.write(transaction)
    uri = pyotp.TOTP(secret).provisioning_uri(name=agent.email, issuer_name=hub.account.name)
    return Begun(secret, uri)


async def confirm(hub: Hub, actor: Actor, code: str) -> list[str]:
    """From now on signing in takes a code; the recovery codes, told once.

    Raises Refused(code_wrong), Conflict(second_factor_on).
    """
    permits.require(actor, Permission.PROFILE)
    codes = _new_codes(hub)

    def transaction(tx: Tx) -> None:
        agent = _agent(tx.connection, actor)
        if agent.totp_confirmed or agent.totp_secret is None:
            raise Conflict("second_factor_on", "A second factor is set up already.")
        step = _step_of(hub, agent, code)
        if step is None:
            raise Refused("code_wrong", "This code is wrong or was used already.")
        agents.change(tx, agent.id, totp_confirmed=True, totp_step=step)
        sessions.put_codes(tx, agent.id, [_digest(one) for one in codes])
        audit.append(tx, at=hub.now(), actor=actor.ref, event="second_factor.on", agent=agent.id)

    await hub.db.write(transaction)
    return codes


async def remove(hub: Hub, actor: Actor, password: str) -> None:
    """A password is enough again. Raises Refused(password_wrong)."""
    permits.require(actor, Permission.PROFILE)
    agent = await hub.db.read(lambda connection: _agent(connection, actor))
    if not await passwords.matches(agent.password_hash, password):
        raise Refused("password_wrong", "This is not your password.")
    await hub.db.write(lambda tx: forget(tx, hub, actor, agent.id))


def forget(tx: Tx, hub: Hub, actor: Actor, agent_id: str) -> None:
    """The agent has no second factor any more."""
    agents.change(tx, agent_id, totp_secret=None, totp_confirmed=False, totp_step=None)
    sessions.put_codes(tx, agent_id, [])
    audit.append(tx, at=hub.now(), actor=actor.ref, event="second_factor.off", agent=agent_id)


def takes(tx: Tx, hub: Hub, agent_id: str, code: str) -> bool:
    """Whether this code opens now; it does not open again."""
    agent = agents.find(tx.connection, agent_id)
    if agent is None or not agent.totp_confirmed:
        return False
    step = _step_of(hub, agent, code)
    if step is not None:
        agents.change(tx, agent_id, totp_step=step)
        return True
    now = hub.now()
    if not sessions.use_code(tx, agent_id, _digest(code), now):
        return False
    left = sessions.codes_left(tx.connection, agent_id)
    audit.append(tx, at=now, actor=agent_id, event="recovery_code.used", left=left)
    return True


async def codes_left(hub: Hub, actor: Actor) -> int:
    """How many recovery codes the actor has."""
    permits.require(actor, Permission.PROFILE)
    return await hub.db.read(lambda connection: sessions.codes_left(connection, actor.ref))


def _step_of(hub: Hub, agent: Agent, code: str) -> int | None:
    """The step whose code this is, if it is near now and behind the last one used."""
    if agent.totp_secret is None:
        return None
    said = "".join(code.split())
    totp = pyotp.TOTP(hub.reveal(agent.totp_secret).decode())
    present = totp.timecode(hub.now())
    for step in (present, present - 1, present + 1):
        fits = hmac.compare_digest(totp.generate_otp(step).encode(), said.encode())
        if fits and (agent.totp_step is None or step > agent.totp_step):
            return step
    return None


def _new_codes(hub: Hub) -> list[str]:
    made = []
    for _ in range(CODES):
        text = base64.b32encode(hub.entropy.bytes(_CODE_BYTES)).decode().lower()
        made.append("-".join(text[at : at + 4] for at in range(0, len(text), 4)))
    return made


def _digest(code: str) -> str:
    """What is kept of a recovery code: 80 random bits need no stretching."""
    return sha256("".join(code.lower().replace("-", "").split()).encode()).hexdigest()


def _agent(connection: Connection, actor: Actor) -> Agent:
    found = agents.find(connection, actor.ref)
    assert found is not None  # whoever acts is somebody
    return found
