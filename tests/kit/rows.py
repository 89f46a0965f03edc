"""What a node has stored, to be compared before and after something that must change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from hub.storage.tables import metadata

if TYPE_CHECKING:
    from hub.actions.context import Hub

NOT_STATE = frozenset({"audit", "counters", "suspicions"})
"""The record of what was refused, and the numbers it is counted by."""


async def stored(hub: Hub) -> dict[str, list[str]]:
    """Every row of every table except the audit log."""

    def body(connection: Connection) -> dict[str, list[str]]:
        return {
            table.name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table.name}"))))
            for table in metadata.sorted_tables
            if table.name not in NOT_STATE
        }

    return await hub.db.read(body)


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """The tables that are not what they were."""
    return [name for name in before if before[name] != after[name]]
