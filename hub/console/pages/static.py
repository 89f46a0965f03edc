"""Styles, programs and drawings."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub.console.door import Answer, Open, Page, Visit
from hub.errors import NotFound

_FOR_EVER: Final = "public, max-age=31536000, immutable"


async def _asset(visit: Visit) -> Answer:
    found = visit.context.renderer.assets.find(visit.param("digest"), visit.param("name"))
    if found is None:
        raise NotFound("not_found", "There is nothing here.")
    headers = {
        "content-type": found.content_type,
        "cache-control": _FOR_EVER,
        "vary": "Accept-Encoding",
    }
    if "gzip" in visit.request.headers.get("Accept-Encoding", ""):
        return web.Response(body=found.packed, headers={**headers, "content-encoding": "gzip"})
    return web.Response(body=found.plain, headers=headers)


PAGES: Final = (
    Page(
        name="static",
        method="GET",
        path="/static/{digest}/{name:.+}",
        may=Open.TO_ALL,
        handler=_asset,
    ),
)
