"""Comments: written here, or received and passed on.

A comment goes along every hand-off that may see it, except the one it came from: up to the
principal and down to the contractors, never from one contractor to another. What is known
across a hand-off is remembered (`item_refs`), so nothing is passed on twice or sent back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.actions import announcing, files, outgoing, permits, posts, settled, sharing
from hub.actions.context import Actor, Hub
from hub.domain import comment as rules
from hub.domain import disclosure
from hub.domain.agreement import Direction
from hub.domain.attachment import Attachment
from hub.domain.comment import Author, BodyFormat, Role, Visibility, check_body, may_travel
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.errors import NotFound, Refused
from hub.ids import CommentId, HandoffId, TicketId
from hub.protocol.encoding import parse_instant
from hub.storage import attachments, comments, ground, tickets
from hub.storage.comments import Comment
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff


@dataclass(frozen=True, slots=True)
class AddComment:
    """The wish to say something on a ticket. Internal unless a person chose otherwise."""

    ticket_id: TicketId
    body: str
    visibility: Visibility = rules.DEFAULT_VISIBILITY
    format: BodyFormat = BodyFormat.PLAIN
    files: Sequence[files.NewFile] = ()
    only_handoff: HandoffId | None = None  # None: everybody whom a public comment concerns
    reply_to: CommentId | None = None


async def add(hub: Hub, actor: Actor, wish: AddComment) -> CommentId:
    """Say something on a ticket; public words are queued for everybody who shares it.

    The files are already in the store; they become visible with the comment.
    """
    permits.require(actor, Permission.TICKETS_WORK)
    check_body(wish.body, with_files=bool(wish.files))

    def transaction(tx: Tx) -> CommentId:
        now = hub.now()
        if may_travel(wish.visibility):
            ground.of_tickets(tx, wish.ticket_id)
        permits.on_tickets(tx.connection, actor, wish.ticket_id)
        tickets.touch(tx, wish.ticket_id, now)
        comment = Comment(
            id=CommentId(hub.new_id("cmt", now)),
            ticket_id=wish.ticket_id,
            visibility=wish.visibility,
            author_ref=actor.ref,
            author=actor.display,
            role=Role.SYSTEM if actor.ref == "system" else Role.AGENT,
            account=hub.account.name,
            body=wish.body,
            format=wish.format,
            at=now,
            reply_to=wish.reply_to,
        )
        comments.add(tx, comment)
        attached = files.attach_in(
            tx, hub, wish.ticket_id, wish.files, wish.visibility, now, comment_id=comment.id
        )
        spread(tx, hub, comment, attached, now, came_by=None, only=wish.only_handoff)
        announce(tx, hub, EventType.COMMENT_ADDED, comment, now)
        posts.tell(tx, hub, comment, attached, now)
        return comment.id

    return await hub.db.write(transaction)


async def edit(hub: Hub, actor: Actor, comment_id: CommentId, body: str) -> int:
    """Replace the text of one of our own comments; its revision."""
    permits.require(actor, Permission.TICKETS_WORK)
    check_body(body)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        ground.of_comment(tx, comment_id)
        comment = _own(tx, actor, comment_id)
        for there, _remote_id in sharing.sent_along(tx, "cmt", comment_id, listening=True):
            settled.check(tx, there.link.id, there.handoff.id)
        comments.change(tx, comment.id, body=body, rev=comment.rev + 1, edited_at=now)
        spread_edit(tx, hub, comment_id, now)
        announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)
        return comment.rev + 1

    return await hub.db.write(transaction)


async def redact(hub: Hub, actor: Actor, comment_id: CommentId, reason: str = "") -> None:
    """Take one of our own comments back, here and wherever it was sent."""
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_comment(tx, comment_id)
        comment = _own(tx, actor, comment_id)
        withdraw(tx, comment, now, now)
        spread_redaction(tx, hub, comment_id, reason, now)
        announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)

    await hub.db.write(transaction)


def withdraw(tx: Tx, comment: Comment, at: datetime, now: datetime) -> None:
    """Take the words and the files of a comment away, whoever wrote it."""
    comments.change(tx, comment.id, body="", redacted_at=at)
    posts.withdraw(tx, comment.id, now)
    for row in attachments.of_ticket(tx.connection, comment.ticket_id):
        if row.comment_id == comment.id:
            attachments.change(tx, row.id, redacted_at=now)


def _own(tx: Tx, actor: Actor, comment_id: CommentId) -> Comment:
    """The comment, if it is the actor's to change; who makes rules may change all of ours."""
    comment = comments.find(tx.connection, comment_id)
    if comment is None:
        raise NotFound("not_found", "There is no such comment.")
    if comment.origin_handoff_id is not None:
        raise Refused("not_yours", "Only its author's company can change a comment.")
    if comment.author_ref != actor.ref and not permits.holds(actor, Permission.RULES_WRITE):
        raise Refused("not_yours", "Only its author or a lead can change a comment.")
    permits.on_tickets(tx.connection, actor, comment.ticket_id)
    if comment.redacted_at is not None:
        raise Refused("redacted", "The comment was taken back.")
    return comment


