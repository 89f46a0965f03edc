"""Numbers that are given out once: of tickets, and of records of the audit log.

They come behind everything else a transaction locks (`ground`), and in one order among themselves:
whoever takes a ticket's number writes a record too, before it or behind it, so both are locked
at once.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, select

from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Query, one_of, pair
from hub.storage.tables import counters


def lock(tx: Tx, *names: str) -> dict[str, int]:
    """The last numbers given out under these names, locked until the commit."""
    return dict(_of_names(tuple(sorted(names))).lock_all(tx))


@lru_cache
def _of_names(names: tuple[str, ...]) -> Query[tuple[str, int]]:
    return Query(
        select(counters.c.name, counters.c.value)
        .where(one_of(counters.c.name, names))
        .order_by(counters.c.name),
        pair,
    )


def last(connection: Connection, name: str) -> int:
    """The last number given out under this name."""
    query = select(counters.c.value).where(counters.c.name == name)
    found: int = connection.execute(query).scalar_one()
    return found


def put(tx: Tx, name: str, value: int) -> None:
    """Note that this number was given out; the counter is locked by the caller."""
    statements.change(tx, counters, {"name": name}, {"value": value})
