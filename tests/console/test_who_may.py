"""Every page × every role: from the router itself, so that a new page is looked at or fails."""

from __future__ import annotations

import re

import pytest

from hub.actions import tickets
from hub.actions.tickets import NewTicket
from hub.console.door import Open
from hub.console.routes import PAGES
from hub.domain.permission import ALLOWED, Permission, Role, may
from tests.kit.console import Console

NOWHERE = "00000000000000000000000000000000"
ELSEWHERE = ("/api/", "/txp/", "/.well-known/", "/healthz", "/readyz", "/metrics", "/i")
"""Other doors of the same server; what they refuse is tested with them."""

CANDIDATES = ("tkt", "hnd", "lnk", "msg", "cmt", "att", "agt", "ses")
"""Ids of every kind, in every place of a path: a foreign one opens nothing and breaks nothing."""


def filled(path: str, prefix: str) -> str:
    return re.sub(r"{\w+(:[^}]*)?}", f"{prefix}_{NOWHERE}", path)


def test_the_router_serves_what_the_table_says_and_nothing_else(console: Console) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in console.runner.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    ours = {(method, path) for method, path in served if not path.startswith(ELSEWHERE)} - {
        ("*", "/{rest}")
    }
    said = {(page.method, re.sub(r":[^}]*}", "}", page.path)) for page in PAGES}
    assert ours == said
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_only_these_pages_are_open_to_everybody() -> None:
    said = {page.name for page in PAGES if page.may is Open.TO_ALL}
    assert said <= {
        *("static", "speak", "sign_in", "signing_in", "code", "entering_code"),
        *("enter", "entering"),
        *(page.name for page in PAGES if page.path.startswith("/g/")),  # requesters' links
    }


def test_a_role_that_is_not_in_the_table_may_nothing() -> None:
    assert not any(may(role, one) for role in ("", "agent", "Admin") for one in Permission)
    assert set(Role) | {"system"} == set(ALLOWED)


@pytest.mark.parametrize("role", ["nobody", *Role])
async def test_nobody_gets_beyond_what_the_policy_says(console: Console, role: str) -> None:
    person = console.stranger() if role == "nobody" else await console.person(role)
    token = person.cookies.get(console.cookie, "")
    wrong = []
    cells = 0
    for page in PAGES:
        kinds = CANDIDATES if "{" in page.path else ("",)
        for kind in kinds:
            if page.name in {"sign_out", "end_sessions"}:
                continue  # would end the session of this test
            if token:
                person.keep(token)
            found = await person.ask(
                page.method, filled(page.path, kind), {} if page.method == "POST" else None
            )
            cells += 1
            if page.may is Open.TO_ALL:
                good = found.status < 500
            elif role == "nobody":
                good = found.status == 303 and found.location.startswith("/sign-in")
            elif not may(role, page.may):
                good = found.status == 403
            else:
                good = found.status < 500 and found.status != 403
                if "{" in page.path and found.status == 200:
                    good = False  # there is nothing with such an id
            if not good:
                wrong.append((page.name, kind, found.status, found.location))
    assert not wrong, wrong
    assert cells >= 100


@pytest.mark.parametrize("role", list(Role))
async def test_nobody_sees_what_another_company_has(consoles, role: str) -> None:
    """Ids of the other side open nothing here: they are told apart from nothing by nobody."""
    ours, theirs = consoles
    person = await ours.person(role)
    admin = await theirs.person("admin")
    made = await tickets.create(
        theirs.company.hub, theirs.company.dispatcher, NewTicket(title="Чужая заявка")
    )
    foreign = [made.id, admin.actor.ref]
    for page in PAGES:
        if "{" not in page.path or page.may is Open.TO_ALL:
            continue
        for one in foreign:
            path = re.sub(r"{\w+(:[^}]*)?}", one, page.path)
            found = await person.ask(page.method, path, {} if page.method == "POST" else None)
            expected = {403} if not may(role, page.may) else {404, 409, 422}
            assert found.status in expected, (page.name, one, found.status)
