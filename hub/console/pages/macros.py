"""Macros and canned answers: words and changes that are often needed together."""

from __future__ import annotations

from typing import Final

from hub.actions import personal
from hub.actions.personal import MacroWish
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.comment import DEFAULT_VISIBILITY, Visibility
from hub.domain.permission import Permission
from hub.domain.ticket import Priority, TicketStatus
from hub.errors import HubError, NotFound, Refused
from hub.i18n import gettext as _
from hub.queries import personal as views


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None, at: str = "") -> Shown:
    """`at` is the macro that could not be changed as the form says; else it is a new one."""
    blank = MacroWish("")
    facts = {
        "macros": await visit.hub.db.read(views.macros),
        "visibilities": [str(one) for one in Visibility],
        "silent": str(DEFAULT_VISIBILITY),
        "statuses": [str(one) for one in TicketStatus],
        "priorities": [str(one) for one in Priority],
        "blank": blank,
        "said": blank if error is None else await _wish(visit),
        "at": at,
        "error": error,
    }
    return Shown("macros.html", facts, 422 if error else 200)


async def _wish(visit: Visit) -> MacroWish:
    word = visit.word
    visibility, status, priority = (
        await word("visibility"),
        await word("status"),
        await word("priority"),
    )
    return MacroWish(
        await word("name"),
        (await word("body")).replace("\r\n", "\n"),
        Visibility(visibility) if visibility in set(Visibility) else DEFAULT_VISIBILITY,
        TicketStatus(status) if status in set(TicketStatus) else None,
        Priority(priority) if priority in set(Priority) else None,
        [one for one in (await word("tags")).split(",") if one.strip()],
        await word("take") == "1",
    )


async def _add(visit: Visit) -> Answer:
    try:
        await personal.add_macro(visit.hub, visit.actor, await _wish(visit))
    except Refused as error:
        return await _page(visit, error)
    return _back(visit, _("The macro is there for everybody."))


async def _change(visit: Visit) -> Answer:
    which = visit.param("macro")
    try:
        await personal.change_macro(visit.hub, visit.actor, which, await _wish(visit))
    except Refused as error:
        if isinstance(error, NotFound):
            raise
        return await _page(visit, error, which)
    return _back(visit, _("Saved."))


async def _remove(visit: Visit) -> Answer:
    await personal.remove_macro(visit.hub, visit.actor, visit.param("macro"))
    return _back(visit, _("The macro is no more."))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("macros"), Toast(text))


_page_of: Final = page_for(Permission.DIRECTORIES_WRITE)

PAGES: Final = (
    _page_of("macros", "GET", "/settings/macros", _list),
    _page_of("add_macro", "POST", "/settings/macros", _add),
    _page_of("change_macro", "POST", "/settings/macros/{macro}", _change),
    _page_of("remove_macro", "POST", "/settings/macros/{macro}/remove", _remove),
)
