"""Files of tickets: up piece by piece with their own request, down as attachments.

An image of a kind that browsers draw and never run is shown in the page, if its first bytes say
so too; everything else is only ever saved. Nothing of it stays in a browser after sign-out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote

from aiohttp import web

from hub.actions import files
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.console.door import Answer, Page, Shown, Visit, page_for
from hub.console.pages.ticket import ticket_id
from hub.domain.comment import DEFAULT_VISIBILITY, Visibility
from hub.domain.permission import Permission
from hub.errors import Refused, Unavailable
from hub.queries import tickets as shown

_PIECE: Final = 256 * 1024
DRAWN: Final[Mapping[str, re.Pattern[bytes]]] = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/gif": re.compile(rb"GIF8[79]a"),
}
"""Types that are shown, and how such a file begins."""
NO_PICTURE: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 72"><path fill="none"'
    b' stroke="#7a8786" stroke-width="3" d="M30 20h36v32H30zl36 32m0-32L30 52"/></svg>'
)
"""Instead of a picture that nobody can make."""
_BEGINNING: Final = 16  # bytes of it
_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"


async def take(hub: Hub, request: web.Request, name: str) -> NewFile:
    """The body as one file in the store. Raises Refused(file_too_large)."""
    length = request.content_length
    if length is not None and length > hub.limits.file_bytes:
        raise Refused(
            "file_too_large", "The file is larger than {limit} bytes.", limit=hub.limits.file_bytes
        )
    media_type = request.headers.get("Content-Type", "")
    return await files.take(hub, name or "file", media_type, _pieces(request))


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_chunked(_PIECE):
        yield piece
        await asyncio.sleep(0)  # what has arrived already is read without waiting for anything


async def _up(visit: Visit) -> Answer:
    which = await ticket_id(visit)
    said = visit.query("visibility")
    visibility = Visibility(said) if said in set(Visibility) else DEFAULT_VISIBILITY
    taken = await take(visit.hub, visit.request, visit.query("name")[:1000])
    (added,) = await files.add(visit.hub, visit.actor, which, [taken], visibility)
    return web.json_response({"id": added})


async def _down(visit: Visit) -> Answer:
    name, file_id = visit.param("ticket"), visit.param("file")
    found = await visit.hub.db.read(lambda connection: shown.file_named(connection, name, file_id))
    return sent(visit.hub, found.sha256, found.name, found.media_type)


def sent(hub: Hub, sha256: str, name: str, media_type: str) -> web.StreamResponse:
    """The bytes, to be saved; an image to be drawn."""
    _check_here(hub, sha256)
    drawn = _is_drawn(hub, sha256, media_type)
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    how = "inline" if drawn else "attachment"
    return web.FileResponse(
        hub.blobs.path(sha256),
        headers={
            "content-type": media_type if drawn else "application/octet-stream",
            "content-disposition": f"{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
            "content-security-policy": _POLICY,
            "cache-control": "no-store",
        },
    )


async def _small(visit: Visit) -> Answer:
    """A small picture of an image; of one that cannot be read, a drawing of ours."""
    name, file_id = visit.param("ticket"), visit.param("file")
    found = await visit.hub.db.read(lambda connection: shown.file_named(connection, name, file_id))
    hub, place = visit.hub, None
    _check_here(hub, found.sha256)
    if _is_drawn(hub, found.sha256, found.media_type):
        place = await visit.context.thumbnails.of(hub, found.sha256)
    headers = {"content-security-policy": _POLICY, "cache-control": "no-store"}
    if place is None:
        return web.Response(body=NO_PICTURE, content_type="image/svg+xml", headers=headers)
    return web.FileResponse(place, headers={**headers, "content-type": "image/jpeg"})


def _check_here(hub: Hub, sha256: str) -> None:
    """Return if the bytes are here. Raises Unavailable(storage_unavailable)."""
    if not hub.blobs.has(sha256):
        raise Unavailable("storage_unavailable", "The file is not where it was stored.")


def _is_drawn(hub: Hub, sha256: str, media_type: str) -> bool:
    """Whether it is of a kind that is shown: it says so, and begins so."""
    if media_type not in DRAWN:
        return False
    with hub.blobs.open(sha256) as content:
        return DRAWN[media_type].match(content.read(_BEGINNING)) is not None


async def _list(visit: Visit) -> Answer:
    name = visit.param("ticket")
    ticket = await visit.hub.db.read(lambda connection: shown.show(connection, name))
    own = [one for one in ticket.attachments if one.comment is None]
    return Shown("parts/files.html", {"ticket": ticket, "files": own})


_look: Final = page_for(Permission.TICKETS_READ)

PAGES: Final = (
    _look("thumbnail", "GET", "/tickets/{ticket}/files/{file}/small", _small),
    _look("files", "GET", "/tickets/{ticket}/files", _list),
    Page(
        name="upload",
        method="POST",
        path="/tickets/{ticket}/files",
        may=Permission.TICKETS_WORK,
        handler=_up,
        streams=True,
    ),
    _look("file", "GET", "/tickets/{ticket}/files/{file}", _down),
)
