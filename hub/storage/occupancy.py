"""Who is at work in a data directory: any number of processes, or one restore alone.

Every process that opens the node shares one lock; a restore needs it for itself. The operating
system gives it back when a process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hub.errors import Conflict, Unavailable

LOCK_NAME: Final = "node.lock"


@contextlib.contextmanager
def shared(data: Path) -> Iterator[None]:
    """Work in the directory beside others. Raises Unavailable while it is being restored."""
    try:
        handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield  # there is no directory to work in, or no right: whoever opens the node says it
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise Unavailable(
                "restoring",
                "The node in {path} is being restored from a backup.",
                hint="Try again when that is done.",
                because=str(error),
                path=str(data),
            ) from error
        yield
    finally:
        os.close(handle)  # and with it the lock


@contextlib.contextmanager
def alone(data: Path) -> Iterator[None]:
    """Be the only one in the directory. Raises Conflict while anybody else is."""
    handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                "node_running",
                "A process is at work on the node in {path}.",
                hint="Stop it first (hub serve, hub work), then restore.",
                because=str(error),
                path=str(data),
            ) from error
        yield
    finally:
        os.close(handle)
