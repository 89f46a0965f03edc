"""Who has the word between a ticket here and one on a foreign desk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.desk import (
    ENDED,
    Base,
    DeskRole,
    Turn,
    Way,
    compared,
    contractor_steps,
    heeds,
    may_tell_status,
    principal_steps,
    turn,
    way,
)
from hub.domain.handoff import OVER, TRANSITIONS, Act, Party, Request, State, after
from hub.domain.ticket import TicketStatus

STATUSES = st.sampled_from([one.value for one in TicketStatus])


def test_what_is_as_it_was_left_is_no_news() -> None:
    for how in Way:
        assert turn("priority", Base("high", "high"), "high", "high", how) is Turn.NOTHING


def test_our_own_words_coming_back_are_only_noted() -> None:
    # Told "high" and seen as "high": the base still says what was there before.
    assert turn("priority", Base("low", "low"), "high", "high", Way.BOTH) is Turn.NOTED


def test_whoever_alone_changed_is_followed() -> None:
    base = Base("low", "low")
    assert turn("priority", base, "low", "high", Way.BOTH) is Turn.TAKE
    assert turn("priority", base, "high", "low", Way.BOTH) is Turn.TELL


def test_where_one_side_has_the_word_the_other_is_put_right_or_left_alone() -> None:
    base = Base("a", "a")
    assert turn("title", base, "b", "a", Way.THEIRS) is Turn.NOTHING
    assert turn("title", base, "a", "b", Way.OURS) is Turn.TELL
    assert turn("title", base, "a", "b", Way.OURS_ONCE) is Turn.NOTED
    assert turn("title", base, "b", "a", Way.OURS_ONCE) is Turn.TELL


def test_where_both_changed_an_end_wins_and_else_who_works_over_there() -> None:
    base = Base("open", "open")
    assert turn("status", base, "closed", "pending", Way.BOTH) is Turn.TELL
    assert turn("status", base, "pending", "closed", Way.BOTH) is Turn.TAKE
    assert turn("status", base, "cancelled", "closed", Way.BOTH) is Turn.TAKE
    assert turn("status", base, "pending", "resolved", Way.BOTH) is Turn.TAKE
    assert turn("priority", Base("low", "low"), "high", "urgent", Way.BOTH) is Turn.TAKE


def test_what_we_made_and_have_not_seen_yet_is_not_taken_for_their_wish() -> None:
    made = Base("open", None)
    assert turn("status", made, "open", "new", Way.BOTH) is Turn.TELL
    assert turn("status", made, "open", "in_progress", Way.BOTH) is Turn.TAKE
    short = compared("title", "Касса 7 […]")
    assert turn("title", Base("x", None), "x", short, Way.BOTH) is Turn.NOTED


def test_a_customer_ends_and_opens_again_and_nothing_else() -> None:
    role, status = DeskRole.CUSTOMER, TicketStatus
    assert not heeds(role, status.NEW, status.IN_PROGRESS)
    assert not heeds(role, status.IN_PROGRESS, status.OPEN)
    assert heeds(role, status.RESOLVED, status.OPEN)
    assert heeds(role, status.PENDING, status.IN_PROGRESS)
    assert heeds(DeskRole.OWN, status.NEW, status.IN_PROGRESS)
    for ended in ENDED:
        assert not may_tell_status(role, status.IN_PROGRESS, ended)
        assert may_tell_status(role, ended, status.OPEN)
        assert may_tell_status(DeskRole.OWN, status.IN_PROGRESS, ended)


def test_a_contractor_is_told_that_it_is_over_or_open_again_and_not_how_it_goes() -> None:
    role, status = DeskRole.VENDOR, TicketStatus
    assert not may_tell_status(role, status.IN_PROGRESS, status.OPEN)
    assert may_tell_status(role, status.CLOSED, status.OPEN)
    assert may_tell_status(role, status.IN_PROGRESS, status.RESOLVED)


def test_the_principals_words_are_not_changed_from_a_desk_below() -> None:
    for field in ("title", "description", "priority"):
        assert way(DeskRole.OWN, field, child=True) is Way.OURS
        assert way(DeskRole.OWN, field, child=False) is Way.BOTH
        assert way(DeskRole.CUSTOMER, field, child=False) is Way.THEIRS
        assert way(DeskRole.VENDOR, field, child=False) is Way.OURS_ONCE
    for role in DeskRole:
        assert way(role, "status", child=True) is Way.BOTH


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("status", TicketStatus)
@pytest.mark.parametrize("request_", [None, Request.CANCEL])
def test_every_status_in_our_own_desk_is_steps_the_table_allows(
    state: State, status: TicketStatus, request_: str | None
) -> None:
    steps = contractor_steps(state, status, request_)
    if steps is None:
        assert state in {State.CONFIRMED, State.CLOSED}
        return
    for step in steps:
        if isinstance(step, Act):
            state = after(step, Party.CONTRACTOR, state)
        else:
            assert (step, state) == (Request.RETRACT, State.RESOLVED)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("status", TicketStatus)
@pytest.mark.parametrize("before", TicketStatus)
def test_every_word_of_a_customer_is_steps_the_table_allows(
    state: State, status: TicketStatus, before: TicketStatus
) -> None:
    if state in OVER and state is not State.CLOSED:
        return  # nothing is done with a hand-off that is final
    for step in principal_steps(state, status, before):
        if isinstance(step, Act):
            assert any(row.act is step for row in TRANSITIONS)
            state = after(step, Party.PRINCIPAL, state)


@given(
    edits=st.lists(
        st.tuples(st.sampled_from(["ours", "theirs", "read", "write"]), STATUSES), max_size=40
    )
)
def test_whatever_both_sides_do_they_come_to_rest_and_nobody_is_told_twice(
    edits: list[tuple[str, str]],
) -> None:
    ours = theirs = "new"
    base = Base("new", "new")
    told = changes = 0

    def exchange(now: str) -> None:
        nonlocal ours, theirs, base, told
        what = turn("status", base, ours, theirs, Way.BOTH)
        if what is Turn.TAKE:
            ours, base = theirs, Base(theirs, theirs)
        elif what is Turn.NOTED:
            base = Base(ours, theirs)
        elif what is Turn.TELL and now == "write":
            theirs, base, told = ours, Base(ours, ours), told + 1

    for who, word in edits:
        if who == "ours":
            changes += ours != word
            ours = word
        elif who == "theirs":
            theirs = word
        else:
            exchange(who)
    exchange("write")
    assert ours == theirs
    assert told <= changes + 1
    rest = (ours, theirs, base, told)
    for now in ("read", "write", "read", "write"):
        exchange(now)
    assert (ours, theirs, base, told) == rest
