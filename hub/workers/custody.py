"""The work that our node does in the place of nodes that partners do not have."""

from __future__ import annotations

from datetime import datetime

from hub.actions import custodian, leases, outgoing, promotion
from hub.actions.context import Hub
from hub.actions.custodian import Voices


class Custody:
    """Attends to every partner without a node."""

    topic = outgoing.CUSTODY_TOPIC

    def __init__(self, hub: Hub, voices: Voices) -> None:
        self._hub = hub
        self._voices = voices

    async def turn(self) -> datetime | None:
        """Pass on what waits; now, where there is more at once."""
        await promotion.run(self._hub)
        again = False
        for link_id in await custodian.due(self._hub, self._voices):
            if await leases.hold(self._hub, link_id):
                again = await custodian.attend(self._hub, link_id, self._voices) or again
        return self._hub.now() if again else None
