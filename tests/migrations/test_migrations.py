"""The migrations build exactly the tables the program knows, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.errors import Misconfigured
from hub.storage import migrate, search
from hub.storage.database import sqlite_engine
from hub.storage.tables import metadata
from tests.conftest import NO_POSTGRES


def drift(connection) -> list[object]:
    options = {"include_name": search.is_table}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_an_empty_database_becomes_the_tables_of_the_program(tmp_path: Path) -> None:
    await migrate.upgrade("", tmp_path)
    with sqlite_engine(tmp_path / "hub.db").begin() as connection:
        assert drift(connection) == []


@pytest.mark.postgres
async def test_the_same_on_postgresql(tmp_path: Path, postgres_server) -> None:
    if postgres_server is None:
        pytest.skip(NO_POSTGRES)
    engine = create_async_engine(await postgres_server.new_database(tmp_path))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(drift) == []
    finally:
        await engine.dispose()


def test_the_known_revision_is_the_newest_migration(tmp_path: Path) -> None:
    with sqlite_engine(tmp_path / "x.db").begin() as connection:
        scripts = ScriptDirectory.from_config(migrate._config(connection))
        assert scripts.get_current_head() == migrate.HEAD


async def test_upgrading_twice_is_upgrading_once(tmp_path: Path) -> None:
    await migrate.upgrade("", tmp_path)
    await migrate.upgrade("", tmp_path)
    assert await migrate.current("", tmp_path) == migrate.HEAD


@pytest.mark.parametrize("step", [migrate.upgrade, migrate.check])
async def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path, step) -> None:
    await migrate.upgrade("", tmp_path)
    with sqlite_engine(tmp_path / "hub.db").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = (tmp_path / "hub.db").read_bytes()
    with pytest.raises(Misconfigured) as refusal:
        await step("", tmp_path)
    assert refusal.value.code == "database_too_new"
    assert (tmp_path / "hub.db").read_bytes() == before


async def test_an_old_database_is_not_worked_with_before_it_is_upgraded(tmp_path: Path) -> None:
    with sqlite_engine(tmp_path / "hub.db").begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0000')"))
    with pytest.raises(Misconfigured) as refusal:
        await migrate.check("", tmp_path)
    assert refusal.value.code == "database_outdated"
