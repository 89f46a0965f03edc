"""A program that knows only the public protocol works a hand-off with a real node.

The node runs on real sockets and a real database; `examples/minimal-peer/peer.py` is another
process and has nothing of the hub. If this fails, the protocol's pages and our node disagree.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub import app
from hub.actions import handoffs, invitations, tickets
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.domain.handoff import Act, State
from hub.settings import Settings
from hub.storage import agents, audit, comments, inbox, links, outbox, streams
from hub.storage import handoffs as stored
from hub.storage.links import LinkState

PEER = Path(__file__).parents[2] / "examples" / "minimal-peer" / "peer.py"
DEADLINE_S = 30.0
LOOK_EVERY_S = 0.05  # not everything that changes wakes somebody

T = TypeVar("T")


class Program:
    """The example, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self.complaints = b""
        self._readers = (
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._hear_complaints()),
        )

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    async def _hear_complaints(self) -> None:
        assert self.process.stderr is not None
        self.complaints = await self.process.stderr.read()

    def did(self, what: str) -> list[dict[str, Any]]:
        """What it said of doing this."""
        return [line for line in self.said if line["did"] == what]

    async def ended(self) -> int:
        """Its exit code, once everything it said is here."""
        code = await self.process.wait()
        await asyncio.gather(*self._readers)
        return code


@contextlib.asynccontextmanager
async def program(code: str, tmp_path: Path) -> AsyncIterator[Program]:
    """The example taking this invitation. Isolated: it can import neither us nor this checkout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(PEER),
        code,
        "--listen",
        "127.0.0.1:0",
        "--name",
        "Мини",
        "--log",
        str(tmp_path / "peer.ndjson"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Hub]:
    """A node at work on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    settings = Settings(data=tmp_path / "node", name="Сервис Плюс", listen=listen)
    await app.found_node(settings, {}, admin_email="admin@plus.example", admin_name="Ольга")
    async with app.running(settings, {}) as running:
        yield running.hub


@pytest.fixture
async def dispatcher(node: Hub) -> Actor:
    """The person who works at the node."""
    admin = (await node.db.read(agents.everyone))[0]
    return Actor(admin.id, admin.display, admin.role)


