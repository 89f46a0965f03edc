"""Which process is the first at work on a database: it begins a run of the node, others join.

The proof of presence is a lock that the operating system (SQLite) or the server (PostgreSQL)
takes back by itself when its holder dies, so no clock and no list of processes is trusted.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from hub.logs import get_logger

Begin = Callable[[], Awaitable[object]]
_PLACE: Final = 0x68_75_62_01  # the advisory lock's number: "hub", 1
_TRY_AGAIN_S: Final = 1.0
_log = get_logger("hub.storage")


class Presence(Protocol):
    """One process among those that work on one database."""

    async def keep(self, begin: Begin, joined: asyncio.Event) -> None:
        """Be present until cancelled; `begin` is called whenever nobody else was.

        `joined` is set once a run is known to have begun, by us or by another.
        """
        ...


class FilePresence:
    """A lock on a file beside the embedded database."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, begin: Begin, joined: asyncio.Event) -> None:
        """See Presence."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _alone(handle):
                await begin()
            # Waits while another process begins the run. From here on we share.
            await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_SH)
            joined.set()
            await asyncio.Event().wait()
        finally:
            os.close(handle)


def _alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class PostgresPresence:
    """An advisory lock of a session. With the session it ends, so a failover begins a run."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")

    async def keep(self, begin: Begin, joined: asyncio.Event) -> None:
        """See Presence."""
        import asyncpg

        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    await self._session(connection, begin, joined)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("database session lost", because=str(error))
                await asyncio.sleep(_TRY_AGAIN_S)

    @staticmethod
    async def _session(connection: Any, begin: Begin, joined: asyncio.Event) -> None:
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _PLACE):
            await begin()
            await connection.execute("SELECT pg_advisory_lock_shared($1)", _PLACE)
            await connection.execute("SELECT pg_advisory_unlock($1)", _PLACE)
        else:
            await connection.execute("SELECT pg_advisory_lock_shared($1)", _PLACE)
        joined.set()
        await ended.wait()


def open_presence(url: str, data: Path) -> Presence:
    """The presence of this process on the database that the settings name."""
    return PostgresPresence(url) if url else FilePresence(data / "run.lock")
