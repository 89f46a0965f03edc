"""The same on PostgreSQL: after a restore a node is whole again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.recovery.disaster import Tale
from tests.recovery.positions import CHAIN, FEWER, PAIR, everywhere, told
from tests.recovery.tales import chain, closed, words


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("names", "who", "tale"),
    [(PAIR, 0, closed), (PAIR, 1, words), pytest.param(CHAIN, 2, chain, marks=pytest.mark.slow)],
    ids=["closed", "words", "chain"],
)
async def test_a_restored_node_is_whole_again_on_the_other_database(
    quick_path: Path, databases: NewDatabase, names: list[str], who: int, tale: Tale
) -> None:
    disaster = await told(quick_path, databases, names, who, tale)
    await everywhere(disaster, whole=False, some=FEWER)
