"""Finding the tickets and the numbers of a lost database again.

A number is never given twice: whatever the peers' logs say we called a ticket, it is called
again, and the counter stays above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.actions import outgoing, tickets
from hub.actions.context import Hub
from hub.domain.handoff import Party
from hub.domain.ticket import Priority, Ticket, TicketStatus
from hub.ids import HandoffId, TicketId
from hub.protocol import signing
from hub.storage import audit, handoffs, outbox, streams
from hub.storage import tickets as stored
from hub.storage.database import Tx
from hub.storage.links import Link

_NUMBERED: Final = ("handoff.plan", "handoff.accept")


# --- numbers --------------------------------------------------------------------------------


def reserve_numbers(tx: Tx, link_id: str) -> None:
    """Keep the counter above every number our messages to re-apply have given to tickets.

    Done as soon as they are taken back: a ticket written meanwhile must not get one of them.
    """
    for type_ in ("handoff.offer", *_NUMBERED):
        for row in outbox.to_reapply(tx.connection, link_id, type_):
            if row.data is not None:
                reserve(tx, signing.read_data(row.data).get("number"))


def reserve(tx: Tx, number: str | None) -> None:
    """Never give this number (and none below it) to a new ticket."""
    digits = (number or "").removeprefix("T-")
    if digits.isascii() and digits.isdigit():
        stored.raise_counter(tx, int(digits))


def number_of(tx: Tx, link: Link, handoff_id: str) -> tuple[str, datetime] | None:
    """Under which number, and when, our messages to re-apply told of our ticket; or None."""
    for type_ in _NUMBERED:
        for row in outbox.said(tx.connection, link.id, type_, handoff_id, pending=True):
            number = None if row.data is None else signing.read_data(row.data).get("number")
            if number is not None:
                return str(number), signing.stored_envelope(row.env).at
    return None


def _is_free(tx: Tx, number: str) -> bool:
    return stored.with_number(tx.connection, number) is None


def _told_another_number(
    tx: Tx, hub: Hub, link: Link, was: str, ticket: Ticket, now: datetime
) -> None:
    outgoing.alarm(
        tx,
        hub,
        "number_changed",
        ticket.id,
        "A ticket that {peer} knows as {was} is {number} here: the number was given to another "
        "ticket after the restore.",
        now,
        peer=link.peer_name,
        was=was,
        number=ticket.number,
    )


# --- tickets --------------------------------------------------------------------------------


def _rebuilt_id(hub: Hub, handoff_id: str, number: str) -> TicketId:
    """The id of a ticket that had to be made from our own offer: recognisable by it."""
    return TicketId(hub.same_id("tkt", handoff_id, "rebuilt", number))


def _is_rebuilt(tx: Tx, hub: Hub, ticket: Ticket, number: str) -> bool:
    return any(
        _rebuilt_id(hub, one.id, number) == ticket.id
        for one in handoffs.of_ticket(tx.connection, ticket.id)
        if one.party is Party.PRINCIPAL
    )


def parent_ticket(
    tx: Tx, hub: Hub, link: Link, handoff_id: HandoffId, said: Mapping[str, Any], at: datetime
) -> tuple[Ticket, bool]:
    """The ticket we offered in these words at that time, and whether it had to be made anew."""
    number: str = said["number"]
    reserve(tx, number)
    known = stored.with_number(tx.connection, number)
    if known is not None and (known.created_at <= at or _is_rebuilt(tx, hub, known, number)):
        return known, False
    above = handoffs.with_hops(tx.connection, Party.CONTRACTOR, said["hops"][:-1])
    if above is not None:  # its number was never told; what came from above is this very work
        child = stored.get(tx.connection, above.ticket_id)
        _told_another_number(tx, hub, link, number, child, at)
        return child, False
    made = _make(tx, _rebuilt_id(hub, handoff_id, number), said, number, at)
    if made.number != number:
        _told_another_number(tx, hub, link, number, made, at)
    return made, True


def child_ticket(
    tx: Tx, hub: Hub, link: Link, handoff_id: HandoffId, said: Mapping[str, Any], now: datetime
) -> Ticket:
    """The ticket for an offer: a new one, or the one we made of this work before a restore."""
    if not streams.was_taken_back(tx.connection):
        return tickets.receive(tx, hub, said, now)
    below = handoffs.with_upstream_hops(tx.connection, said["hops"])
    number, at = number_of(tx, link, handoff_id) or (None, now)
    known = None if number is None else stored.with_number(tx.connection, number)
    if below is not None:
        known = stored.get(tx.connection, below.ticket_id)
    elif known is not None and not _is_rebuilt(tx, hub, known, known.number):
        known = None  # another ticket, made since
    if known is not None:
        # What we passed on of it is at least as new as the offer: that only fills the gaps.
        gaps = {
            name: value
            for name, value in tickets.members(said).items()
            if getattr(known, name) in {None, "", (), Priority.NORMAL}
        }
        stored.change(tx, known.id, updated_at=now, **gaps)
        return stored.get(tx.connection, known.id)
    reserve(tx, number)
    free = number if number is not None and _is_free(tx, number) else None
    # Made then, not now: that is how it is told from a ticket that only got the number since.
    made = tickets.receive(tx, hub, said, at, number=free)
    if number is not None and free is None:
        _told_another_number(tx, hub, link, number, made, now)
    return made


def _make(
    tx: Tx, ticket_id: TicketId, said: Mapping[str, Any], number: str, at: datetime
) -> Ticket:
    """A ticket of ours, from as much of it as was disclosed."""
    disclosed = {"description": "", "priority": Priority.NORMAL, **tickets.members(said)}
    made = Ticket(
        id=ticket_id,
        number=number if _is_free(tx, number) else stored.next_number(tx),
        status=TicketStatus.NEW,
        service=said.get("service", ""),
        created_at=at,
        updated_at=at,
        **disclosed,
    )
    stored.add(tx, made)
    return made


def was_answered(tx: Tx, link: Link, handoff_id: str) -> bool:
    """Whether we said something about this hand-off that is still to be re-applied."""
    return bool(outbox.to_reapply(tx.connection, link.id, handoff_id=handoff_id))


# --- telling people -------------------------------------------------------------------------


def tell_people(tx: Tx, hub: Hub, link: Link, now: datetime, *, ticket: str | None = None) -> None:
    """One alert per link: what came back, what had to be rebuilt, and what is lost for ever."""
    known = audit.alert_facts(tx.connection, kind="rebuilt", subject=link.id)
    if known is None:
        outgoing.alarm(
            tx,
            hub,
            "rebuilt",
            link.id,
            "What was exchanged with {peer} since the backup is taken from its log. Internal notes "
            "made since then are lost. Rebuilt tickets: {tickets}.",
            now,
            peer=link.peer_name,
            tickets=ticket or "-",
        )
    elif ticket is not None and ticket not in known["tickets"].split(", "):
        named = [one for one in known["tickets"].split(", ") if one != "-"]
        facts = {**known, "tickets": ", ".join([*named, ticket])}
        audit.change_alert(tx, kind="rebuilt", subject=link.id, facts=facts)
