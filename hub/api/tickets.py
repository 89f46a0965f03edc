"""Tickets."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import tickets
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Instant, Nothing, Short, Text, Title, unchanged
from hub.api.views import Page
from hub.domain.assignment import TAGS_MAX
from hub.domain.lengths import CHECKLIST_MAX, FIELDS_MAX
from hub.domain.permission import Permission
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
from hub.errors import Refused
from hub.ids import AgentId, TicketId, is_id
from hub.queries import names
from hub.queries import tickets as shown
from hub.queries.ticket_lists import OPEN, Filter, Listing, Sort, TicketRow, listing
from hub.queries.tickets import TicketView

Limit = Annotated[int, Constraint(ge=1, le=200, description="rows of one page")]
Cursor = Annotated[str, Constraint(max_length=64, description="`next` of the page before")]


class RequesterForm(Form):
    """The person with the problem. Never leaves this account."""

    name: Short = ""
    email: Short = ""
    phone: Short = ""


class ContactForm(Form):
    """Whom to call on site."""

    name: Short = ""
    phone: Short = ""
    email: Short = ""
    note: Text = ""


class SiteForm(Form):
    """Where the work is."""

    name: Short = ""
    address: Title = ""
    note: Text = ""
    parent: Short = ""


class AssetForm(Form):
    """A piece of equipment."""

    name: Short = ""
    model: Short = ""
    inventory_number: Short = ""
    serial_number: Short = ""
    note: Text = ""


class FieldForm(Form):
    """A custom field."""

    name: Short
    value: Text


class ItemForm(Form):
    """One thing to do."""

    item_id: Annotated[Short, Constraint(min_length=1, max_length=64)]
    text: Text
    done: bool = False
    needs_photo: bool = False
    photo_id: Short = ""


Tags = Annotated[tuple[Short, ...], Constraint(max_length=TAGS_MAX)]


class NewTicketForm(Form):
    """A ticket to be made."""

    title: Title
    description: Text = ""
    priority: Priority = Priority.NORMAL
    service: Short = ""
    requester: RequesterForm | None = None
    contact: ContactForm | None = None
    site: SiteForm | None = None
    asset: AssetForm | None = None
    fields: Annotated[tuple[FieldForm, ...], Constraint(max_length=FIELDS_MAX)] = ()
    checklist: Annotated[tuple[Title, ...], Constraint(max_length=CHECKLIST_MAX)] = ()
    due_at: Instant | None = None
    photos: Annotated[
        tuple[Annotated[int, Constraint(ge=0)], ...],
        Constraint(max_length=CHECKLIST_MAX, description="places of the checklist, from 0"),
    ] = ()
    assignee: Short | None = None
    team: Short | None = None
    tags: Tags = ()
    customer: Short | None = None
    at_site: Short | None = None
    of_asset: Short | None = None
    visit_at: Instant | None = None


class TicketChangesForm(Form):
    """What to change. What is left out stays as it is."""

    title: Title = unchanged()
    description: Text = unchanged()
    priority: Priority = unchanged()
    requester: RequesterForm = unchanged()
    contact: ContactForm = unchanged()
    site: SiteForm = unchanged()
    asset: AssetForm = unchanged()
    fields: Annotated[tuple[FieldForm, ...], Constraint(max_length=FIELDS_MAX)] = unchanged()
    checklist: Annotated[tuple[ItemForm, ...], Constraint(max_length=CHECKLIST_MAX)] = unchanged()
    due_at: Instant = unchanged()
    status: TicketStatus = unchanged()
    assignee: Short = unchanged()
    team: Short = unchanged()
    tags: Tags = unchanged()
    customer: Short = unchanged()
    at_site: Short = unchanged()
    of_asset: Short = unchanged()
    visit_at: Instant = unchanged()
    clear: Annotated[tuple[Short, ...], Constraint(max_length=20)] = ()


class TicketQuery(Form):
    """Which tickets, and in which order."""

    status: TicketStatus | None = None
    open: bool = False
    text: Annotated[str, Constraint(max_length=200, description="words to be found")] = ""
    assignee: Annotated[Short, Constraint(description="agent, or none")] | None = None
    team: Short | None = None
    priority: Priority | None = None
    tag: Short | None = None
    customer: Short | None = None
    site: Short | None = None
    asset: Short | None = None
    peer: Short | None = None
    due_before: Instant | None = None
    sort: Sort = Sort.CREATED
    cursor: Annotated[str, Constraint(max_length=200)] | None = None
    limit: Limit = 50


_PARTS: Final = {"requester": Requester, "contact": Contact, "site": Site, "asset": Asset}


def _members(form: NewTicketForm | TicketChangesForm) -> dict[str, Any]:
    """What the form says, as domain values."""
    said = {name: getattr(form, name) for name in form.model_fields_set}
    for name, kind in _PARTS.items():
        if said.get(name) is not None:
            said[name] = kind(**said[name].model_dump())
    if "fields" in said:
        said["fields"] = tuple(Field(one.name, one.value) for one in said["fields"])
    for name in ("photos", "clear"):
        if name in said:
            said[name] = frozenset(said[name])
    return said


def check_cursor(cursor: str | None, prefix: str) -> str | None:
    """The cursor, if it can be one of ours. Raises Refused(cursor_invalid)."""
    if cursor is not None and not is_id(cursor, prefix):
        raise Refused(
            "cursor_invalid",
            "This is no cursor of this list.",
            hint="Take `next` of the page before, unchanged.",
        )
    return cursor


async def ticket_id(visit: Visit) -> TicketId:
    """The id of the ticket that the path names by id or number. Raises NotFound."""
    name = visit.params["ticket"]
    return await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)


async def _list(visit: Visit, form: TicketQuery) -> Page[TicketRow]:
    statuses = OPEN if form.open else ()

    def look(connection: Any) -> Listing:
        along = None if form.peer is None else names.link(connection, form.peer).id
        wanted = Filter(
            statuses=statuses if form.status is None else (form.status,),
            assignee=form.assignee,
            team=form.team,
            priorities=() if form.priority is None else (form.priority,),
            tag=form.tag,
            customer=form.customer,
            site=form.site,
            asset=form.asset,
            link=along,
            due_before=form.due_before,
        )
        return listing(
            connection,
            wanted,
            text=form.text,
            sort=form.sort,
            cursor=form.cursor,
            limit=form.limit,
            company=visit.hub.account.name,
        )

    found = await visit.hub.db.read(look)
    return Page(found.items, found.next)


async def _create(visit: Visit, form: NewTicketForm) -> Effect[Ticket]:
    wish = tickets.NewTicket(**_members(form))
    return Effect(
        lambda hub: tickets.create(hub, visit.actor, wish),
        lambda connection, made: shown.show(connection, made.id),
    )


async def _show(visit: Visit, form: Nothing) -> TicketView:
    name = visit.params["ticket"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, name))


async def _change(visit: Visit, form: TicketChangesForm) -> Effect[Ticket]:
    said = _members(form)
    if "checklist" in said:
        said["checklist"] = tuple(
            ChecklistItem(one.item_id, one.text, one.done, one.needs_photo, one.photo_id)
            for one in said["checklist"]
        )
    if "assignee" in said:
        said["assignee"] = AgentId(said["assignee"])
    wish = tickets.TicketChanges(**said)
    which = await ticket_id(visit)
    return Effect(
        lambda hub: tickets.change(hub, visit.actor, which, wish),
        lambda connection, changed: shown.show(connection, changed.id),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listTickets",
        method="GET",
        path="/tickets",
        scope=Permission.TICKETS_READ,
        summary="Tickets that fit, newest first, or by deadline or last change",
        form=TicketQuery,
        handler=_list,
        answer=Page[TicketRow],
    ),
    Route(
        name="createTicket",
        method="POST",
        path="/tickets",
        scope=Permission.TICKETS_WRITE,
        summary="Make a ticket",
        form=NewTicketForm,
        takes=Takes.JSON,
        handler=_create,
        answer=TicketView,
        status=201,
    ),
    Route(
        name="getTicket",
        method="GET",
        path="/tickets/{ticket}",
        scope=Permission.TICKETS_READ,
        summary="A ticket with everything on it, by id or number",
        form=Nothing,
        handler=_show,
        answer=TicketView,
    ),
    Route(
        name="changeTicket",
        method="PATCH",
        path="/tickets/{ticket}",
        scope=Permission.TICKETS_WORK,
        summary="Change a ticket; contractors hear of what they may see",
        form=TicketChangesForm,
        takes=Takes.JSON,
        handler=_change,
        answer=TicketView,
    ),
)
