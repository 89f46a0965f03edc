"""Databases for networks of real nodes: every journey runs on each of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub.storage import migrate
from hub.storage.tables import metadata
from tests.kit import lock_order
from tests.kit.story import Story

POSTGRES = os.environ.get("HUB_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432").rstrip("/")
NO_POSTGRES = f"NO POSTGRESQL SERVER answers at {POSTGRES}: nothing was tested on PostgreSQL"
PROBE_S = 3.0
ROOM = 2 * 1024**3

T = TypeVar("T")


def _apart(work: Callable[[], Awaitable[T]]) -> T:
    """Run this in a loop of its own, whatever loop the test has."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        async def main() -> T:
            return await work()

        try:
            done.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - handed on below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


@dataclass
class PostgresServer:
    """A server with databases of our own, copied from one that was migrated once.

    Copying takes half a second, emptying a few milliseconds: databases are used again, empty,
    by the tests of one run, and dropped at its end.
    """

    template: str
    free: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    async def new_database(self, _data: Path) -> str:
        """A migrated, empty database that no other node has; its URL."""
        if self.free:
            name = self.free.pop()
        else:
            name = f"hub_test_{uuid.uuid4().hex}"
            await self.say(
                "postgres",
                f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"',
                # A test that loses power is run again.
                f'ALTER DATABASE "{name}" SET synchronous_commit = off',
            )
        self.used.append(name)
        return _url(name)

    async def take_back(self) -> None:
        """Empty every database in use."""
        names, self.used = self.used, []
        everything = [f'DELETE FROM "{one.name}"' for one in reversed(metadata.sorted_tables)]
        for name in names:
            # The audit log cannot be emptied otherwise: replicas do not ask its trigger.
            quiet = ["SET lock_timeout = '5s'", "SET session_replication_role = replica"]
            await self.say(name, "; ".join([*quiet, *everything]))
            self.free.append(name)

    async def drop_all(self) -> None:
        """Drop every database made in this run."""
        names = [*self.free, *self.used, self.template]
        await self.say(
            "postgres", *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names)
        )

    @staticmethod
    async def say(database: str, *statements: str) -> None:
        """Run these, one by one."""
        import asyncpg

        connection = await asyncpg.connect(f"{POSTGRES}/{database}", timeout=PROBE_S)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def _url(name: str) -> str:
    return f"{POSTGRES.replace('postgresql://', 'postgresql+asyncpg://', 1)}/{name}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer | None]:
    """The server, or None where nobody answers."""
    try:
        import asyncpg
    except ImportError:
        yield None
        return
    server = PostgresServer(f"hub_test_template_{uuid.uuid4().hex}")
    try:
        _apart(lambda: server.say("postgres", f'CREATE DATABASE "{server.template}"'))
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InvalidPasswordError):
        if os.environ.get("HUB_REQUIRE_POSTGRES"):
            pytest.fail(f"{NO_POSTGRES}, and HUB_REQUIRE_POSTGRES is set")
        yield None
        return
    try:
        _apart(lambda: migrate.upgrade(_url(server.template), Path()))
        yield server
    finally:
        _apart(server.drop_all)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file."""
    data = tmp_path_factory.mktemp("template")
    _apart(lambda: migrate.upgrade("", data))
    return data / "hub.db"


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is room: nodes write through to the disk at every step."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < ROOM:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="hub-test-") as path:
        yield Path(path)


@pytest.fixture(autouse=True)
def _locks_in_order(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test on PostgreSQL is about: its transactions lock in the one order."""
    if request.node.get_closest_marker("postgres") is None:
        yield
        return
    with lock_order.watched() as wrong:
        yield
    assert not wrong, "\n".join(sorted(set(wrong)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On both databases, unless the test says that one is enough, or which."""
    if "databases" not in metafunc.fixturenames:
        return
    wanted: list[Any] = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
    if metafunc.definition.get_closest_marker("one_database") is not None:
        wanted = wanted[:1]
    elif metafunc.definition.get_closest_marker("postgres") is not None:
        wanted = wanted[1:]
    metafunc.parametrize("databases", wanted, indirect=True)


NewDatabase = Callable[[Path], Awaitable[str]]


@pytest.fixture
async def databases(request: pytest.FixtureRequest) -> AsyncIterator[NewDatabase]:
    """What prepares the database of a node in its data directory; its URL, empty for SQLite."""
    if request.param == "postgres":
        server: PostgresServer | None = request.getfixturevalue("postgres_server")
        if server is None:
            pytest.skip(NO_POSTGRES)
        yield server.new_database
        await server.take_back()
        return
    template: Path = request.getfixturevalue("sqlite_template")

    async def copied(data: Path) -> str:
        shutil.copy(template, data / "hub.db")
        return ""

    yield copied


@pytest.fixture
async def network(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Story]:
    """An empty network; at the end of the story its books are checked."""
    story = Story(quick_path, databases)
    try:
        yield story
        await story.check_books()
    finally:
        await story.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say on which databases the networks of this run lived, and loudly where on one less."""
    ran = {"sqlite": 0, "postgres": 0}
    skipped = {"sqlite": 0, "postgres": 0}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            nodeid = getattr(report, "nodeid", "")
            for name in ran:
                if f"[{name}" not in nodeid and f"-{name}]" not in nodeid:
                    continue
                if outcome == "skipped":
                    skipped[name] += 1
                elif getattr(report, "when", None) == "call":
                    ran[name] += 1
    if not any((*ran.values(), *skipped.values())):
        return
    parts = [f"{name}: {count} tests ran" for name, count in ran.items() if count]
    parts += [f"{name}: {count} TESTS SKIPPED" for name, count in skipped.items() if count]
    terminalreporter.write_line("databases - " + "; ".join(parts), bold=True)
    if skipped["postgres"] and not ran["postgres"]:
        terminalreporter.write_line(NO_POSTGRES, red=True, bold=True)
