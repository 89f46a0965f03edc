"""Statements that are made once, for everything a message passes through.

Building a statement, hashing it and looking up its compiled form costs SQLAlchemy ten times
what SQLite then needs to run it. Here a statement is an object of its module: made once,
compiled once. On SQLite it goes straight to the driver, with the very text and the very
conversions SQLAlchemy compiled for it; on PostgreSQL, where the network outweighs all that,
it is executed like any other.

Errors are SQLAlchemy's on both ways.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    bindparam,
    insert,
    literal,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from hub.faults import fault
from hub.storage.database import Tx

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
Convert = Callable[[Any], Any]

_DIRECT: Final = "sqlite"
_KEY: Final = "key_"  # before the names of what an update looks for: it may also be set
_SHAPES: Final = 1024  # of inserts and updates; the code has some dozens


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement as the driver wants it."""

    dialect: Dialect
    sql: str
    takes: tuple[str, ...]  # names of values, in the order of the text
    converts: tuple[tuple[int, Convert], ...]  # places whose values are converted
    fixed: Mapping[str, object]  # values that are part of the statement, as the driver wants them
    results: tuple[tuple[int, Convert], ...]  # columns that are converted

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the driver's order and types."""
        if self.fixed:
            values = {**values, **self.fixed}
        found = [values[name] for name in self.takes]
        for place, convert in self.converts:
            found[place] = convert(found[place])
        return found


class _Statement:
    """Text and conversions, compiled when it is first used."""

    def __init__(
        self,
        statement: Select[Any] | UpdateBase,
        columns: Sequence[str] | None = None,
        converts: Mapping[str, Convert] | None = None,
    ) -> None:
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._converts = converts or {}
        self._ready: _Plan | None = None

    def plan(self, connection: Connection) -> _Plan | None:
        """How to go straight to the driver; None where SQLAlchemy executes it."""
        if connection.dialect.name != _DIRECT:
            return None
        if self._ready is None:
            self._ready = self._compiled(connection.dialect)
        return self._ready

    def _compiled(self, dialect: Dialect) -> _Plan:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        binds: dict[str, BindParameter[Any]] = compiled.binds
        converts, fixed = [], {}
        for place, name in enumerate(compiled.positiontup):
            convert = binds[name].type.dialect_impl(dialect).bind_processor(dialect)
            if not binds[name].required:
                value = binds[name].effective_value
                fixed[name] = value if convert is None else convert(value)
            elif convert is not None:
                converts.append((place, convert))
        results = []
        if isinstance(self._statement, Select):
            for index, column in enumerate(self._statement.selected_columns):
                read = column.type.dialect_impl(dialect).result_processor(dialect, None)
                both = _chained(read, self._converts.get(column.key or ""))
                if both is not None:
                    results.append((index, both))
        takes = tuple(compiled.positiontup)
        return _Plan(dialect, compiled.string, takes, tuple(converts), fixed, tuple(results))


def _chained(first: Convert | None, second: Convert | None) -> Convert | None:
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _direct(
    connection: Connection, plan: _Plan, parameters: list[Any], *, many: bool = False
) -> Any:
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction and not connection.in_transaction():
        connection.begin()
    try:
        fault("database.statement")
        if many:
            return driver.executemany(plan.sql, parameters)
        return driver.execute(plan.sql, parameters)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            plan.sql, parameters, error, sqlite3.Error, dialect=plan.dialect
        ) from error


