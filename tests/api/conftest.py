"""Two linked companies, and a program at each."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.storage import migrate
from tests.kit.network import Network
from tests.kit.program import Program, program


@dataclass
class Desk:
    """One company that uses the API alone."""

    network: Network
    ours: Program

    async def ticket(self, title: str = "Не печатает чек", **members: object) -> dict[str, object]:
        """A ticket of ours."""
        made: dict[str, object] = await self.ours.post("/tickets", {"title": title, **members})
        return made


@dataclass
class Pair(Desk):
    """We and a partner, linked."""

    theirs: Program
    link: str

    async def offered(self, **how: object) -> tuple[dict[str, object], str]:
        """A ticket of ours that was offered to the partner; the ticket and the hand-off's id."""
        made = await self.ticket()
        offer = await self.ours.post(
            f"/tickets/{made['number']}/handoffs", {"peer": self.theirs.company.name, **how}
        )
        await self.network.run_until_idle()
        return made, offer["id"]


NAMES = ("Сервис Плюс", "Мастер-Юг")


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both companies, founded and linked once: tests work on copies."""
    root = tmp_path_factory.mktemp("founded")

    async def found() -> None:
        network = Network(root, seed="founded")
        a, b = [await network.company(name) for name in NAMES]
        await network.link(a, b)
        await network.close()

    asyncio.run(found())
    return root


@pytest.fixture
async def network(
    quick_path: Path, founded: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Network]:
    shutil.copytree(founded, quick_path, dirs_exist_ok=True)

    async def upgraded(_url: str, _data: Path) -> None:
        """The copies are of the newest shape; Alembic needs a while to see that."""

    monkeypatch.setattr(migrate, "upgrade", upgraded)
    made = Network(quick_path)
    yield made
    await made.close()


@pytest.fixture
async def desk(network: Network) -> AsyncIterator[Desk]:
    company = await network.company(NAMES[0])
    async with program(company) as ours:
        yield Desk(network, ours)


@pytest.fixture
async def pair(network: Network) -> AsyncIterator[Pair]:
    a, b = [await network.company(name) for name in NAMES]
    link = await a.link_to(b.name)
    await network.run_until_idle()  # both are synced
    async with program(a) as ours, program(b) as theirs:
        yield Pair(network, ours, theirs, link)
