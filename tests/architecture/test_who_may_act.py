"""No action gets by the policy: each is called as somebody who may nothing, and refuses."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.actions.context import Actor
from hub.domain.permission import Permission, Role, may
from hub.errors import Refused

ROOT = Path(__file__).parents[2] / "hub"
DOORS = ("console", "api", "cli")
NOBODY = Actor("agt_00000000000000000000000000000000", "Nobody", "nobody")

WITHOUT_ACTOR = {
    # Whoever comes here proves who they are by it: a password, a code, a link that opens once.
    "access.enter": "by the link",
    "access.whose": "by the link",
    "sessions.sign_in": "by the password",
    "sessions.enter_code": "by the code",
    "sessions.authenticate": "by the cookie",
    "tokens.authenticate": "by the token",
    "notices.leave": "by the link",
    "guests.reply": "by the link",
    "guests.rate": "by the link",
    "mail_acts.act": "by the link in the letter",
    "mail_terms.answer": "by the link in the letter",
    # They only look; what may be looked at is said in the tables of pages and routes.
    "access.nobody_can_sign_in": "looks",
    "handoffs.preview": "looks",
    "tokens.everyone": "looks",
    "desks.find": "looks",
    "key_overview.everything": "looks",
    "nodes.first_admin": "the owner of the machine acts",
    "backups.verify": "reads a file of the owner of the machine",
    "restores.restore": "the owner of the machine; there is no node to ask",
    # Kept or counted beside an action that asks.
    "files.take": "stores bytes that belong to nothing yet",
    "repeats.kept": "an answer given before, by the agent's own key",
    "repeats.once": "an answer given before, by the agent's own key",
    "repeats.keep": "an answer given before, by the agent's own key",
    "peer_keys.compare": "compares what a partner says of itself with what is pinned",
    "keys.refresh": "reads the keys another process made",
    "webhooks.settle": "keeps what became of an attempt",
    "denials.record": "writes down what was refused",
}
"""Actions of people and programs that ask for no permission, and why that is right."""

LOOKERS = {
    *("agents.prefer", "agents.call", "passwords.change"),
    *("second_factor.begin", "second_factor.confirm", "second_factor.remove"),
    *("second_factor.codes_left", "sessions.end", "sessions.end_others", "sessions.mine"),
    *("tokens.new", "tokens.revoke", "notices.choose", "notices.read"),
    *("personal.save_view", "personal.remove_view", "personal.look_on", "personal.look_away"),
}
"""All that somebody may do who only looks: their own sign-in, lists, and being seen to look."""


def actions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every action that is done on behalf of somebody, as module.function."""
    for path in sorted((ROOT / "actions").glob("*.py")):
        module = importlib.import_module(f"hub.actions.{path.stem}")
        for name, one in inspect.getmembers(module, inspect.iscoroutinefunction):
            here = one.__module__ == module.__name__ and not name.startswith("_")
            takes = inspect.signature(one).parameters.get("actor") if here else None
            if takes is not None and takes.annotation == "Actor":
                yield f"{path.stem}.{name}", one


async def refusal(action: Callable[..., Any], actor: Actor) -> str:
    """The code with which the action refuses this actor before it looks at anything else."""
    wanted: dict[str, Any] = {
        name: actor if name == "actor" else None
        for name, one in inspect.signature(action).parameters.items()
        if one.default is inspect.Parameter.empty
    }
    with pytest.raises(Refused) as refused:
        await action(**wanted)
    return refused.value.code


ACTIONS = {name: one for name, one in actions() if name not in WITHOUT_ACTOR}


@pytest.mark.parametrize("name", ACTIONS)
async def test_an_action_refuses_who_may_nothing(name: str) -> None:
    assert await refusal(ACTIONS[name], NOBODY) == "not_yours"


@pytest.mark.parametrize("name", sorted(ACTIONS.keys() - LOOKERS))
async def test_who_only_looks_changes_nothing(name: str) -> None:
    looker = Actor(NOBODY.ref, "Looker", Role.READ_ONLY)
    assert await refusal(ACTIONS[name], looker) == "not_yours"


@pytest.mark.parametrize("name", ACTIONS)
async def test_a_token_without_scopes_opens_no_action(name: str) -> None:
    program = Actor(NOBODY.ref, "Program", Role.ADMIN, frozenset())
    assert await refusal(ACTIONS[name], program) == "not_yours"


def test_what_doors_call_without_saying_who_acts_is_known() -> None:
    """A new one either takes an actor, or stands in the table with its reason."""
    called = set()
    for door in DOORS:
        for path in (ROOT / door).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            modules = {
                alias.asname or alias.name: alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module == "hub.actions"
                for alias in node.names
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    module = modules.get(node.value.id)
                    if module is None:
                        continue
                    one = getattr(importlib.import_module(f"hub.actions.{module}"), node.attr)
                    if inspect.iscoroutinefunction(one):
                        called.add(f"{module}.{node.attr}")
    assert len(ACTIONS) > 80
    assert called - ACTIONS.keys() == WITHOUT_ACTOR.keys()


def test_roles_grow_as_they_are_said_to() -> None:
    """Who leads may all that a dispatcher may; an engineer works and does not dispatch."""
    for one in Permission:
        assert may(Role.LEAD, one) >= may(Role.DISPATCHER, one)
        assert may(Role.ADMIN, one)
    assert not may(Role.ENGINEER, Permission.HANDOFFS_WRITE)
    assert not may(Role.DISPATCHER, Permission.RULES_WRITE)
