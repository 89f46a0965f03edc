"""Files on tickets and comments: put here by our people, or announced by a peer and pulled.

A message never waits for its files. A file is shown only when it is whole and its digest fits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, BinaryIO

from hub.actions import announcing, outgoing, permits, sharing
from hub.actions import handoffs as handoff_actions
from hub.actions.context import Actor, Hub
from hub.domain import disclosure
from hub.domain.agreement import Direction
from hub.domain.attachment import Attachment
from hub.domain.comment import Author, Role, Visibility, may_travel
from hub.domain.delivery import backoff
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.errors import HubError, NotFound, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.ids import AttachmentId, CommentId, LinkId, TicketId
from hub.storage import attachments, comments, ground, handoffs, links, tickets
from hub.storage import attachments as stored
from hub.storage.attachments import Fetch, FileState
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import AGREED, LinkState

FETCH_TOPIC = "fetch"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is already in the store, about to be put on something."""

    name: str
    media_type: str
    sha256: str
    size: int


def clean_name(name: str) -> str:
    """The last part of a file name, without controls and direction marks, at most 255 characters.

    It is only ever shown and sent as a header value, never used as a path.
    """
    last = PurePath(name.replace("\\", "/")).name
    shown = "".join(ch for ch in last if ch.isprintable() and ch not in _DIRECTION_MARKS)
    shown = shown.strip()[:255]
    return shown if shown.strip(".") else "file"


_DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def store(hub: Hub, name: str, media_type: str, source: BinaryIO) -> NewFile:
    """Take the bytes into the store; nothing refers to them yet. Blocking: call in a thread."""
    sha256, size = hub.blobs.add(source, max_bytes=hub.limits.file_bytes)
    return NewFile(clean_name(name), _plain_type(media_type), sha256, size)


async def take(hub: Hub, name: str, media_type: str, chunks: AsyncIterator[bytes]) -> NewFile:
    """Take a file into the store as its bytes arrive; nothing refers to it yet.

    Raises Refused(file_too_large), Unavailable; whatever `chunks` raises. Then nothing stays.
    """
    with hub.blobs.incoming(max_bytes=hub.limits.file_bytes) as taken:
        async for chunk in chunks:
            await asyncio.to_thread(taken.write, chunk)
        sha256, size = await asyncio.to_thread(taken.finish)
    return NewFile(clean_name(name), _plain_type(media_type), sha256, size)