class Query(Generic[R]):
    """A query and what its rows become: `make` is called with the columns in their order."""

    def __init__(self, statement: Select[Any], make: Callable[..., R], **converts: Convert) -> None:
        """`converts` name columns whose values become something else first; nulls stay."""
        self._statement = statement
        self._make = make
        self._converts = converts
        self._prepared = _Statement(statement, converts=converts)
        self._locking = statement.with_for_update(key_share=True)  # see `database.for_update`
        self._names = [column.key or "" for column in statement.selected_columns]

    def all(self, connection: Connection, **values: object) -> list[R]:
        """Every row."""
        plan = self._prepared.plan(connection)
        if plan is None:
            return self._ordinary(connection, self._statement, values)
        make, results = self._make, plan.results
        found = _direct(connection, plan, plan.parameters(values)).fetchall()
        if not results:
            return [make(*row) for row in found]
        made = []
        for row in found:
            cells = list(row)
            for index, convert in results:
                if cells[index] is not None:
                    cells[index] = convert(cells[index])
            made.append(make(*cells))
        return made

    def one(self, connection: Connection, **values: object) -> R | None:
        """The row, or None. At most one can fit: the query asks for a key."""
        found = self.all(connection, **values)
        return found[0] if found else None

    def lock(self, tx: Tx, **values: object) -> R | None:
        """The row, locked until the commit. SQLite has one writer and needs no lock."""
        found = self.lock_all(tx, **values)
        return found[0] if found else None

    def lock_all(self, tx: Tx, **values: object) -> list[R]:
        """Every row, locked until the commit in the order of the query."""
        if self._prepared.plan(tx.connection) is not None:
            return self.all(tx.connection, **values)
        return self._ordinary(tx.connection, self._locking, values)

    def _ordinary(
        self, connection: Connection, statement: Select[Any], values: Mapping[str, object]
    ) -> list[R]:
        converts = [self._converts.get(name) for name in self._names]
        return [
            self._make(
                *(
                    cell if convert is None or cell is None else convert(cell)
                    for cell, convert in zip(row, converts, strict=True)
                )
            )
            for row in connection.execute(statement, values)
        ]


def columns_of(table: Table, kind: type[Any]) -> list[Column[Any]]:
    """The columns that the fields of this dataclass name, in their order."""
    return [table.c[name] for name in kind.__dataclass_fields__]


def one_of(column: Column[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """That the column is one of these, known when the statement is made."""
    return column.in_([literal(value, column.type) for value in sorted(values)])


def itself(value: Any) -> Any:
    """What a row of one column becomes."""
    return value


def pair(first: A, second: B) -> tuple[A, B]:
    """What a row of two columns becomes."""
    return first, second


class Command:
    """An insert, update or delete with named values."""

    def __init__(self, statement: UpdateBase, columns: Sequence[str] | None = None) -> None:
        """`columns` are set from values of the same name."""
        self._statement = statement
        self._prepared = _Statement(statement, columns)

    def run(self, tx: Tx, values: Mapping[str, object]) -> int:
        """Execute it with these values; how many rows it was about."""
        plan = self._prepared.plan(tx.connection)
        if plan is None:
            done: int = tx.connection.execute(self._statement, values).rowcount
        else:
            done = _direct(tx.connection, plan, plan.parameters(values)).rowcount
        return done

    def run_all(self, tx: Tx, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute it with each of these."""
        plan = self._prepared.plan(tx.connection)
        if plan is None:
            tx.connection.execute(self._statement, rows)
        else:
            _direct(tx.connection, plan, [plan.parameters(row) for row in rows], many=True)


def add(tx: Tx, table: Table, values: Mapping[str, object]) -> None:
    """Insert one row."""
    values = {**_defaults(table), **values}
    _insert(table, tuple(values)).run(tx, values)


def add_record(tx: Tx, table: Table, record: Any) -> None:
    """Insert the row that this dataclass is."""
    add(tx, table, {name: getattr(record, name) for name in record.__dataclass_fields__})


def add_all(tx: Tx, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that name the same columns, every one that has no null."""
    _insert(table, tuple(rows[0])).run_all(tx, rows)


def change(tx: Tx, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> int:
    """Set these columns of the rows whose columns equal the key; how many rows there are."""
    command = _update(table, tuple(key), tuple(values))
    return command.run(tx, {**{_KEY + name: value for name, value in key.items()}, **values})


@lru_cache(maxsize=_SHAPES)
def _defaults(table: Table) -> Mapping[str, object]:
    """What SQLAlchemy would fill in while it executes."""
    return {
        column.key: column.default.arg
        for column in table.columns
        if isinstance(column.default, ScalarElementColumnDefault)
    }


@lru_cache(maxsize=_SHAPES)
def _insert(table: Table, names: tuple[str, ...]) -> Command:
    return Command(insert(table), names)


@lru_cache(maxsize=_SHAPES)
def _update(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Command:
    found = [table.c[name] == bindparam(_KEY + name) for name in key]
    return Command(update(table).where(*found), names)
