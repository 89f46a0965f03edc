"""Numbers that are given out once: of tickets, and of records of the audit log.

They come behind everything else a transaction locks (`ground`), and in one order among themselves:
whoever takes a ticket's number writes a record too, before it or behind it, so both are locked
at once.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from hub.storage import statements
from hub.storage.database import Tx, for_update
from hub.storage.tables import counters


def lock(tx: Tx, *names: str) -> dict[str, int]:
    """The last numbers given out under these names, locked until the commit."""
    query = (
        select(counters.c.name, counters.c.value)
        .where(counters.c.name.in_(names))
        .order_by(counters.c.name)
    )
    return {row.name: row.value for row in tx.connection.execute(for_update(tx, query))}


def last(connection: Connection, name: str) -> int:
    """The last number given out under this name."""
    query = select(counters.c.value).where(counters.c.name == name)
    found: int = connection.execute(query).scalar_one()
    return found


def put(tx: Tx, name: str, value: int) -> None:
    """Note that this number was given out; the counter is locked by the caller."""
    statements.change(tx, counters, {"name": name}, {"value": value})
