"""Files on their way in: streamed into the store, piece by piece, with a cap on each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from hub.actions import files
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.errors import Refused, Untrusted

_WRITTEN: Final = 256 * 1024  # at a time
_READ: Final = 64 * 1024  # at a time
_READ_CHUNKED: Final = 1024  # at a time: so many chunks of one byte do not hold others up
_WORD_MAX: Final = 256 * 1024  # bytes of a part that is not a file
_WORDS_MAX: Final = 16
_PLAIN_CODINGS: Final = frozenset({"", "identity", "binary", "7bit", "8bit"})


@dataclass(slots=True)
class Parts:
    """What a request brought: words of its form, and files that are in the store now."""

    words: dict[str, str] = field(default_factory=dict)
    files: list[NewFile] = field(default_factory=list)


async def read_parts(hub: Hub, request: web.Request) -> Parts:
    """The parts of a multipart body: `file` any number of times, every other name once.

    Raises Untrusted(malformed); Refused(file_too_large | too_large | invalid_part).
    """
    parts = Parts()
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            await _read_part(hub, request, part, parts)
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:
        # What aiohttp raises where the text between the boundaries is no part.
        raise Untrusted(
            "malformed", "The body is not the multipart it says it is.", because=repr(error)[:200]
        ) from None
    return parts


async def _read_part(
    hub: Hub, request: web.Request, part: MultipartReader | BodyPartReader, parts: Parts
) -> None:
    if not isinstance(part, BodyPartReader) or not part.name:
        raise Refused("invalid_part", "Every part needs a name, and cannot be of parts itself.")
    codings = {
        part.headers.get(name, "").strip().lower()
        for name in ("Content-Encoding", "Content-Transfer-Encoding")
    }
    if not codings <= _PLAIN_CODINGS:
        raise Refused("unsupported_media_type", "Content codings are not taken here.")
    if part.name == "file":  # its name may be percent-encoded: RFC 7578 §4.2
        if len(parts.files) >= hub.limits.files_per_message:
            raise Refused(
                "too_large",
                "No more than {limit} files go in one request.",
                limit=hub.limits.files_per_message,
            )
        media_type = part.headers.get("Content-Type", "")
        parts.files.append(
            await files.take(
                hub, unquote(part.filename or "file"), media_type, _pieces(request, part.read_chunk)
            )
        )
        return
    if part.name in parts.words or len(parts.words) >= _WORDS_MAX:
        raise Refused("invalid_part", "The part '{name}' stands twice.", name=part.name[:64])
    text = bytearray()
    async for piece in _pieces(request, part.read_chunk):
        text += piece
        if len(text) > _WORD_MAX:
            raise Refused("too_large", "The request is too large.")
    parts.words[part.name] = text.decode("utf-8")


async def _pieces(
    request: web.Request, read: Callable[[int], Awaitable[bytes]]
) -> AsyncIterator[bytes]:
    at_once = _READ_CHUNKED if request.content_length is None else _READ
    gathered = bytearray()
    while piece := await read(at_once):
        gathered += piece
        if len(gathered) >= _WRITTEN:
            yield bytes(gathered)
            gathered.clear()
        await asyncio.sleep(0)  # what has arrived already is read without waiting for anything
    if gathered:
        yield bytes(gathered)


async def read_whole(hub: Hub, request: web.Request, name: str) -> NewFile:
    """The body as one file. Raises Refused(file_too_large), before reading where it is said."""
    length = request.content_length
    if length is not None and length > hub.limits.file_bytes:
        raise Refused(
            "file_too_large", "The file is larger than {limit} bytes.", limit=hub.limits.file_bytes
        )
    return await files.take(
        hub, name, request.headers.get("Content-Type", ""), _pieces(request, request.content.read)
    )
