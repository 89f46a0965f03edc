"""Simulated desks behind the node's own way out, and what goes wrong on the way."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.contract import File, Part, Request
from hub.errors import Unavailable
from tests.connectors.simulators.desk import Desk

Trouble = Callable[[str, str], str | None]
"""(method, url) → None, "before" (nothing was done), "after" (done, then 500), "silence"
(done, no answer), "busy" (429 with a pause)."""


@dataclass(frozen=True, slots=True)
class Given:
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass
class World:
    """Every desk there is; it is the client a node calls them with."""

    desks: list[Desk] = field(default_factory=list)
    trouble: Trouble = lambda _method, _url: None
    sent: list[bytes] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        max_bytes: int,
        timeout_s: float,
    ) -> AsyncIterator[Given]:
        desk = next(one for one in self.desks if url.startswith(one.base))
        raw = await _bytes(body)
        self.asked.append((method, url))
        self.sent.append(f"{method} {url} {dict(headers)!r}".encode() + raw)
        what = self.trouble(method, url)
        if what == "before":
            raise Unavailable("peer_unreachable", "Nobody answers.")
        if what == "busy":
            yield Given(429, {"retry-after": "7"}, _pieces(b""))
            return
        # A simulator reads forms as parts, a real desk as the bytes they are.
        said = _parts(headers, raw) if isinstance(desk, Desk) else raw or None
        answer = await desk.send(Request(method, url, headers, said), max_bytes=max_bytes)
        if what == "silence":
            raise Unavailable("peer_unreachable", "No answer in time.")
        if what == "after":
            yield Given(500, {}, _pieces(b"Internal Server Error"))
            return
        length = {"content-length": str(len(answer.body))}
        yield Given(answer.status, {**length, **answer.headers}, _pieces(answer.body))


def unlucky(seed: str, share: float) -> Trouble:
    """Something goes wrong with this share of the requests."""
    chance = random.Random(seed)

    def trouble(_method: str, _url: str) -> str | None:
        if chance.random() >= share:
            return None
        return chance.choice(["before", "after", "silence", "busy"])

    return trouble


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1024):
        yield body[start : start + 1024]


async def _bytes(body: Any) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    if hasattr(body, "write"):  # a form of aiohttp
        out = _Buffer()
        await body.write(out)
        return b"".join(out.got)
    return b"".join([chunk async for chunk in body])


class _Buffer:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        self.got.append(bytes(chunk))


def _parts(headers: Mapping[str, str], raw: bytes) -> Any:
    """A form as the simulators take it; any other body as it is."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if not kind.startswith("multipart/"):
        return raw or None
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    found = []
    for piece in raw.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        said = dict(_SAID.findall(head.decode()))
        media_type = next(iter(_TYPE.findall(head.decode())), "application/octet-stream")
        value: Any = content
        if "filename" in said:
            name, size = said["filename"], len(content)
            value = File(name, media_type, size, lambda content=content: _pieces(content))
        found.append(Part(said["name"], value if isinstance(value, File) else content.decode()))
    return found


_SAID = re.compile(r'\b(name|filename)="([^"]*)"')
_TYPE = re.compile(r"Content-Type: ([^;\r\n]+)")
