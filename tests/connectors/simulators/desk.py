"""What every simulated desk has: tickets, people, a clock, and HTTP without sockets.

A simulator answers as the documented API does, with the quirks that were seen or read of. What
people do over there (`open_ticket`, `reply`, …) is what connectors.conformance.People asks for.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.conformance import Rig, Seen
from connectors.contract import Answer, Call, Download, File, Host, Part, Request
from connectors.registry import template
from connectors.rest.connector import RestConnector
from connectors.rest.description import Description
from connectors.rest.loading import load

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    async def advance(self, by: timedelta) -> None:
        self._now += by


class Vault:
    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def read(self, name: str) -> str | None:
        return self.values.get(name)

    async def write(self, name: str, value: str) -> None:
        self.values[name] = value


@dataclass
class Attached:
    id: int
    name: str
    content: bytes
    type: str
    by: str
    at: datetime
    remark: int | None = None


@dataclass
class Remark:
    id: int
    text: str
    public: bool
    by: str
    at: datetime
    kind: str = "comment"
    files: list[Attached] = field(default_factory=list)


@dataclass
class Ticket:
    id: str
    title: str
    text: str
    status: str  # as the desk writes it
    created: datetime
    updated: datetime
    by: str
    priority: Any = 2
    fields: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    files: list[Attached] = field(default_factory=list)
    merged: str = ""
    deleted: bool = False
    spoiled: bool = False
    version: int = 1


@dataclass
class Asked:
    """A request as a desk's handler sees it."""

    method: str
    path: str
    query: dict[str, str]
    pairs: list[tuple[str, str]]
    headers: dict[str, str]
    raw: bytes
    parts: dict[str, Any]
    match: re.Match[str] | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.raw) if self.raw else {}


class No(Exception):
    """An answer that is none of the good ones."""

    def __init__(self, status: int, body: Any = None) -> None:
        self.answer = made(status, body)


def made(status: int, body: Any = None, **headers: str) -> Answer:
    raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    kind = {"content-type": "application/json; charset=utf-8"} if body is not None else {}
    return Answer(status, {**kind, **headers}, raw)


def route(method: str, pattern: str) -> Callable[[Any], Any]:
    def mark(handler: Any) -> Any:
        handler.routes = [*getattr(handler, "routes", []), (method, re.compile(pattern + r"\Z"))]
        return handler

    return mark


