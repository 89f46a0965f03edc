"""The kinds of work, each a configuration of the same loop."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from hub.actions import (
    collecting,
    files,
    holding,
    inbox,
    invitations,
    keyring,
    keys,
    leases,
    outbox,
    runs,
    syncing,
    timers,
)
from hub.actions.context import Hub
from hub.domain.delivery import COLLECT_CAP, backoff
from hub.errors import HubError
from hub.federation.client import PeerTransport
from hub.federation.collect import Stopped, collect
from hub.federation.deliver import deliver
from hub.federation.fetch import fetch
from hub.federation.key_calls import tell_keys
from hub.federation.linking import exchange_signatures
from hub.federation.sync import synchronize
from hub.ids import LinkId
from hub.logs import get_logger
from hub.workers.loop import Lanes

APPLY_AGAIN: Final = timedelta(seconds=1)  # after our side failed at a message
FILES_AGAIN: Final = timedelta(seconds=30)  # after a file could not be pushed
OVER_AGAIN: Final = timedelta(hours=1)  # asking over a closed link: its peer may be restored
AT_ONCE_AGAIN_S: Final = 1.0  # after a peer said at once that there is nothing
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
        for one in await outbox.links_with_work(self._hub):
            if one.due_at is not None and one.due_at > now:
                due = one.due_at if due is None else min(due, one.due_at)
            elif await leases.hold(self._hub, one.link_id):
                self._start(one.link_id, doubtful=one.failing_since is not None)
        if self._wait:
            await self._lanes.idle()
        return due

    def _start(self, link_id: LinkId, *, doubtful: bool = False) -> None:
        self._lanes.start(link_id, partial(self._one, link_id), doubtful=doubtful)

    async def _one(self, link_id: LinkId) -> None:
        if await deliver(self._hub, self._transport, link_id):
            self._start(link_id)  # behind those who wait

    async def idle(self) -> None:
        """Return when nothing is in flight."""
        await self._lanes.idle()


class Syncs:
    """Agrees anew with every peer where both stand, before anything passes after a start."""

    topic = runs.SYNC_TOPIC

    def __init__(self, hub: Hub, transport: PeerTransport, *, wait: bool = False) -> None:
        self._hub = hub
        self._transport = transport
        self._lanes = Lanes(hub.limits.deliveries_at_once)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start a sync with every peer that is due."""
        now = self._hub.now()
        later: list[datetime] = []
        for link_id, next_at in await syncing.due(self._hub):
            if next_at is not None and next_at > now:
                later.append(next_at)
            elif await leases.hold(self._hub, link_id):
                self._lanes.start(link_id, partial(self._one, link_id))
        if self._wait:
            await self._lanes.idle()
        return min(later, default=None)

    async def _one(self, link_id: LinkId) -> None:
        await synchronize(self._hub, self._transport, link_id)

    async def idle(self) -> None:
        """Return when no sync is under way."""
        await self._lanes.idle()


class Collections:
    """Asks every peer what is for us, all the time: the work of a node that nobody can call."""

    topic = runs.COLLECT_TOPIC

    def __init__(
        self, hub: Hub, transport: PeerTransport, *, wait_s: float = 0.0, wait: bool = False
    ) -> None:
        """Peers may let an answer wait for `wait_s`; without that a turn asks each once."""
        self._hub = hub
        self._transport = transport
        self._wait_s = wait_s
        self._lanes = Lanes(hub.limits.collections_at_once)
        self._wait = wait
        self._stop = asyncio.Event()
        self._refusals: dict[LinkId, int] = {}  # in a row
        self._again_at: dict[LinkId, datetime] = {}  # not before: it was refused
        self._files_at: dict[LinkId, datetime] = {}  # not before: pushing one failed
        self._looked: dict[LinkId, datetime] = {}  # closed links: not again before

    async def turn(self) -> datetime | None:
        """Start asking every peer that is due."""
        now = self._hub.now()
        later: list[datetime] = []
        for one in await collecting.due(self._hub):
            waits = (one.next_at, self._again_at.get(one.link_id), self._looked.get(one.link_id))
            next_at = max((at for at in waits if at is not None), default=now)
            if next_at > now:
                later.append(next_at)
            elif await leases.hold(self._hub, one.link_id):
                if one.over:
                    self._looked[one.link_id] = now + OVER_AGAIN
                self._start(one.link_id, 0.0 if one.over else self._wait_s)
        if self._wait:
            await self._lanes.idle()
        return min(later, default=None)

    def _start(self, link_id: LinkId, wait_s: float) -> None:
        self._lanes.start(link_id, partial(self._one, link_id, wait_s))

    async def _one(self, link_id: LinkId, wait_s: float) -> None:
        clock = self._hub.clock
        started = clock.monotonic()
        with contextlib.suppress(Stopped):
            found = await collect(
                self._hub,
                self._transport,
                link_id,
                wait_s=wait_s,
                with_files=self._files_at.get(link_id, self._hub.now()) <= self._hub.now(),
                stop=self._stop,
            )
            if found.files_failed:
                self._files_at[link_id] = self._hub.now() + FILES_AGAIN
            if found.refusal is not None:
                self._refused(link_id, found.refusal)
            elif not found.failed:
                self._refusals.pop(link_id, None)
            if found.failed or self._stop.is_set():
                return
            if not wait_s and not found.news:
                return
            if not found.news and clock.monotonic() - started < wait_s / 2:
                await clock.sleep(AT_ONCE_AGAIN_S)  # a peer that does not let us wait
            if await leases.hold(self._hub, link_id):
                self._start(link_id, wait_s)

    def _refused(self, link_id: LinkId, error: HubError) -> None:
        # Not the waiting time of what we send: each goes on while only the other is refused.
        hub, times = self._hub, self._refusals.get(link_id, 0) + 1
        wait = backoff(
            times,
            hub.entropy.fraction(),
            cap=COLLECT_CAP,
            base=timedelta(seconds=hub.limits.retry_base_s),
            retry_after=getattr(error, "after", None),
        )
        self._refusals[link_id], self._again_at[link_id] = times, hub.now() + wait

    async def idle(self) -> None:
        """Return when nobody is being asked; nobody is any more from now on."""
        if self._wait_s:
            self._stop.set()
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
                self._start(link_id)
        if self._wait:
            await self._lanes.idle()
        return self._hub.now() + APPLY_AGAIN if self._failed else None

    def _start(self, link_id: LinkId) -> None:
        self._lanes.start(link_id, partial(self._one, link_id))

    async def _one(self, link_id: LinkId) -> None:
        done = await inbox.apply_some(self._hub, link_id)
        self._failed = self._failed or done.failed
        if not done.failed and done.settled:
            self._start(link_id)  # behind those who wait

    async def idle(self) -> None:
        """Return when nothing is being applied."""
        await self._lanes.idle()


