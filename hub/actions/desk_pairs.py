"""Which ticket of ours is which ticket over there: found again, begun, tied together."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hub.actions import rebuilding, tickets
from hub.actions.context import SYSTEM, Hub
from hub.actions.desk_taking import text_of, title_of
from hub.domain.desk import (
    DONE,
    FIELDS,
    DeskRole,
    Mirror,
    PairState,
    Rules,
    TheirTicket,
    compared,
    file_print,
    number_in,
    print_of,
)
from hub.domain.lengths import SHORT_MAX
from hub.domain.ticket import Priority, Requester, Ticket, TicketStatus
from hub.i18n import LANGUAGES, N_, reading_in
from hub.i18n import gettext as _
from hub.ids import DeskId, PairId
from hub.storage import desk_tickets
from hub.storage import tickets as stored_tickets
from hub.storage.database import Tx
from hub.storage.desk_tickets import Item, Pair

OUR_NUMBER: Final = N_(
    "Our number: {number}"
)  # written on a customer's desk, and found there again


def pair_of(
    tx: Tx, hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket, now: datetime
) -> Pair | None:
    """The pair they belong to by now: known, or found again by our number over there."""
    pair = desk_tickets.of_theirs(tx.connection, desk_id, there.id)
    number = our_number(hub, rules, there) if pair is None else None
    ours = None if number is None else stored_tickets.with_number(tx.connection, number)
    if ours is None:
        return pair
    pair = desk_tickets.of_ours(tx.connection, desk_id, ours.id)
    if pair is None:
        return _again(tx, hub, desk_id, rules, ours, there, now)
    if pair.external_id is not None:
        return None  # a copy of it, made over there
    # We made it, and never heard of it.
    desk_tickets.change(
        tx, pair.id, external_id=there.id, number=there.number[:SHORT_MAX], url=there.url[:2000]
    )
    return desk_tickets.find(tx.connection, pair.id)


def our_number(hub: Hub, rules: Rules, there: TheirTicket) -> str | None:
    """Under which number of ours it is known over there: by our marker, or by our own words."""
    if there.marker:
        return number_in(there.marker, hub.account.node_id)
    if rules.role is not DeskRole.CUSTOMER:
        return None
    for one in there.comments:
        if one.by_us and (found := _told_number(one.body)) is not None:
            return found
    return None


def _told_number(words: str) -> str | None:
    """The number that these words of ours tell, in whatever language we told it."""
    for language in LANGUAGES:
        with reading_in(language):
            before, _place, after = _(OUR_NUMBER).partition("{number}")
        words = " ".join(words.split())
        if words.startswith(before) and words.endswith(after):
            number = words[len(before) : len(words) - len(after)]
            if number.startswith("T-") and number[2:].isascii() and number[2:].isdigit():
                return number
    return None


def _again(
    tx: Tx,
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    ours: Ticket,
    there: TheirTicket,
    now: datetime,
) -> Pair:
    """They were one before we lost our memory of it: so they are again."""
    pair = join_in(tx, hub, desk_id, ours, there, now)
    if rules.role is DeskRole.CUSTOMER:
        # What of ours stands there may be older than their last word.
        unknown = {name: [None, None] for name in FIELDS if name != "status"}
        desk_tickets.change(tx, pair.id, base=pair.base | unknown)
    return pair


def begins(hub: Hub, rules: Rules, there: TheirTicket) -> bool:
    """Whether a ticket over there that we do not know becomes one of ours."""
    if there.merged_into or not there.assigned or there.status in DONE:
        return False
    if rules.role is DeskRole.CUSTOMER:
        return True
    if rules.role is not DeskRole.OWN or rules.mirror is not Mirror.ALL:
        return False
    # Somebody of ours wrote it down; or we made it, and only the desk still knows of it.
    return not there.marker or number_in(there.marker, hub.account.node_id) is not None


def begin(
    tx: Tx, hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket, now: datetime
) -> Pair:
    """A ticket of ours for one over there, and the pair of both."""
    requester = Requester(
        name=there.requester_name[:SHORT_MAX], email=there.requester_email[:SHORT_MAX]
    )
    wish = tickets.NewTicket(
        title=title_of(there.title),
        description=text_of(there.description),
        priority=there.priority or Priority.NORMAL,
        service=rules.service,
        requester=requester,
    )
    # Whoever was told a number of ours hears of no other: it may come from before a restore.
    number = our_number(hub, rules, there)
    if number is not None and stored_tickets.with_number(tx.connection, number) is not None:
        number = None
    rebuilding.reserve(tx, number)
    made = tickets.create_in(tx, hub, SYSTEM, wish, now, number=number)
    return join_in(tx, hub, desk_id, made, there, now)


def join_in(
    tx: Tx, hub: Hub, desk_id: DeskId, ours: Ticket, there: TheirTicket, now: datetime
) -> Pair:
    """The two are one from now on, as they stand."""
    pair = Pair(
        id=PairId(hub.new_id("dtk", now)),
        desk_id=desk_id,
        ticket_id=ours.id,
        external_id=there.id,
        number=there.number[:SHORT_MAX],
        url=there.url[:2000],
        state=PairState.LIVE,
        base={
            name: [compared(name, getattr(ours, name)), there.value(name)]
            for name in FIELDS
            if name != "status"
        }
        # A status is taken over at once: work may have begun over there.
        | {"status": [str(ours.status), str(TicketStatus.NEW)]},
        updated_there=None,
        print=None,
        changed=1,
        told=0,
        attempts=0,
        next_at=None,
        error=None,
        made_at=now,
    )
    desk_tickets.add(tx, pair)
    return pair


def known_there(tx: Tx, pair: Pair, there: TheirTicket, now: datetime) -> None:
    """What stands over there by now is not taken over: both sides had it before."""
    found = [("cmt", one.id, print_of(one.body)) for one in there.comments]
    found += [("att", one.id, file_print(one.name, one.size)) for one, _in in there.every_file()]
    for kind, external_id, print_ in found:
        desk_tickets.keep_item(
            tx,
            Item(
                pair_id=pair.id,
                kind=kind,
                local_id=f"there:{print_of(external_id)[:40]}",
                external_id=external_id,
                ours=False,
                rev=1,
                print=print_,
                at=now,
            ),
        )