class Desk:
    """A desk; it is a `Transport` and its own `People`."""

    name: ClassVar[str]
    base: ClassVar[str] = "https://desk.example"
    secrets: ClassVar[dict[str, str]] = {}
    settings: ClassVar[dict[str, Any]] = {}
    can: frozenset[str] = frozenset({"reply", "private", "move", "strange", "file", "delete"})
    first_status: ClassVar[str] = "new"
    words: ClassVar[dict[str, str]] = {}  # ours to theirs
    strange_status: ClassVar[str] = "quarantine"
    resolution = timedelta(seconds=1)
    hub = "hub"

    def __init__(self) -> None:
        self.clock = Clock()
        self.tickets: dict[str, Ticket] = {}
        self.requests: list[Asked] = []
        self._ids = 0
        self._routes = [
            (method, pattern, getattr(type(self), name))
            for klass in reversed(type(self).__mro__)
            for name, handler in vars(klass).items()
            for method, pattern in getattr(handler, "routes", ())
        ]

    # ------------------------------------------------------------ HTTP

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        asked = await self._asked(request)
        self.requests.append(asked)
        try:
            answer = self._answer(asked)
        except No as no:
            answer = no.answer
        date = {"date": format_datetime(self.clock.now(), usegmt=True)}
        return Answer(answer.status, {**date, **answer.headers}, answer.body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:
        answer = await self.send(request, max_bytes=10**9)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(answer.body), 1024):
                yield answer.body[start : start + 1024]

        headers = {**answer.headers, "content-length": str(len(answer.body))}
        yield Download(answer.status, headers, pieces())

    async def _asked(self, request: Request) -> Asked:
        parts = urlsplit(request.url)
        assert request.url.startswith(self.base), request.url
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw, form = b"", {}
        if isinstance(request.body, bytes):
            raw = request.body
        elif isinstance(request.body, File):
            raw = b"".join([piece async for piece in request.body.open()])
            assert len(raw) == request.body.size
        elif request.body is not None:
            for part in request.body:
                assert isinstance(part, Part)
                form[part.name] = part.value
                if isinstance(part.value, File):
                    content = b"".join([piece async for piece in part.value.open()])
                    form[part.name] = (part.value.name, content, part.value.content_type)
        path = parts.path
        return Asked(request.method, path, dict(pairs), pairs, headers, raw, form)

    def _answer(self, asked: Asked) -> Answer:
        path = asked.path[len(urlsplit(self.base).path) :]
        refused = self.authenticate(asked, path)
        if refused is not None:
            return refused
        for method, pattern, handler in self._routes:
            match = pattern.match(unquote(path))
            if method == asked.method and match:
                asked.match = match
                return handler(self, asked)
        return made(404, {"error": "no such resource"})

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        """None where it may pass."""
        raise NotImplementedError

    # ------------------------------------------------------------ what is stored

    def number(self) -> int:
        self._ids += 1
        return self._ids

    def second(self) -> datetime:
        """Now, as finely as this desk tells time."""
        now = self.clock.now()
        step = self.resolution.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // step * step, UTC)

    def there(self, number: Any) -> Ticket:
        ticket = self.tickets.get(str(number))
        if ticket is None or ticket.deleted:
            raise No(404, {"error": "not found"})
        return ticket

    def alive(self) -> list[Ticket]:
        return [one for one in self.tickets.values() if not one.deleted]

    def new_id(self) -> str:
        return str(self.number())

    def add(self, title: str, text: str, by: str, **more: Any) -> Ticket:
        now = self.second()
        ticket = Ticket(self.new_id(), title, text, self.first_status, now, now, by, **more)
        self.tickets[ticket.id] = ticket
        self.touched(ticket, "Create", by)
        return ticket

    def remark(self, ticket: Ticket, text: str, public: bool, by: str, **more: Any) -> Remark:
        remark = Remark(self.number(), text, public, by, self.second(), **more)
        ticket.remarks.append(remark)
        self.touched(ticket, "Correspond" if public else "Comment", by, remark.id)
        return remark

    def put(self, ticket: Ticket, name: str, content: bytes, by: str, kind: str = "") -> Attached:
        kind = kind or "application/octet-stream"
        attached = Attached(self.number(), name, content, kind, by, self.second())
        ticket.files.append(attached)
        self.touched(ticket, "Attach", by, attached.id)
        return attached

    def set(self, ticket: Ticket, status: str, by: str) -> None:
        if ticket.status != status:
            ticket.status = status
            self.touched(ticket, "Status", by)

    def touched(self, ticket: Ticket, kind: str, by: str, about: int = 0) -> None:
        ticket.updated = self.second()
        ticket.version += 1

    def file(self, number: Any) -> Attached:
        for ticket in self.tickets.values():
            for one in (*ticket.files, *(f for r in ticket.remarks for f in r.files)):
                if str(one.id) == str(number):
                    return one
        raise No(404, {"error": "not found"})

    # ------------------------------------------------------------ people over there

    async def open_ticket(self, title: str, text: str) -> str:
        return self.add(title, text, "petr").id

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        self.remark(self.tickets[ticket], text, public, "petr")

    async def move(self, ticket: str, status: str) -> None:
        self.set(self.tickets[ticket], self.words[status], "petr")

    async def strange(self, ticket: str) -> str:
        self.set(self.tickets[ticket], self.strange_status, "petr")
        return self.strange_status

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        self.put(self.tickets[ticket], name, content, "petr")

    async def delete(self, ticket: str) -> None:
        self.tickets[ticket].deleted = True

    async def merge(self, ticket: str, into: str) -> None:
        self.tickets[ticket].merged = into
        self.touched(self.tickets[ticket], "Merge", "petr")

    async def spoil(self, ticket: str) -> None:
        self.tickets[ticket].spoiled = True

    async def seen(self, ticket: str) -> Seen:
        it = self.tickets[ticket]
        files = [*it.files, *(one for remark in it.remarks for one in remark.files)]
        comments = tuple((one.text, one.public) for one in it.remarks if one.text)
        return Seen(comments, tuple((one.name, one.content) for one in files), it.status)

    async def marked(self, marker: str) -> list[str]:
        return [one.id for one in self.alive() if marker in one.fields.values()]

    async def hook(self, ticket: str) -> Call:
        raise NotImplementedError

    # ------------------------------------------------------------ the rig

    def rig(self) -> Rig:
        description = described(self.name)

        def make(host: Host) -> RestConnector:
            return RestConnector(description, host)

        table = description.maps.get("status")
        statuses = frozenset(table.both) & frozenset(self.words) if table else frozenset()
        return Rig(
            make=make,
            transport=self,
            clock=self.clock,
            vault=Vault(dict(self.secrets)),
            wrong_vault=Vault(dict.fromkeys(self.secrets, "wrong-" + "x" * 20)),
            settings={"url": self.base, **self.settings},
            people=self,
            statuses=statuses,
            resolution=self.resolution,
        )


@cache
def described(name: str) -> Description:
    """A template, read once: reading is what takes the longest here."""
    return load(template(name), f"{name}.yaml")


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
