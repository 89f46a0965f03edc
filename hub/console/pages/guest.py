"""Pages without a login: a requester follows the ticket, replies, sends files, rates the work."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub.actions import guests
from hub.actions.guests import Guest, Purpose
from hub.console.door import Answer, Open, Page, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.files import sent, take
from hub.console.pages.ticket import ticket_id
from hub.domain.permission import Permission
from hub.errors import HubError, NotFound
from hub.i18n import gettext as _
from hub.queries import company
from hub.queries import guests as shown

_PER_MINUTE: Final = 60  # by one caller: a guess costs time, 256 bits cost all of it


async def _enter(visit: Visit) -> Guest:
    visit.paced("guest", _PER_MINUTE)
    token = visit.param("token")
    return await visit.hub.db.read(lambda connection: guests.enter(connection, visit.hub, token))


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Answer:
    try:
        guest = await _enter(visit)
    except NotFound as ended:
        return Shown("guest_ended.html", {"error": ended}, 404)
    ticket = await visit.hub.db.read(lambda connection: shown.show(connection, guest.ticket_id))
    template = "guest_rate.html" if guest.purpose is Purpose.RATE else "guest.html"
    card = await visit.hub.db.read(company.card)
    facts = {"ticket": ticket, "token": visit.param("token"), "card": card, "error": error}
    return Shown(template, facts, 200 if error is None else 422)


async def _reply(visit: Visit) -> Answer:
    visit.paced("guest", _PER_MINUTE)
    body = (await visit.word("body")).replace("\r\n", "\n")
    try:
        await guests.reply(visit.hub, visit.param("token"), body)
    except HubError as error:
        return await _page(visit, error)
    return _back(visit, _("Sent. Thank you."))


async def _rate(visit: Visit) -> Answer:
    visit.paced("guest", _PER_MINUTE)
    score = await visit.word("score")
    text = (await visit.word("text")).replace("\r\n", "\n")
    try:
        grade = int(score) if score in {"1", "2", "3", "4", "5"} else 0  # 0 is none
        await guests.rate(visit.hub, visit.param("token"), grade, text)
    except HubError as error:
        return await _page(visit, error)
    return _back(visit, _("Thank you for the grade."))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("guest", token=visit.param("token")), Toast(text))


async def _upload(visit: Visit) -> Answer:
    guest = await _enter(visit)
    if guest.purpose is not Purpose.FOLLOW:
        raise NotFound("not_found", "There is nothing here.")
    taken = await take(visit.hub, visit.request, visit.query("name")[:1000])
    await guests.reply(visit.hub, visit.param("token"), "", [taken])
    return web.json_response({"id": ""})


async def _file(visit: Visit) -> Answer:
    guest, name = await _enter(visit), visit.param("file")
    found = await visit.hub.db.read(
        lambda connection: shown.file(connection, guest.ticket_id, name)
    )
    return sent(visit.hub, found.sha256, found.name, found.media_type)


async def _invite(visit: Visit) -> Answer:
    """An address for the requester, shown once to whoever passes it on."""
    which = await ticket_id(visit)
    purpose = Purpose.RATE if await visit.word("purpose") == "rate" else Purpose.FOLLOW
    token = await guests.invite(visit.hub, visit.actor, which, purpose)
    address = visit.context.settings.url + visit.context.renderer.url("guest", token=token)
    facts = {"address": address, "purpose": str(purpose), "number": visit.param("ticket")}
    return Shown("guest_link.html", facts)


_open: Final = page_for(Open.TO_ALL)
_write: Final = page_for(Permission.TICKETS_WORK)

PAGES: Final = (
    _open("guest", "GET", "/g/{token}", _show),
    _open("guest_reply", "POST", "/g/{token}/reply", _reply),
    _open("guest_rate", "POST", "/g/{token}/rate", _rate),
    Page(
        name="guest_upload",
        method="POST",
        path="/g/{token}/files",
        may=Open.TO_ALL,
        handler=_upload,
        streams=True,
    ),
    _open("guest_file", "GET", "/g/{token}/files/{file}", _file),
    _write("invite_guest", "POST", "/tickets/{ticket}/guests", _invite),
)
