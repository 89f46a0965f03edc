"""Every (state, act, party) and (state, request, party), against a table written by hand.

The table below was written from the protocol, by state and holder; the code has it by act.
"""

from __future__ import annotations

from itertools import product

import pytest

from hub.domain.handoff import (
    FINAL,
    OVER,
    PEN,
    TRANSITIONS,
    Act,
    Party,
    Request,
    State,
    after,
    check_request,
    possible,
)
from hub.errors import Refused

MAY = """
offered      contractor   accept=accepted decline=declined cancelled=cancelled
accepted     contractor   start=in_progress pend=pending resolve=resolved hand_back=handed_back
accepted     contractor   cancelled=cancelled
in_progress  contractor   pend=pending resolve=resolved hand_back=handed_back cancelled=cancelled
pending      contractor   start=in_progress resolve=resolved hand_back=handed_back
pending      contractor   cancelled=cancelled
rework       contractor   start=in_progress pend=pending resolve=resolved hand_back=handed_back
rework       contractor   cancelled=cancelled
resolved     principal    confirm=confirmed return=rework cancel=cancelled
confirmed    principal    return=rework close=closed
closed       principal    return=rework
"""
MAY_ASK = {
    ("offered", "cancel_request", "principal"),
    ("accepted", "cancel_request", "principal"),
    ("in_progress", "cancel_request", "principal"),
    ("pending", "cancel_request", "principal"),
    ("rework", "cancel_request", "principal"),
    ("resolved", "retract_request", "contractor"),
}


def _expected() -> dict[tuple[str, str, str], str]:
    steps = {}
    for line in MAY.strip().splitlines():
        state, party, *acts = line.split()
        for act, target in (one.split("=") for one in acts):
            steps[state, act, party] = target
    return steps


EXPECTED = _expected()


@pytest.mark.parametrize(("state", "act", "party"), list(product(State, Act, Party)))
def test_a_step_leads_where_the_protocol_says_or_is_refused(
    state: State, act: Act, party: Party
) -> None:
    target = EXPECTED.get((state.value, act.value, party.value))
    if target is not None:
        assert after(act, party, state) is State(target)
        return
    with pytest.raises(Refused) as refusal:
        after(act, party, state)
    assert refusal.value.code == "wrong_pen"


@pytest.mark.parametrize(("state", "request_", "party"), list(product(State, Request, Party)))
def test_a_request_is_taken_only_from_the_party_without_the_pen(
    state: State, request_: Request, party: Party
) -> None:
    if (state.value, request_.value, party.value) in MAY_ASK:
        check_request(request_, party, state)
        assert PEN[state] is party.other
        return
    with pytest.raises(Refused) as refusal:
        check_request(request_, party, state)
    assert refusal.value.code == "wrong_pen"


def test_the_expectation_covers_the_whole_table() -> None:
    rows = {
        (state.value, row.act.value, row.by.value): row.target.value
        for row in TRANSITIONS
        for state in row.sources
    }
    assert rows == EXPECTED


@pytest.mark.parametrize(("state", "party"), list(product(State, Party)))
def test_possible_lists_exactly_the_steps_that_are_not_refused(state: State, party: Party) -> None:
    legal = {act for act in Act if (state.value, act.value, party.value) in EXPECTED}
    assert set(possible(party, state)) == legal


@pytest.mark.parametrize("state", State)
def test_only_the_holder_of_the_pen_can_move(state: State) -> None:
    movers = {party for party in Party if possible(party, state)}
    holder = PEN[state]
    assert movers == (set() if holder is None else {holder})


def test_final_states_are_those_that_nobody_can_change() -> None:
    assert {State.DECLINED, State.HANDED_BACK, State.CANCELLED} == FINAL
    assert FINAL | {State.CLOSED} == OVER


def test_an_offer_is_not_a_step() -> None:
    assert all(row.act is not Act.OFFER for row in TRANSITIONS)


def test_a_refusal_says_what_is_possible_now() -> None:
    with pytest.raises(Refused) as refusal:
        after(Act.CONFIRM, Party.PRINCIPAL, State.OFFERED)
    assert "'offered'" in refusal.value.told
    assert refusal.value.hint == "Possible now: -."
    with pytest.raises(Refused) as refusal:
        after(Act.START, Party.CONTRACTOR, State.OFFERED)
    assert refusal.value.hint == "Possible now: accept, decline, cancelled."
