"""API tokens: one's own; of an administrator, everybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.actions import tokens
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import SCOPES, Permission
from hub.errors import HubError, NotFound, Refused
from hub.i18n import gettext as _
from hub.ids import AgentId, TokenId
from hub.queries import agents

_DAYS: Final = (30, 90, 365)


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    everyone = await tokens.everyone(visit.hub)
    people = await visit.hub.db.read(agents.everyone)
    all_of_them = visit.may(Permission.ADMIN)
    facts = {
        "tokens": [one for one in everyone if all_of_them or one.agent_id == visit.actor.ref],
        "names": {one.id: one.name for one in people},
        "scopes": [one for one in SCOPES if visit.may(one)],
        "days": _DAYS,
        "error": error,
    }
    return Shown("tokens.html", facts, 200 if error is None else 422)


async def _new(visit: Visit) -> Answer:
    days = await visit.word("days")
    until = visit.hub.now() + timedelta(days=int(days)) if days in map(str, _DAYS) else None
    try:
        _token, plaintext = await tokens.new(
            visit.hub,
            visit.actor,
            AgentId(visit.actor.ref),
            await visit.word("label"),
            await visit.words("scope"),
            until,
        )
    except Refused as error:
        return await _page(visit, error)
    return Shown("token_made.html", {"token": plaintext})


async def _revoke(visit: Visit) -> Answer:
    wanted = TokenId(visit.param("token"))
    everyone = await tokens.everyone(visit.hub)
    whose = next((one.agent_id for one in everyone if one.id == wanted), None)
    if whose is None or not (visit.may(Permission.ADMIN) or whose == visit.actor.ref):
        raise NotFound("not_found", "There is no such token.")
    await tokens.revoke(visit.hub, visit.actor, wanted)
    return Redirect(visit.context.renderer.url("tokens"), Toast(_("The token opens nothing now.")))


_mine: Final = page_for(Permission.PROFILE)

PAGES: Final = (
    _mine("tokens", "GET", "/settings/tokens", _list),
    _mine("new_token", "POST", "/settings/tokens", _new),
    _mine("revoke_token", "POST", "/settings/tokens/{token}/revoke", _revoke),
)
