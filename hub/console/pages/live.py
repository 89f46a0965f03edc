"""What pages are told while they are open: which tickets changed, by server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Final

from aiohttp import web

from hub.console.door import Answer, Visit, page_for
from hub.domain.permission import Permission
from hub.errors import Untrusted
from hub.protocol.encoding import instant, parse_instant
from hub.queries.changes import CHANGED_TOPIC, Reader

_AT_ONCE: Final = 500  # pages that are told at once
_STILL_THERE_S: Final = 15.0


async def _follow(visit: Visit) -> Answer:
    hub = visit.hub
    said = visit.request.headers.get("Last-Event-ID", "")
    try:
        reader = Reader(parse_instant(said) if said else hub.now())
    except Untrusted:
        reader = Reader(hub.now())
    if not said:
        await hub.db.read(reader.look)  # what the page has just shown is not news
    response = web.StreamResponse(
        headers={"content-type": "text/event-stream", "x-accel-buffering": "no"}
    )
    with (
        visit.context.places.hold("streams", _AT_ONCE),
        hub.wakes.watch(CHANGED_TOPIC) as woken,
        contextlib.suppress(ConnectionError),
    ):
        await response.prepare(visit.request)
        await response.write(b"retry: 1000\n\n")
        while True:
            woken.clear()
            for one in await hub.db.read(reader.look):
                data = json.dumps({"ticket": one.ticket})
                told = f"id: {instant(one.at)}\nevent: ticket-changed\ndata: {data}\n\n"
                await response.write(told.encode())
            try:
                await asyncio.wait_for(woken.wait(), _STILL_THERE_S)
            except TimeoutError:
                await response.write(b": still here\n\n")
    return response


_page: Final = page_for(Permission.TICKETS_READ)

PAGES: Final = (_page("live", "GET", "/live", _follow),)
