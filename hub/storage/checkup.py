"""What the database says of its own health."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Health:
    """The facts a doctor wants."""

    kind: str  # "SQLite 3.45.1", "PostgreSQL 16.2"
    trouble: str | None  # the first inconsistency found
    durable: bool  # whether a reported commit survives a power cut
    how: str  # the settings behind `durable`


def health(connection: Connection) -> Health:
    """Look at the database; reads all of a small SQLite file."""
    if connection.dialect.name == "sqlite":
        version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
        check = str(connection.execute(text("PRAGMA quick_check(1)")).scalar_one())
        journal = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
        level = int(connection.execute(text("PRAGMA synchronous")).scalar_one())
        return Health(
            kind=f"SQLite {version}",
            trouble=None if check == "ok" else check,
            durable=level >= 2,  # FULL; with WAL, NORMAL may lose the last commits
            how=f"journal_mode={journal} synchronous={level}",
        )
    said = {
        name: str(connection.execute(text(f"SHOW {name}")).scalar_one())
        for name in ("server_version", "fsync", "synchronous_commit")
    }
    return Health(
        kind=f"PostgreSQL {said['server_version'].split()[0]}",
        trouble=None,
        durable=said["fsync"] == "on" and said["synchronous_commit"] != "off",
        how=f"fsync={said['fsync']} synchronous_commit={said['synchronous_commit']}",
    )
