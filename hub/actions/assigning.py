"""What our people note on a ticket beside what may be disclosed: whose, for whom, tags, history.

Steps of the actions on tickets, within their transaction; the ticket is locked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from hub.actions.context import Actor
from hub.domain.assignment import Assignment, DueSource, VisitStage, tidy_tags
from hub.domain.ticket import Asset, ChecklistItem, Field, Site, Ticket
from hub.errors import Refused
from hub.ids import TicketId
from hub.storage import agents, assignments, attachments, directories, teams
from hub.storage.database import Connection, Tx
from hub.storage.directories import CustomerSite, FieldDefinition

OURS: Final[tuple[str, ...]] = ("team", "tags", "customer", "at_site", "of_asset", "visit_at")
"""Wishes that are about what never leaves."""

_COLUMNS: Final = {
    "team": "team_id",
    "customer": "customer_id",
    "at_site": "site_id",
    "of_asset": "asset_id",
    "visit_at": "visit_at",
}
CLEARABLE: Final = frozenset({"due_at", "assignee", *_COLUMNS})
"""What a ticket may be without."""

_IN_WORDS: Final = ("status", "priority", "due_at", "title")
_PHOTOS: Final = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")


def emptied(names: Collection[str]) -> dict[str, None]:
    """What is to be without a value. Raises Refused(cannot_be_empty)."""
    if wrong := sorted(set(names) - CLEARABLE):
        raise Refused("cannot_be_empty", "'{name}' cannot be emptied.", name=wrong[0])
    return dict.fromkeys(names)


def note(
    tx: Tx, ticket_id: TicketId, ours: Mapping[str, Any], *, due_source: DueSource | None
) -> None:
    """Keep these of `OURS` on the ticket. Raises Refused(tag_invalid | team_unknown)."""
    team = ours.get("team")
    if team is not None and teams.find(tx.connection, team) is None:
        raise Refused("team_unknown", "There is no team '{name}'.", name=str(team)[:100])
    values: dict[str, Any] = {
        _COLUMNS[name]: value for name, value in ours.items() if name in _COLUMNS
    }
    if due_source is not None:
        values["due_source"] = due_source
    if "visit_at" in values:
        values["visit_stage"] = None if values["visit_at"] is None else VisitStage.PLANNED
    if values:
        assignments.change(tx, ticket_id, **values)
    if "tags" in ours:
        assignments.set_tags(tx, ticket_id, tidy_tags(tuple(ours["tags"])))


def filled_in(
    tx: Tx, ticket: Ticket, customer: str | None, site: str | None, asset: str | None
) -> Ticket:
    """The ticket with the place and the equipment of the directory where it names none.

    Raises NotFound; Refused(not_of_customer).
    """
    if customer is not None:
        directories.customer(tx.connection, customer)
    if site is not None:
        found = directories.site(tx.connection, site)
        _belongs(found.customer_id, customer)
        if ticket.site is None:
            ticket = replace(ticket, site=_place(tx.connection, found))
    if asset is not None:
        piece = directories.asset(tx.connection, asset)
        _belongs(piece.customer_id, customer)
        if ticket.asset is None:
            described = Asset(
                name=piece.name,
                model=piece.model,
                inventory_number=piece.inventory_number,
                serial_number=piece.serial_number,
            )
            ticket = replace(ticket, asset=described)
    return ticket


def _place(connection: Connection, site: CustomerSite) -> Site:
    # Notes of our directory are for us; on the ticket they could leave.
    above = directories.site(connection, site.parent_id).name if site.parent_id else ""
    return Site(name=site.name, address=site.address, parent=above)


def _belongs(owner: str, customer: str | None) -> None:
    if customer != owner:
        raise Refused("not_of_customer", "It belongs to another customer.")


def check_fields(connection: Connection, values: Sequence[Field], *, complete: bool) -> None:
    """Return if the values are what the definitions ask for; `complete`: none is missing.

    Raises Refused(field_missing | field_invalid). Fields without a definition are free.
    """
    said = {one.name: one.value for one in values}
    for one in directories.definitions(connection):
        value = said.get(one.name, "")
        if not value:
            if complete and one.required:
                raise Refused("field_missing", "The field '{name}' is needed.", name=one.name)
            continue
        if not _fits(one, value):
            raise Refused(
                "field_invalid", "'{value}' is nothing for '{name}'.", name=one.name, value=value
            )


def _fits(definition: FieldDefinition, value: str) -> bool:
    match definition.kind:
        case "choice":
            return value in definition.choices
        case "yes_no":
            return value in {"yes", "no"}
        case "number":
            return value.lstrip("-").replace(",", ".", 1).replace(".", "", 1).isdecimal()
        case "date":
            try:
                date.fromisoformat(value)
            except ValueError:
                return False
    return True


def check_photos(
    connection: Connection, ticket_id: TicketId, checklist: Sequence[ChecklistItem]
) -> None:
    """Return if every item that a photo must show done has one. Raises Refused(photo_missing)."""
    photos: set[str] | None = None
    for one in checklist:
        if not (one.needs_photo and one.done):
            continue
        if photos is None:
            photos = {
                str(file.id)
                for file in attachments.of_ticket(connection, ticket_id)
                if file.redacted_at is None and file.media_type in _PHOTOS
            }
        if one.photo_id not in photos:
            raise Refused(
                "photo_missing", "A photo has to show that '{text}' is done.", text=one.text
            )


def photos_kept(
    before: Sequence[ChecklistItem], after: Sequence[ChecklistItem]
) -> tuple[ChecklistItem, ...]:
    """The newer list with what only we know of its items."""
    known = {one.item_id: one for one in before}
    return tuple(
        replace(one, needs_photo=old.needs_photo, photo_id=old.photo_id)
        if (old := known.get(one.item_id)) is not None
        else one
        for one in after
    )


def in_words(
    connection: Connection, before: Ticket, changes: Mapping[str, Any], ours: Mapping[str, Any]
) -> dict[str, Any]:
    """What the history says of these changes: [before, after] where both are short."""
    told: dict[str, Any] = {}
    for name, value in changes.items():
        old = getattr(before, name)
        if old == value:
            continue
        if name == "assignee":
            told[name] = [_person(connection, old), _person(connection, value)]
        elif name in _IN_WORDS:
            told[name] = [_short(old), _short(value)]
        elif name == "checklist":
            told[name] = [sum(one.done for one in old), sum(one.done for one in value)]
        else:
            told[name] = []
    if "tags" in ours:
        told["tags"] = [", ".join(tidy_tags(tuple(ours["tags"])))]
    if "visit_at" in ours:
        told["visit_at"] = [_short(ours["visit_at"])]
    told |= {name: [] for name in ("customer", "at_site", "of_asset", "team") if name in ours}
    return told


def _person(connection: Connection, agent_id: str | None) -> str:
    found = None if agent_id is None else agents.find(connection, agent_id)
    return "" if found is None else found.display


def _short(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def record(
    tx: Tx,
    actor: Actor,
    ticket_id: TicketId,
    event: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """A line of the history of the ticket."""
    assignments.record(tx, ticket_id, at=now, actor=actor.display, event=event, facts=facts)


def of(connection: Connection, ticket_id: str) -> Assignment:
    """What our people noted."""
    return assignments.get(connection, ticket_id)
