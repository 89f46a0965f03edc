"""Codes, their statuses, and the choice of a version."""

from __future__ import annotations

import pytest

from hub.errors import Refused
from hub.protocol import problems, versions


def test_a_problem_carries_its_code_and_status() -> None:
    made = problems.problem("clock_skew", "Clocks differ", "Check the time", now="2026")
    assert made == {
        "type": "urn:txp:problem:clock_skew", "title": "Clocks differ", "status": 401,
        "code": "clock_skew", "detail": "Check the time", "now": "2026",
    }  # fmt: skip
    assert "detail" not in problems.problem("not_found", "No such thing")


def test_a_door_cannot_use_a_code_without_a_status() -> None:
    with pytest.raises(KeyError):
        problems.problem("teapot", "Short and stout")


def test_codes_are_unique_and_statuses_are_errors() -> None:
    assert all(400 <= status < 600 for status in problems.STATUS.values())
    assert len(set(problems.REJECTS)) == len(problems.REJECTS)
    assert len(set(problems.DECLINES)) == len(problems.DECLINES)


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (["1.0"], ["1.0"], "1.0"),
        (["1.0", "1.2"], ["1.2", "1.1", "1.0"], "1.2"),
        (["1.9", "1.10"], ["1.10", "1.9"], "1.10"),
        (["1.0"], ["2.0", "1.0", "nonsense"], "1.0"),
    ],
)
def test_the_highest_common_version_is_chosen(
    ours: list[str], theirs: list[str], chosen: str
) -> None:
    assert versions.choose(ours, theirs) == chosen
    assert versions.choose(theirs, ours) == chosen


@pytest.mark.parametrize("theirs", [[], ["2.0"], ["1"], ["1.0.0"], [""], ["1.٠"], ["x"]])
def test_without_a_common_version_there_is_no_link(theirs: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        versions.choose([*versions.SUPPORTED, "x", "1"], theirs)
    assert caught.value.code == "version_unsupported"
    assert "1.0" in caught.value.hint
