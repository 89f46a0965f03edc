"""Calls to programs of ours, all of them side by side, one at a time to each."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from hub.actions import announcing, webhooks
from hub.actions.context import Hub
from hub.api.callbacks import Outward, call
from hub.ids import WebhookId
from hub.workers.loop import Lanes

AT_ONCE: Final = 4


class Webhooks:
    """Tells every webhook what waits for it, oldest first."""

    topic = announcing.TOPIC

    def __init__(self, hub: Hub, outward: Outward, *, wait: bool = False) -> None:
        """With `wait`, a turn ends only when its calls have: for tests."""
        self._hub = hub
        self._outward = outward
        self._lanes = Lanes(AT_ONCE)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start calling every webhook that is due."""
        now = self._hub.now()
        later: list[datetime] = []
        for one in await webhooks.due(self._hub):
            if one.at > now:
                later.append(one.at)
            else:
                self._lanes.start(
                    one.webhook_id, partial(self._one, one.webhook_id), doubtful=one.failing
                )
        if self._wait:
            await self._lanes.idle()
        return min(later, default=None)

    async def _one(self, webhook_id: WebhookId) -> None:
        while (attempt := await webhooks.claim(self._hub, webhook_id)) is not None:
            await call(self._hub, self._outward, attempt)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        await self._lanes.idle()
