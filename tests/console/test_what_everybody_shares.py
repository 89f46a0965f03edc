"""What a company sets up once: teams, customers, macros, custom fields, webhooks."""

from __future__ import annotations

import re

from hub.actions import tickets
from hub.actions.tickets import NewTicket
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console, Person


async def _made(person: Person, path: str, form: dict[str, str]) -> str:
    """Where the page after this form is."""
    found = await person.post(path, form)
    assert found.status == 303, found.words
    return found.location


async def test_a_team_is_made_changed_and_its_tickets_are_listed(console: Console) -> None:
    lead, engineer = await console.person("lead"), await console.person("engineer", "Пётр")
    await _made(lead, "/settings/teams", {"name": "Смена А", "member": engineer.actor.ref})
    listed = await lead.get("/settings/teams")
    assert "Смена А" in listed.words and "Пётр" in listed.words
    path = re.search(r"/settings/teams/(tea_[0-9a-f]+)", listed.text)
    twice = await lead.post("/settings/teams", {"name": "Смена А"})
    assert twice.status == 422 and "Смена А" in twice.words
    hub = console.company.hub
    made = await tickets.create(hub, lead.actor, NewTicket("Касса молчит"))
    await lead.post(f"/tickets/{made.number}/change", {"team": path[1]})
    assert "Смена А" in await lead.read(f"/tickets/{made.number}")
    assert made.number in await lead.read(f"/tickets?team={path[1]}")
    await lead.post(f"/tickets/{made.number}/change", {"team": ""})
    assert made.number not in await lead.read(f"/tickets?team={path[1]}")
    wrong = await lead.post(f"/tickets/{made.number}/change", {"team": "tea_" + "0" * 32})
    assert wrong.status == 422
    await _made(lead, path[0], {"name": "Смена Б"})
    listed = await lead.read("/settings/teams")
    assert "Смена Б" in listed and "В ней пока никого нет." in listed
    await _made(lead, f"{path[0]}/remove", {})
    assert (await lead.get(path[0])).status == 404
    assert (await engineer.get("/settings/teams")).status == 403


async def test_sites_are_nested_and_take_over_what_is_above(console: Console) -> None:
    person = await console.person("dispatcher")
    form = {"name": "Пекарни", "legal_entity": "ООО Хлеб", "time_zone": "Asia/Omsk"}
    customer = await _made(person, "/settings/customers", form)
    wrong = await person.post("/settings/customers", {"name": "Кафе", "time_zone": "Луна"})
    assert wrong.status == 422 and 'value="Кафе"' in wrong.text
    await _made(person, f"{customer}/sites", {"name": "Омск"})
    outer = re.search(r"/settings/sites/(sit_[0-9a-f]+)", (await person.get(customer)).text)
    form = {"name": "Ленина, 5", "parent_id": outer[1], "address": "ул. Ленина, 5"}
    await _made(person, f"{customer}/sites", form)
    page = await person.get(customer)
    inner = next(
        one for one in re.findall(r"/settings/sites/sit_[0-9a-f]+", page.text) if one != outer[0]
    )
    # Юрлицо и часовой пояс сверху, у каждого из трёх.
    assert page.words.count("ООО Хлеб") == 3 and page.words.count("Asia/Omsk") >= 3
    assert "Омск / Ленина, 5" in await person.read(inner)
    circle = await person.post(outer[0], {"name": "Омск", "parent_id": inner.split("/")[-1]})
    assert circle.status == 422
    await _made(person, inner, {"name": "Ленина, 7", "parent_id": outer[1]})
    assert "Ленина, 7" in await person.read(customer)


async def test_equipment_has_a_history_and_people_are_forgotten_whole(console: Console) -> None:
    person, other = await console.person("dispatcher"), await console.person("engineer")
    customer = await _made(person, "/settings/customers", {"name": "Пекарни"})
    form = {"name": "Касса", "serial_number": "SN-1"}
    await _made(person, f"{customer}/assets", form)
    asset = re.search(r"/settings/assets/ast_[0-9a-f]+", (await person.get(customer)).text)[0]
    await _made(person, asset, {"name": "Касса", "serial_number": "SN-2"})
    shown = await person.read(asset)
    assert "серийный номер: SN-1 → SN-2" in shown and "внёс в справочник" in shown
    await _made(person, f"{customer}/contacts", {"name": "Анна", "phone": "+7 900 000-00-00"})
    page = await person.get(customer)
    gone = re.search(r"/settings/contacts/con_[0-9a-f]+/remove", page.text)[0]
    assert (await other.post(gone)).status == 403
    assert "Забыть" not in await other.read(customer)
    await _made(person, gone, {})
    assert "Анна" not in await person.read(customer)
    await _made(person, f"{customer}/archive", {})
    assert "Пекарни" not in await person.read("/settings/customers")


