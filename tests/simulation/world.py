"""A world of companies that work, a partner that keeps to no rule, and a network that fails.

The nodes are the real ones (actions, storage, protocol, workers); the clock, the randomness
and the wire are the seed's. What people were told is done is written down outside the nodes,
and effects are counted by content: message ids prove nothing about the world.

Each step draws from a source of its own, so a step left out moves no other: that is how a
failing run is made short (tests/simulation/shrink.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Awaitable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub import faults as points
from hub.actions import checkpoints, inbox, incoming, repairs
from hub.actions import links as relations
from hub.errors import Conflict, HubError, Unavailable
from hub.federation.door import Call, Door, Reply
from hub.ids import LinkId
from hub.storage import inbox as stored_inbox
from hub.storage import links
from tests.kit.network import Company, Network, is_death
from tests.simulation import checker
from tests.simulation.faults import Deaths, Faults
from tests.simulation.hostile import Hostile
from tests.simulation.machines import Machines
from tests.simulation.people import People

NAMES = ("Вендор", "Партнёр", "Мастер", "Запасной")
LINKS = ((0, 1), (1, 2), (0, 2), (1, 3))
POLLS = 0.3
"""How likely a company that invites nobody cannot be called and asks instead."""
SKEW_S = 120
"""By how much clocks are wrong at most; calls are taken within five minutes."""


@dataclass
class World:
    """Companies, what they were told, and the trouble between them."""

    seed: int
    root: Path
    without: frozenset[str] = frozenset()  # kinds of trouble that are switched off
    trace: list[str] = field(default_factory=list)
    said: dict[str, tuple[str, str]] = field(default_factory=dict)  # body → (company, visibility)
    told_in: dict[str, tuple[str, str]] = field(default_factory=dict)  # words → (company, ticket)
    attached: dict[str, str] = field(default_factory=dict)  # digest → company
    healed: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.faults = Faults.swarm(self.chance).without(self.without)
        self.size = self.chance.randint(2, len(NAMES))
        self.network = Network(self.root, seed=f"simulation {self.seed}", as_a_mill=True)
        self.deaths = Deaths(self.network.wire)
        self.people = People(self)
        self.machines = Machines(self)
        self.why = ""  # the last one was refused
        self.counter = 0
        self._apply = incoming.apply
        self.canary = f"канарейка-{self.seed:08x}-{self.chance.getrandbits(64):016x}"

    async def begin(self) -> None:
        """Found and link the companies; nothing fails yet."""
        inviters = {inviter for inviter, invitee in LINKS if max(inviter, invitee) < self.size}
        for n, name in enumerate(NAMES[: self.size]):
            if self.faults.happens("skew", self.chance):
                self.network.misplace_clock(name, self.chance.uniform(-SKEW_S, SKEW_S))
            polls = self.chance.random() < POLLS and n not in inviters
            await self.network.company(
                name, outbound_only=polls, retry_base_s=2.0, retry_cap_s=60.0
            )
        self.companies = list(self.network.companies.values())
        for inviter, invitee in LINKS:
            if max(inviter, invitee) < self.size:
                await self.network.link(self.companies[inviter], self.companies[invitee])
        self.hostile = await Hostile.beside(self, self.companies[0])
        await self.network.run_until_idle()
        self.network.wire.fault = self._line
        self.network.wire.bit = self._bit
        points.strike = self.deaths.strike
        incoming.apply = self._poisoned

    async def close(self) -> None:
        """Everything as it was before."""
        points.strike = None
        incoming.apply = self._apply
        for name in list(self.machines.twins):
            await self.machines.end_twin(name)
        await self.network.close()

    def _line(self, caller: str, method: str, url: str) -> str | None:
        del caller, method, url
        if self.healed:
            return None
        for name in (
            "drop_request",
            "drop_reply",
            "duplicate",
            "delay",
            "flip_request",
            "flip_reply",
        ):
            if self.faults.happens(name, self.chance):
                return name
        return None

    def _bit(self, bits: int) -> int:
        return self.chance.randrange(bits)

    def _poisoned(self, tx: Any, hub: Any, link: Any, row: Any, *how: Any, **more: Any) -> None:
        """A bug of ours that some messages meet, as long as there is trouble."""
        share = self.faults.strength.get("poison", 0.0)
        if not self.healed and random.Random(f"{self.seed}/{row.id}").random() < share:
            raise RuntimeError("a bug that this message meets")
        self._apply(tx, hub, link, row, *how, **more)

    def note(self, text: str) -> None:
        """One line of the trace, which a repeated run must reproduce."""
        self.trace.append(f"{len(self.trace):05} {text}")

    def words(self) -> str:
        """Words that nobody has said before."""
        self.counter += 1
        return f"слова-{self.seed}-{self.counter:05}"

    @property
    def trace_hash(self) -> str:
        """Two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    # --- one step -----------------------------------------------------------------------

    async def live(self, steps: int, leave_out: Collection[int] = ()) -> None:
        """So many steps, but not these."""
        for n in range(steps):
            if n not in leave_out:
                self.chance = random.Random(f"{self.seed}/{n}")
                await self.step(n)

    async def step(self, n: int) -> None:
        """One thing happens somewhere, and what may go wrong goes wrong."""
        company = self.chance.choice(self.companies)
        if self.chance.random() < 0.1:
            self.note(f"{n} {self.hostile.peer.name} {await self.hostile.act()}")
        else:
            outcome: tuple[str, str] | None = None

            async def work() -> None:
                nonlocal outcome
                outcome = await self.people.do(company)

            alive = await self.safely(company, work())
            what = " ".join(outcome) if outcome else self.why if alive else "died"
            self.note(f"{n} {company.name} {what}")
        await self._bury()
        await self.machines.trouble()
        await self._bury()

    async def safely(
        self, company: Company, work: Awaitable[Any], *, begin_again: bool = True
    ) -> bool:
        """Await something at this company; whether its process survived it.

        What people are refused is remembered in `why`. Who died begins again at once.
        """
        wire = self.network.wire
        self.why = ""
        died = False
        try:
            await work
        except HubError as error:
            self.why = f"refused: {error.code}"
        except BaseException as error:
            if not is_death(error):
                raise
            died = True
        died = died or wire.falling  # or it was one of many tasks that died
        wire.falling = False
        if died:
            self.note(f"{company.name} died")
            if begin_again and self._is_first(company):
                await self.machines.restart(company)
        return not died

    def _is_first(self, company: Company) -> bool:
        return self.network.companies[company.name] is company

    @contextlib.contextmanager
    def unharmed(self) -> Iterator[None]:
        """While the harness itself looks into a node, nothing fails."""
        strike, points.strike = points.strike, None
        try:
            yield
        finally:
            points.strike = strike

    async def _bury(self) -> None:
        """Begin anew what died while it was called."""
        wire = self.network.wire
        while wire.died:
            base = wire.died.pop()
            for company in self.companies:
                if company.settings.url == base:
                    self.note(f"{company.name} died when called")
                    await self.machines.restart(company)

    async def knock_for(self, base: str, call: Call) -> Reply | None:
        """What the node at this address answers, or None where nobody does."""
        wire = self.network.wire
        if base in wire.down or base not in wire.doors:
            return None
        try:
            return await wire.knock(base, call)
        except Unavailable:
            return None

    async def knock(self, base: str, call: Call) -> str:
        """The same, as one word for the trace."""
        reply = await self.knock_for(base, call)
        await self._bury()
        return "died" if reply is None else str(reply.status)

    @contextlib.contextmanager
    def answering_for(self, twin: Company) -> Iterator[None]:
        """Calls to the address that two copies share come to this one; if anybody can be called."""
        if twin.settings.outbound_only:
            yield
            return
        doors = self.network.wire.doors
        first = doors.get(twin.settings.url)
        doors[twin.settings.url] = Door(twin.hub)
        try:
            yield
        finally:
            if first is not None:
                doors[twin.settings.url] = first
            self.network.wire.died.discard(twin.settings.url)

    # --- the end ------------------------------------------------------------------------

    async def heal(self) -> None:
        """Everything works again, people see to what was put aside; what waits arrives."""
        self.deaths.disarm()
        points.strike = None
        self._demand(await checker.before_healing(self))
        self.healed = True
        wire = self.network.wire
        wire.down.clear()
        wire.cut.clear()
        wire.late.clear()
        for name in list(self.machines.twins):
            await self.machines.end_twin(name)
        for name in list(self.machines.full):
            await self.machines.free_disk(name)
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(200):
            await self._people_see_to_it()
            await self.network.run_until_idle(most=2000)
            if await self._at_rest():
                return
            self.network.clock.advance(seconds=61)
        raise AssertionError(f"seed {self.seed}: something never arrives")

    async def _at_rest(self) -> bool:
        besides = self.hostile.peer.name
        resting = [
            await company.hub.db.read(lambda connection: checker.at_rest(connection, besides))
            for company in self.companies
        ]
        return all(resting)

    async def _people_see_to_it(self) -> None:
        for company in self.companies:
            hub = company.hub
            parked = await hub.db.read(
                lambda connection: stored_inbox.in_state(
                    connection, stored_inbox.InboxState.PARKED, 100
                )
            )
            for row in parked:
                await inbox.replay(hub, row)
            for link in await hub.db.read(links.everyone):
                if link.suspended_by_us and link.peer_name != self.hostile.peer.name:
                    with contextlib.suppress(Conflict):  # its keys are still to be told
                        await relations.resume(hub, company.dispatcher, link.id)

    async def check(self) -> None:
        """The invariants as the world is; and again after the nodes have compared themselves.

        Where a node ran twice, both copies may have acted on one hand-off: what the copy did in
        the peer's eyes, the other did otherwise. That must be shown, and can be repaired.
        """
        ran_twice = self.machines.copies > 0
        if not ran_twice:
            self._demand(await checker.problems(self))
        await self._compare()
        if ran_twice:
            await self._repair()
            await self._compare()
        self._demand(await checker.differences(self))
        self._demand(
            [
                text
                for text in await checker.problems(self)
                if not (ran_twice and checker.REFUSED in text)
            ]
        )

    async def _compare(self) -> None:
        for company, link_id in await self._links():
            await checkpoints.ask(company.hub, company.dispatcher, link_id)
        await self._settle()

    async def _repair(self) -> None:
        for company, link_id in await self._links():
            await repairs.repair(company.hub, company.dispatcher, link_id)
        await self._settle()

    async def _links(self) -> list[tuple[Company, LinkId]]:
        """Every side of every link, but those with the hostile partner."""
        return [
            (company, link.id)
            for company in self.companies
            for link in await company.hub.db.read(links.everyone)
            if link.peer_name != self.hostile.peer.name and link.closed_at is None
        ]

    def _demand(self, problems: list[str]) -> None:
        assert not problems, f"seed {self.seed} ({self.faults.strength}):\n" + "\n".join(problems)
