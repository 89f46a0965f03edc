"""Finding tickets by words: the index over `searchable`, and the one look-up.

The rows are ordinary ones, written in the transaction of what they are about. The index over
them is the database's own: FTS5 on SQLite, kept in step by triggers; GIN over a tsvector on
PostgreSQL, kept in step as any index. Neither is a table of the migrations: both are put up anew
after every upgrade, as guards are. Erased words are overwritten in the index too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, insert, select, text, update

from hub.domain.search import words
from hub.domain.ticket import Ticket
from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.tables import comments, searchable, tickets

HITS_MAX: Final = 2000
"""Newest texts looked at for one question: who wants older ones asks more exactly."""

_FTS: Final = "searchable_fts"
_GIN: Final = "ix_searchable_words"
_BATCH: Final = 1000
_SECURE_SINCE: Final = (3, 42)  # of SQLite: before, what was deleted stays until a merge

_SQLITE: Final = """
CREATE VIRTUAL TABLE IF NOT EXISTS searchable_fts USING fts5(
    words, content='searchable', content_rowid='n', detail=none,
    tokenize='unicode61 remove_diacritics 0'
);;
CREATE TRIGGER IF NOT EXISTS searchable_added AFTER INSERT ON searchable BEGIN
    INSERT INTO searchable_fts(rowid, words) VALUES (new.n, new.words);
END;;
CREATE TRIGGER IF NOT EXISTS searchable_gone AFTER DELETE ON searchable BEGIN
    INSERT INTO searchable_fts(searchable_fts, rowid, words) VALUES ('delete', old.n, old.words);
END;;
CREATE TRIGGER IF NOT EXISTS searchable_changed AFTER UPDATE OF words ON searchable BEGIN
    INSERT INTO searchable_fts(searchable_fts, rowid, words) VALUES ('delete', old.n, old.words);
    INSERT INTO searchable_fts(rowid, words) VALUES (new.n, new.words);
END
"""
_SECURE: Final = "INSERT INTO searchable_fts(searchable_fts, rank) VALUES ('secure-delete', 1)"
_MERGE: Final = "INSERT INTO searchable_fts(searchable_fts) VALUES ('optimize')"
_FIND_SQLITE: Final = """
SELECT ticket_id FROM searchable WHERE n IN (
    SELECT rowid FROM searchable_fts WHERE searchable_fts MATCH :asked
    ORDER BY rowid DESC LIMIT :most
) ORDER BY n DESC
"""
_VECTOR: Final = "array_to_tsvector(string_to_array(words, ' '))"
_FIND_POSTGRES: Final = f"""
SELECT ticket_id FROM searchable WHERE {_VECTOR} @@ CAST(:asked AS tsquery)
ORDER BY n DESC LIMIT :most
"""  # noqa: S608 - our own names


def put_up(connection: Connection) -> None:
    """The index is there and knows every ticket and comment. Twice is once."""
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE.split(";;"):
            connection.exec_driver_sql(statement)
        if sqlite3.sqlite_version_info >= _SECURE_SINCE:
            connection.exec_driver_sql(_SECURE)
    else:
        connection.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS {_GIN} ON searchable USING gin (({_VECTOR}))"
        )
    if connection.execute(select(searchable.c.n).limit(1)).first() is None:
        _fill(connection)


def is_table(name: str | None, kind: str, _parents: Any) -> bool:
    """Whether the migrations are to know something of this name."""
    return name is None or not (
        (kind == "table" and name.startswith(_FTS)) or (kind == "index" and name == _GIN)
    )


def _fill(connection: Connection) -> None:
    """Make the rows of what was there before the index."""
    said = select(comments.c.id, comments.c.ticket_id, comments.c.body)
    for portion in connection.execute(said).partitions(_BATCH):
        _add(connection, ((one.id, one.ticket_id, words(one.body)) for one in portion))
    for part in connection.execute(select(tickets)).partitions(_BATCH):
        _add(connection, ((one.id, one.id, words(*_of_row(one))) for one in part))


def _add(connection: Connection, rows: Iterable[tuple[str, str, str]]) -> None:
    made = [{"item_id": item, "ticket_id": ticket, "words": found} for item, ticket, found in rows]
    connection.execute(insert(searchable), made)


def _of_row(row: Any) -> list[str]:
    parts = [row.requester, row.contact, row.site, row.asset]
    return [
        *(row.number, row.title, row.description),
        *(value for part in parts if part for value in part.values()),
        *(field["value"] for field in row.fields),
    ]


def texts(ticket: Ticket) -> list[str]:
    """Everything of a ticket that it may be found by."""
    parts = [ticket.requester, ticket.contact, ticket.site, ticket.asset]
    return [
        *(ticket.number, ticket.title, ticket.description),
        *(getattr(part, name) for part in parts if part is not None for name in part.__slots__),
        *(field.value for field in ticket.fields),
    ]


def add(tx: Tx, item_id: str, ticket_id: str, *said: str) -> None:
    """A new ticket or comment is found by these texts from now on."""
    row = {"item_id": item_id, "ticket_id": ticket_id, "words": words(*said)}
    statements.add(tx, searchable, row)


def change(tx: Tx, item_id: str, *said: str) -> None:
    """It is found by these texts instead."""
    statements.change(tx, searchable, {"item_id": item_id}, {"words": words(*said)})


def drop(tx: Tx, item_id: str) -> None:
    """It is found by nothing, if it ever was."""
    tx.connection.execute(delete(searchable).where(searchable.c.item_id == item_id))


def forget(tx: Tx, ticket_id: str) -> None:
    """Nothing of this ticket is found by any word but its number."""
    tx.connection.execute(
        delete(searchable).where(
            searchable.c.ticket_id == ticket_id, searchable.c.item_id != ticket_id
        )
    )
    number = select(tickets.c.number).where(tickets.c.id == ticket_id)
    kept = words(tx.connection.execute(number).scalar_one())
    tx.connection.execute(
        update(searchable).where(searchable.c.item_id == ticket_id).values(words=kept)
    )
    sweep(tx)


def forget_comments(tx: Tx, chosen: ColumnElement[bool]) -> None:
    """Comments of which this is true are found by nothing any more."""
    ids = select(comments.c.id).where(chosen)
    tx.connection.execute(delete(searchable).where(searchable.c.item_id.in_(ids)))
    sweep(tx)


def sweep(tx: Tx) -> None:
    """What was taken out of the index is gone from its pages too."""
    if tx.alone and sqlite3.sqlite_version_info < _SECURE_SINCE:
        tx.connection.exec_driver_sql(_MERGE)


def find(connection: Connection, beginnings: tuple[str, ...]) -> list[str]:
    """Ids of the tickets with a text that has all of these, of the newest texts first."""
    if connection.dialect.name == "sqlite":
        query, asked = _FIND_SQLITE, " AND ".join(f'"{one}"*' for one in beginnings)
    else:
        query, asked = _FIND_POSTGRES, " & ".join(f"'{one}':*" for one in beginnings)
    found = connection.execute(text(query), {"asked": asked, "most": HITS_MAX}).scalars()
    return list(dict.fromkeys(found))
