"""Two processes of one node on one database, with everybody at work at once: nobody waits for
a deadlock to be found, nobody is sent away, and nothing is lost or said twice."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from hub import app, faults
from hub.actions import comments, files, handoffs, plans, retention, tickets
from hub.actions.comments import AddComment
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import OfferHandoff
from hub.actions.plans import Plan
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.domain.ticket import ChecklistItem
from hub.federation.door import Call, Door, Reply
from hub.storage import audit, ground, inbox
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from hub.storage.database import Tx
from hub.workers.cranks import Deliveries, Inbox, Timers
from tests.conftest import NO_POSTGRES, PostgresServer
from tests.kit.clock import SeededEntropy
from tests.kit.network import Company, Network

pytestmark = pytest.mark.postgres

TICKETS = 3  # that go down the whole chain
ROUNDS = 4  # of every writer
FEW = 3  # conflicts that are nobody's fault: two who ask for something new in the same moment


@dataclass
class Process:
    """One process of a node: its own connections, its own workers."""

    hub: Hub
    actor: Actor
    cranks: tuple[Deliveries | Inbox | Timers, ...]


class Doors:
    """One address with a process behind it for every other call, and what they answered."""

    def __init__(self, *hubs: Hub) -> None:
        self._doors = itertools.cycle([Door(hub) for hub in hubs])
        self.answered: Counter[int] = Counter()

    async def answer(self, call: Call) -> Reply:
        reply = await next(self._doors).answer(call)
        self.answered[reply.status] += 1
        return reply

    def forget_keys(self) -> None:
        """Nothing is remembered here."""


@dataclass
class Street:
    """A principal, a middle node of two processes, and its contractor; tickets down the chain."""

    network: Network
    above: Process
    middle: tuple[Process, Process]
    below: Process
    doors: Doors
    links: tuple[str, str]

    @property
    def processes(self) -> tuple[Process, ...]:
        return self.above, *self.middle, self.below

    def conflicts(self) -> float:
        """How often a transaction had to be run again, anywhere."""
        return sum(
            sample.value
            for process in self.processes
            for family in process.hub.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "hub_database_conflicts_total"
        )


def process_of(company: Company, hub: Hub) -> Process:
    cranks = (Deliveries(hub, company.transport, wait=True), Inbox(hub, wait=True), Timers(hub))
    return Process(hub, company.dispatcher, cranks)


@pytest.fixture
async def street(quick_path: Path, postgres_server: PostgresServer | None) -> AsyncIterator[Street]:
    if postgres_server is None:
        pytest.skip(NO_POSTGRES)
    network = Network(quick_path)
    above, middle, below = [
        await network.company(name, database=await postgres_server.new_database(quick_path))
        for name in ("Вендор", "Партнёр", "Мастер")
    ]
    links = await network.link(above, middle), await network.link(middle, below)
    twin = await app.open_hub(
        middle.settings, {}, clock=network.clock, entropy=SeededEntropy("twin")
    )
    doors = Doors(middle.hub, twin)
    network.wire.doors[middle.settings.url] = doors  # type: ignore[assignment]
    yield Street(
        network,
        process_of(above, above.hub),
        (process_of(middle, middle.hub), process_of(middle, twin)),
        process_of(below, below.hub),
        doors,
        links,
    )
    await twin.db.close()
    await network.close()
    await postgres_server.take_back()


async def all_at_once(*work: Awaitable[None]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(_ended(one))


async def _ended(work: Awaitable[None]) -> None:
    await work


async def ticket_of(hub: Hub, handoff_id: str) -> str:
    found = await hub.db.read(lambda c: stored_handoffs.find(c, handoff_id))
    assert found is not None
    return found.ticket_id


async def turning(process: Process, done: asyncio.Event) -> None:
    """Turn this process's cranks over and over, each beside the others."""

    async def keep(crank: Deliveries | Inbox | Timers) -> None:
        while not done.is_set():
            await crank.turn()
            await asyncio.sleep(0)

    await all_at_once(*(keep(crank) for crank in process.cranks))


async def chain_of_tickets(street: Street) -> list[tuple[str, str, str]]:
    """Tickets that were handed from the principal to the middle and on; their ids at each."""
    above, (middle, _twin), below = street.above, street.middle, street.below
    upper, lower = street.links
    made = [
        await tickets.create(above.hub, above.actor, NewTicket(f"Т{n}")) for n in range(TICKETS)
    ]
    first = [
        await handoffs.offer(above.hub, above.actor, OfferHandoff(one.id, upper)) for one in made
    ]
    await street.network.run_until_idle()
    here = [await ticket_of(middle.hub, one) for one in first]
    second = []
    for handoff, ticket in zip(first, here, strict=True):
        await handoffs.act(middle.hub, middle.actor, handoff, Act.ACCEPT)
        second.append(await handoffs.offer(middle.hub, middle.actor, OfferHandoff(ticket, lower)))
    await street.network.run_until_idle()
    there = [await ticket_of(below.hub, one) for one in second]
    for one in second:
        await handoffs.act(below.hub, below.actor, one, Act.ACCEPT)
    await street.network.run_until_idle()
    return list(zip((one.id for one in made), here, there, strict=True))


