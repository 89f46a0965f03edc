"""Erasing the personal data of a ticket, here and wherever it was handed off, and holding it.

Our tables are emptied at once; the text of a message goes when the message is settled: what is
under way may be a step both sides must have, and the request to erase stands behind it. Every
peer of the ticket is asked and answers with its signed word. A principal's request concerns
everything that we made of its hand-off and goes on to our own contractors; a contractor's, only
what it said itself: the ticket is the principal's own.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final

from hub.actions import comments as said_comments
from hub.actions import files as said_files
from hub.actions import outgoing, permits, received_handoffs, settled, terms
from hub.actions.context import Actor, Hub
from hub.actions.received_handoffs import Received
from hub.domain.disclosure import statement_view
from hub.domain.handoff import Party
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused
from hub.faults import fault
from hub.ids import TicketId
from hub.protocol.encoding import parse_instant
from hub.storage import audit, erasures, ground, handoffs, links, tickets
from hub.storage.database import Tx
from hub.storage.erasures import Ask, Dropped, Erasure
from hub.storage.handoffs import Handoff

AT_ONCE: Final = 50  # erasures looked at in one turn of the timers


async def erase(hub: Hub, actor: Actor, ticket_id: TicketId, reason: str) -> str:
    """Drop what identifies people of this ticket and ask everybody who shares it; its id.

    Raises Conflict(legal_hold); Refused(not_yours).
    """
    permits.require(actor, Permission.ADMIN)
    _said(reason)

    def transaction(tx: Tx) -> str:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.get(tx.connection, ticket_id)
        held = erasures.hold_of(tx.connection, ticket_id)
        if held is not None:
            raise Conflict(
                "legal_hold",
                "Ticket {number} is under a legal hold: {reason}",
                hint="hub ticket hold {number} --release",
                number=ticket.number,
                reason=held,
            )
        made = Erasure(
            hub.new_id("msg", now), ticket.id, _millis(now), reason, None, None, now, None
        )
        erasures.add(tx, made)
        _drop(tx, made, now)
        asked = _pass_on(tx, hub, made, now)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="ticket.erased",
            ticket=ticket.number,
            reason=reason,
            asked=asked,
        )
        return made.id

    made = await hub.db.write(transaction)
    await sweep(hub)
    return made


async def hold(hub: Hub, actor: Actor, ticket_id: TicketId, reason: str) -> None:
    """Let nothing of this ticket be erased or pruned; peers that ask are told why."""
    permits.require(actor, Permission.ADMIN)
    _said(reason)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.get(tx.connection, ticket_id)
        erasures.hold(tx, ticket_id, reason, now)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="ticket.held",
            ticket=ticket.number,
            reason=reason,
        )

    await hub.db.write(transaction)


async def release(hub: Hub, actor: Actor, ticket_id: TicketId) -> None:
    """Lift the legal hold: what peers asked for meanwhile is done and confirmed now."""
    permits.require(actor, Permission.ADMIN)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.get(tx.connection, ticket_id)
        if not erasures.release(tx, ticket_id):
            raise NotFound(
                "not_held", "Ticket {number} is under no legal hold.", number=ticket.number
            )
        audit.append(tx, at=now, actor=actor.ref, event="ticket.released", ticket=ticket.number)
        for one in erasures.of_ticket(tx.connection, ticket_id):
            if one.held is not None and one.came_by is not None:
                erasures.change(tx, one.id, held=None)
                _comply(tx, hub, one, handoffs.lock(tx, one.came_by), now)

    await hub.db.write(transaction)
    await sweep(hub)


def _said(reason: str) -> None:
    if not reason.strip():
        raise Refused("reason_missing", "Say why.", hint="--reason TEXT")


def _millis(now: datetime) -> datetime:
    """The instant as it travels: the same for everybody along the chain."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _drop(tx: Tx, one: Erasure, now: datetime) -> Dropped:
    came_by = None if one.came_by is None else handoffs.lock(tx, one.came_by)
    if came_by is not None and came_by.party is Party.PRINCIPAL:
        return erasures.drop_said(tx, came_by.id, now)
    return erasures.drop_ticket(tx, one.ticket_id, now)


