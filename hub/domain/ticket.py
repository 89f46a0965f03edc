"""A ticket, the parts of it that can be disclosed one by one, and how its status follows.

A ticket that passes `check` always fits into an offer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.domain.handoff import Party, State
from hub.domain.lengths import (
    CHECKLIST_MAX,
    FIELDS_MAX,
    ITEM_ID_MAX,
    SHORT_MAX,
    TEXT_MAX,
    TITLE_MAX,
    check_content,
    check_text,
)
from hub.errors import Refused
from hub.ids import AgentId, TicketId


class TicketStatus(StrEnum):
    """Where a ticket stands for the people of this account."""

    NEW = "new"  # nobody has taken it
    OPEN = "open"  # taken, not begun
    IN_PROGRESS = "in_progress"  # someone works on it: we or a contractor
    PENDING = "pending"  # waits for something
    RESOLVED = "resolved"  # done, to be checked
    CLOSED = "closed"  # over
    CANCELLED = "cancelled"  # over without the work


class Priority(StrEnum):
    """How much it matters to the one who asks."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call on site."""

    name: str = ""
    phone: str = ""
    email: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the work is."""

    name: str = ""
    address: str = ""
    note: str = ""
    parent: str = ""  # the name of the place it is part of


@dataclass(frozen=True, slots=True)
class Asset:
    """A piece of equipment."""

    name: str = ""
    model: str = ""
    inventory_number: str = ""
    serial_number: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Requester:
    """The person with the problem. Never leaves this account."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One thing to do."""

    item_id: str
    text: str
    done: bool = False
    needs_photo: bool = False  # ours, like the next: peers are not told
    photo_id: str = ""  # the file that shows it done


@dataclass(frozen=True, slots=True)
class Field:
    """A custom field. It leaves only if the agreement names it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """One company's record of one piece of work."""

    id: TicketId
    number: str  # ours, as people say it
    title: str
    description: str
    status: TicketStatus
    priority: Priority
    created_at: datetime
    updated_at: datetime
    requester: Requester | None = None
    contact: Contact | None = None
    site: Site | None = None
    asset: Asset | None = None
    fields: tuple[Field, ...] = ()
    checklist: tuple[ChecklistItem, ...] = ()
    due_at: datetime | None = None
    service: str = ""  # which of the agreed services it falls under; empty: any
    created_by: AgentId | None = None  # None: it came by link, mail or a desk
    assignee: AgentId | None = None


_LIMITS: Final[Mapping[str, int]] = {"address": TITLE_MAX, "note": TEXT_MAX}
"""Lengths of the members of a ticket's parts that are not short."""

_PER_ENTRY: Final = 64  # bytes of punctuation and member names around an entry or a part


def check(ticket: Ticket) -> None:
    """Return if the ticket can be stored here and handed off as it is.

    Raises `Refused(title_missing | text_too_long | text_invalid | list_too_long)`.
    """
    if not ticket.title.strip():
        raise Refused("title_missing", "A ticket needs a title.")
    for name, count, limit in (
        ("fields", len(ticket.fields), FIELDS_MAX),
        ("checklist", len(ticket.checklist), CHECKLIST_MAX),
    ):
        if count > limit:
            raise Refused(
                "list_too_long",
                "'{name}' has more than {limit} entries.",
                name=name,
                limit=limit,
            )
    check_content(sum(check_text(*text) + _PER_ENTRY for text in _texts(ticket)))


def _texts(ticket: Ticket) -> list[tuple[str, str, int]]:
    found = [
        ("title", ticket.title, TITLE_MAX),
        ("number", ticket.number, SHORT_MAX),
        ("description", ticket.description, TEXT_MAX),
    ]
    for part_name in ("requester", "contact", "site", "asset"):
        part = getattr(ticket, part_name)
        if part is not None:
            found += [
                (f"{part_name}.{name}", getattr(part, name), _LIMITS.get(name, SHORT_MAX))
                for name in part.__slots__
            ]
    for field in ticket.fields:
        found += [("fields.name", field.name, SHORT_MAX), (field.name, field.value, TEXT_MAX)]
    for item in ticket.checklist:
        found += [
            ("checklist.item_id", item.item_id, ITEM_ID_MAX),
            ("checklist.text", item.text, TEXT_MAX),
        ]
    return found


_OF_CHILD: Final[Mapping[State, TicketStatus]] = {
    State.OFFERED: TicketStatus.NEW,
    State.ACCEPTED: TicketStatus.OPEN,
    State.IN_PROGRESS: TicketStatus.IN_PROGRESS,
    State.PENDING: TicketStatus.PENDING,
    State.REWORK: TicketStatus.IN_PROGRESS,
    State.RESOLVED: TicketStatus.RESOLVED,
    State.CONFIRMED: TicketStatus.RESOLVED,
    State.CLOSED: TicketStatus.CLOSED,
    State.DECLINED: TicketStatus.CANCELLED,
    State.HANDED_BACK: TicketStatus.CANCELLED,
    State.CANCELLED: TicketStatus.CANCELLED,
}
_OF_PARENT: Final[Mapping[State, TicketStatus]] = {
    State.ACCEPTED: TicketStatus.IN_PROGRESS,
    State.IN_PROGRESS: TicketStatus.IN_PROGRESS,
    State.REWORK: TicketStatus.IN_PROGRESS,
    State.CONFIRMED: TicketStatus.RESOLVED,
    State.CLOSED: TicketStatus.CLOSED,
}


def status_for(state: State, party: Party) -> TicketStatus | None:
    """The status of this party's ticket once the hand-off is in this state; None: unchanged.

    The contractor's child ticket follows in every state. The principal's parent follows while
    work goes on and once our own people confirmed or closed it; whether a resolved, declined
    or handed back hand-off ends the parent's work is for them to say.
    """
    return (_OF_CHILD if party is Party.CONTRACTOR else _OF_PARENT).get(state)
