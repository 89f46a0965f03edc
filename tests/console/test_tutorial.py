"""The tutorial: what it says to type and to click leads where it says, with the pictures it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.browsing import CHROMIUM, NO_BROWSER
from tools import tutorial

MOST = 512 * 1024  # bytes of all pictures


def test_the_pictures_of_the_tutorial_are_there_and_small() -> None:
    kept = {one.name: one.stat().st_size for one in tutorial.PAGE.parent.glob("*.png")}
    assert set(kept) == tutorial.pictures()
    assert sum(kept.values()) <= MOST


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason=NO_BROWSER)
async def test_a_newcomer_gets_from_two_folders_to_one_ticket(tmp_path: Path) -> None:
    seen: list[str] = []

    async def look(_page: Any, name: str) -> None:
        seen.append(name)

    await tutorial.played(tmp_path, look)
    assert set(seen) == tutorial.pictures()
