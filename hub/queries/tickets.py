"""Tickets as people and programs see them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.domain.handoff import Act, Party, possible
from hub.domain.ticket import (
    Asset,
    ChecklistItem,
    Contact,
    Field,
    Requester,
    Site,
    Ticket,
    TicketStatus,
)
from hub.errors import Conflict, NotFound
from hub.ids import HandoffId, TicketId
from hub.queries import checkpoints, marks
from hub.queries.marks import DeliveryMark
from hub.storage import attachments, comments, handoffs, links, posts, tickets
from hub.storage.attachments import Attachment, FileState
from hub.storage.database import Connection
from hub.storage.handoffs import Handoff


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket in a list."""

    id: str
    number: str
    title: str
    status: str
    priority: str
    due_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RatingView:
    """The grade of a hand-off."""

    score: int
    text: str | None
    criteria: dict[str, int]
    rev: int
    reply: str | None


@dataclass(frozen=True, slots=True)
class HandoffView:
    """A hand-off of the ticket."""

    id: str
    role: str  # which side we are
    peer: str
    link: str
    peer_number: str | None
    state: str
    since: datetime
    round: int
    rating: RatingView | None
    due_requested: datetime | None
    due_promised: datetime | None
    eta: datetime | None
    assignee: str | None
    stage: str | None
    plan: str | None
    pend_reason: str | None
    pend_until: datetime | None
    resolution: str | None
    reason: str | None
    request: str | None
    request_reason: str | None
    consent: str | None  # to hand the work on: asked | granted | refused
    consent_text: str | None  # why it is asked, or what was answered
    detached: bool
    state_hash: str  # of all that both sides share of it: the same on both
    acts: Sequence[str]  # what we may do now


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of the ticket or one of its comments."""

    id: str
    name: str
    size: int
    media_type: str
    sha256: str  # hex, as `sha256sum` prints it
    state: str
    visibility: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class UndeliveredView:
    """A letter that did not arrive."""

    letter: str  # its id
    address: str
    why: str


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment with its newest text."""

    id: str
    visibility: str
    author: str
    account: str
    body: str
    format: str
    at: datetime
    rev: int
    edited_at: datetime | None
    redacted: bool
    delivery: str | None  # the least advanced of its marks; None where it goes to nobody
    marks: Sequence[DeliveryMark]  # how far it is on its way to each who is to read it
    undelivered: Sequence[UndeliveredView]  # letters with it that did not arrive
    attachments: Sequence[FileView]


@dataclass(frozen=True, slots=True)
class HopView:
    """One hop of the chain below this ticket."""

    level: int  # 1: our own contractor
    account: str  # its name where the agreements show it, else its role
    state: str
    since: datetime
    peer: str  # our contractor through whom we know it


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of the history of a hand-off."""

    at: datetime
    peer: str
    party: str
    actor: str
    event: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket with everything on it."""

    id: str
    number: str
    title: str
    description: str
    status: str
    priority: str
    service: str
    requester: Requester | None
    contact: Contact | None
    site: Site | None
    asset: Asset | None
    fields: Sequence[Field]
    checklist: Sequence[ChecklistItem]
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    handoffs: Sequence[HandoffView]
    comments: Sequence[CommentView]
    attachments: Sequence[FileView]
    chain: Sequence[HopView]
    history: Sequence[EventView]


