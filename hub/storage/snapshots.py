"""A consistent copy of the database while others go on writing, and a look into such a copy.

SQLite: the online backup API in one step. It reads one snapshot of the write-ahead log, so
writers wait for nothing and the copy never has to begin anew. PostgreSQL: `pg_dump` over the
snapshot in which the facts were read.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.errors import Unavailable, Untrusted
from hub.storage import audit, migrate, postgres_tools
from hub.storage.tables import audit as records
from hub.storage.tables import node


@dataclass(frozen=True, slots=True)
class Facts:
    """What a copy of a database says of itself."""

    node_id: str
    name: str
    revision: str
    audit_seq: int
    audit_hash: str


async def take(url: str, data: Path, target: Path) -> Facts:
    """Copy the node's database into this new file; what is in the copy."""
    if not url:
        return await asyncio.to_thread(_take_sqlite, data / "hub.db", target)
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    try:
        async with engine.connect() as connection:
            facts = await connection.run_sync(_facts)
            snapshot = await connection.scalar(text("SELECT pg_export_snapshot()"))
            server = await connection.scalar(text("SHOW server_version_num"))
            await postgres_tools.dump(url, target, str(snapshot), int(str(server)) // 10_000)
            return facts
    except (DBAPIError, OSError) as error:
        raise Unavailable(
            "database_unavailable",
            "The database does not answer; nothing was changed.",
            because=str(error),
        ) from error
    finally:
        await engine.dispose()


def _take_sqlite(source: Path, target: Path) -> Facts:
    try:
        with (
            contextlib.closing(sqlite3.connect(source)) as live,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the original has beside
        with opened(target) as connection:
            return _facts(connection)
    except (sqlite3.Error, DBAPIError) as error:
        raise Unavailable(
            "database_copy_failed",
            "The database could not be copied: {why}.",
            hint="Check the free space, then:  hub doctor",
            because=str(error),
            why=str(getattr(error, "orig", error)),
        ) from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """A copy in a file, for reading."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        yield connection


def _facts(connection: Connection) -> Facts:
    whose = connection.execute(select(node.c.node_id, node.c.name)).one()
    last = connection.execute(
        select(records.c.seq, records.c.hash).order_by(records.c.seq.desc()).limit(1)
    ).one_or_none()
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return Facts(
        node_id=whose.node_id,
        name=whose.name,
        revision=str(revision),
        audit_seq=0 if last is None else last.seq,
        audit_hash="" if last is None else last.hash,
    )


async def inspect_sqlite(path: Path) -> Facts:
    """What is in a copy that may be changed: its pages and its audit log are whole.

    A copy of an older version is brought to this one first. Raises Untrusted(backup_unsound),
    Misconfigured(database_too_new).
    """
    if trouble := _trouble(path):
        raise _unsound(trouble)
    found = await migrate.current("", path.parent)
    await migrate.upgrade("", path.parent)
    with opened(path) as connection:
        broken = audit.first_break(connection)
        facts = _facts(connection)
    if broken is not None:
        raise _unsound(f"audit record {broken}")
    return Facts(facts.node_id, facts.name, found or "", facts.audit_seq, facts.audit_hash)


def _trouble(path: Path) -> str | None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            said = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            stray = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if said != "ok":
        return said
    return None if stray is None else f"a row of {stray[0]} points nowhere"


async def inspect_postgres(path: Path) -> Facts:
    """What is in a dump: it is read to its end, without a server, and its audit log is whole.

    Raises Untrusted(backup_unsound), Misconfigured(pg_tools_…).
    """
    tables = await postgres_tools.read_tables(path, ("node", "alembic_version", "audit"))
    if not tables["node"] or not tables["alembic_version"]:
        raise _unsound("no node in it")
    chain = sorted((audit.from_text(row) for row in tables["audit"]), key=lambda one: one.seq)
    broken = audit.chain_break(chain)
    if broken is not None:
        raise _unsound(f"audit record {broken}")
    whose = tables["node"][0]
    return Facts(
        node_id=str(whose["node_id"]),
        name=str(whose["name"]),
        revision=str(tables["alembic_version"][0]["version_num"]),
        audit_seq=chain[-1].seq if chain else 0,
        audit_hash=chain[-1].hash if chain else "",
    )


def _unsound(what: str) -> Untrusted:
    return Untrusted(
        "backup_unsound",
        "The database in the backup is damaged: {what}.",
        hint="It was so when the backup was made: take an older one.",
        what=what,
    )
