"""The kinds of work, each a configuration of the same loop."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from hub.actions import files, inbox, invitations, leases, outbox, timers
from hub.actions.context import Hub
from hub.domain.delivery import backoff
from hub.errors import HubError
from hub.federation.client import PeerTransport
from hub.federation.deliver import deliver
from hub.federation.fetch import fetch
from hub.federation.linking import exchange_signatures
from hub.ids import LinkId
from hub.logs import get_logger
from hub.workers.loop import Lanes

APPLY_AGAIN: Final = timedelta(seconds=1)  # after our side failed at a message
_log = get_logger("hub.workers")


class Deliveries:
    """Sends what waits, to all peers side by side, one batch in flight to each."""

    topic = "deliver"

    def __init__(self, hub: Hub, transport: PeerTransport, *, wait: bool = False) -> None:
        """With `wait`, a turn ends only when its deliveries have: for tests."""
        self._hub = hub
        self._transport = transport
        self._lanes = Lanes(hub.limits.deliveries_at_once)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start a delivery to every peer that is due."""
        now = self._hub.now()
        due: datetime | None = None
        for link_id, next_at in await outbox.links_with_work(self._hub):
            if next_at is not None and next_at > now:
                due = next_at if due is None else min(due, next_at)
            elif await leases.hold(self._hub, link_id):
                self._lanes.start(link_id, partial(self._one, link_id))
        if self._wait:
            await self._lanes.idle()
        return due

    async def _one(self, link_id: LinkId) -> None:
        await deliver(self._hub, self._transport, link_id)

    async def idle(self) -> None:
        """Return when nothing is in flight."""
        await self._lanes.idle()


class Inbox:
    """Applies stored messages, in order per link, all links side by side."""

    topic = "apply"

    def __init__(self, hub: Hub, *, wait: bool = False) -> None:
        self._hub = hub
        self._lanes = Lanes(hub.limits.deliveries_at_once)
        self._wait = wait
        self._failed = False

    async def turn(self) -> datetime | None:
        """Start applying for every link that has something."""
        self._failed = False
        for link_id in await inbox.links_with_work(self._hub):
            if await leases.hold(self._hub, link_id):
                self._lanes.start(link_id, partial(self._one, link_id))
        if self._wait:
            await self._lanes.idle()
        return self._hub.now() + APPLY_AGAIN if self._failed else None

    async def _one(self, link_id: LinkId) -> None:
        while True:
            done = await inbox.apply_some(self._hub, link_id)
            self._failed = self._failed or done.failed
            if done.failed or done.settled == 0:
                return

    async def idle(self) -> None:
        """Return when nothing is being applied."""
        await self._lanes.idle()


class Files:
    """Pulls announced files, a few at a time."""

    topic = files.FETCH_TOPIC

    def __init__(self, hub: Hub, transport: PeerTransport, *, wait: bool = False) -> None:
        self._hub = hub
        self._transport = transport
        self._lanes = Lanes(4)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start pulling every file that is due."""
        for wanted in await files.due_fetches(self._hub):
            self._lanes.start(
                f"{wanted.link_id}/{wanted.sha256}",
                partial(fetch, self._hub, self._transport, wanted),
            )
        if self._wait:
            await self._lanes.idle()
        return await files.next_fetch_at(self._hub)

    async def idle(self) -> None:
        """Return when nothing is being pulled."""
        await self._lanes.idle()


class Handshakes:
    """Finishes what a break in the middle of a handshake left open."""

    topic = invitations.HANDSHAKE_TOPIC

    def __init__(self, hub: Hub, transport: PeerTransport) -> None:
        self._hub = hub
        self._transport = transport
        self._tries: dict[str, tuple[int, datetime]] = {}

    async def turn(self) -> datetime | None:
        """Exchange signatures with every peer whose own is missing."""
        now = self._hub.now()
        for link in await invitations.unfinished(self._hub):
            tries, due = self._tries.get(link.id, (0, now))
            if due > now:
                continue
            try:
                await exchange_signatures(self._hub, self._transport, link.id)
            except HubError as error:
                _log.info("handshake waits", link=link.id, code=error.code)
            wait = backoff(tries + 1, self._hub.entropy.fraction(), cap=timedelta(minutes=1))
            self._tries[link.id] = (tries + 1, now + max(wait, timedelta(seconds=1)))
        return min((due for _, due in self._tries.values() if due > now), default=None)


class Timers:
    """What happens by itself when its time comes."""

    topic = "timers"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def turn(self) -> datetime | None:
        """Do what is due."""
        await timers.run(self._hub)
        return self._hub.now() + timedelta(seconds=30)
