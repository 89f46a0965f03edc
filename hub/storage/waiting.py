"""Rows that wait for their turn: each is taken by one process at a time, and tried again later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, or_, select, update

from hub.storage.database import Tx


class Waiting:
    """The waiting rows of a table that has `id` and `next_at` (null: at once)."""

    def __init__(self, table: Table, waits: ColumnElement[bool]) -> None:
        """`waits` says which rows wait."""
        self._table = table
        self._waits = waits

    def due(
        self,
        connection: Connection,
        now: datetime,
        most: int,
        *also: ColumnElement[bool],
        order: Sequence[ColumnElement[Any]] = (),
    ) -> Sequence[Row[Any]]:
        """Those whose turn it is, oldest first or in this order."""
        query = select(self._table).where(*also, self._is_due(now))
        return connection.execute(query.order_by(*order, self._table.c.id).limit(most)).all()

    def claim(self, tx: Tx, row_id: str, now: datetime, until: datetime) -> bool:
        """Whether it is ours: nobody else takes it before then."""
        mine = update(self._table).where(self._table.c.id == row_id, self._is_due(now))
        return tx.connection.execute(mine.values(next_at=until)).rowcount == 1

    def next_at(self, connection: Connection, *also: ColumnElement[bool]) -> datetime | None:
        """When the next one that was put off is to be tried again."""
        query = select(func.min(self._table.c.next_at)).where(*also, self._waits)
        found: datetime | None = connection.execute(query).scalar_one_or_none()
        return found

    def _is_due(self, now: datetime) -> ColumnElement[bool]:
        next_at = self._table.c.next_at
        return self._waits & or_(next_at.is_(None), next_at <= now)
