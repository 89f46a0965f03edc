"""What somebody sees who opens an invitation link in a browser."""

from __future__ import annotations

import pytest
from aiohttp import web

from hub.console import invitation


@pytest.fixture
async def client(aiohttp_client):
    app = web.Application()
    invitation.add_routes(app, 'ООО "Ромашка" <script>')
    return await aiohttp_client(app)


async def test_the_page_says_who_invites_and_what_to_do(client) -> None:
    answer = await client.get("/i")
    text = await answer.text()
    assert answer.status == 200
    assert "hub link accept" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(("asked", "said"), [("ru-RU,ru;q=0.9", "ru"), ("fr,en", "en"), ("", "en")])
async def test_it_speaks_the_reader_s_language(client, asked: str, said: str) -> None:
    answer = await client.get("/i", headers={"accept-language": asked})
    assert f'lang="{said}"' in await answer.text()


async def test_nothing_is_loaded_framed_kept_or_told_onwards(client) -> None:
    headers = (await client.get("/i")).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
