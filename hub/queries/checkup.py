"""How well the node is, as its operator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.domain.delivery import health as health_of
from hub.storage import audit, checkup, deliveries, links, mail_links, outbox, resets, streams
from hub.storage.audit import MADE
from hub.storage.checkup import Health
from hub.storage.database import Connection
from hub.storage.links import LinkState


@dataclass(frozen=True, slots=True)
class PeerHealth:
    """One partner we should be able to reach."""

    link: str
    name: str
    url: str
    node_id: str
    oldest_waiting: datetime | None  # sealed then, and without a receipt since
    health: str
    last_error: str | None
    collects: bool  # we cannot call it: it comes
    collected_at: datetime | None
    kind: str  # what there is on the other side: node | mail | desk
    failed_letters: int  # to a partner that works by mail


def database(connection: Connection) -> Health:
    """The database's own facts."""
    return checkup.health(connection)


def audit_break(connection: Connection) -> int | None:
    """The first audit record that does not follow from the one before; None if all do."""
    return audit.first_break(connection)


@dataclass(frozen=True, slots=True)
class Hold:
    """The node was restored, and mail and desks wait."""

    since: datetime
    not_synced: list[str]  # names of peers


def last_backup(connection: Connection) -> datetime | None:
    """When the newest backup was made, or None."""
    found = audit.last(connection, MADE)
    return None if found is None else found.at


def hold(connection: Connection) -> Hold | None:
    """Whether mail and desks wait, and for whom."""
    since = resets.held_since(connection)
    return None if since is None else Hold(since, resets.not_synced(connection))


def partners(connection: Connection, now: datetime) -> list[PeerHealth]:
    """Partners of active links, and since when messages wait for them."""
    found = []
    for link in links.in_states(connection, {LinkState.ACTIVE, LinkState.SUSPENDED}):
        stream = streams.get(connection, link.id)
        waiting = (
            outbox.after(connection, link.id, stream.receipted_seq, 1)
            if stream is not None and stream.out_seq > stream.receipted_seq
            else []
        )
        oldest = waiting[0].sealed_at if waiting else None
        delivery = deliveries.get(connection, link.id)
        ages = [now - oldest] if oldest is not None else []
        failed = mail_links.failed_letters(connection, link.id) if link.in_custody else 0
        if link.collects:
            ages.append(deliveries.silent_for(connection, link, now))
        found.append(
            PeerHealth(
                link=link.id,
                name=link.peer_name,
                url=link.peer_base_url,
                node_id=link.peer_node_id,
                oldest_waiting=oldest,
                health=str(health_of(max(ages, default=timedelta()))),
                last_error=delivery.last_error,
                collects=link.collects,
                collected_at=delivery.collected_at,
                kind=link.kind,
                failed_letters=failed,
            )
        )
    return found
