"""When a partner without a node is reminded of a hand-off: once a stage, never more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from hub.domain.handoff import State

_ANSWER_IN: Final = timedelta(hours=24)  # where the offer does not say until when it is good
_WORKING: Final = frozenset({State.ACCEPTED, State.IN_PROGRESS, State.PENDING, State.REWORK})


class Stage(StrEnum):
    """What a reminder is about."""

    ANSWER = "answer"  # the offer waits for a yes or no
    DUE = "due"  # a quarter of the time is left
    OVERDUE = "overdue"
    EXPIRED = "expired"  # nobody answered while the offer was good: it is declined


AT_WORK: Final = _WORKING | {State.OFFERED}
"""States in which somebody there has something to do."""


def due_stage(
    state: State,
    *,
    round_: int,
    offered_at: datetime,
    valid_until: datetime | None,
    due: datetime | None,
    clock_stopped: bool,
    told: Collection[str],
    now: datetime,
) -> tuple[Stage, str] | None:
    """The stage that has come and was not told yet, and the name it is remembered by."""
    if state is State.OFFERED:
        if valid_until is not None and valid_until <= now:
            return _unless(told, Stage.EXPIRED, "expired")
        wait = min((valid_until - offered_at) / 2, _ANSWER_IN) if valid_until else _ANSWER_IN
        return _unless(told, Stage.ANSWER, "answer") if offered_at + wait <= now else None
    if state not in _WORKING or due is None or clock_stopped:
        return None
    if due <= now:
        return _unless(told, Stage.OVERDUE, f"overdue:{round_}")
    if now >= due - (due - offered_at) / 4:
        return _unless(told, Stage.DUE, f"due:{round_}")
    return None


def _unless(told: Collection[str], stage: Stage, name: str) -> tuple[Stage, str] | None:
    return None if name in told else (stage, name)
