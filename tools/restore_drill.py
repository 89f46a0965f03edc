"""Rehearse the loss of a node: two real nodes under load, backup, destruction, restore.

`python -m tools.restore_drill [--drills N] [--events 500] [--database sqlite|postgres|both]`.
Each drill links two nodes (`hub serve`, over loopback), lets both work, makes a backup at a
random moment of it, lets them go on for so many events more, kills the first node and deletes
what it had, restores it, starts it, and then holds the books of both against each other:

- every comment and hand-off that the partner holds is on both sides, once, in the same state;
- no (epoch, seq) of either stream stands for two messages, in any copy either side ever had;
- old API tokens open nothing; the audit log is whole and tells of the restore;
- what is said afterwards arrives; nothing is held any more.

Exit code 1 if anything of it does not hold. The time to recovery is from the first command to
the moment at which both sides agree.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

DATABASES: Final = ("sqlite", "postgres")
SERVER: Final = os.environ.get("HUB_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
PATIENCE_S: Final = 120.0
BEFORE: Final = 200  # events before the backup, at most
AT_ONCE: Final = 4  # people who work side by side on each node
COME_AGAIN: Final = 50  # times after a 503
KEYS: Final = "four words in a row"
Copies = list[tuple[str, int, int, str]]  # direction, epoch, seq, hash


class Broken(Exception):  # noqa: N818 - what happened
    """Something does not hold that must."""


@dataclass
class Node:
    """One company's node: a process, its data directory, its database."""

    name: str
    data: Path
    url: str  # of the database; empty: SQLite
    port: int
    token: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def env(self) -> dict[str, str]:
        said = {
            **os.environ,
            "HUB_LIMITS__RETRY_BASE_S": "0.2",
            "HUB_LIMITS__RETRY_CAP_S": "1",
            "HUB_BACKUP_PASSPHRASE": KEYS,
            "HUB_LANG": "en",
        }
        return {**said, "HUB_DATABASE__URL": self.url} if self.url else said

    async def hub(self, *argv: str) -> Any:
        """The document that one command prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", *argv, "--json", "--data", str(self.data)),
            env=self.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode:
            raise Broken(f"{self.name}: hub {' '.join(argv)}: {out.decode()} {err.decode()[-500:]}")
        return json.loads(out)

    async def serve(self) -> None:
        """Start the node; return when its door is open."""
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "serve", "--json", "--data", str(self.data)),
            env=self.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        log.close()
        assert self.process.stdout is not None
        if not await self.process.stdout.readline():
            raise Broken(f"{self.name} does not start")

    async def kill(self) -> None:
        """End it without any farewell."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def call(self, path: str, body: dict[str, Any]) -> Any:
        """One request of a program; what it was answered with a 2xx.

        A 503 says that nothing was changed and asks to come again, so we do.
        """
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession() as client:
            for times in itertools.count(1):
                async with client.post(url, json=body, headers=headers) as answer:
                    if answer.status < 300:
                        return await answer.json()
                    if answer.status != 503 or times > COME_AGAIN:
                        text = await answer.text()
                        raise Broken(f"{self.name}: {path}: {answer.status} {text}")
                await asyncio.sleep(0.2)
        raise AssertionError("unreachable: counting has no end")

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What stands in the database, read from outside."""
        if not self.url:
            with closing(sqlite3.connect(f"file:{self.data / 'hub.db'}?mode=ro", uri=True)) as one:
                return one.execute(query).fetchall()
        import asyncpg

        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def said(self) -> Counter[tuple[str, str]]:
        """Every public comment: (hand-off, text), as often as it stands there."""
        return Counter(
            await self.rows(
                "SELECT h.id, c.body FROM handoffs h JOIN comments c ON c.ticket_id = h.ticket_id"
                " WHERE c.visibility = 'public'"
            )
        )

    async def states(self) -> dict[str, str]:
        """Where each hand-off stands."""
        return dict(await self.rows("SELECT id, state FROM handoffs"))

    async def copies(self, ours: str) -> Copies:
        """Every signed envelope that is or was here, by the direction the first node calls it."""
        theirs = {"out": "in", "in": "out"}[ours]
        found: Copies = []
        for direction, query in (
            (ours, "SELECT epoch, seq, hash FROM outbox"),
            (ours, "SELECT epoch, seq, hash FROM voided WHERE direction = 'out'"),
            (theirs, "SELECT epoch, seq, hash FROM inbox"),
            (theirs, "SELECT epoch, seq, hash FROM voided WHERE direction = 'in'"),
        ):
            found += [(direction, *row) for row in await self.rows(query)]
        return found


@dataclass
class Work:
    """What people do on both nodes, and how much of it was answered with a success."""

    first: Node
    second: Node
    chance: random.Random
    shared: list[tuple[str, str]] = field(default_factory=list)  # numbers here and there
    done: int = 0
    stopping: bool = False
    number: Iterator[int] = field(default_factory=itertools.count)

    async def open_ticket(self) -> None:
        """A ticket of the first node, handed to the second."""
        made = await self.first.call("/tickets", {"title": f"Ticket {next(self.number)}"})
        peer = {"peer": self.second.name}
        await self.first.call(f"/tickets/{made['number']}/handoffs", peer)
        self.done += 2
        self.shared.append((made["number"], ""))

    async def speak(self, node: Node, number: str) -> None:
        """One public comment."""
        body = {"body": f"{node.name} {next(self.number)}", "visibility": "public"}
        await node.call(f"/tickets/{number}/comments", body)
        self.done += 1

    async def take(self) -> None:
        """The second node accepts whatever it was offered."""
        offered = await self.second.rows(
            "SELECT h.id, t.number, h.peer_number FROM handoffs h"
            " JOIN tickets t ON t.id = h.ticket_id WHERE h.state = 'offered'"
        )
        for handoff, number, theirs in offered:
            await self.second.call(f"/handoffs/{handoff}/accept", {})
            self.done += 1
            self.shared[:] = [
                (here, number if here == theirs else there) for here, there in self.shared
            ]

    async def go_on(self) -> None:
        """Work side by side until told to stop."""
        people = [self._talk(node) for node in (self.first, self.second) for _ in range(AT_ONCE)]
        await asyncio.gather(*people, self._trade())

    async def _talk(self, node: Node) -> None:
        while not self.stopping:
            here, there = self.chance.choice(self.shared)
            number = here if node is self.first else there
            if number:
                await self.speak(node, number)
            await asyncio.sleep(0)

    async def _trade(self) -> None:
        """One person on each side: nobody takes an offer twice."""
        while not self.stopping:
            await self.open_ticket()
            await self.take()
            await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Drilled:
    """One drill that went well."""

    database: str
    keys: str
    after: int  # events since the backup
    messages: int
    lost_unsent: int  # said on the destroyed node and never received by anybody
    backup_s: float
    rto_s: float


async def drill(folder: Path, database: str, events: int, chance: random.Random) -> Drilled:
    """The whole of one."""
    names = [f"hub_drill_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    urls = ["", ""]
    if database == "postgres":
        await on_server(*(f'CREATE DATABASE "{name}"' for name in names))
        base = SERVER.replace("postgresql://", "postgresql+asyncpg://", 1).rstrip("/")
        urls = [f"{base}/{name}" for name in names]
    nodes = [
        Node(name, folder / f"node{n}", url, free_port())
        for n, (name, url) in enumerate(zip(("First", "Second"), urls, strict=True))
    ]
    try:
        return await _drill(folder, database, events, chance, *nodes)
    except Broken:
        for node in nodes:
            log = folder / f"{node.data.name}.log"
            print(log.read_text()[-3000:] if log.exists() else "", file=sys.stderr)
        raise
    finally:
        for node in nodes:
            await node.kill()
        if database == "postgres":
            await drop_like(names)


async def _drill(
    folder: Path, database: str, events: int, chance: random.Random, first: Node, second: Node
) -> Drilled:
    for node in (first, second):
        url = f"http://127.0.0.1:{node.port}"
        await node.hub("init", "--name", node.name, "--url", url)
        await node.serve()
        node.token = await new_token(node)
    code = (await first.hub("link", "invite", second.name))["code"]
    await second.hub("link", "accept", code, "--yes")
    work = Work(first, second, chance)
    for _ in range(3):
        await work.open_ticket()
    await until_nothing(lambda: missing_offers(second, 3), "the first offers")
    await work.take()

    moment = chance.randrange(20, BEFORE)
    running = asyncio.create_task(work.go_on())
    await until_done(work, moment, running)
    archive = folder / "backup.tar"
    with_keys = chance.random() < 0.5
    began = time.monotonic()
    await first.hub("backup", "create", "-o", str(archive), *(["--with-keys"] * with_keys))
    backup_s = time.monotonic() - began
    mark = work.done
    await until_done(work, mark + events, running)
    work.stopping = True
    await running
    after = work.done - mark

    copies = await first.copies("out")
    told = await first.said()
    await first.kill()
    await until_nothing(lambda: waits(second), "the second node applies what it has")
    held = await second.said()
    await destroy(first, with_keys=with_keys)

    old_token, began = first.token, time.monotonic()
    await first.hub("backup", "verify", str(archive))
    argv = ["--with-keys"] if with_keys else []
    await first.hub("backup", "restore", str(archive), "--yes", *argv)
    await first.serve()
    await until_nothing(lambda: differ(first, second), "both sides agree again")
    rto_s = time.monotonic() - began

    await check(first, second, held, copies, old_token)
    first.token = await new_token(first)
    here, there = next(pair for pair in work.shared if all(pair))
    await work.speak(first, here)
    await work.speak(second, there)
    await work.open_ticket()
    await until_nothing(lambda: differ(first, second), "what is said afterwards arrives")
    await check(first, second, held, copies, old_token)
    messages = len(set(copies + await first.copies("out")))
    lost = sum((told - await first.said()).values())
    kept = "from the backup" if with_keys else "kept"
    return Drilled(database, kept, after, messages, lost, backup_s, rto_s)


async def check(
    first: Node, second: Node, held: Counter[tuple[str, str]], before: Copies, old_token: str
) -> None:
    """What must hold after a restore. Raises Broken."""
    ours, theirs = await first.said(), await second.said()
    if missing := held - ours:
        raise Broken(f"{sum(missing.values())} comments the partner has are not here: {missing}")
    if twice := [what for what, times in (ours + theirs).items() if times != 2]:
        raise Broken(f"not on both sides exactly once: {twice[:5]}")
    if await first.states() != await second.states():
        raise Broken("hand-offs stand differently on the two sides")
    meaning: dict[tuple[str, int, int], str] = {}
    for direction, epoch, seq, digest in (
        *before,
        *await first.copies("out"),
        *await second.copies("in"),
    ):
        if meaning.setdefault((direction, epoch, seq), digest) != digest:
            raise Broken(f"position {direction} {epoch}.{seq} stands for two messages")
    for node in (first, second):
        if await node.rows("SELECT id FROM forks"):
            raise Broken(f"{node.name} saw a fork")
        whole = [one for one in (await doctor(node)) if one["check"] == "audit"]
        if whole[0]["state"] != "ok":
            raise Broken(f"{node.name}: {whole[0]['fact']}")
    if not await first.rows("SELECT seq FROM audit WHERE event = 'node.restored'"):
        raise Broken("the audit log does not tell of the restore")
    first.token, new = old_token, first.token
    try:
        await first.call("/tickets", {"title": "by an old token"})
    except Broken as refused:
        if " 401 " not in str(refused):
            raise
    else:
        raise Broken("an old token still opens the door")
    finally:
        first.token = new


async def doctor(node: Node) -> list[dict[str, str]]:
    """The doctor's table, whatever it finds."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "doctor", "--json", "--data", str(node.data)),
        env=node.env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    found: list[dict[str, str]] = json.loads(out)["checks"]
    return found


