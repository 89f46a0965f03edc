"""How well the node is, as its operator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.domain.delivery import health as health_of
from hub.storage import audit, checkup, deliveries, links, outbox, resets, streams
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
        found.append(
            PeerHealth(
                link=link.id,
                name=link.peer_name,
                url=link.peer_base_url,
                node_id=link.peer_node_id,
                oldest_waiting=oldest,
                health="healthy" if oldest is None else str(health_of(now - oldest)),
                last_error=deliveries.get(connection, link.id).last_error,
            )
        )
    return found
