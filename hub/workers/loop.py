"""The crank: claim → handle → settle, for deliveries, the inbox, files, handshakes and timers.

Every crank has one `turn`: do all that is due now, say when the next turn is due. A running
node turns each crank when it is woken or when its time comes; networks on a virtual clock turn
them by hand, so both run the same code. Waking is a hint that may be lost: every crank also
looks by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

from hub.actions.context import Hub
from hub.errors import HubError
from hub.logs import get_logger

LOOK_EVERY_S: Final = 5.0  # without being woken
_log = get_logger("hub.workers")


class Crank(Protocol):
    """One kind of work."""

    @property
    def topic(self) -> str:
        """What wakes it."""
        ...

    async def turn(self) -> datetime | None:
        """Do what is due; when the next is due, None if nobody knows."""
        ...


@runtime_checkable
class Lasting(Crank, Protocol):
    """Work that goes on beside its turns."""

    async def idle(self) -> None:
        """Return when nothing of it is under way."""
        ...


@dataclass(slots=True)
class Mill:
    """Turns cranks until it is told to stop."""

    hub: Hub
    cranks: tuple[Crank, ...]

    async def run(self, stop: asyncio.Event) -> None:
        """Turn every crank when it is woken or due. Returns when `stop` is set and turns ended."""
        turning = [asyncio.create_task(self._keep_turning(crank, stop)) for crank in self.cranks]
        await stop.wait()
        for crank in self.cranks:
            self.hub.wakes.event(crank.topic).set()  # so each has one thing to wait for
        await asyncio.gather(*turning)

    async def _keep_turning(self, crank: Crank, stop: asyncio.Event) -> None:
        woken = self.hub.wakes.event(crank.topic)
        while not stop.is_set():
            woken.clear()
            due: datetime | None = None
            try:
                due = await crank.turn()
            except HubError as error:
                _log.warning("turn failed", crank=crank.topic, code=error.code, because=str(error))
            except Exception:  # noqa: BLE001 - a bug in one turn must not end the crank
                _log.exception("turn broke", crank=crank.topic)
            wait = LOOK_EVERY_S
            if due is not None:
                wait = min(wait, max(0.0, (due - self.hub.clock.now()).total_seconds()))
            if not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await woken.wait()


SLOW_AFTER_S: Final = 2.0  # work that takes so long gives its place to others
_SLOW_SHARE: Final = 4  # one place in so many is for links that failed lately


class Lanes:
    """Work that runs side by side for many links, one at a time for each.

    Nobody's slowness is paid by others: work that lasts long goes on beside the places, as
    many times as there are places, and what failed lately has a small share of them only.
    Whoever waits for a place gets it in the order of asking.
    """

    def __init__(self, at_once: int) -> None:
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, bool] = {}  # key → whether it is doubtful by now
        self._places = asyncio.Semaphore(at_once)
        self._doubtful = asyncio.Semaphore(max(1, at_once // _SLOW_SHARE))
        self._beside_at_most = at_once
        self._beside: set[str] = set()  # keys whose work lasts and has given its place back

    def start(
        self, key: str, work: Callable[[], Coroutine[Any, Any, None]], *, doubtful: bool = False
    ) -> None:
        """Run this work for the key; while it runs already, once more when it has ended.

        `doubtful` work is likely to take long or to fail.
        """
        if key in self._busy:
            self._again[key] = doubtful
            return
        self._busy[key] = asyncio.create_task(self._run(key, work, doubtful=doubtful))

    async def _run(
        self, key: str, work: Callable[[], Coroutine[Any, Any, None]], *, doubtful: bool
    ) -> None:
        try:
            while True:
                async with self._doubtful if doubtful else contextlib.nullcontext():
                    # Before the place and not behind it: it waits here without taking one.
                    await self._places.acquire()
                    self._again.pop(key, None)
                    timer = asyncio.get_running_loop().call_later(
                        SLOW_AFTER_S, self._step_aside, key
                    )
                    try:
                        await work()
                    finally:
                        timer.cancel()
                        self._leave(key)
                if key not in self._again:
                    return
                doubtful = self._again[key]
        except HubError as error:
            _log.warning("lane failed", lane=key, code=error.code, because=str(error))
        except Exception:  # noqa: BLE001 - one link's bug must not stop the others
            _log.exception("lane broke", lane=key)
        finally:
            self._busy.pop(key, None)

    def _step_aside(self, key: str) -> None:
        if len(self._beside) < self._beside_at_most:
            self._beside.add(key)
            self._places.release()

    def _leave(self, key: str) -> None:
        if key in self._beside:
            self._beside.discard(key)
        else:
            self._places.release()

    async def idle(self) -> None:
        """Return when nothing runs."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
