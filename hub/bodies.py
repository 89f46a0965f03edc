"""Reading the body of a request within bounds: of size, of time, and of how it is cut up.

A body of a million chunks of one byte is small, comes in time, and still keeps the one thread of
a node busy for seconds, because the HTTP library works chunk by chunk. Whoever sends so is
refused after as many chunks as nobody needs, and the door hangs up.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from hub.errors import Refused, Untrusted

MOST_CHUNKS: Final = 1024
"""Of a chunked body: 1 KiB each where it is as large as one may be."""

BUFFER: Final = 16 * 1024
"""Bytes of a body that the server holds unread. The HTTP library also stops taking in chunks
where a sixteenth as many wait, which bounds what it does at a time before anybody can refuse."""


async def read(request: web.Request, limit: int, within_s: float) -> bytes:
    """The body, of at most `limit` bytes, in this time.

    Raises Refused(too_large) without reading on; Untrusted(malformed) where it comes too slowly,
    in too many pieces, or not to its end.
    """
    too_large = Refused("too_large", "The request is too large.")
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    if not request.body_exists:
        return b""
    body = bytearray()
    chunks = 0
    try:
        async with asyncio.timeout(within_s):
            async for piece, ends in request.content.iter_chunks():
                body += piece
                chunks += ends
                if len(body) > limit:
                    raise too_large
                if chunks > MOST_CHUNKS:
                    raise Untrusted("malformed", "The request comes in too many small pieces.")
    except TimeoutError as error:
        raise Untrusted("malformed", "The request did not come in time.") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise cut_off() from error
    return bytes(body)


def cut_off() -> Untrusted:
    """The caller hung up within its request."""
    return Untrusted("malformed", "The request ended before its time.")
