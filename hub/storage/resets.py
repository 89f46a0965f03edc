"""What a restored database must forget: everything that was given out or used up since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, or_, select, update

from hub.storage import webhooks
from hub.storage.database import Tx
from hub.storage.links import AGREED, LinkState
from hub.storage.posts import MAYBE_SENT, PostState
from hub.storage.statements import Query, itself
from hub.storage.tables import (
    access_links,
    api_tokens,
    counters,
    deliveries,
    desks,
    guest_links,
    idempotency_keys,
    invitations,
    links,
    node,
    onlookers,
    posts,
    sessions,
    streams,
)

NUMBERS_SKIPPED: Final = 1000
"""Ticket numbers left out after a restore: those told to people since the backup are not ours
to give again, and how many there were is unknown."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much of it there was."""

    tokens: int
    invitations: int


def end_access(tx: Tx, at: datetime) -> Forgotten:
    """Nobody gets in by what the backup remembers: it may have been revoked or used since.

    The one place for every kind of access that is kept in the database.
    """
    tokens = tx.connection.execute(
        update(api_tokens).where(api_tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    open_ones = tx.connection.execute(
        update(invitations)
        .where(invitations.c.link_id.is_(None), invitations.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    # Whoever has the address of a page without login may be somebody it was taken from since.
    tx.connection.execute(
        update(guest_links).where(guest_links.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    tx.connection.execute(delete(onlookers))
    tx.connection.execute(delete(idempotency_keys))
    tx.connection.execute(delete(sessions))
    tx.connection.execute(delete(access_links))
    return Forgotten(tokens.rowcount, open_ones.rowcount)


def begin_anew(tx: Tx, at: datetime) -> None:
    """No process is at work, nothing is known of where the peers stand, mail and desks wait."""
    # No instance fits null: whoever starts first sees that it is another installation.
    tx.connection.execute(update(node).values(run=None, instance=None, held_at=at))
    tx.connection.execute(update(streams).values(synced=False))
    tx.connection.execute(
        update(deliveries).values(
            lease_owner=None, lease_until=None, failures=0, next_at=None, failing_since=None
        )
    )
    # A desk is read before it is told anything: it knows what became of our tickets since.
    tx.connection.execute(update(desks).values(next_at=None))
    webhooks.drop_waiting(tx)  # they may have been told since
    # Those that waited when the backup was made have long gone out: a person decides.
    tx.connection.execute(
        update(posts)
        .where(posts.c.state == PostState.QUEUED)
        .values(
            state=PostState.FAILED,
            last_error=MAYBE_SENT,
            settled_at=at,
            next_at=None,
        )
    )
    tx.connection.execute(
        update(counters)
        .where(counters.c.name == "ticket")
        .values(value=counters.c.value + NUMBERS_SKIPPED)
    )


_HELD_AT: Final[Query[datetime]] = Query(select(node.c.held_at), itself)


def held_since(connection: Connection) -> datetime | None:
    """Since when mail and desks wait; None: they do not."""
    return _HELD_AT.one(connection)


def let_go(tx: Tx) -> None:
    """Mail and desks wait no longer."""
    tx.connection.execute(update(node).values(held_at=None))


def not_synced(connection: Connection) -> list[str]:
    """Peers of open links of whom it is not known yet where both sides stand.

    Also those from whom we took back our own messages and have not applied all of them.
    """
    query = (
        select(links.c.peer_name)
        .join(streams, streams.c.link_id == links.c.id)
        .where(
            links.c.state.in_(sorted(AGREED - {LinkState.CLOSED})),
            links.c.closed_at.is_(None),
            or_(streams.c.synced.is_(False), streams.c.reapplying.is_(True)),
        )
        .order_by(links.c.peer_name)
    )
    return list(connection.execute(query).scalars())
