"""A running console, people of every role, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.browsing import NewVisitor, a_browser
from tests.kit.console import Console
from tests.kit.network import Network


@pytest.fixture
async def companies(quick_path: Path) -> AsyncIterator[Network]:
    """An empty network."""
    network = Network(quick_path)
    yield network
    await network.close()


@pytest.fixture
async def console(companies: Network) -> AsyncIterator[Console]:
    """The console of one company."""
    served = await Console.serve(await companies.company("Сервис Плюс"))
    yield served
    await served.close()


@pytest.fixture
async def consoles(companies: Network) -> AsyncIterator[tuple[Console, Console]]:
    """The consoles of two linked companies."""
    ours, theirs = [await companies.company(name) for name in ("Сервис Плюс", "Мастер-Юг")]
    await companies.link(ours, theirs)
    served = await Console.serve(ours), await Console.serve(theirs)
    yield served
    for one in served:
        await one.close()


@pytest.fixture
async def browser() -> AsyncIterator[NewVisitor]:
    """What opens a browser of somebody's own on a console: the page, and what it does."""
    async with a_browser() as visit:
        yield visit