async def differ(first: Node, second: Node) -> str:
    """In what both nodes do not agree yet: not synced, not at rest, held, or other words."""
    for node in (first, second):
        for what, query in _UNREST:
            if found := await node.rows(query):
                return f"{node.name}: {what} ({len(found)})"
    if await first.said() != await second.said():
        return "other comments"
    return ""


_UNREST: Final = (
    ("not synced", "SELECT link_id FROM streams WHERE NOT synced"),
    ("not applied again", "SELECT link_id FROM streams WHERE reapplying"),
    ("no receipt", "SELECT link_id FROM streams WHERE out_seq > receipted_seq"),
    ("not applied", "SELECT seq FROM inbox WHERE state IN ('new', 'parked')"),
    ("held", "SELECT node_id FROM node WHERE held_at IS NOT NULL"),
)


async def waits(node: Node) -> str:
    """What was received and is not applied."""
    found = await node.rows("SELECT seq FROM inbox WHERE state IN ('new', 'parked')")
    return f"{len(found)} messages" if found else ""


async def missing_offers(node: Node, count: int) -> str:
    """How many offers have not arrived."""
    found = await node.rows("SELECT id FROM handoffs WHERE state = 'offered'")
    return f"{count - len(found)} offers" if len(found) < count else ""


async def until_nothing(left: Callable[[], Awaitable[str]], what: str) -> None:
    """Ask again until nothing is left. Raises Broken."""
    deadline = time.monotonic() + PATIENCE_S
    while still := await left():
        if time.monotonic() > deadline:
            raise Broken(f"not within {PATIENCE_S:.0f} s: {what}; {still}")
        await asyncio.sleep(0.05)


