"""Opens the node for one command, finds out who acts, and runs the command's one coroutine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub import app
from hub.actions import denials, nodes
from hub.actions.context import Actor, Hub
from hub.cli.grammar import Manner
from hub.cli.problems import BadWords
from hub.errors import Refused
from hub.i18n import set_language
from hub.logs import set_up
from hub.queries import agents
from hub.settings import Settings, load

if TYPE_CHECKING:
    from hub.federation.client import GuardedTransport
    from hub.storage.database import Connection

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """One command at work on an open node."""

    manner: Manner
    settings: Settings
    hub: Hub
    actor: Actor
    _transport: GuardedTransport | None = field(default=None)

    @property
    def transport(self) -> GuardedTransport:
        """The way to peers."""
        from hub.federation.client import GuardedTransport  # the web stack: only where needed

        if self._transport is None:
            self._transport = GuardedTransport.from_settings(self.settings)
        return self._transport

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The result of a query."""
        return await self.hub.db.read(query)

    async def close(self) -> None:
        """Let connections to peers go."""
        if self._transport is not None:
            await self._transport.close()


def settings_of(manner: Manner, **wanted: str) -> Settings:
    """The node's settings; `wanted` wins over the file. The reader's language is set."""
    from hub.cli.root import spoken

    env = {**os.environ, **{f"HUB_{name.upper()}": value for name, value in wanted.items()}}
    settings = load(manner.data, env)
    if manner.lang is None and spoken(os.environ) is None:
        set_language(settings.lang)
    return settings


def run(manner: Manner, body: Callable[[Session], Awaitable[T]]) -> T:
    """What `body` returns, on the open node, on behalf of whoever acts."""
    settings = settings_of(manner)
    set_up("console", "debug" if manner.verbose > 1 else "info" if manner.verbose else "error")

    async def inside() -> T:
        async with app.opened(settings, os.environ) as hub:
            session = Session(manner, settings, hub, await _actor(hub, manner))
            try:
                return await body(session)
            except Refused as error:
                what = click.get_current_context().command_path
                await denials.record(hub, session.actor, error, door="cli", what=what)
                raise
            finally:
                await session.close()

    return asyncio.run(inside())


def read(manner: Manner, query: Callable[[Connection, Hub], T]) -> T:
    """The result of one query."""

    async def body(session: Session) -> T:
        return await session.read(lambda connection: query(connection, session.hub))

    return run(manner, body)


async def _actor(hub: Hub, manner: Manner) -> Actor:
    if manner.acting_as is None:
        return await nodes.first_admin(hub.db)
    name = manner.acting_as
    agent = await hub.db.read(lambda connection: agents.acting(connection, name))
    return Actor(agent.id, agent.name, agent.role)


def instant(name: str, text: str | None) -> datetime | None:
    """The instant this text says: ISO 8601; without a zone in this machine's, a bare date its end.

    Raises BadWords.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadWords(
            "instant_invalid",
            "{name}: '{text}' is not a date or time.",
            hint='Write it like {name} 2027-01-31 or {name} "2027-01-31 18:00" (ISO 8601).',
            name=name,
            text=text,
        ) from error
    if len(text.strip()) <= len("2027-01-31"):
        found = datetime.combine(found.date(), time(23, 59, 59))
    found = found.astimezone(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def may_ask(manner: Manner) -> bool:
    """Whether there is a person who can answer."""
    return not (manner.no_input or manner.json) and sys.stdin.isatty() and sys.stderr.isatty()


def pairs(name: str, said: tuple[str, ...]) -> dict[str, str]:
    """`key=value` words as a mapping. Raises BadWords."""
    found: dict[str, str] = {}
    for word in said:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise BadWords(
                "pair_invalid",
                "{name}: '{word}' is not of the form key=value.",
                hint='{name} "contact.phone=+7 900 000-00-00"',
                name=name,
                word=word,
            )
        found[key.strip()] = value
    return found


def without_empty(**said: Any) -> dict[str, Any]:
    """The members that were said."""
    return {name: value for name, value in said.items() if value is not None}
