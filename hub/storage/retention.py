"""What may go: texts of messages that nobody needs any more, and files nobody names.

Envelopes stay for ever, so every chain still verifies. Only messages of hand-offs lose their
`data`; what concerns the link itself (its keys, epochs, amendments) is small and always needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.domain.delivery import DeliveryState
from hub.domain.handoff import OVER, Party, State
from hub.storage.attachments import FileState
from hub.storage.database import Tx
from hub.storage.inbox import InboxState
from hub.storage.statements import Query, columns_of, one_of
from hub.storage.tables import (
    alerts,
    attachments,
    counters,
    fetches,
    handoffs,
    inbox,
    legal_holds,
    letters,
    mail_acts,
    outbox,
    posts,
    retention,
    testimonies,
)

SETTLED: Final[dict[Table, list[str]]] = {
    outbox: [DeliveryState.RECEIVED, DeliveryState.FAILED],
    inbox: [InboxState.DONE, InboxState.REFUSED, InboxState.SKIPPED],
}
"""States in which a message is receipted and no work of ours waits for it."""


_FILES_DAY: Final = "files_day"


@dataclass(frozen=True, slots=True)
class Ended:
    """A hand-off that is over, as far as it decides what may go."""

    id: str
    link_id: str
    party: Party
    state: State
    since: datetime
    closed_at: datetime | None


_TO_LOOK_AT: Final = Query(
    select(*columns_of(handoffs, Ended))
    .outerjoin(retention, retention.c.handoff_id == handoffs.c.id)
    .where(
        one_of(handoffs.c.state, OVER),
        handoffs.c.since <= bindparam("before", type_=handoffs.c.since.type),
        or_(
            retention.c.look_at.is_(None),
            retention.c.look_at <= bindparam("now", type_=retention.c.look_at.type),
        ),
        handoffs.c.ticket_id.not_in(select(legal_holds.c.ticket_id)),
    )
    .order_by(handoffs.c.since)
    .limit(bindparam("most")),
    Ended,
    party=Party,
    state=State,
)


def to_look_at(connection: Connection, now: datetime, before: datetime, most: int) -> list[Ended]:
    """Hand-offs that were over before then and whose turn it is."""
    return _TO_LOOK_AT.all(connection, now=now, before=before, most=most)


def look_again(tx: Tx, handoff_id: str, at: datetime) -> None:
    """Leave this hand-off alone until then."""
    tx.connection.execute(delete(retention).where(retention.c.handoff_id == handoff_id))
    tx.connection.execute(insert(retention).values(handoff_id=handoff_id, look_at=at))


def prune(tx: Tx, handoff_id: str, before: datetime, most: int) -> int:
    """Drop `data` of settled messages older than that; of how many (at most so many)."""
    done = 0
    for table in (outbox, inbox):
        done += _prune(tx, table, handoff_id, before, most - done)
    return done


def _prune(tx: Tx, table: Table, handoff_id: str, before: datetime, most: int) -> int:
    # What was stored then was receipted then; it may have been applied much later.
    stored = table.c.sealed_at if table is outbox else table.c.stored_at
    found = tx.connection.execute(
        select(table.c.link_id, table.c.seq, table.c.id)
        .where(
            table.c.handoff_id == handoff_id,
            table.c.data.is_not(None),
            table.c.state.in_(SETTLED[table]),
            table.c.settled_at <= before,
            stored <= before,
            *([outbox.c.reapply.is_(False)] if table is outbox else []),
        )
        .limit(most)
    ).all()
    by_link: dict[str, list[int]] = {}
    for link_id, seq, _id in found:
        by_link.setdefault(link_id, []).append(seq)
    for link_id, seqs in by_link.items():
        tx.connection.execute(
            update(table).where(table.c.link_id == link_id, table.c.seq.in_(seqs)).values(data=None)
        )
    if table is inbox:
        # With what a partner without a node said goes what it was said with: who, and from where.
        tx.connection.execute(
            update(testimonies)
            .where(testimonies.c.message_id.in_([one.id for one in found]))
            .values(facts={})
        )
    return len(found)


def is_unsettled(connection: Connection, handoff_id: str) -> bool:
    """Whether a message of this hand-off still waits: for its receipt, our work, or a person."""
    waiting = [
        select(table.c.seq).where(
            table.c.handoff_id == handoff_id, table.c.state.not_in(SETTLED[table])
        )
        for table in (outbox, inbox)
    ]
    refused = (
        select(outbox.c.seq)
        .join(alerts, alerts.c.subject == outbox.c.id)
        .where(outbox.c.handoff_id == handoff_id, alerts.c.resolved_at.is_(None))
    )
    return any(
        connection.execute(query.limit(1)).first() is not None for query in (*waiting, refused)
    )


def has_data(connection: Connection, handoff_id: str) -> bool:
    """Whether any message of this hand-off still has its text."""
    return any(
        connection.execute(
            select(table.c.seq)
            .where(table.c.handoff_id == handoff_id, table.c.data.is_not(None))
            .limit(1)
        ).first()
        is not None
        for table in (outbox, inbox)
    )


def files_day(connection: Connection) -> int:
    """The day on which files were last looked through; 0 before the first time."""
    query = select(counters.c.value).where(counters.c.name == _FILES_DAY)
    return connection.execute(query).scalar_one_or_none() or 0


def begin_day(tx: Tx, day: int) -> bool:
    """Look through the files today; False where another process does already."""
    known = counters.c.name == _FILES_DAY
    if tx.connection.execute(select(counters.c.name).where(known)).first() is None:
        try:
            with tx.part():
                tx.connection.execute(insert(counters).values(name=_FILES_DAY, value=day))
        except IntegrityError:
            return False
        return True
    claimed = tx.connection.execute(
        update(counters).where(known, counters.c.value < day).values(value=day)
    )
    return claimed.rowcount == 1


def named(connection: Connection, digests: Sequence[str], redacted_after: datetime) -> set[str]:
    """Those of the files that something still names, or named until lately."""
    by_attachment = select(attachments.c.sha256).where(
        attachments.c.sha256.in_(digests),
        or_(attachments.c.redacted_at.is_(None), attachments.c.redacted_at > redacted_after),
    )
    by_fetch = select(fetches.c.sha256).where(
        fetches.c.sha256.in_(digests),
        fetches.c.state.in_([FileState.ANNOUNCED, FileState.FETCHING]),
    )
    by_letter = select(letters.c.sha256).where(
        letters.c.sha256.in_(digests), letters.c.erased_at.is_(None)
    )
    by_post = select(posts.c.sha256).where(posts.c.sha256.in_(digests), posts.c.erased_at.is_(None))
    naming = (by_attachment, by_fetch, by_letter, by_post)
    return {digest for query in naming for digest in connection.execute(query).scalars()}


def forget_letters(tx: Tx, before: datetime) -> None:
    """The bytes of letters that were settled before then are named no more."""
    for table in (letters, posts):
        tx.connection.execute(
            update(table)
            .where(
                table.c.settled_at < before,
                table.c.sha256.is_not(None),
                or_(
                    table.c.ticket_id.is_(None),
                    table.c.ticket_id.not_in(select(legal_holds.c.ticket_id)),
                ),
            )
            .values(sha256=None)
        )


def forget_acts(tx: Tx, before: datetime) -> None:
    """Links in letters to partners that ran out before then open nothing and are not kept."""
    held = (
        select(handoffs.c.id)
        .join(legal_holds, legal_holds.c.ticket_id == handoffs.c.ticket_id)
        .scalar_subquery()
    )
    tx.connection.execute(
        delete(mail_acts).where(
            mail_acts.c.expires_at < before, mail_acts.c.handoff_id.not_in(held)
        )
    )


def forget_fetched(tx: Tx, digests: Sequence[str]) -> None:
    """These files are not here any more: a peer that names one again must send it again."""
    tx.connection.execute(
        update(fetches)
        .where(fetches.c.sha256.in_(digests), fetches.c.state == FileState.AVAILABLE)
        .values(state=FileState.GONE)
    )


def open_fetches(connection: Connection) -> list[tuple[str, str]]:
    """(link, digest) of every file that is still to come."""
    query = select(fetches.c.link_id, fetches.c.sha256).where(
        fetches.c.state.in_([FileState.ANNOUNCED, FileState.FETCHING])
    )
    return [(row[0], row[1]) for row in connection.execute(query)]
