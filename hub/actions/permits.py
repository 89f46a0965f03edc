"""What every action asks first: whether the one who acts may do that, and on that ticket.

There is one policy, the table of `domain/permission.py`. A test calls every action as somebody
who may nothing: one that does not ask here first does not get by.
"""

from __future__ import annotations

from hub.actions.context import Actor
from hub.domain.permission import Permission, may, works_on
from hub.errors import Refused
from hub.storage import agents, assignments, tickets
from hub.storage.database import Connection


def require(actor: Actor, *any_of: Permission) -> None:
    """Return if this actor may do one of these. Raises Refused(not_yours).

    What a token was not made for, it lacks, whoever its agent is.
    """
    if not any(holds(actor, one) for one in any_of):
        raise Refused("not_yours", "Your role does not allow this.")


def holds(actor: Actor, permission: Permission) -> bool:
    """Whether both the role and the token, if it is one, allow this."""
    within = actor.scopes is None or permission in actor.scopes
    return within and may(actor.role, permission)


def on_tickets(connection: Connection, actor: Actor, *ticket_ids: str) -> None:
    """Return if these tickets are the actor's to work on. Raises NotFound, Refused(not_your_team).

    Whoever takes tickets in and assigns them works on all of them. Others work on those of their
    teams, on those of no team and on those that are theirs.
    """
    if may(actor.role, Permission.TICKETS_WRITE):
        return
    mine = agents.teams_of(connection, actor.ref)
    for one in ticket_ids:
        assignee = tickets.get(connection, one).assignee
        team = assignments.get(connection, one).team_id
        if not works_on(actor.ref, mine, assignee=assignee, team=team):
            raise Refused("not_your_team", "This ticket is another team's.")
