"""Our people are told that something waits for them: in the console, and by letter.

Once a minute a person's lanes are looked at; what was not there before is put down once. It names
the ticket and what waits, never a word that was said. A letter goes to the address of the agent's
own record, read anew when it is composed: nobody can have it sent anywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.actions import correspondence, permits, posts
from hub.actions.context import Actor, Hub
from hub.domain import notice as rules
from hub.domain.handoff import Party, State
from hub.domain.notice import Choices, Kind, Way, kinds_for
from hub.domain.permission import Permission
from hub.errors import NotFound, Refused
from hub.ids import AgentId, TicketId
from hub.storage import agents, audit, handoffs, notices, resets, ticket_lists
from hub.storage.agents import Agent
from hub.storage.database import Connection, Tx
from hub.storage.notices import Mail, Notice

PACE: Final = timedelta(seconds=60)  # how often is looked for one person
KEPT: Final = timedelta(days=60)
LOOKED_AT: Final = 50  # things of one kind at one look
LINES_MAX: Final = 25  # of one letter; the others are counted
SHOWN_MAX: Final = 100
_BURNS: Final = timedelta(hours=4)
_BACK: Final = timedelta(days=14)
Waits = Sequence[tuple[str, str | None]]  # subject and ticket of each
News = tuple[Kind, str, str | None]  # kind, subject, ticket


async def run(hub: Hub) -> None:
    """Look for everybody whose time has come, and queue the letters that are due."""
    now = hub.now()
    looked = await hub.db.read(partial(_look, now=now))
    for agent_id, found in looked.items():
        if found:
            await hub.db.write(partial(_tell, hub=hub, agent_id=agent_id, found=found, now=now))
    if looked:
        await hub.db.write(lambda tx: notices.looked(tx, looked, now))
    for agent_id in await hub.db.read(notices.to_mail):
        await hub.db.write(partial(_mail, hub=hub, agent_id=agent_id, now=now))


async def forget(hub: Hub) -> None:
    """Drop what people were told so long ago that it waits no more, or waits anew."""
    await hub.db.write(lambda tx: notices.forget_before(tx, hub.now() - KEPT))


# --- what waits -----------------------------------------------------------------------------


def _look(connection: Connection, now: datetime) -> dict[AgentId, list[News]]:
    """What waits for everybody whose time has come and was not told; nearly always nothing.

    Reading only: a look at every lane of every agent is no reason to hold up who writes.
    """
    if resets.held_since(connection) is not None:
        return {}
    looked = {}
    for agent_id in notices.to_look(connection, now - PACE):
        agent = agents.find(connection, agent_id)
        assert agent is not None  # agents are disabled, never deleted
        looked[agent_id] = _untold(connection, agent_id, _waiting(connection, agent, now))
    return looked


def _untold(connection: Connection, agent_id: AgentId, found: Iterable[News]) -> list[News]:
    some = list(dict.fromkeys(found))
    told = notices.told(connection, agent_id, {subject for _kind, subject, _ticket in some})
    return [one for one in some if one[:2] not in told]


def _tell(tx: Tx, hub: Hub, agent_id: AgentId, found: list[News], now: datetime) -> None:
    notices.lock(tx, agent_id)
    there = notices.standing(tx.connection, agent_id)
    first = there.looked_at is None
    made = []
    for kind, subject, ticket_id in _untold(tx.connection, agent_id, found):
        by_mail = there.choices.wants(kind, Way.MAIL) and not first
        made.append(
            Notice(
                id=hub.new_id("ntc", now),
                agent_id=agent_id,
                kind=kind,
                subject=subject,
                ticket_id=None if ticket_id is None else TicketId(ticket_id),
                at=now,
                shown=there.choices.wants(kind, Way.APP) and not first,
                mail=Mail.WAITS if by_mail else Mail.NONE,
                read_at=None,
            )
        )
    notices.add(tx, made)


def _waiting(connection: Connection, agent: Agent, now: datetime) -> Iterator[News]:
    """What waits for this person now, with a subject that changes when it waits anew."""
    some: Waits
    most = LOOKED_AT

    def stand(party: Party, *states: State) -> list[tuple[str, str]]:
        return ticket_lists.in_handoff(connection, agent.id, party, states, most)

    for kind in kinds_for(agent.role):
        match kind:
            case Kind.ASSIGNED:
                some = [(one, one) for one in notices.unopened(connection, agent.id, most)]
            case Kind.ACCEPTANCE:
                some = _by_step(connection, stand(Party.CONTRACTOR, State.OFFERED))
            case Kind.REPLIES:
                spoken = ticket_lists.replies(connection, agent.id, agent.id, now - _BACK, most)
                some = [(f"{one}:{at.isoformat()}", one) for one, at in spoken.items()]
            case Kind.DEADLINE:
                burning = ticket_lists.burning(connection, agent.id, now + _BURNS, most)
                lines = ticket_lists.by_ids(connection, burning) if burning else {}
                some = [(f"{one}:{lines[one].due_at}", one) for one in burning]
            case Kind.RETURNED:
                left = ticket_lists.left_alone(connection, agent.id, most)
                some = _by_step(connection, [*stand(Party.CONTRACTOR, State.REWORK), *left])
            case Kind.RATING:
                some = _by_step(connection, stand(Party.PRINCIPAL, State.RESOLVED))
            case Kind.ALARM:
                some = [(str(one.id), None) for one in audit.open_alerts(connection)[:most]]
        for subject, ticket_id in some:
            yield kind, subject, ticket_id


def _by_step(connection: Connection, places: Iterable[tuple[str, str]]) -> Waits:
    """Each hand-off with the moment of its last step: the same state may come again."""
    pairs = list(places)
    if not pairs:
        return []
    stood = handoffs.of_tickets(connection, {ticket for ticket, _handoff in pairs})
    since = {str(one.id): one.since.isoformat() for one in stood}
    return [(f"{handoff}:{since[handoff]}", ticket) for ticket, handoff in pairs]


# --- letters --------------------------------------------------------------------------------


def _mail(tx: Tx, hub: Hub, agent_id: AgentId, now: datetime) -> None:
    notices.lock(tx, agent_id)
    agent = agents.find(tx.connection, agent_id)
    mailbox = correspondence.first_mailbox(tx)
    if agent is None or agent.disabled_at is not None or mailbox is None:
        notices.mailed(tx, agent_id, list(Kind))
        return
    there = notices.standing(tx.connection, agent_id)
    some = notices.waiting(tx.connection, agent_id, 1000)
    if not some or rules.mail_at(there.choices, some[0].at, there.mailed_at, zone_of(agent)) > now:
        return
    posts.notify(tx, hub, agent.id, mailbox, agent.email, _facts(tx.connection, some), now)
    notices.mailed(tx, agent_id)
    notices.keep(tx, agent_id, there.choices, mailed_at=now)


def zone_of(agent: Agent) -> tzinfo:
    """The time by which this person lives; where they never said, UTC."""
    try:
        return ZoneInfo(agent.time_zone) if agent.time_zone else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _facts(connection: Connection, some: list[Notice]) -> dict[str, Any]:
    """Kinds, numbers and titles: all that a letter says."""
    told = some[:LINES_MAX]
    named = ticket_lists.by_ids(connection, {one.ticket_id for one in told if one.ticket_id})
    lines = []
    for one in told:
        if one.ticket_id is None:
            lines.append([one.kind, "", ""])
        elif (ticket := named.get(one.ticket_id)) is not None:
            lines.append([one.kind, ticket.number, ticket.title])
    lines = [one for n, one in enumerate(lines) if one not in lines[:n]]  # alarms are one line
    return {
        "lines": lines,
        "more": len(some) - len(told),
        "kinds": sorted({str(one.kind) for one in some}),
    }


async def addressee(hub: Hub, agent_id: str) -> Agent:
    """Who gets a letter, as we know them now. Raises Refused where they are with us no more."""
    agent = await hub.db.read(lambda connection: agents.find(connection, agent_id))
    if agent is None or agent.disabled_at is not None:
        raise Refused("agent_disabled", "This agent is with us no more.")
    return agent


# --- leaving --------------------------------------------------------------------------------


def leaving(hub: Hub, agent_id: str, kinds: Collection[str]) -> str:
    """The token by which this person is told of these kinds by letter no more (RFC 8058)."""
    said = f"{agent_id}.{'-'.join(sorted(kinds))}"
    return f"{said}.{_proof(hub, said)}"


def _proof(hub: Hub, said: str) -> str:
    key = hub.keys.secrets.derive(b"hub leaving notices")
    digest = hmac.new(key, said.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class Leaver:
    """Who wants to be told of what no more."""

    agent_id: AgentId
    kinds: frozenset[Kind]


def opened(hub: Hub, token: str) -> Leaver:
    """Whose token this is. Raises NotFound."""
    said, _dot, proof = token.rpartition(".")
    agent_id, _dot, kinds = said.partition(".")
    names = set(kinds.split("-"))
    if not hmac.compare_digest(_proof(hub, said).encode(), proof.encode("utf-8", "replace")) or (
        not names <= set(Kind)
    ):
        raise NotFound("not_found", "There is nothing here.")
    return Leaver(AgentId(agent_id), frozenset(Kind(one) for one in names))


async def leave(hub: Hub, token: str) -> None:
    """From now on no letter about these kinds; a second time changes nothing. Raises NotFound."""
    leaver = opened(hub, token)

    def transaction(tx: Tx) -> None:
        notices.lock(tx, leaver.agent_id)
        if agents.find(tx.connection, leaver.agent_id) is None:
            raise NotFound("not_found", "There is nothing here.")
        before = notices.standing(tx.connection, leaver.agent_id).choices
        off = before.off | {(kind, Way.MAIL) for kind in leaver.kinds}
        notices.keep(tx, leaver.agent_id, replace(before, off=off))
        notices.mailed(tx, leaver.agent_id, leaver.kinds)

    await hub.db.write(transaction)


# --- what people choose ---------------------------------------------------------------------


async def choose(hub: Hub, actor: Actor, choices: Choices) -> None:
    """Be told of this from now on. Raises Refused(quiet_invalid)."""
    permits.require(actor, Permission.TICKETS_READ)
    rules.check(choices)

    def transaction(tx: Tx) -> None:
        notices.lock(tx, actor.ref)
        notices.keep(tx, actor.ref, choices)
        unwanted = [kind for kind in Kind if not choices.wants(kind, Way.MAIL)]
        notices.mailed(tx, actor.ref, unwanted)

    await hub.db.write(transaction)


async def read(hub: Hub, actor: Actor) -> None:
    """The agent has seen what they were told."""
    permits.require(actor, Permission.TICKETS_READ)
    now = hub.now()
    await hub.db.write(lambda tx: notices.read(tx, actor.ref, now))
