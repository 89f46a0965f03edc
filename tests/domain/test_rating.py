"""Who may rate what, when."""

from __future__ import annotations

import pytest

from hub.domain.handoff import Party, State
from hub.domain.rating import check_rating, check_reply
from hub.errors import Refused

RATED = {"confirmed", "closed"}


@pytest.mark.parametrize("state", State)
def test_only_accepted_work_is_rated_and_replied_to(state: State) -> None:
    if state.value in RATED:
        check_rating(5, state, 1)
        check_reply(state, 1)
        return
    with pytest.raises(Refused, match="wrong_pen"):
        check_rating(5, state, 1)
    with pytest.raises(Refused, match="wrong_pen"):
        check_reply(state, 1)


@pytest.mark.parametrize("score", [-1, 0, 6, 100])
def test_a_grade_is_from_1_to_5(score: int) -> None:
    with pytest.raises(Refused, match="schema_invalid"):
        check_rating(score, State.CLOSED, 1)
    with pytest.raises(Refused, match="schema_invalid"):
        check_rating(3, State.CLOSED, 1, criteria={"speed": score})


def test_every_grade_from_1_to_5_is_taken() -> None:
    for score in range(1, 6):
        check_rating(score, State.CONFIRMED, 1, criteria={"speed": score})


def test_each_party_has_its_own_part() -> None:
    with pytest.raises(Refused, match="wrong_pen"):
        check_rating(5, State.CLOSED, 1, by=Party.CONTRACTOR)
    with pytest.raises(Refused, match="wrong_pen"):
        check_reply(State.CLOSED, 1, by=Party.PRINCIPAL)
    with pytest.raises(Refused, match="wrong_pen"):
        check_reply(State.CLOSED, 1, rated=False)


@pytest.mark.parametrize("rev", [0, 1, 2])
def test_an_older_revision_does_not_replace_a_newer_one(rev: int) -> None:
    with pytest.raises(Refused, match="duplicate_id"):
        check_rating(5, State.CLOSED, rev, last_rev=2)
    check_rating(5, State.CLOSED, 3, last_rev=2)
