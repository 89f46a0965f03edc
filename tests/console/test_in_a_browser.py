"""The shell of the console in a real browser."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.kit.browsing import PHONE, audit_accessibility, no_complaints, no_outside_requests
from tests.kit.console import Console
from tools import vendor

STATIC = Path(vendor.__file__).parents[1] / "hub" / "console" / "static"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def test_the_vendored_front_end_is_what_its_list_says() -> None:
    assert vendor.differences() == []
    listed = json.loads(vendor.LIST.read_text())
    assert {one["licence"] for one in listed} <= {"0BSD", "MIT"}
    axe = Path(__file__).parent / "axe" / "axe.min.js"
    assert sha256(axe.read_bytes()).hexdigest() == AXE_SHA256


def test_our_own_program_is_small() -> None:
    own = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
    assert {path.name for path in own} == {"app.js", "work.js"}
    assert sum(len(gzip.compress(path.read_bytes())) for path in own) <= 8192


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
async def test_settings_are_for_everybody(console: Console, browser, viewport, scheme: str) -> None:
    options = {"color_scheme": scheme} | ({"viewport": viewport} if viewport else {})
    page, watched = await browser(console, "admin", **options)
    for path in ("/settings/profile", "/settings/people", "/settings/profile/second-factor"):
        await page.goto(path)
        await audit_accessibility(page)
        width = await page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], f"{path} is wider than the screen"
    no_outside_requests(watched, console.url)
    no_complaints(watched)


async def test_somebody_signs_in_with_the_keyboard_alone(console: Console, browser) -> None:
    page, watched = await browser(console)
    await page.goto("/sign-in")
    await audit_accessibility(page)
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.className") == "skip"
    no_complaints(watched)
