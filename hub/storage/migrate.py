"""Bringing a database to the shape this program knows: one Alembic history for both kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub.errors import Misconfigured
from hub.storage.database import sqlite_engine

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision this program works with."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None  # noqa: S101 - there is at least one migration
    return found


def _upgrade(connection: Connection) -> None:
    _refuse_newer(connection)
    command.upgrade(_config(connection), "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(connection: Connection) -> None:
    found = _revision(connection)
    if found is None:
        return
    try:
        ScriptDirectory.from_config(_config()).get_revision(found)
    except CommandError as error:
        raise Misconfigured(
            "database_too_new",
            "The database was made by a newer version of this program ({revision}).",
            hint="Install that version again; nothing was changed.",
            revision=found,
        ) from error


def _check(connection: Connection) -> None:
    _refuse_newer(connection)
    if _revision(connection) != head():
        raise Misconfigured(
            "database_outdated",
            "The database has not been brought to this version yet.",
            hint="hub db upgrade",
        )


async def upgrade(url: str, data: Path) -> None:
    """Bring the database up to `head`. Raises Misconfigured(database_too_new | database_…)."""
    await _run(url, data, _upgrade)


async def check(url: str, data: Path) -> None:
    """Return if the database has exactly the shape this program knows. Raises Misconfigured."""
    await _run(url, data, _check)


async def current(url: str, data: Path) -> str | None:
    """The revision the database has, or None for an empty one."""
    found: list[str | None] = []
    await _run(url, data, lambda connection: found.append(_revision(connection)))
    return found[0]


async def _run(url: str, data: Path, step) -> None:  # type: ignore[no-untyped-def]
    try:
        if url:
            engine = create_async_engine(url, poolclass=NullPool)
            try:
                async with engine.begin() as connection:
                    await connection.run_sync(step)
            finally:
                await engine.dispose()
        else:
            with sqlite_engine(data / "hub.db").begin() as sync_connection:
                step(sync_connection)
    except (DBAPIError, OSError) as error:
        raise Misconfigured(
            "database_unusable",
            "The database cannot be used.",
            hint="Check that it exists, is ours and can be written to.",
            because=str(error),
        ) from error
