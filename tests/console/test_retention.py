"""What is kept how long, tickets that are held, and the company's own card."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hub.actions import comments, erasures, guests, handoffs, retention, tickets
from hub.actions.comments import AddComment
from hub.actions.guests import Purpose
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.queries import deliveries
from hub.storage import audit
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints
from tests.kit.console import Console
from tests.kit.network import Company, Network


async def events(company: Company, kind: str) -> list[Any]:
    found = await company.hub.db.read(lambda connection: list(audit.everything(connection)))
    return [json.loads(one.facts) for one in found if one.event == kind]


async def a_closed_handoff(network: Network, ours: Company, theirs: Company) -> Any:
    """A ticket that was handed off, talked about and declined: nobody needs its texts."""
    hub, who = ours.hub, ours.dispatcher
    ticket = await tickets.create(hub, who, NewTicket("Не печатает чек"))
    link = await ours.link_to("Мастер-Юг")
    handoff = await handoffs.offer(hub, who, OfferHandoff(ticket.id, link))
    await comments.add(hub, who, AddComment(ticket.id, "Ау", Visibility.PUBLIC))
    await network.run_until_idle()
    no = Particulars(code="capacity")
    await handoffs.act(theirs.hub, theirs.dispatcher, handoff, Act.DECLINE, no)
    await network.run_until_idle()
    return ticket


async def texts(company: Company, ticket: Any) -> int:
    """How many of our messages about the ticket still have their text."""

    def look(connection: Any) -> int:
        lines = deliveries.page(connection, limit=100)
        shown = [deliveries.show(connection, one.id) for one in lines if one.ticket]
        return sum(one.payload is not None for one in shown if one.line.ticket == ticket.number)

    return await company.hub.db.read(look)


async def test_texts_go_after_as_many_days_as_were_decided(
    consoles: tuple[Console, Console], companies: Network
) -> None:
    ours, theirs = [one.company for one in consoles]
    ticket = await a_closed_handoff(companies, ours, theirs)
    admin = await consoles[0].person("admin")
    done = await admin.post("/settings/retention", {"data_days": "60", "letters_days": ""})
    assert done.status == 303
    assert (await events(ours, "retention.decided"))[0]["data_days"] == [None, 60]
    page = await admin.read("/settings/retention")
    assert "60 дней" in page
    assert "35" in page, "what the settings say stays in sight"
    companies.clock.advance(seconds=timedelta(days=50).total_seconds())
    await retention.prune(ours.hub)
    assert await texts(ours, ticket) > 0, "the settings alone would have dropped them"
    companies.clock.advance(seconds=timedelta(days=30).total_seconds())
    await retention.prune(ours.hub)
    assert await texts(ours, ticket) == 0


async def test_nothing_partners_rely_on_can_be_dropped_sooner(console: Console) -> None:
    admin = await console.person("admin")
    for said in ("34", "0", "-1", "много", "999999999"):
        refused = await admin.post("/settings/retention", {"data_days": said})
        assert refused.status == 422
        assert f'value="{said}"' in refused.text
    assert await events(console.company, "retention.decided") == []
    await admin.post("/settings/retention", {"data_days": "35", "letters_days": "1"})
    await admin.post("/settings/retention", {"data_days": "", "letters_days": ""})
    assert len(await events(console.company, "retention.decided")) == 2
    dispatcher = await console.person("lead")
    assert (await dispatcher.get("/settings/retention")).status == 403
    assert (await dispatcher.post("/settings/retention", {"data_days": "99"})).status == 403


async def test_a_held_ticket_keeps_everything_until_the_hold_is_lifted(
    console: Console, browser
) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    ticket = await tickets.create(hub, who, NewTicket("Спор об оплате"))
    page, watched = await browser(console, "admin", viewport=PHONE)
    await page.goto("/settings/retention")
    await audit_accessibility(page)
    await page.fill("[name=ticket]", ticket.number)
    await page.fill("[name=reason]", "Суд до декабря")
    await page.click("form[action$='/hold'] button")
    await page.locator("[data-row] >> text=Суд до декабря").wait_for()
    await audit_accessibility(page)
    try:
        await erasures.erase(hub, who, ticket.id, "По просьбе")
    except Exception as error:  # noqa: BLE001 - which one is looked at
        assert getattr(error, "code", "") == "legal_hold"
    else:
        raise AssertionError("a held ticket was erased")
    await page.click("form[action$='/release'] button")
    await page.locator("text=снят").first.wait_for()
    await erasures.erase(hub, who, ticket.id, "По просьбе")
    assert [one["reason"] for one in await events(console.company, "ticket.held")] == [
        "Суд до декабря"
    ]
    assert len(await events(console.company, "ticket.released")) == 1
    no_complaints(watched)


async def test_a_hold_without_a_reason_or_a_ticket_is_refused(console: Console) -> None:
    admin = await console.person("admin")
    ticket = await tickets.create(
        console.company.hub, console.company.dispatcher, NewTicket("Спор")
    )
    for said in ({"ticket": ticket.number, "reason": " "}, {"ticket": "T-9", "reason": "Суд"}):
        assert (await admin.post("/settings/retention/hold", said)).status in {404, 422}
    gone = await admin.post("/settings/retention/release", {"ticket": ticket.number})
    assert gone.status == 404


async def test_requesters_are_told_how_to_reach_the_company(console: Console) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    ticket = await tickets.create(hub, who, NewTicket("Не печатает"))
    link = await guests.invite(hub, who, ticket.id, Purpose.FOLLOW)
    stranger, admin = console.stranger(), await console.person("admin")
    assert 'class="reach"' not in (await stranger.get(f"/g/{link}")).text
    card = {"phone": "+7 383 000-00-00", "email": "help@plus.example", "hours": "<b>с 9 до 18</b>"}
    assert (await admin.post("/settings/node", card)).status == 303
    page = await stranger.get(f"/g/{link}")
    assert "+7 383 000-00-00" in page.words
    assert 'href="tel:%2B7383000-00-00"' in page.text
    assert "<b>с 9" not in page.text
    bad = await admin.post("/settings/node", {**card, "email": "help"})
    assert bad.status == 422
    assert "+7 383 000-00-00" in bad.text
    assert [one["hours"] for one in await events(console.company, "company.changed")] == [
        "<b>с 9 до 18</b>"
    ]
    lead = await console.person("lead")
    assert (await lead.post("/settings/node", card)).status == 403
