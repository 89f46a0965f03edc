"""What a peer that we cannot call collects from us and hands in: the answering side of polling.

Such a peer makes every call. Our messages wait for it in the outbox until it hands in its
receipt for them, exactly as they wait for a receipt that a delivery brings; nothing of ours
ever tries to reach it. Its silence is told to people like that of a peer we cannot reach.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.actions import files, keyring, keys, outbox, outgoing, peers
from hub.actions.context import Hub
from hub.domain.delivery import Health, backoff, health
from hub.errors import NotFound, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.ids import LinkId
from hub.protocol.encoding import is_hash
from hub.protocol.message import WireMessage, fit_batch
from hub.storage import attachments, deliveries, ground, links, streams
from hub.storage import outbox as stored
from hub.storage.attachments import Fetch
from hub.storage.database import Connection, Tx
from hub.storage.links import AGREED, Link, LinkState

_NOTED_EVERY = timedelta(seconds=30)  # a peer that collects all the time is not written down each


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that the peer announced and has to push."""

    sha256: str
    size: int
    have: int  # bytes of it that are here


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a peer now."""

    messages: Sequence[WireMessage] = ()
    keys: bool = False  # it has to ask for our keys before it can believe anything more
    files: Sequence[WantedFile] = field(default_factory=tuple)

    def __bool__(self) -> bool:
        return bool(self.messages or self.keys or self.files)


async def seen(hub: Hub, link_id: LinkId) -> None:
    """The peer asks what is for it: note when, and let people off who were told it does not."""
    now = hub.now()
    at = (await hub.db.glance(lambda connection: deliveries.get(connection, link_id))).collected_at
    if at is not None and now - at < _NOTED_EVERY:
        return

    def transaction(tx: Tx) -> None:
        deliveries.collected(tx, link_id, now)
        if at is not None and health(now - at) is not Health.HEALTHY:
            outbox.silence_ended(tx, link_id, now)

    await hub.db.write(transaction)


async def waiting(
    hub: Hub, link_id: LinkId, start: int, limit: int, *, with_files: bool
) -> Waiting:
    """What is for this peer, whose next message of ours is the one at `start`.

    Raises Unavailable(sync_required) where nothing may leave before the streams are compared.
    """

    def body(connection: Connection) -> Waiting | None:
        link = links.get(connection, link_id)
        stream = streams.get(connection, link_id)
        peers.check_readable(hub, link)
        if stream is None or not stream.synced:
            raise _sync_first()
        if start - 1 > stream.out_seq:
            return None
        if link.keys_call:
            return Waiting(keys=True)
        rows = list(stored.after(connection, link_id, start - 1, limit))
        if start - 1 >= stream.receipted_seq:
            resting = deliveries.get(connection, link_id).paced_until
            batch = (
                None
                if resting is not None and resting > hub.now()
                else outbox.following(connection, hub, link_id, after=start - 1)
            )
            rows = [] if batch is None else list(batch.rows)[:limit]
        messages = [WireMessage(row.env, row.data) for row in rows]
        wanted = _wanted(connection, hub, link) if with_files else []
        return Waiting(messages[: fit_batch(messages)], files=wanted)

    found = await hub.db.glance(body)
    if found is None:
        # It has more of us than we know of: we were put back and noticed nothing.
        await hub.db.write(lambda tx: _ask_anew(tx, link_id))
        raise _sync_first()
    return found


def _ask_anew(tx: Tx, link_id: LinkId) -> None:
    ground.of_links(tx, link_id)
    streams.change(tx, link_id, synced=False)


def _sync_first() -> Unavailable:
    return Unavailable("sync_required", "This node was started anew.", after=timedelta(seconds=2))


def _wanted(connection: Connection, hub: Hub, link: Link) -> list[WantedFile]:
    """Files to be pushed now; none while the link is suspended: a file is content too."""
    if link.state is not LinkState.ACTIVE:
        return []
    now = hub.now()
    return [
        WantedFile(one.sha256, one.size, hub.blobs.partial(one.link_id, one.sha256, one.size).have)
        for one in attachments.open_fetches(connection)
        if one.link_id == link.id and (one.next_at is None or one.next_at <= now)
    ]


async def hand_in(hub: Hub, link_id: LinkId, receipt: str, stopped: str | None) -> None:
    """The peer has what its receipt covers; `stopped` is why it took no more of what it was given.

    Raises Untrusted for a receipt that is not the peer's, or does not fit what was sent;
    Unavailable(sync_required).
    """
    await outbox.record_receipt(hub, link_id, receipt, handed_in=True)
    if stopped is not None:
        await hub.db.write(lambda tx: _note_stopped(tx, hub, link_id, stopped))


def _note_stopped(tx: Tx, hub: Hub, link_id: LinkId, code: str) -> None:
    now = hub.now()
    ground.of_links(tx, link_id)
    how = deliveries.get(tx.connection, link_id)
    deliveries.failed(
        tx,
        link_id,
        failures=how.failures + 1,
        next_at=now + backoff(how.failures + 1, hub.entropy.fraction()),
        since=how.failing_since or now,
        error=f"{code}: told by the partner",
    )
    # It may have been restored to before it knew our keys: it asks for them where it is told to.
    keyring.heed_answer(tx, hub, link_id, Untrusted(code, "The partner took no more of it."))


# --- keys -----------------------------------------------------------------------------------


async def keys_taken(
    hub: Hub, link_id: LinkId, receipt: str, *, version: int, upto: int, contested: int
) -> None:
    """The peer has taken our keys of this version, told up to there. Raises Untrusted."""
    said = await keys.telling(hub, link_id, asked=True)
    if said is None or said.version != version or upto > said.upto:
        return  # an old word, or about keys that have changed since: it is told again
    said = replace(said, upto=upto)
    await keys.told(hub, said, receipt, contested)


# --- files ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pushed:
    """How far a pushed file is here."""

    have: int
    whole: bool


async def take_part(hub: Hub, link_id: LinkId, sha256: str, start: int, part: bytes) -> Pushed:
    """Put a part of a wanted file behind what is here of it; a part from elsewhere is left out.

    The file is shown only once it is whole and its digest fits. Raises NotFound for a file that
    is not wanted of this peer; Refused(link_suspended | too_large); Untrusted(digest_mismatch).
    """
    wanted = await _wanted_fetch(hub, link_id, sha256)
    if isinstance(wanted, int):
        return Pushed(wanted, whole=True)  # the answer to its last part was lost
    partial = hub.blobs.partial(link_id, sha256, wanted.size)
    have = partial.have
    if start != have:
        return Pushed(have, whole=False)
    if have + len(part) > wanted.size:
        raise Refused("too_large", "The file is longer than announced.")

    def append() -> None:
        with partial.writer(start=have) as writer:
            writer.write(part)

    await asyncio.to_thread(append)
    fault("files.part_synced")
    if have + len(part) < wanted.size:
        return Pushed(have + len(part), whole=False)
    try:
        await asyncio.to_thread(partial.finish)
    except Untrusted as error:
        await files.fetch_failed(hub, wanted, error)
        raise
    fault("files.before_row")
    await files.fetched(hub, wanted)
    return Pushed(wanted.size, whole=True)


async def not_there(hub: Hub, link_id: LinkId, sha256: str) -> None:
    """The peer has a file no more that is wanted of it. Raises NotFound for any other."""
    wanted = await _wanted_fetch(hub, link_id, sha256)
    if not isinstance(wanted, int):
        await files.fetch_gone(hub, wanted, "blob_gone")


async def _wanted_fetch(hub: Hub, link_id: LinkId, sha256: str) -> Fetch | int:
    """The file as it is wanted of this peer; its size where this very peer pushed it before."""

    def body(connection: Connection) -> Fetch | int:
        link = links.get(connection, link_id)
        if link.collects and is_hash(sha256) and link.closed_at is None:
            if link.state is LinkState.SUSPENDED:
                raise Refused("link_suspended", "This link is suspended.")
            for one in attachments.open_fetches(connection):
                if (one.link_id, one.sha256) == (link_id, sha256):
                    return one
            if attachments.was_fetched(connection, link_id, sha256) and hub.blobs.has(sha256):
                return hub.blobs.size(sha256)
        raise NotFound("not_found", "There is no such file.")

    return await hub.db.read(body)


# --- the side that calls --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A peer that we ask what is for us."""

    link_id: LinkId
    next_at: datetime | None  # nobody answered there: not before
    over: bool  # both sides closed: there is news only if the peer is restored


