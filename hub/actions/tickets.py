"""Tickets: made and changed by our own people, or made and changed by a principal's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from hub.actions import announcing, assigning, files, outgoing, permits, settled, sharing
from hub.actions.context import Actor, Hub
from hub.domain import disclosure
from hub.domain import ticket as rules
from hub.domain.assignment import DueSource
from hub.domain.comment import Visibility
from hub.domain.handoff import OVER, Party
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
from hub.domain.webhook import EventType
from hub.errors import Refused
from hub.ids import AgentId, HandoffId, TicketId, is_id
from hub.protocol.encoding import parse_instant
from hub.storage import agents, audit, ground, handoffs, tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff


@dataclass(frozen=True, slots=True)
class NewTicket:
    """The wish for a ticket."""

    title: str
    description: str = ""
    priority: Priority = Priority.NORMAL
    service: str = ""
    requester: Requester | None = None
    contact: Contact | None = None
    site: Site | None = None
    asset: Asset | None = None
    fields: Sequence[Field] = ()
    checklist: Sequence[str] = ()
    due_at: datetime | None = None
    files: Sequence[files.NewFile] = ()
    photos: frozenset[int] = frozenset()  # places of the checklist that a photo must show done
    assignee: AgentId | None = None
    team: str | None = None
    tags: Sequence[str] = ()
    customer: str | None = None  # of the directory, as the next two; they fill in what is empty
    at_site: str | None = None
    of_asset: str | None = None
    visit_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TicketChanges:
    """What to change; None: leave as it is, and what `clear` names is emptied."""

    title: str | None = None
    description: str | None = None
    priority: Priority | None = None
    contact: Contact | None = None
    site: Site | None = None
    asset: Asset | None = None
    requester: Requester | None = None
    fields: Sequence[Field] | None = None
    checklist: Sequence[ChecklistItem] | None = None
    due_at: datetime | None = None
    status: TicketStatus | None = None
    assignee: AgentId | None = None
    team: str | None = None
    tags: Sequence[str] | None = None
    customer: str | None = None
    at_site: str | None = None
    of_asset: str | None = None
    visit_at: datetime | None = None
    clear: frozenset[str] = frozenset()


async def create(hub: Hub, actor: Actor, wish: NewTicket) -> Ticket:
    """Make a ticket with the next number. Raises Refused where it could not be handed off as is."""
    permits.require(actor, Permission.TICKETS_WRITE)
    return await hub.db.write(lambda tx: create_in(tx, hub, actor, wish, hub.now()))


def create_in(
    tx: Tx, hub: Hub, actor: Actor, wish: NewTicket, now: datetime, *, number: str | None = None
) -> Ticket:
    """The same, within a transaction that has more to do; `number` is one it had before."""
    made = Ticket(
        id=TicketId(hub.new_id("tkt", now)),
        number=number or tickets.next_number(tx),
        title=wish.title.strip(),
        description=wish.description,
        status=TicketStatus.NEW,
        priority=wish.priority,
        service=wish.service,
        created_at=now,
        updated_at=now,
        requester=wish.requester,
        contact=wish.contact,
        site=wish.site,
        asset=wish.asset,
        fields=tuple(wish.fields),
        checklist=tuple(
            ChecklistItem(str(n + 1), text, needs_photo=n in wish.photos)
            for n, text in enumerate(wish.checklist)
        ),
        due_at=wish.due_at,
        created_by=AgentId(actor.ref) if is_id(actor.ref, "agt") else None,
        assignee=wish.assignee,
    )
    made = assigning.filled_in(tx, made, wish.customer, wish.at_site, wish.of_asset)
    if wish.assignee is not None:
        _check_assignee(tx, wish.assignee)
    assigning.check_fields(tx.connection, made.fields, complete=is_id(actor.ref, "agt"))
    rules.check(made)
    tickets.add(tx, made)
    assigning.note(
        tx,
        made.id,
        {name: value for name in assigning.OURS if (value := getattr(wish, name))},
        due_source=None if wish.due_at is None else DueSource.PERSON,
    )
    assigning.record(tx, actor, made.id, "created", {}, now)
    files.attach_in(tx, hub, made.id, wish.files, Visibility.PUBLIC, now, comment_id=None)
    audit.append(tx, at=now, actor=actor.ref, event="ticket.created", ticket=made.number)
    announcing.of_ticket(tx, hub, EventType.TICKET_CREATED, made, now)
    return made


async def change(hub: Hub, actor: Actor, ticket_id: TicketId, wish: TicketChanges) -> Ticket:
    """Change a ticket; contractors hear of what they may see of it.

    In a child ticket the principal's fields are not ours to change: tell it in a comment.
    """
    permits.require(actor, Permission.TICKETS_WORK)
    return await hub.db.write(lambda tx: change_in(tx, hub, actor, ticket_id, wish, hub.now()))


def change_in(
    tx: Tx, hub: Hub, actor: Actor, ticket_id: TicketId, wish: TicketChanges, now: datetime
) -> Ticket:
    """The same, within a transaction that has more to do; it locks the ticket and its links."""
    ground.of_tickets(tx, ticket_id)
    before = tickets.get(tx.connection, ticket_id)
    permits.on_tickets(tx.connection, actor, ticket_id)
    changes = {
        one.name: value
        for one in fields(TicketChanges)
        if one.name != "clear" and (value := getattr(wish, one.name)) is not None
    }
    changes |= assigning.emptied(wish.clear)
    for name in ("fields", "checklist"):
        if name in changes:
            changes[name] = tuple(changes[name])
    if not _is_work(actor, changes):
        permits.require(actor, Permission.TICKETS_WRITE)
    ours = {name: changes.pop(name) for name in assigning.OURS if name in changes}
    if not changes and not ours:
        return before
    everyone = handoffs.of_ticket(tx.connection, ticket_id)
    foreign = _PRINCIPAL_OWNS & changes.keys()
    if foreign and any(one.party is Party.CONTRACTOR for one in everyone):
        raise Refused(
            "principal_owns",
            "'{name}' belongs to the principal of this ticket.",
            hint="Ask for the change in a public comment.",
            name=min(foreign),
        )
    for one in everyone:
        if one.state not in OVER:
            settled.check(tx, one.link_id, one.id)
    if changes.get("assignee") is not None:
        _check_assignee(tx, changes["assignee"])
    if "fields" in changes:
        assigning.check_fields(tx.connection, changes["fields"], complete=False)
    if "checklist" in changes:
        assigning.check_photos(tx.connection, ticket_id, changes["checklist"])
    after = replace(before, **changes, updated_at=now)
    rules.check(after)
    told = assigning.in_words(tx.connection, before, changes, ours)
    tickets.change(tx, ticket_id, updated_at=now, **changes)
    source = DueSource.PERSON if changes.get("due_at") else None
    assigning.note(tx, ticket_id, ours, due_source=source)
    if told:
        assigning.record(tx, actor, ticket_id, "changed", told, now)
    tell_contractors(tx, hub, before, after, now)
    announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, after, now)
    return after


def _is_work(actor: Actor, changes: Mapping[str, Any]) -> bool:
    """Whether these changes are part of working on a ticket: to take it, to bring it on."""
    return changes.keys() <= _WORK and changes.get("assignee", actor.ref) == actor.ref


_WORK: Final = frozenset({"assignee", "status", "checklist", "tags"})


def _check_assignee(tx: Tx, agent_id: AgentId) -> None:
    agent = agents.find(tx.connection, agent_id)
    if agent is None or agent.id != agent_id or agent.disabled_at is not None:
        raise Refused("agent_unknown", "There is no agent '{name}'.", name=agent_id)


_PRINCIPAL_OWNS = frozenset({"title", "description", "priority", "contact", "site", "asset"})


def tell_contractors(
    tx: Tx,
    hub: Hub,
    before: Ticket,
    after: Ticket,
    now: datetime,
    *,
    told: HandoffId | None = None,
) -> None:
    """Queue what changed for every contractor that may see it, but for one that was told."""
    for handoff in handoffs.of_ticket(tx.connection, after.id):
        if handoff.id == told:
            continue
        if handoff.party is not Party.PRINCIPAL or handoff.state in OVER or handoff.detached_at:
            continue
        there = sharing.listener(tx, handoff)
        if there is None:
            continue
        due_before = handoff.due_requested
        due = after.due_at if before.due_at != after.due_at else due_before
        view = disclosure.update_view(
            before, after, there.direction, withhold=there.withheld, due_before=due_before, due=due
        )
        if view is None:
            continue
        outgoing.send(tx, hub, there.link, view, now=now, handoff_id=handoff.id)
        if due != due_before and "due_requested" in view.to_data():
            handoffs.change(tx, handoff.id, due_requested=due)


# --- received -------------------------------------------------------------------------------

P = TypeVar("P", Contact, Site, Asset)


def _part(kind: type[P], said: Mapping[str, Any] | None) -> P | None:
    """A part of a ticket as a peer described it; members we do not know are left aside."""
    if not said:
        return None
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in said.items() if name in known})


def members(said: Mapping[str, Any]) -> dict[str, Any]:
    """What an offer or an update says of the ticket, as domain values; only what it names."""
    found: dict[str, Any] = {}
    for name in ("title", "description"):
        if name in said:
            found[name] = said[name]
    if "priority" in said:
        found["priority"] = Priority(said["priority"])
    for name, kind in (("contact", Contact), ("site", Site), ("asset", Asset)):
        if name in said:
            found[name] = _part(kind, said[name])
    if "fields" in said:
        found["fields"] = tuple(Field(one["name"], one["value"]) for one in said["fields"])
    if "checklist" in said:
        found["checklist"] = tuple(
            ChecklistItem(one["item_id"], one["text"], one.get("done", False))
            for one in said["checklist"]
        )
    if "due_requested" in said:
        found["due_at"] = (
            None if said["due_requested"] is None else parse_instant(said["due_requested"])
        )
    return found


def receive(
    tx: Tx, hub: Hub, said: Mapping[str, Any], now: datetime, *, number: str | None = None
) -> Ticket:
    """The child ticket for an offer, under a number of our own: a fresh one, or this."""
    disclosed = {"description": "", "priority": Priority.NORMAL, **members(said)}
    made = Ticket(
        id=TicketId(hub.new_id("tkt", now)),
        number=number or tickets.next_number(tx),
        status=TicketStatus.NEW,
        service=said.get("service", ""),
        created_at=now,
        updated_at=now,
        **disclosed,
    )
    tickets.add(tx, made)
    announcing.of_ticket(tx, hub, EventType.TICKET_CREATED, made, now)
    return made


def receive_update(
    tx: Tx, hub: Hub, handoff: Handoff, said: Mapping[str, Any], now: datetime
) -> None:
    """The principal changed what it owns; our own contractors hear of it."""
    if handoff.party is not Party.CONTRACTOR:
        raise Refused("wrong_pen", "Only the principal changes these.")
    before = tickets.lock(tx, handoff.ticket_id)
    changes = members(said)
    if "checklist" in changes:
        changes["checklist"] = assigning.photos_kept(before.checklist, changes["checklist"])
    tickets.change(tx, before.id, updated_at=now, **changes)
    if "due_at" in changes:
        source = None if changes["due_at"] is None else DueSource.PRINCIPAL
        assigning.note(tx, before.id, {}, due_source=source)
        handoffs.change(tx, handoff.id, due_requested=changes["due_at"])
    tell_contractors(tx, hub, before, replace(before, **changes, updated_at=now), now)
    announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, before, now)
