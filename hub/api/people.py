"""The people of this account, and the tokens that speak for them.

Links by which people come in and new tokens are secrets that are told once, to a person: the
answers of this door are kept for a repeated request, so it tells none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.actions import agents, tokens
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Short
from hub.api.views import Page
from hub.domain.permission import Permission, Role
from hub.ids import AgentId, TokenId
from hub.queries import agents as shown
from hub.queries.agents import AgentLine


class NewAgentForm(Form):
    """Somebody who is to work here."""

    email: Short
    name: Short
    role: Role


class AgentForm(Form):
    """What somebody is called from now on, and what they may."""

    name: Short
    role: Role


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token in a list; the token itself nobody keeps."""

    id: TokenId
    agent: AgentId
    label: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def _whole(connection: Any, agent_id: AgentId) -> AgentLine:
    return shown.named(connection, agent_id)


async def _list(visit: Visit, form: Nothing) -> Page[AgentLine]:
    return Page(await visit.hub.db.read(shown.everyone))


async def _show(visit: Visit, form: Nothing) -> AgentLine:
    which = visit.params["agent"]
    return await visit.hub.db.read(lambda connection: shown.named(connection, which))


async def _add(visit: Visit, form: NewAgentForm) -> Effect[AgentId]:
    return Effect(
        lambda hub: agents.add(hub, visit.actor, email=form.email, name=form.name, role=form.role),
        _whole,
    )


async def _change(visit: Visit, form: AgentForm) -> Effect[AgentId]:
    which = visit.params["agent"]
    return Effect(
        lambda hub: agents.change(hub, visit.actor, which, display=form.name, role=form.role),
        _whole,
    )


async def _disable(visit: Visit, form: Nothing) -> Effect[AgentId]:
    which = visit.params["agent"]
    return Effect(lambda hub: agents.disable(hub, visit.actor, which), _whole)


async def _enable(visit: Visit, form: Nothing) -> Effect[AgentId]:
    which = visit.params["agent"]
    return Effect(lambda hub: agents.enable(hub, visit.actor, which), _whole)


async def _tokens(visit: Visit, form: Nothing) -> Page[TokenLine]:
    return Page(
        [
            TokenLine(
                id=one.id,
                agent=one.agent_id,
                label=one.label,
                scopes=one.scopes,
                created_at=one.created_at,
                expires_at=one.expires_at,
                last_used_at=one.last_used_at,
                revoked_at=one.revoked_at,
            )
            for one in await tokens.everyone(visit.hub)
        ]
    )


async def _revoke(visit: Visit, form: Nothing) -> Effect[None]:
    which = TokenId(visit.params["token"])
    return Effect(
        lambda hub: tokens.revoke(hub, visit.actor, which), lambda _connection, _done: None
    )


def _route(
    name: str,
    method: str,
    path: str,
    summary: str,
    handler: Any,
    answer: Any,
    form: type[Form] = Nothing,
    status: int = 200,
) -> Route[Any]:
    return Route(
        name=name,
        method=method,
        path=path,
        scope=Permission.ADMIN,
        summary=summary,
        form=form,
        takes=Takes.QUERY if method in {"GET", "DELETE"} else Takes.JSON,
        handler=handler,
        answer=answer,
        status=status,
    )


_ONE: Final = "/agents/{agent}"

ROUTES: Final[tuple[Route[Any], ...]] = (
    _route("listAgents", "GET", "/agents", "Our people", _list, Page[AgentLine]),
    _route(
        "addAgent",
        "POST",
        "/agents",
        "Add somebody; how they come in, the console and `hub user reset` say",
        _add,
        AgentLine,
        NewAgentForm,
        201,
    ),
    _route("getAgent", "GET", _ONE, "One of our people", _show, AgentLine),
    _route("changeAgent", "PUT", _ONE, "Name and role", _change, AgentLine, AgentForm),
    _route("disableAgent", "POST", f"{_ONE}/disable", "Sign them out", _disable, AgentLine),
    _route("enableAgent", "POST", f"{_ONE}/enable", "Let them sign in again", _enable, AgentLine),
    _route("listTokens", "GET", "/tokens", "API tokens of everybody", _tokens, Page[TokenLine]),
    _route(
        "revokeToken",
        "DELETE",
        "/tokens/{token}",
        "The token opens nothing from now on",
        _revoke,
        Sends.NOTHING,
        status=204,
    ),
)
