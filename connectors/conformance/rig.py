"""What a run is given: people over there, a clock, a way out that can be made to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from connectors.contract import (
    Answer,
    Author,
    Call,
    Clock,
    Connector,
    Download,
    File,
    ForeignTicket,
    Host,
    NewTicket,
    Page,
    Request,
    Transport,
    Unavailable,
    Vault,
)

TEXT: Final = "Не печатает «Чек» — ёжик\nвторая строка: 100 % <b>&amp;</b> \\ \" 'ok' №7 🖨"
CONTENT: Final = bytes(range(256)) * 40


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket as people over there see it."""

    comments: tuple[tuple[str, bool], ...]  # text, public
    files: tuple[tuple[str, bytes], ...]
    status: str  # their word


class People(Protocol):
    """Who works over there."""

    can: frozenset[str]  # of: reply, private, move, file, delete, merge, strange, spoil, hook

    async def open_ticket(self, title: str, text: str) -> str:
        """A new ticket; its id."""
        ...

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        """One of them writes."""
        ...

    async def move(self, ticket: str, status: str) -> None:
        """One of them sets what means this word of ours."""
        ...

    async def strange(self, ticket: str) -> str:
        """One of them sets a status no table knows; their word."""
        ...

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        """One of them attaches a file for everybody."""
        ...

    async def delete(self, ticket: str) -> None:
        """It is not there any more."""
        ...

    async def merge(self, ticket: str, into: str) -> None:
        """It is part of another now."""
        ...

    async def spoil(self, ticket: str) -> None:
        """It cannot be understood any more."""
        ...

    async def seen(self, ticket: str) -> Seen:
        """What it looks like over there."""
        ...

    async def marked(self, marker: str) -> list[str]:
        """Every ticket over there that bears this marker."""
        ...

    async def hook(self, ticket: str) -> Call:
        """The webhook the desk would send about it now."""
        ...


class Hands(Clock, Protocol):
    """A clock somebody turns; a real desk's only waits."""

    async def advance(self, by: timedelta) -> None:
        """Let time pass, over there too."""
        ...


@dataclass(slots=True)
class Rig:
    """One desk with everything around it."""

    make: Callable[[Host], Connector]
    transport: Transport
    clock: Hands
    vault: Vault
    wrong_vault: Vault
    settings: dict[str, Any]
    people: People
    statuses: frozenset[str]  # our words that can be told over there
    resolution: timedelta = timedelta(seconds=1)
    long_lists: int = 120  # how many tickets the paging case may make

    def connector(
        self, transport: Transport | None = None, vault: Vault | None = None
    ) -> Connector:
        """A fresh one, as after a restart."""
        host = Host(transport or self.transport, self.clock, vault or self.vault, self.settings)
        return self.make(host)


# ---------------------------------------------------------------- faults


@dataclass(slots=True)
class Fault:
    """What goes wrong with one request."""

    name: str
    done: bool = False  # the desk does it all the same
    status: int = 0  # what we hear; 0: nothing
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # None: the desk's own, cut in half for a good status
    cured: bool = False  # by a person: until then nothing works, afterwards everything does
    times: int = 1  # requests in a row that it strikes


_PAGE: Final = {"content-type": "text/html; charset=utf-8"}

FAULTS: Final = (
    Fault("too_many_requests", status=429, headers={"retry-after": "7"}),
    Fault("too_many_requests_until_a_date", status=429,
          headers={"date": "Sun, 22 Nov 2026 09:00:00 GMT",
                   "retry-after": "Sun, 22 Nov 2026 09:00:07 GMT"}),
    Fault("too_many_requests_for_nobody_says_how_long", status=429),
    Fault("unavailable_for_a_while", status=503, headers={"retry-after": "7"}),
    Fault("request_too_slow", status=408),
    Fault("changed_meanwhile", status=409),
    Fault("key_refused_for_a_while", status=401, cured=True),
    Fault("trouble_before_it", status=500, body=b"Internal Server Error"),
    Fault("trouble_after_it", done=True, status=500, body=b""),
    Fault("trouble_after_it_twice", done=True, status=500, body=b"", times=2),
    Fault("bad_gateway_before_it", status=502, headers=_PAGE, body=b"<html>502</html>"),
    Fault("gateway_gives_up_after_it", done=True, status=504, body=b"<html>504</html>"),
    Fault("a_page_instead_of_it", status=200, headers=_PAGE, body=b"<html>Back soon</html>"),
    Fault("a_page_after_it", done=True, status=200, headers=_PAGE, body=b"<html>Sign in</html>"),
    Fault("no_answer_before_it"),
    Fault("no_answer_after_it", done=True),
    Fault("no_answer_after_it_twice", done=True, times=2),
    Fault("answer_is_cut", done=True, status=200),
)  # fmt: skip


