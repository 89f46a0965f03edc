"""One transaction is one function: durable when it returns, nothing when it raises."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.errors import Misconfigured, Refused, Unavailable
from hub.storage.database import Connection, SqliteDatabase, Tx

CREATE = "CREATE TABLE things (name TEXT PRIMARY KEY)"


@pytest.fixture
async def woken():
    return []


@pytest.fixture
async def db(tmp_path: Path, woken):
    database = SqliteDatabase(tmp_path / "hub.db", woken.append)
    await database.write(lambda tx: tx.connection.execute(text(CREATE)).close())
    yield database
    await database.close()


def put(name: str):
    def transaction(tx: Tx) -> str:
        tx.connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
        tx.wake(name)
        return name

    return transaction


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY name")).scalars())


def pragmas(connection: Connection) -> tuple[str, int, int, int]:
    ask = lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()  # noqa: E731
    return ask("journal_mode"), ask("synchronous"), ask("foreign_keys"), ask("busy_timeout")


async def test_every_connection_is_wal_and_full(db) -> None:
    # 2 is FULL: a commit that was reported survives a power cut.
    assert await db.write(lambda tx: pragmas(tx.connection)) == ("wal", 2, 1, 5000)
    reads = await asyncio.gather(*(db.read(pragmas) for _ in range(8)))
    assert set(reads) == {("wal", 2, 1, 5000)}


async def test_an_inline_connection_is_wal_and_full_too(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "inline.db", lambda _topics: None, inline=True)
    assert await database.write(lambda tx: pragmas(tx.connection)) == ("wal", 2, 1, 5000)
    assert await database.read(pragmas) == ("wal", 2, 1, 5000)
    await database.close()


async def test_what_raises_leaves_nothing_and_its_neighbours_of_the_same_commit_stay(db) -> None:
    def fails(tx: Tx) -> None:
        put("lost")(tx)
        raise Refused("no", "No.")

    jobs = [db.write(put(f"kept-{n}")) for n in range(20)]
    jobs.insert(10, db.write(fails))
    done = await asyncio.gather(*jobs, return_exceptions=True)

    assert [one for one in done if isinstance(one, Refused)]
    assert await db.read(names) == sorted(f"kept-{n}" for n in range(20))


async def test_transactions_that_wait_together_share_one_commit(db, tmp_path: Path) -> None:
    gate = threading.Event()
    holding = asyncio.ensure_future(db.write(lambda _tx: gate.wait(5)))
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(db.write(put(f"{n:03}"))) for n in range(100)]
    await asyncio.sleep(0)
    wal = tmp_path / "hub.db-wal"
    before = wal.stat().st_size
    gate.set()
    await asyncio.gather(holding, *waiting)

    # One commit writes each page it touched once: 100 commits would write some 200 pages.
    assert (wal.stat().st_size - before) / 4120 < 20
    assert len(await db.read(names)) == 100


async def test_workers_are_woken_after_the_commit_and_only_for_what_was_committed(
    db, woken
) -> None:
    def fails(tx: Tx) -> None:
        tx.wake("never")
        raise Refused("no", "No.")

    await db.write(put("a"))
    with pytest.raises(Refused):
        await db.write(fails)
    assert {topic for topics in woken for topic in topics} == {"a"}


async def test_a_reader_does_not_see_what_is_not_committed(db) -> None:
    gate, inside = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        put("half")(tx)
        inside.set()
        gate.wait(5)

    writing = asyncio.ensure_future(db.write(slow))
    await asyncio.to_thread(inside.wait, 5)
    assert await db.read(names) == []
    gate.set()
    await writing
    assert await db.read(names) == ["half"]


async def test_a_caller_that_goes_away_does_not_undo_the_commit(db) -> None:
    writing = asyncio.ensure_future(db.write(put("stays")))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await db.write(put("next"))
    assert await db.read(names) == ["next", "stays"]


async def test_another_process_is_noticed(db, tmp_path: Path) -> None:
    other = SqliteDatabase(tmp_path / "hub.db", lambda _topics: None)
    heard = db.changes()
    first = asyncio.ensure_future(anext(heard))
    while not first.done():
        await other.write(put(f"from elsewhere {len(await other.read(names))}"))
        await asyncio.wait([first], timeout=0.05)
    assert first.result() == set()
    await heard.aclose()
    await other.close()


async def test_a_database_that_cannot_be_written_says_so_and_recovers(db, tmp_path: Path) -> None:
    await db.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA query_only=ON").close())
    with pytest.raises((Misconfigured, Unavailable)):
        await db.write(put("refused"))
    # The connection is dropped with the failure, so the next transaction has a sound one.
    await db.write(put("accepted"))
    assert await db.read(names) == ["accepted"]


async def test_a_closed_database_takes_nothing_more(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db", lambda _topics: None)
    await database.write(lambda tx: tx.connection.execute(text(CREATE)).close())
    await database.close()
    with pytest.raises(Unavailable):
        await database.write(put("late"))
