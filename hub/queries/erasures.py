"""What of a ticket was erased, who has confirmed it, and what holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.queries import names
from hub.storage import erasures, handoffs, links
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class AskedView:
    """One peer that was asked to erase."""

    peer: str
    handoff: str
    asked: bool  # false: the link is closed, it must be asked by other means
    confirmed_at: datetime | None
    held: str | None


@dataclass(frozen=True, slots=True)
class ErasureView:
    """One erasure of a ticket's personal data."""

    id: str
    at: datetime
    reason: str
    asked_by: str | None  # the peer; null: our own administrator
    held: str | None
    erased_at: datetime | None
    complete_at: datetime | None  # texts that were under way and files are gone too
    under_way: int  # messages whose text goes once they are settled
    peers: Sequence[AskedView]


@dataclass(frozen=True, slots=True)
class TicketErasuresView:
    """What of a ticket was erased, and whether it is held."""

    number: str
    hold: str | None
    erasures: Sequence[ErasureView]


def show(connection: Connection, number: str) -> TicketErasuresView:
    """The erasures of this ticket, oldest first. Raises NotFound."""
    ticket = names.ticket(connection, number)
    peers = {
        one.id: links.get(connection, one.link_id).peer_name
        for one in handoffs.of_ticket(connection, ticket.id)
    }
    return TicketErasuresView(
        ticket.number,
        erasures.hold_of(connection, ticket.id),
        [
            ErasureView(
                id=one.id,
                at=one.at,
                reason=one.reason,
                asked_by=None if one.came_by is None else peers[one.came_by],
                held=one.held,
                erased_at=one.erased_at,
                complete_at=one.swept_at,
                under_way=0
                if one.swept_at is not None or one.erased_at is None
                else erasures.under_way(connection, ticket.id, one.erased_at),
                peers=[
                    AskedView(
                        peers[ask.handoff_id],
                        ask.handoff_id,
                        ask.message_id is not None,
                        ask.confirmed_at,
                        ask.held,
                    )
                    for ask in erasures.asks_of(connection, one.id)
                ],
            )
            for one in erasures.of_ticket(connection, ticket.id)
        ],
    )
