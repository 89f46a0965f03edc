"""One peer that stalls, fails or has a backlog does not hold up the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.actions import handoffs, tickets
from hub.actions.handoffs import OfferHandoff
from hub.actions.outbox import retry_now
from hub.federation.client import GuardedTransport
from hub.federation.door import Call
from hub.storage import links, streams
from hub.workers import loop
from hub.workers.cranks import Deliveries
from hub.workers.loop import Lanes
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network

ROUNDS = 60


# --- lanes ------------------------------------------------------------------------------------


def recorded(
    order: list[str], name: str, release: asyncio.Event | None = None
) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        order.append(name)
        if release is not None:
            await release.wait()

    return work


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_failed_lately_has_a_small_share_of_the_places() -> None:
    lanes, order, release = Lanes(8), [], asyncio.Event()
    for n in range(20):
        lanes.start(f"bad{n}", recorded(order, "bad", release), doubtful=True)  # type: ignore[arg-type]
    await turns()
    assert order == ["bad"] * 2
    lanes.start("good", recorded(order, "good"))  # type: ignore[arg-type]
    await turns()
    assert order[-1] == "good"
    release.set()
    await lanes.idle()
    assert order.count("bad") == 20


async def test_what_lasts_long_goes_on_beside_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLOW_AFTER_S", 0.0)
    lanes, order, release = Lanes(2), [], asyncio.Event()
    for n in range(2):
        lanes.start(f"slow{n}", recorded(order, "slow", release))  # type: ignore[arg-type]
    await turns()
    lanes.start("good", recorded(order, "good"))  # type: ignore[arg-type]
    await turns(200)
    assert order == ["slow", "slow", "good"]
    release.set()
    await lanes.idle()
    # Every place was given back exactly once.
    assert lanes._places._value == 2
    assert lanes._beside == set()


async def test_beside_the_places_there_is_no_room_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "SLOW_AFTER_S", 0.0)
    lanes, order, release = Lanes(2), [], asyncio.Event()
    for n in range(10):
        lanes.start(f"slow{n}", recorded(order, "slow", release))  # type: ignore[arg-type]
    await turns(200)
    assert len(order) == 4
    release.set()
    await lanes.idle()
    assert len(order) == 10


async def test_a_link_with_a_backlog_stands_behind_those_who_wait() -> None:
    lanes, order = Lanes(1), []
    left = [5]

    async def backlog() -> None:
        order.append("backlog")
        await asyncio.sleep(0)  # as every work does
        left[0] -= 1
        if left[0]:
            lanes.start("backlog", backlog)

    lanes.start("backlog", backlog)
    lanes.start("fresh", recorded(order, "fresh"))  # type: ignore[arg-type]
    await lanes.idle()
    assert order.index("fresh") == 1
    assert order.count("backlog") == 5


# --- peers on real sockets --------------------------------------------------------------------


@asynccontextmanager
async def peer_server(peer: FakePeer) -> AsyncIterator[str]:
    """The peer's door on a socket."""

    async def handle(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, request.raw_path, headers, await request.read())
        reply = await peer.answer(call)
        return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)

    served = web.Application()
    served.router.add_route("*", "/{rest:.*}", handle)
    server = TestServer(served)
    await server.start_server()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


@asynccontextmanager
async def stalling_server(drip: bytes) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Accepts every call and never ends its answer, until it hangs up."""
    open_: set[asyncio.StreamWriter] = set()

    async def handle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        for byte in drip:
            writer.write(bytes([byte]))
            await writer.drain()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)

    def hang_up() -> None:
        for writer in open_:
            writer.transport.abort()
        open_.clear()

    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", hang_up
    finally:
        hang_up()
        server.close()


async def _moved(a: Company, peer: FakePeer, url: str) -> None:
    peer.base_url = url
    await a.hub.db.write(lambda tx: links.change(tx, peer.link_id, peer_base_url=url))


async def _offer(a: Company, peer: FakePeer) -> None:
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, peer.link_id))


async def _p99(a: Company, deliveries: Deliveries, good: FakePeer) -> float:
    """Seconds from the commit to the receipt, for the slowest but one in a hundred."""
    took = []
    for _ in range(ROUNDS):
        await _offer(a, good)
        began = time.perf_counter()
        await deliveries.turn()
        while True:
            stream = await a.hub.db.read(lambda c: streams.get(c, good.link_id))
            assert stream is not None
            if stream.receipted_seq == stream.out_seq:
                break
            await asyncio.sleep(0)
        took.append(time.perf_counter() - began)
    return sorted(took)[int(len(took) * 0.99) - 1]


@pytest.mark.slow
@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"])
async def test_eight_stalled_peers_do_not_slow_the_good_one(quick_path: Path, drip: bytes) -> None:
    network = Network(quick_path, seed="fair")
    a = await network.company("Сервис Плюс", deliveries_at_once=8)
    transport = GuardedTransport.from_settings(a.settings)
    try:
        good = FakePeer.of(network, "Хороший")
        await good.link_with(a)
        bad = [FakePeer.of(network, f"Застрявший {n}") for n in range(8)]
        for one in bad:
            await one.link_with(a)
        deliveries = Deliveries(a.hub, transport)
        async with peer_server(good) as url, stalling_server(drip) as (stalled, hang_up):
            await _moved(a, good, url)
            for one in bad:
                await _moved(a, one, stalled)
            # Other work of this machine can be slow, too: the best of three comparisons counts.
            ratios = []
            for _ in range(3):
                baseline = await _p99(a, deliveries, good)
                for one in bad:
                    await _offer(a, one)
                    await retry_now(a.hub, one.link_id)
                ratios.append(await _p99(a, deliveries, good) / baseline)
                stalling = len(deliveries._lanes._busy)
                assert stalling == len(bad)
                hang_up()
                await deliveries.idle()
                if ratios[-1] <= 2:
                    return
            pytest.fail(f"the good peer waits longer: {ratios}")
    finally:
        await transport.close()
        await network.close()
