"""What each of our people keeps, and who has a ticket open."""

from __future__ import annotations

from datetime import datetime

from hub.storage import personal
from hub.storage.database import Connection
from hub.storage.personal import LOOKS_FOR
from hub.storage.personal import Draft as Draft  # noqa: PLC0414 - shown as it is
from hub.storage.personal import Macro as Macro  # noqa: PLC0414 - shown as it is
from hub.storage.personal import Onlooker as Onlooker  # noqa: PLC0414 - shown as it is
from hub.storage.personal import SavedView as SavedView  # noqa: PLC0414 - shown as it is


def views(connection: Connection, agent_id: str) -> list[SavedView]:
    """Own and shared views by name."""
    return personal.views_for(connection, agent_id)


def macros(connection: Connection) -> list[Macro]:
    """All macros by name."""
    return personal.all_macros(connection)


def draft(connection: Connection, agent_id: str, ticket_id: str) -> Draft | None:
    """What this agent began to say on the ticket."""
    return personal.draft(connection, agent_id, ticket_id)


def onlookers(
    connection: Connection, ticket_id: str, now: datetime, *, but: str = ""
) -> list[Onlooker]:
    """Who has the ticket open now, but for this agent."""
    found = personal.onlookers_of(connection, ticket_id, now - LOOKS_FOR)
    return [one for one in found if one.agent_id != but]
