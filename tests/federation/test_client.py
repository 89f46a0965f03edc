"""Whatever the other side does, a request ends in time, in bytes, and with an error of ours."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from hub.errors import Refused, Unavailable
from hub.federation.client import GuardedTransport
from hub.federation.guard import Guard
from hub.settings import Settings

OK = b"HTTP/1.1 200 OK\r\n"
Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that sends exactly the bytes it is told to."""

    def __init__(self, script: Script | bytes) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.requests: list[bytes] = []
        self.cut = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            # Cancelled by `stop`: swallowed, or the server of Python 3.11 logs it as a bug.
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    await self._one(reader, writer)
        finally:
            self.cut.set()
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = await reader.readexactly(length)
        self.requests.append(head + body)
        if isinstance(self._script, bytes):
            writer.write(self._script)
            await writer.drain()
            if b"Content-Length" not in self._script:
                raise ConnectionError
        else:
            await self._script(head, writer)


@pytest.fixture
async def peer_that() -> AsyncIterator[Callable[[Script | bytes], Awaitable[Peer]]]:
    peers: list[Peer] = []

    async def start(script: Script | bytes) -> Peer:
        peer = Peer(script)
        await peer.start()
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        await peer.stop()


@pytest.fixture
async def transport() -> AsyncIterator[GuardedTransport]:
    transport = GuardedTransport(Guard(try_out=True), connect_timeout_s=0.5, total_timeout_s=2)
    yield transport
    await transport.close()


StartPeer = Callable[[Script | bytes], Awaitable[Peer]]


