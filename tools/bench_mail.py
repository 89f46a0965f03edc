"""How fast letters are taken in and become tickets, and what people at their lists wait meanwhile.

    python -m tools.bench_mail 2000 [--postgres postgresql+asyncpg://…]

The letters are stored first, all of them, as after a night without a worker; a third of them answer
another one. Then they are drained,
while somebody opens the list of tickets twenty times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from hub import app
from hub.actions import letters
from hub.actions.context import Hub
from hub.mail.intake import MailRoom
from hub.mail.mailboxes import Mailbox
from hub.mail.reader import Reader
from hub.queries import tickets
from hub.settings import Settings

HELP = "help@plus.example"
OURS = "mx.plus.example"


def letter(n: int) -> bytes:
    """The n-th letter: a new matter of another person; each third answers the one before."""
    answers = n % 3 == 2
    who = n - 1 if answers else n
    domain = f"customer{who % 50}.example"
    thread = f"In-Reply-To: <m{who}@customer.example>\r\n" if answers else ""
    return (
        f"Authentication-Results: {OURS}; dmarc=pass header.from={domain}\r\n"
        f"From: Person {who} <p{who}@{domain}>\r\nTo: {HELP}\r\n{thread}"
        f"Subject: =?utf-8?q?=D0=9A=D0=B0=D1=81=D1=81=D0=B0?= {n}\r\n"
        f"Message-ID: <m{n}@customer.example>\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Till {n} prints no receipts.\r\n\r\nOn Mon, 16 Nov 2026 at 10:15 Plus <{HELP}> wrote:\r\n"
        "> we are on our way\r\n"
    ).encode()


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


async def _looks(hub: Hub, waits: list[float], stop: asyncio.Event) -> None:
    while not stop.is_set():
        begun = time.perf_counter()
        await hub.db.read(lambda connection: tickets.page(connection, limit=50))
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(0.05)


async def measure(count: int, data: Path, database: str) -> None:
    """Print one line."""
    settings = Settings(data=data, name="Plus", database={"url": database})
    await app.found_node(settings, {}, admin_email="a@plus.example", admin_name="A")
    async with app.opened(settings, {}) as hub:
        mailbox = Mailbox.model_validate(
            {"address": HELP, "authserv_id": OURS, "tickets": {"acknowledge": False}}
        )
        reader = Reader()
        begun = time.perf_counter()
        for n in range(count):
            await letters.take(hub, HELP, f"bench:{n}", _chunks(letter(n)))
        stored, burnt = time.perf_counter(), os.times()
        waits: list[float] = []
        stop = asyncio.Event()
        looking = asyncio.create_task(_looks(hub, waits, stop))
        room = MailRoom(hub, (mailbox,), reader)
        while await room.read_due():
            pass
        drained = time.perf_counter()
        stop.set()
        await looking
        await reader.close()
        ended = os.times()
        ours = ended.user + ended.system - burnt.user - burnt.system
        readers = (
            ended.children_user
            + ended.children_system
            - burnt.children_user
            - burnt.children_system
        )
        made = len(await hub.db.read(lambda connection: tickets.page(connection, limit=count)))
        assert made == count - count // 3, f"{made} tickets of {count} letters"
        waits.sort()
        late = waits[int(len(waits) * 0.95)] * 1000
        print(
            f"{count} letters: stored {count / (stored - begun):.0f}/s, "
            f"read and taken over {count / (drained - stored):.0f}/s, "
            f"list of tickets p95 {late:.0f} ms; "
            f"processor time a letter: {ours / count * 1000:.0f} ms here, "
            f"{readers / count * 1000:.0f} ms in the reading process"
        )


def main() -> None:
    """Measure what the arguments say."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("count", type=int)
    arguments.add_argument("--postgres", default="")
    said = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-", dir="/var/tmp") as folder:
        data = Path(folder) / "node"
        data.mkdir()
        asyncio.run(measure(said.count, data, said.postgres))


if __name__ == "__main__":
    main()
