"""One scene for the attacks of one file: what is turned away leaves it as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.attacks.scene import Scene
from tests.attacks.scene import scene as made
from tests.kit.network import Network


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Company A with its partners B and C."""
    network = Network(tmp_path_factory.mktemp("attacks"), seed="attacks")
    yield asyncio.run(made(network))
    asyncio.run(network.close())