async def until(hub: Hub, peer: Program, look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` finds, as soon as it does. Fails at the deadline, or when the program ends."""
    woken = asyncio.Event()
    hub.wakes.listen(lambda _topics: woken.set())
    async with asyncio.timeout(DEADLINE_S):
        while True:
            woken.clear()
            if (found := await look()) is not None:
                return found
            if peer.process.returncode is not None:
                await peer.ended()
                pytest.fail(f"the program ended: {peer.said}\n{peer.complaints.decode()}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_EVERY_S)


async def linked(hub: Hub, peer: Program) -> links.Link:
    """The link, as soon as it is active here."""

    async def look() -> links.Link | None:
        every = await hub.db.read(links.everyone)
        return next((one for one in every if one.state is LinkState.ACTIVE), None)

    return await until(hub, peer, look)


async def reached(hub: Hub, peer: Program, handoff_id: str, state: State) -> stored.Handoff:
    """The hand-off, as soon as it stands there at the node."""

    async def look() -> stored.Handoff | None:
        found = await hub.db.read(lambda connection: stored.find(connection, handoff_id))
        return found if found is not None and found.state is state else None

    return await until(hub, peer, look)


async def test_a_hand_off_from_invitation_to_confirmation(
    node: Hub, dispatcher: Actor, tmp_path: Path
) -> None:
    invited = await invitations.invite(node, dispatcher, "Мини")
    async with program(invited.code, tmp_path) as peer:
        link = await linked(node, peer)
        assert link.peer_name == "Мини"

        ticket = await tickets.create(
            node, dispatcher, tickets.NewTicket(title="Не печатает чек", description="Касса 3")
        )
        handoff_id = await handoffs.offer(node, dispatcher, OfferHandoff(ticket.id, link.id))
        resolved = await reached(node, peer, handoff_id, State.RESOLVED)
        assert (resolved.peer_number, resolved.effort_minutes) == ("M-1", 1)
        assert resolved.resolution

        await handoffs.act(
            node, dispatcher, handoff_id, Act.CONFIRM, Particulars(score=5, text="Быстро")
        )
        assert await peer.ended() == 0, peer.complaints.decode()

    # What the program saw.
    assert peer.complaints == b""
    (confirmed,) = peer.did("confirmed")
    assert confirmed["rating"]["score"] == 5
    (offered,) = peer.did("offered")
    assert (offered["title"], offered["number"]) == ("Не печатает чек", ticket.number)
    assert [line["upto"] for line in peer.did("receipted")][-1] == 2
    assert not peer.did("not delivered")

    # What the node has: every step of the contractor, nothing refused, everything receipted.
    history = await node.db.read(lambda connection: stored.history(connection, handoff_id))
    assert [event.event for event in history] == ["offer", "accept", "start", "resolve", "confirm"]
    said = await node.db.read(lambda connection: comments.of_ticket(connection, ticket.id))
    assert [(one.account, one.visibility) for one in said] == [("Мини", "public")]
    received = await node.db.read(lambda connection: inbox.log_from(connection, link.id, 1, 100))
    assert [(row.type, row.state) for row in received] == [
        ("handoff.accept", "done"),
        ("comment.add", "done"),
        ("handoff.start", "done"),
        ("handoff.resolve", "done"),
    ]
    sent = await node.db.read(lambda connection: outbox.after(connection, link.id, 0, 100))
    assert [(row.type, row.state) for row in sent] == [
        ("handoff.offer", "received"),
        ("handoff.confirm", "received"),
    ]
    receipts = await node.db.read(
        lambda connection: streams.receipts_from(connection, link.id, "received", 1, 100)
    )
    assert receipts
    assert await node.db.read(audit.open_alerts) == []


async def test_people_of_the_inviter_may_compare_the_digits_first(
    node: Hub, dispatcher: Actor, tmp_path: Path
) -> None:
    invited = await invitations.invite(node, dispatcher, "Мини", compare=True)
    async with program(invited.code, tmp_path) as peer:

        async def waiting() -> links.Link | None:
            every = await node.db.read(links.everyone)
            return next((one for one in every if one.peer_signature is not None), None)

        asked = await until(node, peer, waiting)
        assert asked.state is LinkState.AWAITING_CONFIRMATION
        assert not peer.did("linked")
        await invitations.confirm(node, dispatcher, asked.id)

        async def told() -> dict[str, Any] | None:
            return next(iter(peer.did("linked")), None)

        assert (await until(node, peer, told))["link"] == asked.id
        assert (await linked(node, peer)).id == asked.id
        peer.process.send_signal(signal.SIGINT)  # Ctrl+C
        assert await peer.ended() == 0, peer.complaints.decode()
        assert peer.complaints == b""


async def test_what_the_peer_does_not_know_comes_back_in_band_and_blocks_nothing(
    node: Hub, dispatcher: Actor, tmp_path: Path
) -> None:
    invited = await invitations.invite(node, dispatcher, "Мини")
    async with program(invited.code, tmp_path) as peer:
        link = await linked(node, peer)
        ticket = await tickets.create(node, dispatcher, tickets.NewTicket(title="Не печатает чек"))
        handoff_id = await handoffs.offer(node, dispatcher, OfferHandoff(ticket.id, link.id))
        await reached(node, peer, handoff_id, State.RESOLVED)
        again = Particulars(reason="Снова не печатает")
        await handoffs.act(node, dispatcher, handoff_id, Act.RETURN, again)

        async def refused() -> str | None:
            rows = await node.db.read(lambda tx: outbox.after(tx, link.id, 0, 100))
            return next((row.last_error for row in rows if row.state == "failed"), None)

        assert (await until(node, peer, refused)).startswith("unsupported_type")
        other = await tickets.create(node, dispatcher, tickets.NewTicket(title="Нет связи"))
        next_id = await handoffs.offer(node, dispatcher, OfferHandoff(other.id, link.id))
        assert (await reached(node, peer, next_id, State.RESOLVED)).peer_number == "M-2"


async def test_a_refused_invitation_is_refused_in_words_the_peer_can_prove(
    node: Hub, dispatcher: Actor, tmp_path: Path
) -> None:
    invited = await invitations.invite(node, dispatcher, "Мини")
    async with program(invited.code, tmp_path) as first:
        await linked(node, first)
    async with program(invited.code, tmp_path) as second:
        assert await second.ended() == 1
    assert b"invite_used" in second.complaints


def test_the_example_stands_on_public_libraries_alone() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(PEER.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    foreign = imported - sys.stdlib_module_names
    assert foreign == {"aiohttp", "cryptography", "http_message_signatures"}
