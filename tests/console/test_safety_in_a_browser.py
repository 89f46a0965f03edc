"""What a real browser makes of the headers of the console: frames, the way back, prototypes."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.actions import tickets
from hub.actions.tickets import NewTicket
from tests.console.conftest import NewVisitor
from tests.kit.console import Console


async def test_no_other_site_frames_a_page(console: Console, browser: NewVisitor) -> None:
    page, _ = await browser(console, "admin")

    async def framing(_request: web.Request) -> web.Response:
        frames = "".join(f"<iframe src='{console.url}{path}'></iframe>" for path in FRAMED)
        return web.Response(text=f"<!doctype html>{frames}", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", framing)
    async with TestServer(application) as other:
        await page.goto(f"http://127.0.0.1:{other.port}/")
        await page.wait_for_load_state("load")
        for frame in page.frames[1:]:
            assert frame.url.startswith("chrome-error://"), frame.url
        assert len(page.frames) == 1 + len(FRAMED)


FRAMED = (
    "/sign-in",
    "/queue",
    "/settings/profile",
    "/nothing",
    "/healthz",
    "/i",
    "/api/v1/openapi.json",
)


async def test_after_signing_out_there_is_no_way_back(
    console: Console, browser: NewVisitor
) -> None:
    hub, who = console.company.hub, console.company.dispatcher
    made = await tickets.create(hub, who, NewTicket("Тайная заявка"))
    page, _ = await browser(console, "dispatcher")
    await page.goto(f"/tickets/{made.number}")
    assert "Тайная заявка" in await page.inner_text("body")
    await page.goto("/settings/profile")
    await page.evaluate(
        "() => document.querySelector('form[action=\"/sign-out\"]').requestSubmit()"
    )
    await page.wait_for_url("**/sign-in")
    for _ in range(2):
        await page.go_back()
        assert "Тайная заявка" not in await page.inner_text("body")
        assert "Dispatcher" not in await page.inner_text("body")


async def test_a_prototype_in_an_address_changes_none(
    console: Console, browser: NewVisitor
) -> None:
    page, watched = await browser(console, "admin")
    words = (
        "__proto__[ran]=1&__proto__.ran=1&constructor[prototype][ran]=1&constructor.prototype.ran=1"
    )
    for path in ("/queue", "/tickets", "/tickets/new", "/settings/webhooks"):
        await page.goto(f"{path}?{words}#{words}")
        assert await page.evaluate(
            "() => ({}).ran === undefined && Object.prototype.ran === undefined"
        )
    assert watched.complaints == []