# --- passing on -----------------------------------------------------------------------------


def spread(
    tx: Tx,
    hub: Hub,
    comment: Comment,
    attached: Sequence[Attachment],
    now: datetime,
    *,
    came_by: Handoff | None,
    only: HandoffId | None = None,
    met: bool = False,
) -> None:
    """Queue a public comment for everybody who shares the ticket, except where it came from.

    `came_by` is the hand-off that brought it; None where it was written here. `met` says that
    some of them may have it already.
    """
    if not may_travel(comment.visibility):
        return
    listeners = sharing.audience(tx, comment.ticket_id, came_by)
    if not listeners:
        return
    relayed = came_by is not None
    told = comments.refs_of(tx.connection, "cmt", comment.id) if met else {}
    for there in listeners:
        handoff = there.handoff
        if (only is not None and handoff.id != only) or handoff.id in told:
            continue
        spread_to(tx, hub, comment, attached, there, now, relayed=relayed)


def spread_to(
    tx: Tx,
    hub: Hub,
    comment: Comment,
    attached: Sequence[Attachment],
    there: sharing.Listener,
    now: datetime,
    *,
    relayed: bool,
) -> None:
    """Queue a public comment for one of those who share the ticket.

    Nothing is queued where it has only files, and this agreement discloses none.
    """
    handoff, said = there.handoff, spoken(comment)
    try:
        view = disclosure.comment_view(
            said,
            attached,
            there.direction,
            by=handoff.party,
            withhold=there.withheld,
            company=hub.account.name,
            relayed=relayed,
        )
    except Refused as error:
        if error.code != "nothing_leaves":
            raise
        return
    message_id = outgoing.send(tx, hub, there.link, view, now=now, handoff_id=handoff.id)
    comments.refer(
        tx,
        handoff.id,
        "cmt",
        remote_id=comment.id,
        local_id=comment.id,
        sent=True,
        message_id=message_id,
    )
    if not attached:
        return
    sharing.share_files(tx, handoff.id, view)
    # What found no room beside the words follows at once as files of the ticket.
    sharing.announce(tx, hub, there, attached, said.author, now, relayed=relayed, beyond_first=True)


def spread_edit(tx: Tx, hub: Hub, comment_id: CommentId, now: datetime) -> None:
    """Queue the newest text of a comment for everybody who was sent it and still listens."""
    comment = comments.find(tx.connection, comment_id)
    assert comment is not None
    for there, _remote_id in sharing.sent_along(tx, "cmt", comment_id, listening=True):
        view = disclosure.comment_edit_view(spoken(comment))
        outgoing.send(tx, hub, there.link, view, now=now, handoff_id=there.handoff.id)


def spread_redaction(tx: Tx, hub: Hub, comment_id: CommentId, reason: str, now: datetime) -> None:
    """Queue the news that a comment was taken back for everybody who was ever sent it."""
    view = disclosure.comment_redact_view(comment_id, now, reason)
    for there, _remote_id in sharing.sent_along(tx, "cmt", comment_id, listening=False):
        outgoing.send(tx, hub, there.link, view, now=now, handoff_id=there.handoff.id)
        # Files that found no room beside the words went as files of the ticket, and know
        # nothing of the comment there.
        for extra in sharing.announced_apart(tx, there.handoff.id, comment_id):
            files.withdraw_from(tx, hub, there, extra, reason, now)


