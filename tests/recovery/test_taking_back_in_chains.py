"""After a restore the middle of a chain is whole again, whoever of its peers answers first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.recovery.disaster import Tale
from tests.recovery.positions import CHAIN, WHOLE, everywhere, told
from tests.recovery.tales import CHAINS


@pytest.mark.parametrize("whole", WHOLE)
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
    disaster = await told(quick_path, databases, CHAIN, 2, tale)
    await everywhere(disaster, order=order, whole=whole)
