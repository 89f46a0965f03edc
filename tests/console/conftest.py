"""A running console, people of every role, and a browser."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.browsing import CHROMIUM, DESKTOP, NO_BROWSER, Watched, watch
from tests.kit.console import Console
from tests.kit.network import Network


@pytest.fixture
async def companies(quick_path: Path) -> AsyncIterator[Network]:
    """An empty network."""
    network = Network(quick_path)
    yield network
    await network.close()


@pytest.fixture
async def console(companies: Network) -> AsyncIterator[Console]:
    """The console of one company."""
    served = await Console.serve(await companies.company("Сервис Плюс"))
    yield served
    await served.close()


@pytest.fixture
async def consoles(companies: Network) -> AsyncIterator[tuple[Console, Console]]:
    """The consoles of two linked companies."""
    ours, theirs = [await companies.company(name) for name in ("Сервис Плюс", "Мастер-Юг")]
    await companies.link(ours, theirs)
    served = await Console.serve(ours), await Console.serve(theirs)
    yield served
    for one in served:
        await one.close()


Visitor = tuple[Any, Watched]
NewVisitor = Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def browser() -> AsyncIterator[NewVisitor]:
    """What opens a browser of somebody's own on a console: the page, and what it does."""
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
