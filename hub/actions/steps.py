"""One step of a hand-off's life on this side, whoever made it.

Our own people's acts and the peer's messages both end here: the same rule, the same columns
from the same words, the same history, the same consequences for the ticket and the chain.
Instants that belong to the step are the actor's (`at`), so both nodes record the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.actions import chains, outgoing
from hub.actions.context import Hub
from hub.domain.handoff import OVER, PEN, Act, Party, Request, State, after
from hub.domain.ticket import TicketStatus, status_for
from hub.protocol.encoding import parse_instant
from hub.storage import audit, handoffs, tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

_COLUMNS: Final[Mapping[Act, Mapping[str, str]]] = {
    Act.ACCEPT: {"due_promised": "due_promised", "assignee": "assignee"},
    Act.DECLINE: {"text": "reason"},
    Act.START: {"plan": "plan"},
    Act.PEND: {"reason": "pend_reason", "until": "pend_until", "stops_clock": "stops_clock"},
    Act.RESOLVE: {
        "resolution": "resolution",
        "code": "resolution_code",
        "effort_minutes": "effort_minutes",
    },
    Act.HAND_BACK: {"reason": "reason", "effort_minutes": "effort_minutes"},
    Act.CONFIRM: {},
    Act.RETURN: {"reason": "reason", "round": "round"},
    Act.CLOSE: {"reason": "reason"},
    Act.CANCEL: {"reason": "reason"},
    Act.CANCELLED: {"effort_minutes": "effort_minutes"},
}
"""Which member of each message becomes which column, on both sides."""

_INSTANTS: Final = frozenset({"due_promised", "pend_until", "eta"})

_ALARMING: Final = frozenset({State.DECLINED, State.HANDED_BACK})
"""The principal is left without a contractor: a person must look."""


def columns(act: Act, said: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """What the words of this act change in a hand-off, besides its state."""
    changed: dict[str, Any] = {}
    for member, column in _COLUMNS[act].items():
        if said.get(member) is not None:
            value = said[member]
            changed[column] = parse_instant(value) if column in _INSTANTS else value
    if act is Act.DECLINE and "reason" not in changed:
        changed["reason"] = said["code"]
    if act is Act.START:
        changed["work_started"] = True
    if act in {Act.START, Act.RESOLVE, Act.HAND_BACK, Act.CANCELLED}:
        changed |= {"pend_reason": None, "pend_until": None, "stops_clock": None}
    if act is Act.RESOLVE:
        changed["resolved_at"] = at
    if act is Act.CLOSE:
        changed["closed_at"] = at
    if act is Act.CONFIRM:
        changed["confirmed_at"] = at
        if (rating := said.get("rating")) is not None:
            changed |= rating_columns(rating, 1)
    if act is Act.RETURN:
        # A new round is judged anew; what was said of the last one stays in the history.
        changed |= {"resolved_at": None, "confirmed_at": None, "closed_at": None}
    return changed


def rating_columns(rating: Mapping[str, Any], rev: int) -> dict[str, Any]:
    """What a rating changes in a hand-off."""
    return {
        "score": rating["score"],
        "rating_criteria": rating.get("criteria") or {},
        "rating_text": rating.get("text"),
        "rating_rev": rev,
    }


def take(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    act: Act,
    by: Party,
    said: Mapping[str, Any],
    *,
    at: datetime,
    now: datetime,
    actor: str,
    message_id: str | None = None,
) -> State:
    """Make the step and everything that follows from it on this side; the new state.

    Raises `Refused(wrong_pen)`; then nothing has changed.
    """
    target = after(act, by, handoff.state)
    changes = columns(act, said, at)
    if handoff.request is not None and not _still_asked(handoff.request, target):
        changes |= request_closed()
        _request_settled(tx, handoff, now)
    handoffs.change(tx, handoff.id, state=target, since=at, **changes)
    handoffs.record(
        tx,
        handoff.id,
        at=at,
        party=by,
        actor=actor,
        event=act,
        before=handoff.state,
        after=target,
        facts={name: value for name, value in said.items() if name not in {"from", "files"}},
        message_id=message_id,
    )
    _follow(tx, hub, handoff, target, now)
    return target


def _still_asked(request: str, target: State) -> bool:
    """Whether an open request makes sense in the new state; else the step itself answers it.

    An answer that is on its way all the same finds no open request and is only recorded.
    """
    if request == Request.CANCEL:
        return PEN[target] is Party.CONTRACTOR
    return target is State.RESOLVED


def _request_settled(tx: Tx, handoff: Handoff, now: datetime) -> None:
    audit.resolve_alerts(tx, kind="cancel_requested", subject=handoff.id, at=now)


def close_request(tx: Tx, handoff: Handoff, now: datetime) -> None:
    """The open request of a hand-off was answered by words, not by a step."""
    handoffs.change(tx, handoff.id, **request_closed())
    _request_settled(tx, handoff, now)


def request_closed() -> dict[str, Any]:
    """The open request of a hand-off is answered."""
    return {
        "request": None,
        "request_id": None,
        "request_reason": None,
        "request_at": None,
        "request_deadline": None,
    }


def _follow(tx: Tx, hub: Hub, handoff: Handoff, target: State, now: datetime) -> None:
    ticket = tickets.lock(tx, handoff.ticket_id)
    status = _status(tx, handoff, target)
    if status is not None and status is not ticket.status:
        tickets.change(tx, ticket.id, updated_at=now, status=status)
    if handoff.party is not Party.PRINCIPAL:
        return
    if target in _ALARMING:
        outgoing.alarm(
            tx,
            hub,
            "handoff_ended",
            ticket.id,  # the ticket lacks a contractor, so any other's acceptance settles it
            "Ticket {number}: the contractor ended the hand-off ({state}). Offer it to another.",
            now,
            number=ticket.number,
            state=target,
        )
    elif target is State.ACCEPTED:
        audit.resolve_alerts(tx, kind="handoff_ended", subject=ticket.id, at=now)
    chains.hop_changed(tx, hub, handoff.id, now)


def _status(tx: Tx, handoff: Handoff, target: State) -> TicketStatus | None:
    """What becomes of our ticket; None: nothing."""
    if handoff.detached_at is not None:
        return None
    status = status_for(target, handoff.party)
    if handoff.party is Party.CONTRACTOR or status is None:
        return status
    others = [
        one for one in handoffs.of_ticket(tx.connection, handoff.ticket_id) if one.id != handoff.id
    ]
    # A middle node's ticket says where its own hand-off with the principal stands.
    if any(one.party is Party.CONTRACTOR for one in others):
        return None
    still_open = any(one.state not in OVER and one.detached_at is None for one in others)
    ended = status in {TicketStatus.RESOLVED, TicketStatus.CLOSED}
    return None if ended and still_open else status
