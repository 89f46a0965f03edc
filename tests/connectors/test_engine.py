"""What the engine does around a description: tokens, secrets, foreign addresses, privacy, cost."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from connectors import conformance
from connectors.conformance import a_file, a_wish
from connectors.contract import (
    Answer,
    Call,
    Change,
    Host,
    Misconfigured,
    NewComment,
    Refused,
    Request,
    Unavailable,
    Untrusted,
)
from connectors.registry import template
from connectors.rest.connector import RestConnector
from connectors.rest.loading import load
from tests.connectors.simulators.desk import Asked, Vault, made, route
from tests.connectors.simulators.every import DESKS
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.roundup import Roundup
from tests.connectors.simulators.servicenow import ServiceNow
from tests.connectors.simulators.webhook import Receiver
from tests.connectors.simulators.znuny import Znuny

REFRESHING = (
    "auth: {kind: oauth2, grant: refresh_token, token_url: '{{ settings.url }}/oauth_token.do', "
    "client_id: '{{ settings.client_id }}', client_secret: '{{ secret.client_secret }}'}"
)


class Rotating(ServiceNow):
    """Gives a new refresh token with every use and forgets the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.valid = "refresh-0-0123456789"

    @route("POST", "/oauth_token.do")
    def token(self, asked: Asked) -> Answer:
        said = dict(parse_qsl(asked.raw.decode()))
        if said.get("refresh_token") != self.valid:
            return made(400, {"error": "invalid_grant"})
        self.valid = f"refresh-{self.number()}-0123456789"
        token = f"token-{self.number()}-0123456789"
        self.tokens[token] = 5
        return made(200, {"access_token": token, "refresh_token": self.valid})


class Timeless(Redmine):
    """Behind a server that puts no Date into its answers, as Redmine's own does."""

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        answer = await super().send(request, max_bytes=max_bytes)
        headers = {name: said for name, said in answer.headers.items() if name != "date"}
        return replace(answer, headers=headers)


@pytest.mark.parametrize(
    "name",
    ["poll-our_clock_an_hour_ahead", "poll-our_clock_an_hour_behind", "poll-our_clock_a_day_ahead",
     "two_changes_in_one_tick_both_come", "a_ticket_comes_once", "poll-restart_between_pages",
     "what_was_there_before_is_not_news"],
)  # fmt: skip
async def test_a_desk_that_does_not_tell_its_time_is_read_by_what_changed_last(name) -> None:
    rig = Timeless().rig()
    every = {**dict(conformance.cases(rig)), **dict(conformance.fault_cases(rig))}
    await every[name](rig)


@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"<html>Back soon</html>", b"<?xml version='1.0'?>"]
)
async def test_no_answer_and_a_page_for_people_are_no_deleted_ticket(body) -> None:
    class Paused(Redmine):
        def _answer(self, asked: Asked) -> Answer:
            whole = super()._answer(asked)
            return Answer(200, {"content-type": "text/plain"}, body) if self.paused else whole

        paused = False

    desk = Paused()
    ticket = await desk.open_ticket("Касса", "x")
    connector = desk.rig().connector()
    cursor = [page async for page in connector.pull(None)][-1].cursor
    await desk.reply(ticket, "ответ", public=True)
    desk.paused = True
    with pytest.raises(Unavailable):
        await connector.fetch(ticket)
    with pytest.raises(Unavailable):
        [page async for page in connector.pull(cursor)]


async def test_a_refresh_token_that_changes_with_every_use_is_kept() -> None:
    desk = Rotating()
    lines = template("servicenow").splitlines()
    text = "\n".join(REFRESHING if line.startswith("auth:") else line for line in lines)
    text = text.replace("secrets:\n", "secrets:\n  refresh_token: {label: Refresh token}\n")
    description = load(text, "servicenow.yaml")
    vault = Vault({**desk.secrets, "refresh_token": "refresh-0-0123456789"})
    for number in range(4):  # as after restarts: nothing is remembered but the vault
        settings = {"url": desk.base, **desk.settings}
        connector = RestConnector(description, Host(desk, desk.clock, vault, settings))
        made_there = await connector.create(a_wish(f"HUB-{number}"))
        await connector.comment(made_there.id, NewComment("да", public=True), known=())
        assert vault.values["refresh_token"] == desk.valid


