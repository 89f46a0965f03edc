"""What each of our people keeps for themselves: views, drafts, what was read; and macros of all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from hub.ids import AgentId, MacroId, TicketId, ViewId
from hub.storage.database import Tx
from hub.storage.tables import agents, drafts, macros, onlookers, saved_views, seen

LOOKS_FOR: Final = timedelta(seconds=45)
"""Without a sign of life for so long somebody has gone."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A list of tickets that somebody wants again."""

    id: ViewId
    agent_id: AgentId
    name: str
    query: str  # of the address of the list
    shared: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Macro:
    """Words and changes that are often needed together."""

    id: MacroId
    name: str
    body: str
    visibility: str
    status: str | None
    priority: str | None
    tags: list[str]
    take: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent began to say on a ticket."""

    agent_id: AgentId
    ticket_id: TicketId
    visibility: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Somebody who has the ticket open."""

    agent_id: AgentId
    display: str
    at: datetime
    writing: bool


def add_view(tx: Tx, view: SavedView) -> None:
    """Store a view."""
    tx.connection.execute(insert(saved_views).values(**_values(view)))


def view(connection: Connection, view_id: str) -> SavedView | None:
    """The view, or None."""
    row = connection.execute(select(saved_views).where(saved_views.c.id == view_id)).one_or_none()
    return None if row is None else SavedView(**row._mapping)


def views_for(connection: Connection, agent_id: str) -> list[SavedView]:
    """The views this agent sees: own and shared ones, by name."""
    query = (
        select(saved_views)
        .where(or_(saved_views.c.agent_id == agent_id, saved_views.c.shared))
        .order_by(saved_views.c.name, saved_views.c.id)
    )
    return [SavedView(**row._mapping) for row in connection.execute(query)]


def remove_view(tx: Tx, view_id: str) -> None:
    """Drop the view."""
    tx.connection.execute(delete(saved_views).where(saved_views.c.id == view_id))


def add_macro(tx: Tx, macro: Macro) -> None:
    """Store a macro."""
    tx.connection.execute(insert(macros).values(**_values(macro)))


def change_macro(tx: Tx, macro: Macro) -> None:
    """Store it in the place of what it was."""
    tx.connection.execute(update(macros).where(macros.c.id == macro.id).values(**_values(macro)))


def macro(connection: Connection, macro_id: str) -> Macro | None:
    """The macro, or None."""
    row = connection.execute(select(macros).where(macros.c.id == macro_id)).one_or_none()
    return None if row is None else Macro(**row._mapping)


def all_macros(connection: Connection) -> list[Macro]:
    """All macros by name."""
    query = select(macros).order_by(macros.c.name, macros.c.id)
    return [Macro(**row._mapping) for row in connection.execute(query)]


def remove_macro(tx: Tx, macro_id: str) -> None:
    """Drop the macro."""
    tx.connection.execute(delete(macros).where(macros.c.id == macro_id))


def keep_draft(tx: Tx, draft: Draft) -> None:
    """Keep this in place of what was kept."""
    drop_draft(tx, draft.agent_id, draft.ticket_id)
    tx.connection.execute(insert(drafts).values(**_values(draft)))


def drop_draft(tx: Tx, agent_id: str, ticket_id: str) -> None:
    """Nothing is begun."""
    tx.connection.execute(
        delete(drafts).where(drafts.c.agent_id == agent_id, drafts.c.ticket_id == ticket_id)
    )


def draft(connection: Connection, agent_id: str, ticket_id: str) -> Draft | None:
    """What this agent began to say there."""
    row = connection.execute(
        select(drafts).where(drafts.c.agent_id == agent_id, drafts.c.ticket_id == ticket_id)
    ).one_or_none()
    return None if row is None else Draft(**row._mapping)


def mark_seen(tx: Tx, agent_id: str, ticket_id: str, at: datetime) -> None:
    """The agent has read the ticket until then."""
    tx.connection.execute(
        delete(seen).where(seen.c.agent_id == agent_id, seen.c.ticket_id == ticket_id)
    )
    tx.connection.execute(insert(seen).values(agent_id=agent_id, ticket_id=ticket_id, at=at))


def seen_until(
    connection: Connection, agent_id: str, ticket_ids: Collection[str]
) -> dict[str, datetime]:
    """Until when the agent has read each of these tickets; those never opened are left out."""
    query = select(seen.c.ticket_id, seen.c.at).where(
        seen.c.agent_id == agent_id, seen.c.ticket_id.in_(ticket_ids)
    )
    return {row.ticket_id: row.at for row in connection.execute(query)}


def look_on(tx: Tx, agent_id: str, ticket_id: str, at: datetime, *, writing: bool) -> None:
    """The agent has the ticket open."""
    look_away(tx, agent_id, ticket_id)
    tx.connection.execute(
        insert(onlookers).values(agent_id=agent_id, ticket_id=ticket_id, at=at, writing=writing)
    )


def look_away(tx: Tx, agent_id: str, ticket_id: str) -> None:
    """The agent has it open no more."""
    tx.connection.execute(
        delete(onlookers).where(
            onlookers.c.agent_id == agent_id, onlookers.c.ticket_id == ticket_id
        )
    )


def onlookers_of(connection: Connection, ticket_id: str, since: datetime) -> list[Onlooker]:
    """Who has it open, as far as heard of since then."""
    query = (
        select(onlookers.c.agent_id, agents.c.display, onlookers.c.at, onlookers.c.writing)
        .join(agents, agents.c.id == onlookers.c.agent_id)
        .where(onlookers.c.ticket_id == ticket_id, onlookers.c.at >= since)
        .order_by(agents.c.display)
    )
    return [Onlooker(**row._mapping) for row in connection.execute(query)]


def forget_before(tx: Tx, *, looked: datetime, drafted: datetime) -> None:
    """Drop who looked on before the one instant, and drafts older than the other."""
    tx.connection.execute(delete(onlookers).where(onlookers.c.at < looked))
    tx.connection.execute(delete(drafts).where(drafts.c.at < drafted))


def _values(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}
