"""After a restore a node is whole again: nothing twice, nothing missing, the same numbers."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from hub.actions import effects, recovery
from hub.protocol import payloads
from tests.conftest import NewDatabase
from tests.kit.story import Firm, Story
from tests.recovery.disaster import Disaster, Tale
from tests.recovery.tales import CHAINS, PAIRS, chain, closed, words

PAIR = ["Вендор", "Партнёр"]
CHAIN = ["Бренд", "Федерал", "Регион", "Мастер"]
FAST = 5  # positions of each tale when there is little time
FEWER = 2  # where a story takes ten times as long


async def _told(
    path: Path,
    databases: NewDatabase,
    names: list[str],
    who: int,
    tale: Tale,
    outbound_only: Collection[str] = (),
) -> Disaster:
    story = Story(path, databases)
    firms: list[Firm] = await story.linked(*names, outbound_only=outbound_only)
    return await Disaster.after(story, firms, who, tale)


def _positions(disaster: Disaster, whole: bool, some: int) -> list[int]:
    last = len(disaster.backups) - 1
    if whole or last < some:
        return list(range(last + 1))
    return sorted({last * n // some for n in range(some + 1)})


async def _everywhere(
    disaster: Disaster, *, order: tuple[int, ...] = (), whole: bool, some: int = FAST
) -> None:
    try:
        for number in _positions(disaster, whole, some):
            try:
                await disaster.restore(number, order=order, lose_files=number % 2 == 0)
                await disaster.check()
            except AssertionError as error:
                raise AssertionError(
                    f"backup {number} of {len(disaster.backups)}: {error}"
                ) from error
    finally:
        await disaster.story.close()


_WHOLE = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.long)]


@pytest.mark.one_database
@pytest.mark.parametrize("whole", _WHOLE)
@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
@pytest.mark.parametrize("tale", PAIRS, ids=lambda tale: tale.__name__)
async def test_a_node_restored_at_any_position_of_a_story_is_whole_again(
    quick_path: Path, databases: NewDatabase, tale: Tale, who: int, *, whole: bool
) -> None:
    disaster = await _told(quick_path, databases, PAIR, who, tale)
    await _everywhere(disaster, whole=whole)


@pytest.mark.slow
@pytest.mark.one_database
@pytest.mark.parametrize("whole", _WHOLE)
@pytest.mark.parametrize("hidden", ["Вендор", "Партнёр"])
@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
@pytest.mark.parametrize("tale", PAIRS, ids=lambda tale: tale.__name__)
async def test_it_is_whole_again_where_one_of_the_two_cannot_be_called(
    quick_path: Path, databases: NewDatabase, tale: Tale, who: int, hidden: str, *, whole: bool
) -> None:
    disaster = await _told(quick_path, databases, PAIR, who, tale, {hidden})
    await _everywhere(disaster, whole=whole, some=FEWER)


@pytest.mark.parametrize("whole", _WHOLE)
@pytest.mark.parametrize("order", [(), (0, 1), (1, 0)], ids=["together", "up first", "down first"])
@pytest.mark.parametrize("tale", CHAINS, ids=lambda tale: tale.__name__)
async def test_a_middle_node_of_a_chain_is_whole_again_in_whatever_order_its_links_come_back(
    quick_path: Path,
    databases: NewDatabase,
    tale: Tale,
    order: tuple[int, ...],
    *,
    whole: bool,
) -> None:
    disaster = await _told(quick_path, databases, CHAIN, 2, tale)
    await _everywhere(disaster, order=order, whole=whole)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("names", "who", "tale"),
    [(PAIR, 0, closed), (PAIR, 1, words), pytest.param(CHAIN, 2, chain, marks=pytest.mark.slow)],
    ids=["closed", "words", "chain"],
)
async def test_a_restored_node_is_whole_again_on_the_other_database(
    quick_path: Path, databases: NewDatabase, names: list[str], who: int, tale: Tale
) -> None:
    disaster = await _told(quick_path, databases, names, who, tale)
    await _everywhere(disaster, whole=False, some=FEWER)


def test_every_type_of_message_can_be_re_applied_by_its_author() -> None:
    assert recovery.AGAIN.keys() == payloads.TYPES.keys()


def test_every_type_of_message_says_what_its_effect_is_made_of() -> None:
    assert effects.MADE_OF.keys() == payloads.TYPES.keys()
