"""Real HTTP for tests against real desks on this machine, and a clock that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp

from connectors.contract import Answer, Download, File, Part, Request, Unavailable


class RealTransport:
    """One aiohttp session per request: what is kept between requests is the desk's."""

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        async with self.stream(request) as answer:
            body = b"".join([piece async for piece in answer.chunks])
        if len(body) > max_bytes:
            raise Unavailable("too_much", "The desk does not answer")
        return Answer(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:
        # A length that can be compared with what came is the length of the bytes themselves.
        headers = {**request.headers, "Accept-Encoding": "identity"}
        body = await self._body(request.body, headers)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
                session.request(
                    request.method, request.url, headers=headers, data=body, allow_redirects=False
                ) as answer,
            ):
                named = {name.lower(): value for name, value in answer.headers.items()}
                yield Download(answer.status, named, answer.content.iter_any())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("no_answer", "The desk does not answer") from error

    async def _body(self, body: object, headers: dict[str, str]) -> object:
        if isinstance(body, File):
            headers.setdefault("Content-Length", str(body.size))
            return body.open()
        if not isinstance(body, list):
            return body
        form = aiohttp.FormData(quote_fields=False)
        for part in body:
            assert isinstance(part, Part)
            if isinstance(part.value, File):
                content = b"".join([piece async for piece in part.value.open()])
                kind, name = part.value.content_type, part.value.name
                form.add_field(part.name, content, filename=name, content_type=kind)
            else:
                form.add_field(part.name, part.value, content_type=part.content_type or None)
        return form


class RealClock:
    """Waits, as long as a real desk's resolution needs and never longer than seconds."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def advance(self, by: timedelta) -> None:
        await asyncio.sleep(min(by.total_seconds(), 1.1))
