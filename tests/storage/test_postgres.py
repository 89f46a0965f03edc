"""The same promises on PostgreSQL: durable or nothing, conflicts run again, others are woken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event, text

from hub.errors import Refused, Unavailable
from hub.storage.database import Connection, PostgresDatabase, Tx
from tests.conftest import NO_POSTGRES

pytestmark = pytest.mark.postgres


@pytest.fixture
async def woken():
    return []


@pytest.fixture
async def db(tmp_path: Path, postgres_server, woken):
    if postgres_server is None:
        pytest.skip(NO_POSTGRES)
    url = await postgres_server.new_database(tmp_path)
    database = PostgresDatabase(url, woken.append)
    create, drop = text("CREATE TABLE things (name TEXT, n INT)"), text("DROP TABLE things")
    await database.write(lambda tx: tx.connection.execute(create).close())
    yield database
    await database.write(lambda tx: tx.connection.execute(drop).close())  # databases are used again
    await database.close()
    await postgres_server.take_back()


def put(name: str):
    def transaction(tx: Tx) -> None:
        tx.connection.execute(text("INSERT INTO things VALUES (:name, 0)"), {"name": name})
        tx.wake(name)

    return transaction


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY name")).scalars())


async def test_what_raises_leaves_nothing_and_wakes_nobody_on_postgres(db, woken) -> None:
    def fails(tx: Tx) -> None:
        put("lost")(tx)
        raise Refused("no", "No.")

    await db.write(put("kept"))
    with pytest.raises(Refused):
        await db.write(fails)
    assert await db.read(names) == ["kept"]
    assert {topic for topics in woken for topic in topics} == {"kept"}


async def test_two_that_want_the_same_rows_in_other_orders_both_succeed_on_postgres(db) -> None:
    await db.write(put("a"))
    await db.write(put("b"))
    meeting = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()

    def add(first: str, second: str):
        tried = []

        def transaction(tx: Tx) -> None:
            bump = text("UPDATE things SET n = n + 1 WHERE name = :name")
            tx.connection.execute(bump, {"name": first})
            if not tried:  # both hold their first row before either asks for the other's
                tried.append(True)
                from sqlalchemy.util import await_only

                await_only(meeting.wait())
            tx.connection.execute(bump, {"name": second})

        return transaction

    await asyncio.gather(db.write(add("a", "b")), db.write(add("b", "a")))
    counted = await db.read(
        lambda connection: list(connection.execute(text("SELECT n FROM things")).scalars())
    )
    assert counted == [2, 2]
    assert loop.is_running()


async def test_another_process_is_told_of_the_topic_after_the_commit_on_postgres(
    db, tmp_path: Path
) -> None:
    heard = db.changes()
    first = asyncio.ensure_future(anext(heard))
    while not first.done():
        await db.write(put("deliver:lnk"))
        await asyncio.wait([first], timeout=0.05)
    assert first.result() == {"deliver:lnk"}
    await heard.aclose()


async def test_a_line_that_breaks_at_the_commit_leaves_the_outcome_open_on_postgres(db) -> None:
    def breaks(_connection: Connection) -> None:
        raise ConnectionResetError

    event.listen(db._engine.sync_engine, "commit", breaks)
    try:
        with pytest.raises(Unavailable) as caught:
            await db.write(put("perhaps"))
    finally:
        event.remove(db._engine.sync_engine, "commit", breaks)
    assert caught.value.code == "outcome_unknown"
    await db.write(put("after"))
    assert "after" in await db.read(names)


async def test_a_server_that_goes_away_is_unavailable_and_not_a_bug_on_postgres(db) -> None:
    def kill_ourselves(tx: Tx) -> None:
        tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable) as caught:
        await db.write(kill_ourselves)
    assert caught.value.code == "database_unavailable"
    await db.write(put("after"))
    assert await db.read(names) == ["after"]