@pytest.mark.parametrize("kind", DESKS, ids=lambda kind: kind.name)
async def test_no_secret_is_in_any_error(kind) -> None:
    class Parrot(kind):
        """Tells everything it was told."""

        def _answer(self, asked: Asked) -> Answer:
            said = {"you": asked.headers, "asked": asked.query, "body": asked.raw.decode()}
            return made(422, said)

    desk = Parrot()
    rig = desk.rig()
    with pytest.raises((Refused, Misconfigured, Unavailable)) as caught:
        await rig.connector().create(a_wish("HUB-1"))
    told = f"{caught.value} {caught.value.facts} {caught.value.because}"
    for secret in desk.secrets.values():
        assert secret not in told


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/x",
        "http://redmine.example/x",
        "https://redmine.example:444/x",
        "https://redmine.example@evil.example/x",
        "//evil.example/x",
        "https://redmine.example.evil.example/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ],
)
async def test_our_key_goes_to_no_address_that_is_not_the_desks(address) -> None:
    desk = Redmine()
    rig = desk.rig()
    calls: list[Request] = []
    inner = desk.send

    async def send(request: Request, *, max_bytes: int) -> Answer:
        calls.append(request)
        return await inner(request, max_bytes=max_bytes)

    desk.send = send
    with suppress(Misconfigured, Refused, Unavailable):
        async for _ in rig.connector().download(address):
            pass
    assert all(one.url.startswith("https://redmine.example/") for one in calls)


async def test_a_ticket_id_cannot_climb_out_of_its_address() -> None:
    desk = Redmine()
    with pytest.raises(Refused):
        await desk.rig().connector().fetch("../users/current")
    assert [one.path for one in desk.requests if "issues" in one.path] == [
        "/issues/..%2Fusers%2Fcurrent.json"
    ]


async def test_nothing_private_is_written_to_a_desk_that_shows_all() -> None:
    desk = Roundup()
    ticket = await desk.open_ticket("x", "y")
    connector = desk.rig().connector()
    assert not connector.capabilities.private_comments
    with pytest.raises(Refused) as caught:
        await connector.comment(ticket, NewComment("тайна", public=False), known=())
    assert caught.value.code == "no_private"
    with pytest.raises(Refused):
        await connector.attach(ticket, a_file(), public=False, known=())
    assert not any("тайна" in one.raw.decode() for one in desk.requests if one.method != "GET")


class Dishonest(Redmine):
    """Says yes and does nothing, as Redmine does with a status it does not know."""

    @route("PUT", r"/issues/(\d+).json")
    def update(self, asked: Asked) -> Answer:
        return made(204)


@pytest.mark.parametrize("public", ["entry.visible", "{const: 1}", "{const: 'false'}"])
async def test_what_is_not_clearly_public_is_private(public) -> None:
    text = template("redmine").replace(
        'public: {expr: "not entry.private_notes"}', f"public: {public}"
    )
    desk = Redmine()
    rig = desk.rig()
    ticket = await desk.open_ticket("Касса", "x")
    await desk.reply(ticket, "между нами", public=True)
    host = Host(desk, desk.clock, rig.vault, rig.settings)
    found = await RestConnector(load(text, "redmine.yaml"), host).fetch(ticket)
    assert [(one.body, one.public) for one in found.comments] == [("между нами", False)]


async def test_a_yes_is_not_believed_until_it_is_seen() -> None:
    desk = Dishonest()
    ticket = await desk.open_ticket("x", "y")
    connector = desk.rig().connector()
    with pytest.raises(Refused) as caught:
        await connector.change(ticket, Change(status="resolved"))
    assert caught.value.code == "not_taken"
    with pytest.raises(Refused) as caught:
        await connector.comment(ticket, NewComment("ответ", public=True), known=())
    assert caught.value.code == "not_taken"


