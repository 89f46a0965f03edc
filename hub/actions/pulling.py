"""What a foreign desk says becomes ours: tickets, comments, files, statuses, and how they end.

One transaction takes over one ticket as it stands over there, whole; taking the same state twice
changes nothing. Nothing here believes that a change is news: it is compared with what was last
accounted for (`hub/domain/desk.py`), so that what we wrote there ourselves is known again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from hub.actions import announcing, assigning, outgoing, settled, tickets
from hub.actions.context import SYSTEM, Actor, Hub
from hub.actions.desk_events import merged, tell_people
from hub.actions.desk_pairs import begin, begins, our_number, pair_of
from hub.actions.desk_steps import follow
from hub.actions.desk_taking import Taken, Taking, crossing, text_of, title_of
from hub.actions.desk_words import take_back, take_comments, take_files
from hub.actions.files import NewFile
from hub.domain import ticket as ticket_rules
from hub.domain.desk import (
    FIELDS,
    FOLLOWED,
    Base,
    PairState,
    Rules,
    TheirFile,
    TheirTicket,
    Turn,
    compared,
    file_print,
    heeds,
    turn,
    way,
    woken_by_us,
)
from hub.domain.handoff import OVER, Party
from hub.domain.lengths import SHORT_MAX
from hub.domain.ticket import Ticket
from hub.domain.webhook import EventType
from hub.i18n import gettext as _
from hub.i18n import reading_in
from hub.ids import DeskId
from hub.storage import desk_tickets, desks, ground, handoffs, streams
from hub.storage import tickets as stored_tickets
from hub.storage.database import Connection, Tx
from hub.storage.desk_tickets import Item, Pair

UNKNOWN: Final = "desk_unknown_words"  # alert: a table lacks a word


async def prints(hub: Hub, desk_id: DeskId) -> dict[str, str]:
    """What was taken last of every ticket over there: what looks the same need not be taken."""
    return await hub.db.read(lambda connection: desk_tickets.prints(connection, desk_id))


async def missing_files(
    hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket
) -> list[TheirFile]:
    """Files whose bytes are to be fetched before the ticket can be taken over."""

    def query(connection: Connection) -> list[TheirFile]:
        pair = desk_tickets.of_theirs(connection, desk_id, there.id)
        if pair is None:
            new = our_number(hub, rules, there) is not None or begins(hub, rules, there)
            return [file for file, _in in crossing(rules, there)] if new else []
        items = desk_tickets.items(connection, pair.id)
        known = {one.external_id for one in items if one.kind == "att"}
        going = on_their_way(items)
        return [
            file
            for file, _in in crossing(rules, there)
            if file.id not in known and ("att", file_print(file.name, file.size)) not in going
        ]

    return await hub.db.read(query)


def on_their_way(items: list[Item]) -> set[tuple[str, str]]:
    """Kind and print of what we are writing over there now."""
    return {(one.kind, one.print) for one in items if one.ours and one.external_id is None}


async def take(
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    there: TheirTicket,
    fetched: Mapping[str, NewFile | None],
) -> Taken | None:
    """Take over how a ticket stands over there; None where it is none of ours.

    `fetched` has the files that `missing_files` named; None for one that is not taken at all.
    Raises Unavailable where one of our links is held back after a restore: then nothing happened.
    """
    return await hub.db.write(
        lambda tx: take_in(tx, hub, desk_id, rules, there, fetched, hub.now())
    )


def take_in(
    tx: Tx,
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    there: TheirTicket,
    fetched: Mapping[str, NewFile | None],
    now: datetime,
) -> Taken | None:
    """`take`, within a transaction."""
    with reading_in(hub.account.language):
        known = pair_of(tx, hub, desk_id, rules, there, now)
        pair, begun = known, known is None
        if pair is None:
            if not begins(hub, rules, there):
                return None
            pair = begin(tx, hub, desk_id, rules, there, now)
        ground.of_tickets(tx, pair.ticket_id)
        pair = desk_tickets.lock(tx, pair.id)
        assert pair is not None
        if pair.state not in FOLLOWED:
            return None
        for one in handoffs.of_ticket(tx.connection, pair.ticket_id):
            if one.state not in OVER:
                settled.check(tx, one.link_id, one.id)
        items = desk_tickets.items(tx.connection, pair.id)
        taking = Taking(
            tx=tx,
            hub=hub,
            desk_id=desk_id,
            rules=rules,
            there=there,
            fetched=fetched,
            now=now,
            actor=Actor(SYSTEM.ref, rules.company, SYSTEM.role),
            done=Taken(pair.ticket_id, pair.id, begun=begun, unknown=there.unknown),
            items={(one.kind, one.external_id): one for one in items if one.external_id},
            going=on_their_way(items),
            tied={one.local_id for one in items},
            restored=streams.was_taken_back(tx.connection),
        )
        _take_over(taking, pair)
        return taking.done


def _take_over(taking: Taking, pair: Pair) -> None:
    tx, there, now = taking.tx, taking.there, taking.now
    changes: dict[str, Any] = {
        "print": there.print,
        "number": there.number[:SHORT_MAX] or pair.number,
        "url": there.url[:2000] or pair.url,
    }
    older = bool(there.updated_at and pair.updated_there and there.updated_at < pair.updated_there)
    if there.merged_into:
        changes |= merged(taking, pair)
    elif not there.assigned and pair.state is not PairState.AWAY:
        changes["state"] = PairState.AWAY
        tell_people(taking, _("Over there it is not ours to work on any more."))
    elif there.assigned and pair.state is PairState.AWAY:
        changes["state"] = PairState.LIVE
        tell_people(taking, _("Over there it is ours again."))
    take_comments(taking)
    take_back(taking)
    take_files(taking)
    # A webhook that was overtaken says what is true no more, a merged ticket what never will be.
    if not older and not there.merged_into:
        changes["updated_there"] = there.updated_at or pair.updated_there
        changes["base"] = _fields(taking, pair)
    for name, value in there.unknown:
        if desks.note_unknown(tx, taking.desk_id, name, value, there.id, now):
            outgoing.alarm(
                tx,
                taking.hub,
                UNKNOWN,
                taking.desk_id,
                "The desk of {company} uses words that its tables do not have.",
                now,
                company=taking.rules.company,
                field=name,
                value=value[:200],
            )
    desk_tickets.change(tx, pair.id, **changes)
    desk_tickets.mark(tx, pair.ticket_id)  # it may have to be told something of it
    taking.done.state = changes.get("state", pair.state)


def _fields(taking: Taking, pair: Pair) -> dict[str, list[str | None]]:
    """Take what is theirs to say; the new state of accounts."""
    tx, there = taking.tx, taking.there
    child = any(
        one.party is Party.CONTRACTOR and one.detached_at is None
        for one in handoffs.of_ticket(tx.connection, pair.ticket_id)
    )
    base = {name: list(pair.base.get(name, [None, None])) for name in FIELDS}
    taken: dict[str, Any] = {}
    ticket = stored_tickets.lock(tx, pair.ticket_id)
    for name in FIELDS:
        ours, theirs = compared(name, getattr(ticket, name)), there.value(name)
        assert ours is not None
        how = way(taking.rules.role, name, child=child)
        if name == "status" and _woken(taking, base[name][1]):
            continue
        match turn(name, Base(*base[name]), ours, theirs, how):
            case Turn.NOTED:
                base[name] = [ours, theirs]
            case Turn.TELL if theirs is not None:
                base[name] = [None, theirs]
            case Turn.TAKE if name == "status" and not _heeded(taking, ticket):
                base[name] = [ours, theirs]
            case Turn.TAKE if name != "status":
                taken[name] = _value(name, there)
                base[name] = [compared(name, taken[name]), theirs]
            case Turn.TAKE:
                base[name] = [_status(taking, ticket), theirs]
            case _:
                pass
    if taken:
        _change(taking, taken)
    return base


def _woken(taking: Taking, before: str | None) -> bool:
    """Whether words of ours on their way opened it: who writes them puts that right (`push`)."""
    known = {external_id for kind, external_id in taking.items if kind == "cmt"}
    return bool(taking.going) and woken_by_us(before, taking.there, known)


def _heeded(taking: Taking, ticket: Ticket) -> bool:
    status = taking.there.status
    return status is not None and heeds(taking.rules.role, ticket.status, status)


def _value(name: str, there: TheirTicket) -> Any:
    found = getattr(there, name)
    if name == "title":
        return title_of(found)
    return text_of(found) if name == "description" else found


def _change(taking: Taking, taken: dict[str, Any]) -> None:
    tx, hub, now = taking.tx, taking.hub, taking.now
    before = stored_tickets.lock(tx, taking.done.ticket_id)
    after = replace(before, **taken, updated_at=now)
    ticket_rules.check(after)
    told = assigning.in_words(tx.connection, before, taken, {})
    stored_tickets.change(tx, before.id, updated_at=now, **taken)
    assigning.record(tx, taking.actor, before.id, "changed", told, now)
    tickets.tell_contractors(tx, hub, before, after, now)
    announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, after, now)
    taking.done.fields |= {
        name: (str(getattr(before, name)), str(value)) for name, value in taken.items()
    }


def _status(taking: Taking, ticket: Ticket) -> str | None:
    """What their status does here; ours afterwards, or None where theirs is to be put right."""
    status = taking.there.status
    assert status is not None
    said = [one for one in taking.there.comments if one.public and not one.by_us and one.body]
    words = said[-1].body if said else ""
    trouble, stays = follow(
        taking.tx,
        taking.hub,
        taking.rules,
        ticket,
        status,
        words=text_of(words),
        actor=taking.actor,
        now=taking.now,
    )
    for one in trouble:
        tell_people(taking, one)
    after = stored_tickets.get(taking.tx.connection, ticket.id).status
    if after is not ticket.status:
        taking.done.fields["status"] = (str(ticket.status), str(after))
    return str(after) if stays else None