class Files:
    """Pulls announced files, a few at a time and one from each peer."""

    topic = files.FETCH_TOPIC

    def __init__(self, hub: Hub, transport: PeerTransport, *, wait: bool = False) -> None:
        self._hub = hub
        self._transport = transport
        self._lanes = Lanes(hub.limits.file_pulls_at_once)
        self._wait = wait

    async def turn(self) -> datetime | None:
        """Start pulling every file that is due."""
        for link_id, wanted in (await files.due_fetches(self._hub)).items():
            self._start(link_id, doubtful=all(one.attempts for one in wanted))
        if self._wait:
            await self._lanes.idle()
        return await files.next_fetch_at(self._hub)

    def _start(self, link_id: LinkId, *, doubtful: bool) -> None:
        self._lanes.start(link_id, partial(self._one, link_id), doubtful=doubtful)

    async def _one(self, link_id: LinkId) -> None:
        wanted = (await files.due_fetches(self._hub)).get(link_id, [])
        if wanted:
            await fetch(self._hub, self._transport, wanted[0])
        if len(wanted) > 1:
            self._start(link_id, doubtful=False)  # behind those who wait

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


_REMEMBERED: Final = timedelta(minutes=5)  # that keys were told: so long no call is the first


class Keys:
    """Keeps this process on the newest keys, and tells them to peers that must hear at once."""

    topic = keyring.KEYS_TOPIC

    def __init__(self, hub: Hub, transport: PeerTransport) -> None:
        self._hub = hub
        self._transport = transport
        self._tries: dict[str, tuple[int, datetime]] = {}

    async def turn(self) -> datetime | None:
        """Renew the keys, then make every call that is due."""
        await keys.settle(self._hub)
        now = self._hub.now()
        waiting = await keys.links_to_call(self._hub)
        self._tries = {
            link_id: (tries, due)
            for link_id, (tries, due) in self._tries.items()
            if link_id in waiting or now - due < _REMEMBERED
        }
        for link_id in waiting:
            tries, due = self._tries.get(link_id, (0, now))
            if due > now:
                continue
            wait = max(
                backoff(tries + 1, self._hub.entropy.fraction(), cap=timedelta(minutes=1)),
                timedelta(seconds=1),
            )
            try:
                await tell_keys(self._hub, self._transport, link_id)
                if tries == 0:
                    wait = timedelta()  # a second call at once may be what the first one showed
            except HubError as error:
                _log.info("keys wait to be told", link=link_id, code=error.code)
            # Also after a call that was taken: whoever takes our keys, and then does not know them
            # after all, would be told without end.
            self._tries[link_id] = (tries + 1, now + wait)
        dues = (due for link_id, (_, due) in self._tries.items() if link_id in waiting)
        return min((due for due in dues if due > now), default=None)


class HeldOffers:
    """Offers whose time for second thoughts is over."""

    topic = holding.TOPIC

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def turn(self) -> datetime | None:
        """Let go what is due."""
        return await holding.let_go(self._hub)


_TIDIED_EVERY: Final = timedelta(hours=1)


class Timers:
    """What happens by itself when its time comes."""

    topic = "timers"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tidied_at: datetime | None = None

    async def turn(self) -> datetime | None:
        """Do what is due."""
        now = self._hub.now()
        await timers.act(self._hub)
        if self._tidied_at is None or now - self._tidied_at >= _TIDIED_EVERY:
            await timers.tidy(self._hub)
            self._tidied_at = now
        return self._hub.now() + timedelta(seconds=30)
