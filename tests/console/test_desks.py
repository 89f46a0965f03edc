"""Foreign desks in the console: from the first draft to a ticket that waits alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape

import pytest

from hub import app
from hub.actions import tickets
from hub.actions.tickets import NewTicket
from hub.workers.desks import Desks
from tests.bridge.foreign import World
from tests.connectors.simulators.redmine import Redmine
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console, Person
from tests.kit.network import Company, Network


@dataclass
class Bank:
    """A company with a console, and the desk of a customer it can reach."""

    network: Network
    console: Console
    world: World
    sim: Redmine

    @property
    def company(self) -> Company:
        return self.console.company

    async def time_passes(self, seconds: float = 70) -> None:
        self.network.clock.advance(seconds=seconds)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(6):
            await self.company.turn()

    async def at_work(self, person: Person) -> None:
        """The desk published and enabled, by its pages."""
        await person.post("/settings/desks", BEGUN)
        await person.post("/settings/desks/bank/draft", await self.form(person))
        secret = {"secret": "api_key", "value": self.sim.secrets["api_key"]}
        await person.post("/settings/desks/bank/secret", secret)
        await person.post("/settings/desks/bank/publish")
        done = await person.post("/settings/desks/bank/enable", follow=True)
        assert done.status == 200, done.words
        await self.settle()

    async def form(self, person: Person, **more: str) -> dict[str, str]:
        page = await person.get("/settings/desks/bank/draft")
        return {
            "seal": page.text.partition('name="seal" value="')[2].partition('"')[0],
            "company": "Банк «Север»",
            "role": "customers_desk",
            "poll_every_s": "60",
            "mirror": "none",
            "notes": "none",
            "tell_number": "1",
            "setting-url": self.sim.base,
            "setting-project": "support",
            "setting-tracker_id": "3",
            "setting-marker_field": "1",
            **more,
        }


BEGUN = {"kind": "redmine", "name": "bank", "company": "Банк", "role": "customers_desk"}


@pytest.fixture
async def bank(companies: Network) -> AsyncIterator[Bank]:
    company = await companies.company("Сервис Плюс")
    sim, world = Redmine(), World()
    sim.clock = companies.clock
    world.desks.append(sim)
    company.cranks = (
        *company.cranks,
        Desks(company.hub, app.desk_host(company.hub, world), wait=True),  # type: ignore[arg-type]
    )
    console = await Console.serve(company, world)
    yield Bank(companies, console, world, sim)
    await console.close()


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_a_desk_is_connected_by_its_pages_alone(bank: Bank, browser, language: str) -> None:
    page, watched = await browser(bank.console, "integrator", language=language)
    await page.goto("/settings/desks")
    await audit_accessibility(page)
    await page.select_option("[name=kind]", "redmine")
    await page.fill("[name=company]", "Банк «Север»")
    await page.fill("[name=name]", "bank")
    await page.click("form[action='/settings/desks'] button")
    await page.wait_for_url("**/draft")
    # The template's own words are in the reader's language, too.
    asked = await page.locator("main").inner_text()
    label = {"ru": "Ключ API нашего пользователя", "en": "API key of our user"}[language]
    assert label in asked
    # What is missing is said before anything works.
    await page.click("form[action$='/check'] button")
    await page.locator("#found-title").wait_for()
    assert await page.locator("section:has(#found-title) .look-red").count() == 1
    await page.fill("[name=setting-url]", bank.sim.base)
    await page.fill("[name=setting-project]", "support")
    await page.fill("[name=setting-marker_field]", "1")
    await page.click("form[action$='/draft'] button")
    await page.fill("input[type=password]", bank.sim.secrets["api_key"])
    await page.click("form[action$='/secret'] button")
    await page.wait_for_load_state()
    assert bank.sim.secrets["api_key"] not in await page.content()
    await page.click("form[action$='/check'] button")
    await page.locator("#found-title").wait_for()
    assert await page.locator("section:has(#found-title) .look-red").count() == 0

    # A trial shows both sides and changes nothing, here or there.
    theirs = await bank.sim.open_ticket("Касса 7 <b>стоит</b>", "не печатает")
    await bank.sim.strange(theirs)
    written = len([one for one in bank.sim.requests if one.method != "GET"])
    await page.fill("[name=there]", theirs)
    await page.click("form:has([name=there]) button")
    trial = page.locator("section.trial")
    await trial.wait_for()
    await audit_accessibility(page)
    said = await trial.inner_text()
    assert "Касса 7 <b>стоит</b>" in said
    assert "99" in said
    assert await trial.locator(".macro-body").count() == 1, "our number would be told"
    assert len([one for one in bank.sim.requests if one.method != "GET"]) == written
    await page.click("button[name=all]")
    await page.locator("#all-title").wait_for()
    await bank.settle()
    assert await bank.company.hub.db.read(_count) == 0

    # Published and enabled, it works; the list says how it does.
    await page.click("form[action$='/publish'] button")
    await page.wait_for_url("**/settings/desks/bank")
    await page.click("form[action$='/enable'] button")
    await page.locator("form[action$='/disable']").first.wait_for()
    await page.click("details:has(form[action$='/fill']) summary")
    await page.click("form[action$='/fill'] button")
    await page.locator("form[action$='/cut']").wait_for()
    assert await bank.company.hub.db.read(_count) == 1
    await audit_accessibility(page)
    await page.goto("/settings/desks")
    await page.locator("[data-row] >> text=bank").wait_for()
    no_outside_requests(watched, bank.console.url)
    # The browser itself mentions answers that say what is wrong with a form.
    assert not [one for one in watched.complaints if "422" not in one]


def _count(connection: object) -> int:
    from hub.storage import tickets as stored

    return len(stored.page(connection, status=None, before=None, limit=100))  # type: ignore[arg-type]


async def test_one_bad_ticket_waits_alone_and_is_tried_again(bank: Bank) -> None:
    person = await bank.console.person("integrator")
    await bank.at_work(person)
    good, bad = [await bank.sim.open_ticket(one, "…") for one in ("Хорошая", "Плохая")]
    await bank.sim.spoil(bad)
    await bank.time_passes()
    page = await person.read("/settings/desks/bank")
    assert "Хорошая" in page
    assert "Плохая" not in page
    text = (await person.get("/settings/desks/bank")).text
    assert f'name="there" value="{bad}"' in text, "it stands by itself, with a button"
    assert f'name="there" value="{good}"' not in text
    bank.sim.tickets[bad].spoiled = False
    again = await person.post("/settings/desks/bank/replay", {"there": bad})
    assert again.status == 303
    await bank.settle()
    assert "Плохая" in await person.read("/settings/desks/bank")
    lost = await person.post("/settings/desks/bank/replay", {"there": bad})
    assert lost.status == 404, "nothing of it waits any more"


async def test_a_desk_that_fails_says_why_and_what_helps(bank: Bank) -> None:
    person = await bank.console.person("integrator")
    await bank.at_work(person)
    await bank.time_passes()
    wrong = {"secret": "api_key", "value": "wrong-key-wrong-key-wrong"}
    await person.post("/settings/desks/bank/secret", wrong)
    bank.world.trouble = lambda _method, _url: "before"
    await bank.time_passes()
    for path in ("/settings/desks", "/settings/desks/bank"):
        page = await person.read(path)
        assert "не работает" in page
        assert "Повторится само" in page, "nobody answers: it is tried again"
    bank.world.trouble = lambda _method, _url: None
    await bank.time_passes(2000)
    log = await person.read("/settings/desks/bank/log")
    assert "/issues.json" in log
    assert bank.sim.secrets["api_key"] not in log
    assert "нет ответа" in await person.read("/settings/desks/bank/log?failed=1")


async def test_versions_are_published_and_rolled_back_and_pairs_untied(bank: Bank) -> None:
    person = await bank.console.person("integrator")
    await bank.at_work(person)
    early = await person.post("/settings/desks/bank/rollback")
    assert early.status == 409
    assert "Более ранней версии нет" in early.words
    refused = await person.post("/settings/desks/bank/draft", await bank.form(person, notes="both"))
    assert refused.status == 303, "a draft may be wrong as long as it is one"
    assert "внутренние заметки" in (await person.read("/settings/desks/bank/draft")).lower()
    assert (await person.post("/settings/desks/bank/publish")).status == 422
    await person.post("/settings/desks/bank/draft", await bank.form(person, service="Кассы"))
    done = await person.post("/settings/desks/bank/publish", follow=True)
    assert "Версия 2" in done.words
    back = await person.post("/settings/desks/bank/rollback", follow=True)
    assert "Снова работает версия 1" in back.words
    assert "отозвана" in back.words

    there = await bank.sim.open_ticket("Старая", "давно")
    hub, who = bank.company.hub, bank.company.dispatcher
    ours = await tickets.create(hub, who, NewTicket("Старая"))
    pair = {"ticket": ours.number, "there": there}
    tied = await person.post("/settings/desks/bank/pairs", pair, follow=True)
    assert ours.number in tied.words
    assert (await person.post("/settings/desks/bank/pairs", pair)).status == 409
    on_ticket = await person.read(f"/tickets/{ours.number}")
    assert "bank" in on_ticket
    cut = await person.post("/settings/desks/bank/cut", {"ticket": ours.number}, follow=True)
    assert "отвязана" in cut.words


async def test_two_people_at_one_draft_do_not_overwrite_each_other(bank: Bank) -> None:
    one, other = [await bank.console.person("integrator") for _ in range(2)]
    await one.post("/settings/desks", BEGUN)
    mine, theirs = await bank.form(one), await bank.form(other, company="Банк «Юг»")
    assert (await other.post("/settings/desks/bank/draft", theirs)).status == 303
    late = await one.post("/settings/desks/bank/draft", mine)
    assert late.status == 422
    assert "Банк «Юг»" in (await one.get("/settings/desks/bank/draft")).text
    files = {"seal": mine["seal"], "settings": "company: x\n", "description": "typed: by me\n"}
    kept = await one.post("/settings/desks/bank/files", files)
    assert kept.status == 422
    assert "typed: by me" in kept.text, "what was typed is not lost"


async def test_a_mistake_in_a_file_is_told_with_its_place(bank: Bank) -> None:
    person = await bank.console.person("integrator")
    await person.post("/settings/desks", BEGUN)
    seal = (await bank.form(person))["seal"]
    page = (await person.get("/settings/desks/bank/draft")).text
    settings, description = [
        unescape(
            page.partition(f'name="{name}"')[2].partition(">\n")[2].partition("</textarea>")[0]
        )
        for name in ("settings", "description")
    ]
    place = len(description.splitlines()) + 1
    said = {"seal": seal, "settings": settings, "description": f"{description}titel: x\n"}
    await person.post("/settings/desks/bank/files", said)
    told = await person.read("/settings/desks/bank/draft")
    told = told[told.index("работать пока нельзя") :]
    assert f"bank/description.yaml: {place}:" in told, told[:300]
    assert "titel" in told


async def test_who_may_not_connect_desks_does_not_see_them(bank: Bank) -> None:
    admin = await bank.console.person("admin")
    await bank.at_work(admin)
    dispatcher = await bank.console.person("dispatcher")
    for path in ("", "/bank", "/bank/draft", "/bank/log"):
        assert (await dispatcher.get(f"/settings/desks{path}")).status == 403
    assert (await dispatcher.post("/settings/desks/bank/check")).status == 403


async def test_desks_are_read_on_a_phone(bank: Bank, browser) -> None:
    person = await bank.console.person("integrator")
    await bank.at_work(person)
    await bank.sim.open_ticket("Касса стоит", "не печатает " + "очень " * 40)
    await bank.time_passes()
    page, watched = await browser(bank.console, "integrator", viewport=PHONE)
    for path in ("", "/bank", "/bank/draft", "/bank/log"):
        await page.goto(f"/settings/desks{path}")
        await audit_accessibility(page)
        width = await page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is wider than the screen"
    no_complaints(watched)
