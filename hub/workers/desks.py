"""Desks, all of them side by side, one process at a time at each."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from hub.actions import desks, pushing
from hub.actions.context import Hub
from hub.bridge.host import DeskHost
from hub.bridge.turn import turn
from hub.workers.loop import Lanes

AT_ONCE: Final = 4


class Desks:
    """Reads every desk when it is time, and tells it what is new here."""

    topic = desks.TOPIC

    def __init__(self, hub: Hub, host: DeskHost, *, wait: bool = False) -> None:
        """With `wait`, a turn ends only when its desks are done: for tests."""
        self._hub = hub
        self._host = host
        self._lanes = Lanes(AT_ONCE)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start with every desk that is at work; when the next one is due."""
        later: list[datetime] = []
        for one in await desks.at_work(self._hub):
            self._lanes.start(
                one.id, partial(turn, self._host, one.id), doubtful=one.failing_since is not None
            )
        if self._wait:
            await self._lanes.idle()
        for one in await desks.at_work(self._hub):
            later += [
                at
                for at in (
                    one.next_at,
                    await pushing.next_at(self._hub, one.id),
                    await desks.looks_next(self._hub, one.id),
                )
                if at is not None and at > self._hub.now()
            ]
        return min(later, default=None)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        await self._lanes.idle()