async def test_many_writers_in_two_processes_on_the_same_links_never_meet_head_on(
    street: Street,
) -> None:
    chain = await chain_of_tickets(street)
    before = street.conflicts()
    said: list[str] = []
    done = asyncio.Event()
    upper, lower = street.links
    changed: dict[str, Callable[[int], Any]] = {
        "description": lambda n: f"описание {n}",
        "checklist": lambda n: [ChecklistItem("1", f"пункт {n}", done=False)],
    }

    async def talk(process: Process, place: int, name: str) -> None:
        for n in range(ROUNDS):
            ids = chain[n % TICKETS]
            body = f"{name} {n}"
            await comments.add(
                process.hub, process.actor, AddComment(ids[place], body, Visibility.PUBLIC)
            )
            said.append(body)

    async def trade(process: Process, link: str, name: str) -> None:
        for n in range(ROUNDS):
            made = await tickets.create(process.hub, process.actor, NewTicket(f"{name} {n}"))
            await handoffs.offer(process.hub, process.actor, OfferHandoff(made.id, link))

    async def edit(process: Process, place: int, what: str) -> None:
        for n in range(ROUNDS):
            ids = chain[-1 - n % TICKETS]
            changes = TicketChanges(**{what: changed[what](n)})
            await tickets.change(process.hub, process.actor, ids[place], changes)

    async def plan(process: Process, link: str) -> None:
        for n in range(ROUNDS):
            mine = [
                one
                for one in await process.hub.db.read(
                    lambda c: stored_handoffs.of_link(c, link, only_open=True)
                )
                if one.party == "contractor" and one.state == "accepted"
            ]
            for one in mine:
                await plans.plan(process.hub, process.actor, one.id, Plan(stage=f"шаг {n}"))

    async def write() -> None:
        try:
            first, second = street.middle
            await all_at_once(
                talk(street.above, 0, "вендор"),
                talk(first, 1, "партнёр-1"),
                talk(first, 1, "партнёр-1б"),
                talk(second, 1, "партнёр-2"),
                talk(second, 1, "партнёр-2б"),
                talk(street.below, 2, "мастер"),
                trade(street.above, upper, "заявка"),
                trade(first, lower, "своя-1"),
                trade(second, lower, "своя-2"),
                edit(second, 1, "checklist"),
                edit(street.above, 0, "description"),
                plan(first, upper),
                plan(second, upper),
                plan(street.below, lower),
            )
        finally:
            done.set()

    async with asyncio.timeout(60):
        await all_at_once(write(), *(turning(one, done) for one in street.processes))
        await street.network.run_until_idle()

    assert street.doors.answered[503] == 0
    assert street.conflicts() - before <= FEW
    for process in (street.above, street.middle[0], street.below):
        read = process.hub.db.read
        assert await read(audit.first_break) is None
        assert await read(inbox.waiting_count) == 0
    for place, process in enumerate((street.above, street.middle[1], street.below)):
        heard: Counter[str] = Counter()
        for ids in chain:
            of_ticket = partial(stored_comments.of_ticket, ticket_id=ids[place])
            heard.update(one.body for one in await process.hub.db.read(of_ticket))
        assert heard == Counter(said)


class Deadlock(Exception):
    """What PostgreSQL says to the one it takes back."""

    sqlstate = "40P01"


async def test_a_deadlock_is_not_held_against_the_message_that_was_being_applied(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    above, (middle, _twin) = street.above, street.middle
    made = await tickets.create(above.hub, above.actor, NewTicket("Т"))
    await handoffs.offer(above.hub, above.actor, OfferHandoff(made.id, street.links[0]))
    left = [DBAPIError("", {}, Deadlock("detected"))] * middle.hub.limits.poison_tries

    def strike(point: str) -> None:
        if point == "inbox.applied_one" and left:
            raise left.pop()

    monkeypatch.setattr(faults, "strike", strike)
    await street.network.run_until_idle()
    assert not left
    assert street.conflicts() > 0
    log = await middle.hub.db.read(lambda c: inbox.log_from(c, street.links[0], 1, 10))
    assert {(row.state, row.attempts) for row in log} == {(inbox.InboxState.DONE, 0)}


async def test_a_file_that_is_named_again_at_that_moment_is_not_collected(street: Street) -> None:
    process = street.middle[0]
    hub = process.hub
    made = await tickets.create(hub, process.actor, NewTicket("Т"))
    old = files.store(hub, "act.txt", "text/plain", BytesIO(b"act"))
    for one in hub.blobs.everything():
        os.utime(next(street.network.root.rglob(one)), (0, 0))
    named = asyncio.Event()

    def name(tx: Tx) -> None:
        ground.of_links(tx, street.links[0])
        files.attach_in(tx, hub, made.id, [old], Visibility.PUBLIC, hub.now(), comment_id=None)
        await_only(named.wait())

    naming = asyncio.create_task(hub.db.write(name))
    collecting = asyncio.create_task(retention.collect(hub))
    await asyncio.wait([naming, collecting], timeout=0.5)  # neither comes to its end alone
    named.set()
    await asyncio.gather(naming, collecting)
    assert hub.blobs.has(old.sha256)
