"""The aiohttp side of the door: bounded reading in, streaming out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from aiohttp import web

from hub import bodies
from hub.actions import suspicions
from hub.domain.limits import caller_of, network_of
from hub.errors import HubError, Refused
from hub.federation.door import ROUTES, Call, Door, FileBody, Reply

_CHUNK: Final = 256 * 1024
_CHUNK_TAKEN_S: Final = 60.0  # who reads more slowly than a chunk in this time is cut off


def add_routes(app: web.Application, door: Door, trusted_proxies: Collection[str] = ()) -> None:
    """Put every route of the door into the application.

    `trusted_proxies` are networks whose X-Forwarded-For is believed.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = caller_of(
            request.remote or "", request.headers.get("X-Forwarded-For", ""), trusted_proxies
        )
        call = Call(request.method, request.raw_path, _headers(request), network=network_of(caller))
        try:
            # Strangers are turned away before a byte of their body is read.
            route = await door.knock(call)
            with door.place(call, route):
                try:
                    body = await _read(request, route.max_body, door.hub.limits.body_s)
                except HubError:
                    if (claimed := request.match_info.get("lid")) is not None:
                        door.disproved(call, claimed)
                    raise
                reply = await door.answer(replace(call, body=body))
                if reply.file is None:
                    return _plain(reply)
                with door.giving_a_file():
                    return await _stream(request, reply, reply.file)
        except HubError as error:
            door.hub.metrics.refused.labels("federation", error.code).inc()
            suspicions.note(door.hub, error.code, came_from=call.network)
            return _plain(door.problem(error), close=True)

    async def close(_app: web.Application) -> None:
        door.polls.close()  # a stop does not wait for calls that wait for news

    app.on_shutdown.append(close)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, handle)


def _headers(request: web.Request) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


async def _read(request: web.Request, limit: int, within_s: float) -> bytes:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused("unsupported_media_type", "Content codings are not taken here.")
    return await bodies.read(request, limit, within_s)


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
            async with asyncio.timeout(_CHUNK_TAKEN_S):
                await response.write(chunk)
            left -= len(chunk)
    await response.write_eof()
    return response
