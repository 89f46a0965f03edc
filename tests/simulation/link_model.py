"""A model of one link, small enough to run thousands of histories: two logs, epochs, syncs.

It knows nothing of signatures, tables or payloads. Parts of the protocol can be switched off to
see what they are for: `python -m tests.simulation.link_model 3000`.
"""

from __future__ import annotations

import copy
import hashlib
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Parts:
    """What of the protocol is in use."""

    sync: bool = True  # where both stand is asked after a start
    take_back: bool = True  # a restored sender fetches what it had said
    rewind: bool = True  # a restored receiver gets again what it had heard
    epochs: bool = True  # late copies of what was said before a restore are void


class Fork(Exception):
    """Two different messages for one place."""


@dataclass(frozen=True)
class Message:
    """One message of a log."""

    seq: int
    hash: str
    prev: str
    body: tuple[object, ...]
    ack: int
    epoch: int

    @property
    def counts(self) -> bool:
        """Whether it has an effect."""
        return self.body[0] == "said"


def signed(
    author: str, log: list[Message], body: tuple[object, ...], ack: int, epoch: int
) -> Message:
    """The next message of the log."""
    seq, prev = len(log) + 1, log[-1].hash if log else "agreement"
    text = repr((author, seq, prev, body, ack, epoch))
    return Message(seq, hashlib.sha256(text.encode()).hexdigest()[:16], prev, body, ack, epoch)


def head(log: list[Message], seq: int) -> str:
    """The hash at this place."""
    return log[seq - 1].hash if seq else "agreement"


@dataclass
class Disk:
    """What a node has on disk for the link: a backup is a copy of it."""

    sent: list[Message] = field(default_factory=list)
    receipted: int = 0
    receipted_max: int = 0
    acked: int = 0
    held: list[Message] = field(default_factory=list)
    effects: list[tuple[object, ...]] = field(default_factory=list)
    epoch: int = 1
    sent_epochs: dict[int, int] = field(default_factory=lambda: {1: 1})
    held_epochs: dict[int, int] = field(default_factory=lambda: {1: 1})


@dataclass
class Node:
    """One side."""

    name: str
    parts: Parts
    disk: Disk = field(default_factory=Disk)
    synced: bool = True

    def start(self) -> None:
        """The process begins anew on its disk."""
        self.synced = not self.parts.sync

    def say(self, body: tuple[object, ...]) -> None:
        """One transaction: an act and its message."""
        disk = self.disk
        disk.sent.append(signed(self.name, disk.sent, body, len(disk.held), disk.epoch))

    def batch(self, most: int) -> list[Message]:
        """What to send next."""
        return self.disk.sent[self.disk.receipted : self.disk.receipted + most]

    def receive(self, batch: list[Message], crash: str = "") -> tuple[int, str] | None:
        """The receipt; None where none arrives."""
        if not self.synced:
            return None
        disk = copy.deepcopy(self.disk)
        for one in batch:
            expected = max(e for e, start in disk.held_epochs.items() if start <= one.seq)
            if self.parts.epochs and one.epoch < expected:
                continue
            if self.parts.epochs and one.epoch > expected:
                break
            if one.seq <= len(disk.held):
                if disk.held[one.seq - 1].hash != one.hash:
                    raise Fork(f"{self.name} at {one.seq}")
                continue
            if one.seq > len(disk.held) + 1:
                break
            if one.prev != head(disk.held, len(disk.held)):
                raise Fork(f"{self.name} before {one.seq}")
            disk.held.append(one)
            disk.acked = max(disk.acked, one.ack if one.ack <= len(disk.sent) else 0)
            if one.counts:
                disk.effects.append(one.body)
            if crash == "before the commit":
                return None
        self.disk = disk
        return None if crash else (len(disk.held), head(disk.held, len(disk.held)))

    def record(self, receipt: tuple[int, str]) -> None:
        """The peer has this much."""
        upto, hashed = receipt
        if upto <= len(self.disk.sent) and head(self.disk.sent, upto) == hashed:
            self.disk.receipted = max(self.disk.receipted, upto)
            self.disk.receipted_max = max(self.disk.receipted_max, upto)


