"""A restore is prepared beside what is there and takes its place in one step.

Everything is laid out under `.restoring` in the data directory, or in a database of its own.
The step is one rename of the database: whoever kills us leaves the old node or the new one.
Files have their content for a name and are only ever added. What was there stays, under
`before-restore-…`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub.errors import Conflict, Misconfigured
from hub.faults import fault
from hub.storage import postgres_tools

STAGING: Final = ".restoring"
ASIDE: Final = "before-restore-"
_DATABASE: Final = "hub.db"
_BESIDE: Final = ("-wal", "-shm", "-journal")
_NAME_MAX: Final = 63  # bytes of a PostgreSQL name


class Staging:
    """The room beside a node in which a restore is prepared."""

    def __init__(self, data: Path, url: str, at: datetime) -> None:
        self._data = data
        self._url = url
        self._stamp = f"{at:%Y%m%dT%H%M%S_%f}"  # a restore that was cut off is soon begun again
        self.folder = data / STAGING
        self.aside: list[str] = []  # names of what was there before

    def clear(self) -> None:
        """Make the room empty; what an interrupted restore left in it is dropped."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for left in self._data.glob(f"{ASIDE}*"):
            # Set aside for a step that was never made: it is still the node's own database.
            if _same(left / _DATABASE, self._data / _DATABASE):
                shutil.rmtree(left)
        self.folder.mkdir(mode=0o700)

    @property
    def url(self) -> str:
        """The address of the database that is being prepared; empty: the file in `folder`."""
        if not self._url:
            return ""
        parsed = make_url(self._url)
        name = _named(str(parsed.database), "_restoring")
        return parsed.set(database=name).render_as_string(hide_password=False)

    async def load_postgres(self, dump: Path) -> None:
        """Fill a fresh database with this dump. Raises Misconfigured where that is not allowed."""
        fresh = _quoted(make_url(self.url).database)

        async def make(connection: Any) -> int:
            old = await connection.execute(
                text(
                    "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database"
                    " WHERE datname = :name"
                ),
                {"name": make_url(self._url).database},
            )
            how = ""
            if found := old.one_or_none():
                said = [str(one).replace("'", "''") for one in found]
                how = " ENCODING '{}' LC_COLLATE '{}' LC_CTYPE '{}'".format(*said)
            await connection.execute(text(f"DROP DATABASE IF EXISTS {fresh}"))
            await connection.execute(text(f"CREATE DATABASE {fresh} TEMPLATE template0{how}"))
            version = await connection.scalar(text("SHOW server_version_num"))
            return int(str(version)) // 10_000

        server = await self._on_server(make)
        await postgres_tools.load(self.url, dump, server)

    async def drop_postgres(self) -> None:
        """Let the database that was being prepared go."""
        fresh = _quoted(make_url(self.url).database)

        async def drop(connection: Any) -> None:
            await connection.execute(text(f"DROP DATABASE IF EXISTS {fresh}"))

        await self._on_server(drop)

    async def swap(self) -> None:
        """Put what was prepared in the place of what is there: the one step.

        Raises Conflict(database_in_use) where somebody still has the old database open.
        """
        await asyncio.to_thread(self._lay_files)
        fault("restore.files_laid")
        if self._url:
            await self._swap_postgres()
        else:
            await asyncio.to_thread(self._swap_sqlite)
        fault("restore.swapped")
        await asyncio.to_thread(self._keep_files)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lay_files(self) -> None:
        """Add the files of the backup to those that are here; nothing is taken away."""
        prepared = self.folder / "files"
        for source in sorted(prepared.glob("*/*")):
            target = self._data / source.relative_to(self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            # The hash of the new one was just checked; that of one with the same name was not.
            source.replace(target)
            os.utime(target)  # it is wanted from now on: nobody collects it as forgotten
        for folder in {self._data / "files", *(self._data / "files").glob("*")}:
            if folder.is_dir():
                _sync(folder)

    def _swap_sqlite(self) -> None:
        prepared, there = self.folder / _DATABASE, self._data / _DATABASE
        with _to_itself(there) as whole:
            if there.exists():
                aside = self._data / f"{ASIDE}{self._stamp}"
                aside.mkdir(mode=0o700)
                self.aside.append(str(aside))
                _keep(there, aside / _DATABASE)
                for end in _BESIDE:
                    beside = there.with_name(_DATABASE + end)
                    # Of a database too damaged to be closed in order. Beside the new one it
                    # would be read as part of it.
                    if beside.exists() and not whole:
                        _keep(beside, aside / beside.name)
                        beside.unlink()
                _sync(aside)
            fault("restore.set_aside")
            prepared.replace(there)
            _sync(self._data)

    def _keep_files(self) -> None:
        """Let the old database keep its files, which the new one may not know."""
        aside = self._data / f"{ASIDE}{self._stamp}"
        for one in sorted((self._data / "files").glob("*/*")) if self.aside else ():
            if one.parent.name != "partial":
                _keep(one, aside / one.relative_to(self._data))

    async def _swap_postgres(self) -> None:
        there = str(make_url(self._url).database)
        aside = _named(there, f"_before_{self._stamp}".lower())

        async def both(connection: Any) -> bool:
            old = await connection.scalar(
                text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": there}
            )
            fault("restore.set_aside")
            # Names of databases change by transaction, like rows: both or neither.
            if old:
                await connection.execute(
                    text(f"ALTER DATABASE {_quoted(there)} RENAME TO {_quoted(aside)}")
                )
            fresh = _quoted(make_url(self.url).database)
            await connection.execute(text(f"ALTER DATABASE {fresh} RENAME TO {_quoted(there)}"))
            return bool(old)

        if await self._on_server(both, together=True):
            self.aside.append(aside)

    async def _on_server(self, body: Any, *, together: bool = False) -> Any:
        """Run this beside the node's database, in which nobody may be while it is renamed."""
        beside = make_url(self._url).set(database="postgres")
        level = {} if together else {"isolation_level": "AUTOCOMMIT"}
        engine = create_async_engine(beside, poolclass=NullPool, **level)
        try:
            async with engine.begin() as connection:
                return await body(connection)
        except (DBAPIError, OSError) as error:
            state = getattr(getattr(error, "orig", None), "sqlstate", None)
            if state == "55006":  # object_in_use
                raise Conflict(
                    "database_in_use",
                    "Somebody still has the database open; nothing was changed.",
                    hint="Stop every process of this node, also on other machines.",
                    because=str(error),
                ) from error
            raise Misconfigured(
                "database_not_ours",
                "The databases of the server cannot be changed; nothing was restored.",
                hint="The user of the database must own it and have the right CREATEDB.",
                because=str(error),
            ) from error
        finally:
            await engine.dispose()


@contextlib.contextmanager
def _to_itself(path: Path) -> Iterator[bool]:
    """Have a SQLite database for oneself, its log written into it; False where it is no database.

    Raises Conflict(database_in_use).
    """
    if not path.exists():
        yield False
        return
    with contextlib.closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as connection:
        whole = True
        try:
            # Only the last one who has it open can do this.
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise Conflict(
                    "database_in_use",
                    "Somebody still has the database open; nothing was changed.",
                    hint="Stop every process of this node, also on other machines.",
                    because=str(error),
                ) from error
            whole = False
        except sqlite3.DatabaseError:
            whole = False
        yield whole


def _keep(source: Path, target: Path) -> None:
    """The same file under a second name, without a copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(database: str, end: str) -> str:
    return database.encode()[: _NAME_MAX - len(end)].decode(errors="ignore") + end


def _quoted(name: str | None) -> str:
    return '"' + str(name).replace('"', '""').replace(":", r"\:") + '"'
