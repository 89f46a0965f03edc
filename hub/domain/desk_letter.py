"""What a letter of a customer's desk says, read by the profile of that desk.

Everything in it is the desk's word; whether the letter is from there is another question.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.domain.ticket import Priority, TicketStatus

STATUSES: Final = (
    TicketStatus.OPEN,
    TicketStatus.PENDING,
    TicketStatus.RESOLVED,
    TicketStatus.CLOSED,
    TicketStatus.CANCELLED,
)
"""Of ours, what a word of theirs may mean: whether we work on it is for us to say."""
OVER: Final = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED, TicketStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class DeskLetter:
    """One letter of a customer's desk."""

    profile: str
    desk: str  # what people call it
    number: str  # theirs; empty: none was found
    title: str = ""
    text: str = ""  # what is said, without what the desk puts around it
    site: str = ""
    contact: str = ""
    phone: str = ""
    customer: str = ""
    priority: Priority | None = None
    status: TicketStatus | None = None  # what their word means for our ticket; None: nothing
    due_at: datetime | None = None
    answer_subject: str = ""  # of our answers, so that their desk finds its ticket
    answer_token: str = ""  # last line of our answers, for desks that look there
    too_slow: bool = False  # a pattern of the profile ran out of its time


def moved(
    ours: TicketStatus, theirs: TicketStatus | None, *, handed_off: bool
) -> TicketStatus | None:
    """The status of our ticket after their word; None: it stays.

    What ends their ticket ends ours only where nobody else works on it: else people decide.
    """
    if theirs is None or theirs == ours:
        return None
    if theirs in OVER:
        settled = ours in OVER and theirs is TicketStatus.RESOLVED
        return None if handed_off or settled else theirs
    if theirs is TicketStatus.PENDING:
        return None if ours in OVER else theirs
    return theirs if ours in OVER or ours is TicketStatus.PENDING else None
