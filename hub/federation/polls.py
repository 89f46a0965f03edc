"""Calls that wait until there is news for their caller: bounded, and without holding anything.

While it waits, such a call is one event and one timer: no connection to the database, no place
of a worker. It is woken by what this process queues, and looks by itself now and then for what
another process did. Of one link one call waits; a newer one ends the wait of the one before,
whose caller is no longer there to hear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from hub.actions.context import Hub
from hub.actions.outgoing import deliver_topic
from hub.errors import Unavailable
from hub.ids import LinkId

MAX_WAIT_S: Final = 25.0  # less than proxies let a silent answer wait
_LOOK_AGAIN_S: Final = 5.0  # another process may have queued something

T = TypeVar("T")


class Polls:
    """The calls that wait at one door."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: dict[str, asyncio.Event] = {}  # link → set to end its wait
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def first(self, link_id: LinkId, look: Callable[[], Awaitable[T]], wait_s: float) -> T:
        """What `look` finds as soon as it finds something, at the latest after `wait_s`.

        Raises what `look` raises; Unavailable(overloaded) where too many wait already.
        """
        clock = self._hub.clock
        ends = clock.monotonic() + min(wait_s, MAX_WAIT_S)
        with self._hub.wakes.watch(deliver_topic(link_id)) as woken:
            found = await look()
            if found or wait_s <= 0 or self._closed:
                return found
            before = self._waiting.pop(link_id, None)
            if before is not None:
                before.set()
            if len(self._waiting) >= self._hub.limits.polls_at_once:
                raise Unavailable(
                    "overloaded", "Too many calls wait here.", after=timedelta(seconds=5)
                )
            ended = self._waiting[link_id] = asyncio.Event()
            try:
                while not found and not ended.is_set() and (left := ends - clock.monotonic()) > 0:
                    await self._until(min(left, _LOOK_AGAIN_S), woken, ended)
                    woken.clear()
                    found = await look()
                return found
            finally:
                if self._waiting.get(link_id) is ended:
                    del self._waiting[link_id]

    async def _until(self, seconds: float, *events: asyncio.Event) -> None:
        """Return when one of the events is set, or after that time."""
        waits = [asyncio.ensure_future(one.wait()) for one in events]
        waits.append(asyncio.ensure_future(self._hub.clock.sleep(seconds)))  # type: ignore[arg-type]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def close(self) -> None:
        """End every wait: the node stops."""
        self._closed = True
        for one in self._waiting.values():
            one.set()