def _pass_on(tx: Tx, hub: Hub, one: Erasure, now: datetime) -> int:
    """Ask the peers of the ticket, except the one that asked us; how many could be asked."""
    known = {ask.handoff_id for ask in erasures.asks_of(tx.connection, one.id)}
    asked = 0
    for handoff in handoffs.of_ticket(tx.connection, one.ticket_id):
        if handoff.id == one.came_by or handoff.id in known:
            continue
        said = {"scope": "ticket", "reason": one.reason, "at": one.at}
        message_id = _tell(tx, hub, handoff, "data.erase", said, now)
        erasures.ask(tx, Ask(one.id, handoff.id, message_id, None, None))
        asked += message_id is not None
    return asked


def _tell(
    tx: Tx, hub: Hub, handoff: Handoff, kind: str, said: dict[str, Any], now: datetime
) -> str | None:
    """Say it to the peer of the hand-off; None where its link takes nothing any more."""
    link = links.get(tx.connection, handoff.link_id)
    if link.state not in links.AGREED or link.closed_at is not None:
        return None
    direction = terms.direction(link, handoff.party)
    view = statement_view(kind, said, direction, by=handoff.party, withhold=terms.withheld(handoff))
    return outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff.id)


# --- received -------------------------------------------------------------------------------


def receive(tx: Tx, hub: Hub, message: Received) -> None:
    """A peer asks us to erase: done at once, unless a legal hold stands against it."""
    handoff = received_handoffs.known(tx, message)
    now, said = message.now, message.said
    ticket = tickets.lock(tx, handoff.ticket_id)
    held = erasures.hold_of(tx.connection, ticket.id)
    made = Erasure(
        message.message_id,
        ticket.id,
        parse_instant(said["at"]),
        said.get("reason", ""),
        handoff.id,
        held,
        None,
        None,
    )
    erasures.add(tx, made)
    audit.append(
        tx,
        at=now,
        actor=message.link.peer_node_id,
        event="ticket.erase_held" if held else "ticket.erased",
        ticket=ticket.number,
        handoff=handoff.id,
        reason=made.reason,
    )
    if held is None:
        _comply(tx, hub, made, handoff, now)
        return
    _tell(tx, hub, handoff, "data.erased", {"ref_id": made.id, "at": now, "held": held}, now)


def _comply(tx: Tx, hub: Hub, one: Erasure, came_by: Handoff, now: datetime) -> None:
    if came_by.party is Party.PRINCIPAL:
        _take_back(tx, hub, came_by, now)
    went = _drop(tx, one, now)
    erasures.change(tx, one.id, erased_at=now)
    if came_by.party is Party.CONTRACTOR:
        _pass_on(tx, hub, one, now)
    what = {"messages": went.messages, "comments": went.comments, "files": went.files}
    _tell(tx, hub, came_by, "data.erased", {"ref_id": one.id, "at": now, "what": what}, now)


def _take_back(tx: Tx, hub: Hub, came_by: Handoff, now: datetime) -> None:
    """Whoever was passed the contractor's words hears that they were taken back."""
    comments, files = erasures.said_by(tx.connection, came_by.id)
    for comment in comments:
        said_comments.spread_redaction(tx, hub, comment, "", now)
    for file in files:
        said_files.spread_redaction(tx, hub, file, "", now)


