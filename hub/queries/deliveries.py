"""Messages on their way, as people and programs see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.delivery import DeliveryState
from hub.errors import NotFound
from hub.protocol import signing
from hub.storage import audit, deliveries, handoffs, inbox, links, outbox, tickets
from hub.storage.audit import Alert
from hub.storage.database import Connection
from hub.storage.deliveries import Attempt
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One message in a list."""

    id: str
    direction: str  # out: ours to a peer; in: a peer's that our side could not process
    peer: str
    type: str
    ticket: str | None
    state: str
    attempts: int
    next_at: datetime | None
    at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One message whole."""

    line: DeliveryLine
    link: str
    epoch: int
    seq: int
    hash: str
    handoff: str | None
    settled_at: datetime | None
    payload: Mapping[str, Any] | None
    env: str
    tries: Sequence[Attempt]  # that brought no receipt, the newest first


def page(
    connection: Connection,
    *,
    state: DeliveryState | None = None,
    before: str | None = None,
    limit: int = 50,
    link_id: str | None = None,
) -> list[DeliveryLine]:
    """Messages to peers, newest first, from before this id; parked ones of peers among them."""
    lines = [
        _out_line(connection, row)
        for row in outbox.page(connection, state=state, before=before, limit=limit, link_id=link_id)
    ]
    if state in {None, DeliveryState.PARKED}:
        lines += [
            _in_line(connection, row)
            for row in inbox.in_state(connection, InboxState.PARKED, _PARKED_MOST)
            if link_id in {None, row.link_id} and (before is None or row.id < before)
        ]
    return sorted(lines, key=lambda line: line.id, reverse=True)[:limit]


_PARKED_MOST: Final = 1000  # each waits for a person: nobody lets there be more


def show(connection: Connection, message_id: str) -> DeliveryView:
    """One message, ours or a peer's. Raises NotFound."""
    row = stored(connection, message_id)
    line = _out_line(connection, row) if isinstance(row, OutboxRow) else _in_line(connection, row)
    return DeliveryView(
        line=line,
        link=row.link_id,
        epoch=row.epoch,
        seq=row.seq,
        hash=row.hash,
        handoff=row.handoff_id,
        settled_at=row.settled_at,
        payload=None if row.data is None else signing.read_data(row.data),
        env=row.env,
        tries=deliveries.attempts_at(connection, row.link_id, row.seq)
        if isinstance(row, OutboxRow)
        else [],
    )


def _out_line(connection: Connection, row: OutboxRow) -> DeliveryLine:
    pending = row.state in {DeliveryState.QUEUED, DeliveryState.SENT}
    return DeliveryLine(
        id=row.id,
        direction="out",
        peer=links.get(connection, row.link_id).peer_name,
        type=row.type,
        ticket=_ticket(connection, row.handoff_id),
        state=row.state,
        attempts=row.attempts,
        next_at=deliveries.get(connection, row.link_id).next_at if pending else None,
        at=row.sealed_at,
        error=row.last_error,
    )


def _in_line(connection: Connection, row: InboxRow) -> DeliveryLine:
    return DeliveryLine(
        id=row.id,
        direction="in",
        peer=links.get(connection, row.link_id).peer_name,
        type=row.type,
        ticket=_ticket(connection, row.handoff_id),
        state=row.state,
        attempts=row.attempts,
        next_at=None,
        at=row.stored_at,
        error=row.last_error,
    )


def _ticket(connection: Connection, handoff_id: str | None) -> str | None:
    handoff = None if handoff_id is None else handoffs.find(connection, handoff_id)
    return None if handoff is None else tickets.get(connection, handoff.ticket_id).number


def stored(connection: Connection, message_id: str) -> OutboxRow | InboxRow:
    """The stored message with this id: ours, or a peer's. Raises NotFound."""
    row: OutboxRow | InboxRow | None = outbox.find(connection, message_id)
    row = row or inbox.find(connection, message_id)
    if row is None:
        raise NotFound(
            "not_found", "There is no message {id}.", hint="hub delivery list", id=message_id
        )
    return row


def alerts(connection: Connection) -> list[Alert]:
    """Everything people must still see, newest first."""
    return audit.open_alerts(connection)


def unseen(connection: Connection) -> int:
    """How many alarms nobody knows of yet."""
    return audit.count_unseen(connection)
