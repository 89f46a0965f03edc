"""Custom fields that tickets are asked for."""

from __future__ import annotations

from typing import Final

from hub.actions import directories
from hub.actions.directories import KINDS, FieldWish
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.queries import directories as views

_LAST: Final = 1000  # place in the form


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    said = {} if error is None else {name: v[-1] for name, v in (await visit.form()).items()}
    facts = {
        "definitions": await visit.hub.db.read(views.definitions),
        "kinds": [f"field-{one}" for one in KINDS],
        "said": said,
        "error": error,
    }
    return Shown("fields.html", facts, 422 if error else 200)


async def _define(visit: Visit) -> Answer:
    place = await visit.word("position")
    wish = FieldWish(
        await visit.word("name"),
        (await visit.word("kind")).removeprefix("field-"),
        (await visit.word("choices")).splitlines(),
        await visit.word("required") == "1",
        min(int(place), _LAST) if place.isdecimal() and len(place) < 6 else 0,
    )
    try:
        await directories.define_field(visit.hub, visit.actor, wish)
    except Refused as error:
        return await _page(visit, error)
    return _back(visit, _("New tickets are asked for it from now on."))


async def _retire(visit: Visit) -> Answer:
    await directories.retire_field(visit.hub, visit.actor, visit.param("field"))
    return _back(visit, _("It is asked for no more; tickets keep what they have."))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("fields"), Toast(text))


_page_of: Final = page_for(Permission.RULES_WRITE)

PAGES: Final = (
    _page_of("fields", "GET", "/settings/fields", _list),
    _page_of("define_field", "POST", "/settings/fields", _define),
    _page_of("retire_field", "POST", "/settings/fields/{field}/retire", _retire),
)