def receive_answer(tx: Tx, hub: Hub, message: Received) -> None:
    """A peer says that it erased, or why it cannot yet."""
    handoff = received_handoffs.known(tx, message)
    said = message.said
    held = said.get("held")
    found = erasures.answered(tx, handoff.id, said["ref_id"], parse_instant(said["at"]), held)
    if found is None:
        raise Refused("scope_denied", "There is no such message of ours.")
    audit.append(
        tx,
        at=message.now,
        actor=message.link.peer_node_id,
        event="erasure.held" if held else "erasure.confirmed",
        ticket=tickets.get(tx.connection, handoff.ticket_id).number,
        handoff=handoff.id,
    )


# --- after a restore, and what goes later ---------------------------------------------------


def asked_again(
    tx: Tx, hub: Hub, handoff: Handoff, message_id: str, said: dict[str, Any], now: datetime
) -> None:
    """We had asked this peer to erase before a restore: what came back goes again."""
    at = parse_instant(said["at"])
    one = erasures.at(tx.connection, handoff.ticket_id, at)
    if one is None:
        one = Erasure(
            message_id, handoff.ticket_id, at, said.get("reason", ""), None, None, None, None
        )
        erasures.add(tx, one)
        audit.append(
            tx,
            at=now,
            actor="system",
            event="ticket.erased",
            ticket=tickets.get(tx.connection, handoff.ticket_id).number,
            reason=one.reason,
            again=True,
        )
    if handoff.id not in {ask.handoff_id for ask in erasures.asks_of(tx.connection, one.id)}:
        erasures.ask(tx, Ask(one.id, handoff.id, message_id, None, None))
    _drop(tx, one, now)
    erasures.change(tx, one.id, erased_at=None, swept_at=None)  # once more when all is back


async def sweep(hub: Hub) -> None:
    """Drop what could not go at once: texts that were under way, and the files."""
    for one in await hub.db.read(lambda connection: erasures.unswept(connection, AT_ONCE)):
        if await hub.db.write(partial(_sweep_rows, hub=hub, erasure_id=one.id)):
            await hub.db.write(partial(_sweep_files, hub=hub, erasure_id=one.id))


def _sweep_rows(tx: Tx, *, hub: Hub, erasure_id: str) -> bool:
    """Settle what the tables say; whether the files may go once this is durable."""
    now = hub.now()
    one = erasures.find(tx.connection, erasure_id)
    assert one is not None
    if not _may_go(tx, one):
        return False
    if one.erased_at is None:
        _drop(tx, one, now)
        erasures.change(tx, one.id, erased_at=now)
    came_by = None if one.came_by is None else handoffs.lock(tx, one.came_by)
    if came_by is None or came_by.party is Party.CONTRACTOR:
        for handoff in handoffs.of_ticket(tx.connection, one.ticket_id):
            erasures.drop_texts(tx, handoff.id, one.erased_at or now)
    return True


def _sweep_files(tx: Tx, *, hub: Hub, erasure_id: str) -> None:
    """Drop the files, and be done if nothing is under way.

    A transaction of its own: a file cannot be taken back, so whatever says that it may go is
    durable by now, and a process that dies in here begins once more. Nobody begins to name
    these bytes meanwhile (`ground.of_contents`).
    """
    one = erasures.find(tx.connection, erasure_id)
    assert one is not None
    assert one.erased_at is not None
    if not _may_go(tx, one):
        return
    digests = erasures.files_of(tx.connection, one.ticket_id)
    ground.of_contents(tx, *digests)
    for digest in erasures.unnamed(tx, digests):
        hub.blobs.drop(digest)
    fault("erasure.files_dropped")
    if not erasures.under_way(tx.connection, one.ticket_id, one.erased_at):
        erasures.change(tx, one.id, swept_at=hub.now())


def _may_go(tx: Tx, one: Erasure) -> bool:
    """Whether no hold stands against it and no link could still need its texts to be whole."""
    ground.of_tickets(tx, one.ticket_id)
    return erasures.hold_of(tx.connection, one.ticket_id) is None and all(
        settled.is_settled(tx, link) for link in erasures.links_of(tx.connection, one.ticket_id)
    )
