"""Letters that came and letters of ours: what waits for a person, looked at safely and decided."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from hub.actions import letters, posts
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.files import sent
from hub.domain.permission import Permission
from hub.errors import HubError, NotFound
from hub.i18n import gettext as _
from hub.queries import letters as views
from hub.queries.letters import LetterView

_ROWS: Final = 50
_SHOWN: Final = 64 * 1024  # bytes of a letter that a page shows; the rest is in the file
ARRIVED: Final = ("held", "stored", "done", "dropped")
SENT: Final = ("failed", "queued", "sent", "skipped")


async def _list(visit: Visit) -> Answer:
    ours = visit.query("of") == "us"
    state = visit.query("state")
    wanted = state if state in (SENT if ours else ARRIVED) else None
    before = visit.query("before") or None
    find = views.sent if ours else views.arrived
    lines = await visit.hub.db.read(
        lambda connection: find(connection, state=wanted, before=before, limit=_ROWS + 1)
    )
    facts = {
        "lines": lines[:_ROWS],
        "more": lines[_ROWS - 1].id if len(lines) > _ROWS else "",
        "ours": ours,
        "state": wanted or "",
        "states": SENT if ours else ARRIVED,
    }
    return Shown("letters.html", facts)


async def _found(visit: Visit) -> LetterView:
    which = visit.param("letter")
    return await visit.hub.db.read(lambda connection: views.show(connection, which))


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Answer:
    found = await _found(visit)
    facts = {
        "letter": found,
        "raw": await asyncio.to_thread(_beginning, visit, found),
        "error": error,
    }
    return Shown("letter.html", facts, 200 if error is None else 422)


def _beginning(visit: Visit, found: LetterView) -> str:
    """The first of its bytes as text that nothing in the page takes for anything else."""
    if found.sha256 is None or not visit.hub.blobs.has(found.sha256):
        return ""
    with visit.hub.blobs.open(found.sha256) as source:
        text = source.read(_SHOWN).decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n")
    return "".join(ch if ch.isprintable() or ch in "\n\t" else "\ufffd" for ch in lines)


async def _raw(visit: Visit) -> web.StreamResponse:
    found = await _found(visit)
    if found.sha256 is None:
        raise NotFound("letter_gone", "The bytes of this letter are not here any more.")
    return sent(visit.hub, found.sha256, f"{found.line.id}.eml", "message/rfc822")


async def _retry(visit: Visit) -> Answer:
    which = visit.param("letter")
    as_ticket = await visit.word("as_ticket") == "1"
    try:
        if (await _found(visit)).line.direction == "out":
            await posts.replay(visit.hub, visit.actor, which)
        else:
            await letters.retry(visit.hub, visit.actor, which, as_ticket=as_ticket)
    except HubError as error:
        if isinstance(error, NotFound):
            raise
        return await _page(visit, error)
    return _back(visit, _("It is tried again."))


async def _drop(visit: Visit) -> Answer:
    which, reason = visit.param("letter"), await visit.word("reason")
    try:
        if (await _found(visit)).line.direction == "out":
            await posts.skip(visit.hub, visit.actor, which, reason)
        else:
            await letters.drop(visit.hub, visit.actor, which, reason)
    except HubError as error:
        if isinstance(error, NotFound):
            raise
        return await _page(visit, error)
    return _back(visit, _("It is set aside."))


def _back(visit: Visit, text: str) -> Redirect:
    address = visit.context.renderer.url("letter", letter=visit.param("letter"))
    return Redirect(address, Toast(text))


_look: Final = page_for(Permission.DELIVERIES_READ)
_mend: Final = page_for(Permission.DESKS_WRITE)

PAGES: Final = (
    _look("letters", "GET", "/settings/letters", _list),
    _mend("letter", "GET", "/settings/letters/{letter}", _show),
    _mend("letter_raw", "GET", "/settings/letters/{letter}/raw", _raw),
    _mend("retry_letter", "POST", "/settings/letters/{letter}/retry", _retry),
    _mend("drop_letter", "POST", "/settings/letters/{letter}/drop", _drop),
)
