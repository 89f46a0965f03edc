"""Erasures of a ticket's personal data: what was asked of whom, what is held, and the dropping.

Envelopes, hashes, states, instants and numbers stay; texts, names and files go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from hub.domain.handoff import Party
from hub.ids import AttachmentId, CommentId, HandoffId, LinkId, TicketId
from hub.storage import search
from hub.storage.attachments import FileState
from hub.storage.database import Tx
from hub.storage.posts import PostState
from hub.storage.retention import SETTLED
from hub.storage.tables import (
    attachments,
    client_ratings,
    comments,
    correspondences,
    desk_numbers,
    desk_tickets,
    drafts,
    erasure_asks,
    erasures,
    fetches,
    forks,
    guest_links,
    handoff_events,
    handoffs,
    idempotency_keys,
    inbox,
    legal_holds,
    letter_ids,
    letters,
    mail_acts,
    outbox,
    posts,
    testimonies,
    ticket_events,
    ticket_tags,
    tickets,
    voided,
)

GONE: Final = "—"
"""Stands where a text that must not be empty was erased."""

Erased = dict[tuple[str, str], datetime]
"""(hand-off, out | in) → what was stored until then was to be erased."""

KEPT: Final = ("data.erase", "data.erased")
"""Messages that say that something was erased: a restore needs them, and they name nobody."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One time that the personal data of a ticket was to go."""

    id: str
    ticket_id: TicketId
    at: datetime
    reason: str
    came_by: HandoffId | None  # None: our own admin asked
    held: str | None
    erased_at: datetime | None
    swept_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ask:
    """One peer that was asked to do the same."""

    erasure_id: str
    handoff_id: HandoffId
    message_id: str | None  # None: its link is closed, it cannot be asked
    confirmed_at: datetime | None
    held: str | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """How much went."""

    messages: int
    comments: int
    files: int


def _columns(table: Table, record: Any) -> list[Any]:
    return [table.c[name] for name in record.__dataclass_fields__]


def add(tx: Tx, one: Erasure) -> None:
    """Note an erasure down."""
    tx.connection.execute(insert(erasures).values(**_values(one)))


def ask(tx: Tx, one: Ask) -> None:
    """Note down that this peer was asked."""
    tx.connection.execute(insert(erasure_asks).values(**_values(one)))