def _plain_type(media_type: str) -> str:
    """The media type without parameters; for something else, of unknown bytes."""
    plain = media_type.partition(";")[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else "application/octet-stream"


_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")  # RFC 6838 §4.2


async def add(
    hub: Hub,
    actor: Actor,
    ticket_id: TicketId,
    new: Sequence[NewFile],
    visibility: Visibility = Visibility.PUBLIC,
) -> list[AttachmentId]:
    """Put files on the ticket as its own; public ones go to everybody who shares the ticket."""
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> list[AttachmentId]:
        now = hub.now()
        ground.of_tickets(tx, ticket_id)
        permits.on_tickets(tx.connection, actor, ticket_id)
        author = handoff_actions.author_of(hub, actor)
        return put_in(tx, hub, ticket_id, new, visibility, author, now)

    return await hub.db.write(transaction)


def put_in(
    tx: Tx,
    hub: Hub,
    ticket_id: TicketId,
    new: Sequence[NewFile],
    visibility: Visibility,
    author: Author,
    now: datetime,
) -> list[AttachmentId]:
    """`add`, within a transaction that has more to do."""
    ticket = tickets.get(tx.connection, ticket_id)
    rows = attach_in(tx, hub, ticket.id, new, visibility, now, comment_id=None)
    tickets.change(tx, ticket.id, updated_at=now)
    _spread(tx, hub, ticket.id, rows, author, now, came_by=None)
    _announce(tx, hub, ticket.id, rows, now)
    return [row.attachment_id for row in rows]


async def redact(hub: Hub, actor: Actor, attachment_id: AttachmentId, reason: str = "") -> None:
    """Take one of our own files back, here and wherever it was announced."""
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_file(tx, attachment_id)
        row = attachments.find(tx.connection, attachment_id)
        if row is None:
            raise NotFound("not_found", "There is no such file.")
        if row.origin_handoff_id is not None:
            raise Refused("not_yours", "Only its author's company can take a file back.")
        permits.on_tickets(tx.connection, actor, row.ticket_id)
        if row.redacted_at is not None:
            return
        attachments.change(tx, row.id, redacted_at=now)
        spread_redaction(tx, hub, row.id, reason, now)

    await hub.db.write(transaction)


def attach_in(
    tx: Tx,
    hub: Hub,
    ticket_id: TicketId,
    new: Sequence[NewFile],
    visibility: Visibility,
    now: datetime,
    *,
    comment_id: CommentId | None,
) -> list[Attachment]:
    """Put stored files on a ticket or a comment.

    Raises Unavailable(file_gone) where the same content was erased since it was stored.
    """
    made = []
    ground.of_contents(tx, *(one.sha256 for one in new))
    for one in new:
        if not hub.blobs.has(one.sha256):
            raise Unavailable("file_gone", "The file was erased meanwhile. Send it once more.")
        row = stored.Attachment(
            id=AttachmentId(hub.new_id("att", now)),
            ticket_id=ticket_id,
            comment_id=comment_id,
            visibility=visibility,
            name=one.name,
            media_type=one.media_type,
            size=one.size,
            sha256=one.sha256,
            state=FileState.AVAILABLE,
            reason=None,
            at=now,
            redacted_at=None,
            origin_handoff_id=None,
        )
        attachments.add(tx, row)
        made.append(sharing.described(row))
    return made


def _spread(
    tx: Tx,
    hub: Hub,
    ticket_id: TicketId,
    rows: Sequence[Attachment],
    author: Author,
    now: datetime,
    *,
    came_by: Handoff | None,
) -> None:
    """Announce the ticket's own files along every hand-off that may see them."""
    if not rows or not may_travel(rows[0].visibility):
        return
    for there in sharing.audience(tx, ticket_id, came_by):
        sharing.announce(tx, hub, there, rows, author, now, relayed=came_by is not None)


def spread_redaction(
    tx: Tx, hub: Hub, attachment_id: AttachmentId, reason: str, now: datetime
) -> None:
    """Queue the news that a file was taken back for everybody who was ever told of it."""
    for there, remote_id in sharing.sent_along(tx, "att", attachment_id, listening=False):
        withdraw_from(tx, hub, there, remote_id, reason, now)


def withdraw_from(
    tx: Tx, hub: Hub, there: sharing.Listener, remote_id: str, reason: str, now: datetime
) -> None:
    """Tell one listener that a file it was sent is taken back."""
    view = disclosure.statement_view(
        "file.redact",
        {"attachment_id": remote_id, "at": now, "reason": reason or None},
        there.direction,
        by=there.handoff.party,
        withhold=there.withheld,
    )
    outgoing.send(tx, hub, there.link, view, now=now, handoff_id=there.handoff.id)


def _announce(
    tx: Tx,
    hub: Hub,
    ticket_id: TicketId,
    rows: Sequence[Attachment],
    now: datetime,
    came_by: Handoff | None = None,
) -> None:
    for row in rows:
        announcing.announce(
            tx,
            hub,
            EventType.FILE_ADDED,
            now,
            ticket_id=ticket_id,
            attachment_id=row.attachment_id,
            handoff_id=None if came_by is None else came_by.id,
        )


# --- received -------------------------------------------------------------------------------


def receive(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    said: dict[str, Any],
    peer: str,
    now: datetime,
    direction: Direction,
) -> None:
    """A peer put files on the ticket: fetch them, and announce them to everybody they concern."""
    author = Author(
        ref=said["author"]["ref"],
        display=said["author"]["display"],
        role=Role.told(said["author"].get("role", "")),
        account=peer,
    )
    receive_own(tx, hub, handoff, said["files"], author, now, direction)


def receive_own(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    described: Sequence[dict[str, Any]],
    author: Author,
    now: datetime,
    direction: Direction,
) -> None:
    """Announced files become the ticket's own, and are announced on along the chain."""
    rows = receive_in(tx, hub, handoff, described, now, comment_id=None, direction=direction)
    if rows:
        tickets.change(tx, handoff.ticket_id, updated_at=now)
        _spread(tx, hub, handoff.ticket_id, rows, author, now, came_by=handoff)
        _announce(tx, hub, handoff.ticket_id, rows, now, handoff)


def receive_in(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    described: Sequence[dict[str, Any]],
    now: datetime,
    *,
    comment_id: CommentId | None,
    direction: Direction,
) -> list[Attachment]:
    """Announced files become attachments that are waiting for their bytes.

    Those that were not refused: what we do not take, we cannot pass on. `direction` has the
    terms in force where the message stands.
    """
    if not described:
        return []
    link = links.get(tx.connection, handoff.link_id)
    taken = attachments.link_bytes(tx.connection, link.id)
    ground.of_contents(tx, *(one["sha256"] for one in described))
    made = []
    for one in described:
        if comments.sent_ref(tx.connection, handoff.id, "att", one["attachment_id"]) is not None:
            raise Refused("duplicate_id", "This file id is already used on this hand-off.")
        refusal = None
        if one["size"] > min(direction.max_file_bytes, hub.limits.file_bytes):
            refusal = "too_large"
        elif taken + one["size"] > hub.limits.link_files_bytes:
            refusal = "quota_exceeded"
        # That we have the bytes from elsewhere must not show: a peer names a file without
        # sending it only if it sent it before, or was given it by us.
        here = refusal is None and (
            attachments.was_fetched(tx.connection, link.id, one["sha256"])
            or (
                attachments.is_shared_with(tx.connection, link.id, one["sha256"])
                and hub.blobs.has(one["sha256"])
            )
        )
        state = (
            FileState.REFUSED if refusal else FileState.AVAILABLE if here else FileState.ANNOUNCED
        )
        row = stored.Attachment(
            id=AttachmentId(hub.same_id("att", one["attachment_id"], handoff.id)),
            ticket_id=handoff.ticket_id,
            comment_id=comment_id,
            visibility=Visibility.PUBLIC,
            name=clean_name(one["name"]),
            media_type=one["media_type"],
            size=one["size"],
            sha256=one["sha256"],
            state=state,
            reason=refusal,
            at=now,
            redacted_at=None,
            origin_handoff_id=handoff.id,
        )
        # After a restore we may have met it already, as we had passed it on: here is whose it is.
        met = attachments.find(tx.connection, row.id)
        if met is None:
            attachments.add(tx, row)
        else:
            if met.state is FileState.AVAILABLE:
                state = met.state  # the very file this peer sent: nobody else's has this id
                row = replace(row, state=state, reason=None)
            attachments.replace(tx, row)
        comments.refer(
            tx, handoff.id, "att", remote_id=one["attachment_id"], local_id=row.id, sent=False
        )
        if state is FileState.ANNOUNCED:
            taken += one["size"]
            attachments.want(tx, link.id, one["sha256"], one["size"])
            tx.wake(FETCH_TOPIC)
        else:
            _report(tx, hub, row, now)
        if refusal is None:
            made.append(sharing.described(row))
    return made


def receive_redaction(
    tx: Tx, hub: Hub, handoff: Handoff, said: dict[str, Any], now: datetime
) -> None:
    """A peer took a file it had announced back."""
    local_id = comments.local_of(tx.connection, handoff.id, "att", said["attachment_id"])
    row = None if local_id is None else attachments.find(tx.connection, local_id)
    if row is None or row.origin_handoff_id != handoff.id:
        raise Refused("scope_denied", "There is no such file of this author.")
    if row.redacted_at is None:
        attachments.change(tx, row.id, redacted_at=now)
        spread_redaction(tx, hub, row.id, said.get("reason", ""), now)


def receive_status(
    tx: Tx, handoff: Handoff, said: dict[str, Any], actor: str, now: datetime
) -> None:
    """The peer tells whether it has a file of ours."""
    handoffs.record(
        tx,
        handoff.id,
        at=now,
        party=handoff.party.other,
        actor=actor,
        event="file.status",
        facts={name: said[name] for name in ("attachment_id", "status", "reason") if name in said},
    )


def _report(tx: Tx, hub: Hub, row: stored.Attachment, now: datetime) -> None:
    """Tell the peer that announced the file what became of it."""
    if row.origin_handoff_id is None:
        return
    handoff = handoffs.find(tx.connection, row.origin_handoff_id)
    there = None if handoff is None else sharing.listener(tx, handoff)
    if handoff is None or there is None:
        return
    remote_id, _sent = comments.refs_of(tx.connection, "att", row.id)[handoff.id]
    view = disclosure.statement_view(
        "file.status",
        {
            "sha256": row.sha256,
            "attachment_id": remote_id,
            "status": row.state,
            "reason": row.reason,
        },
        there.direction,
        by=handoff.party,
        withhold=there.withheld,
    )
    outgoing.send(tx, hub, there.link, view, now=now, handoff_id=handoff.id)


def take_back_in(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    described: Sequence[dict[str, Any]],
    at: datetime,
    *,
    comment_id: CommentId | None,
) -> None:
    """Files we told the other side of before a restore are on the ticket again.

    Their bytes may be lost: then they are pulled from that side, which was given them.
    """
    ground.of_contents(tx, *(one["sha256"] for one in described))
    for one in described:
        if attachments.find(tx.connection, one["attachment_id"]) is None:
            here = hub.blobs.has(one["sha256"])
            attachments.add(
                tx,
                stored.Attachment(
                    id=AttachmentId(one["attachment_id"]),
                    ticket_id=handoff.ticket_id,
                    comment_id=comment_id,
                    visibility=Visibility.PUBLIC,
                    name=clean_name(one["name"]),
                    media_type=one["media_type"],
                    size=one["size"],
                    sha256=one["sha256"],
                    state=FileState.AVAILABLE if here else FileState.ANNOUNCED,
                    reason=None,
                    at=at,
                    redacted_at=None,
                    origin_handoff_id=None,
                ),
            )
        sharing.share_file(tx, handoff.id, one["attachment_id"])
        if not hub.blobs.has(one["sha256"]):
            attachments.want(tx, handoff.link_id, one["sha256"], one["size"])
            tx.wake(FETCH_TOPIC)


# --- fetching -------------------------------------------------------------------------------


async def due_fetches(hub: Hub) -> dict[LinkId, list[Fetch]]:
    """Files to pull now, by link; those that did not fail before come first.

    From a suspended link nothing is pulled: a file is content too.
    """
    now = hub.now()

    def body(connection: Connection) -> dict[LinkId, list[Fetch]]:
        due: dict[LinkId, list[Fetch]] = {}
        for fetch in _wanted(connection):
            if fetch.next_at is None or fetch.next_at <= now:
                due.setdefault(fetch.link_id, []).append(fetch)
        return {link: sorted(found, key=lambda one: one.attempts) for link, found in due.items()}

    return await hub.db.read(body)


def _wanted(connection: Connection) -> list[Fetch]:
    """Files to be pulled now or later, from links over which content may pass.

    Peers we cannot call push theirs; those of a partner without a node are here.
    """
    left_out = {
        link.id
        for link in links.in_states(connection, AGREED)
        if not link.peer_base_url or link.state is LinkState.SUSPENDED
    }
    return [one for one in attachments.open_fetches(connection) if one.link_id not in left_out]


async def next_fetch_at(hub: Hub) -> datetime | None:
    """When the next file is due, None if none waits for its time."""

    def body(connection: Connection) -> datetime | None:
        waiting = [one.next_at for one in _wanted(connection)]
        return min((at for at in waiting if at is not None), default=None)

    return await hub.db.read(body)


async def fetched(hub: Hub, fetch: Fetch) -> None:
    """The file is in the store: show it, and tell the peer that it arrived."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_bytes(tx, fetch.sha256, fetch.link_id)
        attachments.change_fetch(
            tx, fetch.link_id, fetch.sha256, state=FileState.AVAILABLE, last_error=None
        )
        _settle(tx, hub, fetch, FileState.AVAILABLE, None, now)
        fault("files.row_written")

    await hub.db.write(transaction)


async def fetch_gone(hub: Hub, fetch: Fetch, reason: str) -> None:
    """The peer has the file no more: it will not come."""
    await _will_not_come(hub, fetch, FileState.GONE, reason)


async def _will_not_come(hub: Hub, fetch: Fetch, state: FileState, reason: str) -> None:
    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_bytes(tx, fetch.sha256, fetch.link_id)
        attachments.change_fetch(tx, fetch.link_id, fetch.sha256, state=state, last_error=reason)
        _settle(tx, hub, fetch, state, reason, now)

    await hub.db.write(transaction)


async def fetch_failed(hub: Hub, fetch: Fetch, error: HubError) -> None:
    """It did not work this time; what has arrived is kept for the next attempt."""
    now = hub.now()
    attempts = fetch.attempts + 1
    wait = backoff(attempts, hub.entropy.fraction(), cap=timedelta(seconds=hub.limits.retry_cap_s))
    if isinstance(error, Untrusted) and attempts >= hub.limits.poison_tries:
        await _will_not_come(hub, fetch, FileState.REFUSED, error.code)
        return

    def transaction(tx: Tx) -> None:
        ground.of_bytes(tx, fetch.sha256, fetch.link_id)
        attachments.change_fetch(
            tx,
            fetch.link_id,
            fetch.sha256,
            state=FileState.FETCHING,
            attempts=attempts,
            next_at=now + wait,
            last_error=error.code,
        )
        for row in attachments.with_digest(tx.connection, fetch.sha256):
            if row.state is FileState.ANNOUNCED:
                attachments.change(tx, row.id, state=FileState.FETCHING)

    await hub.db.write(transaction)


def _comes_by(tx: Tx, row: stored.Attachment, link_id: str) -> bool:
    """Whether the peer of this link sends us this file: its own, or one of ours that we lost."""
    ways = (
        list(comments.refs_of(tx.connection, "att", row.id))
        if row.origin_handoff_id is None
        else [row.origin_handoff_id]
    )
    found = (handoffs.find(tx.connection, one) for one in ways)
    return any(one is not None and one.link_id == link_id for one in found)


def _settle(
    tx: Tx, hub: Hub, fetch: Fetch, state: FileState, reason: str | None, now: datetime
) -> None:
    for row in attachments.with_digest(tx.connection, fetch.sha256):
        if row.state not in {FileState.ANNOUNCED, FileState.FETCHING, FileState.GONE}:
            continue
        if row.state is FileState.GONE and state is not FileState.AVAILABLE:
            continue
        if not _comes_by(tx, row, fetch.link_id):
            continue
        attachments.change(tx, row.id, state=state, reason=reason)
        settled = attachments.find(tx.connection, row.id)
        assert settled is not None
        _report(tx, hub, settled, now)
