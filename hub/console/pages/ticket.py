"""One ticket: where it stands, what was said, what may be done, what only we know of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from hub.actions import comments, personal, tickets, ties, visits
from hub.actions.comments import AddComment
from hub.actions.tickets import NewTicket, TicketChanges
from hub.console import chain, ticket_words
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.rendering import Times
from hub.console.words import DECLINES
from hub.domain.assignment import LinkKind
from hub.domain.comment import DEFAULT_VISIBILITY, Visibility
from hub.domain.handoff import PendReason
from hub.domain.permission import Permission
from hub.domain.ticket import Asset, Contact, Field, Priority, Requester, Site, TicketStatus
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.ids import AgentId, AttachmentId, TicketId
from hub.queries import agents, desks, directories, held_offers, inside, names, teams
from hub.queries import personal as kept
from hub.queries import tickets as shown


def when_of(visit: Visit) -> Any:
    """How instants are written for this reader."""
    return Times(visit.hub.now(), visit.zone, visit.language).when


async def ticket_id(visit: Visit) -> TicketId:
    """The id of the ticket the path names by number or id. Raises NotFound."""
    name = visit.param("ticket")
    return await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)


def moment(visit: Visit, text: str) -> datetime | None:
    """What a field for date and time says, in the reader's zone. Raises Refused(date_invalid)."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("date_invalid", "This is no date and time.") from None
    return found if found.tzinfo else found.replace(tzinfo=visit.zone)


async def _show(visit: Visit) -> Answer:
    name, who, now = visit.param("ticket"), visit.actor.ref, visit.hub.now()

    def look(connection: Any) -> dict[str, Any]:
        ticket = shown.show(connection, name)
        return {
            "ticket": ticket,
            "inside": inside.by_name(connection, name),
            "held": held_offers.of_ticket(connection, ticket.id),
            "draft": kept.draft(connection, who, ticket.id),
            "onlookers": kept.onlookers(connection, ticket.id, now, but=who),
            "macros": kept.macros(connection),
            "people": agents.everyone(connection),
            "teams": teams.everyone(connection),
            "desks": desks.of_ticket(connection, ticket.id),
            "to_desks": desks.takers(connection, ticket.id),
        }

    facts = await visit.hub.db.read(look)
    ticket = facts["ticket"]
    stops = chain.stops(ticket, visit.hub.account.name)
    draft = facts["draft"]
    facts |= {
        "sentence": ticket_words.sentence(ticket),
        "readers": ticket_words.audience(ticket),
        "stops": stops,
        "across": chain.drawn(stops) if len(stops) > 1 else "",
        "upright": chain.drawn(stops, upright=True) if len(stops) > 1 else "",
        "history": ticket_words.history(ticket, facts["inside"], when_of(visit)),
        "statuses": [str(one) for one in TicketStatus],
        "priorities": [str(one) for one in Priority],
        "decline_codes": list(DECLINES),
        "pend_reasons": [str(one) for one in PendReason],
        "saying": draft.visibility if draft else str(DEFAULT_VISIBILITY),
        "files": [one for one in ticket.attachments if one.comment is None],
        "child": any(one.role == "contractor" and not one.detached for one in ticket.handoffs),
        "waiting": any(one.delivery in {"queued", "late"} for one in ticket.comments)
        or bool(facts["held"]),
    }
    if visit.is_partial:
        return Shown("parts/ticket_live.html", facts)
    if visit.may(Permission.TICKETS_WORK):
        await personal.look_on(visit.hub, visit.actor, ticket.id, writing=False)
    return Shown("ticket.html", facts)


def _back(visit: Visit, text: str = "", *, good: bool = True) -> Redirect:
    path = visit.context.renderer.url("ticket", ticket=visit.param("ticket"))
    return Redirect(path, Toast(text, good=good) if text else None)


