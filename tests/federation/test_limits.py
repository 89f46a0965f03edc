"""What a peer or a stranger may take of us: refused in time, with a word when to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from hub import app
from hub.actions import comments, files, handoffs, invitations, links, tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff
from hub.domain.agreement import AsContractor, AsPrincipal, Offer
from hub.domain.comment import Visibility
from hub.federation.door import Call, Reply
from hub.protocol import http_signatures
from hub.protocol.encoding import b64url, instant
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.storage import inbox, streams
from tests.kit.fake_peer import FakePeer, types
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored


def at_most(per_minute: int) -> Offer:
    """An offer in which nobody sends more than this."""
    return Offer(
        AsPrincipal(messages_per_minute=per_minute), AsContractor(messages_per_minute=per_minute)
    )


@pytest.fixture
async def network(quick_path: Path) -> AsyncIterator[Network]:
    made = Network(quick_path, seed="limits")
    yield made
    await made.close()


async def _pair(
    network: Network, per_minute: int = 6000, **limits: Any
) -> tuple[Company, FakePeer]:
    a = await network.company("Сервис Плюс", **limits)
    b = FakePeer.of(network, "Мастер-Юг")
    await b.link_with(a, node_offer=at_most(per_minute))
    return a, b


def pings(b: FakePeer, count: int) -> list[Any]:
    return [b.message("x.org.example.ping", {}, must=False) for _ in range(count)]


async def waiting(a: Company, b: FakePeer) -> int:
    return await a.hub.db.read(lambda c: inbox.waiting_count(c, b.link_id))


# --- messages ---------------------------------------------------------------------------------


async def test_more_messages_than_agreed_are_told_to_come_later_and_none_is_lost(
    network: Network,
) -> None:
    a, b = await _pair(network, 10)
    call = b.batch(*pings(b, 25))
    said = await b.send(call)
    assert (said.status, said.code, said.members["seq"]) == (429, "rate_limited", 11)
    assert b.receipt(said).upto == 10
    assert said.headers["retry-after"] == "6"
    http_signatures.verify_response(
        HttpResponse(said.status, said.headers, said.body),
        HttpRequest(call.method, a.settings.url + call.target, call.headers, call.body),
        lambda _kid: a.hub.keys.http.public,
        b.now,
    )
    for _ in range(15):
        network.clock.advance(seconds=float(said.headers["retry-after"]))
        said = await b.send(replace(call, headers=b.signed("POST", call.target, call.body).headers))
    assert (said.status, b.receipt(said).upto) == (200, 25)


async def test_a_restart_gives_nobody_a_full_bucket(network: Network) -> None:
    a, b = await _pair(network, 10)
    await b.post(*pings(b, 10))
    again = await app.open_hub(
        a.settings, {}, clock=network.clock, entropy=a.hub.entropy, inline=True
    )
    try:
        from hub.federation.door import Door

        network.wire.doors[a.settings.url] = Door(again)
        assert (await b.post(*pings(b, 1))).code == "rate_limited"
    finally:
        await again.db.close()


async def test_copies_cost_nothing(network: Network) -> None:
    _, b = await _pair(network, 10)
    call = b.batch(*pings(b, 10))
    for _ in range(5):
        assert (await b.send(call)).status == 200


async def test_a_node_paces_itself_and_is_never_told_to(network: Network) -> None:
    a, b = await network.company("Сервис Плюс"), await network.company("Мастер-Юг")
    link_id = await network.link(a, b, offer=at_most(15))
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    for n in range(50):
        await comments.add(a.hub, a.dispatcher, AddComment(ticket.id, f"№ {n}", Visibility.PUBLIC))
    await network.run_until_idle()
    first = await a.hub.db.read(lambda c: streams.get(c, link_id))
    assert first is not None
    assert first.receipted_seq == 15  # a full bucket
    await network.run_for(minutes=3)
    done = await a.hub.db.read(lambda c: streams.get(c, link_id))
    assert done is not None
    assert done.receipted_seq == done.out_seq == 51
    refused = b.hub.metrics.refused.labels("federation", "rate_limited")._value.get()
    assert refused == 0
    failed = a.hub.metrics.attempts.labels("failed")._value.get()
    assert failed == 0


async def test_a_node_that_is_told_to_wait_waits_as_told_and_goes_on(network: Network) -> None:
    a, b = await _pair(network)
    asked: list[float] = []

    def once(call: Call) -> Reply | None:
        if not call.target.endswith("/messages") or asked:
            return None
        asked.append(network.clock.monotonic())
        return b.refusal(call, "rate_limited", retry_after="20")

    b.script = once
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, b.link_id))
    await network.run_for(seconds=19)
    assert b.heard == []
    await network.run_for(seconds=10)
    assert types(b.heard) == ["handoff.offer"]


async def test_a_full_inbox_takes_no_more_until_it_was_worked_off(network: Network) -> None:
    a, b = await _pair(network, inbox_messages_per_link=5)
    call = b.batch(*pings(b, 8))
    said = await b.send(call)
    assert (said.status, said.code) == (429, "quota_exceeded")
    assert await waiting(a, b) == 5
    await network.run_until_idle()
    assert (await b.send(call)).status == 200
    assert await waiting(a, b) == 3


# --- calls ------------------------------------------------------------------------------------


async def test_a_peer_that_calls_too_often_is_told_when_to_come_again(network: Network) -> None:
    a, b = await _pair(network, calls_per_minute_per_link=5)
    call = b.batch()
    before = await stored(a.hub)
    answers = [await b.send(call) for _ in range(20)]
    # The handshake took one: it is a call on the link as well.
    assert [one.status for one in answers] == [200] * 4 + [429] * 16
    assert answers[-1].code == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) == 12
    assert changed(before, await stored(a.hub)) == []
    network.clock.advance(seconds=12)
    assert (await b.call("POST", f"{b.path}/messages", call.body)).status == 200


async def test_nobody_uses_up_what_is_a_peers(network: Network) -> None:
    _, b = await _pair(network, calls_per_minute_per_link=5)
    forged = b.signed("POST", f"{b.path}/messages", b'{"messages":[]}', signer=b.keys.message)
    forged = replace(forged, headers={**forged.headers, "signature": "sig1=:AAAA:"})
    for _ in range(50):
        assert (await b.send(forged)).status == 401
    assert (await b.send(b.batch())).status == 200


async def test_one_batch_of_a_peer_is_worked_on_at_a_time(network: Network) -> None:
    a, b = await _pair(network)
    door = network.wire.doors[a.settings.url]
    call = b.batch(*pings(b, 3))
    with door._places.hold(("batch", b.link_id), 1):
        said = await b.send(call)
        assert (said.status, said.code, said.headers["retry-after"]) == (503, "overloaded", "1")
        assert "signature" in said.headers
        assert (await b.call("GET", f"{b.path}/receipts?from=1")).status == 200
    assert (await b.send(call)).status == 200


@asynccontextmanager
async def served(company: Company, network: Network, *proxies: str) -> AsyncIterator[TestServer]:
    """The company's doors on a real socket."""
    settings = company.settings.model_copy(
        update={"network": company.settings.network.model_copy(update={"trusted_proxies": proxies})}
    )
    server = TestServer(app.web_app(company.hub, settings, company.transport))
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


