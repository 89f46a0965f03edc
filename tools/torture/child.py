"""A process of the hub, forked from one that has loaded the program already.

Each is a process of its own with its own memory, files and connections, and runs the hub's own
entry; only the second of loading Python modules is spared, three hundred times.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import alembic.command
import asyncpg
from aiohttp import web

from hub import app, faults
from hub.__main__ import main
from hub.api import server as api_server
from hub.cli import node, root, token
from hub.console import health
from hub.federation import server
from hub.storage import database
from hub.workers import cranks

LOADED: Final = (
    alembic.command, asyncpg, web, app, api_server, node, root, token, health, server, cranks,
)  # fmt: skip
"""What a node imports when it begins, loaded before the fork."""


class Program(StrEnum):
    """What the process runs."""

    HUB = "hub"  # as it is
    COUNTING = "counting"  # and writes how often each fault point was passed when it ends
    WORK = "work"  # only its workers, where it is told to serve
    UNSAFE = "unsafe"  # as it must never run: SQLite does not wait for the disk


_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)
COUNTS: Final = "counts.json"  # in the data directory
_safe = database._sqlite_pragmas


def _unsafe(connection: Any, record: Any) -> None:
    _safe(connection, record)
    connection.execute("PRAGMA synchronous=OFF")


def run(
    program: Program, argv: Sequence[str], environment: Mapping[str, str], out: str, err: str
) -> None:
    """Be the hub with these arguments, from the fork to the end."""
    # Whoever interrupts the torture leaves no node behind.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((os.devnull, 0), (out, 1), (err, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    if program is Program.WORK and argv[0] == "serve":
        argv = ("work",)
    sys.argv = ["hub", *argv]
    faults.strike = faults._from_environment()
    if program is Program.UNSAFE:
        # A rig that cannot lose what was never synced proves nothing about what was.
        database._sqlite_pragmas = _unsafe
    if program is not Program.COUNTING:
        main()
        return
    passed: Counter[str] = Counter()
    faults.strike = lambda point: passed.update([point])
    try:
        main()
    finally:
        counts = Path(environment["HUB_DATA"]) / COUNTS
        counts.write_text(json.dumps(passed), encoding="utf-8")
