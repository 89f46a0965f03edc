"""Whatever a linked peer rightly signs is answered by the door, with a status of its tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.fuzz import mutations
from tools.fuzz.door import DoorTarget


@pytest.fixture(scope="module")
def door() -> Iterator[DoorTarget]:
    made = DoorTarget()
    yield made
    made.close()


def test_right_calls_of_every_kind_are_answered(door: DoorTarget) -> None:
    for seed in door.seeds():
        door.run(seed)


@pytest.mark.parametrize("turn", range(4))
def test_calls_that_are_nearly_right_are_answered(door: DoorTarget, turn: int) -> None:
    seeds = list(door.seeds())
    for number in range(60):
        seed = seeds[(number * 7 + turn) % len(seeds)]
        chance = number * 4 + turn
        door.run(mutations.mutated(seed, 4000, chance, lambda data, _most: data[:-3] + data[-2:]))