@dataclass
class History:
    """One run: two nodes, a line that fails, and what happens to them."""

    seed: int
    parts: Parts = field(default_factory=Parts)
    loss: float = 0.25
    counted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.nodes = (Node("A", self.parts), Node("B", self.parts))
        self.backups: dict[str, Disk] = {}
        self.late: list[tuple[Node, list[Message]]] = []
        self.clock = 1

    def lost(self) -> bool:
        """Whether the line eats this."""
        return self.chance.random() < self.loss

    def run(self, steps: int = 300) -> None:
        """Live, heal, check. Raises Fork for a false alarm, AssertionError for loss."""
        for n in range(steps):
            one, other = self.nodes if self.chance.random() < 0.5 else self.nodes[::-1]
            self._step(n, one, other)
        self.loss = 0.0
        self.late.clear()
        for _ in range(300):
            for one, other in (self.nodes, self.nodes[::-1]):
                self._attempt(one, other, healed=True)
        self._check()

    def _step(self, n: int, one: Node, other: Node) -> None:
        dice = self.chance.random()
        if dice < 0.35:
            one.say(("poison" if self.chance.random() < 0.05 else "said", one.name, n))
        elif dice < 0.85:
            self._attempt(one, other)
        elif dice < 0.90:
            self._something_late()
        elif dice < 0.94:
            self.backups[one.name] = copy.deepcopy(one.disk)
        elif dice < 0.955 and one.name in self.backups:
            one.disk = copy.deepcopy(self.backups[one.name])
            one.start()
            self.counted["restores"] += 1

    def _something_late(self) -> None:
        if self.late:
            receiver, batch = self.late.pop(self.chance.randrange(len(self.late)))
            receiver.receive(batch)
            self.counted["late copies"] += 1

    def _attempt(self, one: Node, other: Node, *, healed: bool = False) -> None:
        if not one.synced:
            self._sync(one, other)
            return
        batch = one.batch(self.chance.randint(1, 6))
        if not batch or self.lost():
            return
        if not healed and self.chance.random() < 0.15:
            self.late.append((other, batch))
        crash = "" if healed else self.chance.choice([""] * 6 + ["before the commit", "after it"])
        receipt = other.receive(batch, crash)
        if crash:
            other.start()
            self.counted["crashes"] += 1
        if self.chance.random() < 0.2:
            other.receive(batch)
        if receipt is not None and not self.lost():
            one.record(receipt)

    def _sync(self, one: Node, other: Node) -> None:
        """`one` brings its own log in order and tells where it stands in the other's."""
        self.counted["syncs"] += 1
        if self.lost():
            return
        base, theirs = len(other.disk.held), list(other.disk.held)
        known = {**other.disk.held_epochs, **one.disk.sent_epochs}
        if self.chance.random() < 0.3:
            self._something_late()
        disk = copy.deepcopy(one.disk)
        same = 0
        while same < min(len(disk.sent), base) and disk.sent[same].hash == theirs[same].hash:
            same += 1
        taken = theirs[same:] if self.parts.take_back else []
        firm = base if taken else max(base, disk.receipted_max, disk.acked)
        firm = firm if taken else min(firm, len(disk.sent))
        self.clock = max(self.clock + 1, max(known) + 1)
        epoch = self.clock
        if self.lost() or [m.hash for m in other.disk.held] != [m.hash for m in theirs]:
            return
        other.disk.held_epochs = {**known, epoch: firm + 1}
        held = len(one.disk.held)
        if self.parts.rewind and held <= len(other.disk.sent):
            if head(other.disk.sent, held) == head(one.disk.held, held):
                other.disk.receipted = held
            else:
                other.synced = False
        elif self.parts.rewind:
            other.synced = False
        if self.lost():
            return
        kept = [*disk.sent[:same], *taken] if taken else disk.sent[:firm]
        ids = {one_taken.body for one_taken in taken}
        rest = [m for m in disk.sent[len(kept) if not taken else same :] if m.body not in ids]
        disk.sent = list(kept)
        disk.epoch = epoch if self.parts.epochs else disk.epoch
        for body in [("epoch", epoch), *(m.body for m in rest if m.body[0] != "epoch")]:
            disk.sent.append(signed(one.name, disk.sent, body, len(disk.held), disk.epoch))
        disk.sent_epochs = {**known, epoch: firm + 1}
        disk.held_epochs = {**disk.held_epochs, **other.disk.sent_epochs}
        disk.receipted, disk.receipted_max = base, max(disk.receipted_max, base)
        one.disk, one.synced = disk, True

    def _check(self) -> None:
        for one, other in (self.nodes, self.nodes[::-1]):
            said = [m.body for m in one.disk.sent if m.counts]
            assert len(set(said)) == len(said), "said twice"
            assert other.disk.effects == said, "lost or doubled"
            ends = [head(log, len(log)) for log in (one.disk.sent, other.disk.held)]
            assert ends[0] == ends[1], "diverged"


def outcome(seed: int, parts: Parts) -> str:
    """`right`, `false alarm` or `lost or diverged`."""
    try:
        History(seed, parts).run()
    except Fork:
        return "false alarm"
    except (AssertionError, IndexError):
        return "lost or diverged"
    return "right"


def trial(name: str, runs: int, parts: Parts, tell: Callable[[str], None] = print) -> Counter[str]:
    """How many histories of each outcome."""
    counted = Counter(outcome(seed, parts) for seed in range(runs))
    tell(f"{name:28} {dict(counted)}")
    return counted


WITHOUT = {
    "no epochs": replace(Parts(), epochs=False),
    "nothing taken back": replace(Parts(), take_back=False),
    "the peer does not go back": replace(Parts(), rewind=False),
    "no sync at all": replace(Parts(), sync=False),
}
"""The protocol with one part missing each."""


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    whole = trial("the protocol", count, Parts())
    for missing, parts in WITHOUT.items():
        trial(missing, count // 4, parts)
    sys.exit(0 if whole["right"] == count else 1)
