"""With whom something public on a ticket is shared, and which files go with it.

Up to the principal and down to the contractors, never back where it came from and never from
one contractor to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.actions import terms
from hub.domain.agreement import Direction
from hub.domain.attachment import Attachment
from hub.domain.disclosure import PublicView, Withheld
from hub.domain.handoff import FINAL, Party
from hub.ids import HandoffId, TicketId
from hub.storage import attachments, comments, handoffs, links
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import AGREED, Link, LinkState


@dataclass(frozen=True, slots=True)
class Listener:
    """One hand-off along which something goes, with the terms that apply."""

    handoff: Handoff
    link: Link
    direction: Direction
    withheld: Withheld


def listener(tx: Tx, handoff: Handoff) -> Listener | None:
    """The other side of this hand-off, or None where nothing can be said to it any more."""
    link = links.get(tx.connection, handoff.link_id)
    if link.state not in AGREED or link.state is LinkState.CLOSED:
        return None
    direction = terms.direction(link, handoff.party)
    return Listener(handoff, link, direction, terms.withheld(handoff))


def audience(tx: Tx, ticket_id: TicketId, origin: HandoffId | None) -> list[Listener]:
    """Everybody who hears of something public on this ticket that came by `origin` (None: ours)."""
    everyone = handoffs.of_ticket(tx.connection, ticket_id)
    came_by = next((one for one in everyone if one.id == origin), None)
    from_below = came_by is not None and came_by.party is Party.PRINCIPAL
    found = []
    for handoff in everyone:
        if handoff.id == origin or handoff.state in FINAL or handoff.detached_at is not None:
            continue
        if from_below and handoff.party is Party.PRINCIPAL:
            continue  # contractors of one ticket do not see each other
        there = listener(tx, handoff)
        if there is not None and (origin is None or there.direction.relay_comments):
            found.append(there)
    return found


def sent_along(tx: Tx, kind: str, local_id: str) -> list[tuple[Listener, str]]:
    """Those who were sent this item of ours, and the id they know it by."""
    found = []
    for handoff_id, (remote_id, sent) in comments.refs_of(tx.connection, kind, local_id).items():
        handoff = handoffs.find(tx.connection, handoff_id)
        there = listener(tx, handoff) if sent and handoff is not None else None
        if there is not None:
            found.append((there, remote_id))
    return found


def share_files(tx: Tx, link: Link, handoff_id: HandoffId, view: PublicView) -> None:
    """The message names these files: the peer may read them, and both sides know them as one."""
    files: Any = view.to_data().get("files", [])
    for one in files:
        attachments.grant(tx, link.id, one["sha256"])
        attachment_id = one["attachment_id"]
        if handoff_id not in comments.refs_of(tx.connection, "att", attachment_id):
            comments.refer(
                tx, handoff_id, "att", remote_id=attachment_id, local_id=attachment_id, sent=True
            )


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
