"""Pictures of every screen, at desktop and phone size, in both languages: `make screenshots`.

Two linked companies with tickets on their way are founded in memory; every page that can be
looked at is opened in Chromium and kept as `build/screenshots/LANGUAGE/SIZE/PAGE.png`. A page
that answers with anything but 200, breaks its own policy or asks somebody else for something ends
it with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hub import app
from hub.actions import (
    amendments,
    comments,
    directories,
    erasures,
    guests,
    handoffs,
    holding,
    invitations,
    letters,
    notices,
    personal,
    teams,
    tickets,
    webhooks,
)
from hub.actions import desks as desk_acts
from hub.actions.comments import AddComment
from hub.actions.context import Actor
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, FieldWish, SiteWish
from hub.actions.handoffs import OfferHandoff
from hub.actions.personal import MacroWish
from hub.actions.tickets import NewTicket
from hub.console.routes import PAGES
from hub.domain.agreement import AsPrincipal, Offer
from hub.domain.comment import Visibility
from hub.domain.desk import DeskRole
from hub.domain.handoff import Act
from hub.domain.notice import Kind
from hub.domain.ticket import Asset, Contact, Priority, Requester, Site, Ticket
from hub.ids import AgentId
from hub.queries import deliveries
from hub.workers.desks import Desks
from tests.bridge.foreign import World
from tests.connectors.simulators.redmine import Redmine
from tests.kit.browsing import CHROMIUM, DESKTOP, PHONE, watch
from tests.kit.console import Console
from tests.kit.network import Company, Network

OUT: Final = Path("build/screenshots")
NO_PICTURE: Final = frozenset({"static", "home", "settings", "palette"})  # no page of their own
TITLES: Final = ("Не печатает чек", "Не открывается касса", "Замена термоголовки", "Сканер молчит")


async def _world(root: Path) -> tuple[Network, Console, str, dict[str, str]]:
    network = Network(root)
    ours, theirs, other = [
        await network.company(name) for name in ("Сервис Плюс", "Мастер-Юг", "Ромашка")
    ]
    await network.link(ours, theirs)
    await network.link(ours, other)
    hub, who = ours.hub, ours.dispatcher
    link = await ours.link_to("Мастер-Юг")
    offered = []
    made = None
    for title in TITLES:
        made = await tickets.create(hub, who, NewTicket(title=title))
        offered.append(await handoffs.offer(hub, who, OfferHandoff(made.id, link)))
    await network.run_until_idle()
    await handoffs.act(theirs.hub, theirs.dispatcher, offered[0], Act.ACCEPT)
    wish = Offer(as_principal=AsPrincipal(max_open=50))
    await amendments.propose(
        theirs.hub, theirs.dispatcher, await theirs.link_to("Сервис Плюс"), wish
    )
    await network.run_until_idle()
    await invitations.invite(hub, who, "Техно-Регион")
    network.wire.down.add(other.settings.url)
    to_other = await ours.link_to("Ромашка")
    made = await tickets.create(hub, who, NewTicket(title="Касса не видит весы"))
    await handoffs.offer(hub, who, OfferHandoff(made.id, to_other))
    desks = World()
    console = await Console.serve(ours, desks)
    await _a_desk(ours, desks)
    letter = await letters.take(hub, "help@plus.example", "imap:1", _a_letter())
    await erasures.hold(hub, who, made.id, "Спор об оплате до решения суда")
    admin, token = await console.enter("admin", "Ольга Серова")
    visit = await _a_visit(ours, admin)
    held = await tickets.create(hub, who, NewTicket(title="Терминал не включается"))
    await holding.hold(hub, who, OfferHandoff(held.id, link))
    guest = await guests.invite(hub, who, visit.id, guests.Purpose.FOLLOW)
    lines = await hub.db.read(lambda connection: deliveries.page(connection, limit=1))
    samples = await _directories(ours) | {
        "link": link,
        "agent": who.ref,
        "message": lines[0].id,
        "ticket": visit.number,
        "number": visit.number,
        "token": guest,
        "letter": str(letter),
        "desk": "bank",
        "leaving_notices.token": notices.leaving(hub, admin.ref, [Kind.ACCEPTANCE]),
    }
    return network, console, token, samples


async def _a_visit(company: Company, engineer: Actor) -> Ticket:
    """A ticket with everything a page can show of one."""
    hub, who = company.hub, company.dispatcher
    wish = NewTicket(
        title="Не печатает чек",
        description="С утра касса не печатает чеки, перезапуск не помогает.",
        priority=Priority.HIGH,
        requester=Requester("Анна Котова", phone="+7 913 000-00-00"),
        contact=Contact("Пётр", "+7 913 000-00-01"),
        site=Site("Пекарня на Ленина", "Омск, ул. Ленина, 5"),
        asset=Asset(name="Касса у входа", model="Эвотор 7.3", serial_number="SN-002"),
        checklist=("Снять до", "Заменить термоголовку", "Снять после"),
        photos=frozenset({0, 2}),
        due_at=hub.now() + timedelta(hours=6),
        visit_at=hub.now() + timedelta(minutes=30),
        assignee=AgentId(engineer.ref),
        tags=("касса",),
    )
    made = await tickets.create(hub, who, wish)
    await handoffs.offer(hub, who, OfferHandoff(made.id, await company.link_to("Ромашка")))
    for text, visibility in (
        ("Выезжаем сегодня до 12.", Visibility.PUBLIC),
        ("Термоголовка на складе, полка 4.", Visibility.INTERNAL),
    ):
        await comments.add(hub, who, AddComment(made.id, text, visibility))
    return made


async def _a_desk(company: Company, world: World) -> None:
    """A customer's desk at work: one ticket came, one cannot be read, one word is unknown."""
    hub, who, sim = company.hub, company.dispatcher, Redmine()
    sim.clock = hub.clock
    world.desks.append(sim)
    bench = app.desk_bench(hub, company.settings, world)  # type: ignore[arg-type]
    await bench.begin(who, "redmine", "bank", "Банк «Север»", DeskRole.CUSTOMER)
    said = {f"settings.{name}": value for name, value in sim.settings.items()}
    seal = (await bench.draft(who, "bank")).seal
    await bench.fill_in(who, "bank", seal, {**said, "settings.url": sim.base})
    await desk_acts.keep_secret(hub, who, "bank", "api_key", sim.secrets["api_key"])
    await bench.publish(who, "bank")
    await desk_acts.enable(hub, who, "bank")
    await bench.begin(who, "zendesk", "north", "Север", DeskRole.VENDOR)
    work = Desks(hub, app.desk_host(hub, world), wait=True)  # type: ignore[arg-type]
    await work.turn()  # reading begins with this moment
    for title in ("Касса 7 не печатает", "Терминал в зале", "Не открывается смена"):
        there = await sim.open_ticket(title, "Просим приехать сегодня.")
    await sim.strange("1")
    await sim.spoil(there)
    hub.clock.advance(seconds=90)  # type: ignore[attr-defined]
    for _ in range(4):
        await work.turn()