def announce(tx: Tx, hub: Hub, event: EventType, comment: Comment, now: datetime) -> None:
    """Tell the programs of this company that there is a comment, or that it changed."""
    announcing.announce(
        tx,
        hub,
        event,
        now,
        ticket_id=comment.ticket_id,
        comment_id=comment.id,
        visibility=comment.visibility,
        handoff_id=comment.origin_handoff_id,
    )


def spoken(comment: Comment) -> rules.Comment:
    """A stored comment as rules see it."""
    return rules.Comment(
        comment_id=comment.id,
        author=Author(
            ref=comment.author_ref,
            display=comment.author,
            role=Role.told(comment.role),
            account=comment.account,
        ),
        body=comment.body,
        at=comment.edited_at or comment.at,
        format=BodyFormat(comment.format),
        visibility=comment.visibility,
        # Only ids that the other side can know: ours of comments we sent are resolved there.
        reply_to=None,
        rev=comment.rev,
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
    """A peer's comment becomes one of the ticket, and goes on to everybody it concerns."""
    if comments.sent_ref(tx.connection, handoff.id, "cmt", said["comment_id"]) is not None:
        raise Refused("duplicate_id", "This comment id is already used on this hand-off.")
    author = said["author"]
    comment = Comment(
        id=CommentId(hub.same_id("cmt", said["comment_id"], handoff.id)),
        ticket_id=handoff.ticket_id,
        visibility=Visibility.PUBLIC,
        author_ref=author["ref"],
        author=author["display"],
        role=Role.told(author.get("role", "")),
        account=peer,  # who signed it, not whom it names
        body=said["body"],
        format=said["format"],
        at=parse_instant(said["at"]),
        origin_handoff_id=handoff.id,
    )
    # After a restore we may have met it already, as we had passed it on: here is who wrote it.
    met = comments.find(tx.connection, comment.id) is not None
    if met:
        comments.replace(tx, comment)
    else:
        comments.add(tx, comment)
    comments.refer(
        tx, handoff.id, "cmt", remote_id=said["comment_id"], local_id=comment.id, sent=False
    )
    attached = files.receive_in(
        tx, hub, handoff, said["files"], now, comment_id=comment.id, direction=direction
    )
    tickets.change(tx, handoff.ticket_id, updated_at=now)
    spread(tx, hub, comment, attached, now, came_by=handoff, met=met)
    if not met:
        announce(tx, hub, EventType.COMMENT_ADDED, comment, now)


def receive_edit(tx: Tx, hub: Hub, handoff: Handoff, said: dict[str, Any], now: datetime) -> None:
    """A peer changed a comment it wrote."""
    comment = _theirs(tx, handoff, said["comment_id"])
    if comment.redacted_at is not None or said["rev"] <= comment.rev:
        raise Refused("duplicate_id", "A newer revision of this comment is already here.")
    comments.change(
        tx,
        comment.id,
        body=said["body"],
        format=said["format"],
        rev=said["rev"],
        edited_at=parse_instant(said["at"]),
    )
    spread_edit(tx, hub, comment.id, now)
    announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)


def receive_redaction(
    tx: Tx, hub: Hub, handoff: Handoff, said: dict[str, Any], now: datetime
) -> None:
    """A peer took a comment it wrote back."""
    comment = _theirs(tx, handoff, said["comment_id"])
    if comment.redacted_at is not None:
        return
    withdraw(tx, comment, parse_instant(said["at"]), now)
    spread_redaction(tx, hub, comment.id, said.get("reason", ""), now)
    announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)


def _theirs(tx: Tx, handoff: Handoff, remote_id: str) -> Comment:
    """The comment this peer wrote on this hand-off. Another's looks like none at all."""
    local_id = comments.local_of(tx.connection, handoff.id, "cmt", remote_id)
    comment = None if local_id is None else comments.find(tx.connection, local_id)
    if comment is None or comment.origin_handoff_id != handoff.id:
        raise Refused("scope_denied", "There is no such comment of this author.")
    return comment
