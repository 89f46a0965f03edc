"""What a peer may read of its own link: pinned keys, logs, receipts, files named to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.actions import keyring, peer_keys
from hub.actions.context import Hub
from hub.errors import NotFound, Refused, Unavailable, Untrusted
from hub.ids import LinkId
from hub.protocol.encoding import is_hash
from hub.protocol.keys import PublicKey
from hub.protocol.message import WireMessage, fit_batch
from hub.storage import attachments, deliveries, inbox, links, outbox, streams
from hub.storage.database import Connection
from hub.storage.links import Link, LinkState

_SOON: Final = timedelta(seconds=2)
RECEIPTS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class PeerKeys:
    """The keys pinned for the peer of one link."""

    link_id: LinkId
    peer_node_id: str
    peer_base_url: str
    http: dict[str, tuple[PublicKey, datetime | None]]
    msg: dict[str, PublicKey]
    failing: bool  # our deliveries to it failed lately
    identity: PublicKey  # pinned
    told: int  # the newest key set of ours that it is known to have
    collects: bool  # it cannot be called, and collects what is for it

    def http_key(self, kid: str, now: datetime) -> PublicKey | None:
        """The http key of this name, if its time is not over."""
        key, not_after = self.http.get(kid, (None, None))
        return None if not_after is not None and not_after <= now else key

    def msg_key(self, kid: str) -> PublicKey:
        """The message key of this name. Raises Untrusted(key_unknown)."""
        key = self.msg.get(kid)
        if key is None:
            raise Untrusted("key_unknown", "The message is signed by an unknown key.", because=kid)
        return key


async def keys(hub: Hub, link_id: LinkId) -> PeerKeys | None:
    """The peer's keys, or None where there is no such link or nothing may be said over it."""

    def body(connection: Connection) -> PeerKeys | None:
        link = links.find(connection, link_id)
        if link is None or link.state is LinkState.VOID:
            return None
        pinned = links.keys(connection, link_id)
        return PeerKeys(
            link_id=link.id,
            peer_node_id=link.peer_node_id,
            peer_base_url=link.peer_base_url,
            http={
                key.kid: (links.public_key(key), key.not_after)
                for key in pinned
                if key.use == "http" and key.revoked_at is None
            },
            msg={key.kid: links.public_key(key) for key in pinned if key.use == "msg"},
            failing=deliveries.get(connection, link_id).failures > 0,
            identity=peer_keys.peer_identity(link),
            told=keyring.told_version(connection, link),
            collects=link.collects,
        )

    return await hub.db.glance(body)


async def link(hub: Hub, link_id: LinkId) -> Link:
    """The link. Raises NotFound."""
    return await hub.db.read(lambda connection: links.get(connection, link_id))


async def issued_receipts(hub: Hub, link_id: LinkId, upto: int) -> list[str]:
    """Receipts we gave this peer from this position on, oldest first."""
    return await hub.db.read(
        lambda connection: streams.receipts_from(
            connection, link_id, "issued", upto, RECEIPTS_AT_ONCE
        )
    )


async def log(
    hub: Hub, link_id: LinkId, *, ours: bool, start: int, limit: int
) -> list[WireMessage]:
    """Messages of one direction of the link from this position on (`ours`: those we sent).

    At most as many as one batch carries; the caller asks again from where they end.
    """

    def body(connection: Connection) -> list[WireMessage]:
        found = links.get(connection, link_id)
        check_readable(hub, found)
        if ours:
            if found.suspended_by_us:
                raise Refused("link_suspended", "This link is suspended.")
            stream = streams.get(connection, link_id)
            if stream is None or not stream.synced:
                # What is not synced may have to be signed again.
                raise Unavailable("sync_required", "This node was started anew.")
            rows = outbox.after(connection, link_id, start - 1, limit)
            found_messages = [WireMessage(row.env, row.data) for row in rows]
        else:
            received = inbox.log_from(connection, link_id, start, limit)
            found_messages = [WireMessage(row.env, row.data) for row in received]
        return found_messages[: fit_batch(found_messages)]

    return await hub.db.read(body)


def check_readable(hub: Hub, link: Link) -> None:
    """Return if the peer may read here: a closed link's log stays readable for a while."""
    if link.closed_at is None:
        return
    days = hub.limits.closed_link_readable_days
    if hub.now() > link.closed_at + timedelta(days=days):
        raise Refused("link_closed", "This link is closed.")


async def readable_file(hub: Hub, link_id: LinkId, sha256: str) -> int:
    """The size of a file that a message on this link named, to the peer or by it.

    Of the peer's own files those are meant whose bytes it sent us: it may have lost them since.

    Raises NotFound for any other digest, whether we have it or not, and for a file that we
    announced and could not get ourselves; Unavailable where it is on its way to us, and for any
    digest as long as a restore may have taken from us what we knew of it.
    """
    # Whatever is no digest at all looks like one that nobody named.
    here = is_hash(sha256) and hub.blobs.has(sha256)

    def body(connection: Connection) -> Link | None:
        found = links.get(connection, link_id)
        if not attachments.may_be_read_by(connection, link_id, sha256):
            stream = streams.get(connection, link_id)
            if stream is not None and (stream.reapplying or not stream.synced):
                raise Unavailable("sync_required", "This node was started anew.", after=_SOON)
            return None
        return found if here or attachments.is_expected(connection, sha256) else None

    found = await hub.db.read(body)
    if found is None or found.closed_at is not None:
        raise NotFound("not_found", "There is no such file.")
    if found.suspended_by_us:
        raise Refused("link_suspended", "This link is suspended.")
    if not here:
        raise Unavailable("overloaded", "The file is not here yet.", after=timedelta(seconds=5))
    return hub.blobs.size(sha256)