async def due(hub: Hub) -> list[Asked]:
    """Whom we ask what is for us: only a node that nobody can call does, over synced links."""

    def body(connection: Connection) -> list[Asked]:
        found = []
        forgotten = hub.now() - timedelta(days=hub.limits.closed_link_readable_days)
        for link in links.in_states(connection, AGREED):
            stream = streams.get(connection, link.id)
            over = link.closed_at is not None and link.closed_by_peer_at is not None
            gone = link.closed_at is not None and link.closed_at <= forgotten
            if stream is not None and stream.synced and not gone:
                how = deliveries.get(connection, link.id)
                # A peer that refuses what we send may have for us what ends that.
                found.append(Asked(link.id, how.next_at if outbox.unreached(how) else None, over))
        return found

    return await hub.db.glance(body) if hub.account.outbound_only else []


# --- silence --------------------------------------------------------------------------------


async def watch(hub: Hub) -> None:
    """Tell people of peers that do not collect, or take nothing of what they collect."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        for link in links.in_states(tx.connection, AGREED):
            if not link.collects or link.closed_at is not None:
                continue
            how = deliveries.get(tx.connection, link.id)
            silent = deliveries.silent_for(tx.connection, link, now)
            if health(silent) in {Health.OVERDUE, Health.UNREACHABLE}:
                outgoing.alarm(
                    tx,
                    hub,
                    f"delivery_{health(silent)}",
                    link.id,
                    "{peer} has collected nothing for {hours} hours.",
                    now,
                    peer=link.peer_name,
                    hours=int(silent.total_seconds() // 3600),
                )
            if how.failing_since is not None:
                outbox.tell_people(tx, hub, link, now - how.failing_since, now)

    await hub.db.write(transaction)
