"""The life of one hand-off, as a table that does not know which side we are.

In every state exactly one party holds the pen and may change it; the other may only send
requests. Both nodes run this table, so they cannot disagree about who may do what.
The diagram in docs/protocol and the negative tests are generated from TRANSITIONS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.errors import Refused


class Party(StrEnum):
    """The two parties of a hand-off."""

    PRINCIPAL = "principal"  # hands off its ticket
    CONTRACTOR = "contractor"  # works in the linked child ticket

    @property
    def other(self) -> Party:
        """The party across."""
        return Party.CONTRACTOR if self is Party.PRINCIPAL else Party.PRINCIPAL


class State(StrEnum):
    """Where a hand-off stands."""

    OFFERED = "offered"  # the principal asked; nobody has answered
    ACCEPTED = "accepted"  # the contractor took it and has not begun
    IN_PROGRESS = "in_progress"  # the contractor works on it
    PENDING = "pending"  # the contractor waits for something, with a reason
    REWORK = "rework"  # the principal sent finished work back
    RESOLVED = "resolved"  # the contractor says it is done; the principal decides
    CONFIRMED = "confirmed"  # the principal accepted the work
    CLOSED = "closed"  # over; `return` may reopen it within the warranty
    DECLINED = "declined"  # the contractor did not take it; final
    HANDED_BACK = "handed_back"  # the contractor gave it up; final
    CANCELLED = "cancelled"  # called off; final


class Act(StrEnum):
    """What a party can do to the state. The wire type is `handoff.` + the value."""

    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"
    START = "start"
    PEND = "pend"
    RESOLVE = "resolve"
    HAND_BACK = "hand_back"
    CONFIRM = "confirm"
    RETURN = "return"
    CLOSE = "close"
    CANCEL = "cancel"  # by the principal, of work that is resolved
    CANCELLED = "cancelled"  # the contractor grants a cancel request


class Request(StrEnum):
    """What the party without the pen can ask for."""

    CANCEL = "cancel_request"  # by the principal; before acceptance it is the recall
    RETRACT = "retract_request"  # by the contractor: give the resolution back to me


class PendReason(StrEnum):
    """Why the contractor waits."""

    AWAITING_PRINCIPAL = "awaiting_principal"
    AWAITING_CLIENT = "awaiting_client"
    AWAITING_VENDOR = "awaiting_vendor"
    AWAITING_PARTS = "awaiting_parts"
    NO_ACCESS = "no_access"
    SCHEDULED = "scheduled"


class DeclineCode(StrEnum):
    """Why an offer was not taken."""

    LOOP_DETECTED = "loop_detected"  # the chain came back to a node it already passed
    HOP_LIMIT = "hop_limit"  # the chain is as long as its first principal allowed
    OUT_OF_SCOPE = "out_of_scope"  # the agreement does not cover it
    CAPACITY = "capacity"  # no people for it
    EXPIRED_OFFER = "expired_offer"  # it was valid only until a moment that has passed
    DUPLICATE_OFFER = "duplicate_offer"  # the same ticket is already here
    OTHER = "other"


class ReturnCause(StrEnum):
    """Why finished work goes back."""

    REJECTED = "rejected"  # the principal checked it and it is not done
    REOPEN = "reopen"  # the trouble came back after confirm or close
    RETRACT = "retract"  # the contractor asked for it


_WORKING: Final = frozenset({State.ACCEPTED, State.IN_PROGRESS, State.PENDING, State.REWORK})

PEN: Final[Mapping[State, Party | None]] = {
    State.OFFERED: Party.CONTRACTOR,
    State.ACCEPTED: Party.CONTRACTOR,
    State.IN_PROGRESS: Party.CONTRACTOR,
    State.PENDING: Party.CONTRACTOR,
    State.REWORK: Party.CONTRACTOR,
    State.RESOLVED: Party.PRINCIPAL,
    State.CONFIRMED: Party.PRINCIPAL,
    State.CLOSED: Party.PRINCIPAL,
    State.DECLINED: None,
    State.HANDED_BACK: None,
    State.CANCELLED: None,
}
"""Who may change each state; nobody where it is final."""

FINAL: Final = frozenset(state for state, party in PEN.items() if party is None)
OVER: Final = FINAL | {State.CLOSED}
"""States in which nobody works and nobody waits (a closed one may come back by `return`)."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: the act, who does it, from where, to where."""

    act: Act
    by: Party
    sources: frozenset[State]
    target: State


