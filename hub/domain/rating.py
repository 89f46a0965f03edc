"""Grades: the principal rates finished work, the contractor may reply; both may revise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.domain.handoff import Party, State
from hub.errors import Refused

LOWEST: Final = 1
HIGHEST: Final = 5
RATED: Final = frozenset({State.CONFIRMED, State.CLOSED})
"""States in which there is finished and accepted work to rate."""


def check_rating(
    score: int,
    state: State,
    rev: int,
    *,
    by: Party = Party.PRINCIPAL,
    last_rev: int = 0,
    criteria: Mapping[str, int] | None = None,
) -> None:
    """Return if this grade may be given now. `last_rev` is 0 where there is none yet.

    Raises `Refused`: `schema_invalid` for a grade outside 1 to 5, `wrong_pen` where it is not
    this party's or not yet to be given, `duplicate_id` for a revision that is not newer.
    """
    for grade in (score, *(criteria or {}).values()):
        if not LOWEST <= grade <= HIGHEST:
            raise Refused(
                "schema_invalid",
                "A grade is a whole number from {lowest} to {highest}.",
                lowest=LOWEST,
                highest=HIGHEST,
            )
    _check(Party.PRINCIPAL, by, state, rev, last_rev)


def check_reply(
    state: State, rev: int, *, by: Party = Party.CONTRACTOR, last_rev: int = 0, rated: bool = True
) -> None:
    """Return if the contractor may reply to the grade now.

    Raises `Refused(wrong_pen | duplicate_id)` like `check_rating`.
    """
    if not rated:
        raise Refused("wrong_pen", "There is no rating to reply to.")
    _check(Party.CONTRACTOR, by, state, rev, last_rev)


def _check(whose: Party, by: Party, state: State, rev: int, last_rev: int) -> None:
    if by is not whose:
        raise Refused(
            "wrong_pen",
            "The principal gives the rating, the contractor replies to it.",
        )
    if state not in RATED:
        raise Refused(
            "wrong_pen",
            "A hand-off that is '{state}' cannot be rated.",
            hint="It can be rated once the work is confirmed.",
            state=state,
        )
    if rev <= last_rev:
        raise Refused(
            "duplicate_id",
            "A newer revision of this rating is already here.",
            because=f"revision {rev}, have {last_rev}",
        )