async def _statuses(server: TestServer, call: Call, times: int, **headers: str) -> list[int]:
    async with ClientSession() as session:
        found = []
        for _ in range(times):
            async with session.request(
                call.method,
                server.make_url(call.target),
                headers={**call.headers, **headers},
                data=call.body or None,
            ) as response:
                found.append(response.status)
                if response.status == 429:
                    assert int(response.headers["retry-after"]) >= 1
        return found


STRANGE = Call("GET", "/txp/v1/links/lnk_0/receipts", {})


async def test_strangers_of_one_network_are_let_in_so_often(network: Network) -> None:
    a, b = await _pair(network, stranger_calls_per_minute=5)
    async with served(a, network) as server:
        assert await _statuses(server, STRANGE, 8) == [401] * 5 + [429] * 3
        assert await _statuses(server, Call("GET", "/.well-known/txp", {}), 2) == [429] * 2
        # A peer behind the same address is let in all the same.
        call = b.batch()
        assert await _statuses(server, call, 3) == [200] * 3
        network.clock.advance(seconds=12)
        assert await _statuses(server, STRANGE, 2) == [401, 429]


async def test_who_often_speaks_in_the_name_of_a_peer_is_answered_before_that_is_tried(
    network: Network,
) -> None:
    a, b = await _pair(network, unproven_calls_per_minute_per_link=5)
    call = b.batch()
    forged = replace(call, headers={**call.headers, "signature": "sig1=:AAAA:"})
    packed = replace(call, headers={**call.headers, "content-encoding": "gzip"})
    async with served(a, network, "127.0.0.0/8") as server:
        there, elsewhere = {"x-forwarded-for": "203.0.1.1"}, {"x-forwarded-for": "203.0.2.1"}
        assert await _statuses(server, forged, 4, **there) == [401] * 4
        assert await _statuses(server, packed, 1, **there) == [415]
        assert await _statuses(server, forged, 3, **there) == [429] * 3
        # The peer itself calls from elsewhere; and from there as well, in a moment.
        assert await _statuses(server, call, 2, **elsewhere) == [200] * 2
        network.clock.advance(seconds=12)
        assert await _statuses(server, call, 3, **there) == [200] * 3


