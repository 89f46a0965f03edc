"""The one way out: HTTP requests to addresses other people gave us.

Whatever the other side does, a request ends within its deadline and within its bytes, with an
`Answer` or with an error of ours. No redirect is followed, no cookie kept, no proxy taken from
the environment, no content coding undone. Where a socket may connect is `guard`'s decision.
"""

from __future__ import annotations

import ssl as tls
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver

from hub.errors import HubError, Unavailable
from hub.federation.guard import ForbiddenSocket, Guard, Reach, checked
from hub.settings import Settings

_KEEP_ALIVE_S: Final = 30.0  # less than common servers keep an idle connection, so we close first
_CONNECTIONS: Final = 256  # of all peers together
_CONNECTIONS_PER_PEER: Final = 4  # a stalling peer holds these and no others
_USER_AGENT: Final = "ticket-exchange-hub"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, of any status: the caller judges it. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]  # a repeated header is one value, joined by ", " (RFC 9110 §5.3)
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer whose body is still arriving; read `chunks` once, inside the `async with`."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Told:
    """What the head of an answer says."""

    status: int
    headers: Mapping[str, str]


class PeerTransport(Protocol):
    """How requests reach a peer. Tests have one without sockets."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        max_bytes: int,
        timeout_s: float | None = None,
    ) -> Answer:
        """The whole answer, whatever its status.

        Raises:
            Refused: `address_forbidden`; nothing was sent.
            Unavailable: `peer_unreachable` (connection, TLS, deadline) or `peer_answer_unusable`
                (more than `max_bytes`, a content coding, not HTTP). The peer may have acted.
        """
        ...

    def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """The same with a body that is read as it comes; its errors may come while reading."""
        ...

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        max_bytes: int,
        timeout_s: float,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """A request to somebody who is no peer, with any body aiohttp takes; raises the same."""
        ...

    async def close(self) -> None:
        """Let go of kept connections."""
        ...


class GuardedTransport:
    """PeerTransport over real sockets, each of them checked before it connects."""

    def __init__(
        self,
        guard: Guard,
        *,
        connect_timeout_s: float = 15.0,
        total_timeout_s: float = 30.0,
        stream_timeout_s: float = 3600.0,
        stream_max_bytes: int = 100 * 1024 * 1024,
        resolver: AbstractResolver | None = None,
        ssl_context: tls.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._connect_timeout_s = connect_timeout_s
        self._total_timeout_s = total_timeout_s
        self._stream_timeout_s = stream_timeout_s
        self._stream_max_bytes = stream_max_bytes
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._sessions: dict[Reach, aiohttp.ClientSession] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> GuardedTransport:
        """The transport a node runs with."""
        return cls(
            Guard(listed=settings.allowed_private, try_out=settings.try_out),
            connect_timeout_s=settings.network.connect_timeout_s,
            total_timeout_s=settings.network.total_timeout_s,
            stream_timeout_s=settings.limits.file_pull_s,
            stream_max_bytes=settings.limits.file_bytes,
        )

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        max_bytes: int,
        timeout_s: float | None = None,
    ) -> Answer:
        """See PeerTransport."""
        deadline_s = timeout_s or self._total_timeout_s
        async with self._exchange(
            method, url, headers, body, max_bytes=max_bytes, deadline_s=deadline_s
        ) as answer:
            content = b"".join([chunk async for chunk in answer.chunks])
            return Answer(answer.status, answer.headers, content)

    def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """See PeerTransport. A silence as long as the total time-out of a request ends it too."""
        return self._exchange(
            method,
            url,
            headers,
            None,
            max_bytes=self._stream_max_bytes if max_bytes is None else max_bytes,
            deadline_s=timeout_s or self._stream_timeout_s,
        )

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        max_bytes: int,
        timeout_s: float,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """See PeerTransport."""
        return self._exchange(method, url, headers, body, max_bytes=max_bytes, deadline_s=timeout_s)

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float
    ) -> AsyncIterator[Told]:
        """Status and headers of the answer to somebody who is no peer; its body is not read.

        Raises as `PeerTransport.request`.
        """
        async with self._sent(method, url, headers, body, deadline_s=timeout_s) as response:
            yield Told(response.status, _plain_headers(response))

    async def close(self) -> None:
        """See PeerTransport."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        max_bytes: int,
        deadline_s: float,
    ) -> AsyncIterator[StreamedAnswer]:
        async with self._sent(method, url, headers, body, deadline_s=deadline_s) as response:
            chunks = _bounded(response, max_bytes)
            try:
                _refuse_unreadable(response, max_bytes)
                yield StreamedAnswer(response.status, _plain_headers(response), chunks)
            finally:
                await chunks.aclose()

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        deadline_s: float,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        target, reach = self._guard.reach(url)
        timeout = aiohttp.ClientTimeout(
            total=deadline_s,
            sock_connect=min(self._connect_timeout_s, deadline_s),
            sock_read=min(self._total_timeout_s, deadline_s),
            ceil_threshold=float("inf"),  # whole seconds are for servers with many timers
        )
        try:
            response = await self._session(reach).request(
                method,
                target,
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers},
                data=body,
                timeout=timeout,
                allow_redirects=False,
                skip_auto_headers=("Content-Type",),
            )
        except _TROUBLE as error:
            raise _explained(error) from error
        try:
            yield response
        finally:
            # Gives the connection back when the body was read to its end, cuts it otherwise:
            # we do not read the rest of an answer we no longer want.
            response.close()

    def _session(self, reach: Reach) -> aiohttp.ClientSession:
        session = self._sessions.get(reach)
        if session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=checked(reach),
                resolver=self._resolver or aiohttp.ThreadedResolver(),
                # The address that was checked is the address connected to; an answer is not
                # kept for the next connection, which asks and checks again.
                use_dns_cache=False,
                ssl=self._ssl_context or True,
                limit=_CONNECTIONS,
                limit_per_host=_CONNECTIONS_PER_PEER,
                keepalive_timeout=_KEEP_ALIVE_S,
            )
            session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                raise_for_status=False,
            )
            self._sessions[reach] = session
        return session


_TROUBLE: Final = (aiohttp.ClientError, OSError)  # a TimeoutError is an OSError


def _explained(error: Exception) -> HubError:
    """Ours for theirs. What the network said goes to our log, never to who asked."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ForbiddenSocket
    ):
        return error.os_error.refusal
    because = f"{type(error).__name__}: {error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return _unusable(because)
    return Unavailable(
        "peer_unreachable", "The partner's node cannot be reached now", because=because
    )


def _unusable(because: str) -> Unavailable:
    # Unavailable, not Untrusted: a proxy in trouble answers like this, and it passes.
    return Unavailable(
        "peer_answer_unusable",
        "The partner's node gave an answer that cannot be used",
        because=because,
    )


def _plain_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _refuse_unreadable(response: aiohttp.ClientResponse, max_bytes: int) -> None:
    coding = response.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() != "identity":
        raise _unusable(f"content coding {coding[:40]!r}")
    length = response.content_length
    if length is not None and length > max_bytes and response.method != "HEAD":
        raise _unusable(f"{length} bytes announced, {max_bytes} allowed")


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    try:
        async for chunk in response.content.iter_any():
            received += len(chunk)
            if received > max_bytes:
                raise _unusable(f"more than {max_bytes} bytes")
            yield chunk
    except _TROUBLE as error:
        raise _explained(error) from error