async def _say(visit: Visit) -> Answer:
    """A comment; whom it reaches was chosen beside the words and is never guessed."""
    which, said = await ticket_id(visit), await visit.word("visibility")
    if said not in set(Visibility):
        raise Refused("visibility_missing", "Say who is to read it.")
    body = (await visit.word("body")).replace("\r\n", "\n")
    await comments.add(visit.hub, visit.actor, AddComment(which, body, Visibility(said)))
    await personal.keep_draft(visit.hub, visit.actor, which, "", Visibility(said))
    return _back(visit)


async def _change(visit: Visit) -> Answer:
    form = await visit.form()
    said: dict[str, Any] = {}
    for name, kind in (("status", TicketStatus), ("priority", Priority)):
        if (value := await visit.word(name)) in set(kind):
            said[name] = kind(value)
    clear: set[str] = set()
    for name in ("assignee", "team"):
        if name in form:
            said[name] = await visit.word(name) or None
            if said[name] is None:
                clear.add(name)
    for name in ("due_at", "visit_at"):
        if name in form:
            said[name] = moment(visit, await visit.word(name))
            if said[name] is None:
                clear.add(name)
    if "tags" in form:
        said["tags"] = (await visit.word("tags")).split(",")
    for name in ("title", "description"):
        if name in form:
            said[name] = (await visit.word(name)).replace("\r\n", "\n")
    wish = TicketChanges(**said, clear=frozenset(clear))
    await tickets.change(visit.hub, visit.actor, await ticket_id(visit), wish)
    return _back(visit, _("Saved."))


async def _take(visit: Visit) -> Answer:
    wish = TicketChanges(assignee=AgentId(visit.actor.ref))
    await tickets.change(visit.hub, visit.actor, await ticket_id(visit), wish)
    return _back(visit, _("The ticket is yours."))


async def _macro(visit: Visit) -> Answer:
    await personal.use_macro(
        visit.hub, visit.actor, await visit.word("macro"), await ticket_id(visit)
    )
    return _back(visit, _("Done."))


async def _tie(visit: Visit) -> Answer:
    mine, name = await ticket_id(visit), await visit.word("other")
    other = await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)
    said = await visit.word("kind")
    kind = LinkKind(said) if said in set(LinkKind) else LinkKind.RELATED
    await ties.tie(visit.hub, visit.actor, mine, other, kind)
    return _back(visit)


async def _untie(visit: Visit) -> Answer:
    mine, name = await ticket_id(visit), await visit.word("other")
    other = await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)
    await ties.untie(visit.hub, visit.actor, mine, other)
    return _back(visit)


async def _tick(visit: Visit) -> Answer:
    photo = await visit.word("photo")
    await visits.tick(
        visit.hub,
        visit.actor,
        await ticket_id(visit),
        await visit.word("item"),
        done=await visit.word("done") == "1",
        photo=AttachmentId(photo) if photo else None,
    )
    to_visit = await visit.word("next") == "visit"
    page = "visit" if to_visit else "ticket"
    return Redirect(visit.context.renderer.url(page, ticket=visit.param("ticket")))


async def _draft(visit: Visit) -> Answer:
    said = await visit.word("visibility")
    visibility = Visibility(said) if said in set(Visibility) else DEFAULT_VISIBILITY
    body = (await visit.form()).get("body", [""])[-1].replace("\r\n", "\n")
    await personal.keep_draft(visit.hub, visit.actor, await ticket_id(visit), body, visibility)
    return Shown("parts/nothing.html")


async def _presence(visit: Visit) -> Answer:
    """A sign of life, and who else is here."""
    which, now, who = await ticket_id(visit), visit.hub.now(), visit.actor.ref
    said = await visit.word("doing")
    if said == "gone":
        await personal.look_away(visit.hub, visit.actor, which)
        return Shown("parts/nothing.html")
    await personal.look_on(visit.hub, visit.actor, which, writing=said == "writing")
    found = await visit.hub.db.read(
        lambda connection: kept.onlookers(connection, which, now, but=who)
    )
    return Shown("parts/onlookers.html", {"onlookers": found})


