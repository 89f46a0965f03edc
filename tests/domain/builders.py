"""Small makers of domain records; every test says only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.domain.agreement import Direction, combine, default_offer, direction_from_terms
from hub.domain.attachment import Attachment
from hub.domain.comment import Author, Comment, Role, Visibility
from hub.domain.disclosure import PublicView, offer_view
from hub.domain.ticket import (
    Asset,
    ChecklistItem,
    Contact,
    Field,
    Priority,
    Requester,
    Site,
    Ticket,
    TicketStatus,
)
from hub.ids import AgentId, AttachmentId, CommentId, TicketId

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TOKEN = "AAAAAAAAAAAAAAAAAAAAAA"
COMPANY = "North Service"


def an_id(prefix: str, number: int = 1) -> str:
    return f"{prefix}_{number:032x}"


def a_direction(**changes: Any) -> Direction:
    """The direction that two accounts get which chose nothing."""
    terms: Any = combine(default_offer(), default_offer())
    return replace(direction_from_terms(terms["inviter_to_invitee"]), **changes)


def a_ticket(**changes: Any) -> Ticket:
    full = Ticket(
        id=TicketId(an_id("tkt")),
        number="T-1042",
        title="Printer is silent",
        description="No sound at all",
        status=TicketStatus.OPEN,
        priority=Priority.HIGH,
        created_at=NOW,
        updated_at=NOW,
        requester=Requester("Rita Requester", "rita@client.example", "+49 1"),
        contact=Contact("Karl Contact", "+49 2", "karl@client.example", "after 9"),
        site=Site("Branch 7", "Main street 7", "bell 3", "Client Ltd"),
        asset=Asset("Big printer", "P-500", "INV-7", "SN-7", "heavy"),
        fields=(Field("Room", "12"), Field("Margin", "40 %")),
        checklist=(ChecklistItem("c1", "Look at the cable", done=False),),
        due_at=NOW + timedelta(days=2),
        created_by=AgentId(an_id("agt", 1)),
        assignee=AgentId(an_id("agt", 2)),
    )
    return replace(full, **changes)


def a_file(
    number: int = 1,
    name: str = "photo.jpg",
    visibility: Visibility = Visibility.PUBLIC,
    size: int = 1000,
) -> Attachment:
    return Attachment(
        AttachmentId(an_id("att", number)),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        size,
        "image/jpeg",
        name,
        visibility,
    )


def an_author(
    display: str = "Anna Agent",
    account: str = COMPANY,
    role: Role = Role.AGENT,
    ref: str | None = None,
) -> Author:
    return Author(an_id("agt", 5) if ref is None else ref, display, role, account)


def a_comment(**changes: Any) -> Comment:
    plain = Comment(
        CommentId(an_id("cmt")),
        an_author(),
        "We are on our way",
        NOW,
        visibility=Visibility.PUBLIC,
    )
    return replace(plain, **changes)


def an_offer(
    ticket: Ticket,
    direction: Direction,
    files: Iterable[Attachment] = (),
    withhold: frozenset[Any] = frozenset(),
) -> PublicView:
    """The view of an offer whose other members do not matter."""
    return offer_view(
        ticket,
        tuple(files),
        direction,
        withhold=withhold,
        number=ticket.number,
        hops=(TOKEN,),
        valid_until=NOW + timedelta(hours=4),
        due=ticket.due_at,
        handed_off_at=NOW,
        hop_limit=direction.hop_limit,
    )
