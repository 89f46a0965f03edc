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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hub.actions import amendments, handoffs, invitations, tickets
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.console.routes import PAGES
from hub.domain.agreement import AsPrincipal, Offer
from hub.domain.handoff import Act
from hub.queries import deliveries
from tests.kit.browsing import CHROMIUM, DESKTOP, PHONE, watch
from tests.kit.console import Console
from tests.kit.network import Network

OUT: Final = Path("build/screenshots")
NO_PICTURE: Final = frozenset({"static", "home", "settings"})  # no page of their own
TITLES: Final = ("Не печатает чек", "Не открывается касса", "Замена термоголовки", "Сканер молчит")


async def _world(root: Path) -> tuple[Network, Console, dict[str, str]]:
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
    console = await Console.serve(ours)
    lines = await hub.db.read(lambda connection: deliveries.page(connection, limit=1))
    samples = {
        "link": link,
        "agent": who.ref,
        "message": lines[0].id,
        "ticket": made.number,
        "number": made.number,
    }
    return network, console, samples


def _path(path: str, samples: Mapping[str, str]) -> str | None:
    names = re.findall(r"{(\w+)", path)
    if not all(name in samples for name in names):
        return None
    return re.sub(r"{(\w+)(:[^}]*)?}", lambda found: samples[found[1]], path)


async def _shoot(only: str) -> int:
    from playwright.async_api import async_playwright

    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        network, console, samples = await _world(Path(folder))
        _actor, token = await console.enter("admin", "Ольга Серова")
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
    context: Any, console: Console, token: str, samples: Mapping[str, str], out: Path, only: str
) -> int:
    wrong = 0
    cookie = {"name": console.cookie, "value": token, "url": console.url}
    for page in PAGES:
        path = _path(page.path, samples)
        if page.method != "GET" or page.name in NO_PICTURE or only not in page.name:
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
    parser.add_argument("--only", default="", help="pages whose name contains this")
    return asyncio.run(_shoot(parser.parse_args().only))


if __name__ == "__main__":
    sys.exit(main())
