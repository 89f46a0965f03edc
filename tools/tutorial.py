"""Plays docs/tutorial as a newcomer would, and takes its pictures: a part of `make screenshots`.

The commands are those of the page, typed in a folder of their own with free ports; the clicks are
in `play`. The test of the tutorial runs the same code without keeping the pictures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.kit.browsing import CHROMIUM

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "tutorial" / "README.md"
SIZE: Final = {"width": 1100, "height": 640}
_HUB: Final = f"{shlex.quote(sys.executable)} -m hub"
_PORTS: Final = ("8101", "8102")
_PASSWORD: Final = "seven tins of green tea"

Keep = Callable[[Any, str], Awaitable[None]]
"""What is done with a page that has a picture of this name in the tutorial."""


def commands() -> list[str]:
    """What the page asks its reader to type."""
    block = re.search(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def pictures() -> set[str]:
    """The pictures the page shows."""
    return set(re.findall(r"\]\((\S+\.png)\)", PAGE.read_text("utf-8")))


@contextlib.contextmanager
def typed(folder: Path) -> Iterator[list[str]]:
    """The links that sign in to both nodes, once the commands have run; the nodes end after it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        "PYTHONPATH": str(ROOT),
    }
    ports = {one: _free_port() for one in _PORTS}
    serving: list[subprocess.Popen[str]] = []
    links = []
    try:
        for line in commands():
            for port, free in ports.items():
                line = line.replace(port, free)  # noqa: PLW2901 - the line as typed here
            command = [*shlex.split(re.sub(r"^hub ", f"{_HUB} ", line).removesuffix("&")), "--json"]
            if line.endswith("&"):
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                serving.append(process)
                assert process.stdout is not None
                assert "http://127.0.0.1" in process.stdout.readline(), line
                continue
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if line.startswith("hub console"):
                links.append(json.loads(done.stdout)["link"])
        yield links
    finally:
        for process in serving:
            process.terminate()
        for process in serving:
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


async def play(plus: Any, south: Any, links: list[str], keep: Keep) -> None:
    """Both companies, each in a page of its own, from the first sign-in to a shared ticket."""
    for page, link in zip((plus, south), links, strict=True):
        await page.goto(link)
        await page.get_by_label("Password", exact=True).fill(_PASSWORD)
        await page.get_by_label("Once more", exact=True).fill(_PASSWORD)
        await page.get_by_role("button", name="Save and go in").click()
        await page.locator(".places").wait_for()
    await plus.get_by_role("link", name="My queue").click()
    await plus.get_by_role("heading", name="My queue").wait_for()
    await keep(plus, "1-queue.png")
    await plus.get_by_role("link", name="Partners").click()
    await plus.get_by_role("link", name="Invite", exact=True).click()
    await plus.get_by_label("How you call them").fill("Master South")
    await plus.get_by_role("button", name="Make a link").click()
    invitation = await plus.locator("[data-copy]").get_attribute("data-copy")
    await keep(plus, "2-invited.png")
    await south.get_by_role("link", name="Partners").click()
    await south.get_by_role("link", name="I have an invitation").click()
    await south.get_by_label("Link or code of the invitation").fill(invitation)
    await south.get_by_role("button", name="Look at it").click()
    await south.get_by_role("heading", name="Service Plus").wait_for()
    await keep(south, "3-signing.png")
    await south.get_by_role("button", name="accept", exact=False).click()
    await south.get_by_text("active", exact=True).first.wait_for()
    await plus.get_by_role("link", name="Tickets").click()
    await plus.get_by_role("link", name="New ticket").click()
    await plus.get_by_label("What is it about").fill("The till prints no receipts")
    await plus.get_by_label("What happened").fill("Since this morning. Restarting does not help.")
    await plus.get_by_label("Requester", exact=False).first.fill("Anna Kotova")
    await plus.get_by_role("button", name="Take it in").click()
    await plus.get_by_role("heading", name="The till prints no receipts").wait_for()
    await plus.keyboard.press("KeyH")
    await plus.locator(".leaves").wait_for()
    await keep(plus, "4-handoff.png")
    await south.get_by_role("link", name="My queue").click()
    await plus.get_by_role("button", name="Hand off").click()
    await plus.get_by_role("button", name="Send at once").click()
    await south.get_by_text("The till prints no receipts").wait_for(timeout=20_000)
    await keep(south, "5-offered.png")
    await south.get_by_role("button", name="Accept").click()
    await south.get_by_role("link", name="Tickets", exact=True).click()
    await south.get_by_role("link", name="The till prints no receipts").click()
    await south.get_by_role("heading", name="The till prints no receipts").wait_for()
    await south.keyboard.press("KeyR")
    await south.get_by_label("Text").fill("We come tomorrow at nine.")
    await south.keyboard.press("Control+Enter")
    await plus.get_by_text("We come tomorrow at nine.").wait_for(timeout=20_000)
    await keep(plus, "6-ticket.png")


async def played(folder: Path, keep: Keep) -> None:
    """The whole tutorial, in two browser windows."""
    from playwright.async_api import async_playwright

    with typed(folder) as links:
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
            )
            pages = []
            for _company in links:
                context = await chromium.new_context(locale="en", viewport=SIZE)
                context.set_default_timeout(20_000)
                pages.append(await context.new_page())
            await play(pages[0], pages[1], links, keep)
            await chromium.close()


async def _photograph(page: Any, name: str) -> None:
    await page.screenshot(path=PAGE.parent / name)


def main() -> int:
    """Take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(played(Path(folder), _photograph))
    print(PAGE.parent, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
