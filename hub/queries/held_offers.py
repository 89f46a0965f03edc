"""Offers that wait some seconds before they leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.ids import HandoffId
from hub.storage import held_offers, links, tickets
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class HeldOfferView:
    """One of them."""

    id: HandoffId  # of the hand-off it will be
    peer: str
    leaves_at: datetime


def of_ticket(connection: Connection, ticket_id: str) -> list[HeldOfferView]:
    """Those of a ticket, the next to leave first."""
    return [
        HeldOfferView(one.id, links.get(connection, one.link_id).peer_name, one.leaves_at)
        for one in held_offers.of_ticket(connection, ticket_id)
    ]


def number_of(connection: Connection, handoff_id: str) -> str | None:
    """The number of the ticket of a held offer; None: it is not held (any more)."""
    found = held_offers.find(connection, handoff_id)
    return None if found is None else tickets.get(connection, found.ticket_id).number