async def _a_letter() -> AsyncIterator[bytes]:
    yield b"From: anna@kolos.example\r\nTo: help@plus.example\r\nSubject: "
    yield "Касса\r\n\r\nНе печатает чеки.\r\n".encode()


async def _directories(company: Company) -> dict[str, str]:
    """What the company has set up once, and the ids by which its pages are opened."""
    hub, who = company.hub, company.dispatcher
    wish = CustomerWish("Пекарни «Колос»", "ООО «Колос»", "5501234567", "Asia/Omsk")
    customer = await directories.add_customer(hub, who, wish)
    city = await directories.add_site(hub, who, customer.id, SiteWish("Омск"))
    inside = SiteWish("Ленина, 5", city.id, "Омск, ул. Ленина, 5")
    site = await directories.add_site(hub, who, customer.id, inside)
    piece = AssetWish("Касса у входа", site.id, "Эвотор 7.3", "ИНВ-17", "SN-001")
    asset = await directories.add_asset(hub, who, customer.id, piece)
    changed = replace(piece, serial_number="SN-002")
    await directories.change_asset(hub, who, asset.id, changed)
    contact = ContactWish("Анна Котова", site.id, "+7 913 000-00-00")
    await directories.add_contact(hub, who, customer.id, contact)
    await directories.define_field(hub, who, FieldWish("Причина", "choice", ("Износ", "Брак")))
    said = MacroWish("Выезд завтра", "Приедем завтра с 9 до 12.", Visibility.PUBLIC, tags=["выезд"])
    await personal.add_macro(hub, who, said)
    team = await teams.add(hub, who, "Смена А", [who.ref])
    webhook, _secret = await webhooks.add(hub, who, "https://desk.example/events", [])
    await webhooks.try_out(hub, who, webhook)
    return {
        "customer": customer.id,
        "site": site.id,
        "asset": asset.id,
        "team": team,
        "webhook": webhook,
    }


def _path(path: str, samples: Mapping[str, str]) -> str | None:
    names = re.findall(r"{(\w+)", path)
    if not all(name in samples for name in names):
        return None
    return re.sub(r"{(\w+)(:[^}]*)?}", lambda found: samples[found[1]], path)


async def _shoot(only: re.Pattern[str]) -> int:
    from playwright.async_api import async_playwright

    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        network, console, token, samples = await _world(Path(folder))
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox"]
            )
            for language in ("ru", "en"):
                for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
                    context = await chromium.new_context(
                        base_url=console.url, locale=language, viewport=viewport
                    )
                    out = OUT / language / size
                    out.mkdir(parents=True, exist_ok=True)
                    wrong += await _each(context, console, token, samples, out, only)
                    await context.close()
            await chromium.close()
        await console.close()
        await network.close()
    print(f"{OUT}: {wrong} wrong" if wrong else f"{OUT}", file=sys.stderr)
    return 1 if wrong else 0


async def _each(
    context: Any,
    console: Console,
    token: str,
    samples: Mapping[str, str],
    out: Path,
    only: re.Pattern[str],
) -> int:
    wrong = 0
    cookie = {"name": console.cookie, "value": token, "url": console.url}
    for page in PAGES:
        own = {
            name.partition(".")[2]: value
            for name, value in samples.items()
            if name.startswith(f"{page.name}.")
        }
        path = _path(page.path, {**samples, **own})
        if page.method != "GET" or page.name in NO_PICTURE or not only.search(page.name):
            continue
        if path is None:
            print(f"no example of {page.path}", file=sys.stderr)
            continue
        if page.name in {"sign_in", "code"}:
            await context.clear_cookies()
        else:
            await context.add_cookies([cookie])
        head = await context.request.fetch(path, method="GET", max_redirects=0)
        if head is None or "text/html" not in head.headers.get("content-type", ""):
            continue  # files and streams
        tab = await context.new_page()
        seen = watch(tab)
        answer = await tab.goto(path)
        await tab.screenshot(path=out / f"{page.name}.png", full_page=True)
        if answer is None or answer.status != 200 or seen.complaints:
            print(f"{page.name}: {answer and answer.status} {seen.complaints}", file=sys.stderr)
            wrong += 1
        await tab.close()
    return wrong


def main() -> int:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", default=re.compile(""), type=re.compile, help="pages whose name fits this"
    )
    return asyncio.run(_shoot(parser.parse_args().only))


if __name__ == "__main__":
    sys.exit(main())
