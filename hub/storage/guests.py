"""Pages without a login: who may open them, and what requesters think of our work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from hub.ids import AgentId, TicketId
from hub.storage.database import Tx
from hub.storage.tables import client_ratings, guest_links


@dataclass(frozen=True, slots=True)
class GuestLink:
    """An address that somebody without a login was given."""

    token_hash: str
    ticket_id: TicketId
    purpose: str
    created_by: AgentId | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientRating:
    """What a requester thinks of our work."""

    ticket_id: TicketId
    score: int
    text: str
    at: datetime


def add(tx: Tx, link: GuestLink) -> None:
    """Store a new one."""
    values = {name: getattr(link, name) for name in GuestLink.__dataclass_fields__}
    tx.connection.execute(insert(guest_links).values(**values))


def find(connection: Connection, token_hash: str) -> GuestLink | None:
    """The one whose token has this SHA-256, or None."""
    row = connection.execute(
        select(guest_links).where(guest_links.c.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else GuestLink(**row._mapping)


def extend(tx: Tx, token_hash: str, expires_at: datetime) -> None:
    """Let it open until then."""
    tx.connection.execute(
        update(guest_links)
        .where(guest_links.c.token_hash == token_hash)
        .values(expires_at=expires_at)
    )


def revoke_all(tx: Tx, ticket_id: str, at: datetime) -> None:
    """No address of this ticket opens anything any more."""
    tx.connection.execute(
        update(guest_links)
        .where(guest_links.c.ticket_id == ticket_id, guest_links.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


def forget_before(tx: Tx, at: datetime) -> None:
    """Drop those that ended before this."""
    tx.connection.execute(delete(guest_links).where(guest_links.c.expires_at < at))


def rate(tx: Tx, rating: ClientRating) -> None:
    """Keep this in place of what was said before."""
    tx.connection.execute(
        delete(client_ratings).where(client_ratings.c.ticket_id == rating.ticket_id)
    )
    tx.connection.execute(
        insert(client_ratings).values(
            ticket_id=rating.ticket_id, score=rating.score, text=rating.text, at=rating.at
        )
    )


def rating_of(connection: Connection, ticket_id: str) -> ClientRating | None:
    """What the requester said, or None."""
    row = connection.execute(
        select(client_ratings).where(client_ratings.c.ticket_id == ticket_id)
    ).one_or_none()
    return None if row is None else ClientRating(**row._mapping)