async def until_done(work: Work, count: int, running: asyncio.Task[None]) -> None:
    """Return when so many things were done. Raises what ended the work."""
    while work.done < count:
        if running.done():
            running.result()
        await asyncio.sleep(0.01)


async def destroy(node: Node, *, with_keys: bool) -> None:
    """Everything is gone, or everything but the keys and the settings."""
    if with_keys:
        shutil.rmtree(node.data)
    else:
        for one in node.data.iterdir():
            if one.name not in {"keys", "config.yaml"}:
                shutil.rmtree(one) if one.is_dir() else one.unlink()
    if node.url:
        await on_server(f'DROP DATABASE "{node.url.rpartition("/")[2]}" WITH (FORCE)')


async def new_token(node: Node) -> str:
    """A token that may do everything with tickets."""
    scopes = ["--scope", "tickets:write", "--scope", "handoffs:write"]
    made = await node.hub("token", "new", "drill", *scopes)
    return str(made["token"])


async def on_server(*statements: str) -> list[Any]:
    """Run these beside every database; the rows of the last."""
    import asyncpg

    connection = await asyncpg.connect(f"{SERVER}/postgres")
    try:
        found: list[Any] = []
        for statement in statements:
            found = await connection.fetch(statement)
        return found
    finally:
        await connection.close()


async def drop_like(names: Sequence[str]) -> None:
    """Drop the databases of a drill, whatever they were renamed to."""
    for name in names:
        query = f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%'"
        for row in await on_server(query):
            await on_server(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Drill, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drills", type=int, default=1)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="sqlite")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    kinds = DATABASES if arguments.database == "both" else (arguments.database,)
    failed, times = 0, []
    for n in range(arguments.drills):
        kind = kinds[n % len(kinds)]
        chance = random.Random(f"{seed}/{n}")
        with tempfile.TemporaryDirectory(prefix="hub-drill-") as folder:
            try:
                done = asyncio.run(drill(Path(folder), kind, arguments.events, chance))
            except Broken as error:
                failed += 1
                print(f"✗ {n + 1} {kind} (seed {seed}): {error}", flush=True)
                continue
        times.append(done.rto_s)
        print(
            f"✓ {n + 1} {kind}: keys {done.keys}, {done.after} events after the backup, "
            f"{done.messages} envelopes, {done.lost_unsent} said and never received, backup "
            f"{done.backup_s:.1f} s, recovered in {done.rto_s:.1f} s",
            flush=True,
        )
    if times:
        print(f"{len(times)} drills, {failed} failed; recovery at most {max(times):.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
