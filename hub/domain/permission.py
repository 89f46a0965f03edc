"""Who may do what: one table of roles and permissions, and nobody may what is not in it.

The console, programs' tokens and the command line ask this table, and so do actions: a door that
forgets to ask opens nothing. A token's scopes are permissions too: they narrow what its agent's
role may, never widen it. On whose tickets somebody works, teams say (docs/decisions/0026).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is here to do."""

    DISPATCHER = "dispatcher"  # takes tickets in, hands them off, answers partners
    ENGINEER = "engineer"  # works on tickets
    LEAD = "lead"  # a dispatcher who also mends deliveries and keeps directories and rules
    ADMIN = "admin"  # everything, people and partners among it
    INTEGRATOR = "integrator"  # reads, and looks after deliveries, desks and webhooks
    READ_ONLY = "read_only"  # looks


class Permission(StrEnum):
    """One thing somebody may."""

    PROFILE = "profile"  # one's own password, sessions, tokens, language
    TICKETS_READ = "tickets:read"
    TICKETS_WORK = "tickets:work"  # comment, add files, change states, tick checklists
    TICKETS_WRITE = "tickets:write"  # take in, change, assign
    HANDOFFS_WRITE = "handoffs:write"  # offer to partners, answer them, rate
    LINKS_READ = "links:read"
    LINKS_WRITE = "links:write"  # invite, accept, change terms, suspend, close
    DELIVERIES_READ = "deliveries:read"  # messages on their way, alarms
    DELIVERIES_WRITE = "deliveries:write"  # replay, skip
    DIRECTORIES_READ = "directories:read"  # customers, sites, assets, canned answers
    DIRECTORIES_WRITE = "directories:write"
    RULES_WRITE = "rules:write"  # fields, calendars, routing, notifications of everybody
    DESKS_WRITE = "desks:write"  # connectors, mailboxes, webhooks
    REPORTS_READ = "reports:read"
    HEALTH_READ = "health:read"
    AUDIT_READ = "audit:read"
    ADMIN = "admin"  # people, their tokens, the node itself


_LOOKS: Final = frozenset(
    {
        Permission.PROFILE,
        Permission.TICKETS_READ,
        Permission.LINKS_READ,
        Permission.DELIVERIES_READ,
        Permission.DIRECTORIES_READ,
        Permission.REPORTS_READ,
    }
)
_DISPATCHES: Final = _LOOKS | {
    Permission.TICKETS_WORK,
    Permission.TICKETS_WRITE,
    Permission.HANDOFFS_WRITE,
    Permission.DIRECTORIES_WRITE,
}

ALLOWED: Final[Mapping[str, frozenset[Permission]]] = {
    Role.READ_ONLY: _LOOKS,
    Role.ENGINEER: frozenset(
        {
            Permission.PROFILE,
            Permission.TICKETS_READ,
            Permission.TICKETS_WORK,
            Permission.DIRECTORIES_READ,
        }
    ),
    Role.DISPATCHER: _DISPATCHES,
    Role.LEAD: _DISPATCHES
    | {Permission.DELIVERIES_WRITE, Permission.RULES_WRITE, Permission.HEALTH_READ},
    Role.INTEGRATOR: _LOOKS
    | {Permission.DELIVERIES_WRITE, Permission.DESKS_WRITE, Permission.HEALTH_READ},
    Role.ADMIN: frozenset(Permission),
    "system": frozenset(Permission) - {Permission.PROFILE},  # the node's own rules and timers
}
"""What each role may. A role that is not here may nothing."""


def may(role: str, permission: Permission) -> bool:
    """Whether somebody of this role may do this."""
    return permission in ALLOWED.get(role, frozenset())


def works_on(
    agent_id: str, teams: Collection[str], *, assignee: str | None, team: str | None
) -> bool:
    """Whether a ticket of this assignee and team is for an agent in these teams to work on."""
    return team is None or team in teams or assignee == agent_id


SCOPES: Final = tuple(one for one in Permission if one is not Permission.PROFILE)
"""What a token can be made for. A person's own password, sessions and tokens are for no program."""

INCLUDES: Final[Mapping[Permission, frozenset[Permission]]] = {
    Permission.TICKETS_READ: frozenset({Permission.DIRECTORIES_READ}),
    Permission.TICKETS_WRITE: frozenset({Permission.TICKETS_WORK, Permission.DIRECTORIES_WRITE}),
    Permission.ADMIN: frozenset({Permission.RULES_WRITE, Permission.DESKS_WRITE}),
}
"""Scopes that open more than their own name: what they opened before there were finer ones."""


def within(scopes: Iterable[str], role: str) -> frozenset[Permission]:
    """What a token with these scopes opens as long as its agent has this role."""
    known = {Permission(one) for one in scopes if one in SCOPES}
    wide = known.union(*(INCLUDES.get(one, frozenset()) for one in known))
    return frozenset(one for one in wide if may(role, one))
