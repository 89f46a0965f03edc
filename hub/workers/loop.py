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
from typing import Any, Final, Protocol

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


class Lanes:
    """Work that runs side by side for many links, one at a time for each."""

    def __init__(self, at_once: int) -> None:
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._places = asyncio.Semaphore(at_once)

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run this work for the key; while it runs already, once more when it has ended."""
        if key in self._busy:
            self._again.add(key)
            return
        self._busy[key] = asyncio.create_task(self._run(key, work))

    async def _run(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            while True:
                self._again.discard(key)
                async with self._places:
                    await work()
                if key not in self._again:
                    return
        except HubError as error:
            _log.warning("lane failed", lane=key, code=error.code, because=str(error))
        except Exception:  # noqa: BLE001 - one link's bug must not stop the others
            _log.exception("lane broke", lane=key)
        finally:
            self._busy.pop(key, None)

    async def idle(self) -> None:
        """Return when nothing runs."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
