"""A node's database as it was, put back: an old backup, of either database."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from hub.storage.database import PostgresDatabase, Tx
from hub.storage.tables import metadata
from tests.kit.network import Company

Copy = bytes | dict[str, list[dict[str, Any]]]


async def copy_of(company: Company) -> Copy:
    """Everything that stands in the database now, whether a process is at work on it or not."""
    url = company.settings.database.url
    if url:
        database = PostgresDatabase(url, lambda _topics: None)
        try:
            return await database.read(_rows)
        finally:
            await database.close()
    connection = sqlite3.connect(company.settings.data / "hub.db")
    try:
        return connection.serialize()
    finally:
        connection.close()


async def put_back(company: Company, copy: Copy) -> None:
    """Nothing stands there but this. No process may be at work on it."""
    if isinstance(copy, bytes):
        for left in company.settings.data.glob("hub.db*"):
            left.unlink()
        (company.settings.data / "hub.db").write_bytes(copy)
        return
    database = PostgresDatabase(company.settings.database.url, lambda _topics: None)

    def transaction(tx: Tx) -> None:
        # The audit log's trigger and the order of references concern no restore.
        tx.connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in metadata.sorted_tables:
            tx.connection.execute(delete(table))
            if copy[table.name]:
                tx.connection.execute(insert(table), copy[table.name])

    try:
        await database.write(transaction)
    finally:
        await database.close()


def _rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: [dict(row._mapping) for row in connection.execute(select(table))]
        for table in metadata.sorted_tables
    }
