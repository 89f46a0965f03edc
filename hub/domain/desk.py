"""Foreign desks: what of their tickets becomes ours, and what of ours is told over there.

Both sides of a pair of tickets are compared with what was last accounted for. Only a difference
from that is news, whoever made it, so our own change coming back changes nothing, and neither
side is told what it said itself. Where both changed since, a rule says who wins.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.domain.handoff import Act, Request, State
from hub.domain.ticket import Priority, TicketStatus


class DeskRole(StrEnum):
    """What a foreign desk is to us."""

    CUSTOMER = "customers_desk"  # their tickets that are assigned to us become ours
    OWN = "own_desk"  # our people work in it: tickets are mirrored both ways
    VENDOR = "vendors_desk"  # we hand off into it as to a contractor


class Notes(StrEnum):
    """Which internal notes cross. Only a desk of our own may ever have them."""

    NONE = "none"
    IN = "in"  # theirs become ours
    OUT = "out"  # ours are written over there, as private as they are here
    BOTH = "both"


class Mirror(StrEnum):
    """Which of our tickets are made over there by themselves."""

    NONE = "none"  # only those a person sends
    HANDOFFS = "handoffs"  # what partners hand to us
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator decided for one desk."""

    role: DeskRole
    company: str  # whose people work in it, as our people call them
    notes: Notes = Notes.NONE
    mirror: Mirror = Mirror.NONE
    show_names: bool = False  # of our people, over there
    tell_number: bool = True  # a first comment says our number, and later the promised time
    service: str = ""  # of tickets that come from there

    @property
    def takes_notes(self) -> bool:
        """Whether internal notes over there become ours."""
        return self.role is DeskRole.OWN and self.notes in {Notes.IN, Notes.BOTH}

    @property
    def gives_notes(self) -> bool:
        """Whether our internal notes are written over there."""
        return self.role is DeskRole.OWN and self.notes in {Notes.OUT, Notes.BOTH}


class PairState(StrEnum):
    """Where "our ticket X is their ticket Y" stands."""

    LIVE = "live"
    PARKED = "parked"  # our news does not get through: a person must look
    GONE = "gone"  # deleted over there
    AWAY = "away"  # over there it is not ours to work on any more
    MERGED = "merged"  # over there it is part of another ticket that we know as well
    CUT = "cut"  # a person ended it


FOLLOWED: Final = frozenset({PairState.LIVE, PairState.PARKED, PairState.AWAY})
"""States in which their changes are still taken."""

FIELDS: Final = ("title", "description", "priority", "status")
"""What is compared, in the order in which it is taken."""

WAS_HERE: Final = "was-here:"  # instead of an id: both sides had it before they were tied together
REFUSED: Final = "refused:"  # instead of an id: the desk does not take it

ENDED: Final = frozenset({TicketStatus.CLOSED, TicketStatus.CANCELLED})
DONE: Final = ENDED | {TicketStatus.RESOLVED}


# --- what stands over there -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TheirFile:
    """A file over there; `ref` fetches it."""

    id: str
    name: str
    ref: str
    size: int | None
    media_type: str
    public: bool
    by_us: bool


@dataclass(frozen=True, slots=True)
class TheirComment:
    """A comment over there, as plain text."""

    id: str
    body: str
    at: datetime
    author: str
    author_id: str
    by_us: bool
    public: bool
    files: tuple[TheirFile, ...] = ()


