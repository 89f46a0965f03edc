"""Pages without a login: follow my ticket, rate us. Whoever has the address is the requester.

An address has 256 random bits, ends after a while, and only its SHA-256 is kept. What is said
there is a requester's public word and goes along hand-offs like any other.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.actions import comments, files, permits
from hub.actions.context import Actor, Hub
from hub.actions.guest_links import LASTS, digest
from hub.actions.guest_links import Purpose as Purpose  # noqa: PLC0414 - said by its callers
from hub.domain.comment import Role, Visibility, check_body
from hub.domain.lengths import TEXT_MAX, check_text
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.errors import NotFound, Refused
from hub.ids import AgentId, CommentId, TicketId, is_id
from hub.storage import assignments, audit, ground, guests
from hub.storage import comments as said
from hub.storage import tickets as stored
from hub.storage.comments import Comment
from hub.storage.database import Connection, Tx
from hub.storage.guests import ClientRating, GuestLink

_BYTES: Final = 32
SCORES: Final = range(1, 6)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who has an address that still opens something."""

    ticket_id: TicketId
    purpose: Purpose


async def invite(hub: Hub, actor: Actor, ticket_id: TicketId, purpose: Purpose) -> str:
    """The token of a new address for the requester of this ticket. Raises NotFound."""
    permits.require(actor, Permission.TICKETS_WORK)
    token = base64.urlsafe_b64encode(hub.entropy.bytes(_BYTES)).rstrip(b"=").decode("ascii")

    def transaction(tx: Tx) -> str:
        now = hub.now()
        ticket = stored.get(tx.connection, ticket_id)
        permits.on_tickets(tx.connection, actor, ticket_id)
        creator = AgentId(actor.ref) if is_id(actor.ref, "agt") else None
        guests.add(
            tx, GuestLink(digest(token), ticket_id, purpose, creator, now, now + LASTS, None)
        )
        audit.append(
            tx, at=now, actor=actor.ref, event="guest.invited", ticket=ticket.number, to=purpose
        )
        return token

    return await hub.db.write(transaction)


async def revoke_all(hub: Hub, actor: Actor, ticket_id: TicketId) -> None:
    """Every address of this ticket opens nothing any more."""
    permits.require(actor, Permission.TICKETS_WORK)

    def transaction(tx: Tx) -> None:
        permits.on_tickets(tx.connection, actor, ticket_id)
        guests.revoke_all(tx, ticket_id, hub.now())

    await hub.db.write(transaction)


def enter(connection: Connection, hub: Hub, token: str) -> Guest:
    """Who comes by this token. Raises NotFound, the same for wrong, ended and revoked ones."""
    found = guests.find(connection, digest(token))
    if found is None or found.revoked_at is not None or found.expires_at <= hub.now():
        raise NotFound(
            "guest_link_ended",
            "This address does not open anything any more.",
            hint="Ask whoever gave it to you for a new one.",
        )
    return Guest(found.ticket_id, Purpose(found.purpose))


def _entering(tx: Tx, hub: Hub, token: str, purpose: Purpose) -> TicketId:
    guest = enter(tx.connection, hub, token)
    if guest.purpose is not purpose:
        raise Refused("not_for_this", "This address is for something else.")
    return guest.ticket_id


async def reply(
    hub: Hub, token: str, body: str, attached: Sequence[files.NewFile] = ()
) -> CommentId:
    """Say something as the requester, to this company: what goes on to partners, people decide.

    Raises NotFound(guest_link_ended); Refused(comment_empty | text_too_long).
    """
    check_body(body, with_files=bool(attached))

    def transaction(tx: Tx) -> CommentId:
        now = hub.now()
        ticket_id = _entering(tx, hub, token, Purpose.FOLLOW)
        ground.of_tickets(tx, ticket_id)
        ticket = stored.get(tx.connection, ticket_id)
        stored.touch(tx, ticket_id, now)
        name = ticket.requester.name if ticket.requester is not None else ""
        comment = Comment(
            id=CommentId(hub.new_id("cmt", now)),
            ticket_id=ticket_id,
            visibility=Visibility.CLIENT,
            author_ref="requester",
            author=name,
            role=Role.REQUESTER,
            account=hub.account.name,
            body=body,
            at=now,
        )
        said.add(tx, comment)
        files.attach_in(tx, hub, ticket_id, attached, Visibility.CLIENT, now, comment_id=comment.id)
        comments.announce(tx, hub, EventType.COMMENT_ADDED, comment, now)
        return comment.id

    return await hub.db.write(transaction)


async def rate(hub: Hub, token: str, score: int, text: str) -> None:
    """Say what the requester thinks; a later word takes the place of an earlier one.

    Raises NotFound(guest_link_ended); Refused(score_invalid | text_too_long).
    """
    if score not in SCORES:
        raise Refused("score_invalid", "A grade is a number from 1 to 5.")
    check_text("text", text, TEXT_MAX)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ticket_id = _entering(tx, hub, token, Purpose.RATE)
        stored.touch(tx, ticket_id, now)
        guests.rate(tx, ClientRating(ticket_id, score, text.strip(), now))
        assignments.record(
            tx, ticket_id, at=now, actor="", event="client_rated", facts={"score": [score]}
        )

    await hub.db.write(transaction)
