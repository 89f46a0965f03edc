"""The page behind a link in a letter to a partner without a node: look, say, send. No login.

To look changes nothing: mail scanners follow every link. It works on a phone and without scripts,
so its form comes as `multipart/form-data`, with the photos in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from hub.actions import files, mail_acts, mail_terms
from hub.actions.files import NewFile
from hub.actions.mail_acts import ActForm, Opened, Witness
from hub.actions.mail_terms import OpenedTerms
from hub.console.door import Answer, Open, Page, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.files import sent
from hub.domain.limits import network_of
from hub.errors import HubError, NotFound, Refused, Untrusted
from hub.i18n import gettext as _
from hub.protocol import strict_json
from hub.queries import term_words

if TYPE_CHECKING:
    from hub.storage.database import Connection

_PER_MINUTE: Final = 60  # by one caller: a guess costs time, 128 bits cost all of it
_FILES: Final = 20  # photos in one form
_PARTS: Final = 40
_WORDS: Final = 96 * 1024  # bytes of one field: the longest comment, in Cyrillic
_WITHIN_S: Final = 600.0  # photos over a slow line
_PIECE: Final = 64 * 1024
_FURTHEST: Final = timedelta(days=3 * 366)


async def _enter(visit: Visit) -> Opened | OpenedTerms:
    visit.paced("partner", _PER_MINUTE)
    token = visit.param("token")

    def enter(connection: Connection) -> Opened | OpenedTerms:
        terms = mail_terms.enter(connection, visit.hub, token)
        return terms or mail_acts.enter(connection, visit.hub, token)

    return await visit.hub.db.read(enter)


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None, typed: _Typed | None = None) -> Answer:
    try:
        opened = await _enter(visit)
    except NotFound as ended:
        return Shown("guest_ended.html", {"error": ended}, 404)
    facts: dict[str, object] = {
        "opened": opened,
        "token": visit.param("token"),
        "error": error,
        "typed": typed or _Typed(),
        "zone": visit.hub.now().astimezone(visit.zone).strftime("%Z"),
    }
    status = 200 if error is None else 409 if error.code in _LATE else 422
    if isinstance(opened, OpenedTerms):
        company = visit.hub.account.name
        facts["rows"] = term_words.to_the_invited(company, opened.changes)
        return Shown("partner_terms.html", facts, status)
    return Shown("partner_act.html", facts, status)


_LATE: Final = frozenset({"already_done", "not_possible_now", "partner_moved"})


@dataclass(slots=True)
class _Typed:
    """What came with the form."""

    words: dict[str, str] = field(default_factory=dict)
    files: list[NewFile] = field(default_factory=list)

    def word(self, name: str) -> str:
        """One of its words, without space around it."""
        return strict_json.clean(self.words.get(name, "")).replace("\r\n", "\n").strip()


async def _send(visit: Visit) -> Answer:
    try:
        opened = await _enter(visit)
    except NotFound as ended:
        return Shown("guest_ended.html", {"error": ended}, 404)
    with visit.context.places.hold("bodies", visit.hub.limits.api_bodies_at_once):
        typed = await _read(visit)
    token = visit.param("token")
    witness = Witness(network_of(visit.address), visit.browser.name)
    try:
        if isinstance(opened, OpenedTerms):
            await mail_terms.answer(visit.hub, token, typed.word("text"), witness)
            return _thanks(visit)
        form = ActForm(
            text=typed.word("text"),
            number=typed.word("number"),
            eta=_instant(visit, typed.word("eta")),
            files=typed.files,
        )
        done = await mail_acts.act(visit.hub, token, form, witness)
    except HubError as error:
        return await _page(visit, error, typed)
    if done.refused:
        said = _("It could not be taken: the work stands elsewhere.")
        return _back(visit, Toast(said, good=False))
    return _thanks(visit)


def _thanks(visit: Visit) -> Answer:
    return _back(visit, Toast(_("Sent. Thank you.")))


def _back(visit: Visit, toast: Toast) -> Answer:
    return Redirect(visit.context.renderer.url("partner_act", token=visit.param("token")), toast)


def _instant(visit: Visit, text: str) -> datetime | None:
    """What a field for date and time says, in the zone the page names. Raises Refused."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("time_invalid", "This is no date and time.") from error
    at = at if at.tzinfo is not None else at.replace(tzinfo=visit.zone)
    if abs(at - visit.hub.now()) > _FURTHEST:
        raise Refused("time_invalid", "This is no date and time.")
    return at


async def _read(visit: Visit) -> _Typed:
    """The form, its files in the store. Raises Refused, Untrusted(malformed)."""
    if visit.request.content_type != "multipart/form-data":
        raise Refused("unsupported_media_type", "Send {wanted}.", wanted="multipart/form-data")
    typed = _Typed()
    try:
        async with asyncio.timeout(_WITHIN_S):
            reader = await visit.request.multipart()
            for _part in range(_PARTS):
                part = await reader.next()
                if part is None:
                    return typed
                if isinstance(part, MultipartReader):
                    break
                await _take(visit, typed, part)
    except TimeoutError as error:
        raise Untrusted("malformed", "The request did not come in time.") from error
    except (ValueError, BadHttpMessage, web.RequestPayloadError) as error:
        raise Untrusted("malformed", "The form cannot be read.", because=str(error)) from error
    raise Untrusted("malformed", "The form cannot be read.")


async def _take(visit: Visit, typed: _Typed, part: BodyPartReader) -> None:
    if part.filename is None:
        typed.words[(part.name or "")[:100]] = (await _bounded(part)).decode()
        return
    pieces = _pieces(part)
    if not part.filename:  # a field for files that nobody used
        async for _piece in pieces:
            raise Untrusted("malformed", "The form cannot be read.")
        return
    if len(typed.files) == _FILES:
        raise Refused("too_many_files", "At most {limit} files at once.", limit=_FILES)
    media_type = part.headers.get("Content-Type", "")
    typed.files.append(await files.take(visit.hub, part.filename[:1000], media_type, pieces))


async def _bounded(part: BodyPartReader) -> bytes:
    read = b""
    async for piece in _pieces(part):
        read += piece
        if len(read) > _WORDS:
            raise Refused("too_large", "The request is too large.")
    return read


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_PIECE):
        yield piece


async def _file(visit: Visit) -> Answer:
    opened, name = await _enter(visit), visit.param("file")
    for one in () if isinstance(opened, OpenedTerms) else opened.files:
        if one.id == name:
            return sent(visit.hub, one.sha256, one.name, one.media_type)
    raise NotFound("not_found", "There is nothing here.")


_open: Final = page_for(Open.TO_ALL)

PAGES: Final = (
    _open("partner_act", "GET", "/p/{token}", _show),
    Page(
        name="partner_send",
        method="POST",
        path="/p/{token}",
        may=Open.TO_ALL,
        handler=_send,
        streams=True,
    ),
    _open("partner_file", "GET", "/p/{token}/files/{file}", _file),
)
