"""A desk's life from the command line, against a simulated desk behind real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from ruamel.yaml import YAML

from connectors.contract import Request
from tests.cli.conftest import Node, found, free_port, hub
from tests.connectors.simulators.redmine import Redmine

pytestmark = pytest.mark.one_database


class Served(Redmine):
    """Redmine on a port of this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        async def handle(request: web.Request) -> web.Response:
            asked = Request(
                request.method, f"{self.base}{request.raw_path}", dict(request.headers),
                await request.read() or None,
            )  # fmt: skip
            answer = await self.send(asked, max_bytes=10**9)
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self._ready.set()
        while not await asyncio.to_thread(self._stop.wait, 0.2):
            pass
        await runner.cleanup()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)

    def do(self, what: object) -> object:
        """What people over there do, from the thread of a test."""
        return asyncio.run(what)  # type: ignore[arg-type]


@pytest.fixture
def desk() -> Iterator[Served]:
    made = Served()
    yield made
    made.stop()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return found(tmp_path / "node", "Сервис Плюс")


def _fill_in(node: Node, desk: Served, name: str = "bank", **more: object) -> Path:
    """What an administrator writes into the draft."""
    place = node.data / "desks" / name / "desk.yaml"
    yaml = YAML()
    said = yaml.load(place.read_text("utf-8"))
    said["settings"] = {"url": desk.base, **desk.settings}
    said.update(more)
    with place.open("w", encoding="utf-8") as out:
        yaml.dump(said, out)
    return place


def _begun(node: Node, desk: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    node("connector", "new", "redmine", "--name", "bank", "--company", "Банк", "--role",
         "customers_desk")  # fmt: skip
    _fill_in(node, desk)
    _secret(node, desk.secrets["api_key"], monkeypatch)


def _secret(node: Node, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO(value + "\n"))
    assert node("connector", "secret", "bank", "api_key")["secrets"] == ["api_key"]


def test_a_desk_from_the_template_to_every_day(
    node: Node, desk: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "redmine" in [one["name"] for one in node("connector", "templates")["templates"]]
    node("connector", "new", "redmine", "--name", "bank", "--company", "Банк", "--role",
         "customers_desk")  # fmt: skip
    _fill_in(node, desk)

    # It says what is missing: first the secret, then what a wrong one means.
    ran = hub("connector", "check", "bank", "--json", data=node.data)
    assert (ran.code, [one["what"] for one in ran.json["findings"]]) == (1, ["api_key"])
    _secret(node, "wrong-key-wrong-key", monkeypatch)
    ran = hub("connector", "check", "bank", "--json", data=node.data)
    assert ran.code == 1
    assert ran.json["findings"][0]["what"] == "account"
    _secret(node, desk.secrets["api_key"], monkeypatch)
    assert node("connector", "check", "bank")["ok"]

    # A trial shows everything and changes nothing, here or there.
    theirs = desk.do(desk.open_ticket("Касса 7", "не печатает"))
    desk.do(desk.strange(theirs))
    before = len([one for one in desk.requests if one.method != "GET"])
    trial = node("connector", "test-run", "bank", str(theirs))
    assert trial["new"]
    assert trial["unknown"] == [{"field": "status", "value": "99"}]
    assert [one["what"] for one in trial["sent"]] == ["comment"]
    assert node("connector", "test-run", "bank", "--open")["new"] == 1
    assert node("ticket", "list")["tickets"] == []
    assert len([one for one in desk.requests if one.method != "GET"]) == before

    # Publish, fill, look at it.
    assert node("connector", "enable", "bank", fails=7)["code"] == "not_published"
    assert node("connector", "publish", "bank")["version"] == 1
    assert node("connector", "enable", "bank")["state"] == "healthy"
    assert node("connector", "backfill", "bank") == {"name": "bank", "seen": 1, "new": 1}
    assert node("connector", "backfill", "bank")["new"] == 0
    assert [one["title"] for one in node("ticket", "list")["tickets"]] == ["Касса 7"]
    shown = node("connector", "show", "bank")
    assert shown["unknown"] == [{"field": "status", "value": "99", "times": 2, "there": "1"}]
    assert node("connector", "list")["desks"][0]["tickets"] == 1
    calls = node("connector", "logs", "bank")["calls"]
    assert calls
    assert desk.secrets["api_key"] not in str(calls)

    # A bad edit is refused where it stands; a bad version is rolled back.
    _fill_in(node, desk, notes="both")
    assert node("connector", "publish", "bank", fails=4)["code"] == "notes_forbidden"
    _fill_in(node, desk, notes="none", service="Кассы")
    assert node("connector", "publish", "bank")["version"] == 2
    assert node("connector", "rollback", "bank")["version"] == 1
    assert [one["state"] for one in node("connector", "versions", "bank")["versions"]] == [
        "rolled_back", "published",
    ]  # fmt: skip
    assert node("connector", "rollback", "bank", fails=7)["code"] == "no_version"

    # Tickets that were there on both sides become one, in bulk.
    other = desk.do(desk.open_ticket("Старая", "давно"))
    number = node("ticket", "new", "--title", "Старая")["number"]
    table = node.data / "pairs.csv"
    table.write_text(f"{number},{other}\nT-9999,{other}\n", "utf-8")
    done = node("connector", "link", "bank", "--file", str(table))
    assert done["linked"] == [{"ticket": number, "there": other}]
    assert [one["ticket"] for one in done["failed"]] == ["T-9999"]
    assert node("connector", "link", "bank", number, str(other), fails=7)["code"] == "already_there"
    assert node("connector", "unlink", "bank", number)["ticket"] == number
    assert node("connector", "show", "bank")["waiting"][0]["state"] == "cut"
    assert node("connector", "replay", "bank")["again"] == 0
    assert node("connector", "disable", "bank")["state"] == "disabled"


def test_what_people_read_is_in_their_language_and_no_secret_lies_open(
    node: Node, desk: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begun(node, desk, monkeypatch)
    node("connector", "publish", "bank")
    spoken = node.say("connector", "show", "bank", "--lang", "ru")
    assert "система клиента" in spoken.out or "customers_desk" in spoken.out
    for path in node.data.rglob("*"):
        if path.is_file():
            assert desk.secrets["api_key"].encode() not in path.read_bytes(), path
