"""What machines ask a node: are you alive, are you ready, how is it going."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from hub.console import health
from hub.errors import Unavailable
from tests.kit.network import Network


@pytest.fixture
async def company(tmp_path: Path):
    network = Network(tmp_path)
    yield await network.company("Ромашка")
    await network.close()


async def serve(aiohttp_client, company, token_file: Path | None = None):
    app = web.Application()
    health.add_routes(app, company.hub, token_file)
    return await aiohttp_client(app)


async def test_a_node_that_works_is_alive_and_ready(aiohttp_client, company) -> None:
    client = await serve(aiohttp_client, company)
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200


async def test_without_its_database_a_node_is_alive_and_not_ready(
    aiohttp_client, company, monkeypatch
) -> None:
    async def gone(_body):
        raise Unavailable("database_unavailable", "Gone.")

    monkeypatch.setattr(company.hub.db, "read", gone)
    client = await serve(aiohttp_client, company)
    assert (await client.get("/healthz")).status == 200
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert (await answer.json())["code"] == "database_unavailable"


async def test_the_counters_tell_what_waits(aiohttp_client, company) -> None:
    client = await serve(aiohttp_client, company)
    text = await (await client.get("/metrics")).text()
    assert 'hub_queue_depth{queue="outbox"} 0.0' in text
    assert "hub_queue_oldest_seconds" in text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_a_proxy_on_this_machine_does_not_open_the_counters(
    aiohttp_client, company, header: str
) -> None:
    client = await serve(aiohttp_client, company)
    assert (await client.get("/metrics", headers={header: "127.0.0.1"})).status == 404


async def test_a_token_opens_the_counters_from_anywhere_and_nothing_else_does(
    aiohttp_client, company, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    client = await serve(aiohttp_client, company, token)
    assert (await client.get("/metrics")).status == 404
    wrong = await client.get("/metrics", headers={"Authorization": "Bearer s3cre"})
    assert wrong.status == 404
    right = await client.get("/metrics", headers={"Authorization": "Bearer s3cret"})
    assert right.status == 200
