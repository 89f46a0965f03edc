"""One door to SQL for both databases, and the place that knows how they differ.

A transaction is one plain function over a connection. It cannot wait for anything but the
database, so nothing can be sent from inside it, and it may be run again after a conflict.

SQLite: all writes of a process go through one thread and one connection. Transactions that
wait at the same moment share one commit (group commit): each runs in its own savepoint, and
nobody hears of success before the commit they share is on disk. Durability is
`synchronous=FULL` on every connection; a power cut loses nothing that was reported.
PostgreSQL: each write is its own transaction and runs beside others. What it changes it locks
before it reads it, in one order for all (`ground`); conflicts that are left are run again.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import aiosqlite
from sqlalchemy import Connection as Connection  # noqa: PLC0414 - whoever queries says it
from sqlalchemy import Engine, NullPool, QueuePool, Select, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from hub.errors import Misconfigured, Unavailable
from hub.faults import fault

T = TypeVar("T")

BUSY_TIMEOUT_MS: Final = 5000
GROUP_LIMIT: Final = 128  # transactions that may share a commit
READERS: Final = 4  # threads that read SQLite side by side
_STATEMENTS: Final = 512  # that SQLite keeps compiled, per connection
RETRIES: Final = 8  # of one PostgreSQL transaction that met a conflict
SILENT_MS: Final = 60_000  # between two statements of one transaction, at most
LISTEN_AGAIN_S: Final = 1.0  # after the server went away
_PG_CONFLICTS: Final = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "23505",  # unique: somebody else wrote the same a moment ago, and now it can be seen
    }
)


_SQLITE_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_PG_AWAY: Final = frozenset({"08", "57", "53", "40"})  # classes: the server, not the statement


@dataclass(slots=True)
class Tx:
    """One write transaction: the connection, and whom to wake once it is on disk."""

    connection: Connection
    wakes: set[str] = field(default_factory=set)

    @property
    def alone(self) -> bool:
        """Whether no other transaction can write meanwhile: then there is nothing to lock."""
        return self.connection.dialect.name != "postgresql"

    def wake(self, topic: str) -> None:
        """Tell the workers of this topic that there is work, after the commit."""
        self.wakes.add(topic)

    @contextmanager
    def part(self) -> Iterator[None]:
        """What happens inside is taken back if it raises; the rest of the transaction stays."""
        connection = self.connection
        _execute(connection, "SAVEPOINT part")
        try:
            yield
        except BaseException:
            if not connection.invalidated:  # else the line is gone, and everything with it
                _execute(connection, "ROLLBACK TO SAVEPOINT part")
                _execute(connection, "RELEASE SAVEPOINT part")
            raise
        _execute(connection, "RELEASE SAVEPOINT part")


def _execute(connection: Connection, statement: str) -> None:
    """Run a statement that has neither values nor results, inside a transaction."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(statement)
        return
    fault("database.statement")
    # Twice per message, and SQLAlchemy takes ten times as long about it as SQLite.
    try:
        driver: Any = connection.connection.dbapi_connection
        driver.execute(statement)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            statement, None, error, sqlite3.Error, dialect=connection.dialect
        ) from error


def for_update(tx: Tx, query: Select[Any]) -> Select[Any]:
    """Lock the rows until the commit. SQLite has one writer and needs no lock.

    Their keys stay readable: whoever writes a row that refers to one of them (PostgreSQL locks
    the key for that) does not wait for us, nor we for it.
    """
    return query if tx.alone else query.with_for_update(key_share=True)


Wake = Callable[[set[str]], None]


def _nobody() -> None:
    """Who counts conflicts where nobody does."""


class Database(Protocol):
    """What actions and queries use."""

    async def read(self, body: Callable[[Connection], T]) -> T:
        """The result of `body` over one consistent snapshot."""
        ...

    async def glance(self, body: Callable[[Connection], T]) -> T:
        """`read` for a few look-ups by key that a message waits for.

        Where the database is part of this process they take less time than the way to a
        thread and back, and are made at once.
        """
        ...

    async def write(self, body: Callable[[Tx], T]) -> T:
        """The result of `body`, after what it did is durable; if this raises, nothing happened."""
        ...

    def changes(self) -> AsyncIterator[set[str]]:
        """Topics woken by other processes, as they come; an empty set means "anything"."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten, not only let go
    cursor.close()


def _before_statement(*_how: object) -> None:
    fault("database.statement")


def _begin(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def sqlite_engine(path: Path, *, readers: int = 0) -> Engine:
    """An engine whose transactions take the write lock at once.

    With `readers`, one that keeps so many connections, whose transactions only read.
    """
    how: dict[str, Any] = {"poolclass": NullPool}
    if readers:
        how = {"poolclass": QueuePool, "pool_size": readers, "max_overflow": 0}
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        connect_args={"check_same_thread": False, "cached_statements": _STATEMENTS},
        **how,
    )
    event.listen(engine, "connect", _sqlite_pragmas)
    event.listen(engine, "begin", _begin("BEGIN" if readers else "BEGIN IMMEDIATE"))
    event.listen(engine, "before_cursor_execute", _before_statement)
    return engine


def _translated(error: Exception) -> Exception:
    """What the database's own errors mean to the hub; others stay as they are (a bug)."""
    if isinstance(error, OperationalError):
        reason = str(error.orig)
        if "readonly" in reason:
            return Misconfigured(
                "database_read_only",
                "The database cannot be written to.",
                hint="Check the owner and the rights of the data directory.",
                because=reason,
            )
        return Unavailable(
            "database_unavailable",
            "The database does not answer; nothing was changed.",
            after=timedelta(seconds=2),
            because=reason,
        )
    return error


