"""Teams: made, changed and taken away by whoever makes rules for everybody."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.lengths import SHORT_MAX, check_text
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused
from hub.ids import TeamId
from hub.storage import agents, audit, teams
from hub.storage.database import Tx
from hub.storage.teams import Team

MOST: Final = 200


async def add(hub: Hub, actor: Actor, name: str, members: Collection[str] = ()) -> TeamId:
    """Put these agents together under a name.

    Raises Refused(name_missing | text_too_long | too_many_teams | agent_unknown),
    Conflict(team_known).
    """
    permits.require(actor, Permission.RULES_WRITE)
    name = _named(name)

    def transaction(tx: Tx) -> TeamId:
        now = hub.now()
        if len(teams.everyone(tx.connection)) >= MOST:
            raise Refused("too_many_teams", "There are {limit} teams already.", limit=MOST)
        _check_free(tx, name, None)
        made = Team(TeamId(hub.new_id("tea", now)), name, now)
        teams.add(tx, made)
        teams.set_members(tx, made.id, _known(tx, members))
        audit.append(tx, at=now, actor=actor.ref, event="team.added", team=made.id, name=name)
        return made.id

    return await hub.db.write(transaction)


async def change(hub: Hub, actor: Actor, team_id: str, name: str, members: Collection[str]) -> None:
    """The team is called so and has these members, and nobody else. Raises as `add`, NotFound."""
    permits.require(actor, Permission.RULES_WRITE)
    name = _named(name)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _get(tx, team_id)
        _check_free(tx, name, found.id)
        known = _known(tx, members)
        teams.rename(tx, found.id, name)
        teams.set_members(tx, found.id, known)
        audit.append(
            tx, at=now, actor=actor.ref, event="team.changed", team=found.id, members=sorted(known)
        )

    await hub.db.write(transaction)


async def remove(hub: Hub, actor: Actor, team_id: str) -> None:
    """Take the team away; its tickets stay with whoever has them. Raises NotFound."""
    permits.require(actor, Permission.RULES_WRITE)

    def transaction(tx: Tx) -> None:
        found = _get(tx, team_id)
        teams.remove(tx, found.id)
        audit.append(tx, at=hub.now(), actor=actor.ref, event="team.removed", team=found.id)

    await hub.db.write(transaction)


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise Refused("name_missing", "A name is needed.")
    check_text("name", name, SHORT_MAX)
    return name


def _get(tx: Tx, team_id: str) -> Team:
    found = teams.find(tx.connection, team_id)
    if found is None:
        raise NotFound("not_found", "There is no such team.")
    return found


def _check_free(tx: Tx, name: str, mine: str | None) -> None:
    known = teams.called(tx.connection, name)
    if known is not None and known.id != mine:
        raise Conflict("team_known", "There is a team '{name}' already.", name=name)


def _known(tx: Tx, members: Collection[str]) -> set[str]:
    """These agents, if all of them are ours and may act. Raises Refused(agent_unknown)."""
    enabled = {one.id for one in agents.everyone(tx.connection) if one.disabled_at is None}
    if unknown := sorted(set(members) - enabled):
        raise Refused("agent_unknown", "There is no agent '{name}'.", name=unknown[0][:100])
    return set(members)
