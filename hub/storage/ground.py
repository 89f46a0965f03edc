"""What a transaction stands on: the rows it locks before anything else, in one order for all.

PostgreSQL runs transactions side by side. Two that lock the same rows in two orders wait for each
other until one of them is taken back; one that reads before it locks acts on what is no more. So
whatever is going to be written begins here: **links, in the order of their ids; then tickets,
in the order of theirs**. A link's lock covers all that belongs to it (streams, outbox, inbox,
delivery, keys, amendments, checkpoints), a ticket's its comments, files and hand-offs: beneath
them rows are locked and changed in any order. What belongs to the node (settings, what was
refused, the counters of tickets and of the audit log) comes behind both, and a transaction that
has reached it locks nothing of a link or ticket any more. Contents of files (`of_contents`) stand
between the two.

What is said on a ticket goes out over every link it was handed along, so whoever writes on it
stands on those links too. Which they are is read before they are locked: where that has changed
meanwhile, the transaction is run again (`Overtaken`).

On SQLite there is one writer, and nothing here does anything. docs/decisions/0020.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Column, Connection, func, select

from hub.domain.handoff import OVER
from hub.storage.database import Overtaken, Tx, for_update
from hub.storage.tables import attachments, comments, handoffs, links, tickets

_CONTENTS: Final = 0x68_75_62_02  # keeps these advisory locks apart from others: "hub", 2


def of_links(tx: Tx, *link_ids: str) -> None:
    """Lock these links."""
    _lock(tx, links.c.id, link_ids)


def of_all_links(tx: Tx) -> None:
    """Lock every link there is."""
    if not tx.alone:
        tx.connection.execute(for_update(tx, select(links.c.id).order_by(links.c.id)))


def of_tickets(tx: Tx, *ticket_ids: str, beside: Iterable[str] = ()) -> None:
    """Lock these tickets and every link they were handed along, and the links `beside` them."""
    if tx.alone:
        return
    about = set(beside) | _ways_of(tx.connection, ticket_ids)
    _lock(tx, links.c.id, about)
    _lock(tx, tickets.c.id, ticket_ids)
    if not _ways_of(tx.connection, ticket_ids) <= about:
        raise Overtaken


def of_handoffs(
    tx: Tx, *handoff_ids: str, beside: Iterable[str] = (), whole: str | None = None
) -> None:
    """Lock what the tickets of these hand-offs stand on, and the links `beside` them.

    With a link as a `whole`, the same of every hand-off of it that is not over. A hand-off that is
    not here has no ticket yet.
    """
    if tx.alone:
        return
    query = select(handoffs.c.ticket_id).distinct()
    named = handoffs.c.id.in_(handoff_ids)
    if whole is None:
        query = query.where(named)
    else:
        still_open = (handoffs.c.link_id == whole) & handoffs.c.state.not_in(sorted(OVER))
        query, beside = query.where(named | still_open), {*beside, whole}
    found = set(tx.connection.execute(query).scalars())
    of_tickets(tx, *found, beside=beside)
    if whole is not None and not set(tx.connection.execute(query).scalars()) <= found:
        raise Overtaken


def of_comment(tx: Tx, comment_id: str) -> None:
    """Lock what the ticket of this comment stands on."""
    _of_part(tx, comments.c.ticket_id, comments.c.id, comment_id)


def of_file(tx: Tx, attachment_id: str) -> None:
    """Lock what the ticket of this file stands on."""
    _of_part(tx, attachments.c.ticket_id, attachments.c.id, attachment_id)


def of_bytes(tx: Tx, sha256: str, link_id: str) -> None:
    """Lock what all tickets with a file of these bytes stand on, and the link they come by."""
    if tx.alone:
        return
    query = select(attachments.c.ticket_id).where(attachments.c.sha256 == sha256).distinct()
    of_tickets(tx, *tx.connection.execute(query).scalars(), beside=[link_id])


def of_contents(tx: Tx, *digests: str) -> None:
    """Let nobody else begin or cease to name files of this content until the commit.

    Behind links and tickets, before what belongs to the node. A content has no row of its own.
    """
    if tx.alone:
        return
    for digest in sorted(set(digests)):
        key = func.hashtextextended(digest, _CONTENTS)
        tx.connection.execute(select(func.pg_advisory_xact_lock(key)))


def _of_part(tx: Tx, ticket: Column[str], key: Column[str], id_: str) -> None:
    if not tx.alone:
        query = select(ticket).where(key == id_)
        of_tickets(tx, *tx.connection.execute(query).scalars())


def _ways_of(connection: Connection, ticket_ids: Collection[str]) -> set[str]:
    """Every link that these tickets were ever handed along."""
    if not ticket_ids:
        return set()
    query = select(handoffs.c.link_id).where(handoffs.c.ticket_id.in_(ticket_ids)).distinct()
    return set(connection.execute(query).scalars())


def _lock(tx: Tx, key: Column[str], ids: Collection[str]) -> None:
    if ids and not tx.alone:
        tx.connection.execute(for_update(tx, select(key).where(key.in_(ids)).order_by(key)))
