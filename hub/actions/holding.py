"""Second thoughts: what our people hand off waits ten seconds before anything of it is signed.

A held offer is a wish in our database: no message has a place in a stream, the ticket is as it
was, and taking it back leaves nothing behind. When its time has come the offer is made whole, by
the rules of that moment. docs/decisions/0029.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import handoffs, outgoing, permits
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import OfferHandoff
from hub.domain.agreement import DisclosureClass
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused, Unavailable
from hub.ids import AttachmentId, HandoffId
from hub.storage import audit, ground, held_offers, links, tickets
from hub.storage import handoffs as made
from hub.storage.database import Tx
from hub.storage.held_offers import HeldOffer

HELD_FOR: Final = timedelta(seconds=10)
TOPIC: Final = "held"
_AT_ONCE: Final = 50  # of one turn
_AGAIN: Final = timedelta(seconds=30)  # while a restore brings the link up to date


async def hold(hub: Hub, actor: Actor, wish: OfferHandoff) -> HandoffId:
    """Offer the ticket in ten seconds, unless it is taken back; the id of the hand-off to be.

    What an offer is refused for now is refused at once; by the rules of when it leaves it is
    judged again, and a refusal then is an alarm.
    """
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> HandoffId:
        now = hub.now()
        ground.of_tickets(tx, wish.ticket_id, beside=[wish.link_id])
        ticket, link = (
            tickets.get(tx.connection, wish.ticket_id),
            links.get(tx.connection, wish.link_id),
        )
        handoffs.check_offer(tx, ticket, link)
        if any(one.link_id == link.id for one in held_offers.of_ticket(tx.connection, ticket.id)):
            raise Conflict(
                "duplicate_offer",
                "Ticket {number} is already with {peer}.",
                hint="hub ticket show {number}",
                number=ticket.number,
                peer=link.peer_name,
            )
        made = HandoffId(hub.new_id("hnd", now))
        said = (actor.ref, actor.display, actor.role)
        held_offers.add(
            tx, HeldOffer(made, ticket.id, link.id, _kept(wish), *said, leaves_at=now + HELD_FOR)
        )
        tx.wake(TOPIC)
        return made

    return await hub.db.write(transaction)


async def take_back(hub: Hub, actor: Actor, handoff_id: HandoffId) -> bool:
    """Whether it had not left: then nothing of it is left anywhere."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> bool:
        held = held_offers.lock(tx, handoff_id)
        if held is None:
            return False
        held_offers.remove(tx, handoff_id)
        audit.append(
            tx, at=hub.now(), actor=actor.ref, event="handoff.thought_better", handoff=handoff_id
        )
        return True

    return await hub.db.write(transaction)


async def send_now(hub: Hub, actor: Actor, handoff_id: HandoffId) -> None:
    """Let it leave at once; one that has left is left alone."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> None:
        if held_offers.lock(tx, handoff_id) is not None:
            held_offers.leave_at(tx, handoff_id, hub.now())
            tx.wake(TOPIC)

    await hub.db.write(transaction)


async def let_go(hub: Hub) -> datetime | None:
    """Make every offer whose time has come, each in its own transaction; when the next is due."""
    now = hub.now()
    for one in await hub.db.read(lambda connection: held_offers.due(connection, now, _AT_ONCE)):
        try:
            await _make(hub, one)
        except Unavailable:
            at = hub.now() + _AGAIN
            await hub.db.write(lambda tx, one=one, at=at: held_offers.leave_at(tx, one.id, at))  # type: ignore[misc]
        except (Refused, Conflict, NotFound) as error:
            await _tell(hub, one, error)
    return await hub.db.read(held_offers.next_at)


async def _make(hub: Hub, one: HeldOffer) -> None:
    def transaction(tx: Tx) -> None:
        ground.of_tickets(tx, one.ticket_id, beside=[one.link_id])
        if held_offers.lock(tx, one.id) is None:
            return  # taken back, or another process was first
        held_offers.remove(tx, one.id)
        if made.find(tx.connection, one.id) is not None:
            return  # it had left before a restore, and came back from the peer's log
        actor = Actor(one.actor, one.display, one.role)
        handoffs.offer_in(tx, hub, actor, _wish(one), one.id)

    await hub.db.write(transaction)


async def _tell(hub: Hub, one: HeldOffer, error: Refused | Conflict | NotFound) -> None:
    def transaction(tx: Tx) -> None:
        if held_offers.lock(tx, one.id) is None:
            return
        held_offers.remove(tx, one.id)
        outgoing.alarm(
            tx,
            hub,
            "offer_refused",
            one.id,
            "Ticket {number} was not handed to {peer}: {why}",
            hub.now(),
            number=tickets.get(tx.connection, one.ticket_id).number,
            peer=links.get(tx.connection, one.link_id).peer_name,
            why=error.told,
        )

    await hub.db.write(transaction)


def _kept(wish: OfferHandoff) -> dict[str, Any]:
    return {
        "due": None if wish.due is None else wish.due.isoformat(),
        "valid_until": None if wish.valid_until is None else wish.valid_until.isoformat(),
        "withhold": sorted(wish.withhold),
        "files": None if wish.files is None else sorted(wish.files),
    }


def _wish(one: HeldOffer) -> OfferHandoff:
    said = one.wish
    return OfferHandoff(
        one.ticket_id,
        one.link_id,
        due=_instant(said["due"]),
        valid_until=_instant(said["valid_until"]),
        withhold=frozenset(DisclosureClass(name) for name in said["withhold"]),
        files=None
        if said["files"] is None
        else frozenset(AttachmentId(file) for file in said["files"]),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
