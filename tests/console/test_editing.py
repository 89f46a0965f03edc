"""What was entered once is changed, archived and taken out again."""

from __future__ import annotations

import pytest

from hub.actions import directories, personal
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, SiteWish
from hub.actions.personal import MacroWish
from hub.queries import personal as kept
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints
from tests.kit.console import Console


async def test_a_contact_of_a_customer_is_changed(console: Console, browser) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    customer = await directories.add_customer(hub, who, CustomerWish("Ромашка"))
    site = await directories.add_site(hub, who, customer.id, SiteWish("Склад"))
    await directories.add_contact(hub, who, customer.id, ContactWish("Пётр", site.id, "+7 1"))
    page, watched = await browser(console, "dispatcher", viewport=PHONE)
    await page.goto(f"/settings/customers/{customer.id}")
    await page.click("li:has-text('Пётр') summary")
    form = page.locator("form[action*='/settings/contacts/con_']:not([action$='/remove'])")
    assert await form.locator("[name=site_id]").input_value() == site.id
    await form.locator("[name=name]").fill("Пётр <Второй>")
    await form.locator("[name=phone]").fill("+7 2")
    await form.locator("button").click()
    await page.locator("text=Пётр <Второй>").wait_for()
    assert "+7 2" in await page.locator("main").inner_text()
    await audit_accessibility(page)
    await page.click("li:has-text('Пётр') summary")
    await form.locator("[name=name]").fill("  ")
    await form.locator("button").click()
    await form.locator("xpath=preceding-sibling::div[contains(@class, 'alert-danger')]").wait_for()
    assert not [one for one in watched.complaints if "422" not in one]


async def test_a_macro_is_changed_and_keeps_its_place(console: Console) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    macro = await personal.add_macro(hub, who, MacroWish("Приняли", "Взяли в работу", tags=["a"]))
    person = await console.person("dispatcher")
    page = (await person.get("/settings/macros")).text
    assert 'value="a"' in page, "the form says what it is"
    said = {"name": "Приняли", "body": "Уже едем", "visibility": "public", "tags": "a, b"}
    assert (await person.post(f"/settings/macros/{macro.id}", said)).status == 303
    (now,) = await hub.db.read(kept.macros)
    assert (now.body, now.visibility, list(now.tags)) == ("Уже едем", "public", ["a", "b"])
    bad = await person.post(f"/settings/macros/{macro.id}", {**said, "name": ""})
    assert bad.status == 422
    assert "Уже едем" in bad.text
    assert (await person.post("/settings/macros/mac_none", said)).status == 404
    engineer = await console.person("engineer")
    assert (await engineer.post(f"/settings/macros/{macro.id}", said)).status == 403


async def test_sites_and_equipment_go_to_the_archive_and_come_back(console: Console) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    customer = await directories.add_customer(hub, who, CustomerWish("Ромашка"))
    city = await directories.add_site(hub, who, customer.id, SiteWish("Омск"))
    shop = await directories.add_site(hub, who, customer.id, SiteWish("Ленина, 5", city.id))
    piece = await directories.add_asset(hub, who, customer.id, AssetWish("Касса", shop.id))
    person = await console.person("dispatcher")
    path = f"/settings/customers/{customer.id}"
    gone = await person.post(f"/settings/sites/{city.id}/archive", follow=True)
    assert "Отменить" in gone.words
    used = await person.read(path)
    assert "Ленина, 5" not in used.replace("Касса Ленина, 5", "")
    assert "Ленина, 5" in await person.read(f"{path}?archived=1"), "what was inside went with it"
    # Where equipment stands is not lost when it is saved.
    asset = await person.get(f"/settings/assets/{piece.id}")
    assert f'value="{shop.id}" selected' in asset.text
    await person.post(f"/settings/sites/{shop.id}/restore")
    back = await person.read(path)
    assert "Ленина, 5" in back
    assert "Омск" in back, "a site comes back with those it is inside of"
    await person.post(f"/settings/assets/{piece.id}/archive")
    assert "Касса" not in await person.read(path)
    assert "в архиве" in await person.read(f"{path}?archived=1")
    await person.post(f"/settings/assets/{piece.id}/restore")
    history = await person.read(f"/settings/assets/{piece.id}")
    assert "убрано в архив" in history
    assert "возвращено из архива" in history


@pytest.mark.parametrize("kind", ["sites", "assets", "customers"])
async def test_only_who_keeps_directories_archives(console: Console, kind: str) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    customer = await directories.add_customer(hub, who, CustomerWish("Ромашка"))
    things = {
        "customers": customer.id,
        "sites": (await directories.add_site(hub, who, customer.id, SiteWish("Омск"))).id,
        "assets": (await directories.add_asset(hub, who, customer.id, AssetWish("Касса"))).id,
    }
    engineer = await console.person("engineer")
    for act in ("archive", "restore"):
        assert (await engineer.post(f"/settings/{kind}/{things[kind]}/{act}")).status == 403
    dispatcher = await console.person("dispatcher")
    assert (await dispatcher.post(f"/settings/{kind}/{kind[:3]}_none/archive")).status == 404


async def test_an_archived_customer_is_found_on_request_and_offered_again(
    console: Console, browser
) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    customer = await directories.add_customer(hub, who, CustomerWish("Ромашка"))
    page, watched = await browser(console, "dispatcher", language="en")
    await page.goto(f"/settings/customers/{customer.id}")
    await page.click("form[action$='/archive'] button")
    await page.wait_for_url("**/settings/customers")
    assert await page.locator("main >> text=Ромашка").count() == 0
    await page.click("text=Archived ones too")
    await page.click("main >> text=Ромашка")
    await audit_accessibility(page)
    await page.click("main form[action$='/restore'] button")
    await page.wait_for_url(f"**/settings/customers/{customer.id}")
    await page.goto("/settings/customers")
    await page.locator("main >> text=Ромашка").wait_for()
    no_complaints(watched)
