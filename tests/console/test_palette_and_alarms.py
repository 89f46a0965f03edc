"""What is reached by a few letters, and what a person must see."""

from __future__ import annotations

import re

from hub.actions import directories, handoffs, outgoing, tickets
from hub.actions.directories import CustomerWish
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.console import words
from hub.protocol import payloads
from tests.console.conftest import NewVisitor
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints
from tests.kit.console import Console
from tests.kit.network import Network


async def _offered(console: Console, title: str = "Касса молчит") -> str:
    hub, who = console.company.hub, console.company.dispatcher
    made = await tickets.create(hub, who, NewTicket(title))
    link = await console.company.link_to("Мастер-Юг")
    await handoffs.offer(hub, who, OfferHandoff(made.id, link))
    return made.number


async def test_a_few_letters_lead_to_pages_tickets_partners_and_customers(consoles) -> None:
    ours, _ = consoles
    number = await _offered(ours)
    hub, who = ours.company.hub, ours.company.dispatcher
    await directories.add_customer(hub, who, CustomerWish("Кассандра"))
    dispatcher, engineer = await ours.person("dispatcher"), await ours.person("engineer")
    found = await dispatcher.get("/palette?text=касс")
    assert "Касса молчит" in found.words and "Кассандра" in found.words
    assert "Мастер-Юг" in await dispatcher.read("/palette?text=мастер")
    assert number in await dispatcher.read(f"/palette?text={number[2:]}")
    assert "Моя очередь" in await dispatcher.read("/palette")
    assert "ничего не найдено" in (await dispatcher.read("/palette?text=жжжж")).lower()
    # Кому партнёров не видно, тому их и здесь не видно.
    assert "Мастер-Юг" not in await engineer.read("/palette?text=мастер")
    assert "Люди" not in await engineer.read("/palette?text=люди")


async def test_the_palette_is_walked_by_keys_alone(consoles, browser: NewVisitor) -> None:
    ours, _ = consoles
    number = await _offered(ours)
    page, watched = await browser(ours, "dispatcher")
    await page.goto("/queue")
    await page.keyboard.press("Control+KeyK")
    await page.locator("#found a").first.wait_for()
    await audit_accessibility(page)
    await page.keyboard.type("касса")  # и не ждём, что покажут
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/tickets/{number}")
    await page.keyboard.press("Control+KeyK")
    await page.keyboard.type("мастер")
    await page.locator("#found a", has_text="Мастер-Юг").wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Мастер-Юг").wait_for()
    no_complaints(watched)


async def test_an_alarm_is_on_every_page_until_somebody_says_they_know(console: Console) -> None:
    hub = console.company.hub
    await hub.db.write(
        lambda tx: outgoing.alarm(tx, hub, "test", "x", "Something is wrong.", hub.now())
    )
    dispatcher, lead = await console.person("dispatcher"), await console.person("lead", "Ольга")
    assert "1 тревога" in await dispatcher.read("/queue")
    assert "1 тревога" not in await (await console.person("engineer")).read("/tickets")
    page = await lead.get("/delivery")
    alert = re.search(r'name="alert" value="(alr_[0-9a-f]+)"', page.text)[1]
    assert "Я знаю" not in await dispatcher.read("/delivery")
    assert (await dispatcher.post("/delivery/alarms", {"alert": alert})).status == 403
    assert (await lead.post("/delivery/alarms", {"alert": alert})).status == 303
    assert "1 тревога" not in await dispatcher.read("/queue")
    assert "Ольга знает" in await dispatcher.read("/delivery")


async def test_a_message_shows_every_attempt_and_what_it_says_in_words(
    companies: Network, consoles
) -> None:
    ours, theirs = consoles
    companies.wire.down.add(theirs.company.settings.url)
    await _offered(ours)
    await companies.run_until_idle()
    companies.clock.advance(minutes=1)
    await companies.run_until_idle()
    person = await ours.person("lead")
    listed = await person.get("/delivery")
    assert "передаёт заявку" in listed.words and "handoff.offer" not in listed.words
    path = re.search(r"/delivery/msg_[0-9a-f]+", listed.text)[0]
    shown = await person.read(path)
    assert shown.count("Квитанции нет") == 2 and "Следующая попытка" in shown
    companies.wire.down.clear()
    companies.clock.advance(hours=1)
    await companies.run_until_idle()
    shown = await person.read(path)
    assert "Получено: партнёр расписался" in shown and shown.count("Квитанции нет") == 2


async def test_delivery_is_for_everybody(companies: Network, consoles, browser: NewVisitor) -> None:
    ours, theirs = consoles
    companies.wire.down.add(theirs.company.settings.url)
    await _offered(ours)
    await companies.run_until_idle()
    hub = ours.company.hub
    await hub.db.write(lambda tx: outgoing.alarm(tx, hub, "test", "x", "It burns.", hub.now()))
    listed = await (await ours.person("lead")).get("/delivery")
    message = re.search(r"/delivery/msg_[0-9a-f]+", listed.text)[0]
    page, watched = await browser(ours, "lead", viewport=PHONE)
    for path in ("/delivery", message):
        await page.goto(path)
        await audit_accessibility(page)
        width = await page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], f"{path} is wider than the screen"
    no_complaints(watched)


def test_every_type_of_message_has_its_words() -> None:
    assert [one for one in payloads.TYPES if words.look(f"msg-{one}").text == f"msg-{one}"] == []
