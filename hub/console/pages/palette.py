"""The palette: a few letters lead to a page, a ticket, a partner or a customer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from hub.console import menu
from hub.console.door import Answer, Shown, Visit, page_for
from hub.domain.permission import Permission
from hub.i18n import gettext as _
from hub.queries import directories, links
from hub.queries.ticket_lists import Filter, listing

_TEXT_MAX: Final = 200  # characters that are looked for
_OF_EACH: Final = 6
_CUSTOMERS: Final = 500  # whose names are looked at


@dataclass(frozen=True, slots=True)
class Way:
    """Somewhere to go."""

    path: str
    text: str
    icon: str
    more: str = ""


async def _palette(visit: Visit) -> Answer:
    text = visit.query("text")[:_TEXT_MAX].strip()
    ways = [*_places(visit, text)]
    if text:
        ways += await visit.hub.db.read(lambda connection: _things(connection, visit, text))
    return Shown("parts/palette.html", {"ways": ways, "asked": text})


def _fits(text: str, names: Iterable[str]) -> bool:
    return any(text.casefold() in name.casefold() for name in names)


def _places(visit: Visit, text: str) -> list[Way]:
    renderer = visit.context.renderer
    found = [
        Way(renderer.url(one.page), _(one.text), one.icon, _("page"))
        for one in (*menu.MENU, *menu.SETTINGS)
        if visit.may(one.may) and renderer.knows(one.page) and _fits(text, [_(one.text)])
    ]
    return found[: _OF_EACH if text else None]


def _things(connection: Any, visit: Visit, text: str) -> list[Way]:
    url, found = visit.context.renderer.url, []
    if visit.may(Permission.TICKETS_READ):
        number = text.upper().removeprefix("T-")
        company = visit.hub.account.name
        wanted = f"T-{number}" if number.isdecimal() else text
        page = listing(connection, Filter(), text=wanted, limit=_OF_EACH, company=company)
        found += [
            Way(url("ticket", ticket=one.number), one.title, "ticket", one.number)
            for one in page.items
        ]
    if visit.may(Permission.LINKS_READ):
        partners = [
            Way(url("partner", link=one.id), one.peer.name, "building", _("partner"))
            for one in links.everyone(connection, visit.hub.now())
            if _fits(text, [one.peer.name])
        ]
        found += partners[:_OF_EACH]
    if visit.may(Permission.DIRECTORIES_READ):
        customers = [
            Way(url("customer", customer=one.id), one.name, "users", _("customer"))
            for one in directories.customers(connection, limit=_CUSTOMERS)
            if _fits(text, [one.name, one.legal_entity])
        ]
        found += customers[:_OF_EACH]
    return found


PAGES: Final = (page_for(Permission.PROFILE)("palette", "GET", "/palette", _palette),)
