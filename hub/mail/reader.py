"""Reads letters in a process of their own, within a time: a letter that takes longer is unreadable.

The process is started when it is needed, begun anew after a letter that broke it, and after many
that did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hub.domain.desk_letter import DeskLetter
from hub.domain.letter import Address, Automatic, Bounce, Letter, LetterFile, Wrapping
from hub.domain.ticket import Priority, TicketStatus
from hub.errors import Unavailable
from hub.logs import get_logger
from hub.mail.parse import Unreadable
from hub.mail.profile import Profile

READ_S: Final = 10.0  # one letter
START_S: Final = 30.0
LETTERS: Final = 500  # that one process reads
_LINE_MAX: Final = 32 * 1024 * 1024  # of an answer: texts are bounded, escapes are long
_log = get_logger("hub.mail")


class Reader:
    """One reading process at a time."""

    def __init__(self, profiles: Sequence[Profile] = (), read_s: float = READ_S) -> None:
        """`profiles` of customers' desks, by which their letters are read."""
        self._profiles = json.dumps([one.model_dump(mode="json") for one in profiles])
        self._read_s = read_s
        self._process: asyncio.subprocess.Process | None = None
        self._done = 0
        self._turn = asyncio.Lock()

    async def read(self, path: Path, into: Path) -> Letter:
        """The letter in this file; its parts are written into the folder.

        Raises Unreadable where it is the letter's doing, Unavailable where it is ours.
        """
        async with self._turn:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            asked = json.dumps({"path": str(path), "into": str(into)}) + "\n"
            try:
                async with asyncio.timeout(self._read_s):
                    process.stdin.write(asked.encode())
                    await process.stdin.drain()
                    line = await process.stdout.readline()
            except TimeoutError:
                await self.close()
                raise Unreadable(f"reading it took longer than {self._read_s:g} s") from None
            except (ConnectionError, ValueError, asyncio.LimitOverrunError) as error:
                await self.close()
                raise Unreadable("it broke the process that read it") from error
            except asyncio.CancelledError:
                await self.close()  # its answer would be taken for the next one's
                raise
            self._done += 1
            if not line:
                await self.close()
                raise Unreadable("it broke the process that read it")
            if self._done >= LETTERS:
                await self.close()
        answer = json.loads(line)
        if "letter" not in answer:
            raise Unreadable(str(answer.get("unreadable", "")))
        return letter_of(answer["letter"])

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hub.mail.reading",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LINE_MAX,
                env={**env, "PYTHONUTF8": "1"},
            )
            assert process.stdin is not None
            assert process.stdout is not None
            self._process, self._done = process, 0
            async with asyncio.timeout(START_S):
                process.stdin.write(self._profiles.encode() + b"\n")
                await process.stdin.drain()
                begun = await process.stdout.readline()
        except (OSError, TimeoutError) as error:
            await self.close()
            raise _no_reader(str(error)) from error
        if begun.strip() != b"ready":
            await self.close()
            raise _no_reader("it did not start")
        return process

    async def close(self) -> None:
        """Let the process end, whatever it is at."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()


def _no_reader(because: str) -> Unavailable:
    return Unavailable(
        "reader_unavailable", "The process that reads letters does not start.", because=because
    )


def letter_of(said: dict[str, Any]) -> Letter:
    """The letter as the other process told it."""
    return Letter(
        **{
            **said,
            "author": None if said["author"] is None else Address(**said["author"]),
            **{
                name: tuple(Address(**one) for one in said[name])
                for name in ("to", "cc", "reply_to")
            },
            "date": None if said["date"] is None else datetime.fromisoformat(said["date"]),
            **{name: tuple(said[name]) for name in ("in_reply_to", "references", "verdicts")},
            "files": tuple(LetterFile(**one) for one in said["files"]),
            "wrappings": frozenset(Wrapping(one) for one in said["wrappings"]),
            "automatic": None if said["automatic"] is None else Automatic(said["automatic"]),
            "bounces": tuple(Bounce(**one) for one in said["bounces"]),
            "lines": tuple((name, value) for name, value in said["lines"]),
            "desk": None if said["desk"] is None else _desk(said["desk"]),
        }
    )


def _desk(said: dict[str, Any]) -> DeskLetter:
    return DeskLetter(
        **{
            **said,
            "priority": None if said["priority"] is None else Priority(said["priority"]),
            "status": None if said["status"] is None else TicketStatus(said["status"]),
            "due_at": None if said["due_at"] is None else datetime.fromisoformat(said["due_at"]),
        }
    )
