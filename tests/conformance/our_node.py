"""Our own node as a black box: a process of `hub serve`, its command line and its API.

The only file of the suite that knows the hub, and it knows no module of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from tests.conformance.implementation import Ability

SCOPES = {
    "as_principal": {"messages_per_minute": 1_000_000, "max_open": 100_000},
    "as_contractor": {"messages_per_minute": 1_000_000, "max_open": 100_000},
}
WORDS: dict[str, dict[str, Any]] = {
    "decline": {"text": "Не можем"},
    "pend": {"reason": "awaiting_parts"},
    "resolve": {"resolution": "Сделано"},
    "hand-back": {"reason": "Не можем"},
    "return": {"reason": "Не работает"},
    "cancel": {"reason": "Уже не нужно"},
    "retract": {"reason": "Рано"},
    "refuse-cancel": {"text": "Почти готово"},
}
QUICK = {
    "HUB_LIMITS__RETRY_BASE_S": "0.05",
    "HUB_LIMITS__RETRY_CAP_S": "1",
    # The suite is one stranger after the other, all from one address.
    "HUB_LIMITS__STRANGER_CALLS_PER_MINUTE": "100000",
    "HUB_LIMITS__UNPROVEN_CALLS_PER_MINUTE_PER_LINK": "100000",
}
READY_S = 30


class OurNode:
    """`hub serve` in a directory of its own."""

    name = "hub"

    def __init__(self) -> None:
        self.cannot: dict[Ability, str] = {}
        self._root = Path(tempfile.mkdtemp(prefix="hub-conformance-"))
        self._data, self._copy = self._root / "node", self._root / "copy"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tickets: dict[str, str] = {}  # hand-off → ticket

    async def start(self) -> None:
        await self._hub("init", "--name", "Проверяемый узел", "--url", self._url,
                        "--admin-name", "Диспетчер")  # fmt: skip
        token = (await self._hub("token", "new", "conformance"))["token"]
        self._session = aiohttp.ClientSession(
            self._url,
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(force_close=True),  # else a stopping node waits for us
        )
        try:
            await self._hub("evidence", "export", "--ticket", "T-0", "-o", str(self._root / "none"))
        except RuntimeError as error:
            if "No such command" in str(error):
                self.cannot[Ability.EVIDENCE] = "this build has no `hub evidence`"
        await self._serve()

    async def stop(self) -> None:
        await self._end()
        if self._session is not None:
            await self._session.close()
        shutil.rmtree(self._root, ignore_errors=True)

    async def invite(self, peer: str) -> str:
        return str((await self._api("POST", "/invitations", peer=peer, scopes=SCOPES))["code"])

    async def accept(self, code: str) -> None:
        await self._api("POST", "/links", code=code, scopes=SCOPES, confirm=True)

    async def hand_off(self, link: str, title: str, **details: Any) -> str:
        ticket = await self._api("POST", "/tickets", title=title, **details)
        return await self._offer(ticket["id"], link)

    async def hand_on(self, handoff: str, link: str) -> str:
        return await self._offer(await self._ticket_of(handoff), link)

    async def _offer(self, ticket: str, link: str) -> str:
        made = await self._api("POST", f"/tickets/{ticket}/handoffs", peer=link)
        self._tickets[made["id"]] = ticket
        return str(made["id"])

    async def act(self, handoff: str, step: str) -> None:
        verb = step.replace("_", "-")
        await self._api("POST", f"/handoffs/{handoff}/{verb}", **WORDS.get(verb, {}))

    async def state(self, handoff: str) -> str:
        status, found = await self._request("GET", f"/handoffs/{handoff}")
        return "" if status == 404 else str(found["state"])

    async def ticket(self, handoff: str) -> dict[str, Any]:
        found = await self._api("GET", f"/tickets/{await self._ticket_of(handoff)}")
        files = [*found["attachments"], *(f for c in found["comments"] for f in c["attachments"])]
        return {
            "title": found["title"],
            "comments": [one["body"] for one in found["comments"] if not one["redacted"]],
            "files": {one["name"]: one["state"] for one in files},
        }

    async def comment(self, handoff: str, body: str, *, public: bool) -> None:
        ticket = await self._ticket_of(handoff)
        visibility = "public" if public else "internal"
        await self._api("POST", f"/tickets/{ticket}/comments", body=body, visibility=visibility)

    async def attach(self, handoff: str, name: str, content: bytes) -> None:
        ticket = await self._ticket_of(handoff)
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name)
        assert self._session is not None
        async with self._session.post(f"/api/v1/tickets/{ticket}/files", data=form) as answer:
            assert answer.status < 300, await answer.text()

    async def restart(self) -> None:
        await self._end()
        await self._serve()

    async def snapshot(self) -> None:
        await self._end()
        shutil.copytree(self._data, self._copy, dirs_exist_ok=True)
        await self._serve()

    async def restore(self) -> None:
        """As a disk put back by its owner does it: the database and files, and not the keys."""
        await self._end()
        for path in self._copy.iterdir():
            if path.name == "keys":
                continue
            target = self._data / path.name
            if path.is_dir():
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(path, target)
            else:
                shutil.copy2(path, target)
        for name in ("hub.db-wal", "hub.db-shm"):
            if not (self._copy / name).exists():
                (self._data / name).unlink(missing_ok=True)
        await self._serve()

    async def bundle(self, handoff: str) -> bytes:
        target = self._root / "bundle.zip"
        target.unlink(missing_ok=True)
        ticket = await self._ticket_of(handoff)
        await self._hub("evidence", "export", "--ticket", ticket, "-o", str(target))
        return target.read_bytes()

    # --- the process ------------------------------------------------------------------------

    async def _ticket_of(self, handoff: str) -> str:
        if handoff not in self._tickets:
            page = await self._api("GET", "/tickets?limit=50")
            for line in page["items"]:
                found = await self._api("GET", f"/tickets/{line['id']}")
                self._tickets |= {one["id"]: line["id"] for one in found["handoffs"]}
                if handoff in self._tickets:
                    break
        return self._tickets[handoff]

    async def _request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        assert self._session is not None
        async with self._session.request(method, f"/api/v1{path}", json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def _api(self, method: str, path: str, **body: Any) -> Any:
        given = None if method == "GET" else body
        status, said = await self._request(method, path, given)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {said}")
        return said

    def _environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return {**plain, **QUICK, "HUB_LANG": "en"}

    async def _hub(self, *words: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub", *words, "--data", str(self._data), "--json",
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"hub {' '.join(words)}: {out.decode()} {err.decode()}")
        return json.loads(out)

    async def _serve(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub", "serve", "--data", str(self._data),
            env=self._environment(),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._session is not None
        async with asyncio.timeout(READY_S):
            while True:
                try:
                    async with self._session.get("/.well-known/txp") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
