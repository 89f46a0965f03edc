"""What may go wrong in a world, how often, and where a process may die."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import OperationalError

from hub.faults import POINTS
from tests.kit.network import Died, Wire

STRENGTHS: Final = {
    # on the line, for each call
    "drop_request": 0.3,
    "drop_reply": 0.3,
    "duplicate": 0.3,
    "delay": 0.15,
    "flip_request": 0.1,
    "flip_reply": 0.1,
    # after each step
    "late_copy": 0.3,
    "partition": 0.05,
    "one_way": 0.05,
    "flapping": 0.05,
    "restart": 0.05,
    "crash": 0.2,
    "statement": 0.1,
    "disk_full": 0.04,
    "poison": 0.1,
    "clock_jump": 0.05,
    "long_absence": 0.01,
    "rotate": 0.03,
    "revoke": 0.01,
    "identity": 0.01,
    "restore": 0.03,
    "snapshot": 0.03,  # put back by whoever runs the machine: the node cannot tell
    "clone": 0.02,
    "skew": 1.0,
}
"""Kind → its greatest likelihood."""

PASSED_HERE: Final = frozenset(
    point
    for point in POINTS
    if point.split(".")[0]
    not in {
        *("keystore", "founding", "migration", "handshake", "answer", "backup", "restore"),
        "bridge",  # no company of these worlds has a foreign desk: tests/bridge kills it there
    }
)
"""Where a node at work comes by; the rest is visited by real processes."""


@dataclass(frozen=True)
class Faults:
    """How likely each kind of trouble is in this run: a random subset is switched on."""

    strength: dict[str, float]

    @classmethod
    def swarm(cls, chance: random.Random) -> Faults:
        """A random subset, each with a random strength."""
        return cls(
            {
                kind: chance.uniform(0, most)
                for kind, most in STRENGTHS.items()
                if chance.random() < 0.4
            }
        )

    def without(self, kinds: frozenset[str]) -> Faults:
        """The same, but these never happen."""
        return Faults({kind: p for kind, p in self.strength.items() if kind not in kinds})

    def happens(self, kind: str, chance: random.Random) -> bool:
        """Whether it does now. Draws in any case: what is switched off moves nothing else."""
        return chance.random() < self.strength.get(kind, 0.0)


ANYWHERE: Final = ""
"""Armed in place of a point: wherever somebody is by then."""

FAMILIAR = 0.8
"""How often a death is armed where somebody came by before: most points are rarely visited."""


@dataclass
class Deaths:
    """Ends the process that comes by an armed point, or fails its next statement there.

    What is armed stays armed until somebody has come by often enough.
    """

    wire: Wire
    armed: dict[str, int] = field(default_factory=dict)  # point → how many more times it is passed
    failing_statement: int = 0
    passed: set[str] = field(default_factory=set)
    visited: Counter[str] = field(default_factory=Counter)

    def arm(self, chance: random.Random) -> str:
        """Choose where somebody dies next; what was chosen."""
        known = sorted(PASSED_HERE & self.passed)
        familiar = chance.random() < FAMILIAR
        where = chance.choice([ANYWHERE, *(known if familiar else sorted(PASSED_HERE))])
        self.armed[where] = chance.randint(1, 3 if where else 300)
        return f"{where or 'anywhere'} {self.armed[where]}"

    def disarm(self) -> None:
        """Nobody dies any more."""
        self.armed.clear()
        self.failing_statement = 0

    def strike(self, point: str) -> None:
        """Called at every point of every node."""
        if self.wire.falling:
            raise Died
        self.passed.add(point)
        if self.failing_statement and point == "database.statement":
            self.failing_statement -= 1
            if not self.failing_statement:
                raise OperationalError("", None, sqlite3.OperationalError("disk I/O error"))
        # Both count, also where one of them ends the process.
        if self._is_last(ANYWHERE) | self._is_last(point):
            self.visited[point] += 1
            self.wire.falling = True
            raise Died

    def _is_last(self, where: str) -> bool:
        if where not in self.armed:
            return False
        self.armed[where] -= 1
        if self.armed[where]:
            return False
        del self.armed[where]
        return True
