"""The people of this account: who they are, what they may, how they get in."""

from __future__ import annotations

from typing import Final

from hub.actions import access, agents
from hub.actions.access import Purpose
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import ALLOWED, Permission, Role
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.queries import agents as views


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None, **said: str) -> Shown:
    found = await visit.hub.db.read(views.everyone)
    facts = {"agents": found, "roles": list(Role), "error": error, "said": said}
    return Shown("agents.html", facts, 200 if error is None else 422)


async def _add(visit: Visit) -> Answer:
    said = {name: await visit.word(name) for name in ("email", "name", "role")}
    try:
        agent_id = await agents.add(visit.hub, visit.actor, **said)
    except Refused as error:
        return await _page(visit, error, **said)
    made = await access.make(visit.hub, visit.actor, agent_id, Purpose.INVITE)
    return await _link(visit, agent_id, made)


async def _invite(visit: Visit) -> Answer:
    """A link again: to who has not come in yet an invitation, to others a new password."""
    agent_id = visit.param("agent")
    agent = await visit.hub.db.read(lambda connection: views.named(connection, agent_id))
    purpose = Purpose.RESET if agent.can_sign_in else Purpose.INVITE
    return await _link(
        visit, agent.id, await access.make(visit.hub, visit.actor, agent.id, purpose)
    )


async def _link(visit: Visit, agent_id: str, made: access.Made) -> Shown:
    agent = await visit.hub.db.read(lambda connection: views.named(connection, agent_id))
    address = visit.context.settings.url + made.path
    return Shown("agent_link.html", {"agent": agent, "address": address, "made": made})


async def _show(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: HubError | None = None) -> Shown:
    agent_id = visit.param("agent")
    agent = await visit.hub.db.read(lambda connection: views.named(connection, agent_id))
    allowed = {role: sorted(ALLOWED[role]) for role in Role}
    facts = {"agent": agent, "roles": list(Role), "allowed": allowed, "error": error}
    return Shown("agent.html", facts, 200 if error is None else 422)


async def _change(visit: Visit) -> Answer:
    try:
        await agents.change(
            visit.hub,
            visit.actor,
            visit.param("agent"),
            display=await visit.word("name"),
            role=await visit.word("role"),
        )
    except Refused as error:
        if error.code == "agent_unknown":
            raise
        return await _one(visit, error)
    return _back(visit, _("Saved."))


async def _disable(visit: Visit) -> Answer:
    agent_id = await agents.disable(visit.hub, visit.actor, visit.param("agent"))
    undo = visit.context.renderer.url("enable_agent", agent=agent_id)
    return _back(visit, _("They are signed out everywhere and cannot sign in."), undo)


async def _enable(visit: Visit) -> Answer:
    await agents.enable(visit.hub, visit.actor, visit.param("agent"))
    return _back(visit, _("They can sign in again."))


def _back(visit: Visit, text: str, undo: str = "") -> Redirect:
    return Redirect(visit.context.renderer.url("agents"), Toast(text, undo))


_page_of: Final = page_for(Permission.ADMIN)

PAGES: Final = (
    _page_of("agents", "GET", "/settings/people", _list),
    _page_of("add_agent", "POST", "/settings/people", _add),
    _page_of("agent", "GET", "/settings/people/{agent}", _show),
    _page_of("change_agent", "POST", "/settings/people/{agent}", _change),
    _page_of("invite_agent", "POST", "/settings/people/{agent}/link", _invite),
    _page_of("disable_agent", "POST", "/settings/people/{agent}/disable", _disable),
    _page_of("enable_agent", "POST", "/settings/people/{agent}/enable", _enable),
)
