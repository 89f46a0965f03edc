"""Faults of the line alone: F4, F5, F7 and, for files cut at every border, F18."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.torture.proxy import Fault, Proxy
from tools.torture.rig import Outcome, pair

_RATE: Final = 0.4
_BLOCK: Final = 64 * 1024
_AT_LEAST: Final = 10  # faults that a round of a bad line suffers, or it goes on
_PACE_S: Final = 0.3  # how long a connection lasts: a good one that stays would hide the others


def rounds(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """Every operation, while two connections of five suffer something."""
    with pair(root, seed, rate=_RATE) as two, _short_lived(two.doors):
        n = 0
        while n < count or _suffered(two.doors) < count * _AT_LEAST:
            two.driver.round(n)
            n += 1
        outcome.figures["rounds"] = n
        outcome.figures["by_fault"] = {
            str(fault): sum(door.suffered[fault] for door in two.doors) for fault in Fault
        }
        two.finish(outcome)


def files(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """A file's way is cut at, before and behind every border of 64 KiB, again and again."""
    chance = random.Random(seed)
    with pair(root, seed) as two:
        two.driver.round(0)
        case = two.driver.ledger.cases[0]
        borders = [k * _BLOCK + d for k in range(7) for d in (-1, 0, 1) if k or d >= 0]
        while two.doors[0].cut < count:
            two.doors[0].next_ones((Fault.CUT_REPLY, at) for at in chance.sample(borders, 5))
            two.doors[0].end_open()
            two.driver.file(case, two.driver.a, size=6 * _BLOCK + chance.randint(-1, 1))
            number = two.driver.theirs(case)
            name = case.sent[-1].name
            two.driver.b.until(
                f"/tickets/{number}",
                lambda view, name=name: any(
                    one["name"] == name and one["state"] == "available"
                    for one in view["attachments"]
                ),
            )
        outcome.figures["cuts"] = two.doors[0].cut
        two.finish(outcome)


@contextlib.contextmanager
def _short_lived(doors: tuple[Proxy, Proxy]) -> Iterator[None]:
    """End every connection after a while, so that the next one draws its fault."""
    stop = threading.Event()

    def end_them() -> None:
        while not stop.wait(_PACE_S):
            for door in doors:
                door.end_open()

    ending = threading.Thread(target=end_them, daemon=True)
    ending.start()
    try:
        yield
    finally:
        stop.set()
        ending.join(5)


def _suffered(doors: tuple[Proxy, Proxy]) -> int:
    return sum(door.suffered.total() - door.suffered[Fault.NONE] for door in doors)
