"""After a restore a node is whole again: nothing twice, nothing missing, the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.actions import effects, recovery
from hub.protocol import payloads
from tests.conftest import NewDatabase
from tests.recovery.disaster import Tale
from tests.recovery.positions import FEWER, PAIR, WHOLE, everywhere, told
from tests.recovery.tales import PAIRS, many


@pytest.mark.one_database
@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
@pytest.mark.parametrize("tale", PAIRS, ids=lambda tale: tale.__name__)
async def test_a_node_restored_at_any_position_of_a_story_is_whole_again(
    quick_path: Path, databases: NewDatabase, tale: Tale, who: int, *, whole: bool
) -> None:
    disaster = await told(quick_path, databases, PAIR, who, tale)
    await everywhere(disaster, whole=whole)


@pytest.mark.slow
@pytest.mark.one_database
@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("hidden", ["Вендор", "Партнёр"])
@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
@pytest.mark.parametrize("tale", PAIRS, ids=lambda tale: tale.__name__)
async def test_it_is_whole_again_where_one_of_the_two_cannot_be_called(
    quick_path: Path, databases: NewDatabase, tale: Tale, who: int, hidden: str, *, whole: bool
) -> None:
    disaster = await told(quick_path, databases, PAIR, who, tale, {hidden})
    await everywhere(disaster, whole=whole, some=FEWER)


@pytest.mark.one_database
@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
async def test_a_ticket_written_after_the_sync_gets_none_of_the_numbers_that_came_back(
    quick_path: Path, databases: NewDatabase, who: int
) -> None:
    disaster = await told(quick_path, databases, PAIR, who, many)
    try:
        await disaster.restore(0, lose_files=False)
        fresh = await (await disaster.who.new_ticket("После восстановления")).card()
        told_before = {
            number for _, number, _ in disaster.truth[disaster.who.name].numbers.values()
        }
        assert fresh.number not in told_before
    finally:
        await disaster.story.close()


def test_every_type_of_message_can_be_re_applied_by_its_author() -> None:
    assert recovery.AGAIN.keys() == payloads.TYPES.keys()


def test_every_type_of_message_says_what_its_effect_is_made_of() -> None:
    assert effects.MADE_OF.keys() == payloads.TYPES.keys()