@dataclass(frozen=True, slots=True)
class TheirTicket:
    """A ticket over there, in our words where there are words for it."""

    id: str
    number: str
    url: str
    title: str
    description: str
    status: TicketStatus | None  # None: unknown, or not told
    status_there: str
    priority: Priority | None
    assigned: bool
    requester_id: str
    requester_name: str
    requester_email: str
    marker: str
    merged_into: str
    updated_at: datetime | None
    comments: tuple[TheirComment, ...] = ()
    files: tuple[TheirFile, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()  # field, value
    every_comment: bool = False  # one that is not among them was deleted
    print: str = ""  # of all of it

    def value(self, field: str) -> str | None:
        """The field as it is compared; None where nothing is told of it."""
        return compared(field, getattr(self, field))

    def every_file(self) -> list[tuple[TheirFile, str | None]]:
        """All files, with the comment each belongs to."""
        found: list[tuple[TheirFile, str | None]] = [(one, None) for one in self.files]
        for comment in self.comments:
            found += [(one, comment.id) for one in comment.files]
        return found


# --- finding our tickets again --------------------------------------------------------------

_MARKER: Final = re.compile(r"hub(\d+)x([0-9a-f]{12})")


def marker_of(number: str, node_id: str) -> str:
    """What is written on a ticket over there so that it is found again: our number, and whose.

    Letters and digits alone, which every desk can search for. It is made of nothing that a
    restored node would not know: numbers are told to partners and never given twice.
    """
    return f"hub{number.removeprefix('T-')}x{_tail(node_id)}"


def number_in(marker: str, node_id: str) -> str | None:
    """The number of our ticket that this marker names; None where it is none of ours."""
    found = _MARKER.fullmatch(marker)
    return f"T-{found[1]}" if found and found[2] == _tail(node_id) else None


def _tail(node_id: str) -> str:
    return hashlib.sha256(node_id.encode()).hexdigest()[:12]


# --- fields ---------------------------------------------------------------------------------

_SPACES: Final = re.compile(r"\s+")


def print_of(text: str) -> str:
    """A text by which it is recognised and not read; blank space does not count."""
    plain = _SPACES.sub(" ", text).strip()
    return base64.urlsafe_b64encode(hashlib.sha256(plain.encode()).digest()).decode().rstrip("=")


def file_print(name: str, size: int | None) -> str:
    """The same of a file."""
    return print_of(f"{name} {size}")


def compared(field: str, value: object) -> str | None:
    """A value as it is compared and kept: texts only by their print."""
    if value is None:
        return None
    return print_of(str(value)) if field in {"title", "description"} else str(value)


class Way(StrEnum):
    """Who says what a field is."""

    THEIRS = "theirs"
    OURS = "ours"  # what they write over it is put right again
    BOTH = "both"
    OURS_ONCE = "ours_once"  # we say it, and let them write over it


def way(role: DeskRole, field: str, *, child: bool) -> Way:
    """Who has the word on this field. `child`: a principal handed the ticket to us."""
    if field == "status":
        return Way.BOTH
    if role is DeskRole.CUSTOMER:
        return Way.THEIRS
    if role is DeskRole.VENDOR:
        return Way.OURS_ONCE
    return Way.OURS if child else Way.BOTH


@dataclass(frozen=True, slots=True)
class Base:
    """What was last accounted for of a field; None: nothing yet."""

    ours: str | None = None
    theirs: str | None = None

    @property
    def unseen(self) -> bool:
        """Whether we made it over there, and have not seen yet what became of it."""
        return self.ours is not None and self.theirs is None


class Turn(StrEnum):
    """What is to be done about a field."""

    NOTHING = "nothing"
    TAKE = "take"  # theirs becomes ours
    TELL = "tell"  # ours is written over there
    NOTED = "noted"  # both are accounted for as they stand


def turn(field: str, base: Base, ours: str, theirs: str | None, how: Way) -> Turn:
    """What follows from where the field stands on both sides."""
    they_changed = theirs is not None and theirs != base.theirs
    we_changed = ours != base.ours
    if ours == theirs:
        return Turn.NOTED if they_changed or we_changed else Turn.NOTHING
    if base.unseen and they_changed:
        return _first_seen(field, theirs)
    if how is Way.THEIRS:
        return Turn.TAKE if they_changed else Turn.NOTHING
    if how is Way.OURS:
        return Turn.TELL if they_changed or we_changed else Turn.NOTHING
    if how is Way.OURS_ONCE:
        return Turn.TELL if we_changed else Turn.NOTED if they_changed else Turn.NOTHING
    if not they_changed:
        return Turn.TELL if we_changed else Turn.NOTHING
    if not we_changed:
        return Turn.TAKE
    # Both at once. An end that a person set is not undone by what crossed it on the way;
    # otherwise who works over there has looked last.
    if field == "status" and ours in ENDED and theirs not in ENDED:
        return Turn.TELL
    return Turn.TAKE


def _first_seen(field: str, theirs: str | None) -> Turn:
    """What we made over there looks different from how we made it."""
    if field in {"title", "description"}:
        return Turn.NOTED  # shortened, or written in another way
    fresh = theirs in {TicketStatus.NEW, TicketStatus.OPEN}
    return Turn.TAKE if field == "status" and not fresh else Turn.TELL


def heeds(role: DeskRole, ours: TicketStatus, theirs: TicketStatus) -> bool:
    """Whether their status says anything about ours.

    How far our work is, we say: a customer ends it, opens it again or has us wait. Several desks
    call a ticket begun as soon as anybody answers, us included.
    """
    going = {TicketStatus.NEW, TicketStatus.OPEN, TicketStatus.IN_PROGRESS}
    return not (role is DeskRole.CUSTOMER and ours in going and theirs in going)


def may_tell_status(role: DeskRole, ours: str, theirs: str | None) -> bool:
    """Whether our status may be written over theirs.

    A customer's end is the customer's: only they open it again. How a contractor's work goes is
    the contractor's to say: we only open it again, or end it.
    """
    if role is DeskRole.CUSTOMER:
        return not (theirs in ENDED and ours not in ENDED)
    if role is DeskRole.VENDOR:
        return ours in ENDED or (theirs in DONE and ours not in DONE)
    return True


_GOING_ON: Final = (TicketStatus.OPEN, TicketStatus.IN_PROGRESS, TicketStatus.NEW)
_OVER: Final = (TicketStatus.CLOSED, TicketStatus.RESOLVED)


def nearest(ours: str, theirs: TicketStatus | None) -> tuple[TicketStatus, ...]:
    """What to call it on a desk that has no word for ours and shows the opposite.

    A desk may lack a word; whether the work is over or goes on, it has to hear.
    """
    if theirs is None or (ours in DONE) == (theirs in DONE):
        return ()
    return _OVER if ours in DONE else _GOING_ON


def woken_by_us(before: str | None, there: TheirTicket, known: Collection[str]) -> bool:
    """Whether it is open again because of what we wrote on it, and not because somebody wants it.

    Several desks open a ticket that is over for whatever is said on it. `before` is the status
    that was last accounted for, `known` are the comments that were there when it was: where the
    last words are new and ours, and nobody said anything after them, it was us.
    """
    if before not in DONE or there.status is None or there.status in DONE:
        return False
    last = there.comments[-1] if there.comments else None
    return last is not None and last.by_us and last.id not in known


# --- their status as steps of a hand-off ------------------------------------------------------


def contractor_steps(
    state: State, theirs: TicketStatus, request: str | None
) -> tuple[Act | Request, ...] | None:
    """What our people mean, in their own desk, for a ticket a principal handed to us.

    None where the hand-off takes nothing of it: then theirs is put right again.
    """
    S, T = State, TicketStatus  # noqa: N806 - a table is read in columns
    if state in {S.DECLINED, S.HANDED_BACK, S.CANCELLED}:
        return ()
    if theirs is T.CANCELLED:
        if state is S.OFFERED:
            return (Act.DECLINE,)
        if state in {S.RESOLVED, S.CONFIRMED, S.CLOSED}:
            return ()
        return (Act.CANCELLED if request == Request.CANCEL else Act.HAND_BACK,)
    if state in {S.CONFIRMED, S.CLOSED}:
        return () if theirs in DONE else None
    if state is S.RESOLVED:
        return () if theirs in DONE else (Request.RETRACT,)
    taken: tuple[Act | Request, ...] = (Act.ACCEPT,) if state is S.OFFERED else ()
    if theirs is T.NEW:
        return ()
    if theirs is T.OPEN:
        return taken
    if theirs is T.IN_PROGRESS:
        return taken if state is S.IN_PROGRESS else (*taken, Act.START)
    if theirs is T.PENDING:
        return taken if state is S.PENDING else (*taken, Act.PEND)
    return (*taken, Act.RESOLVE)


def principal_steps(
    state: State, theirs: TicketStatus, before: TicketStatus
) -> tuple[Act | Request, ...]:
    """What a customer's word about the ticket means for a hand-off of ours below it."""
    if theirs is TicketStatus.CANCELLED:
        return (Act.CANCEL,) if state is State.RESOLVED else (Request.CANCEL,)
    if theirs is TicketStatus.CLOSED:
        if state is State.RESOLVED:
            return (Act.CONFIRM, Act.CLOSE)
        return (Act.CLOSE,) if state is State.CONFIRMED else ()
    reopened = before in DONE and theirs not in DONE
    if reopened and state in {State.RESOLVED, State.CONFIRMED, State.CLOSED}:
        return (Act.RETURN,)
    return ()