def _row(act: Act, by: Party, sources: frozenset[State] | set[State], target: State) -> Transition:
    return Transition(act, by, frozenset(sources), target)


TRANSITIONS: Final = (
    _row(Act.ACCEPT, Party.CONTRACTOR, {State.OFFERED}, State.ACCEPTED),
    _row(Act.DECLINE, Party.CONTRACTOR, {State.OFFERED}, State.DECLINED),
    _row(
        Act.START,
        Party.CONTRACTOR,
        {State.ACCEPTED, State.PENDING, State.REWORK},
        State.IN_PROGRESS,
    ),
    _row(
        Act.PEND,
        Party.CONTRACTOR,
        {State.ACCEPTED, State.IN_PROGRESS, State.REWORK},
        State.PENDING,
    ),
    _row(Act.RESOLVE, Party.CONTRACTOR, _WORKING, State.RESOLVED),
    _row(Act.HAND_BACK, Party.CONTRACTOR, _WORKING, State.HANDED_BACK),
    _row(Act.CANCELLED, Party.CONTRACTOR, _WORKING | {State.OFFERED}, State.CANCELLED),
    _row(Act.CONFIRM, Party.PRINCIPAL, {State.RESOLVED}, State.CONFIRMED),
    _row(
        Act.RETURN,
        Party.PRINCIPAL,
        {State.RESOLVED, State.CONFIRMED, State.CLOSED},
        State.REWORK,
    ),
    _row(Act.CLOSE, Party.PRINCIPAL, {State.CONFIRMED}, State.CLOSED),
    _row(Act.CANCEL, Party.PRINCIPAL, {State.RESOLVED}, State.CANCELLED),
)
"""Every legal step. `offer` makes a hand-off and so has no row."""

_BY_ACT: Final = {row.act: row for row in TRANSITIONS}


def after(act: Act, by: Party, state: State) -> State:
    """The state that `act` by this party leads to.

    Raises `Refused(wrong_pen)` where the party may not do this now: because the other one
    holds the pen, or because the table has no such step.
    """
    row = _BY_ACT.get(act)
    if row is None or row.by is not by or state not in row.sources:
        raise Refused(
            "wrong_pen",
            "A hand-off that is '{state}' cannot be changed by '{act}' of the {party}.",
            hint="Possible now: {possible}.",
            state=state,
            act=act,
            party=by,
            possible=", ".join(possible(by, state)) or "-",
        )
    return row.target


def possible(by: Party, state: State) -> tuple[Act, ...]:
    """Everything this party may do now, in the order of the table."""
    return tuple(row.act for row in TRANSITIONS if row.by is by and state in row.sources)


def check_request(request: Request, by: Party, state: State) -> None:
    """Return if this party may send this request now, else raise `Refused(wrong_pen)`.

    A request is for the party that does not hold the pen: the principal asks to cancel while
    the contractor holds it, the contractor asks for its resolution back while it is resolved.
    """
    allowed = (
        by is Party.PRINCIPAL and PEN[state] is Party.CONTRACTOR
        if request is Request.CANCEL
        else by is Party.CONTRACTOR and state is State.RESOLVED
    )
    if not allowed:
        raise Refused(
            "wrong_pen",
            "A hand-off that is '{state}' takes no '{request}' from the {party}.",
            state=state,
            request=request,
            party=by,
        )
