"""A failing run is made short, and stays the run that failed so."""

from __future__ import annotations

import pytest

from tests.simulation.faults import STRENGTHS
from tests.simulation.run import kind
from tests.simulation.shrink import shrink


async def test_what_does_not_matter_is_left_out() -> None:
    async def fails(kept: frozenset[int], without: frozenset[str]) -> bool:
        return {7, 31} <= kept and "drop_reply" not in without

    left = await shrink(40, fails)
    assert left.steps == {7, 31}
    assert left.without == set(STRENGTHS) - {"drop_reply"}


async def test_it_ends_after_so_many_runs_with_what_it_has() -> None:
    runs = 0

    async def fails(kept: frozenset[int], without: frozenset[str]) -> bool:
        nonlocal runs
        runs += 1
        return 99 in kept

    left = await shrink(100, fails, most_runs=30)
    assert 99 in left.steps
    assert (left.runs, runs) == (30, 30)


def _check_that_found(*sentences: str) -> AssertionError:
    return AssertionError("seed 57 ({'drop_reply': 0.2, 'skew': 1}):\n" + "\n".join(sentences))


LOST = "Вендор: 'слова-57-00012' was acknowledged and is gone"
TWICE = "Партнёр: 'слова-57-00003' 2 times"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (LOST, "Мастер: 'слова-9-00001' was acknowledged and is gone", True),
        (LOST, TWICE, False),
        (TWICE, "Вендор: 'a word' 3 times", True),
        (
            "hnd_01a206fd67007696b937329905a247b2 state: Вендор 'offered', Партнёр 'accepted'",
            "hnd_01a206fd67007696b937329905a247b3 state: Мастер 'accepted', Вендор 'closed'",
            True,
        ),
        (
            "hnd_01a206fd67007696b937329905a247b2 state: Вендор 'offered', Партнёр 'accepted'",
            "hnd_01a206fd67007696b937329905a247b2 title: Вендор 'offered', Партнёр 'accepted'",
            False,
        ),
        (
            "hnd_01a206fd67007696b937329905a247b2: in another order: ['a', 'b'] and ['b', 'a']",
            "hnd_01a206fd67007696b937329905a247b9: in another order: ['c', 'd'] and ['d']",
            True,
        ),
        (
            "hnd_01a206fd67007696b937329905a247b2 files: Вендор [('a', 'b'), ('c', 'b')], Мастер []",
            "hnd_01a206fd67007696b937329905a247b2 files: Партнёр [], Вендор [('a', 'b')]",
            True,
        ),
    ],
)
def test_failures_are_alike_by_what_is_wrong_and_not_by_whom_it_meets(
    one: str, other: str, *, alike: bool
) -> None:
    assert (kind(_check_that_found(one)) == kind(_check_that_found(other))) is alike


def test_a_failure_is_not_like_one_with_something_else_wrong_besides() -> None:
    assert kind(_check_that_found(LOST)) < kind(_check_that_found(LOST, TWICE))


def test_errors_are_alike_where_they_come_from_the_same_place() -> None:
    def raised(what: str) -> Exception:
        try:
            {}[what]
        except KeyError as error:
            return error
        raise AssertionError

    def elsewhere(what: str) -> Exception:
        try:
            int(what)
        except ValueError as error:
            return error
        raise AssertionError

    assert kind(raised("a")) == kind(raised("b"))
    assert kind(raised("a")) != kind(elsewhere("a"))
