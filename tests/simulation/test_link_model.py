"""The model of a link: right in every history, and wrong as soon as a part of it is missing."""

from __future__ import annotations

import pytest

from tests.simulation.link_model import WITHOUT, Parts, outcome


def test_every_history_ends_right_with_the_whole_protocol() -> None:
    assert {outcome(seed, Parts()) for seed in range(20)} == {"right"}


@pytest.mark.parametrize("missing", WITHOUT)
def test_without_a_part_some_history_ends_wrong(missing: str) -> None:
    assert any(outcome(seed, WITHOUT[missing]) != "right" for seed in range(100))
