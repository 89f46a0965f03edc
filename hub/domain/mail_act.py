"""What a partner without a node can say with one click of a letter, and when.

Each of these is a step of the table of states, or words beside it: no rule is here a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from hub.domain.handoff import Act, Party, State, after, possible

LASTS: Final = timedelta(days=30)
"""How long a link in a letter works; the next letter brings new ones."""


class MailAct(StrEnum):
    """What one link in a letter does."""

    ACCEPT = "accept"
    DECLINE = "decline"  # with a reason
    ON_THE_WAY = "on_the_way"  # words: a plan
    ON_SITE = "on_site"  # begins the work, or words where it has begun
    DONE = "done"
    HAND_BACK = "hand_back"  # with a reason
    ETA = "eta"  # words: a new time of arrival
    ERASED = "erased"  # the partner deleted what it was asked to delete
    AGREE = "agree"  # to other terms; this and the next are about the link
    REFUSE = "refuse"


_STEP: Final[Mapping[MailAct, Act]] = {
    MailAct.ACCEPT: Act.ACCEPT,
    MailAct.DECLINE: Act.DECLINE,
    MailAct.DONE: Act.RESOLVE,
    MailAct.HAND_BACK: Act.HAND_BACK,
}
"""The step that each of them is; the others are words, good in any state in which one works."""

_ORDER: Final = (
    MailAct.ACCEPT,
    MailAct.DECLINE,
    MailAct.ON_THE_WAY,
    MailAct.ON_SITE,
    MailAct.DONE,
    MailAct.ETA,
    MailAct.HAND_BACK,
)
OF_TERMS: Final = (MailAct.AGREE, MailAct.REFUSE)
"""Those that answer a proposal to change the agreement; they are about no hand-off."""
REASONED: Final = frozenset({MailAct.DECLINE, MailAct.HAND_BACK})
"""Those of which one says why."""
TIMED: Final = frozenset({MailAct.ACCEPT, MailAct.ON_THE_WAY, MailAct.ETA})
"""Those with which one may say when somebody comes; `eta` has nothing else to say."""


def offered_in(state: State) -> tuple[MailAct, ...]:
    """What a letter lets its reader do while the hand-off stands so."""
    steps = possible(Party.CONTRACTOR, state)
    works = Act.RESOLVE in steps
    return tuple(one for one in _ORDER if (_STEP[one] in steps if one in _STEP else works))


def leads_to(act: MailAct, state: State) -> State:
    """Where the hand-off stands behind it. Raises `Refused(wrong_pen)`."""
    if act is MailAct.ON_SITE and Act.START in possible(Party.CONTRACTOR, state):
        return after(Act.START, Party.CONTRACTOR, state)
    return after(_STEP[act], Party.CONTRACTOR, state) if act in _STEP else state
