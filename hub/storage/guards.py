"""Triggers by which the database itself refuses to change what is append-only.

Tables do not know them and migrations do not name them (rebuilding a table drops its triggers
on SQLite): they are put up anew after every upgrade. An owner of the database can take them
down, which `hub audit verify` says; what was changed then, the hashes say.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

APPEND_ONLY: Final = ("audit", "audit_heads")

_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION hub_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'append-only: nothing here is changed or deleted'; END $$
"""


def put_up(connection: Connection) -> None:
    """Let the database refuse it from now on. Twice is once."""
    if connection.dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for act in ("update", "delete"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act} BEFORE {act.upper()} "
                    f"ON {table} BEGIN SELECT RAISE(ABORT, 'append-only'); END"
                )
            # REPLACE deletes without asking a trigger for deletions.
            connection.exec_driver_sql(
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_replace "  # noqa: S608 - our own names
                f"BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE seq >= NEW.seq) "
                "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
            )
        return
    connection.exec_driver_sql(_FUNCTION)
    for table in APPEND_ONLY:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hub_append_only()"
        )


def missing(connection: Connection) -> list[str]:
    """Tables that the database would let somebody change."""
    if connection.dialect.name == "sqlite":
        found = {
            str(name)
            for (name,) in connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            )
        }
        return [
            table
            for table in APPEND_ONLY
            if not {f"{table}_no_{act}" for act in ("update", "delete", "replace")} <= found
        ]
    found = {
        str(name)
        for (name,) in connection.execute(
            text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
        )
    }
    return [table for table in APPEND_ONLY if f"{table}_append_only" not in found]