def page(
    connection: Connection,
    *,
    status: TicketStatus | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[TicketLine]:
    """Tickets, newest first, from before this id."""
    return [
        TicketLine(
            one.id, one.number, one.title, one.status, one.priority, one.due_at, one.updated_at
        )
        for one in tickets.page(connection, status=status, before=before, limit=limit)
    ]


def show(connection: Connection, name: str) -> TicketView:
    """The ticket with this number or id. Raises NotFound."""
    ticket = tickets.named(connection, name)
    found = handoffs.of_ticket(connection, ticket.id)
    peers = {one.id: links.get(connection, one.link_id).peer_name for one in found}
    files = [
        file_view(one)
        for one in attachments.of_ticket(connection, ticket.id)
        if one.redacted_at is None
    ]
    return TicketView(
        id=ticket.id,
        number=ticket.number,
        title=ticket.title,
        description=ticket.description,
        status=ticket.status,
        priority=ticket.priority,
        service=ticket.service,
        requester=ticket.requester,
        contact=ticket.contact,
        site=ticket.site,
        asset=ticket.asset,
        fields=ticket.fields,
        checklist=ticket.checklist,
        due_at=ticket.due_at,
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
        handoffs=[_handoff(connection, one, peers[one.id]) for one in found],
        comments=_comments(connection, ticket, files),
        attachments=files,
        chain=_chain(connection, found, peers),
        history=_history(connection, found, peers),
    )


def ticket_of(connection: Connection, handoff_id: str) -> TicketId:
    """Our ticket in this hand-off. Raises NotFound."""
    found = handoffs.find(connection, handoff_id)
    if found is None:
        raise NotFound("not_found", "There is no such hand-off.")
    return found.ticket_id


def _handoff(connection: Connection, one: Handoff, peer: str) -> HandoffView:
    rating = None
    if one.score is not None:
        rating = RatingView(
            one.score, one.rating_text, one.rating_criteria or {}, one.rating_rev, one.rating_reply
        )
    return HandoffView(
        id=one.id,
        role=one.party,
        peer=peer,
        link=one.link_id,
        peer_number=one.peer_number,
        state=one.state,
        since=one.since,
        round=one.round,
        rating=rating,
        due_requested=one.due_requested,
        due_promised=one.due_promised,
        eta=one.eta,
        assignee=one.assignee,
        stage=one.stage,
        plan=one.plan,
        pend_reason=one.pend_reason,
        pend_until=one.pend_until,
        resolution=one.resolution,
        reason=one.reason,
        request=one.request,
        request_reason=one.request_reason,
        consent=one.consent,
        consent_text=one.consent_text,
        detached=one.detached_at is not None,
        state_hash=checkpoints.state_hash(connection, one),
        acts=[
            str(act)
            for act in possible(one.party, one.state)
            if act is not Act.CANCELLED or one.request is not None
        ],
    )


def file_view(one: Attachment) -> FileView:
    """An attachment as people and programs see it."""
    return FileView(
        id=one.id,
        name=one.name,
        size=one.size,
        media_type=one.media_type,
        sha256=base64.urlsafe_b64decode(one.sha256 + "=").hex(),
        state=one.state,
        visibility=one.visibility,
        comment=one.comment_id,
    )


def _comments(
    connection: Connection, ticket: Ticket, files: Sequence[FileView]
) -> list[CommentView]:
    told = marks.of_ticket(connection, ticket.id)
    returned = posts.undelivered(connection, ticket.id)
    return [
        CommentView(
            id=one.id,
            visibility=one.visibility,
            author=one.author,
            account=one.account,
            body=one.body,
            format=one.format,
            at=one.at,
            rev=one.rev,
            edited_at=one.edited_at,
            redacted=one.redacted_at is not None,
            delivery=marks.least(told.get(one.id, ())),
            marks=told.get(one.id, ()),
            undelivered=[
                UndeliveredView(post.id, post.recipient, post.bounce or post.last_error or "")
                for post in returned.get(one.id, ())
            ],
            attachments=[file for file in files if file.comment == one.id],
        )
        # By when they were said, so that both companies read the same conversation; the order in
        # which they came here is another on each side.
        for one in sorted(
            comments.of_ticket(connection, ticket.id), key=lambda one: (one.at, one.id)
        )
    ]


def _chain(
    connection: Connection, found: Sequence[Handoff], peers: Mapping[HandoffId, str]
) -> list[HopView]:
    hops = []
    for one in found:
        if one.party is not Party.PRINCIPAL:
            continue
        hops.append(HopView(1, peers[one.id], one.state, one.since, peers[one.id]))
        hops += [
            HopView(
                below.level, below.display or below.role, below.status, below.since, peers[one.id]
            )
            for below in handoffs.hops_below(connection, one.id)
        ]
    return hops


def _history(
    connection: Connection, found: Sequence[Handoff], peers: Mapping[HandoffId, str]
) -> list[EventView]:
    events = [
        EventView(
            event.at,
            peers[one.id],
            event.party,
            event.actor,
            event.event,
            event.before,
            event.after,
        )
        for one in found
        for event in handoffs.history(connection, one.id)
    ]
    return sorted(events, key=lambda event: event.at)


def file_named(connection: Connection, ticket_name: str, name: str) -> Attachment:
    """The file of this ticket with this name or id, whole. Raises NotFound; Conflict."""
    ticket = tickets.named(connection, ticket_name)
    found = [
        one
        for one in attachments.of_ticket(connection, ticket.id)
        if name in {one.name, one.id} and one.redacted_at is None
    ]
    if not found:
        raise NotFound(
            "not_found", "Ticket {number} has no file '{name}'.", number=ticket.number, name=name
        )
    here = [one for one in found if one.state is FileState.AVAILABLE]
    if not here:
        raise Conflict(
            "file_not_here",
            "The file '{name}' is not here yet ({state}).",
            hint="Try again later.",
            name=name,
            state=found[0].state,
        )
    if len({one.sha256 for one in here}) > 1:
        raise Conflict(
            "file_ambiguous",
            "Ticket {number} has several files '{name}': {ids}.",
            hint="Name one of them by its id.",
            number=ticket.number,
            name=name,
            ids=", ".join(one.id for one in here),
        )
    return here[0]


def handoff(connection: Connection, handoff_id: str) -> HandoffView:
    """The hand-off with this id. Raises NotFound."""
    found = handoffs.find(connection, handoff_id)
    if found is None:
        raise NotFound("not_found", "There is no such hand-off.")
    return _handoff(connection, found, links.get(connection, found.link_id).peer_name)


def comment(connection: Connection, comment_id: str) -> CommentView:
    """The comment with this id. Raises NotFound."""
    found = comments.find(connection, comment_id)
    if found is None:
        raise NotFound("not_found", "There is no such comment.")
    files = [
        file_view(one)
        for one in attachments.of_ticket(connection, found.ticket_id)
        if one.redacted_at is None
    ]
    on_ticket = _comments(connection, tickets.get(connection, found.ticket_id), files)
    return next(one for one in on_ticket if one.id == comment_id)


def file(connection: Connection, attachment_id: str) -> FileView:
    """The attachment with this id. Raises NotFound."""
    found = attachments.find(connection, attachment_id)
    if found is None:
        raise NotFound("not_found", "There is no such file.")
    return file_view(found)
