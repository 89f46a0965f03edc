"""The same promises on PostgreSQL: durable or nothing, conflicts run again, others are woken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.util import await_only

from hub.errors import Refused, Unavailable
from hub.storage import database
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


async def test_who_listens_goes_on_after_the_server_was_away_on_postgres(
    db, postgres_server, monkeypatch
) -> None:
    monkeypatch.setattr(database, "LISTEN_AGAIN_S", 0.01)
    (name,) = postgres_server.used
    heard = db.changes()
    first = asyncio.ensure_future(anext(heard))
    while not first.done():
        await db.write(put("before"))
        await asyncio.wait([first], timeout=0.05)
    await postgres_server.say(
        "postgres",
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    following = asyncio.ensure_future(_until_anything(heard))
    await asyncio.wait([following], timeout=0.1)  # it knocks and is not let in
    await postgres_server.say("postgres", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await following  # something may have been missed meanwhile
    told = asyncio.ensure_future(_until_anything(heard, {"after"}))
    while not told.done():
        await db.write(put("after"))
        await asyncio.wait([told], timeout=0.05)
    await heard.aclose()


async def _until_anything(heard: AsyncIterator[set[str]], wanted: AbstractSet[str] = frozenset()):
    async for topics in heard:
        if topics == wanted:
            return


async def test_what_a_process_holds_that_fell_silent_goes_to_the_others_on_postgres(
    db, postgres_server, monkeypatch
) -> None:
    await db.write(put("wanted"))
    monkeypatch.setattr(database, "SILENT_MS", 100)
    silent = PostgresDatabase(db._url, lambda _topics: None)
    holding, done = asyncio.Event(), asyncio.Event()
    bump = text("UPDATE things SET n = n + 1")

    def falls_silent(tx: Tx) -> None:
        tx.connection.execute(bump)
        holding.set()
        await_only(done.wait())
        tx.connection.execute(bump)

    first = asyncio.create_task(silent.write(falls_silent))
    await holding.wait()
    async with asyncio.timeout(30):
        await db.write(lambda tx: tx.connection.execute(bump).close())
    done.set()
    with pytest.raises(Unavailable):
        await first
    await silent.close()
    counted = await db.read(lambda c: list(c.execute(text("SELECT n FROM things")).scalars()))
    assert counted == [1]


async def test_two_who_write_the_same_at_once_find_each_others_on_postgres(db) -> None:
    await db.write(
        lambda tx: tx.connection.execute(text("CREATE UNIQUE INDEX one ON things (name)")).close()
    )
    meeting = asyncio.Barrier(2)

    def once(tx: Tx) -> str:
        if "same" in names(tx.connection):
            return "found"
        await_only(meeting.wait())  # neither has written before both have looked
        put("same")(tx)
        return "written"

    async with asyncio.timeout(10):
        assert sorted(await asyncio.gather(db.write(once), db.write(once))) == ["found", "written"]
    assert await db.read(names) == ["same"]


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
