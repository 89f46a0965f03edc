"""Every template against a simulator of its desk: the whole suite, and every fault of F20."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors import conformance
from tests.connectors.simulators.every import DESKS


def _cases() -> Iterator[Any]:
    for desk in DESKS:
        rig = desk().rig()
        for name, case in (*conformance.cases(rig), *conformance.fault_cases(rig)):
            yield pytest.param(desk, case, id=f"{desk.name}-{name}")


@pytest.mark.parametrize(("desk", "case"), list(_cases()))
async def test_a_connector_keeps_the_promise(desk, case) -> None:
    await case(desk().rig())
