"""Bringing a database to the shape this program knows: one Alembic history for both kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub.errors import Misconfigured
from hub.storage import guards, search
from hub.storage.database import sqlite_engine

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0004"
"""The revision this program works with; a test compares it with the migrations."""

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    _refuse_newer(connection)
    if _revision(connection) != HEAD:
        from alembic import command

        command.upgrade(_config(connection), "head")
    guards.put_up(connection)  # whatever a migration did to the tables
    search.put_up(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return found


def _refuse_newer(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and found > HEAD:  # our revisions are numbered
        raise Misconfigured(
            "database_too_new",
            "The database was made by a newer version of this program ({revision}).",
            hint="Install that version again; nothing was changed.",
            revision=found,
        )


def _check(connection: Connection) -> None:
    _refuse_newer(connection)
    if _revision(connection) != HEAD:
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


async def _run(url: str, data: Path, step: Callable[[Connection], None]) -> None:
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
