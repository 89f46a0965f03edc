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


F20 = ("too_many_requests", "trouble_after_it", "no_answer_after_it", "key_refused_for_a_while",
       "hook-twice", "hook-out_of_order", "hook-never", "while_pages_turn", "our_clock")  # fmt: skip
"""What RELIABILITY.md names, by words in the names of cases."""


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.name)
def test_every_desk_meets_sixty_faults_and_every_kind_that_can_meet_it(desk) -> None:
    rig = desk().rig()
    names = [name for name, _ in conformance.fault_cases(rig)]
    assert len(names) == len(set(names)) >= 60
    capable = rig.connector().capabilities
    for kind in F20:
        applies = capable.webhooks if kind.startswith("hook-") else True
        if kind in ("hook-never", "while_pages_turn", "our_clock"):
            applies = capable.pull
        assert not applies or any(kind in name for name in names), kind
