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
    not in {"keystore", "founding", "migration", "handshake", "answer", "backup", "restore"}
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


@dataclass
class Deaths:
    """Ends the process that comes by an armed point, or fails its next statement there."""

    wire: Wire
    armed: str = ""
    left: int = 0
    failing_statement: int = 0
    visited: Counter[str] = field(default_factory=Counter)

    def arm(self, chance: random.Random) -> str:
        """Choose where somebody dies next; what was chosen."""
        self.armed = chance.choice(["", *sorted(PASSED_HERE)])  # "": wherever it is by then
        self.left = chance.randint(1, 300) if not self.armed else chance.randint(1, 3)
        return f"{self.armed or 'anywhere'} {self.left}"

    def disarm(self) -> None:
        """Nobody dies any more."""
        self.armed, self.left, self.failing_statement = "", 0, 0

    def strike(self, point: str) -> None:
        """Called at every point of every node."""
        if self.wire.falling:
            raise Died
        if self.failing_statement and point == "database.statement":
            self.failing_statement -= 1
            if not self.failing_statement:
                raise OperationalError("", None, sqlite3.OperationalError("disk I/O error"))
        if self.left and self.armed in {"", point}:
            self.left -= 1
            if not self.left:
                self.visited[point] += 1
                self.wire.falling = True
                raise Died
