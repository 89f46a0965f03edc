"""A tale told, and its node restored at one position after the other."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.kit.story import Firm, Story
from tests.recovery.disaster import Disaster, Tale

PAIR = ["Вендор", "Партнёр"]
CHAIN = ["Бренд", "Федерал", "Регион", "Мастер"]
FAST = 5  # positions of each tale when there is little time
FEWER = 2  # where a story takes ten times as long
WHOLE = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.long)]


async def told(
    path: Path,
    databases: NewDatabase,
    names: list[str],
    who: int,
    tale: Tale,
    outbound_only: Collection[str] = (),
) -> Disaster:
    """The tale, told among these companies; the backups of one of them."""
    story = Story(path, databases)
    firms: list[Firm] = await story.linked(*names, outbound_only=outbound_only)
    return await Disaster.after(story, firms, who, tale)


async def everywhere(
    disaster: Disaster, *, order: tuple[int, ...] = (), whole: bool, some: int = FAST
) -> None:
    """Restored at `some` of its positions, or at the `whole` of them, the node is whole again."""
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


def _positions(disaster: Disaster, whole: bool, some: int) -> list[int]:
    last = len(disaster.backups) - 1
    if whole or last < some:
        return list(range(last + 1))
    return sorted({last * n // some for n in range(some + 1)})
