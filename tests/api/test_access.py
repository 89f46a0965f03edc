"""Who may do what: every route of the table against every kind of credential.

A new route fails here until somebody has said which scope it needs and what a right call is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from hub.actions import agents, tokens
from hub.api.door import Open, Route, Sends, Takes
from hub.api.examples import EXAMPLES
from hub.api.routes import ROUTES
from hub.domain.permission import SCOPES, within
from hub.errors import NotFound, Refused, Untrusted
from hub.storage import audit
from tests.api.conftest import Desk
from tests.kit.program import Answered, Program

SAID = {
    "GET /tickets": "tickets:read",
    "POST /tickets": "tickets:write",
    "GET /tickets/{ticket}": "tickets:read",
    "PATCH /tickets/{ticket}": "tickets:work",
    "GET /tickets/{ticket}/erasures": "tickets:read",
    "POST /tickets/{ticket}/erasures": "admin",
    "POST /tickets/{ticket}/hold": "admin",
    "DELETE /tickets/{ticket}/hold": "admin",
    "POST /tickets/{ticket}/comments": "tickets:work",
    "PATCH /comments/{comment}": "tickets:work",
    "DELETE /comments/{comment}": "tickets:work",
    "POST /tickets/{ticket}/files": "tickets:work",
    "GET /tickets/{ticket}/files/{file}": "tickets:read",
    "DELETE /tickets/{ticket}/files/{file}": "tickets:work",
    "POST /tickets/{ticket}/handoffs/preview": "handoffs:write",
    "POST /tickets/{ticket}/handoffs": "handoffs:write",
    "GET /handoffs/{handoff}": "tickets:read",
    "POST /handoffs/{handoff}/accept": "handoffs:write",
    "POST /handoffs/{handoff}/decline": "handoffs:write",
    "POST /handoffs/{handoff}/start": "handoffs:write",
    "POST /handoffs/{handoff}/pend": "handoffs:write",
    "POST /handoffs/{handoff}/resolve": "handoffs:write",
    "POST /handoffs/{handoff}/hand-back": "handoffs:write",
    "POST /handoffs/{handoff}/confirm": "handoffs:write",
    "POST /handoffs/{handoff}/return": "handoffs:write",
    "POST /handoffs/{handoff}/close": "handoffs:write",
    "POST /handoffs/{handoff}/cancel": "handoffs:write",
    "POST /handoffs/{handoff}/refuse-cancel": "handoffs:write",
    "POST /handoffs/{handoff}/retract": "handoffs:write",
    "POST /handoffs/{handoff}/ask-consent": "handoffs:write",
    "POST /handoffs/{handoff}/consent": "handoffs:write",
    "POST /handoffs/{handoff}/detach": "handoffs:write",
    "POST /handoffs/{handoff}/plan": "handoffs:write",
    "POST /handoffs/{handoff}/rate": "handoffs:write",
    "POST /handoffs/{handoff}/reply": "handoffs:write",
    "GET /links": "links:read",
    "GET /invitations": "links:read",
    "POST /invitations": "links:write",
    "POST /links": "links:write",
    "GET /links/{link}": "links:read",
    "POST /links/{link}/confirm": "links:write",
    "POST /links/{link}/suspend": "links:write",
    "POST /links/{link}/resume": "links:write",
    "POST /links/{link}/close": "links:write",
    "GET /links/{link}/amendments": "links:read",
    "POST /links/{link}/amendments": "links:write",
    "POST /links/{link}/amendments/accept": "links:write",
    "POST /links/{link}/amendments/refuse": "links:write",
    "POST /links/{link}/amendments/withdraw": "links:write",
    "GET /links/{link}/check": "links:read",
    "POST /links/{link}/check": "links:write",
    "POST /links/{link}/repair": "links:write",
    "GET /deliveries": "deliveries:read",
    "GET /deliveries/{message}": "deliveries:read",
    "POST /deliveries/{message}/replay": "deliveries:write",
    "POST /deliveries/{message}/skip": "deliveries:write",
    "POST /links/by-mail": "links:write",
    "POST /links/{link}/promotion": "links:write",
    "GET /letters": "deliveries:read",
    "GET /sent-letters": "deliveries:read",
    "GET /letters/{letter}": "deliveries:read",
    "POST /letters/{letter}/retry": "desks:write",
    "POST /letters/{letter}/drop": "desks:write",
    "GET /alerts": "deliveries:read",
    "GET /queue": "tickets:read",
    "GET /board": "tickets:read",
    "GET /tickets/{ticket}/inside": "tickets:read",
    "POST /tickets/{ticket}/ties": "tickets:write",
    "DELETE /tickets/{ticket}/ties/{other}": "tickets:write",
    "POST /tickets/{ticket}/visit": "tickets:work",
    "PATCH /tickets/{ticket}/checklist/{item}": "tickets:work",
    "POST /tickets/{ticket}/guests": "tickets:work",
    "DELETE /tickets/{ticket}/guests": "tickets:work",
    "GET /views": "tickets:read",
    "POST /views": "tickets:read",
    "DELETE /views/{view}": "tickets:read",
    "GET /macros": "directories:read",
    "POST /macros": "directories:write",
    "PUT /macros/{macro}": "directories:write",
    "DELETE /macros/{macro}": "directories:write",
    "POST /tickets/{ticket}/macros/{macro}": "tickets:work",
    "GET /tickets/{ticket}/draft": "tickets:read",
    "PUT /tickets/{ticket}/draft": "tickets:work",
    "GET /customers": "directories:read",
    "POST /customers": "directories:write",
    "GET /customers/{customer}": "directories:read",
    "PUT /customers/{customer}": "directories:write",
    "DELETE /customers/{customer}": "directories:write",
    "POST /customers/{customer}/sites": "directories:write",
    "POST /customers/{customer}/restore": "directories:write",
    "DELETE /sites/{site}": "directories:write",
    "POST /sites/{site}/restore": "directories:write",
    "DELETE /assets/{asset}": "directories:write",
    "POST /assets/{asset}/restore": "directories:write",
    "PUT /contacts/{contact}": "directories:write",
    "PUT /sites/{site}": "directories:write",
    "POST /customers/{customer}/assets": "directories:write",
    "PUT /assets/{asset}": "directories:write",
    "GET /assets/{asset}/history": "directories:read",
    "POST /customers/{customer}/contacts": "directories:write",
    "DELETE /contacts/{contact}": "directories:write",
    "GET /fields": "directories:read",
    "POST /fields": "rules:write",
    "DELETE /fields/{field}": "rules:write",
    "GET /events": "tickets:read",
    "GET /webhooks": "desks:write",
    "POST /webhooks": "desks:write",
    "GET /webhooks/{webhook}": "desks:write",
    "POST /webhooks/{webhook}/enable": "desks:write",
    "POST /webhooks/{webhook}/disable": "desks:write",
    "POST /webhooks/{webhook}/remove": "desks:write",
    "POST /webhooks/{webhook}/secret": "desks:write",
    "POST /webhooks/{webhook}/test": "desks:write",
    "GET /webhooks/{webhook}/calls": "desks:write",
    "POST /webhooks/{webhook}/replay": "desks:write",
    "POST /webhooks/{webhook}/calls/{call}/replay": "desks:write",
    "GET /desk-kinds": "desks:write",
    "GET /desks": "desks:write",
    "POST /desks": "desks:write",
    "GET /desks/{desk}": "desks:write",
    "GET /desks/{desk}/draft": "desks:write",
    "PUT /desks/{desk}/draft": "desks:write",
    "POST /desks/{desk}/secrets": "desks:write",
    "POST /desks/{desk}/check": "desks:write",
    "POST /desks/{desk}/trial": "desks:write",
    "POST /desks/{desk}/trial-of-all": "desks:write",
    "POST /desks/{desk}/publish": "desks:write",
    "POST /desks/{desk}/rollback": "desks:write",
    "GET /desks/{desk}/versions": "desks:write",
    "POST /desks/{desk}/enable": "desks:write",
    "POST /desks/{desk}/disable": "desks:write",
    "GET /desks/{desk}/pairs": "desks:write",
    "POST /desks/{desk}/pairs": "desks:write",
    "POST /desks/{desk}/cut": "desks:write",
    "POST /desks/{desk}/send": "handoffs:write",
    "POST /desks/{desk}/fill": "desks:write",
    "GET /desks/{desk}/unreadable": "desks:write",
    "POST /desks/{desk}/replay": "desks:write",
    "GET /desks/{desk}/calls": "desks:write",
    "GET /teams": "tickets:read",
    "POST /teams": "admin",
    "PUT /teams/{team}": "admin",
    "DELETE /teams/{team}": "admin",
    "POST /alerts/seen": "deliveries:write",
    "GET /notices": "tickets:read",
    "GET /notice-choices": "tickets:read",
    "PUT /notice-choices": "tickets:read",
    "GET /agents": "admin",
    "POST /agents": "admin",
    "GET /agents/{agent}": "admin",
    "PUT /agents/{agent}": "admin",
    "POST /agents/{agent}/disable": "admin",
    "POST /agents/{agent}/enable": "admin",
    "GET /tokens": "admin",
    "DELETE /tokens/{token}": "admin",
    "GET /company": "admin",
    "PUT /company": "admin",
    "GET /retention": "admin",
    "PUT /retention": "admin",
    "GET /openapi.json": None,
}

RIGHT: dict[str, dict[str, Any]] = {name: dict(body) for name, body in EXAMPLES.items()}
"""A body that can be read, where an empty one cannot."""

UNKNOWN = "0" * 32
IDS = {
    "ticket": f"tkt_{UNKNOWN}",
    "comment": f"cmt_{UNKNOWN}",
    "file": f"att_{UNKNOWN}",
    "handoff": f"hnd_{UNKNOWN}",
    "link": f"lnk_{UNKNOWN}",
    "message": f"msg_{UNKNOWN}",
    "other": f"tkt_{UNKNOWN}",
    "item": "1",
    "customer": f"cus_{UNKNOWN}",
    "site": f"sit_{UNKNOWN}",
    "asset": f"ast_{UNKNOWN}",
    "contact": f"con_{UNKNOWN}",
    "field": f"fld_{UNKNOWN}",
    "view": f"viw_{UNKNOWN}",
    "macro": f"mac_{UNKNOWN}",
    "webhook": f"whk_{UNKNOWN}",
    "call": f"evt_{UNKNOWN}",
    "team": f"tea_{UNKNOWN}",
    "agent": f"agt_{UNKNOWN}",
    "token": f"tok_{UNKNOWN}",
    "letter": f"let_{UNKNOWN}",
    "desk": f"dsk_{UNKNOWN}",
}


async def knock(
    program: Program, route: Route[Any], ids: dict[str, str] = IDS, **how: Any
) -> Answered:
    """A right call to the route, about things that are not there."""
    path = route.path.format(**ids)
    if route.takes is Takes.FILES:
        headers = {"Content-Type": "text/plain", **how.pop("headers", {})}
        return await program.call(
            route.method, path, data=b"text", query="?name=a.txt", headers=headers, **how
        )
    if route.answer is Sends.STREAM:  # it would go on: nothing can be taken up there
        how["headers"] = {"Last-Event-ID": "nowhere", **how.get("headers", {})}
    body = None if route.takes is Takes.QUERY else RIGHT.get(route.name, {})
    return await program.call(route.method, path, body, **how)


def title(route: Route[Any]) -> str:
    return f"{route.method} {route.path}"


def closed() -> list[Route[Any]]:
    return [route for route in ROUTES if route.scope is not Open.TO_ALL]


def test_every_route_is_classified() -> None:
    said = {
        title(route): None if isinstance(route.scope, Open) else str(route.scope)
        for route in ROUTES
    }
    assert said == SAID


async def _nothing(desk: Desk) -> Program:
    return desk.ours.with_token(None)


async def _nonsense(desk: Desk) -> Program:
    return desk.ours.with_token("hub_letmein")


async def _mistyped(desk: Desk) -> Program:
    token = desk.ours.token or ""
    return desk.ours.with_token(token[:-1] + ("a" if token[-1] != "a" else "b"))


async def _of_another_node(desk: Desk) -> Program:
    other = await desk.network.company("Мастер-Юг")
    hub, admin = other.hub, other.dispatcher
    _, plain = await tokens.new(hub, admin, admin.ref, "t", list(SCOPES), None)  # type: ignore[arg-type]
    return desk.ours.with_token(plain)


async def _revoked(desk: Desk) -> Program:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    token_id, plain = await tokens.new(hub, admin, admin.ref, "t", list(SCOPES), None)  # type: ignore[arg-type]
    await tokens.revoke(hub, admin, token_id)
    await tokens.revoke(hub, admin, token_id)
    return desk.ours.with_token(plain)


async def _expired(desk: Desk) -> Program:
    soon = desk.network.clock.now() + timedelta(hours=1)
    made = await desk.ours.token_for(*SCOPES, expires_at=soon)
    desk.network.clock.move_to(soon)
    return made


async def _of_a_disabled_agent(desk: Desk) -> Program:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    agent = await agents.add(hub, admin, email="p@a.example", name="Пётр", role="admin")
    _, plain = await tokens.new(hub, admin, agent, "t", list(SCOPES), None)
    await agents.disable(hub, admin, agent)
    return desk.ours.with_token(plain)


STRANGERS: list[tuple[Callable[[Desk], Any], str]] = [
    (_nothing, "token_missing"),
    (_nonsense, "token_invalid"),
    (_mistyped, "token_invalid"),
    (_of_another_node, "token_invalid"),
    (_revoked, "token_invalid"),
    (_expired, "token_invalid"),
    (_of_a_disabled_agent, "token_invalid"),
]


@pytest.mark.parametrize(("made_by", "code"), STRANGERS)
async def test_a_stranger_is_turned_away_at_every_route(
    desk: Desk, made_by: Callable[[Desk], Any], code: str
) -> None:
    stranger = await made_by(desk)
    for route in closed():
        said = await knock(stranger, route)
        assert (said.status, said.code) == (401, code), title(route)
        assert said.headers["WWW-Authenticate"].startswith('Bearer realm="hub"')


async def test_what_is_wrong_with_a_token_is_not_told(desk: Desk) -> None:
    told = set()
    for made_by, code in STRANGERS:
        if code == "token_invalid":
            said = await (await made_by(desk)).call("GET", "/tickets")
            told.add(said.raw)
    assert len(told) == 1


async def test_a_token_opens_only_what_its_scopes_say(desk: Desk) -> None:
    for scope in SCOPES:
        wider = {one for one in SCOPES if scope in within([one], "admin")}
        others = await desk.ours.token_for(*(set(SCOPES) - wider))
        only = await desk.ours.token_for(scope)
        first_of = {route.scope: route for route in reversed(closed())}
        for route in closed():
            opened = route.scope in within([scope], "admin")
            if route.scope is scope or (not opened and route is first_of[route.scope]):
                said = await knock(others if opened else only, route)
                assert (said.status, said.code) == (403, "scope_missing"), (title(route), scope)
                assert f'scope="{route.scope}"' in said.headers["WWW-Authenticate"]
            if opened:
                assert (await knock(only, route)).status not in {401, 403}, title(route)


async def test_a_token_made_before_there_were_finer_scopes_opens_what_it_did(desk: Desk) -> None:
    old = await desk.ours.token_for("tickets:read", "tickets:write")
    made = await old.post("/tickets", {"title": "Не печатает"})
    await old.post(f"/tickets/{made['number']}/comments", {"body": "Бумага есть"})
    await old.post("/customers", {"name": "Ромашка"})
    assert [one["name"] for one in (await old.get("/customers"))["items"]] == ["Ромашка"]


async def test_a_token_opens_nothing_that_the_role_of_its_agent_does_not(desk: Desk) -> None:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    agent = await agents.add(hub, admin, email="p@a.example", name="Пётр", role="engineer")
    with pytest.raises(Refused) as refused:
        await tokens.new(hub, admin, agent, "t", ["links:read"], None)
    assert refused.value.code == "scopes_invalid"
    await agents.change(hub, admin, agent, display="Пётр", role="dispatcher")
    _, plain = await tokens.new(hub, admin, agent, "t", ["links:read", "tickets:read"], None)
    await agents.change(hub, admin, agent, display="Пётр", role="engineer")
    lesser = desk.ours.with_token(plain)
    said = await lesser.call("GET", "/links")
    assert (said.status, said.code) == (403, "scope_missing")
    assert (await lesser.call("GET", "/tickets")).status == 200


async def test_the_description_is_open_to_all(desk: Desk) -> None:
    assert (await desk.ours.with_token(None).get("/openapi.json"))["openapi"] == "3.1.1"


async def test_what_is_not_there_looks_the_same_however_it_is_named(desk: Desk) -> None:
    names = [
        IDS,
        dict.fromkeys(IDS, quote("нет")),
        dict.fromkeys(IDS, f"agt_{UNKNOWN}"),
        dict.fromkeys(IDS, "x" * 500),
        dict.fromkeys(IDS, "%2e%2e%2f"),
        dict.fromkeys(IDS, "%00%ff"),
    ]
    for route in closed():
        if "{" not in route.path:
            continue
        told = set()
        for ids in names:
            said = await knock(desk.ours, route, ids)
            assert said.status == 404, (title(route), ids, said.raw)
            told.add((said.code, said.said["title"]))
        assert len(told) == 1, title(route)


async def test_a_file_of_another_ticket_is_not_there(desk: Desk) -> None:
    mine, other = await desk.ticket(), await desk.ticket()
    (file,) = (
        await desk.ours.call(
            "POST",
            f"/tickets/{mine['id']}/files",
            data=b"x",
            query="?name=a.txt",
            headers={"Content-Type": "text/plain"},
        )
    ).said["items"]
    for method in ("GET", "DELETE"):
        said = await desk.ours.call(method, f"/tickets/{other['id']}/files/{file['id']}")
        assert (said.status, said.code) == (404, "not_found")


@pytest.mark.parametrize(
    "value",
    ["Basic aHViOmh1Yg==", "Bearer", "Bearer ", "hub_x", "Bearer a b", "Bearer \u00fc", "Token x"],
)
async def test_other_ways_to_say_who_one_is_are_not_taken(desk: Desk, value: str) -> None:
    said = await desk.ours.with_token(None).call(
        "GET", "/tickets", headers={"Authorization": value}
    )
    assert (said.status, said.code) == (401, "token_invalid")


async def test_a_token_in_the_address_or_a_cookie_is_not_taken(desk: Desk) -> None:
    nobody = desk.ours.with_token(None)
    said = await nobody.call("GET", "/tickets", query=f"?access_token={desk.ours.token}")
    assert said.status == 401
    said = await nobody.call("GET", "/tickets", headers={"Cookie": f"token={desk.ours.token}"})
    assert said.status == 401


async def test_a_stranger_is_turned_away_before_the_body_is_read(desk: Desk) -> None:
    async def endless() -> Any:
        while True:
            yield b"x" * 65536

    said = await desk.ours.with_token(None).call(
        "POST", "/tickets", data=endless(), headers={"Content-Type": "application/json"}
    )
    assert said.status == 401


# --- tokens ---------------------------------------------------------------------------------


async def test_a_token_is_kept_as_its_hash_only(desk: Desk) -> None:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    token_id, plain = await tokens.new(hub, admin, admin.ref, " печать ", ["tickets:read"], None)  # type: ignore[arg-type]
    assert plain.startswith("hub_") and len(plain) == 53 and plain.isascii()
    kept = next(one for one in await tokens.everyone(hub) if one.id == token_id)
    assert (kept.label, kept.scopes, len(kept.token_hash)) == ("печать", ["tickets:read"], 64)
    assert plain not in repr(kept)
    stored = b"".join(one.read_bytes() for one in desk.network.root.rglob("hub.db*"))
    assert plain.encode() not in stored and plain[4:30].encode() not in stored


async def test_the_beginning_of_a_token_opens_nothing(desk: Desk) -> None:
    """Whoever saw most of one, with a check sum that fits, has no token."""
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    _, plain = await tokens.new(hub, admin, admin.ref, "печать", ["tickets:read"], None)  # type: ignore[arg-type]
    check = len(tokens._checksum(plain))
    assert (await tokens.authenticate(hub, plain)).ref == admin.ref
    for shown in (16, 32, len(plain) - check - 1):
        body = plain[:shown].ljust(len(plain) - check, "x" if plain[shown] != "x" else "y")
        with pytest.raises(Untrusted) as refused:
            await tokens.authenticate(hub, body + tokens._checksum(body))
        assert refused.value.because == "unknown"


async def test_the_last_use_is_written_down_once_a_minute(desk: Desk) -> None:
    hub = desk.ours.company.hub

    async def used() -> Any:
        return max(one.last_used_at for one in await tokens.everyone(hub) if one.last_used_at)

    await desk.ours.get("/tickets")
    first = await used()
    desk.network.clock.advance(seconds=59)
    await desk.ours.get("/tickets")
    assert await used() == first
    desk.network.clock.advance(seconds=1)
    await desk.ours.get("/tickets")
    assert await used() == first + timedelta(minutes=1)


async def test_only_administrators_make_tokens_for_others_or_for_links(desk: Desk) -> None:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    agent = await agents.add(hub, admin, email="i@a.example", name="Иван", role="dispatcher")
    _, plain = await tokens.new(hub, admin, agent, "t", ["tickets:read"], None)
    ivan = await tokens.authenticate(hub, plain)
    opened = frozenset({"tickets:read", "directories:read"})
    assert (ivan.ref, ivan.role, ivan.scopes) == (agent, "dispatcher", opened)
    with pytest.raises(Refused, match="not_yours"):
        await tokens.new(hub, ivan, agent, "more", ["tickets:write"], None)
    for scope in ("links:write", "admin"):
        with pytest.raises(Refused, match="scopes_invalid"):
            await tokens.new(hub, admin, agent, "t", [scope], None)


async def test_what_makes_no_sense_makes_no_token(desk: Desk) -> None:
    hub, admin = desk.ours.company.hub, desk.ours.company.dispatcher
    me: Any = admin.ref
    for scopes in ([], ["tickets:reed"], ["*"]):
        with pytest.raises(Refused, match="scopes_invalid"):
            await tokens.new(hub, admin, me, "t", scopes, None)
    for label in ("", "  ", "x" * 201):
        with pytest.raises(Refused, match="label_invalid"):
            await tokens.new(hub, admin, me, label, ["tickets:read"], None)
    with pytest.raises(Refused, match="token_expired"):
        await tokens.new(hub, admin, me, "t", ["tickets:read"], hub.now())
    with pytest.raises(NotFound):
        await tokens.new(hub, admin, "agt_x", "t", ["tickets:read"], None)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await tokens.revoke(hub, admin, "tok_x")  # type: ignore[arg-type]
    with pytest.raises(Untrusted):
        await tokens.authenticate(hub, "")


async def test_what_is_beyond_a_token_is_recorded_and_not_again_within_an_hour(
    desk: Desk,
) -> None:
    reader = await desk.ours.token_for("tickets:read")
    hub = desk.ours.company.hub

    async def denied() -> list[tuple[str, str, str]]:
        found = await hub.db.read(lambda c: list(audit.everything(c)))
        facts = [json.loads(one.facts) for one in found if one.event == "access.denied"]
        return [(one["door"], one["what"], one["code"]) for one in facts]

    for _ in range(5):
        assert (await reader.call("POST", "/tickets", {"title": "x"})).status == 403
        assert (await reader.call("GET", "/links")).status == 403
    asked = [("api", "POST /api/v1/tickets", "scope_missing")]
    asked.append(("api", "GET /api/v1/links", "scope_missing"))
    assert await denied() == asked
    desk.network.clock.advance(minutes=61)
    assert (await reader.call("POST", "/tickets", {"title": "x"})).status == 403
    assert await denied() == [*asked, asked[0]]
