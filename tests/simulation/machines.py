"""What happens to the machines and lines: stops, copies, full disks, long absences, keys."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hub import app
from hub.actions import keys
from hub.federation.door import Call, Door
from hub.protocol.keys import KeyUse
from hub.storage import resets
from hub.storage.database import Tx
from hub.storage.keystore import KeyStore
from tests.kit.clock import SeededEntropy
from tests.kit.network import Company

if TYPE_CHECKING:
    from tests.simulation.world import World

NO_LIMIT = 1_073_741_823
"""Pages: what SQLite allows at most."""


@dataclass
class Twin:
    """A copy of a whole node that runs beside it for so many steps."""

    company: Company
    steps: int


class Machines:
    """One kind of trouble per method; `trouble` draws which of them happen after a step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.backups: dict[str, bytes] = {}
        self.restored: set[str] = set()  # what they alone knew may be gone
        self.twins: dict[str, Twin] = {}
        self.full: dict[str, int] = {}  # whose disk, for how many steps
        self.copies = 0
        self.ran_twice: set[str] = set()
        self.counted: dict[str, int] = {}

    def _count(self, kind: str) -> None:
        self.counted[kind] = self.counted.get(kind, 0) + 1

    async def trouble(self) -> None:
        """After each step: everything that the seed lets go wrong now."""
        world, chance, wire = self.world, self.world.chance, self.world.network.wire

        def happens(kind: str) -> bool:
            if not world.faults.happens(kind, chance):
                return False
            self._count(kind)
            return True

        someone = chance.choice(world.companies)
        other = chance.choice(world.companies)
        base = someone.settings.url
        if happens("partition"):
            wire.down.symmetric_difference_update({base})
            world.note(f"line of {someone.name} {'cut' if base in wire.down else 'back'}")
        if happens("one_way") and other is not someone:
            way = (base, other.settings.url)
            wire.cut.symmetric_difference_update({way})
            world.note(
                f"{someone.name} {'cannot' if way in wire.cut else 'can'} reach {other.name}"
            )
        if happens("flapping"):
            for n in range(6):
                wire.down.symmetric_difference_update({base})
                if n % 2:
                    await world.safely(someone, someone.turn())
            world.note(f"line of {someone.name} flaps")
        if happens("restart"):
            await self.restart(someone)
        if happens("crash"):
            world.note(f"dies at {world.deaths.arm(chance)}")
        if happens("statement"):
            world.deaths.failing_statement = chance.randint(1, 80)
        if happens("disk_full"):
            await self.fill_disk(someone, chance.randint(1, 10))
        if happens("late_copy") and wire.calls:
            await self.late(*chance.choice(wire.calls))
        while wire.late and chance.random() < 0.3:
            await self.late(*wire.late.pop(chance.randrange(len(wire.late))))
        if chance.random() < 0.05:
            self.back_up(someone)
        for kind in ("restore", "snapshot"):
            if happens(kind) and self.backups:
                await self.restore(chance.choice(sorted(self.backups)), told=kind == "restore")
        if happens("clone") and someone.name not in self.twins:
            await self.clone(someone, chance.randint(3, 15))
        if happens("rotate"):
            uses = chance.choice((frozenset({KeyUse.MSG}), frozenset({KeyUse.HTTP}), _BOTH))
            await world.safely(someone, keys.rotate(someone.hub, someone.dispatcher, uses))
            world.note(f"{someone.name} rotated {sorted(uses)}")
        # What a copy said under a key that is revoked here is somebody else's, for good: the link
        # is closed and made anew (decision 13), which no checker can tell from a loss.
        if happens("revoke") and someone.name not in self.ran_twice:
            stolen = chance.choice((someone.hub.keys.message, someone.hub.keys.http)).kid
            await world.safely(
                someone, keys.revoke(someone.hub, someone.dispatcher, stolen, "украден")
            )
            world.note(f"{someone.name} revoked a key")
        if happens("identity"):
            await world.safely(someone, keys.replace_identity(someone.hub, someone.dispatcher))
            world.note(f"{someone.name} has another identity key")
        if happens("clock_jump"):
            world.network.clock.advance(hours=chance.choice((1, 2, 5)))
        if happens("long_absence"):
            await self.absence(someone, days=40)
        world.network.clock.advance(seconds=chance.uniform(0, 30))
        await self._twins_work()
        await self._disks_grow()

    async def restart(self, company: Company) -> None:
        """The process ends and begins anew on its disk: all that is in memory is gone."""
        await self.world.network.stop(company)
        await self._start(company)
        self.world.note(f"{company.name} restarted")

    async def _start(self, company: Company) -> None:
        """Begin, however often the process dies of it or its database fails."""
        network, world = self.world.network, self.world
        begun = False
        while not begun:
            entropy = SeededEntropy(world.chance.getrandbits(64))
            alive = await world.safely(
                company, network.start(company, entropy=entropy), begin_again=False
            )
            begun = alive and not world.why
            if not begun:
                await network.stop(company)

    def back_up(self, company: Company) -> None:
        """A copy of the database as it is now."""
        connection = sqlite3.connect(company.settings.data / "hub.db")
        self.backups[company.name] = connection.serialize()
        connection.close()
        self.world.note(f"{company.name} backed up")

    async def restore(self, name: str, *, told: bool) -> None:
        """The database is the one of the backup; what was in it alone since then is gone."""
        company = self.world.network.companies[name]
        await self.end_twin(name)
        await self.world.network.stop(company)
        data = company.settings.data
        for path in data.glob("hub.db*"):
            path.unlink()
        (data / "hub.db").write_bytes(self.backups[name])
        if told:
            with self.world.unharmed():  # a death within the reset is another harness's matter
                await self._as_hub_restore_leaves_it(company)
        self.restored.add(name)
        await self._start(company)
        self.world.note(f"{name} {'restored' if told else 'put back to a snapshot'}")

    async def _as_hub_restore_leaves_it(self, company: Company) -> None:
        network = self.world.network
        entropy = SeededEntropy(self.world.chance.getrandbits(64))
        KeyStore(company.settings.keys_dir).renew_instance(entropy)
        hub = await app.open_hub(
            company.settings, {}, clock=network.clock, entropy=entropy, inline=True
        )
        await hub.db.write(lambda tx: resets.begin_anew(tx, hub.now()))
        await hub.db.close()

    async def clone(self, company: Company, steps: int) -> None:
        """Somebody starts a copy of the whole machine."""
        self.copies += 1
        self.ran_twice.add(company.name)
        data = self.world.root / f"copy{self.copies}"
        connection = sqlite3.connect(company.settings.data / "hub.db")
        content = connection.serialize()
        connection.close()
        shutil.copytree(
            company.settings.data, data, ignore=shutil.ignore_patterns("hub.db*", "*.lock")
        )
        (data / "hub.db").write_bytes(content)
        settings = company.settings.model_copy(update={"data": data})
        entropy = SeededEntropy(self.world.chance.getrandbits(64))
        with self.world.unharmed():  # a copy that does not start is none
            hub = await app.open_hub(
                settings,
                {},
                clock=self.world.network.clock_of(company.name),
                entropy=entropy,
                inline=True,
            )
        twin = replace(company, hub=hub, settings=settings, cranks=(), turns_at={})
        self.restored.add(company.name)  # what the copy alone was told ends with it
        self.twins[company.name] = Twin(twin, steps)
        with self.world.answering_for(twin):
            await self.world.safely(twin, self.world.network.open_doors(twin))
        self.world.note(f"{company.name} runs twice")

    async def _twins_work(self) -> None:
        for name, twin in list(self.twins.items()):
            twin.steps -= 1
            with self.world.answering_for(twin.company):
                alive = await self.world.safely(twin.company, self._twin_day(twin.company))
            if not alive or not twin.steps:
                await self.end_twin(name)

    async def _twin_day(self, company: Company) -> None:
        people = self.world.people
        await (people.comment if self.world.chance.random() < 0.5 else people.act)(company)
        await people.turn(company)

    async def end_twin(self, name: str) -> None:
        """People found the copy, and stop it."""
        if (twin := self.twins.pop(name, None)) is not None:
            await twin.company.hub.db.close()
            self.world.note(f"{name} runs once again")

    async def fill_disk(self, company: Company, steps: int) -> None:
        """The database cannot grow any more for so many steps."""
        await self._pages(company, 1)
        self.full[company.name] = steps
        self.world.note(f"disk of {company.name} full")

    async def _disks_grow(self) -> None:
        for name in list(self.full):
            self.full[name] -= 1
            if self.full[name] <= 0:
                await self.free_disk(name)

    async def free_disk(self, name: str) -> None:
        """There is room again."""
        self.full.pop(name, None)
        await self._pages(self.world.network.companies[name], NO_LIMIT)
        self.world.note(f"disk of {name} has room")

    async def _pages(self, company: Company, most: int) -> None:
        # A limit below what is used already is what is used: nothing more fits.
        def body(tx: Tx) -> None:
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

        await self.world.safely(company, company.hub.db.write(body))

    async def late(self, base: str, call: Call) -> None:
        """What was on the wire arrives now, at the address it was sent to."""
        wire = self.world.network.wire
        if base in wire.down or base not in wire.doors:
            return
        door = wire.doors[base]
        if not isinstance(door, Door):
            return  # the peer that keeps to no rule
        reply = await self.world.knock(base, call)
        self.world.note(f"late {call.method} {call.target.rpartition('/')[2][:20]} {reply}")

    async def absence(self, company: Company, days: int) -> None:
        """One company is gone for a long time; the others go on."""
        wire = self.world.network.wire
        wire.down.add(company.settings.url)
        for _ in range(days):
            self.world.network.clock.advance(days=1)
            for other in self.world.companies:
                if other.settings.url not in wire.down:
                    await self.world.safely(other, other.turn())
        wire.down.discard(company.settings.url)
        self.world.note(f"{company.name} was away for {days} days")


_BOTH = frozenset({KeyUse.MSG, KeyUse.HTTP})
