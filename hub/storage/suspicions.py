"""What was refused at our doors, counted by link and kind: one row each, whatever the flood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update

from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of
from hub.storage.tables import suspicions

STRANGERS = ""
"""Stands for callers of no link we know."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How often something of one kind was refused on one link."""

    link_id: str
    kind: str
    count: int
    first_at: datetime
    last_at: datetime
    last_from: str | None
    hour: datetime
    hour_count: int  # since `hour` began; 0 where the audit log has it


_ALL: Final = Query(
    select(*columns_of(suspicions, Suspicion)).order_by(suspicions.c.link_id, suspicions.c.kind),
    Suspicion,
)


def lock_all(tx: Tx) -> dict[tuple[str, str], Suspicion]:
    """Every row by its link and kind, locked until the commit in the order of these."""
    return {(one.link_id, one.kind): one for one in _ALL.lock_all(tx)}


def add(tx: Tx, one: Suspicion) -> None:
    """Store the first of its link and kind."""
    tx.connection.execute(
        insert(suspicions).values(
            **{name: getattr(one, name) for name in Suspicion.__dataclass_fields__}
        )
    )


def change(tx: Tx, one: Suspicion) -> None:
    """Store what a row has become."""
    values = {name: getattr(one, name) for name in Suspicion.__dataclass_fields__}
    tx.connection.execute(
        update(suspicions)
        .where(suspicions.c.link_id == one.link_id, suspicions.c.kind == one.kind)
        .values(**values)
    )


def of_link(connection: Connection, link_id: str) -> list[Suspicion]:
    """What was refused on this link, the newest first."""
    query = (
        select(suspicions)
        .where(suspicions.c.link_id == link_id)
        .order_by(suspicions.c.last_at.desc(), suspicions.c.kind)
    )
    return [Suspicion(**row._mapping) for row in connection.execute(query)]


def since(connection: Connection, instant: datetime) -> list[Suspicion]:
    """What was refused after this instant, anywhere."""
    query = (
        select(suspicions)
        .where(suspicions.c.last_at >= instant)
        .order_by(suspicions.c.link_id, suspicions.c.kind)
    )
    return [Suspicion(**row._mapping) for row in connection.execute(query)]
