"""A PostgreSQL of our own, that is stopped as by a crash and whose sessions are ended: F9."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.torture.nodes import Broken, free_port
from tools.torture.rig import Outcome, pair

_WORK_S: Final = (0.2, 3.0)  # between two breaks: pools fill again, and something gets done


class Cluster:
    """One server on a port of its own, in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self._root, self._data = root, root / "data"
        self._port = free_port()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        near = shutil.which("pg_ctl")
        self._bin = found[-1].parent if found else Path(near).parent if near else None
        self._made = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Up, and gone at the end; what is yielded says why that is impossible, or nothing."""
        why = self._why_not()
        if why:
            yield why
            return
        self._root.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            for folder in (self._root, *self._root.parents[:2]):
                folder.chmod(folder.stat().st_mode | 0o011)
            shutil.chown(self._root, "postgres")
        self._ctl("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N")
        self.start()
        try:
            yield ""
        finally:
            with contextlib.suppress(Broken):
                self.stop_now()

    def _why_not(self) -> str:
        if self._bin is None:
            return "there are no PostgreSQL programs here"
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            return "PostgreSQL does not run as root, and there is no setpriv"
        return ""

    def _ctl(self, program: str, *argv: str) -> None:
        assert self._bin is not None
        before = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            if os.geteuid() == 0
            else []
        )
        done = subprocess.run(
            [*before, str(self._bin / program), *argv],
            cwd=self._root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise Broken(f"{program} {' '.join(argv)}: {done.returncode}")

    def start(self) -> None:
        """Up, and answering."""
        how = f"-p {self._port} -k {self._root} -c listen_addresses=127.0.0.1"
        log = str(self._root / "log")
        self._ctl("pg_ctl", "-D", str(self._data), "-o", how, "-l", log, "-w", "start")

    def stop_now(self) -> None:
        """Down without a farewell: whatever was not in its log is gone."""
        self._ctl("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def fresh(self) -> str:
        """The address of a new, empty database."""
        self._made += 1
        name = f"torture{self._made}"
        self._say(f"CREATE DATABASE {name}")
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self._port}/{name}"

    def end_sessions(self) -> None:
        """Terminate every session but the one that says so."""
        self._say(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )

    def _say(self, statement: str) -> None:
        import asyncpg

        async def say() -> None:
            where = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
            connection = await asyncpg.connect(where)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(say())


def failovers(outcome: Outcome, root: Path, seed: int, count: int, cluster: Cluster) -> None:
    """The database of both nodes is crashed, or their sessions are ended, `count` times."""
    chance = random.Random(seed)
    databases = (cluster.fresh(), cluster.fresh())
    with pair(root, seed, databases=databases) as two:
        stopped = ended = 0
        stop = threading.Event()
        failed: list[BaseException] = []

        def break_it() -> None:
            nonlocal stopped, ended
            try:
                while stopped + ended < count and not stop.is_set():
                    time.sleep(chance.uniform(*_WORK_S))
                    if stopped <= ended:
                        cluster.stop_now()
                        time.sleep(chance.uniform(0.0, 0.4))
                        cluster.start()
                        stopped += 1
                    else:
                        cluster.end_sessions()
                        ended += 1
            except BaseException as error:  # noqa: BLE001 - handed to the section
                failed.append(error)

        breaker = threading.Thread(target=break_it, daemon=True)
        breaker.start()
        n = 0
        try:
            while breaker.is_alive():
                two.driver.round(n)
                n += 1
        finally:
            stop.set()
            breaker.join(30)
        if failed:
            raise Broken(str(failed[0]))
        outcome.figures |= {"stopped_immediate": stopped, "sessions_ended": ended}
        two.finish(outcome)
