"""The pages of an administrator: tokens, the log, health, limits, the node."""

from __future__ import annotations

import re

from hub.actions import tokens
from tests.kit.browsing import audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console


async def test_a_token_is_shown_once_opens_and_is_revoked(console: Console) -> None:
    person, other = await console.person("dispatcher"), await console.person("dispatcher")
    form = {"label": "Скрипт", "scope": "tickets:read", "days": "30"}
    made = await person.post("/settings/tokens", form)
    plaintext = re.search(r"hub_[0-9A-Za-z]{49}", made.text)[0]
    actor = await tokens.authenticate(console.company.hub, plaintext)
    assert actor.scopes == {"tickets:read", "directories:read"}  # what reading takes
    listed = await person.get("/settings/tokens")
    assert plaintext not in listed.text
    assert "Скрипт" not in await other.read("/settings/tokens")
    path = re.search(r"/settings/tokens/tok_[0-9a-f]+/revoke", listed.text)[0]
    assert (await other.post(path)).status == 404
    assert (await person.post(path)).status == 303
    assert "отозван" in await person.read("/settings/tokens")
    beyond = await person.post("/settings/tokens", {**form, "scope": "admin"})
    assert beyond.status == 422


async def test_the_log_is_read_verified_and_taken_away_and_that_is_recorded(
    console: Console,
) -> None:
    admin = await console.person("admin")
    assert "session.begun" in await admin.read("/settings/audit")
    assert "audit.read" in await admin.read("/settings/audit?event=audit.read")
    assert "никто ничего не менял" in (await admin.post("/settings/audit/verify")).words
    taken = await admin.post("/settings/audit/export")
    assert taken.headers["Content-Disposition"].startswith("attachment")
    assert "node.founded" in taken.text
    assert "audit.exported" in await admin.read("/settings/audit")


async def test_the_pages_of_an_administrator_are_for_everybody(console: Console, browser) -> None:
    page, watched = await browser(console, "admin", language="en")
    for name in ("tokens", "audit", "health", "limits", "node"):
        await page.goto(f"/settings/{name}")
        await audit_accessibility(page)
    no_outside_requests(watched, console.url)
    no_complaints(watched)
