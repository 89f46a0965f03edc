"""What each of our people keeps: views, drafts, what was read, who looks at what; and macros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from hub.actions import comments, permits, tickets
from hub.actions.comments import AddComment
from hub.actions.context import Actor, Hub
from hub.actions.tickets import TicketChanges
from hub.domain.assignment import tidy_tags
from hub.domain.comment import DEFAULT_VISIBILITY, Visibility
from hub.domain.lengths import SHORT_MAX, TEXT_MAX, check_text
from hub.domain.permission import Permission
from hub.domain.ticket import Priority, TicketStatus
from hub.errors import NotFound, Refused
from hub.ids import AgentId, MacroId, TicketId, ViewId
from hub.storage import assignments, personal
from hub.storage import tickets as stored
from hub.storage.database import Tx
from hub.storage.personal import LOOKS_FOR, Draft, Macro, SavedView

DRAFTS_STAY: Final = timedelta(days=90)
QUERY_MAX: Final = 1000
WATCHED_TOPIC: Final = "onlookers"
"""Woken when somebody came to a ticket, began to write or went."""


@dataclass(frozen=True, slots=True)
class MacroWish:
    """A macro as it is to be."""

    name: str
    body: str = ""
    visibility: Visibility = DEFAULT_VISIBILITY
    status: TicketStatus | None = None
    priority: Priority | None = None
    tags: Sequence[str] = ()
    take: bool = False


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise Refused("name_missing", "A name is needed.")
    check_text("name", name, SHORT_MAX)
    return name


async def save_view(
    hub: Hub, actor: Actor, name: str, query: str, *, shared: bool = False
) -> SavedView:
    """Keep a list of tickets under a name, for oneself or for everybody."""
    permits.require(actor, Permission.TICKETS_WRITE if shared else Permission.TICKETS_READ)
    name = _named(name)
    check_text("query", query, QUERY_MAX)

    def transaction(tx: Tx) -> SavedView:
        now = hub.now()
        made = SavedView(
            ViewId(hub.new_id("viw", now)), AgentId(actor.ref), name, query, shared, now
        )
        personal.add_view(tx, made)
        return made

    return await hub.db.write(transaction)


async def remove_view(hub: Hub, actor: Actor, view_id: str) -> None:
    """Drop a view of one's own. Raises NotFound, for others' too."""
    permits.require(actor, Permission.TICKETS_READ)

    def transaction(tx: Tx) -> None:
        found = personal.view(tx.connection, view_id)
        if found is None or found.agent_id != actor.ref:
            raise NotFound("not_found", "You have no such view.")
        personal.remove_view(tx, view_id)

    await hub.db.write(transaction)


async def add_macro(hub: Hub, actor: Actor, wish: MacroWish) -> Macro:
    """Keep words and changes for everybody. Raises Refused(name_missing | tag_invalid | …)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    name, tags = _named(wish.name), list(tidy_tags(tuple(wish.tags)))
    check_text("body", wish.body, TEXT_MAX)

    def transaction(tx: Tx) -> Macro:
        now = hub.now()
        made = Macro(
            MacroId(hub.new_id("mac", now)),
            name,
            wish.body,
            wish.visibility,
            wish.status,
            wish.priority,
            tags,
            wish.take,
            now,
        )
        personal.add_macro(tx, made)
        return made

    return await hub.db.write(transaction)


async def change_macro(hub: Hub, actor: Actor, macro_id: str, wish: MacroWish) -> Macro:
    """Make the macro what the wish says. Raises NotFound; Refused(name_missing | …)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    name, tags = _named(wish.name), list(tidy_tags(tuple(wish.tags)))
    check_text("body", wish.body, TEXT_MAX)

    def transaction(tx: Tx) -> Macro:
        before = personal.macro(tx.connection, macro_id)
        if before is None:
            raise NotFound("not_found", "There is no such macro.")
        after = replace(
            before,
            name=name,
            body=wish.body,
            visibility=wish.visibility,
            status=wish.status,
            priority=wish.priority,
            tags=tags,
            take=wish.take,
        )
        personal.change_macro(tx, after)
        return after

    return await hub.db.write(transaction)


async def remove_macro(hub: Hub, actor: Actor, macro_id: str) -> None:
    """Drop a macro. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> None:
        if personal.macro(tx.connection, macro_id) is None:
            raise NotFound("not_found", "There is no such macro.")
        personal.remove_macro(tx, macro_id)

    await hub.db.write(transaction)


async def use_macro(hub: Hub, actor: Actor, macro_id: str, ticket_id: TicketId) -> None:
    """Do to the ticket what the macro says: first its changes, then its words.

    Two transactions: where the words fail, the changes stay and the error is told.
    """
    permits.require(actor, Permission.TICKETS_WORK)
    macro, tags = await hub.db.read(
        lambda connection: (
            personal.macro(connection, macro_id),
            assignments.tags(connection, [ticket_id]).get(ticket_id, ()),
        )
    )
    if macro is None:
        raise NotFound("not_found", "There is no such macro.")
    wish = TicketChanges(
        status=None if macro.status is None else TicketStatus(macro.status),
        priority=None if macro.priority is None else Priority(macro.priority),
        tags=[*tags, *macro.tags] if macro.tags else None,
        assignee=AgentId(actor.ref) if macro.take else None,
    )
    await tickets.change(hub, actor, ticket_id, wish)
    if macro.body:
        said = AddComment(ticket_id, macro.body, Visibility(macro.visibility))
        await comments.add(hub, actor, said)


async def keep_draft(
    hub: Hub, actor: Actor, ticket_id: TicketId, body: str, visibility: Visibility
) -> None:
    """Keep what was begun; an empty text keeps nothing. Raises NotFound; Refused(text_too_long)."""
    permits.require(actor, Permission.TICKETS_WORK)
    check_text("comment", body, TEXT_MAX)

    def transaction(tx: Tx) -> None:
        stored.get(tx.connection, ticket_id)
        permits.on_tickets(tx.connection, actor, ticket_id)
        if body.strip():
            draft = Draft(AgentId(actor.ref), ticket_id, visibility, body, hub.now())
            personal.keep_draft(tx, draft)
        else:
            personal.drop_draft(tx, actor.ref, ticket_id)

    await hub.db.write(transaction)


async def look_on(hub: Hub, actor: Actor, ticket_id: TicketId, *, writing: bool) -> None:
    """The agent has the ticket open and reads it; said again every half minute. Raises NotFound."""
    permits.require(actor, Permission.TICKETS_READ)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        stored.get(tx.connection, ticket_id)
        known = personal.onlookers_of(tx.connection, ticket_id, now - LOOKS_FOR)
        personal.look_on(tx, actor.ref, ticket_id, now, writing=writing)
        personal.mark_seen(tx, actor.ref, ticket_id, now)
        if not any(one.agent_id == actor.ref and one.writing == writing for one in known):
            tx.wake(WATCHED_TOPIC)

    await hub.db.write(transaction)


async def look_away(hub: Hub, actor: Actor, ticket_id: TicketId) -> None:
    """The agent closed the ticket."""
    permits.require(actor, Permission.TICKETS_READ)

    def transaction(tx: Tx) -> None:
        personal.look_away(tx, actor.ref, ticket_id)
        tx.wake(WATCHED_TOPIC)

    await hub.db.write(transaction)