async def test_a_macro_is_written_once_and_used_on_a_ticket(console: Console) -> None:
    person = await console.person("dispatcher")
    form = {"name": "Выезд завтра", "body": "Приедем завтра.", "visibility": "internal"}
    await _made(person, "/settings/macros", {**form, "priority": "high", "take": "1"})
    listed = await person.get("/settings/macros")
    macro = re.search(r"/settings/macros/(mac_[0-9a-f]+)/remove", listed.text)
    made = await tickets.create(console.company.hub, person.actor, NewTicket("Касса"))
    await person.post(f"/tickets/{made.number}/macro", {"macro": macro[1]})
    assert "Приедем завтра." in await person.read(f"/tickets/{made.number}")
    nameless = await person.post("/settings/macros", {"name": " ", "body": "не потеряется"})
    assert nameless.status == 422 and "не потеряется" in nameless.text
    await _made(person, macro[0], {})
    assert "Выезд завтра" not in await person.read("/settings/macros")


async def test_a_custom_field_is_asked_for_and_retired(console: Console) -> None:
    lead, person = await console.person("lead"), await console.person("dispatcher")
    form = {"name": "Причина", "kind": "field-choice", "choices": "Износ\r\nБрак", "required": "1"}
    assert (await lead.post("/settings/fields", {**form, "choices": ""})).status == 422
    await _made(lead, "/settings/fields", form)
    assert "Брак" in await lead.read("/settings/fields")
    assert "Причина" in await person.read("/tickets/new")
    path = re.search(
        r"/settings/fields/fld_[0-9a-f]+/retire", (await lead.get("/settings/fields")).text
    )[0]
    assert (await person.post(path)).status == 403
    await _made(lead, path, {})
    assert "Причина" not in await person.read("/tickets/new")


async def test_a_webhook_shows_its_secret_once_and_what_it_was_told(console: Console) -> None:
    person = await console.person("integrator")
    assert (await person.post("/settings/webhooks", {"url": "ftp://desk.example"})).status == 422
    form = {"url": "https://desk.example/events", "event": "ticket.created"}
    made = await person.post("/settings/webhooks", form)
    secret = re.search(r"whsec_[0-9A-Za-z+/=]+", made.text)[0]
    path = re.search(r"/settings/webhooks/whk_[0-9a-f]+", made.text)[0]
    assert secret not in (await person.get(path)).text
    hub = console.company.hub
    await tickets.create(hub, console.company.dispatcher, NewTicket("Касса молчит"))
    await _made(person, f"{path}/test", {})
    shown = await person.get(path)
    assert "пришла заявка" in shown.words and "пробный вызов" in shown.words
    assert "Касса молчит" not in shown.text  # что случилось, но не слова
    renewed = await person.post(f"{path}/secret")
    assert re.search(r"whsec_[0-9A-Za-z+/=]+", renewed.text)[0] != secret
    await _made(person, f"{path}/disable", {})
    shown = await person.get(f"{path}?state=dropped")
    assert shown.text.count("<details><summary>") == 2
    call = re.search(r"evt_[0-9a-f]+", (await person.get(f"{path}?state=done")).text)
    assert call is None
    assert (await person.post(f"{path}/replay")).status == 409
    await _made(person, f"{path}/enable", {})
    await _made(person, f"{path}/replay", {})
    await _made(person, f"{path}/remove", {})
    assert "desk.example" not in await person.read("/settings/webhooks")
    assert (await (await console.person("lead")).get("/settings/webhooks")).status == 403


async def test_these_pages_are_for_everybody(console: Console, browser) -> None:
    admin = await console.person("admin")
    customer = await _made(admin, "/settings/customers", {"name": "Пекарни"})
    await _made(admin, f"{customer}/sites", {"name": "Омск"})
    await _made(admin, f"{customer}/assets", {"name": "Касса"})
    await _made(admin, f"{customer}/contacts", {"name": "Анна", "phone": "+7 900 000-00-00"})
    await _made(admin, "/settings/teams", {"name": "Смена А", "member": admin.actor.ref})
    await _made(admin, "/settings/macros", {"name": "Ждём", "body": "Ждём ответа."})
    await _made(admin, "/settings/fields", {"name": "Договор", "kind": "field-text"})
    made = await admin.post("/settings/webhooks", {"url": "https://desk.example/events"})
    webhook = re.search(r"/settings/webhooks/whk_[0-9a-f]+", made.text)[0]
    await _made(admin, f"{webhook}/test", {})
    inside = [
        re.search(rf"/settings/{kind}/\w+", (await admin.get(where)).text)[0]
        for kind, where in (("sites", customer), ("assets", customer), ("teams", "/settings/teams"))
    ]
    lists = [f"/settings/{one}" for one in ("teams", "customers", "macros", "fields", "webhooks")]
    for language, viewport in (("ru", None), ("en", PHONE)):
        options = {"viewport": viewport} if viewport else {}
        page, watched = await browser(console, "admin", language=language, **options)
        for path in (*lists, customer, webhook, *inside):
            answer = await page.goto(path)
            assert answer.status == 200, path
            for fold in await page.locator("details.fold-form > summary").all():
                await fold.click()
            await audit_accessibility(page)
            width = await page.evaluate("() => document.documentElement.scrollWidth")
            assert width <= page.viewport_size["width"], f"{path} is wider than the screen"
        no_outside_requests(watched, console.url)
        no_complaints(watched)
