"""Webhooks: programs that are told what happens, and what became of every call."""

from __future__ import annotations

import json
from typing import Any, Final

from hub.actions import webhooks
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.domain.webhook import TOLD_ALWAYS, CallState, EventType
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.i18n import ngettext
from hub.queries import webhooks as views

_ROWS: Final = 50
_EVENTS: Final = [str(one) for one in EventType if one not in TOLD_ALWAYS]


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    facts = {
        "webhooks": await visit.hub.db.read(views.everyone),
        "events": _EVENTS,
        "address": "" if error is None else await visit.word("url"),
        "chosen": [] if error is None else await visit.words("event"),
        "error": error,
    }
    return Shown("webhooks.html", facts, 422 if error else 200)


async def _add(visit: Visit) -> Answer:
    try:
        made, secret = await webhooks.add(
            visit.hub, visit.actor, await visit.word("url"), await visit.words("event")
        )
    except Refused as error:
        return await _page(visit, error)
    return Shown("webhook_secret.html", {"secret": secret, "id": made})


async def _show(visit: Visit) -> Answer:
    which, state, before = visit.param("webhook"), visit.query("state"), visit.query("before")
    wanted = CallState(state) if state in set(CallState) else None

    def look(connection: Any) -> dict[str, Any]:
        return {
            "one": views.show(connection, which),
            "calls": views.calls(
                connection, which, state=wanted, before=before or None, limit=_ROWS + 1
            ),
        }

    facts = await visit.hub.db.read(look)
    calls = facts.pop("calls")
    facts |= {
        "calls": [(one, _laid_out(one.body)) for one in calls[:_ROWS]],
        "more": calls[_ROWS - 1].id if len(calls) > _ROWS else "",
        "state": str(wanted or ""),
        "states": [str(one) for one in CallState],
    }
    return Shown("webhook.html", facts)


def _laid_out(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body


async def _test(visit: Visit) -> Answer:
    await webhooks.try_out(visit.hub, visit.actor, visit.param("webhook"))
    return _back(visit, _("A trial call is on its way."))


async def _renew(visit: Visit) -> Answer:
    which = visit.param("webhook")
    secret = await webhooks.renew_secret(visit.hub, visit.actor, which)
    return Shown("webhook_secret.html", {"secret": secret, "id": which})


async def _enable(visit: Visit) -> Answer:
    await webhooks.enable(visit.hub, visit.actor, visit.param("webhook"))
    return _back(visit, _("It is told again what happens."))


async def _disable(visit: Visit) -> Answer:
    which = visit.param("webhook")
    await webhooks.disable(visit.hub, visit.actor, which)
    undo = visit.context.renderer.url("enable_webhook", webhook=which)
    return _back(visit, _("It is told nothing for now; what waited is dropped."), undo)


async def _remove(visit: Visit) -> Answer:
    await webhooks.remove(visit.hub, visit.actor, visit.param("webhook"))
    return Redirect(
        visit.context.renderer.url("webhooks"), Toast(_("It is told nothing any more."))
    )


async def _replay_all(visit: Visit) -> Answer:
    count = await webhooks.replay(visit.hub, visit.actor, visit.param("webhook"), None)
    told = ngettext("{count} call is made again.", "{count} calls are made again.", count)
    return _back(visit, told.format(count=count))


async def _replay(visit: Visit) -> Answer:
    await webhooks.replay(visit.hub, visit.actor, visit.param("webhook"), visit.param("call"))
    return _back(visit, _("The call is made again."))


def _back(visit: Visit, text: str, undo: str = "") -> Redirect:
    path = visit.context.renderer.url("webhook", webhook=visit.param("webhook"))
    return Redirect(path, Toast(text, undo))


_page_of: Final = page_for(Permission.DESKS_WRITE)

PAGES: Final = (
    _page_of("webhooks", "GET", "/settings/webhooks", _list),
    _page_of("add_webhook", "POST", "/settings/webhooks", _add),
    _page_of("webhook", "GET", "/settings/webhooks/{webhook}", _show),
    _page_of("test_webhook", "POST", "/settings/webhooks/{webhook}/test", _test),
    _page_of("renew_webhook_secret", "POST", "/settings/webhooks/{webhook}/secret", _renew),
    _page_of("enable_webhook", "POST", "/settings/webhooks/{webhook}/enable", _enable),
    _page_of("disable_webhook", "POST", "/settings/webhooks/{webhook}/disable", _disable),
    _page_of("remove_webhook", "POST", "/settings/webhooks/{webhook}/remove", _remove),
    _page_of("replay_webhook", "POST", "/settings/webhooks/{webhook}/replay", _replay_all),
    _page_of("replay_call", "POST", "/settings/webhooks/{webhook}/calls/{call}/replay", _replay),
)