async def test_a_written_address_changes_nothing_unless_our_proxy_wrote_it(
    network: Network,
) -> None:
    a, _ = await _pair(network, stranger_calls_per_minute=5)
    async with served(a, network) as server:
        found = [
            (await _statuses(server, STRANGE, 1, **{"x-forwarded-for": f"203.0.{n}.1"}))[0]
            for n in range(8)
        ]
        assert found == [401] * 5 + [429] * 3
    async with served(a, network, "127.0.0.0/8") as server:
        found = [
            (await _statuses(server, STRANGE, 1, **{"x-forwarded-for": f"203.0.{n}.1"}))[0]
            for n in range(8)
        ]
        assert found == [401] * 8


async def test_requests_to_be_linked_have_a_limit_for_everybody_together(network: Network) -> None:
    a, _ = await _pair(network, link_requests_per_minute=3)
    call = Call("POST", "/txp/v1/link-requests", {"signature-input": "x"}, b"{}")
    async with served(a, network, "127.0.0.0/8") as server:
        found = [
            (
                await _statuses(
                    server,
                    call,
                    1,
                    **{"x-forwarded-for": f"203.0.{n}.1", "content-type": "application/json"},
                )
            )[0]
            for n in range(6)
        ]
        assert found == [400] * 3 + [429] * 3


async def test_a_caller_that_sends_slowly_holds_its_own_places_only(network: Network) -> None:
    a, b = await _pair(network)
    c = FakePeer.of(network, "Север")
    await c.link_with(a)
    async with served(a, network) as server:
        slow = []
        for _ in range(2):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = [f"{k}: {v}" for k, v in b.batch().headers.items()]
            lines = [f"POST {b.path}/messages HTTP/1.1", "host: x", *head, "content-length: 9999"]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await writer.drain()
            slow.append(writer)
        # Once the server has seen both, the third has no place; another peer has.
        while await _statuses(server, b.batch(), 1) != [503]:
            pass
        assert await _statuses(server, c.batch(), 3) == [200] * 3
        for writer in slow:
            writer.close()


# --- quotas -----------------------------------------------------------------------------------


async def test_files_beyond_the_quota_of_a_link_are_refused_and_the_sender_told(
    network: Network,
) -> None:
    _, b = await _pair(network, link_files_bytes=1000)
    handoff = await b.offer()
    described = [
        {
            "attachment_id": b.new_id("att"),
            "sha256": b64url(bytes([n]) * 32),
            "size": 400,
            "media_type": "text/plain",
            "name": f"{n}.txt",
        }
        for n in range(3)
    ]
    author = {"ref": "agt-1", "display": "Мастер", "account": b.name}
    await b.say(
        "file.add", {"files": described, "author": author, "at": instant(b.now)}, handoff=handoff
    )
    await network.run_until_idle()
    told = [one.data for one in b.told("file.status")]
    refused = [(one["attachment_id"], one["reason"]) for one in told if one["status"] == "refused"]
    assert refused == [(described[2]["attachment_id"], "quota_exceeded")]