# --- a new one ------------------------------------------------------------------------------


async def _new(visit: Visit) -> Answer:
    return await _new_form(visit)


async def _new_form(visit: Visit, error: HubError | None = None) -> Shown:
    def look(connection: Any) -> dict[str, Any]:
        return {
            "people": agents.everyone(connection),
            "customers": directories.customers(connection, limit=500),
            "definitions": directories.definitions(connection),
        }

    said = {} if error is None else {name: v[-1] for name, v in (await visit.form()).items()}
    facts = await visit.hub.db.read(look)
    facts["pairs"] = {
        one.id: [("", "—"), *((each, each) for each in one.choices)]
        for one in facts["definitions"]
        if one.kind == "choice"
    }
    facts |= {"error": error, "said": said, "priorities": [str(one) for one in Priority]}
    return Shown("new_ticket.html", facts, 200 if error is None else 422)


async def _create(visit: Visit) -> Answer:
    try:
        made = await tickets.create(visit.hub, visit.actor, await _wish(visit))
    except Refused as error:
        return await _new_form(visit, error)
    path = visit.context.renderer.url("ticket", ticket=made.number)
    return Redirect(path, Toast(_("Ticket {number} is taken in.").format(number=made.number)))


async def _wish(visit: Visit) -> NewTicket:
    word = visit.word
    requester = Requester(await word("who"), await word("who_email"), await word("who_phone"))
    contact = Contact(await word("contact"), await word("contact_phone"))
    site = Site(await word("site"), await word("address"))
    asset = Asset(name=await word("asset"), serial_number=await word("serial"))
    lines = [one.strip() for one in (await word("checklist")).splitlines() if one.strip()]
    photos = {n for n, one in enumerate(lines) if one.startswith("*")}
    priority, assignee = await word("priority"), await word("assignee")
    definitions = await visit.hub.db.read(directories.definitions)
    values = [(one.name, await word(f"field-{one.id}")) for one in definitions]
    return NewTicket(
        title=await word("title"),
        description=(await word("description")).replace("\r\n", "\n"),
        priority=Priority(priority) if priority in set(Priority) else Priority.NORMAL,
        requester=requester if requester != Requester() else None,
        contact=contact if contact != Contact() else None,
        site=site if site != Site() else None,
        asset=asset if asset != Asset() else None,
        fields=[Field(name, value) for name, value in values if value],
        checklist=[one.lstrip("* ") for one in lines],
        photos=frozenset(photos),
        due_at=moment(visit, await word("due_at")),
        visit_at=moment(visit, await word("visit_at")),
        assignee=AgentId(assignee) if assignee else None,
        customer=await word("customer") or None,
        tags=[one for one in (await word("tags")).split(",") if one.strip()],
    )


_look: Final = page_for(Permission.TICKETS_READ)
_work: Final = page_for(Permission.TICKETS_WORK)
_write: Final = page_for(Permission.TICKETS_WRITE)

PAGES: Final = (
    _write("new_ticket", "GET", "/tickets/new", _new),
    _write("create_ticket", "POST", "/tickets/new", _create),
    _look("ticket", "GET", "/tickets/{ticket}", _show),
    _work("say", "POST", "/tickets/{ticket}/comments", _say),
    _write("change_ticket", "POST", "/tickets/{ticket}/change", _change),
    _work("take_ticket", "POST", "/tickets/{ticket}/take", _take),
    _work("use_macro", "POST", "/tickets/{ticket}/macro", _macro),
    _write("tie_ticket", "POST", "/tickets/{ticket}/ties", _tie),
    _write("untie_ticket", "POST", "/tickets/{ticket}/untie", _untie),
    _work("tick", "POST", "/tickets/{ticket}/checklist", _tick),
    _work("keep_draft", "POST", "/tickets/{ticket}/draft", _draft),
    _work("presence", "POST", "/tickets/{ticket}/presence", _presence),
)
