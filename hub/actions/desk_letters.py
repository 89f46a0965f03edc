"""What a letter of a customer's desk does: their ticket is a ticket of ours, and moves with it.

The desk is one correspondent of the ticket; what we say to the client goes to it in the form by
which it finds its ticket again, and what it then mails to everybody is not taken for news.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from hub.actions import tickets
from hub.actions.context import SYSTEM, Hub
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.comment import Role, Visibility
from hub.domain.desk_letter import DeskLetter, moved
from hub.domain.handoff import OVER
from hub.domain.letter import Address, Letter
from hub.domain.ticket import Contact, Field, Requester, Site
from hub.i18n import gettext, reading_in
from hub.storage import comments, desk_numbers, directories, ground, handoffs
from hub.storage import tickets as stored_tickets
from hub.storage.correspondences import Correspondence
from hub.storage.database import Connection, Tx
from hub.storage.desk_numbers import DeskNumber

LOOKED_BACK: Final = 20  # comments of ours that may come back
ECHO_MIN: Final = 12  # characters of ours by which a longer text is known to repeat them


def known(tx: Tx, desk: DeskLetter) -> DeskNumber | None:
    """Our ticket for their number, locked before anything else; None: there is none yet."""
    found = desk_numbers.find(tx.connection, desk.profile, desk.number) if desk.number else None
    if found is not None:
        ground.of_tickets(tx, found.ticket_id)
    return found


def echoes(connection: Connection, ours: DeskNumber, desk: DeskLetter) -> bool:
    """Whether the desk only tells everybody what we told it, and changes nothing."""
    if _changes(connection, ours, desk) != TicketChanges():
        return False
    said = _folded(desk.text)
    told = [
        _folded(one.body)
        for one in comments.of_ticket(connection, ours.ticket_id)
        if one.visibility == Visibility.CLIENT and one.role != Role.REQUESTER
    ][-LOOKED_BACK:]
    return any(one and (one == said or (len(one) >= ECHO_MIN and one in said)) for one in told)


def _folded(text: str) -> str:
    return " ".join(text.split()).lower()


def address(letter: Letter) -> Address:
    """Where the desk takes answers: what it names, if that is of its own domain."""
    author = letter.author
    assert author is not None
    domain = author.key.rpartition("@")[2]
    named = next((one for one in letter.reply_to if one.key.rpartition("@")[2] == domain), author)
    return Address(named.address, letter.desk.desk if letter.desk is not None else named.name)


def wish(connection: Connection, hub: Hub, desk: DeskLetter, plain: NewTicket) -> NewTicket:
    """The ticket that is asked for, over what the mailbox makes of any letter."""
    customer = directories.customer_named(connection, desk.customer) if desk.customer else None
    with reading_in(hub.account.language):
        theirs = gettext("Number at {desk}").format(desk=desk.desk)
    contact = Contact(name=desk.contact, phone=desk.phone)
    return replace(
        plain,
        title=desk.title or plain.title,
        description=desk.text or plain.description,
        priority=desk.priority or plain.priority,
        requester=Requester(
            name=desk.customer or desk.desk,
            email=plain.requester.email if plain.requester else "",
        ),
        contact=contact if contact != Contact() else None,
        site=Site(name=desk.site) if desk.site else None,
        fields=(Field(theirs, desk.number),),
        due_at=desk.due_at,
        customer=None if customer is None else customer.id,
    )


def remember(tx: Tx, letter: Letter, thread: Correspondence) -> None:
    """From now on their number is this ticket, and our answers take the form they want."""
    desk = letter.desk
    assert desk is not None
    values = {"answers": letter.message_id or None, "last_line": desk.answer_token}
    if desk_numbers.find(tx.connection, desk.profile, desk.number) is not None:
        if not desk.answer_token:
            del values["last_line"]
        desk_numbers.change(tx, desk.profile, desk.number, **values)
        return
    desk_numbers.add(
        tx,
        DeskNumber(
            profile=desk.profile,
            number=desk.number,
            ticket_id=thread.ticket_id,
            correspondence_id=thread.id,
            answers=letter.message_id or None,
            last_line=desk.answer_token,
        ),
    )


def apply(tx: Tx, hub: Hub, ours: DeskNumber, desk: DeskLetter, now: datetime) -> bool:
    """Change our ticket as theirs has changed; whether there was anything to change."""
    changes = _changes(tx.connection, ours, desk)
    if changes == TicketChanges():
        return False
    tickets.change_in(tx, hub, SYSTEM, ours.ticket_id, changes, now)
    return True


def _changes(connection: Connection, ours: DeskNumber, desk: DeskLetter) -> TicketChanges:
    ticket = stored_tickets.get(connection, ours.ticket_id)
    handed_off = any(
        one.state not in OVER for one in handoffs.of_ticket(connection, ours.ticket_id)
    )
    return TicketChanges(
        priority=None if desk.priority == ticket.priority else desk.priority,
        due_at=None if desk.due_at == ticket.due_at else desk.due_at,
        status=moved(ticket.status, desk.status, handed_off=handed_off),
    )
