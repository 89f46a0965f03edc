"""What is kept how long, and tickets of which nothing may go."""

from __future__ import annotations

from typing import Final

from hub.actions import desks, erasures, personal, retention
from hub.actions.retention import Keep
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.queries import company, names


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None, at: str = "") -> Shown:
    """`at` names the form that could not be taken."""
    said = {} if error is None else {name: v[-1] for name, v in (await visit.form()).items()}
    limits = visit.hub.limits
    facts = {
        "kept": await visit.hub.db.read(lambda connection: company.retention(connection, limits)),
        "least": retention.DATA_LEAST,
        "drafts": personal.DRAFTS_STAY.days,
        "calls": desks.CALLS_KEPT.days,
        "attempts": retention.ATTEMPTS_KEPT.days,
        "forgotten": retention.FORGOTTEN.days,
        "said": said,
        "at": at,
        "error": error,
    }
    return Shown("retention.html", facts, 200 if error is None else 422)


async def _decide(visit: Visit) -> Answer:
    try:
        wish = Keep(_days(await visit.word("data_days")), _days(await visit.word("letters_days")))
        await retention.decide(visit.hub, visit.actor, wish)
    except Refused as error:
        if error.code == "not_yours":
            raise
        return await _page(visit, error, "days")
    return _back(visit, _("Kept so long from now on."))


def _days(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text[:9])
    except ValueError:
        raise Refused("days_invalid", "Say a number of days.") from None


async def _hold(visit: Visit) -> Answer:
    number, reason = await visit.word("ticket"), await visit.word("reason")
    try:
        which = await visit.hub.db.read(lambda connection: names.ticket(connection, number).id)
        await erasures.hold(visit.hub, visit.actor, which, reason)
    except Refused as error:
        if error.code == "not_yours":
            raise
        return await _page(visit, error, "hold")
    return _back(visit, _("Nothing of ticket {number} goes any more.").format(number=number))


async def _release(visit: Visit) -> Answer:
    number = await visit.word("ticket")
    which = await visit.hub.db.read(lambda connection: names.ticket(connection, number).id)
    await erasures.release(visit.hub, visit.actor, which)
    told = _("The hold of ticket {number} is lifted: what was asked meanwhile is done now.")
    return _back(visit, told.format(number=number))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("retention"), Toast(text))


_page_of: Final = page_for(Permission.ADMIN)

PAGES: Final = (
    _page_of("retention", "GET", "/settings/retention", _show),
    _page_of("decide_retention", "POST", "/settings/retention", _decide),
    _page_of("hold_ticket", "POST", "/settings/retention/hold", _hold),
    _page_of("release_ticket", "POST", "/settings/retention/release", _release),
)