async def test_a_word_that_is_not_told_makes_no_request() -> None:
    desk = Redmine()
    ticket = await desk.open_ticket("x", "y")
    await desk.rig().connector().change(ticket, Change(status="open"))
    assert not [one for one in desk.requests if one.method == "PUT"]


async def test_a_long_title_is_cut_where_it_can_be_seen() -> None:
    desk = Redmine()
    made_there = await desk.rig().connector().create(a_wish("HUB-1", title="Ж" * 400))
    title = desk.tickets[made_there.id].title
    assert len(title) == 255
    assert title.endswith(" […]")


async def test_an_expired_session_is_renewed_in_the_middle_of_a_batch() -> None:
    desk = Znuny()
    rig = desk.rig()
    connector = rig.connector()
    tickets = [(await connector.create(a_wish(f"HUB-{number}"))).id for number in range(20)]
    assert len(set(tickets)) == 20
    assert len(desk.sessions) > 2


@pytest.mark.parametrize("stamp", ["", "x", "1e400", "-1", "9" * 400, "2026-11-22T09:00:00"])
async def test_a_webhook_with_a_strange_time_is_untrusted(stamp) -> None:
    desk = next(kind for kind in DESKS if kind.name == "webhook")()
    ticket = desk.add("x", "y", "petr").id
    call = await desk.hook(ticket)
    bad = replace(call, headers={**call.headers, "x-timestamp": stamp})
    with pytest.raises(Untrusted):
        desk.rig().connector().receive(bad)


@pytest.mark.parametrize("body", [b"", b"[1", b"\xff\xfe", b"[" * 100_000, b"null", b'"x"'])
async def test_a_webhook_of_nonsense_is_no_crash(body) -> None:
    for kind in DESKS:
        connector = kind().rig().connector()
        if connector.capabilities.webhooks:
            with suppress(Untrusted, Refused):
                assert connector.receive(Call("POST", {}, {}, body)) == []


async def test_one_poll_of_ten_thousand_tickets_takes_few_requests() -> None:
    desk = ServiceNow()
    for number in range(10_000):
        desk.add(f"Заявка {number}", "x", "petr")
    connector = desk.rig().connector()
    await desk.clock.advance(timedelta(minutes=5))
    cursor = [page async for page in connector.pull(None)][-1].cursor
    changed = list(desk.tickets)[::100]
    for ticket in changed:
        await desk.reply(ticket, "новость", public=True)
    await desk.clock.advance(timedelta(minutes=5))
    asked, begun = len(desk.requests), time.perf_counter()
    pages = [page async for page in connector.pull(cursor)]
    took = time.perf_counter() - begun
    found = {one.id for page in pages for one in page.tickets}
    assert found == set(changed)
    assert len(desk.requests) - asked <= 50
    assert took <= 10


async def test_a_cursor_is_plain_text_that_anybody_may_keep() -> None:
    for kind in DESKS:
        connector = kind().rig().connector()
        if connector.capabilities.pull:
            cursor = [page async for page in connector.pull(None)][-1].cursor
            assert isinstance(json.loads(cursor), dict)
            with pytest.raises(Misconfigured):
                async for _ in connector.pull("{nonsense"):
                    pass


async def test_a_call_never_says_that_it_names_every_comment() -> None:
    desk = Receiver()
    ticket = await desk.open_ticket("Весы", "x")
    text = template("webhook").replace("\nticket:\n", "\nticket:\n  every_comment: true\n")
    rig = desk.rig()
    host = Host(rig.transport, rig.clock, rig.vault, rig.settings)
    (hint,) = RestConnector(load(text, "webhook.yaml"), host).receive(await desk.hook(ticket))
    assert hint.content is not None
    assert not hint.content.every_comment
