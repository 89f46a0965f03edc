"""Real nodes: `hub serve` as a process, killed, restarted, and asked from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.torture.child import Program, run

_HURRY: Final = {  # a torture has no quarter of an hour between two tries
    "HUB_LIMITS__RETRY_BASE_S": "0.2",
    "HUB_LIMITS__RETRY_CAP_S": "1",
    "HUB_NETWORK__CONNECT_TIMEOUT_S": "2",
    "HUB_NETWORK__TOTAL_TIMEOUT_S": "5",
    "HUB_LOG__LEVEL": "warning",
    "HUB_LOG__FORMAT": "json",
    "HUB_LANG": "en",
}
_PROCESSES: Final = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tools.torture.child"])
# 255: the server of forks died or lost sight of it; the hub itself never ends so.
_KILLED: Final = frozenset({-signal.SIGKILL, 255})
_PATIENCE_S: Final = 90.0


class Broken(Exception):  # noqa: N818 - what happened
    """Something that must hold does not, or the rig itself cannot go on."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Death:
    """How a process is to end: at a point of the registry, or after a time."""

    point: str = ""
    nth: int = 1
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.point}:{self.nth}" if self.point else "any time"


@dataclass
class Node:
    """One company's node: a process that comes back whenever it dies."""

    name: str
    data: Path
    log: Path
    database: str = ""  # a PostgreSQL address; else SQLite in the data directory
    port: int = field(default_factory=free_port)
    door: int = 0  # the port peers know: a proxy's, else our own
    outbound_only: bool = False  # nobody can call it: it collects what is for it
    program: Program = Program.HUB
    deaths: deque[Death] = field(default_factory=deque)  # to come, in this order
    died: Counter[str] = field(default_factory=Counter)  # how processes ended, beside `stop`
    kills: int = 0
    token: str = ""
    armed: Death | None = None  # how the present process is to end
    pid: int = 0  # of the present process; 0 while there is none
    _keeper: threading.Thread | None = None
    _stopping: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        """The address peers pin."""
        return f"http://127.0.0.1:{self.door or self.port}"

    def _process(self, argv: Sequence[str], out: str, crash_at: str = "") -> Any:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        mine |= _HURRY | {"HUB_DATA": str(self.data)}
        if self.database:
            mine["HUB_DATABASE__URL"] = self.database
        if crash_at:
            mine["HUB_CRASH_AT"] = crash_at
        process = _PROCESSES.Process(
            target=run, args=(self.program, argv, mine, out, str(self.log)), daemon=True
        )
        process.start()
        return process

    def run(self, *argv: str, crash_at: str = "") -> tuple[int, str]:
        """One command of this node, to its end: exit code and standard output."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as out:
            process = self._process(argv, out.name, crash_at)
            process.join(_PATIENCE_S)
            if process.exitcode is None:
                process.kill()
                raise Broken(f"{self.name}: {' '.join(argv)} does not end")
            return process.exitcode, out.read()

    def say(self, *argv: str) -> Any:
        """A command that must succeed; its document."""
        code, out = self.run(*argv, "--json")
        if code != 0:
            raise Broken(f"{self.name}: {' '.join(argv)}: {code} {out[-500:]}")
        return json.loads(out)

    def found(self) -> None:
        """Make the node and a token for the driver."""
        if self.init() != 0:
            raise Broken(f"{self.name} cannot be made")
        self.token = self.say("token", "new", "torture")["token"]

    def init(self, crash_at: str = "") -> int:
        """Run `hub init` once; its exit code."""
        listen = f"127.0.0.1:{self.port}"
        how = ("--name", self.name, "--url", self.url, "--listen", listen, "--json")
        hidden = ("--outbound-only",) if self.outbound_only else ()
        return self.run("init", *how, *hidden, crash_at=crash_at)[0]

    def start(self) -> None:
        """Serve, and serve again whenever the process dies, until `stop`."""
        self._stopping = False
        self._keeper = threading.Thread(target=self._keep, args=(self._launch(),), daemon=True)
        self._keeper.start()

    def _launch(self) -> Any:
        with self._lock:
            armed = self.armed = self.deaths.popleft() if self.deaths else None
            process = self._process(
                ("serve", "--listen", f"127.0.0.1:{self.port}"),
                os.devnull,
                str(armed) if armed and armed.point else "",
            )
            self.pid = process.pid
        if armed and not armed.point:
            timer = threading.Timer(armed.after_s, self._kill, (process.pid,))
            timer.daemon = True
            timer.start()
        return process

    def _keep(self, process: Any) -> None:
        while True:
            process.join()
            with self._lock:
                self.pid = 0
                if self._stopping:
                    return
                if process.exitcode in _KILLED:
                    self.kills += 1
                    self.died[str(self.armed) if self.armed else "by hand"] += 1
                else:
                    self.died[f"exit {process.exitcode}"] += 1
                    time.sleep(0.3)  # a node that cannot start is asked again, not in a circle
                process = self._launch()

    def _kill(self, pid: int) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            if pid and pid == self.pid:
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process without a farewell; the keeper starts the next."""
        self._kill(self.pid)

    def stop(self, *, at_once: bool = False) -> None:
        """End the process and do not start another."""
        with self._lock:
            self._stopping = True
            if self.pid:
                os.kill(self.pid, signal.SIGKILL if at_once else signal.SIGTERM)
        if self._keeper is None:
            return
        self._keeper.join(60)
        if self._keeper.is_alive():
            self._kill(self.pid)
            raise Broken(f"{self.name} does not stop when it is asked to")

    def until_ready(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.request("GET", "/api/v1/links", b"", {})[0] == 200:
                    return
            if time.monotonic() > deadline:
                raise Broken(f"{self.name} does not come up: {dict(self.died)}")
            time.sleep(0.05)

    def request(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """One request to its API, by its own port. Raises OSError, HTTPException."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            line.request(
                method,
                path,
                body or None,
                {"Authorization": f"Bearer {self.token}", **headers},
            )
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()


def any_time(chance: random.Random) -> Death:
    """A death at no named point, within the first seconds of work."""
    return Death(after_s=chance.uniform(0.8, 4.0))
