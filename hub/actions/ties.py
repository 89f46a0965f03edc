"""Tickets of ours that belong together."""

from __future__ import annotations

from hub.actions import assigning, permits
from hub.actions.context import Actor, Hub
from hub.domain.assignment import LinkKind
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.ids import TicketId
from hub.storage import assignments, ground, tickets
from hub.storage.assignments import TicketLink
from hub.storage.database import Tx


async def tie(
    hub: Hub, actor: Actor, ticket_id: TicketId, other_id: TicketId, kind: LinkKind
) -> None:
    """The two belong together. Raises NotFound; Refused(same_ticket)."""
    permits.require(actor, Permission.TICKETS_WRITE)
    if ticket_id == other_id:
        raise Refused("same_ticket", "A ticket cannot be tied to itself.")
    first, second = (
        sorted((ticket_id, other_id)) if kind is LinkKind.RELATED else (ticket_id, other_id)
    )

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_tickets(tx, *sorted((ticket_id, other_id)))
        numbers = {one: tickets.get(tx.connection, one).number for one in (ticket_id, other_id)}
        assignments.link(tx, TicketLink(TicketId(first), TicketId(second), kind))
        for mine, other in sorted(((ticket_id, other_id), (other_id, ticket_id))):
            tickets.touch(tx, mine, now)
            assigning.record(tx, actor, mine, "tied", {"other": [numbers[other]]}, now)

    await hub.db.write(transaction)


async def untie(hub: Hub, actor: Actor, ticket_id: TicketId, other_id: TicketId) -> None:
    """The two belong together no more."""
    permits.require(actor, Permission.TICKETS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_tickets(tx, *sorted((ticket_id, other_id)))
        numbers = {one: tickets.get(tx.connection, one).number for one in (ticket_id, other_id)}
        assignments.unlink(tx, ticket_id, other_id)
        for mine, other in sorted(((ticket_id, other_id), (other_id, ticket_id))):
            tickets.touch(tx, mine, now)
            assigning.record(tx, actor, mine, "untied", {"other": [numbers[other]]}, now)

    await hub.db.write(transaction)
