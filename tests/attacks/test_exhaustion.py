"""Families B2, B6, B12: one bad peer, one bad body, one crowded ticket, and everybody else."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub import app
from hub.actions import comments, tickets
from hub.actions.comments import AddComment
from hub.domain.comment import Visibility
from hub.domain.delivery import DeliveryState
from hub.federation.door import Call, Reply
from hub.storage import audit, outbox
from tests.attacks.scene import Scene, nothing_remains, scene
from tests.conftest import NewDatabase
from tests.kit.fake_peer import FakePeer, types
from tests.kit.network import Network

# --- B2: a peer that takes nothing, in eight ways ---------------------------------------------


def _plain(status: int, body: bytes = b"", **headers: str) -> Callable[[FakePeer, Call], Reply]:
    return lambda _b, _call: Reply(status, headers, body)


BAD_ANSWERS: dict[str, Callable[[FakePeer, Call], Reply]] = {
    "400 for ever": lambda b, call: b.refusal(call, "env_invalid"),
    "400, unsigned": _plain(400, b"{}"),
    "500, unsigned": _plain(500, b"Internal Server Error"),
    "413 for ever": lambda b, call: b.refusal(call, "too_large"),
    "200 without a receipt": lambda b, call: b.reply(call, 200, {}),
    "200 and garbage": _plain(200, b"\x00\xff{{{"),
    "200 and a receipt for nothing": lambda b, call: b.reply(
        call,
        200,
        {"receipt": b.own_receipt(upto=0, head=b.agreement.hash)},  # type: ignore[union-attr]
    ),
    "429 for ever": lambda b, call: b.refusal(call, "rate_limited", retry_after="3600"),
    "a redirect": _plain(307, location="http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("how", BAD_ANSWERS)
async def test_a_peer_that_takes_nothing_delays_nobody_else_and_comes_before_people(
    quick_path: Path, how: str
) -> None:
    network = Network(quick_path, seed="bad answers")
    made = await scene(network)
    a, b, c = made.a, made.b, made.c
    try:
        b.script = lambda call: (
            BAD_ANSWERS[how](b, call) if call.target.endswith("/messages") else None
        )
        heard = len(c.heard)
        say = [
            AddComment(shared.ticket, f"Слово {n}", Visibility.PUBLIC)
            for n in range(100)
            for shared in (made.with_b, made.with_c)
        ]
        for wish in say:
            await comments.add(a.hub, a.dispatcher, wish)
        began = network.clock.now()
        for crank in a.cranks[:-1]:
            await crank.turn()
        for _ in range(4):
            await a.turn()
        assert (network.clock.now() - began).total_seconds() < 60
        assert types(c.heard[heard:]) == ["comment.add"] * 100
        rows = await a.hub.db.read(lambda x: outbox.after(x, b.link_id, 0, 1000))
        waiting = [one for one in rows if one.type == "comment.add"][-100:]
        assert {one.state for one in waiting} <= {DeliveryState.QUEUED, DeliveryState.SENT}
        network.clock.advance(hours=5)
        for _ in range(3):
            await a.turn()
        assert await a.hub.db.read(audit.open_alerts)
        # And when it behaves again it gets everything, in order, once.
        b.script = lambda _call: None
        for _ in range(3):
            network.clock.advance(hours=1)
            await network.run_until_idle()
        told = [one for one in types(b.heard) if not one.startswith("link.")]
        assert told[-100:] == ["comment.add"] * 100
        assert len({one.envelope.id for one in b.heard}) == len(b.heard)
    finally:
        await network.close()


# --- B6: bodies -------------------------------------------------------------------------------

MEBI = 1024 * 1024


@dataclass
class Strain:
    """How much memory the process took, and how long it worked without a break."""

    rss: list[int] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)  # CPU seconds between two turns of the loop


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@asynccontextmanager
async def watched() -> AsyncIterator[Strain]:
    """Look at the process while something goes on.

    CPU time, not the wall clock: how busy the machine is with others says nothing about us.
    """
    strain = Strain([_resident()])

    async def look() -> None:
        before = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            strain.turns.append(now - before)
            before = now
            strain.rss.append(_resident())

    looking = asyncio.create_task(look())
    try:
        yield strain
    finally:
        looking.cancel()


def _head(call: Call, **more: str) -> bytes:
    headers = {
        "host": "127.0.0.1",
        **call.headers,
        **{k.replace("_", "-"): v for k, v in more.items()},
    }
    lines = [f"{call.method} {call.target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def _pour(server: TestServer, head: bytes, parts: AsyncIterator[bytes]) -> int:
    """The status that comes back while this is poured in, as far as the server takes it."""
    assert server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    try:
        writer.write(head)
        async for part in parts:
            if answer.done():
                break
            writer.write(part)
            await writer.drain()
    except OSError:
        pass  # it was cut off: the status has come before
    try:
        return int((await asyncio.wait_for(answer, 20)).split(b" ")[1])
    finally:
        writer.transport.abort()


async def _many(part: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield part
        await asyncio.sleep(0)


MULTIPART = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" * 20
CHUNKED = {"transfer_encoding": "chunked"}
POURS: dict[str, tuple[dict[str, str], bytes, int, set[int]]] = {
    # headers besides the right ones, what is poured, how often, what may come back
    "JSON of 100 MB": ({"content_length": str(100 * MEBI)}, b" " * 65536, 1600, {413}),
    "JSON of 100 MB in chunks": (CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", 1600, {413}),
    "a million tiny chunks": (CHUNKED, b"1\r\n \r\n" * 5000, 250, {413, 400}),
    "a huge body of no known type": (
        {"content_type": "application/x-thing", "content_length": str(100 * MEBI)},
        b"x" * 65536, 1600, {413, 415}),
    "parts without an end": (
        {"content_type": "multipart/form-data; boundary=x", **CHUNKED},
        b"%x\r\n%s\r\n" % (len(MULTIPART), MULTIPART), 2_000, {400, 413, 415}),
    "a boundary inside itself": (
        {"content_type": 'multipart/form-data; boundary="--x--x--x"', "content_length": "900000"},
        b"--x" * 300_000, 1, {415, 400, 401}),
    "a hundred thousand small fields": (
        {"content_type": "application/x-www-form-urlencoded", "content_length": "900000"},
        b"a=1&bb=2&" * 100_000, 1, {415, 400, 401}),
    "a hundred thousand members": (
        {"content_length": "1000000"},
        (b'{"messages":[]' + b"".join(b',"m%05x":1' % n for n in range(98_000))).ljust(999_999)
        + b"}", 1, {400, 401}),
    "a coding that grows": (
        {"content_encoding": "gzip", "content_length": str(MEBI)}, b"\x1f\x8b" + b"\0" * 65534, 16,
        {415}),
    "headers without an end": ({"x_a": "b" * 100_000}, b"", 1, {400, 431}),
}  # fmt: skip


@pytest.mark.parametrize("how", POURS)
async def test_a_body_made_to_exhaust_is_refused_within_bounds(scene: Scene, how: str) -> None:
    """With the key id of a real partner on it: a stranger does not get this far."""
    more, part, times, statuses = POURS[how]
    right = scene.b.batch(scene.b.message("x.org.example.ping", {}, must=False, keep=False))
    call = replace(right, headers={k: v for k, v in right.headers.items() if k not in _given(more)})
    async with nothing_remains(scene):
        server = TestServer(app.web_app(scene.a.hub, scene.a.settings, scene.a.transport))
        await server.start_server()
        try:
            async with watched() as strain:
                assert await _pour(server, _head(call, **more), _many(part, times)) in statuses
        finally:
            await server.close()
    assert max(strain.rss) - strain.rss[0] <= 64 * MEBI
    assert max(strain.turns) <= 0.25


async def test_a_caller_that_hangs_up_within_a_body_is_no_incident(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    call = scene.b.batch(scene.b.message("x.org.example.ping", {}, must=False, keep=False))
    runner = app.web_runner(scene.a.hub, scene.a.settings, scene.a.transport)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        for more in ({"content_length": "1000"}, CHUNKED):
            headers = {k: v for k, v in call.headers.items() if k not in _given(more)}
            _reader, writer = await asyncio.open_connection(*runner.addresses[0])
            writer.write(_head(replace(call, headers=headers), **more) + b"5\r\n12345\r\n")
            before = len(scene.a.hub.refusals)
            await writer.drain()
            writer.close()
            async with asyncio.timeout(10):
                while len(scene.a.hub.refusals) == before:  # noqa: ASYNC110 - it is the state
                    await asyncio.sleep(0)
            scene.a.hub.refusals.clear()
    finally:
        await runner.cleanup()
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


def _given(more: dict[str, str]) -> set[str]:
    return {name.replace("_", "-") for name in more}


# --- B12: one ticket that everybody wants -----------------------------------------------------

WORKERS = 200


async def test_two_hundred_at_one_ticket_do_not_hold_up_the_others(
    quick_path: Path, databases: NewDatabase
) -> None:
    network = Network(quick_path, databases, seed="crowd")
    company = await network.company("Сервис Плюс")
    await company.hub.db.close()
    hub = await app.open_hub(company.settings, {}, clock=network.clock)  # with its real threads
    try:
        crowded = await tickets.create(hub, company.dispatcher, tickets.NewTicket(title="Все сюда"))
        others = [
            await tickets.create(hub, company.dispatcher, tickets.NewTicket(title=f"Тихий {n}"))
            for n in range(20)
        ]
        took: list[float] = []

        async def say(ticket_id: str, note: list[float] | None) -> None:
            began = time.process_time()  # how busy the machine is with others says nothing
            wish = AddComment(ticket_id, "Я тоже", Visibility.INTERNAL)  # type: ignore[arg-type]
            await comments.add(hub, company.dispatcher, wish)
            if note is not None:
                note.append(time.process_time() - began)

        crowd = [say(crowded.id, None) for _ in range(WORKERS)]
        quiet = [say(one.id, took) for one in others]
        await asyncio.gather(*crowd, *quiet)
        assert len(took) == len(others)
        assert statistics.quantiles(took, n=100)[-1] <= 1
    finally:
        await hub.db.close()
        network.companies.clear()
