"""Pages behind the links of a letter, on a phone: looked at, filled in, sent with a photo."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hub.actions import amendments
from hub.storage import attachments
from tests.kit.browsing import (
    PHONE,
    a_browser,
    audit_accessibility,
    no_complaints,
    no_outside_requests,
)
from tests.kit.story import terms
from tests.mail.conftest import Desk
from tests.mail.partners import MailPartner, a_mail_partner

pytestmark = pytest.mark.one_database
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def looked_at(page: Any, path: str) -> None:
    """The page is there, for everybody, and no wider than a phone."""
    answer = await page.goto(path)
    assert answer.status == 200
    await audit_accessibility(page)
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{path} is wider than the screen"


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_every_page_is_for_everybody_and_looking_does_nothing(
    partner: MailPartner, language: str
):
    desk = partner.desk
    _ticket, handoff_id = await partner.is_offered("Касса не печатает " + "очень " * 30)
    paths = [partner.button(act) for act in ("accept", "decline")]
    await partner.clicks("accept")
    acts = ("on_the_way", "on_site", "done", "eta", "hand_back")
    paths += [partner.button(act) for act in acts]
    offer = terms(as_principal={"max_open": 3, "disclose": {"checklist": True}})
    await amendments.propose(desk.hub, desk.company.dispatcher, partner.link_id, offer)
    await partner.settles()
    paths += [partner.button("agree"), partner.button("refuse")]
    said, before = len(await partner.log()), await partner.handoff(handoff_id)
    async with a_browser() as visit:
        page, watched = await visit(partner.console, language=language, viewport=PHONE)
        for path in paths:
            await looked_at(page, path)
            assert await page.locator("html").get_attribute("lang") == language
        no_outside_requests(watched, partner.console.url)
        no_complaints(watched)
        assert (await page.goto("/p/" + "a" * 26)).status == 404
        await audit_accessibility(page)
    await partner.settles()
    assert len(await partner.log()) == said
    assert await partner.handoff(handoff_id) == before


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_work_is_done_with_a_photo_from_the_camera(partner: MailPartner, scripts: bool):
    ticket_id, handoff_id = await partner.is_offered()
    await partner.clicks("accept")
    await partner.clicks("on_site")
    path = partner.button("done")
    async with a_browser() as visit:
        page, watched = await visit(
            partner.console, viewport=PHONE, has_touch=True, java_script_enabled=scripts
        )
        await page.goto(path)
        camera = page.get_by_label("Сделать фото")
        assert await camera.get_attribute("capture") == "environment"
        assert await camera.get_attribute("accept") == "image/*"
        photo = {"name": "касса.png", "mimeType": "image/png", "buffer": PIXEL}
        await camera.set_input_files(photo)
        act = {"name": "акт.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
        await page.get_by_label("Фото и файлы").set_input_files(act)
        await page.get_by_label("Что сделано").fill("Заменили головку")
        await page.get_by_role("button", name="Работа выполнена").tap()
        await page.get_by_text("Это отправлено").wait_for()
        if scripts:
            await audit_accessibility(page)
        await page.reload()
        assert await page.get_by_role("button", name="Работа выполнена").count() == 0
        no_outside_requests(watched, partner.console.url)
        no_complaints(watched)
    await partner.settles()
    handoff = await partner.handoff(handoff_id)
    assert (handoff.state, handoff.resolution) == ("resolved", "Заменили головку")
    found = await partner.desk.hub.db.read(lambda c: attachments.of_ticket(c, ticket_id))
    assert {(one.name, one.size) for one in found} == {("касса.png", len(PIXEL)), ("акт.pdf", 8)}