async def test_a_domain_has_so_many_links_that_wait_for_a_person(network: Network) -> None:
    a = await network.company("Сервис Плюс", pending_links_per_domain=3)
    before = None
    codes = []
    for n in range(6):
        if n == 3:
            before = await stored(a.hub)
        invited = await invitations.invite(a.hub, a.dispatcher, f"№ {n}", compare=True)
        peer = FakePeer.of(network, f"Поддомен {n}")
        peer.base_url = f"https://n{n}.attacker.example"
        said = await peer.ask(a, invited.code)
        codes.append((said.status, said.code))
    assert codes == [(202, "")] * 3 + [(429, "quota_exceeded")] * 3
    assert before is not None
    assert changed(before, await stored(a.hub)) == ["invitations"]  # which our people made
    other = FakePeer.of(network, "Другой")
    other.base_url = "https://hub.honest.example"
    invited = await invitations.invite(a.hub, a.dispatcher, "Другой", compare=True)
    assert (await other.ask(a, invited.code)).status == 202


# --- the switch -------------------------------------------------------------------------------


async def test_after_a_suspension_not_one_byte_of_content_is_stored_or_sent(
    network: Network,
) -> None:
    a, b = await _pair(network)
    handoff = await b.offer("До")
    busy = {"retry_after": "30"}
    b.script = lambda call: (
        b.refusal(call, "overloaded", **busy) if "/blobs/" in call.target else None
    )
    described = {
        "attachment_id": b.new_id("att"),
        "sha256": b64url(b"\1" * 32),
        "size": 7,
        "media_type": "text/plain",
        "name": "1.txt",
    }
    author = {"ref": "agt-1", "display": "Мастер", "account": b.name}
    await b.say(
        "file.add", {"files": [described], "author": author, "at": instant(b.now)}, handoff=handoff
    )
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="CANARY-1"))
    new = await asyncio.to_thread(files.store, a.hub, "a.txt", "text/plain", _Bytes(b"CANARY-FILE"))
    await files.add(a.hub, a.dispatcher, ticket.id, [new])
    await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, b.link_id))
    await network.run_until_idle()
    position = len(network.wire.sent)
    await links.suspend(a.hub, a.dispatcher, b.link_id)
    await comments.add(a.hub, a.dispatcher, AddComment(ticket.id, "CANARY-2", Visibility.PUBLIC))
    assert any("/blobs/" in call.target for call in b.calls)
    calls = len(b.calls)
    before = await stored(a.hub)
    fork = b.message("comment.add", b.comment_data("CANARY-3"), handoff=handoff)
    assert (await b.post(fork)).code == "link_suspended"
    assert (await b.call("GET", f"{b.path}/blobs/{new.sha256}")).code == "link_suspended"
    assert (await b.call("GET", f"{b.path}/log?dir=in&from=1")).code == "link_suspended"
    assert changed(before, await stored(a.hub)) == []
    await network.run_for(minutes=10)
    assert all(b"CANARY" not in one for one in network.wire.sent[position:])
    assert all("/blobs/" not in call.target for call in b.calls[calls:])
    assert all(b"comment.add" not in call.body for call in b.calls[calls:])
    rows = await a.hub.db.read(lambda c: inbox.log_from(c, b.link_id, 1, 100))
    assert all("CANARY-3" not in (row.data or "") for row in rows)
    await links.resume(a.hub, a.dispatcher, b.link_id)
    await network.run_for(hours=1)
    assert "comment.add" in types(b.heard)
    assert any("/blobs/" in call.target for call in b.calls[calls:])


class _Bytes:
    """A file of these bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _count: int = -1) -> bytes:
        data, self._data = self._data, b""
        return data
