"""examples/minimal-peer as an implementation under test: each invitation is a new process."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.implementation import Ability

PEER = Path(__file__).parents[2] / "examples" / "minimal-peer" / "peer.py"


class MinimalPeer:
    """One process per link; it ends when a hand-off was confirmed."""

    name = "minimal-peer"

    def __init__(self) -> None:
        self.cannot = {
            Ability.INVITE: "it takes invitations and makes none",
            Ability.PEOPLE: "it has no people: every offer is accepted, done and resolved at once",
            Ability.HAND_OFF: "it is a contractor only",
            Ability.FILES: "it offers and fetches no files",
            Ability.POLL: "it waits for the node's calls and serves nobody without an address",
            Ability.READ: "it serves no logs and no receipts",
            Ability.FULL: "it knows the straight road through a hand-off and no payload schemas",
            Ability.STRICT: "it leaves out parts of strict JSON, and says so",
            Ability.RESTART: "its keys and positions live in memory",
            Ability.RESTORE: "its keys and positions live in memory",
            Ability.CHAIN: "it hands nothing on",
            Ability.EVIDENCE: "it has a log and no bundle",
        }
        self._processes: list[asyncio.subprocess.Process] = []
        self._said: list[dict[str, Any]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._root = tempfile.TemporaryDirectory(prefix="minimal-peer-")

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._readers)
        self._root.cleanup()

    async def accept(self, code: str) -> None:
        seen = len(self._said)
        log = f"{self._root.name}/{len(self._processes)}.ndjson"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(PEER), code, "--listen", "127.0.0.1:0", "--name", "Мини",
            "--log", log, cwd=self._root.name,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._processes.append(process)
        self._readers.append(asyncio.create_task(self._listen(process)))
        async with asyncio.timeout(20):
            while not any(one["did"] == "linked" for one in self._said[seen:]):
                if process.returncode is not None:
                    raise RuntimeError("it refused the invitation")
                await asyncio.sleep(0.02)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._said.append(json.loads(line))

    async def state(self, handoff: str) -> str:
        """As far as it says: it resolves what it was offered, and says when that is confirmed."""
        about = [one for one in self._said if one.get("handoff") == handoff]
        if any(one["did"] == "confirmed" for one in about):
            return "confirmed"
        return "resolved" if any(one["did"] == "offered" for one in about) else ""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(f"{name}: {self.name} cannot do that; see `cannot`")
