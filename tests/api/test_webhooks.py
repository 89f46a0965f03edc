"""Programs that are told what happens: signed, in the end always, and not one word of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

from hub.actions import holds, webhooks
from hub.domain.permission import SCOPES, Permission
from hub.errors import Unavailable
from hub.federation.client import GuardedTransport, Told
from hub.federation.guard import Guard
from hub.storage import resets
from hub.workers.webhooks import Webhooks
from tests.api.conftest import Desk, Pair
from tests.kit.network import Company

URL = "https://desk.plus.example/hub-events"


@dataclass
class Heard:
    """One call, as the program got it."""

    id: str
    event: str
    data: dict[str, Any]
    raw: bytes


@dataclass
class Listener:
    """A program of ours, its signature checked as any of its kind would."""

    secret: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: Callable[[Heard], int | None] = lambda _heard: 204  # None: nobody answers
    headers: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    @contextlib.asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float
    ) -> AsyncIterator[Told]:
        assert (method, url, headers["content-type"]) == ("POST", URL, "application/json")
        assert timeout_s <= 30
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        right = Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        assert headers["webhook-signature"] == right
        said = json.loads(body)
        one = Heard(headers["webhook-id"], said["type"], said["data"], body)
        self.calls += 1
        status = self.answers(one)
        if status is None:
            raise Unavailable("peer_unreachable", "Nobody answers.")
        if status < 300:
            self.heard.append(one)
        yield Told(status, self.headers)

    @property
    def events(self) -> list[str]:
        return [one.event for one in self.heard]


async def a_listener(desk: Desk, *events: str) -> tuple[str, Listener]:
    made = await desk.ours.post("/webhooks", {"url": URL, "events": list(events)})
    return made["id"], Listener(made["secret"])


async def turn(company: Company, listener: Listener) -> None:
    await Webhooks(company.hub, listener, wait=True).turn()


async def pass_time(desk: Desk, listener: Listener, span: timedelta) -> None:
    """Turn whenever something is due until so much time has passed."""
    clock, hub = desk.network.clock, desk.ours.company.hub
    end = clock.now() + span
    while due := [one.at for one in await webhooks.due(hub) if one.at < end]:
        clock.move_to(min(due) + timedelta(milliseconds=1))  # as exactly as a node tells the time
        await turn(desk.ours.company, listener)
    clock.move_to(end)


async def calls(desk: Desk, webhook: str, state: str = "") -> list[dict[str, Any]]:
    found = await desk.ours.get(f"/webhooks/{webhook}/calls", query=f"?state={state}" * bool(state))
    items: list[dict[str, Any]] = found["items"]
    return items


async def test_a_program_hears_what_happens_and_not_one_word_of_it(pair: Pair) -> None:
    _, listener = await a_listener(pair)
    made, handoff = await pair.offered()
    await pair.ours.post(f"/tickets/{made['number']}/comments", {"body": "Тайное слово"})
    await pair.theirs.post(f"/handoffs/{handoff}/accept")
    await pair.theirs.post(f"/handoffs/{handoff}/resolve", {"resolution": "Заменили шлейф"})
    await pair.network.run_until_idle()
    await turn(pair.ours.company, listener)
    assert listener.events[:3] == ["ticket.created", "handoff.offered", "comment.added"]
    steps = [one.data for one in listener.heard if one.event == "handoff.changed"]
    assert [(one["before"], one["state"]) for one in steps] == [
        ("offered", "accepted"),
        ("accepted", "resolved"),
    ]
    assert {one["ticket_id"] for one in steps} == {made["id"]}
    said = b"".join(one.raw for one in listener.heard).decode()
    for word in ("Тайное", "Заменили", "Не печатает", "Мастер-Юг"):
        assert word not in said
    assert (
        next(one for one in listener.heard if one.event == "comment.added").data["visibility"]
        == "internal"
    )


async def test_it_hears_only_what_it_asked_for(desk: Desk) -> None:
    webhook, listener = await a_listener(desk, "comment.added")
    made = await desk.ticket()
    await desk.ours.post(f"/tickets/{made['number']}/comments", {"body": "Слово"})
    await desk.ours.post(f"/webhooks/{webhook}/test")
    await turn(desk.ours.company, listener)
    assert listener.events == ["comment.added", "webhook.test"]


async def test_what_could_not_be_told_is_told_when_it_answers_again(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    listener.answers = lambda _heard: None
    for n in range(5):
        await desk.ticket(f"Заявка {n}")
    await pass_time(desk, listener, timedelta(hours=8))
    assert listener.heard == []
    assert 10 < listener.calls < 80  # an address that is away is not asked five times as often
    alerts = (await desk.ours.get("/alerts"))["items"]
    assert [one["kind"] for one in alerts] == ["webhook_failing"]
    assert URL in alerts[0]["text"]
    listener.answers = lambda _heard: 200
    await pass_time(desk, listener, timedelta(hours=12))
    assert sorted(listener.events) == ["alert.raised", *["ticket.created"] * 5]
    assert len({one.id for one in listener.heard}) == 6
    assert (await desk.ours.get("/alerts"))["items"] == []
    assert (await desk.ours.get(f"/webhooks/{webhook}"))["failing_since"] is None


async def test_one_call_it_does_not_take_holds_up_no_other(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    first = await desk.ticket("Первая")
    listener.answers = lambda heard: 422 if heard.data["ticket_id"] == first["id"] else 200
    for n in range(3):
        await desk.ticket(f"Заявка {n}")
    await turn(desk.ours.company, listener)
    assert len(listener.heard) == 3
    (waiting,) = await calls(desk, webhook, "waiting")
    assert (waiting["status"], waiting["attempts"]) == (422, 1)


async def test_how_long_to_wait_is_the_programs_word(desk: Desk) -> None:
    _, listener = await a_listener(desk)
    listener.answers, listener.headers = lambda _heard: 429, {"retry-after": "600"}
    await desk.ticket()
    await turn(desk.ours.company, listener)
    await pass_time(desk, listener, timedelta(seconds=590))
    assert listener.calls == 1
    listener.answers = lambda _heard: 200
    await pass_time(desk, listener, timedelta(seconds=200))
    assert listener.events == ["ticket.created"]


async def test_a_call_that_failed_for_days_is_kept_and_can_be_made_again(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    made = await desk.ticket()
    listener.answers = lambda heard: 400 if heard.data.get("ticket_id") == made["id"] else 200
    await turn(desk.ours.company, listener)
    for _ in range(8):  # something else goes well every half a day: the address is well
        await pass_time(desk, listener, timedelta(hours=12))
        await desk.ticket("Другая")
    (failed,) = await calls(desk, webhook, "failed")
    assert failed["attempts"] == 11
    assert (await desk.ours.get(f"/webhooks/{webhook}"))["failed"] == 1
    listener.answers = lambda _heard: 200
    assert (await desk.ours.post(f"/webhooks/{webhook}/replay"))["again"] == 1
    await turn(desk.ours.company, listener)
    assert [one.id for one in listener.heard].count(failed["id"]) == 1
    again = await desk.ours.post(f"/webhooks/{webhook}/calls/{failed['id']}/replay")
    assert again["state"] == "waiting"
    await turn(desk.ours.company, listener)
    assert [one.id for one in listener.heard].count(failed["id"]) == 2


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_an_address_that_is_no_more_is_disabled_and_a_person_told(
    desk: Desk, how: str
) -> None:
    webhook, listener = await a_listener(desk)
    listener.answers = lambda _heard: 410 if how == "gone" else None
    for n in range(2 if how == "gone" else 66):
        await desk.ticket(f"Заявка {n}")
        await pass_time(desk, listener, timedelta(hours=2))
    shown = await desk.ours.get(f"/webhooks/{webhook}")
    assert (shown["state"], shown["waiting"]) == ("disabled", 0)
    alerts = (await desk.ours.get("/alerts"))["items"]
    assert "disabled" in alerts[0]["text"]
    refused = await desk.ours.call("POST", f"/webhooks/{webhook}/test", {})
    assert (refused.status, refused.code) == (409, "webhook_disabled")
    listener.answers = lambda _heard: 200
    await desk.ours.post(f"/webhooks/{webhook}/enable")
    await desk.ticket("Снова")
    await turn(desk.ours.company, listener)
    assert listener.events == ["ticket.created"]


async def test_a_restore_tells_nothing_twice_and_says_that_it_happened(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    await desk.ticket("До копии")
    hub = desk.ours.company.hub
    await hub.db.write(lambda tx: resets.begin_anew(tx, hub.now()))
    await desk.ticket("Пока узел ждёт")
    await turn(desk.ours.company, listener)
    assert listener.heard == []
    assert [one["state"] for one in await calls(desk, webhook)] == ["dropped"]
    await holds.release(hub, desk.ours.company.dispatcher)
    await desk.ticket("После")
    await turn(desk.ours.company, listener)
    assert listener.events == ["node.restored", "ticket.created"]


async def test_of_two_workers_one_makes_the_call(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    await desk.ticket()
    hub = desk.ours.company.hub
    mine = await webhooks.claim(hub, webhook)  # type: ignore[arg-type]
    assert mine is not None
    await turn(desk.ours.company, listener)
    assert listener.calls == 0
    desk.network.clock.advance(minutes=2)  # the one that had it died
    await turn(desk.ours.company, listener)
    assert listener.events == ["ticket.created"]


async def test_another_secret_signs_from_now_on(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    await desk.ticket()
    made = await desk.ours.post(f"/webhooks/{webhook}/secret")
    assert made["secret"] != listener.secret
    listener.secret = made["secret"]
    await turn(desk.ours.company, listener)
    assert listener.events == ["ticket.created"]


async def test_a_removed_one_hears_nothing_and_is_listed_no_more(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    await desk.ticket()
    await desk.ours.post(f"/webhooks/{webhook}/remove")
    await desk.ticket()
    await turn(desk.ours.company, listener)
    assert listener.calls == 0
    assert (await desk.ours.get("/webhooks"))["items"] == []
    assert (await desk.ours.call("POST", f"/webhooks/{webhook}/enable", {})).status == 404


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"url": "ftp://desk.example/"}, "url_invalid"),
        ({"url": "https://user:secret@desk.example/"}, "url_invalid"),
        ({"url": "desk.example"}, "url_invalid"),
        ({"url": URL, "events": ["everything"]}, "event_unknown"),
        ({"url": URL, "events": ["webhook.test"]}, "event_unknown"),
    ],
)
async def test_what_cannot_work_is_refused_and_said_why(
    desk: Desk, form: dict[str, Any], code: str
) -> None:
    refused = await desk.ours.call("POST", "/webhooks", form)
    assert (refused.status, refused.code) == (422, code)
    assert (await desk.ours.get("/webhooks"))["items"] == []


async def test_there_is_a_limit_to_how_many_are_told(desk: Desk) -> None:
    for _ in range(webhooks.MOST):
        await desk.ours.post("/webhooks", {"url": URL})
    assert (await desk.ours.call("POST", "/webhooks", {"url": URL})).code == "too_many_webhooks"


async def test_a_secret_is_shown_once_and_kept_hidden(desk: Desk) -> None:
    webhook, listener = await a_listener(desk)
    shown = await desk.ours.get(f"/webhooks/{webhook}")
    assert "secret" not in shown
    lesser = await desk.ours.token_for(*(set(SCOPES) - {Permission.ADMIN, Permission.DESKS_WRITE}))
    assert (await lesser.call("GET", "/webhooks")).status == 403
    database = (desk.ours.company.settings.data / "hub.db").read_bytes()
    assert listener.secret.removeprefix("whsec_").encode() not in database


async def test_a_real_program_is_called_and_an_address_inside_is_not(desk: Desk) -> None:
    got: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(body=b"x" * 3_000_000, headers={"content-encoding": "gzip"})

    application = web.Application()
    application.router.add_post("/events", take)
    async with TestServer(application) as server:
        url = f"http://127.0.0.1:{server.port}/events"
        made = await desk.ours.post("/webhooks", {"url": url})
        await desk.ticket()
        for guard in (Guard(), Guard(try_out=True)):
            transport = GuardedTransport(guard)
            try:
                await Webhooks(desk.ours.company.hub, transport, wait=True).turn()
            finally:
                await transport.close()
            desk.network.clock.advance(hours=1)
    assert [json.loads(one)["type"] for one in got] == ["ticket.created"]
    (told,) = await calls(desk, made["id"])
    assert (told["state"], told["attempts"], told["status"]) == ("done", 2, 200)
