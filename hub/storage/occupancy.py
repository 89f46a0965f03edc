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

from hub.errors import Conflict, HubError, Unavailable

LOCK_NAME: Final = "node.lock"


@contextlib.contextmanager
def shared(data: Path) -> Iterator[None]:
    """Work in the directory beside others. Raises Unavailable while it is being restored."""
    try:
        handle = _open(data)
    except OSError:
        yield  # there is no directory to work in, or no right: whoever opens the node says it
        return
    refusal = Unavailable(
        "restoring",
        "The node in {path} is being restored from a backup.",
        hint="Try again when that is done.",
        path=str(data),
    )
    with _locked(handle, fcntl.LOCK_SH, refusal):
        yield


@contextlib.contextmanager
def alone(data: Path) -> Iterator[None]:
    """Be the only one in the directory. Raises Conflict while anybody else is."""
    refusal = Conflict(
        "node_running",
        "A process is at work on the node in {path}.",
        hint="Stop it first (hub serve, hub work), then restore.",
        path=str(data),
    )
    with _locked(_open(data), fcntl.LOCK_EX, refusal):
        yield


def _open(data: Path) -> int:
    return os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _locked(handle: int, how: int, refusal: HubError) -> Iterator[None]:
    try:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except OSError as error:
            refusal.because = str(error)
            raise refusal from error
        yield
    finally:
        os.close(handle)  # and with it the lock
