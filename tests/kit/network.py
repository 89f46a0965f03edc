"""Companies with real nodes, linked by a transport in memory that can be told to fail."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub import app
from hub.actions import handoffs, invitations, runs, tickets
from hub.actions.context import Actor, Hub
from hub.clock import Clock, Entropy
from hub.errors import Unavailable
from hub.federation import linking
from hub.federation.client import Answer, StreamedAnswer
from hub.federation.door import Call, Door, Reply
from hub.settings import Settings
from hub.storage import migrate
from hub.workers.cranks import (
    Collections,
    Deliveries,
    Files,
    Handshakes,
    HeldOffers,
    Inbox,
    Keys,
    Syncs,
    Timers,
)
from hub.workers.custody import Custody
from hub.workers.loop import LOOK_EVERY_S
from tests.kit.clock import SeededEntropy, VirtualClock, WrongClock

Fault = Callable[[str, str, str], str | None]
"""(caller's base, method, url) → None, "drop_request", "drop_reply", "duplicate", "delay",
"flip_request" or "flip_reply"."""


class Died(BaseException):
    """The process ended here, without any farewell: nothing of it may catch that and go on."""


@dataclass
class Wire:
    """Every byte that left any node, and what to do to it."""

    doors: dict[str, Door] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    cut: set[tuple[str, str]] = field(default_factory=set)  # (from, to): this way alone
    died: set[str] = field(default_factory=set)  # whose process ended while it was called
    falling: bool = False  # somebody's process has just ended; all it still tries fails
    late: list[tuple[str, Call]] = field(default_factory=list)  # on its way, not there yet
    fault: Fault = lambda _caller, _method, _url: None
    bit: Callable[[int], int] = lambda bits: bits // 2  # which of so many is flipped
    sent: list[bytes] = field(default_factory=list)
    calls: list[tuple[str, Call]] = field(default_factory=list)
    quiet: int = 0  # of `sent`: questions for news, and answers that there are none
    chunk_limit: int | None = None  # break every file stream after so many bytes

    @property
    def moved(self) -> int:
        """How often anything left a node, but for questions whether there is anything."""
        return len(self.sent) - self.quiet

    def reach(self, caller: str, method: str, url: str) -> Door:
        """The door at this address. Raises Unavailable like a dead line."""
        base = base_of(url)
        if self.falling:
            raise Died
        if {base, caller} & self.down or (caller, base) in self.cut or base not in self.doors:
            raise Unavailable("peer_unreachable", "Nobody answers.")
        return self.doors[base]

    async def knock(self, base: str, call: Call) -> Reply:
        """What the node at this address answers. Raises Unavailable where it dies of it."""
        try:
            return await self.doors[base].answer(call)
        except BaseException as error:
            if not is_death(error):
                raise
            self.doors.pop(base, None)
            self.died.add(base)
            self.falling = False  # who called it goes on
            raise Unavailable("peer_unreachable", "The line broke.") from None

    def flipped(self, body: bytes) -> bytes:
        """The same but for one bit."""
        if not body:
            return body
        at = self.bit(8 * len(body))
        changed = bytearray(body)
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)


class MemoryTransport:
    """What one node uses to reach the others."""

    def __init__(self, wire: Wire, caller: str) -> None:
        self._wire = wire
        self._caller = caller

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        max_bytes: int,
        timeout_s: float | None = None,
    ) -> Answer:
        self._wire.reach(self._caller, method, url)
        self._note(method, url, headers, body)
        what = self._wire.fault(self._caller, method, url)
        if what == "drop_request":
            raise Unavailable("peer_unreachable", "The request was lost.")
        if what == "flip_request":
            body = self._wire.flipped(body or b"")
        base, call = base_of(url), _call(method, url, headers, body)
        self._wire.calls.append((base, call))
        if what == "delay":
            self._wire.late.append((base, call))
            raise Unavailable("peer_unreachable", "No answer in time.")
        reply = await self._wire.knock(base, call)
        if what == "duplicate":  # the first copy's answer got lost on the way
            reply = await self._wire.knock(base, _call(method, url, headers, body))
        if what == "drop_reply" or (base, self._caller) in self._wire.cut:
            raise Unavailable("peer_unreachable", "The answer was lost.")
        self._wire.sent.append(repr(dict(reply.headers)).encode() + reply.body)
        told = self._wire.flipped(reply.body) if what == "flip_reply" else reply.body
        if "/log?dir=in" in url and reply.body == b'{"messages":[]}':
            self._wire.quiet += 2
        return Answer(reply.status, reply.headers, told[: max_bytes + 1])

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[StreamedAnswer]:
        self._wire.reach(self._caller, method, url)
        self._note(method, url, headers, None)
        reply = await self._wire.knock(base_of(url), _call(method, url, headers, None))
        yield StreamedAnswer(reply.status, reply.headers, self._chunks(reply))

    async def _chunks(self, reply: Any) -> AsyncIterator[bytes]:
        if reply.file is None:
            yield reply.body
            return
        with reply.file.path.open("rb") as source:
            source.seek(reply.file.start)
            left, given = reply.file.length, 0
            while left > 0 and (chunk := source.read(min(65536, left))):
                if self._wire.chunk_limit is not None and given >= self._wire.chunk_limit:
                    raise Unavailable("peer_unreachable", "The line broke.")
                self._wire.sent.append(chunk)
                given += len(chunk)
                left -= len(chunk)
                yield chunk

    async def close(self) -> None:
        pass

    def _note(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        self._wire.sent.append(f"{method} {url} {dict(headers)!r}".encode() + (body or b""))


def is_death(error: BaseException) -> bool:
    """Whether a process ended here, alone or among tasks that ran side by side."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_death(one) for one in error.exceptions)
    return isinstance(error, Died)


def base_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _call(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Call:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Call(method, target, {k.lower(): v for k, v in headers.items()}, body or b"")


TIMERS_LOOK = timedelta(seconds=30)  # so often in a running node

_migrated: list[bytes] = []
"""The database of a node before it is founded: migrating it anew for each takes most of a test."""


async def _lay_tables(data: Path) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / "hub.db"
    if path.exists():
        return  # of a node that was founded before
    if not _migrated:
        await migrate.upgrade("", data)
        _migrated.append(path.read_bytes())
    path.write_bytes(_migrated[0])


@dataclass
class Company:
    """One account: its node, its dispatcher, its workers."""

    name: str
    hub: Hub
    settings: Settings
    transport: MemoryTransport
    cranks: tuple[Any, ...]
    dispatcher: Actor
    # A crank is turned only when a running node would: woken, or after its time (topic → when).
    as_a_mill: bool = field(default=False, kw_only=True)
    turns_at: dict[str, datetime] = field(default_factory=dict, kw_only=True)

    async def turn(self, *, timers: bool = True) -> datetime | None:
        """Turn every crank once; when the next one is due.

        Without the timers, what only time brings is left for the next turn: they look through
        everything, and while the clock stands still they find the same.
        """
        if self.as_a_mill:
            return await self._turn_what_is_due()
        due = [await crank.turn() for crank in self.cranks if timers or crank.topic != "timers"]
        return min((at for at in due if at is not None), default=None)

    async def _turn_what_is_due(self) -> datetime | None:
        for crank in self.cranks:
            now, woken = self.hub.now(), self.hub.wakes.event(crank.topic)
            # Who collects lets each answer wait until there is one: it hears of news at once.
            waits = isinstance(crank, Collections) and self.settings.outbound_only
            if woken.is_set() or waits or self.turns_at.get(crank.topic, now) <= now:
                woken.clear()
                self.turns_at[crank.topic] = latest = now + timedelta(seconds=LOOK_EVERY_S)
                self.turns_at[crank.topic] = min(latest, await crank.turn() or latest)
        return min(self.turns_at.values(), default=None)

    @property
    def is_woken(self) -> bool:
        """Whether a crank has something to do that it has not looked at."""
        return self.as_a_mill and any(
            self.hub.wakes.event(crank.topic).is_set() for crank in self.cranks
        )

    async def link_to(self, name: str) -> str:
        """Our id of the link with the company of this name."""
        from hub.storage import links

        found = await self.hub.db.read(links.everyone)
        return next(one.id for one in found if one.peer_name == name and one.closed_at is None)


class Network:
    """Companies on one virtual clock."""

    def __init__(
        self,
        root: Path,
        new_database: Callable[[Path], Awaitable[str]] | None = None,
        *,
        seed: str = "network",
        as_a_mill: bool = False,
    ) -> None:
        """`new_database` prepares the database of a node in its data directory; its URL.

        `as_a_mill` turns a crank only when a running node would: woken, or after its time.
        """
        self.root = root
        self._new_database = new_database
        self.seed = seed
        self.as_a_mill = as_a_mill
        self.clock = VirtualClock()
        self.wire = Wire()
        self.companies: dict[str, Company] = {}
        self.wrong_by: dict[str, timedelta] = {}  # by how much a company's clock is wrong
        self._starts = 0

    def misplace_clock(self, name: str, by_s: float) -> None:
        """The watches of this company are wrong by so much from now on."""
        self.wrong_by[name] = timedelta(seconds=by_s)

    def clock_of(self, name: str) -> Clock:
        """What the watches of this company show."""
        return WrongClock(self.clock, self.wrong_by[name]) if name in self.wrong_by else self.clock

    async def company(
        self, name: str, *, database: str = "", outbound_only: bool = False, **limits: Any
    ) -> Company:
        """Found a company and its node; one that is `outbound_only` has no door."""
        base = f"http://127.0.0.1:{9000 + len(self.companies)}"
        data = self.root / f"node{len(self.companies)}"
        if not database and self._new_database is not None:
            data.mkdir(mode=0o700, parents=True)
            database = await self._new_database(data)
        settings = Settings(
            data=data,
            name=name,
            url=base,
            listen=base.removeprefix("http://"),
            lang="ru",
            outbound_only=outbound_only,
            database={"url": database},
            limits=limits,
        )
        entropy = SeededEntropy(f"{self.seed}/{name}")
        if not database:
            await _lay_tables(data)
        await app.found_node(
            settings,
            {},
            admin_email=f"admin@{len(self.companies)}.example",
            admin_name=f"Диспетчер {name}",
            clock=self.clock_of(name),
            entropy=entropy,
        )
        hub = await app.open_hub(
            settings, {}, clock=self.clock_of(name), entropy=entropy, inline=not database
        )
        from hub.storage import agents

        admin = (await hub.db.read(agents.everyone))[0]
        actor = Actor(admin.id, admin.display, admin.role)
        transport = MemoryTransport(self.wire, base)
        made = Company(name, hub, settings, transport, (), actor, as_a_mill=self.as_a_mill)
        await self.open_doors(made)
        self.companies[name] = made
        return made

    async def open_doors(self, company: Company, *, new_run: bool = True) -> None:
        """The node is at work; with a new run, nobody was before it."""
        if new_run:
            await runs.begin(company.hub)
        if not company.settings.outbound_only:
            self.wire.doors[company.settings.url] = Door(company.hub)
        hub, transport = company.hub, company.transport
        company.turns_at.clear()
        company.cranks = (
            Handshakes(hub, transport),
            Syncs(hub, transport, wait=True),
            Deliveries(hub, transport, wait=True),
            Collections(hub, transport, wait=True),
            Inbox(hub, wait=True),
            Files(hub, transport, wait=True),
            Custody(hub, app.voices()),
            Keys(hub, transport),
            HeldOffers(hub),
            Timers(hub),
        )

    async def stop(self, company: Company) -> None:
        """The node's process ends; nobody answers at its address."""
        self.wire.doors.pop(company.settings.url, None)
        await company.hub.db.close()

    async def start(self, company: Company, *, entropy: Entropy | None = None) -> None:
        """The process begins anew on what lies on its disk: all that was in memory is gone."""
        self._starts += 1
        entropy = entropy or SeededEntropy(f"{self.seed}/{company.name}/{self._starts}")
        company.hub = await app.open_hub(
            company.settings,
            {},
            clock=self.clock_of(company.name),
            entropy=entropy,
            inline=not company.settings.database.url,
        )
        await self.open_doors(company)

    async def link(self, inviter: Company, invitee: Company, **how: Any) -> str:
        """Link two companies; the id of the link."""
        invited = await invitations.invite(
            inviter.hub, inviter.dispatcher, invitee.name, offer=how.get("offer")
        )
        prepared = await linking.accept(
            invitee.hub,
            invitee.transport,
            invitee.dispatcher,
            invited.code,
            how.get("counter_offer"),
        )
        await invitations.confirm(invitee.hub, invitee.dispatcher, prepared.link.id)
        link = await linking.exchange_signatures(invitee.hub, invitee.transport, prepared.link.id)
        for company in (inviter, invitee):
            if company.settings.url in self.wire.doors:
                self.wire.doors[company.settings.url].forget_keys()
        return link.id

    async def run_until_idle(self, most: int = 200) -> None:
        """Turn every crank of every node until nothing moves any more; the clock stands still."""
        before, timed = -1, -1
        timers = True
        for _ in range(most):
            working = [
                one for one in self.companies.values() if one.settings.url not in self.wire.down
            ]
            for company in working:
                await company.turn(timers=timers)
            moved = self.wire.moved
            if timers or self.as_a_mill:
                timed = moved
            if moved == before and timed == moved and not any(one.is_woken for one in working):
                return
            timers = moved == before  # at rest: once more, with what time brings
            before = moved
        raise AssertionError("the network does not come to rest")

    async def run_for(self, **how_far: float) -> None:
        """Let time pass, and let everything that becomes due happen."""
        end = self.clock.now() + timedelta(**how_far)
        while True:
            await self.run_until_idle()
            due = [
                at
                for company in self.companies.values()
                if company.settings.url not in self.wire.down
                and (at := await company.turn(timers=False)) is not None
                and at > self.clock.now()
            ]
            following = min([*due, self.clock.now() + TIMERS_LOOK])
            if following >= end:
                break
            self.clock.move_to(following)
        self.clock.move_to(end)
        await self.run_until_idle()

    async def close(self) -> None:
        """Let every database go."""
        for company in self.companies.values():
            await company.hub.db.close()


__all__ = ["Company", "Network", "handoffs", "tickets"]
