"""A real browser before a console: what runs in it, what it asks for, what axe says of a page."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.kit.console import Console

AXE = Path(__file__).parents[1] / "console" / "axe" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
NO_BROWSER = f"NO CHROMIUM at {CHROMIUM}: nothing was looked at in a browser"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 860}


async def audit_accessibility(page: Any) -> None:
    """Assert that axe finds nothing serious or critical on the page."""
    await page.evaluate(AXE.read_text("utf-8"))  # not a script of the page: its policy stays
    found = await page.evaluate("async () => (await axe.run(document)).violations")
    bad = [
        f"{one['impact']} {one['id']}: {one['help']} {json.dumps([n['html'][:200] for n in one['nodes'][:4]], ensure_ascii=False)}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert not bad, f"{page.url}\n" + "\n".join(bad)


def watch(page: Any) -> Watched:
    """From now on note what the page asks for and complains about."""
    return Watched(page)


class Watched:
    """What a page did."""

    def __init__(self, page: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


def no_outside_requests(watched: Watched, *urls: str) -> None:
    """Assert that nothing was asked of anybody but these."""
    ours = {urlsplit(one).netloc for one in urls}
    outside = [
        one
        for one in watched.requests
        if urlsplit(one).scheme in {"http", "https", "ws", "wss"}
        and urlsplit(one).netloc not in ours
    ]
    assert not outside, outside


def no_complaints(watched: Watched) -> None:
    """Assert that nothing broke, and the policy of the page stopped nothing."""
    assert not watched.complaints, watched.complaints


Visitor = tuple[Any, Watched]
NewVisitor = Callable[..., Awaitable[Visitor]]


@contextlib.asynccontextmanager
async def a_browser() -> AsyncIterator[NewVisitor]:
    """What opens a browser of somebody's own on a console; the test is skipped without one."""
    if not CHROMIUM.exists():
        if os.environ.get("HUB_REQUIRE_BROWSER"):
            pytest.fail(f"{NO_BROWSER}, and HUB_REQUIRE_BROWSER is set")
        pytest.skip(NO_BROWSER)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )

        async def visit(
            console: Console, role: str = "", *, language: str = "ru", **options: Any
        ) -> Visitor:
            context = await chromium.new_context(
                base_url=console.url,
                locale=language,
                viewport=options.pop("viewport", DESKTOP),
                **options,
            )
            context.set_default_timeout(10_000)
            if role:
                _actor, token = await console.enter(role)
                cookie = {"name": console.cookie, "value": token, "url": console.url}
                await context.add_cookies([cookie])
            page = await context.new_page()
            return page, watch(page)

        yield visit
        await chromium.close()