async def trouble(
    transport: GuardedTransport, url: str, *, max_bytes: int = 1000, timeout_s: float = 2
) -> str:
    """The code of the failure; it comes in time and tells nothing about the network."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await transport.request("GET", url, {}, None, max_bytes=max_bytes, timeout_s=timeout_s)
    assert time.monotonic() - started < timeout_s + 0.5
    assert "127.0.0.1" not in caught.value.told + caught.value.hint
    assert caught.value.because
    return caught.value.code


async def test_an_answer_comes_whole_with_its_headers(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(
        b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\nX-One: a\r\nx-one: b\r\n\r\n{}"
    )
    answer = await transport.request("GET", peer.url + "/x", {}, None, max_bytes=2)
    assert (answer.status, answer.body) == (409, b"{}")
    assert answer.headers == {"content-length": "2", "x-one": "a, b"}


async def test_what_is_signed_is_what_is_sent(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    await transport.request(
        "POST",
        peer.url + "/a%2Fb/%7e/..%20?x=%31&&y=+",
        {"content-type": "application/json", "signature": "sig=:AA==:"},
        b'{"messages":[]}',
        max_bytes=0,
    )
    line, *headers = peer.requests[0].split(b"\r\n")
    assert line == b"POST /a%2Fb/%7e/..%20?x=%31&&y=+ HTTP/1.1"
    assert peer.requests[0].endswith(b'\r\n\r\n{"messages":[]}')
    lower = {header.split(b":")[0].lower(): header for header in headers if b":" in header}
    assert lower[b"content-type"].endswith(b"application/json")
    assert lower[b"accept-encoding"].endswith(b"identity")
    assert b"cookie" not in lower


async def test_a_request_without_a_body_has_no_content_type(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    await transport.request("GET", peer.url, {}, None, max_bytes=0)
    assert b"content-type" not in peer.requests[0].lower()


async def test_connections_are_kept(peer_that: StartPeer, transport: GuardedTransport) -> None:
    peer = await peer_that(OK + b"Content-Length: 2\r\n\r\nok")
    for _ in range(5):
        await transport.request("POST", peer.url, {}, b"x", max_bytes=10)
    async with transport.stream("GET", peer.url, {}) as answer:
        assert [chunk async for chunk in answer.chunks] == [b"ok"]
    assert peer.connections == 1
    assert len(peer.requests) == 6


async def test_cookies_are_not_kept(peer_that: StartPeer, transport: GuardedTransport) -> None:
    peer = await peer_that(OK + b"Content-Length: 0\r\nSet-Cookie: a=b; Path=/\r\n\r\n")
    for _ in range(2):
        await transport.request("GET", peer.url, {}, None, max_bytes=0)
    assert b"cookie" not in peer.requests[1].lower()


async def test_proxies_of_the_environment_are_not_used(
    peer_that: StartPeer, transport: GuardedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    peer = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    await transport.request("GET", peer.url, {}, None, max_bytes=0)
    assert (len(proxy.requests), len(peer.requests)) == (0, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_like_any_other(
    status: int, peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(
        f"HTTP/1.1 {status} Go\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n".encode()
    )
    answer = await transport.request("GET", peer.url, {}, None, max_bytes=10)
    assert (answer.status, answer.headers["location"]) == (status, "/again")
    assert len(peer.requests) == 1


async def test_an_endless_body_is_cut(peer_that: StartPeer, transport: GuardedTransport) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    peer = await peer_that(endless)
    assert await trouble(transport, peer.url, max_bytes=100_000) == "peer_answer_unusable"
    await asyncio.wait_for(peer.cut.wait(), 2)


async def test_an_endless_body_until_the_end_of_the_connection_is_cut(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    peer = await peer_that(endless)
    assert await trouble(transport, peer.url, max_bytes=100_000) == "peer_answer_unusable"


async def test_a_body_announced_too_long_is_not_read(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def announce(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 10000000000\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(60)  # cancelled when the peer stops

    peer = await peer_that(announce)
    started = time.monotonic()
    assert await trouble(transport, peer.url, max_bytes=1000) == "peer_answer_unusable"
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    "first", [b"", OK, OK + b"Content-Length: 1000\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_a_peer_that_drips_is_given_up_at_the_deadline(
    first: bytes, peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(b"x" if first.endswith(b"\r\n\r\n") and b"200" in first else b"")
            await writer.drain()
            await asyncio.sleep(0.02)

    peer = await peer_that(drip)
    assert await trouble(transport, peer.url, timeout_s=0.3) == "peer_unreachable"


async def test_a_peer_that_only_promises_is_given_up_at_the_deadline(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def promise(_: bytes, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    peer = await peer_that(promise)
    assert await trouble(transport, peer.url, timeout_s=0.3) == "peer_unreachable"


async def test_a_tls_handshake_that_stalls_is_given_up(transport: GuardedTransport) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"https://127.0.0.1:{port}/"
    assert await trouble(transport, url, timeout_s=0.3) == "peer_unreachable"
    for writer in writers:
        writer.close()
    server.close()


async def test_a_peer_without_tls_is_unreachable(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    url = peer.url.replace("http:", "https:")
    assert await trouble(transport, url, timeout_s=0.5) == "peer_unreachable"


async def test_nobody_there_is_unreachable(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(b"")
    await peer.stop()
    assert await trouble(transport, peer.url) == "peer_unreachable"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"x", b"GZip"])
async def test_a_coded_answer_is_refused_unread(
    coding: bytes, peer_that: StartPeer, transport: GuardedTransport
) -> None:
    body = gzip.compress(b"0" * 1_000_000)
    peer = await peer_that(
        OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert await trouble(transport, peer.url, max_bytes=10_000) == "peer_answer_unusable"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "peer_unreachable"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "peer_unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "peer_answer_unusable"),
        (b"HTTP/1.1 abc\r\n\r\n", "peer_answer_unusable"),
        (OK + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n", "peer_answer_unusable"),
        (OK + b"Content-Length: -1\r\n\r\n", "peer_answer_unusable"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "peer_answer_unusable"),
    ],
)
async def test_what_is_no_answer_is_trouble(
    answer: bytes, code: str, peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def send(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        raise ConnectionError

    peer = await peer_that(send)
    assert await trouble(transport, peer.url, timeout_s=0.5) == code


async def test_a_stalling_peer_does_not_hold_up_another(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def stall(_: bytes, writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        await asyncio.sleep(60)  # cancelled when the peer stops

    stalling = await peer_that(stall)
    good = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    waiting = [
        asyncio.create_task(trouble(transport, stalling.url, timeout_s=0.6)) for _ in range(50)
    ]
    await asyncio.sleep(0)
    started = time.monotonic()
    await transport.request("GET", good.url, {}, None, max_bytes=0, timeout_s=0.5)
    assert time.monotonic() - started < 0.4
    assert stalling.connections <= 4
    assert set(await asyncio.gather(*waiting)) == {"peer_unreachable"}


async def test_a_stream_is_read_as_it_comes(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    go_on = asyncio.Event()

    async def two_parts(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 6\r\n\r\nabc")
        await writer.drain()
        await go_on.wait()
        writer.write(b"def")
        await writer.drain()

    peer = await peer_that(two_parts)
    async with transport.stream("GET", peer.url, {"range": "bytes=0-"}) as answer:
        assert (answer.status, answer.headers["content-length"]) == (200, "6")
        assert await anext(answer.chunks) == b"abc"
        go_on.set()
        assert b"".join([chunk async for chunk in answer.chunks]) == b"def"
    assert b"bytes=0-" in peer.requests[0]


async def test_a_stream_has_its_limits_too(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 100)
            await writer.drain()
            await asyncio.sleep(0.01)

    peer = await peer_that(endless)
    for limits, code in (({"max_bytes": 500}, "answer_unusable"), ({"timeout_s": 0.2}, "unreach")):
        received = 0
        with pytest.raises(Unavailable, match=code):
            async with transport.stream("GET", peer.url, {}, **limits) as answer:
                async for chunk in answer.chunks:
                    received += len(chunk)
        assert 0 < received <= 5000


async def test_a_stream_left_early_is_cut(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    peer = await peer_that(endless)
    with pytest.raises(ZeroDivisionError):
        async with transport.stream("GET", peer.url, {}) as answer:
            await anext(answer.chunks)
            raise ZeroDivisionError
    await asyncio.wait_for(peer.cut.wait(), 2)


async def test_a_head_request_may_announce_what_it_does_not_send(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    peer = await peer_that(OK + b"Content-Length: 1000000\r\n\r\n")
    answer = await transport.request("HEAD", peer.url, {}, None, max_bytes=10)
    assert answer.headers["content-length"] == "1000000"


async def test_a_cancelled_request_leaves_nothing_behind(
    peer_that: StartPeer, transport: GuardedTransport
) -> None:
    async def stall(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 5\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(60)  # cancelled when the peer stops

    peer = await peer_that(stall)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await transport.request("GET", peer.url, {}, None, max_bytes=10)
    with pytest.raises(Unavailable):
        await transport.request("GET", peer.url, {}, None, max_bytes=10, timeout_s=0.1)


async def test_the_settings_decide_how_far_the_transport_goes(
    peer_that: StartPeer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    peer = await peer_that(OK + b"Content-Length: 0\r\n\r\n")
    data = tmp_path_factory.mktemp("node")
    trying = GuardedTransport.from_settings(Settings(data=data))
    serving = GuardedTransport.from_settings(Settings(data=data, url="https://hub.example"))
    assert (await trying.request("GET", peer.url, {}, None, max_bytes=0)).status == 200
    with pytest.raises(Refused):
        await serving.request("GET", peer.url, {}, None, max_bytes=0)
    await trying.close()
    await serving.close()