def _values(record: Any) -> Mapping[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def change(tx: Tx, erasure_id: str, **values: Any) -> None:
    """Set these columns of an erasure."""
    tx.connection.execute(update(erasures).where(erasures.c.id == erasure_id).values(**values))


def answered(
    tx: Tx, handoff_id: str, message_id: str, at: datetime, held: str | None
) -> Erasure | None:
    """Keep what the peer answered; which erasure it is about, None: it was not asked that."""
    ours = and_(erasure_asks.c.handoff_id == handoff_id, erasure_asks.c.message_id == message_id)
    tx.connection.execute(
        update(erasure_asks)
        .where(ours, erasure_asks.c.confirmed_at.is_(None))
        .values(held=held, confirmed_at=None if held else at)
    )
    query = select(erasure_asks.c.erasure_id).where(ours)
    found = tx.connection.execute(query).scalar_one_or_none()
    return None if found is None else find(tx.connection, found)


def find(connection: Connection, erasure_id: str) -> Erasure | None:
    """The erasure with this id."""
    return next(iter(_found(connection, erasures.c.id == erasure_id)), None)


def at(connection: Connection, ticket_id: str, when: datetime) -> Erasure | None:
    """The erasure of the ticket that was first asked for at this instant."""
    wanted = and_(erasures.c.ticket_id == ticket_id, erasures.c.at == when)
    return next(iter(_found(connection, wanted)), None)


def of_ticket(connection: Connection, ticket_id: str) -> list[Erasure]:
    """All erasures of a ticket, oldest first."""
    return _found(connection, erasures.c.ticket_id == ticket_id)


def unswept(connection: Connection, most: int) -> list[Erasure]:
    """Erasures of which something is still to go, and that nobody holds."""
    return _found(connection, and_(erasures.c.swept_at.is_(None), erasures.c.held.is_(None)))[:most]


def _found(connection: Connection, wanted: ColumnElement[bool]) -> list[Erasure]:
    query = (
        select(*_columns(erasures, Erasure)).where(wanted).order_by(erasures.c.at, erasures.c.id)
    )
    return [Erasure(*row) for row in connection.execute(query)]


def asks_of(connection: Connection, erasure_id: str) -> list[Ask]:
    """Whom we asked."""
    query = (
        select(*_columns(erasure_asks, Ask))
        .where(erasure_asks.c.erasure_id == erasure_id)
        .order_by(erasure_asks.c.handoff_id)
    )
    return [Ask(*row) for row in connection.execute(query)]


def touched(connection: Connection, ticket_id: str) -> bool:
    """Whether the ticket is not any more what its messages made of it."""
    query = select(erasures.c.id).where(
        erasures.c.ticket_id == ticket_id, erasures.c.held.is_(None)
    )
    return connection.execute(query.limit(1)).first() is not None


# --- holds ----------------------------------------------------------------------------------


def hold_of(connection: Connection, ticket_id: str) -> str | None:
    """Why the ticket is held; None where it is not."""
    query = select(legal_holds.c.reason).where(legal_holds.c.ticket_id == ticket_id)
    return connection.execute(query).scalar_one_or_none()


def held(connection: Connection) -> list[tuple[str, str, str, datetime]]:
    """Every ticket that is held: its number, its title, why, since when; the newest first."""
    query = (
        select(tickets.c.number, tickets.c.title, legal_holds.c.reason, legal_holds.c.at)
        .join(tickets, tickets.c.id == legal_holds.c.ticket_id)
        .order_by(legal_holds.c.at.desc(), tickets.c.id)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def hold(tx: Tx, ticket_id: str, reason: str, now: datetime) -> None:
    """Hold the ticket; a newer reason takes the place of an older one."""
    release(tx, ticket_id)
    tx.connection.execute(insert(legal_holds).values(ticket_id=ticket_id, reason=reason, at=now))


def release(tx: Tx, ticket_id: str) -> bool:
    """Hold the ticket no more; whether it was held."""
    gone = tx.connection.execute(delete(legal_holds).where(legal_holds.c.ticket_id == ticket_id))
    return gone.rowcount > 0


# --- dropping -------------------------------------------------------------------------------


def drop_ticket(tx: Tx, ticket_id: str, now: datetime) -> Dropped:
    """Empty everything of the ticket that names or describes anybody."""
    run = tx.connection.execute
    run(
        update(tickets)
        .where(tickets.c.id == ticket_id)
        .values(
            title=GONE,
            description="",
            requester=None,
            contact=None,
            site=None,
            asset=None,
            fields=[],
            checklist=[],
            customer_id=None,
            site_id=None,
            asset_id=None,
            updated_at=now,
        )
    )
    run(delete(ticket_tags).where(ticket_tags.c.ticket_id == ticket_id))
    run(delete(drafts).where(drafts.c.ticket_id == ticket_id))
    run(delete(guest_links).where(guest_links.c.ticket_id == ticket_id))
    run(update(client_ratings).where(client_ratings.c.ticket_id == ticket_id).values(text=""))
    run(
        update(ticket_events)
        .where(ticket_events.c.ticket_id == ticket_id)
        .values(facts={}, actor=GONE)
    )
    search.forget(tx, ticket_id)
    ours = select(handoffs.c.id).where(handoffs.c.ticket_id == ticket_id)
    run(
        update(handoffs)
        .where(handoffs.c.ticket_id == ticket_id)
        .values(
            assignee=None,
            plan=None,
            resolution=None,
            reason=None,
            request_reason=None,
            consent_text=None,
            rating_text=None,
            rating_reply=None,
        )
    )
    run(
        update(handoff_events)
        .where(handoff_events.c.handoff_id.in_(ours))
        .values(facts={}, actor=GONE)
    )
    run(
        delete(idempotency_keys).where(
            or_(
                idempotency_keys.c.answer.contains(ticket_id),
                *(idempotency_keys.c.answer.contains(one) for one in run(ours).scalars()),
                *(idempotency_keys.c.answer.contains(one) for one in _items(tx, ticket_id)),
            )
        )
    )
    said = _blank(tx, comments.c.ticket_id == ticket_id, attachments.c.ticket_id == ticket_id, now)
    _drop_letters(tx, ticket_id, now)
    texts = sum(drop_texts(tx, one, now) for one in list(run(ours).scalars()))
    return Dropped(texts, *said)


def _drop_letters(tx: Tx, ticket_id: str, now: datetime) -> None:
    """Letters of and to the people of the ticket: that there were some stays."""
    run = tx.connection.execute
    run(
        update(letters)
        .where(letters.c.ticket_id == ticket_id)
        .values(
            erased_at=now,
            author=None,
            subject=None,
            message_id=None,
            sender=None,
            recipients=[],
            last_error=None,
        )
    )
    run(
        update(posts)
        .where(posts.c.ticket_id == ticket_id)
        .values(
            erased_at=now,
            recipient=GONE,
            facts={},
            last_error=None,
            bounce=None,
            next_at=None,
        )
    )
    run(
        update(posts)
        .where(posts.c.ticket_id == ticket_id, posts.c.state == PostState.QUEUED)
        .values(state=PostState.SKIPPED)
    )
    run(update(desk_tickets).where(desk_tickets.c.ticket_id == ticket_id).values(error=None))
    ours = select(handoffs.c.id).where(handoffs.c.ticket_id == ticket_id)
    run(update(testimonies).where(testimonies.c.handoff_id.in_(ours)).values(facts={}))
    run(update(mail_acts).where(mail_acts.c.handoff_id.in_(ours)).values(address=GONE))
    threads = select(correspondences.c.id).where(correspondences.c.ticket_id == ticket_id)
    run(delete(desk_numbers).where(desk_numbers.c.ticket_id == ticket_id))
    run(delete(letter_ids).where(letter_ids.c.correspondence_id.in_(threads)))
    run(delete(correspondences).where(correspondences.c.ticket_id == ticket_id))


def _items(tx: Tx, ticket_id: str) -> list[str]:
    return [
        one
        for table in (comments, attachments)
        for one in tx.connection.execute(
            select(table.c.id).where(table.c.ticket_id == ticket_id)
        ).scalars()
    ]


def reach(connection: Connection, handoff_ids: Collection[str]) -> Erased:
    """How far erasures went that somebody asked for, of each of these hand-offs and each way."""
    found: Erased = {}
    query = select(handoffs.c.id, handoffs.c.ticket_id).where(handoffs.c.id.in_(handoff_ids))
    for handoff_id, ticket_id in connection.execute(query):
        for one in of_ticket(connection, ticket_id):
            if one.erased_at is None and one.held is not None:
                continue
            until = one.erased_at or datetime.max.replace(tzinfo=UTC)  # once more when all is back
            for way in _ways(connection, one, handoff_id):
                found[handoff_id, way] = max(until, found.get((handoff_id, way), until))
    return found


def _ways(connection: Connection, one: Erasure, handoff_id: str) -> Sequence[str]:
    """Which directions of the hand-off this erasure empties."""
    if one.came_by is None:
        return ("out", "in")
    party = connection.execute(
        select(handoffs.c.party).where(handoffs.c.id == one.came_by)
    ).scalar_one()
    if party == Party.CONTRACTOR:
        return ("out", "in")
    return ("in",) if one.came_by == handoff_id else ()  # a contractor's own words


def drop_said(tx: Tx, handoff_id: str, now: datetime) -> Dropped:
    """Empty what the contractor said on this hand-off: the ticket itself is our own record."""
    tx.connection.execute(
        update(handoffs)
        .where(handoffs.c.id == handoff_id)
        .values(assignee=None, plan=None, resolution=None, rating_reply=None)
    )
    tx.connection.execute(
        update(handoff_events)
        .where(
            handoff_events.c.handoff_id == handoff_id,
            handoff_events.c.party == Party.CONTRACTOR,
        )
        .values(facts={}, actor=GONE)
    )
    said = _blank(
        tx,
        comments.c.origin_handoff_id == handoff_id,
        attachments.c.origin_handoff_id == handoff_id,
        now,
    )
    return Dropped(drop_texts(tx, handoff_id, now, tables=(inbox,)), *said)


def said_by(connection: Connection, handoff_id: str) -> tuple[list[CommentId], list[AttachmentId]]:
    """Comments and files that came by this hand-off and were not taken back."""
    words = select(comments.c.id).where(
        comments.c.origin_handoff_id == handoff_id, comments.c.redacted_at.is_(None)
    )
    files = select(attachments.c.id).where(
        attachments.c.origin_handoff_id == handoff_id, attachments.c.redacted_at.is_(None)
    )
    return (
        [CommentId(one) for one in connection.execute(words).scalars()],
        [AttachmentId(one) for one in connection.execute(files).scalars()],
    )


def _blank(
    tx: Tx, words: ColumnElement[bool], files: ColumnElement[bool], now: datetime
) -> tuple[int, int]:
    run = tx.connection.execute
    search.forget_comments(tx, words)
    said = run(update(comments).where(words).values(body="", author=GONE, author_ref=GONE))
    attached = run(update(attachments).where(files).values(name=GONE, reason=None))
    for table, mine in ((comments, words), (attachments, files)):
        run(update(table).where(mine, table.c.redacted_at.is_(None)).values(redacted_at=now))
    return said.rowcount, attached.rowcount


def drop_texts(
    tx: Tx, handoff_id: str, until: datetime, tables: Sequence[Table] = (outbox, inbox)
) -> int:
    """Drop `data` of every settled message of the hand-off from before then; of how many."""
    done = 0
    for table in tables:
        mine = table.c.handoff_id == handoff_id
        done += tx.connection.execute(
            update(table)
            .where(mine, *_open_until(table, until), table.c.state.in_(SETTLED[table]))
            .values(data=None, last_error=None)
        ).rowcount
        side = "out" if table is outbox else "in"
        ids = select(table.c.id).where(mine, table.c.type.not_in(KEPT))
        tx.connection.execute(
            update(voided).where(voided.c.direction == side, voided.c.id.in_(ids)).values(data=None)
        )
        if table is inbox:
            same = exists().where(
                mine, inbox.c.link_id == forks.c.link_id, inbox.c.seq == forks.c.seq
            )
            tx.connection.execute(update(forks).where(same).values(data=None))
    return done


def _open_until(table: Table, until: datetime) -> tuple[ColumnElement[bool], ...]:
    stored = table.c.sealed_at if table is outbox else table.c.stored_at
    return (table.c.data.is_not(None), table.c.type.not_in(KEPT), stored <= until)


def under_way(connection: Connection, ticket_id: str, until: datetime) -> int:
    """How many messages from before then still have their text: they are not settled."""
    ours = select(handoffs.c.id).where(handoffs.c.ticket_id == ticket_id)
    return sum(
        connection.execute(
            select(func.count())
            .select_from(table)
            .where(
                table.c.handoff_id.in_(ours),
                *_open_until(table, until),
                table.c.state.not_in(SETTLED[table]),
            )
        ).scalar_one()
        for table in (outbox, inbox)
    )


def files_of(connection: Connection, ticket_id: str) -> list[str]:
    """Digests of the files that were taken from this ticket."""
    query = select(attachments.c.sha256).where(
        attachments.c.ticket_id == ticket_id, attachments.c.redacted_at.is_not(None)
    )
    found = set(connection.execute(query).scalars())
    for table in (letters, posts):
        query = select(table.c.sha256).where(
            table.c.ticket_id == ticket_id,
            table.c.erased_at.is_not(None),
            table.c.sha256.is_not(None),
        )
        found |= set(connection.execute(query).scalars())
    return sorted(found)


def unnamed(tx: Tx, digests: Sequence[str]) -> list[str]:
    """Those of the files that nothing names any more; what is still to come of them will not."""
    live = select(attachments.c.sha256).where(
        attachments.c.sha256.in_(digests), attachments.c.redacted_at.is_(None)
    )
    named = set(tx.connection.execute(live).scalars())
    for table in (letters, posts):
        kept = select(table.c.sha256).where(
            table.c.sha256.in_(digests), table.c.erased_at.is_(None)
        )
        named |= set(tx.connection.execute(kept).scalars())
    going = [one for one in digests if one not in named]
    tx.connection.execute(
        update(fetches).where(fetches.c.sha256.in_(going)).values(state=FileState.GONE)
    )
    return going


def links_of(connection: Connection, ticket_id: str) -> list[LinkId]:
    """The links over which the ticket was shared."""
    query = select(handoffs.c.link_id).where(handoffs.c.ticket_id == ticket_id).distinct()
    return [LinkId(one) for one in connection.execute(query).scalars()]
