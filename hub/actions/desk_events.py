"""What else happens to a ticket over there: merged, gone, unreadable; and how people hear of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import comments, outgoing
from hub.actions.context import SYSTEM, Hub
from hub.actions.desk_taking import NO_MORE, Taking
from hub.domain.assignment import LinkKind
from hub.domain.comment import Role, Visibility
from hub.domain.delivery import backoff
from hub.domain.desk import FOLLOWED, PairState, Rules
from hub.domain.webhook import EventType
from hub.i18n import gettext as _
from hub.i18n import reading_in
from hub.ids import CommentId, DeskId, TicketId
from hub.storage import assignments, audit, desk_tickets, desks, ground
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.assignments import TicketLink
from hub.storage.comments import Comment
from hub.storage.database import Tx
from hub.storage.desk_tickets import Pair

TICKET: Final = "desk_ticket"  # alert about one pair

TRIES: Final = 8  # then a ticket that cannot be read waits for a person

_AGAIN_AT_MOST: Final = timedelta(hours=1)


def merged(taking: Taking, pair: Pair) -> dict[str, Any]:
    """Over there it is part of another ticket: follow it there, or say that both are one."""
    tx, into = taking.tx, taking.there.merged_into
    other = desk_tickets.of_theirs(tx.connection, pair.desk_id, into)
    if other is None:
        tell_people(
            taking,
            _("Over there it was merged into {number}; it is followed there.").format(number=into),
        )
        desks.want_look(tx, pair.desk_id, into, taking.now)
        for known in [one for one in taking.items.values() if not one.ours]:
            # Whether its words went along is the desk's affair: none was taken back for it.
            desk_tickets.keep_item(tx, replace(known, print=NO_MORE))
        return {"external_id": into, "print": None}
    if other.id == pair.id:
        return {}
    number = stored_tickets.get(tx.connection, other.ticket_id).number
    assignments.link(tx, TicketLink(pair.ticket_id, other.ticket_id, LinkKind.DUPLICATE))
    text = _("Over there it was merged into what is our {number}.").format(number=number)
    tell_people(taking, text)
    return {"state": PairState.MERGED}


async def gone(hub: Hub, desk_id: DeskId, rules: Rules, external_id: str) -> bool:
    """It is not over there any more; whether that was news. Ours stays, and people hear of it."""

    def transaction(tx: Tx) -> bool:
        now = hub.now()
        desks.looked(tx, desk_id, external_id)
        pair = desk_tickets.of_theirs(tx.connection, desk_id, external_id)
        if pair is None or pair.state not in FOLLOWED:
            return False
        with reading_in(hub.account.language):
            gone_in(tx, hub, rules, pair, now)
        return True

    return await hub.db.write(transaction)


def gone_in(tx: Tx, hub: Hub, rules: Rules, pair: Pair, now: datetime) -> None:
    """`gone`, within a transaction."""
    ground.of_tickets(tx, pair.ticket_id)
    desk_tickets.change(tx, pair.id, state=PairState.GONE, next_at=None)
    text = _("It was deleted on the desk of {company}.").format(company=rules.company)
    people_look(tx, hub, pair.ticket_id, text, now)


async def unreadable(hub: Hub, desk_id: DeskId, external_id: str, error: dict[str, Any]) -> None:
    """One ticket could not be read: it waits alone, then for a person."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        known = desks.look(tx.connection, desk_id, external_id)
        attempts = (known.attempts if known else 0) + 1
        wait = backoff(attempts, hub.entropy.fraction(), cap=_AGAIN_AT_MOST)
        parked = attempts >= TRIES
        desks.put_look(
            tx,
            desk_id,
            external_id,
            now,
            attempts=attempts,
            next_at=now + wait,
            parked=parked,
            error=error,
        )
        if parked:
            outgoing.alarm(
                tx,
                hub,
                TICKET,
                f"{desk_id} {external_id}",
                "A ticket of a desk cannot be read: {number}.",
                now,
                number=external_id,
            )

    await hub.db.write(transaction)


def tell_people(taking: Taking, text: str) -> None:
    """`people_look`, of the ticket that is being taken over."""
    people_look(taking.tx, taking.hub, taking.done.ticket_id, text, taking.now)


def people_look(tx: Tx, hub: Hub, ticket_id: TicketId, text: str, now: datetime) -> None:
    """Something happened over there that a person has to know: a note and an alert."""
    note_in(tx, hub, ticket_id, text, now)
    number = stored_tickets.get(tx.connection, ticket_id).number
    outgoing.alarm(
        tx, hub, TICKET, ticket_id, "Ticket {number}: {why}", now, number=number, why=text
    )


def note_in(tx: Tx, hub: Hub, ticket_id: TicketId, text: str, now: datetime) -> None:
    """An internal note of the node itself."""
    note = Comment(
        id=CommentId(hub.new_id("cmt", now)),
        ticket_id=ticket_id,
        visibility=Visibility.INTERNAL,
        author_ref=SYSTEM.ref,
        author=SYSTEM.display,
        role=Role.SYSTEM,
        account=hub.account.name,
        body=text,
        format="plain",
        at=now,
        rev=1,
        edited_at=None,
        redacted_at=None,
        reply_to=None,
        origin_handoff_id=None,
    )
    stored_comments.add(tx, note)
    stored_tickets.touch(tx, ticket_id, now)
    comments.announce(tx, hub, EventType.COMMENT_ADDED, note, now)


def resolved(tx: Tx, ticket_id: TicketId, now: datetime) -> None:
    """A person looked: nothing about this ticket waits any more."""
    audit.resolve_alerts(tx, kind=TICKET, subject=ticket_id, at=now)
