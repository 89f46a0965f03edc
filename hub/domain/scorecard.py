"""A partner's record in a few figures, from what became of the hand-offs offered to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean, median

from hub.domain.handoff import OVER, State

WINDOW = timedelta(days=90)
"""So far back the record goes."""

_UNWILLING = frozenset({State.DECLINED, State.HANDED_BACK})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one hand-off."""

    state: State
    offered_at: datetime
    accepted_at: datetime | None
    resolved_at: datetime | None
    due_promised: datetime | None
    score: int | None  # 1 to 5


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The figures. None where nothing says anything of them."""

    offered: int
    working: int  # not over yet
    unwilling: int  # declined or given back
    grade: float | None  # mean of 1 to 5
    graded: int
    accepts_in: timedelta | None  # median from the offer to the acceptance
    in_time: float | None  # of those with a promise that were done, the part done by then


def scorecard(outcomes: Sequence[Outcome]) -> Scorecard:
    """The record these make."""
    grades = [one.score for one in outcomes if one.score is not None]
    waits = [
        (one.accepted_at - one.offered_at).total_seconds()
        for one in outcomes
        if one.accepted_at is not None
    ]
    kept = [
        one.resolved_at <= one.due_promised
        for one in outcomes
        if one.resolved_at is not None and one.due_promised is not None
    ]
    return Scorecard(
        offered=len(outcomes),
        working=sum(one.state not in OVER for one in outcomes),
        unwilling=sum(one.state in _UNWILLING for one in outcomes),
        grade=mean(grades) if grades else None,
        graded=len(grades),
        accepts_in=timedelta(seconds=median(waits)) if waits else None,
        in_time=sum(kept) / len(kept) if kept else None,
    )
