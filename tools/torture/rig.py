"""Two linked companies on real processes, with a bad line between them."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.torture import check
from tools.torture.child import Program
from tools.torture.driver import Driver
from tools.torture.nodes import Broken, Node, free_port
from tools.torture.proxy import Fault, Proxy


@dataclass
class Outcome:
    """What one section of the torture came to."""

    section: str
    figures: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    impossible: str = ""  # why this machine cannot do it; then nothing was proven
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each section is done."""

    kills: int  # of a node on SQLite
    kills_postgres: int
    kills_polling: int  # of a pair of which one cannot be called
    founding: int  # kills while a node is made, per database
    cuts: int
    control: int
    full: int
    failovers: int
    twice: int
    rounds: int  # under faults of the line alone
    file_cuts: int


SHORT: Final = Size(
    kills=10, kills_postgres=4, kills_polling=6, founding=2, cuts=4, control=1, full=2,
    failovers=4, twice=1, rounds=1, file_cuts=4,
)  # fmt: skip
LONG: Final = Size(
    kills=300, kills_postgres=60, kills_polling=80,
    founding=40, cuts=200, control=5, full=30, failovers=100,
    twice=20, rounds=30, file_cuts=150,
)  # fmt: skip


@dataclass
class Pair:
    """Two nodes, the proxies before their doors, and who drives them."""

    a: Node
    b: Node
    doors: tuple[Proxy, Proxy]
    driver: Driver

    @property
    def nodes(self) -> tuple[Node, Node]:
        """Both."""
        return self.a, self.b

    def kills(self) -> int:
        """How often either process was killed."""
        return sum(node.kills for node in self.nodes)

    def exits(self) -> list[str]:
        """Processes that ended otherwise than by being killed: a node must not die by itself."""
        return [
            f"{node.name}: {how}, {count} times"
            for node in self.nodes
            for how, count in node.died.items()
            if how.startswith("exit")
        ]

    def finish(self, outcome: Outcome) -> None:
        """Heal everything, check everything, stop; what is wrong is added to the outcome."""
        for door in self.doors:
            door.heal()
        for node in self.nodes:
            node.deaths.clear()
            if node.armed is not None:
                node.kill()  # it would die of an old order in the midst of the check
        for node in self.nodes:
            node.until_ready()
        outcome.problems += check.check(self.driver)
        for node in self.nodes:
            node.stop()
        outcome.problems += check.after_stop(*self.nodes)
        outcome.problems += self.exits()
        ledger = self.driver.ledger
        outcome.problems += [f"{bug}, {count} times" for bug, count in ledger.bugs.items()]
        suffered: Counter[Fault] = self.doors[0].suffered + self.doors[1].suffered
        del suffered[Fault.NONE]
        outcome.figures |= {
            "acknowledged": ledger.acknowledged,
            "tickets": len(ledger.cases),
            "links": ledger.links,
            "asked_again": ledger.repeated,
            "answers_lost_and_repeated": ledger.replayed,
            "outcomes_in_doubt": ledger.in_doubt,
            "line_faults": suffered.total(),
        }


@contextlib.contextmanager
def pair(
    root: Path,
    seed: int,
    *,
    rate: float = 0.0,
    databases: tuple[str, str] = ("", ""),
    data_of_a: Path | None = None,
    program_of_a: Program = Program.HUB,
    polling: bool = False,
) -> Iterator[Pair]:
    """Two founded nodes, served, with their proxies; all ended at the end.

    `polling`: the second has no address and makes every call.
    """
    root.mkdir(parents=True, exist_ok=True)
    nodes = []
    for name, data, database in zip(
        ("A", "B"), (data_of_a or root / "a", root / "b"), databases, strict=True
    ):
        nodes.append(Node(name, data, root / "log", database=database, door=free_port()))
    nodes[0].program = program_of_a
    nodes[1].outbound_only = polling
    doors = [Proxy(node.door, node.port, seed + n, rate) for n, node in enumerate(nodes)]
    a, b = nodes
    try:
        for node in nodes:
            node.found()
        for node in nodes:
            node.start()
        for node in nodes:
            node.until_ready()
        yield Pair(a, b, (doors[0], doors[1]), Driver(a, b, seed))
    finally:
        for node in nodes:
            with contextlib.suppress(Broken):
                node.stop(at_once=True)
        for door in doors:
            door.close()


def measured(section: str, body: Callable[[Outcome], None]) -> Outcome:
    """Run a section; what broke it is a problem of it like any other."""
    outcome = Outcome(section)
    started = time.monotonic()
    try:
        body(outcome)
    except Exception as error:  # noqa: BLE001 - the other sections are still to be run
        where = "" if isinstance(error, Broken) else traceback.format_exc(limit=-3)
        outcome.problems.append(f"{error} {where}".strip())
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome
