"""Letters that a person must decide on, in the console, the API and the doctor; pages named in letters."""

from __future__ import annotations

import asyncio
import re

import pytest

from hub.actions import guests, tickets
from hub.actions.tickets import TicketChanges
from hub.domain.ticket import TicketStatus
from tests.cli.conftest import hub
from tests.kit.console import Console
from tests.mail.conftest import HELP, Desk, a_letter

pytestmark = pytest.mark.one_database
HOSTILE = "<script>alert(1)</script>\u202e\x07"


@pytest.fixture
async def console(desk: Desk):
    made = await Console.serve(desk.company)
    yield made
    await made.close()


async def test_a_held_letter_is_shown_without_harm_and_becomes_a_ticket_where_a_person_says_so(
    desk: Desk, console: Console
):
    failed = "dmarc=fail header.from=romashka.example"
    held = await desk.arrives(a_letter(HOSTILE, verdict=failed))
    assert held.state == "held"
    integrator = await console.person("integrator")
    listed = await integrator.get("/settings/letters?state=held")
    assert held.id in listed.text
    page = await integrator.get(f"/settings/letters/{held.id}")
    assert "MIME-Version: 1.0\ufffd" not in page.text, "ends of lines are no strange characters"
    assert "MIME-Version: 1.0\n" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    raw = await integrator.get(f"/settings/letters/{held.id}/raw")
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.headers["Content-Type"] == "application/octet-stream"
    reader = await console.person("read_only")
    assert (await reader.get("/settings/letters")).status == 200
    assert (await reader.get(f"/settings/letters/{held.id}")).status == 403
    again = await integrator.post(f"/settings/letters/{held.id}/retry", {"as_ticket": "1"})
    assert again.status == 303
    await desk.works()
    taken = await desk.letter(held.id)
    assert (taken.state, taken.outcome) == ("done", "ticket")
    assert (
        await integrator.post(f"/settings/letters/{held.id}/drop", {"reason": "x"})
    ).status == 422


async def test_a_letter_without_an_author_stays_held_whatever_is_decided(
    desk: Desk, console: Console
):
    held = await desk.arrives(a_letter(sender="a@x.example, b@x.example"))
    integrator = await console.person("integrator")
    await integrator.post(f"/settings/letters/{held.id}/retry", {"as_ticket": "1"})
    await desk.works()
    assert (await desk.letter(held.id)).state == "held"
    assert (
        await integrator.post(f"/settings/letters/{held.id}/drop", {"reason": ""})
    ).status == 422
    assert (
        await integrator.post(f"/settings/letters/{held.id}/drop", {"reason": "x"})
    ).status == 303
    assert (await desk.letter(held.id)).state == "dropped"


async def test_a_letter_names_the_page_of_the_ticket_and_where_work_is_done_that_of_the_grade(
    desk: Desk, console: Console
):
    made = await desk.arrives(a_letter())
    await desk.says(made.ticket_id, "Едем.")
    done = TicketChanges(status=TicketStatus.RESOLVED)
    await tickets.change(desk.hub, desk.company.dispatcher, made.ticket_id, done)
    await desk.says(made.ticket_id, "Готово.")
    pages = [re.findall(r"/g/[\w-]{43}\b", one.text()) for one in desk.sent]
    assert [len(one) for one in pages] == [1, 1, 2]
    follow, rate = pages[2]
    assert pages[0] == pages[1] == [follow]
    stranger = console.stranger()
    assert "Не работает касса" in await stranger.read(follow)
    assert (await stranger.post(f"{rate}/rate", {"score": "5", "text": ""})).status == 303
    await guests.revoke_all(desk.hub, desk.company.dispatcher, made.ticket_id)
    await desk.says(made.ticket_id, "Ещё что-нибудь?")
    assert "/g/" not in desk.sent[-1].text(), "what was revoked is not handed out again"


async def test_the_doctor_says_which_mailbox_does_not_work_and_what_waits(desk: Desk):
    data = desk.company.settings.data
    (data / "mailboxes").mkdir()
    file = data / "mailboxes" / "help.yaml"
    file.write_text(
        f"address: {HELP}\n"
        f"smtp: {{host: 127.0.0.1, port: {desk.server.port}, security: none}}\n"
        "imap: {host: 127.0.0.1, port: 9, security: none, user: a, password: {env: NOWHERE}}\n"
    )
    await desk.arrives(b"")
    ran = await asyncio.to_thread(hub, "doctor", "--json", data=data)
    checks = {one["check"]: one for one in ran.json["checks"]}
    assert checks["mail out"]["state"] == "ok"
    assert checks["mail in"]["state"] == "failed"
    assert checks["mail"]["state"] == "warning"
    assert checks["letters"]["cure"].startswith("hub mail list --state held")
    file.write_text("adress: x\n")
    ran = await asyncio.to_thread(hub, "doctor", "--json", data=data)
    (found,) = [one for one in ran.json["checks"] if one["check"] == "mail"]
    assert (found["state"], "did you mean address?" in found["fact"]) == ("failed", True)
