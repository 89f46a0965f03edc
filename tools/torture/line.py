"""Faults of the line alone: F4, F5, F7 and, for files cut at every border, F18."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from tools.torture.proxy import Fault
from tools.torture.rig import Outcome, pair

_RATE: Final = 0.4
_BLOCK: Final = 64 * 1024


def rounds(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """Every operation, while two connections of five suffer something."""
    with pair(root, seed, rate=_RATE) as two:
        for n in range(count):
            two.driver.round(n)
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
        made = 0
        while made < count:
            wanted = [(Fault.CUT_REPLY, at) for at in chance.sample(borders, 5)]
            two.doors[0].next_ones(wanted)
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
            made += len(wanted) - two.doors[0].scripted
        outcome.figures["cuts"] = two.doors[0].suffered[Fault.CUT_REPLY]
        two.finish(outcome)