class Faulty:
    """A transport that spoils one request of those that are asked through it."""

    def __init__(self, inner: Transport, fault: Fault | None = None, at: int = -1) -> None:
        self._inner, self._fault, self._at = inner, fault, at
        self.count = 0
        self.writes = 0
        self.struck = False
        self.between: Callable[[Request], Awaitable[None]] | None = None

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """The desk's answer, or what the fault makes of it."""
        turn = self.count
        self.count += 1
        self.writes += request.method not in ("GET", "HEAD")
        fault = self._fault
        if fault is None or not self._at <= turn < self._at + fault.times or self._at < 0:
            fault = None
        if fault is None:
            answer = await self._inner.send(request, max_bytes=max_bytes)
            if self.between is not None:
                await self.between(request)
            return answer
        self.struck = True
        answer = Answer(fault.status, fault.headers, fault.body or b"")
        if fault.done:
            real = await self._inner.send(request, max_bytes=max_bytes)
            if fault.body is None:
                answer = Answer(real.status, real.headers, real.body[: len(real.body) // 2])
        if fault.status == 0:
            raise Unavailable("no_answer", "The desk does not answer")
        return answer

    def stream(self, request: Request) -> AbstractAsyncContextManager[Download]:
        """Files pass."""
        return self._inner.stream(request)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Our clock where it goes wrong: ahead of the desk's, or behind."""

    right: Clock
    by: timedelta

    def now(self) -> datetime:
        """What we believe."""
        return self.right.now() + self.by


class Cut:
    """A transport whose files end early."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """Whole answers, cut in the middle where they hold a file."""
        answer = await self._inner.send(request, max_bytes=max_bytes)
        holds_it = len(answer.body) > len(CONTENT)
        body = answer.body[: len(answer.body) // 2] if holds_it else answer.body
        return Answer(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:
        """The first half of it."""
        async with self._inner.stream(request) as whole:
            body = b"".join([piece async for piece in whole.chunks])

            async def half() -> AsyncIterator[bytes]:
                yield body[: len(body) // 2]

            headers = {**whole.headers, "content-length": str(len(body))}
            yield Download(whole.status, headers, half())


# ---------------------------------------------------------------- small things


def a_file(name: str = "схема.bin", content: bytes = CONTENT) -> File:
    """Something to attach."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return File(name, "application/octet-stream", len(content), pieces)


def a_wish(marker: str, title: str = "Касса 2: нет связи", **more: Any) -> NewTicket:
    """A ticket to be made."""
    requester = Author(name="Иван Петров", email="ivan@customer.example")
    return NewTicket(marker, title, TEXT, requester=requester, **more)


async def every_page(pages: AsyncIterator[Page]) -> list[Page]:
    """All pages of a reading."""
    return [page async for page in pages]


async def long_after(rig: Rig) -> bool:
    """Ten minutes later; False where the clock is a real one that nobody waits for."""
    before = rig.clock.now()
    await rig.clock.advance(timedelta(minutes=10))
    return rig.clock.now() - before >= timedelta(minutes=10)


async def begin(connector: Connector) -> str:
    """A cursor that brings what changes from now on."""
    return (await every_page(connector.pull(None)))[-1].cursor


async def news(connector: Connector, cursor: str) -> tuple[list[ForeignTicket], list[Page], str]:
    """What changed since the cursor: tickets, what is gone, and the cursor behind it."""
    pages = await every_page(connector.pull(cursor))
    found = [ticket for page in pages for ticket in page.tickets]
    return found, pages, pages[-1].cursor if pages else cursor


async def bytes_of(connector: Connector, ref: str) -> bytes:
    """A file of theirs, whole."""
    return b"".join([piece async for piece in connector.download(ref)])


def same(there: str, ours: str) -> bool:
    """Whether both are one text, as desks render it."""
    return "".join(there.split()) == "".join(ours.split())
