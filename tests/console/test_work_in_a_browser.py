"""Two companies at work, each in a browser of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest

from hub.actions import comments, guests, tickets
from hub.actions.comments import AddComment
from hub.actions.guests import Purpose
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.ticket import Requester
from hub.protocol import strict_json
from hub.queries import agents
from hub.queries import tickets as shown
from tests.console.conftest import NewVisitor
from tests.corpora import corpus, corpus_json
from tests.kit.browsing import PHONE, audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console
from tests.kit.network import Network


def _picture() -> bytes:
    """A PNG of one green point."""

    def part(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", crc32(checked))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00\x10\x80\x40")
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


PNG = _picture()
Pair = tuple[Console, Console]


@contextlib.asynccontextmanager
async def turning(network: Network) -> AsyncIterator[None]:
    """What one company says reaches the other while its people look at their screens."""

    async def turn() -> None:
        while True:
            network.clock.advance(seconds=0.05)
            await network.run_until_idle()
            await asyncio.sleep(0.05)  # real browsers look on: this is not a virtual minute

    task = asyncio.create_task(turn())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def a_ticket(console: Console, title: str = "Не печатает чек", **more: Any) -> Any:
    hub, actor = console.company.hub, console.company.dispatcher
    return await tickets.create(hub, actor, NewTicket(title, **more))


async def test_from_hand_off_to_answer_on_two_screens(
    companies: Network, consoles: Pair, browser: NewVisitor
) -> None:
    ours, theirs = consoles
    us, watched = await browser(ours, "dispatcher")
    them, heard = await browser(theirs, "dispatcher")
    async with turning(companies):
        await them.goto("/queue")
        await us.goto("/tickets/new")
        await us.get_by_label("О чём заявка").fill("Касса молчит")
        await us.get_by_role("button", name="Принять заявку").click()
        await us.wait_for_url("**/tickets/T-*")  # a key that comes before its page is nobody's
        await us.keyboard.press("KeyH")
        await us.locator(".leaves").wait_for()
        await us.get_by_role("button", name="Передать").click()
        await us.get_by_role("button", name="Отправить сразу").click()
        await us.get_by_text("ещё не принял заявку").wait_for()
        # Их экран узнаёт сам, без перезагрузки.
        await them.get_by_text("Касса молчит").wait_for(timeout=3000)
        await them.get_by_role("button", name="Принять").click()
        await us.get_by_text("принял заявку и ещё не начал").wait_for(timeout=3000)
        await them.goto("/tickets/T-1001")
        await us.get_by_role("button", name=re.compile("^Ответ")).click()
        await us.get_by_label("Текст").fill("Когда приедете?")
        await us.keyboard.press("Control+Enter")
        await them.get_by_text("Когда приедете?").wait_for(timeout=3000)
        await us.get_by_text("доставлено").wait_for(timeout=5000)
    no_outside_requests(watched, ours.url)
    no_complaints(watched)
    no_complaints(heard)


async def test_public_and_internal_are_never_confused(
    companies: Network, consoles: Pair, browser: NewVisitor
) -> None:
    ours, theirs = consoles
    made = await a_ticket(ours)
    us, _ = await browser(ours, "dispatcher")
    async with turning(companies):
        await us.goto(f"/tickets/{made.number}/handoff")
        await us.get_by_role("button", name="Передать").click()
        await us.get_by_role("button", name="Отправить сразу").click()
        await us.get_by_text("ещё не принял").wait_for()
        # Кто не выбирал, пишет для своих.
        assert await us.locator("[name=visibility]:checked").get_attribute("value") == "internal"
        await us.get_by_text("Увидят: только мы.").wait_for()
        await us.get_by_label("Текст").fill("между нами")
        await us.get_by_role("button", name="Сохранить заметку").click()
        await us.locator(".comment.as-internal", has_text="между нами").wait_for()
        await us.keyboard.press("KeyR")
        await us.get_by_text("Увидят: Мастер-Юг и клиент.").wait_for()
        await us.get_by_label("Текст").fill("для всех сказано")
        await us.get_by_role("button", name="Отправить всем").click()
        await us.locator(".comment.as-public", has_text="для всех сказано").wait_for()
        await companies.run_until_idle()
    them, _ = await browser(theirs, "dispatcher")
    await them.goto("/tickets/T-1001")
    text = await them.inner_text("body")
    assert "для всех сказано" in text and "между нами" not in text


async def test_a_file_goes_up_with_progress_and_a_draft_survives(
    console: Console, browser: NewVisitor
) -> None:
    made = await a_ticket(console)
    page, watched = await browser(console, "engineer")
    await page.goto(f"/tickets/{made.number}")
    await page.locator("[data-pick]").set_input_files(
        {"name": "снимок.png", "mimeType": "image/png", "buffer": PNG}
    )
    await page.locator(".uploads li.done progress").wait_for()
    await page.locator("#files img").wait_for()
    await page.get_by_label("Текст").fill("начал и отвлёкся")
    await page.get_by_text("Черновик сохранён").wait_for()
    await page.reload()
    assert await page.get_by_label("Текст").input_value() == "начал и отвлёкся"
    other, _ = await browser(console, "dispatcher")
    await other.goto(f"/tickets/{made.number}")
    await other.locator("#onlookers .look").first.wait_for()
    no_complaints(watched)


async def test_a_visit_on_the_phone_with_a_photo(console: Console, browser: NewVisitor) -> None:
    hub, admin = console.company.hub, console.company.dispatcher
    made = await a_ticket(console, checklist=["Снять до", "Проверить"], photos=frozenset({0}))
    page, watched = await browser(console, "engineer", viewport=PHONE, has_touch=True)
    await page.goto("/today")
    await page.get_by_text("На сегодня выездов нет").wait_for()
    who = await hub.db.read(_the_engineer)
    wish = TicketChanges(assignee=who, visit_at=hub.now() + timedelta(minutes=5))
    await tickets.change(hub, admin, made.id, wish)
    await page.goto("/today")
    await audit_accessibility(page)
    await page.get_by_text("Не печатает чек").tap()
    await page.get_by_role("button", name="Я в пути").tap()
    await page.get_by_role("button", name="Я на месте").tap()
    await page.locator("[data-shoot]").set_input_files(
        {"name": "IMG_1.png", "mimeType": "image/png", "buffer": PNG}
    )
    await page.locator(".tick.done", has_text="Снять до").wait_for()
    await page.get_by_role("button", name="Проверить").tap()
    await page.get_by_label("Что сделано").fill("Почистил датчик")
    await audit_accessibility(page)
    await page.get_by_role("button", name="Готово").tap()
    await page.get_by_text("Выезд завершён.").wait_for()
    ticket = await hub.db.read(lambda c: shown.show(c, made.number))
    assert (ticket.status, [one.name for one in ticket.attachments]) == ("resolved", ["IMG_1.jpg"])
    no_complaints(watched)


def _the_engineer(connection: Any) -> Any:
    return next(one.id for one in agents.everyone(connection) if one.role == "engineer")


async def test_a_ticket_is_found_and_opened_by_keys_alone(
    companies: Network, console: Console, browser: NewVisitor
) -> None:
    for n in range(3):
        companies.clock.advance(seconds=1)
        await a_ticket(console, f"Касса номер {n}")
    page, watched = await browser(console, "dispatcher")
    await page.goto("/queue")
    await page.keyboard.press("KeyG")
    await page.keyboard.press("KeyT")
    await page.get_by_text("Касса номер 2").wait_for()
    await page.keyboard.press("Slash")
    await page.keyboard.type("кассы 1")
    await page.keyboard.press("Enter")
    await page.get_by_text("Касса номер 1").wait_for()
    await page.locator("#main").focus()
    await page.keyboard.press("KeyJ")
    await page.keyboard.press("KeyJ")
    await page.keyboard.press("Enter")
    no_complaints(watched)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
async def test_every_page_is_readable_by_everybody(
    consoles: Pair, browser: NewVisitor, language: str, viewport: Any
) -> None:
    ours, _ = consoles
    made = await a_ticket(
        ours, requester=Requester("Анна"), checklist=["Проверить"], tags=["касса"]
    )
    hub, actor = ours.company.hub, ours.company.dispatcher
    follow = await guests.invite(hub, actor, made.id, Purpose.FOLLOW)
    rate = await guests.invite(hub, actor, made.id, Purpose.RATE)
    options = {"viewport": viewport} if viewport else {}
    page, watched = await browser(ours, "dispatcher", language=language, **options)
    for path in (
        "/queue",
        "/tickets?text=касса&status=any",
        "/tickets/board",
        "/tickets/board?by=assignee",
        "/tickets/new",
        f"/tickets/{made.number}",
        f"/tickets/{made.number}/handoff",
        "/today",
        f"/visits/{made.number}",
        f"/g/{follow}",
        f"/g/{rate}",
    ):
        found = await page.goto(path)
        assert found.status == 200, path
        await audit_accessibility(page)
        width = await page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], f"{path} is wider than the screen"
    no_outside_requests(watched, ours.url)
    no_complaints(watched)


async def test_a_requester_follows_replies_and_rates_without_a_login(
    console: Console, browser: NewVisitor
) -> None:
    hub, actor = console.company.hub, console.company.dispatcher
    made = await a_ticket(console, requester=Requester("Анна"))
    token = await guests.invite(hub, actor, made.id, Purpose.FOLLOW)
    page, watched = await browser(console)
    await page.goto(f"/g/{token}")
    await page.get_by_label("Ваш ответ").fill("Ждём")
    await page.get_by_role("button", name="Отправить").click()
    await page.get_by_text("Отправлено. Спасибо.").wait_for()
    await page.locator(".comment", has_text="Ждём").wait_for()
    await page.goto(f"/g/{await guests.invite(hub, actor, made.id, Purpose.RATE)}")
    await page.get_by_text("Отлично").click()
    await page.get_by_role("button", name="Отправить").click()
    await page.get_by_text("Спасибо за оценку.").wait_for()
    answer = await page.goto("/g/nothing")
    assert answer.status == 404
    no_complaints_but(watched, "404")


def no_complaints_but(watched: Any, expected: str) -> None:
    assert [one for one in watched.complaints if expected not in one] == []


async def test_naughty_words_stay_words(
    companies: Network, console: Console, browser: NewVisitor
) -> None:
    """XSS and naughty strings in every text of a ticket: nothing runs, nothing changes."""
    hub, actor = console.company.hub, console.company.dispatcher
    said = [one for one in corpus_json("naughty-strings", "blns.json") if one.strip()]
    for path in sorted(corpus("xss").rglob("*.txt")):
        said += [one for one in path.read_text("utf-8", "replace").splitlines() if one.strip()]
    said = [one for one in dict.fromkeys(said) if _can_be_said(one)][:900]
    assert len(said) > 400
    page, watched = await browser(console, "dispatcher")
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    for start in range(0, len(said), 300):
        portion = said[start : start + 300]
        title = portion[0][:150]
        made = await a_ticket(console, title, description=portion[1], tags=[])
        for one in portion:
            await comments.add(hub, actor, AddComment(made.id, one))
        await page.goto(f"/tickets/{made.number}")
        shown_there = await page.locator(".comment .body").evaluate_all(
            "(all) => all.map((one) => one.textContent)"
        )
        assert sorted(shown_there) == sorted(portion)
        await page.goto("/tickets?sort=created")
        assert title.strip() in await page.locator(".row-title bdi").first.text_content()
    assert asked == []
    no_outside_requests(watched, console.url)
    no_complaints(watched)


def _can_be_said(text: str) -> bool:
    """What a ticket takes, and no browser rewrites: HTML itself has no other line ends."""
    return (
        len(text) < 10_000 and strict_json.clean(text) == text and not set(text) & set("\r\x00\x0c")
    )
