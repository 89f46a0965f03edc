"""The aiohttp side of the door: bounded reading in, streaming out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub.errors import HubError, Refused
from hub.federation.door import ROUTES, Call, Door, FileBody, Reply

_CHUNK: Final = 256 * 1024


def add_routes(app: web.Application, door: Door) -> None:
    """Put every route of the door into the application."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = _headers(request)
        target = request.raw_path
        try:
            # Strangers are turned away before a byte of their body is read.
            route = await door.knock(Call(request.method, target, headers))
            body = await _read(request, route.max_body)
        except HubError as error:
            door.hub.metrics.refused.labels("federation", error.code).inc()
            return _plain(door.problem(error), close=True)
        reply = await door.answer(Call(request.method, target, headers, body))
        if reply.file is not None:
            return await _stream(request, reply, reply.file)
        return _plain(reply)

    for route in ROUTES:
        app.router.add_route(route.method, route.path, handle)


def _headers(request: web.Request) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


async def _read(request: web.Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises Refused(too_large) without reading on."""
    too_large = Refused("too_large", "The request is too large.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused("unsupported_media_type", "Content codings are not taken here.")
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    read = bytearray()
    async for chunk in request.content.iter_any():
        read += chunk
        if len(read) > limit:
            raise too_large
    return bytes(read)


def _plain(reply: Reply, *, close: bool = False) -> web.Response:
    response = web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)
    if close:
        response.force_close()
    return response


async def _stream(request: web.Request, reply: Reply, file: FileBody) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    await response.prepare(request)
    with file.path.open("rb") as source:
        source.seek(file.start)
        left = file.length
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            await response.write(chunk)
            left -= len(chunk)
    await response.write_eof()
    return response