@dataclass(slots=True)
class _Job:
    body: Callable[[Tx], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    outcome: Any = None
    error: BaseException | None = None


class SqliteDatabase:
    """The embedded database: one file, one writer, readers that never wait for it."""

    def __init__(self, path: Path, on_wake: Wake, *, inline: bool = False) -> None:
        """`inline` runs everything in the caller's thread: for networks on a virtual clock."""
        self._path = path
        self._wake = on_wake
        self._inline = inline
        self._engine = sqlite_engine(path)
        self._connection: Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        # One more than threads: a glance never waits for them to give one back.
        self._reading = sqlite_engine(path, readers=READERS + 1)
        self._readers = ThreadPoolExecutor(READERS, "hub-reader")
        self._closed = False

    async def read(self, body: Callable[[Connection], T]) -> T:
        if self._inline:
            return self._read(body)
        if self._closed:
            raise Unavailable("stopping", "The node is stopping.")
        # One hop to a thread and back per read, whatever the number of its statements.
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, body)

    async def glance(self, body: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Unavailable("stopping", "The node is stopping.")
        return self._read(body)

    def _read(self, body: Callable[[Connection], T]) -> T:
        try:
            with self._reading.connect() as connection, connection.begin():
                return body(connection)
        except DBAPIError as error:
            raise _translated(error) from error

    async def write(self, body: Callable[[Tx], T]) -> T:
        if self._inline:
            return self._write_inline(body)
        if self._closed:
            raise Unavailable("stopping", "The node is stopping; nothing was changed.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        job = _Job(body, loop.create_future(), loop)
        self._jobs.put(job)
        # Shielded: the body may be running already, and a caller that goes away must not
        # make a committed transaction look like one that never happened.
        result: T = await asyncio.shield(job.future)
        return result

    async def changes(self) -> AsyncIterator[set[str]]:
        # SQLite cannot notify another process. data_version is a counter in shared memory:
        # reading it costs microseconds and touches no file.
        async with aiosqlite.connect(self._path) as connection:
            seen = None
            while not self._closed:
                async with connection.execute("PRAGMA data_version") as cursor:
                    version = await cursor.fetchone()
                if seen is not None and version != seen:
                    yield set()
                seen = version
                await asyncio.sleep(0.2)

    async def close(self) -> None:
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        self._reading.dispose()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _write_inline(self, body: Callable[[Tx], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        tx = Tx(self._connection)
        try:
            with self._connection.begin():
                result = body(tx)
                fault("database.before_commit")
            fault("database.after_commit")
        except DBAPIError as error:
            raise _translated(error) from error
        if tx.wakes:
            self._wake(tx.wakes)
        return result

    def _run(self) -> None:
        """The writer thread: take what waits, commit it as one, tell everybody."""
        stopping = False
        while not stopping:
            job = self._jobs.get()
            if job is None:
                return
            group = [job]
            while len(group) < GROUP_LIMIT and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    stopping = True
                    break
                group.append(following)
            wakes = self._commit(group)
            group[0].loop.call_soon_threadsafe(self._settle, group, wakes)

    def _commit(self, group: list[_Job]) -> set[str]:
        wakes: set[str] = set()
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            connection = self._connection
            with connection.begin():
                for job in group:
                    self._run_one(connection, job, wakes)
                fault("database.before_commit")
            fault("database.after_commit")
        except Exception as error:  # noqa: BLE001 - every waiting caller must hear of it
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
            for job in group:
                job.error = job.error or _translated(error)
            return set()
        return wakes

    @staticmethod
    def _run_one(connection: Connection, job: _Job, wakes: set[str]) -> None:
        tx = Tx(connection)
        try:
            with tx.part():
                job.outcome = job.body(tx)
        except OperationalError:
            raise  # disk full, I/O error: the whole group's commit is in doubt
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the outcome
            job.error = error
        else:
            wakes |= tx.wakes

    def _settle(self, group: list[_Job], wakes: set[str]) -> None:
        for job in group:
            if job.future.cancelled():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.outcome)
            fault("database.told_one")
        if wakes:
            self._wake(wakes)


class PostgresDatabase:
    """PostgreSQL, for scale and several processes."""

    CHANNEL: Final = "hub_wake"

    def __init__(self, url: str, on_wake: Wake, on_conflict: Callable[[], None] = _nobody) -> None:
        """`on_conflict` is called whenever a transaction has to be run again."""
        self._url = url
        self._wake = on_wake
        self._on_conflict = on_conflict
        # What a process holds that was cut off in the middle the server gives back to the others.
        give_back = {"idle_in_transaction_session_timeout": str(SILENT_MS)}
        self._engine = create_async_engine(
            url,
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args={"server_settings": give_back},
        )
        event.listen(self._engine.sync_engine, "before_cursor_execute", _before_statement)
        self._closed = False

    async def read(self, body: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                # Else every statement would see a database of its own moment.
                await connection.execution_options(isolation_level="REPEATABLE READ")
                return await connection.run_sync(body)
        except (DBAPIError, OSError) as error:
            raise _pg_translated(error) from error

    async def glance(self, body: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(body)
        except (DBAPIError, OSError) as error:
            raise _pg_translated(error) from error

    async def write(self, body: Callable[[Tx], T]) -> T:
        wakes: set[str] = set()
        committing = False

        def transaction(connection: Connection) -> T:
            wakes.clear()  # of an attempt that met a conflict
            result = body(Tx(connection, wakes))
            for topic in sorted(wakes):
                connection.execute(
                    text("SELECT pg_notify(:channel, :topic)"),
                    {"channel": self.CHANNEL, "topic": topic},
                )
            return result

        # Two transactions that wanted the same rows: the loser runs again, at a random moment.
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_conflict),
            stop=stop_after_attempt(RETRIES),
            wait=wait_random_exponential(multiplier=0.005, max=0.5),
            before_sleep=lambda _attempt: self._on_conflict(),
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    committing = False
                    async with self._engine.begin() as connection:
                        result = await connection.run_sync(transaction)
                        fault("database.before_commit")
                        committing = True
                    fault("database.after_commit")
        except (DBAPIError, OSError) as error:
            translated = _pg_translated(error)
            if committing and isinstance(translated, Unavailable):
                translated = _in_doubt(error)
            raise translated from error
        if wakes:
            self._wake(wakes)
        return result

    async def changes(self) -> AsyncIterator[set[str]]:
        import asyncpg

        heard: asyncio.Queue[set[str]] = asyncio.Queue()
        away = False
        while not self._closed:
            try:
                connection = await asyncpg.connect(self._url.replace("+asyncpg", ""))
                connection.add_termination_listener(lambda _connection: heard.put_nowait(set()))
                await connection.add_listener(
                    self.CHANNEL, lambda _c, _pid, _channel, topic: heard.put_nowait({topic})
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(LISTEN_AGAIN_S)  # it is away, or just starting
                continue
            if away:
                heard.put_nowait(set())  # whatever was woken while nobody listened
            away = True
            try:
                while not connection.is_closed():
                    yield await heard.get()
            finally:
                if not connection.is_closed():
                    await connection.close()

    async def close(self) -> None:
        self._closed = True
        await self._engine.dispose()


def is_trouble(error: BaseException) -> bool:
    """Whether the database failed or took the transaction back, whatever it was about.

    A savepoint saves nothing then: the whole transaction is run again, or given up.
    """
    if isinstance(error, Overtaken | ConnectionError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    # Not every error of a statement is: what one message makes us say must not stop the others.
    if (code := getattr(error.orig, "sqlite_errorcode", None)) is not None:
        return (code & 0xFF) in _SQLITE_AWAY
    return error.connection_invalidated or (_state(error) or "")[:2] in _PG_AWAY


class Overtaken(Unavailable):
    """What the transaction had read was changed before it could lock it: it is run again.

    Only PostgreSQL lets two transactions read at once what one of them changes.
    """

    def __init__(self) -> None:
        super().__init__(
            "database_unavailable",
            "The database does not answer; nothing was changed.",
            after=timedelta(seconds=1),
            because="overtaken",
        )


def _is_conflict(error: BaseException) -> bool:
    """Whether the transaction was taken back for the sake of another one."""
    return isinstance(error, Overtaken) or (
        isinstance(error, DBAPIError) and _state(error) in _PG_CONFLICTS
    )


def _state(error: Exception) -> str | None:
    """PostgreSQL's own code of the error; None where it has none."""
    found: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return found


def _pg_translated(error: Exception) -> Exception:
    state = _state(error)
    if isinstance(error, OSError) or state is None or state[:2] in _PG_AWAY:
        return Unavailable(
            "database_unavailable",
            "The database does not answer; nothing was changed.",
            after=timedelta(seconds=2),
            because=str(error),
        )
    return error


def _in_doubt(error: Exception) -> Unavailable:
    """The line broke between asking for the commit and hearing of it: only a look can tell.

    Workers look by themselves, at positions and ids; programs repeat under their key.
    """
    return Unavailable(
        "outcome_unknown",
        "The database broke off at the commit; whether the change was made is not known.",
        hint="Look before you do it again.",
        after=timedelta(seconds=2),
        because=str(error),
    )


def open_database(
    url: str,
    data: Path,
    on_wake: Wake,
    *,
    inline: bool = False,
    on_conflict: Callable[[], None] = _nobody,
) -> Database:
    """The database a node's settings name: a URL, or the embedded file in its data directory."""
    if url:
        return PostgresDatabase(url, on_wake, on_conflict)
    return SqliteDatabase(data / "hub.db", on_wake, inline=inline)
