"""Two companies find each other by their consoles, and end it."""

from __future__ import annotations

import re

from hub.actions import amendments, tickets
from hub.actions import handoffs as exchange
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.domain.agreement import AsPrincipal, Offer
from tests.kit.browsing import audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console


async def test_two_companies_link_in_three_clicks_a_side(companies, browser) -> None:
    ours, theirs = [
        await Console.serve(await companies.company(name)) for name in ("Сервис Плюс", "Мастер-Юг")
    ]
    try:
        here, watched = await browser(ours, "admin")
        await here.goto("/partners")
        await audit_accessibility(here)
        await here.get_by_role("link", name="Пригласить", exact=True).click()
        await here.get_by_label("Как вы его называете").fill("Мастер-Юг")
        await here.get_by_role("button", name="Создать ссылку").click()
        link = await here.locator("[data-copy]").get_attribute("data-copy")
        await audit_accessibility(here)
        there, watched_there = await browser(theirs, "admin", language="en")
        await there.goto("/partners")
        await there.get_by_role("link", name="I have an invitation").click()
        await there.get_by_label("Link or code of the invitation").fill(link)
        await there.get_by_role("button", name="Look at it").click()
        await there.get_by_role("heading", name="Сервис Плюс").wait_for()
        await audit_accessibility(there)
        await there.get_by_role("button", name="accept", exact=False).click()
        await there.get_by_text("active", exact=True).first.wait_for()
        await audit_accessibility(there)
        await here.goto("/partners")
        await here.get_by_role("link", name="Мастер-Юг").click()
        await here.get_by_text("действует", exact=True).first.wait_for()
        for one, of in ((watched, ours), (watched_there, theirs)):
            no_complaints(one)
            no_outside_requests(one, of.url)
    finally:
        await ours.close()
        await theirs.close()


async def test_a_code_that_is_none_says_which_step_failed(console: Console) -> None:
    admin = await console.person("admin")
    answer = await admin.post("/partners/accept", {"code": "not a code at all"})
    assert answer.status == 422
    assert "не проверялось" in answer.words


async def test_a_link_is_stopped_taken_up_again_and_ended(consoles) -> None:
    ours, _theirs = consoles
    admin = await ours.person("admin")
    link = await ours.company.link_to("Мастер-Юг")
    assert (await admin.post(f"/partners/{link}/suspend", {"reason": "Учёт"})).status == 303
    assert "Мы остановили обмен" in await admin.read(f"/partners/{link}")
    assert (await admin.post(f"/partners/{link}/resume")).status == 303
    wrong = await admin.post(f"/partners/{link}/close", {"name": "Кто-то"})
    assert wrong.status == 422
    assert "Мы остановили обмен" not in await admin.read(f"/partners/{link}")
    assert (await admin.post(f"/partners/{link}/close", {"name": "мастер-юг"})).status == 303
    assert "1 завершённая связь" in await admin.read("/partners")


async def test_a_proposal_is_read_as_a_difference_and_agreed(consoles, companies) -> None:
    ours, theirs = consoles
    link = await ours.company.link_to("Мастер-Юг")
    wish = Offer(as_principal=AsPrincipal(max_open=7))
    await amendments.propose(ours.company.hub, ours.company.dispatcher, link, wish)
    await companies.run_until_idle()
    admin = await theirs.person("admin")
    there = await theirs.company.link_to("Сервис Плюс")
    shown = await admin.read(f"/partners/{there}")
    assert "Сервис Плюс предлагает другие условия" in shown
    assert re.search(r"передач одновременно 1000 7|1000 7", shown)
    assert (await admin.post(f"/partners/{there}/proposal/accept")).status == 303
    await companies.run_until_idle()
    assert "редакция 2" in await admin.read(f"/partners/{there}")


async def test_what_waits_is_listed_shown_and_tried_again(consoles, companies) -> None:
    ours, theirs = consoles
    hub, who = ours.company.hub, ours.company.dispatcher
    link = await ours.company.link_to("Мастер-Юг")
    companies.wire.down.add(theirs.company.settings.url)
    made = await tickets.create(hub, who, NewTicket(title="Не печатает"))
    await exchange.offer(hub, who, OfferHandoff(made.id, link))
    person = await ours.person("integrator")
    page = await person.get("/delivery?state=queued")
    assert "передаёт заявку" in page.words
    path = re.search(r'href="(/delivery/msg_[0-9a-f]+)"', page.text)[1]
    shown = await person.get(path)
    assert "Не печатает" in shown.text
    assert (await person.post(f"{path}/skip", {"reason": ""})).status == 422
    assert (await person.post(f"{path}/replay")).status == 303
    many = await person.post("/delivery/replay", {"message": path.rsplit("/", 1)[1]})
    assert many.status == 303
    looks = await ours.person("read_only")
    assert (await looks.post(f"{path}/replay")).status == 403
    assert (await looks.get("/delivery?state=nonsense")).status == 422
    companies.wire.down.clear()
    await companies.run_until_idle()


async def test_a_secret_in_a_message_is_masked(consoles) -> None:
    ours, _theirs = consoles
    hub, who = ours.company.hub, ours.company.dispatcher
    link = await ours.company.link_to("Мастер-Юг")
    secret = "Authorization: Bearer abcdefghijklmnop"
    made = await tickets.create(hub, who, NewTicket(title="Вход", description=secret))
    await exchange.offer(hub, who, OfferHandoff(made.id, link))
    person = await ours.person("integrator")
    page = await person.get("/delivery")
    path = re.search(r'href="(/delivery/msg_[0-9a-f]+)"', page.text)[1]
    shown = await person.get(path)
    assert "abcdefghijklmnop" not in shown.text
