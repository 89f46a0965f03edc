"""With whom something public on a ticket is shared, and which files go with it.

Up to the principal and down to the contractors, never back where it came from and never from
one contractor to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.actions import outgoing, terms
from hub.actions.context import Hub
from hub.domain import disclosure
from hub.domain.agreement import Direction
from hub.domain.attachment import Attachment
from hub.domain.comment import Author
from hub.domain.disclosure import PublicView, Withheld
from hub.domain.handoff import FINAL, Party
from hub.ids import HandoffId, TicketId
from hub.storage import attachments, comments, handoffs, links
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff, Side
from hub.storage.links import AGREED, Link, LinkState


@dataclass(frozen=True, slots=True)
class Listener:
    """One hand-off along which something goes, with the terms that apply."""

    handoff: Handoff | Side
    link: Link
    direction: Direction
    withheld: Withheld


def listener(tx: Tx, handoff: Handoff | Side) -> Listener | None:
    """The other side of this hand-off, or None where nothing can be said to it any more."""
    link = links.get(tx.connection, handoff.link_id)
    if link.state not in AGREED or link.state is LinkState.CLOSED:
        return None
    direction = terms.direction(link, handoff.party)
    return Listener(handoff, link, direction, terms.withheld(handoff))


def audience(tx: Tx, ticket_id: TicketId, came_by: Handoff | None) -> list[Listener]:
    """Everybody who hears of something public on this ticket.

    `came_by` is the hand-off of this ticket that brought it; None where it is our own.
    """
    from_below = came_by is not None and came_by.party is Party.PRINCIPAL
    found = []
    for handoff in handoffs.sides(tx.connection, ticket_id):
        if came_by is not None and handoff.id == came_by.id:
            continue
        if handoff.state in FINAL or handoff.detached_at is not None:
            continue
        if from_below and handoff.party is Party.PRINCIPAL:
            continue  # contractors of one ticket do not see each other
        there = listener(tx, handoff)
        if there is not None and (came_by is None or there.direction.relay_comments):
            found.append(there)
    return found


def sent_along(tx: Tx, kind: str, local_id: str, *, listening: bool) -> list[tuple[Listener, str]]:
    """Those who were sent this item of ours, and the id they know it by.

    `listening` leaves out those who hear nothing new of the ticket any more: an edit may say
    more than what they were told. Taking something back concerns everybody who has it.
    """
    found = []
    for handoff_id, (remote_id, sent) in comments.refs_of(tx.connection, kind, local_id).items():
        handoff = handoffs.find(tx.connection, handoff_id)
        if not sent or handoff is None:
            continue
        if listening and (handoff.state in FINAL or handoff.detached_at is not None):
            continue
        there = listener(tx, handoff)
        if there is not None:
            found.append((there, remote_id))
    return found


def announced_apart(tx: Tx, handoff_id: HandoffId, comment_id: str) -> list[str]:
    """Ids, as the other side knows them, of a comment's files that another message named."""
    comment = comments.find(tx.connection, comment_id)
    assert comment is not None
    beside = comments.named_beside(tx.connection, handoff_id, comment_id)
    apart = []
    for row in attachments.of_ticket(tx.connection, comment.ticket_id):
        if row.comment_id != comment.id:
            continue
        remote_id, sent = comments.refs_of(tx.connection, "att", row.id).get(
            handoff_id, ("", False)
        )
        if sent and remote_id not in beside:
            apart.append(remote_id)
    return apart


def share_files(tx: Tx, handoff_id: HandoffId, view: PublicView) -> None:
    """The message names these files: both sides know them as one, and the peer may read them."""
    files: Any = view.to_data().get("files", [])
    for one in files:
        share_file(tx, handoff_id, one["attachment_id"])


def share_file(tx: Tx, handoff_id: HandoffId, attachment_id: str) -> None:
    """A file of ours is known across this hand-off, under our own id."""
    if handoff_id not in comments.refs_of(tx.connection, "att", attachment_id):
        comments.refer(
            tx, handoff_id, "att", remote_id=attachment_id, local_id=attachment_id, sent=True
        )


def announce(
    tx: Tx,
    hub: Hub,
    there: Listener,
    files: Sequence[Attachment],
    author: Author,
    now: datetime,
    *,
    relayed: bool,
    beyond_first: bool = False,
) -> None:
    """Name files to one listener, as many messages as it takes.

    `beyond_first` leaves out the batch that another message has named already.
    """
    by, withhold = there.handoff.party, there.withheld
    batches = disclosure.file_batches(files, there.direction, by=by, withhold=withhold)
    for batch in batches[1:] if beyond_first else batches:
        view = disclosure.file_view(
            batch,
            author,
            now,
            there.direction,
            by=by,
            withhold=withhold,
            company=hub.account.name,
            relayed=relayed,
        )
        outgoing.send(tx, hub, there.link, view, now=now, handoff_id=there.handoff.id)
        share_files(tx, there.handoff.id, view)


def described(row: attachments.Attachment) -> Attachment:
    """A stored attachment as rules see it."""
    return Attachment(
        attachment_id=row.id,
        sha256=row.sha256,
        size=row.size,
        media_type=row.media_type,
        name=row.name,
        visibility=row.visibility,
    )
