"""One step of a hand-off's life on this side, whoever made it.

Our own people's acts and the peer's messages both end here: the same rule, the same columns
from the same words, the same history, the same consequences for the ticket and the chain.
Instants that belong to the step are the actor's (`at`), so both nodes record the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.actions import announcing, chains, outgoing
from hub.actions.context import Hub
from hub.domain.handoff import OVER, Act, Party, State, after
from hub.domain.replay import REQUEST_CLOSED, step_changes, still_asked
from hub.domain.ticket import TicketStatus, status_for
from hub.domain.webhook import EventType
from hub.protocol.encoding import parse_instant
from hub.storage import audit, handoffs, tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

_INSTANTS: Final = frozenset({"due_promised", "pend_until"})
"""Columns whose words are instants; the others of a step are told when it was made."""

_ALARMING: Final = frozenset({State.DECLINED, State.HANDED_BACK})
"""The principal is left without a contractor: a person must look."""


def columns(act: Act, said: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """What the words of this act change in a hand-off, besides its state."""
    return {
        name: parse_instant(value) if name in _INSTANTS and value is not None else value
        for name, value in step_changes(act, said, at).items()
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
    if handoff.request is not None and not still_asked(handoff.request, target):
        changes |= REQUEST_CLOSED
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
    announcing.of_handoff(
        tx,
        hub,
        EventType.HANDOFF_CHANGED,
        handoff,
        now,
        act=act,
        state=target,
        before=handoff.state,
    )
    return target


def _request_settled(tx: Tx, handoff: Handoff, now: datetime) -> None:
    audit.resolve_alerts(tx, kind="cancel_requested", subject=handoff.id, at=now)


def close_request(tx: Tx, handoff: Handoff, now: datetime) -> None:
    """The open request of a hand-off was answered by words, not by a step."""
    handoffs.change(tx, handoff.id, **REQUEST_CLOSED)
    _request_settled(tx, handoff, now)


def _follow(tx: Tx, hub: Hub, handoff: Handoff, target: State, now: datetime) -> None:
    ticket = tickets.lock(tx, handoff.ticket_id)
    status = _status(tx, handoff, target)
    if status is not None and status is not ticket.status:
        tickets.change(tx, ticket.id, updated_at=now, status=status)
        announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, ticket, now, status=status)
    else:
        tickets.touch(tx, ticket.id, now)  # whoever looks at it sees the step at once
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
