"""Small pictures of images people attached: made once, kept beside the file they are of.

They are nothing but a cache: whoever may see the file may see them, they go when the file goes, and
no backup has them. They are made one after the other in a process of their own (`hub/pictures.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from hub import pictures
from hub.actions.context import Hub
from hub.errors import Unavailable
from hub.logs import get_logger

LARGEST: Final = 64 * 1024**2  # bytes of an image; there is no small picture of a larger one
TIME_S: Final = 15.0
_AT_ONCE: Final = 2
_log = get_logger("hub")


class Thumbnailer:
    """Makes small pictures, a few at a time."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._making: dict[str, asyncio.Lock] = {}

    async def of(self, hub: Hub, sha256: str) -> Path | None:
        """The small picture of this file; None where there is none to be had of it.

        Raises Unavailable where the file is not where it was stored, or no process starts.
        """
        place = hub.blobs.thumbnail(sha256)
        if not hub.blobs.has(sha256):
            raise Unavailable("storage_unavailable", "The file is not where it was stored.")
        lock = self._making.setdefault(sha256, asyncio.Lock())
        try:
            async with lock:
                if not place.exists():
                    async with self._room:
                        await _make(hub, sha256, place)
        finally:
            if not lock.locked():
                self._making.pop(sha256, None)
        return place if place.stat().st_size else None


async def _make(hub: Hub, sha256: str, place: Path) -> None:
    """Have the small picture there, or an empty file that says there is none."""
    made = _new_file_beside(place)
    try:
        code = 1
        if hub.blobs.size(sha256) <= LARGEST:
            code = await _run(hub.blobs.path(sha256), made)
        if code != 0:
            _log.info("no picture", code=code)
        _settle(made, place, keep=code == 0)
    finally:
        made.unlink(missing_ok=True)


def _new_file_beside(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix="making-")
    os.close(handle)
    return Path(name)


def _settle(made: Path, place: Path, *, keep: bool) -> None:
    if not keep:
        made.write_bytes(b"")
    made.replace(place)


async def _run(source: Path, target: Path) -> int:
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", pictures.__name__, str(source), str(target)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**env, "PYTHONUTF8": "1"},
        )
    except OSError as error:
        raise Unavailable(
            "reader_unavailable", "The process that reads images does not start.",
            because=str(error),
        ) from error  # fmt: skip
    try:
        async with asyncio.timeout(TIME_S):
            return await process.wait()
    except TimeoutError:
        return 1
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
