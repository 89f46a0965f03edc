"""The door to peers: who is turned away, with which words, and that nothing remains of it.

Generated from the routes themselves: a new route fails here until somebody has said what a
right call to it looks like.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from yarl import URL

from hub import app
from hub.actions import files, handoffs, invitations, peers, tickets
from hub.actions.handoffs import OfferHandoff
from hub.domain.comment import Visibility
from hub.errors import Unavailable
from hub.federation.door import BYTES, JSON, ROUTES, Call, Caller, Door, Reply, Route, _blob
from hub.ids import TicketId
from hub.protocol import http_signatures, signing, strict_json
from hub.protocol.encoding import b64url
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.protocol.keys import PrivateKey
from hub.protocol.message import MAX_BATCH_BYTES
from hub.protocol.receipts import open_receipt
from tests.kit.clock import SeededEntropy
from tests.kit.fake_peer import Answered, FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored

WORDS = "Акт выполненных работ. ".encode() * 40
OTHERS_WORDS = b"Somebody else's file."


@dataclass
class Scene:
    """Company A, its partners B and C, and a file A showed to each of them."""

    network: Network
    a: Company
    b: FakePeer
    c: FakePeer
    digest: str  # of the file B may read
    others: str  # of the file only C may read
    secret: str  # of a file in A's store that nobody may read

    def door(self) -> Door:
        return self.network.wire.doors[self.a.settings.url]


async def _file(a: Company, ticket_id: TicketId, words: bytes, visibility: Visibility) -> str:
    new = files.store(a.hub, "act.txt", "text/plain", BytesIO(words))
    await files.add(a.hub, a.dispatcher, ticket_id, [new], visibility)
    return new.sha256


async def _scene(network: Network) -> Scene:
    # The clock stands still here: every call of this file comes in one minute.
    often = {"stranger_calls_per_minute": 100_000, "link_requests_per_minute": 100_000}
    a = await network.company("Сервис Плюс", **often)
    b, c = FakePeer.of(network, "Мастер-Юг"), FakePeer.of(network, "Север")
    for peer in (b, c):
        await peer.link_with(a)
    shown = []
    for peer, words in ((b, WORDS), (c, OTHERS_WORDS)):
        ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
        shown.append(await _file(a, ticket.id, words, Visibility.PUBLIC))
        await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, peer.link_id))
    secret = await _file(a, ticket.id, b"Internal.", Visibility.INTERNAL)
    await network.run_until_idle()
    for peer in (b, c):
        await peer.offer()
        await peer.ping()
    await network.run_until_idle()
    return Scene(network, a, b, c, shown[0], shown[1], secret)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for all: what is turned away leaves it as it was."""
    network = Network(tmp_path_factory.mktemp("door"), seed="door")
    yield asyncio.run(_scene(network))
    asyncio.run(network.close())


@pytest.fixture(autouse=True)
def fresh_view(scene: Scene) -> None:
    scene.door().forget_keys()


# --- what a right call to each route looks like -----------------------------------------------


async def _batch(scene: Scene) -> Call:
    return scene.b.batch(scene.b.message("x.org.example.ping", {}, must=False, keep=False))


async def _request(scene: Scene) -> Call:
    """A right request of a stranger, and another one for the swapping."""
    a = scene.a
    invited = await invitations.invite(a.hub, a.dispatcher, "new")
    body = scene.b.link_request(invited.code, inviter_id=a.hub.account.node_id)
    return scene.b.signed("POST", "/txp/v1/link-requests", body)


async def _keys(scene: Scene) -> Call:
    """B tells the keys that A knows: such a call may be repeated for ever."""
    said = {"key_set": scene.b.key_set_jws, "upto": scene.b.seq, "head": scene.b.head}
    return scene.b.signed("POST", f"{scene.b.path}/keys", strict_json.dump(said).encode())


async def _get(scene: Scene, target: str, method: str = "GET") -> Call:
    return scene.b.signed(method, target)


SAMPLES: dict[tuple[str, str], Callable[[Scene], object]] = {
    ("GET", "/.well-known/txp"): lambda s: _get(s, "/.well-known/txp"),
    ("POST", "/txp/v1/link-requests"): _request,
    ("GET", "/txp/v1/link-requests/{lid}"): lambda s: _get(
        s, f"/txp/v1/link-requests/{s.b.link_id}"
    ),
    ("PUT", "/txp/v1/links/{lid}/agreement"): lambda s: _done(
        s.b.signed("PUT", f"{s.b.path}/agreement", s.b.own_signature())
    ),
    ("POST", "/txp/v1/links/{lid}/messages"): _batch,
    ("POST", "/txp/v1/links/{lid}/sync"): lambda s: _done(
        s.b.signed("POST", f"{s.b.path}/sync", s.b.sync_body())
    ),
    ("POST", "/txp/v1/links/{lid}/keys"): _keys,
    ("GET", "/txp/v1/links/{lid}/log"): lambda s: _get(s, f"{s.b.path}/log?dir=in&from=1"),
    ("GET", "/txp/v1/links/{lid}/receipts"): lambda s: _get(s, f"{s.b.path}/receipts?from=1"),
    ("GET", "/txp/v1/links/{lid}/blobs/{digest}"): lambda s: _get(
        s, f"{s.b.path}/blobs/{s.digest}"
    ),
    ("HEAD", "/txp/v1/links/{lid}/blobs/{digest}"): lambda s: _get(
        s, f"{s.b.path}/blobs/{s.digest}", "HEAD"
    ),
    ("GET", "/txp/v1/links/{lid}/keys"): lambda s: _get(s, f"{s.b.path}/keys"),
    ("POST", "/txp/v1/links/{lid}/log"): lambda s: _done(
        s.b.signed("POST", f"{s.b.path}/log", b'{"messages":[]}')
    ),
    ("POST", "/txp/v1/links/{lid}/receipts"): lambda s: _done(
        s.b.signed("POST", f"{s.b.path}/receipts", b'{"receipts":[]}')
    ),
    ("PUT", "/txp/v1/links/{lid}/blobs/{digest}"): lambda s: _done(
        s.b.signed("PUT", f"{s.b.path}/blobs/{s.digest}", WORDS, content_type=BYTES)
    ),
    ("DELETE", "/txp/v1/links/{lid}/blobs/{digest}"): lambda s: _get(
        s, f"{s.b.path}/blobs/{s.digest}", "DELETE"
    ),
}

FOR_COLLECTORS = list(SAMPLES)[-4:]
"""Routes for peers that nobody can call (test_outbound_only.py): for B there is nothing."""


async def _done(call: Call) -> Call:
    return call


async def _sample(scene: Scene, route: Route) -> Call:
    call = await SAMPLES[route.method, route.path](scene)  # type: ignore[misc]
    assert isinstance(call, Call)
    return call


def _named(routes: list[Route]) -> list[object]:
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


ALL = _named(list(ROUTES))
SIGNED = _named([route for route in ROUTES if route.caller is not Caller.ANYBODY])
OF_PEERS = _named([route for route in ROUTES if route.caller is Caller.PEER])
WITH_BODY = _named([route for route in ROUTES if route.max_body])
WITH_JSON = _named([one for one in ROUTES if one.max_body and one.media_type == JSON])
WITHOUT_BODY = _named([route for route in ROUTES if not route.max_body])


def test_every_route_of_the_door_is_classified_here() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(SAMPLES)


@pytest.mark.parametrize("route", ALL)
async def test_a_right_call_is_answered_on_every_route(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    said = await scene.b.send(call)
    if (route.method, route.path) in FOR_COLLECTORS:
        assert (said.status, said.code) == (404, "not_found")
        return
    assert said.status in {200, 202}
    if route.method == "POST" and route.path.endswith("/messages"):
        scene.b.move_to(said)


@asynccontextmanager
async def nothing_remains(scene: Scene) -> AsyncIterator[None]:
    """Whatever happens inside stores nothing, sends nothing, and the next right message passes."""
    before, sent = await stored(scene.a.hub), len(scene.network.wire.sent)
    yield
    assert changed(before, await stored(scene.a.hub)) == []
    await scene.a.turn()
    assert len(scene.network.wire.sent) == sent
    await scene.b.ping()


def stranger() -> PrivateKey:
    return PrivateKey.generate(SeededEntropy("stranger"))


def _unsigned(call: Call) -> Call:
    kept = {name: value for name, value in call.headers.items() if not name.startswith("signature")}
    return replace(call, headers=kept)


def _signed_anew(scene: Scene, call: Call, **how: object) -> Call:
    headers = {
        name: value
        for name, value in call.headers.items()
        if not name.startswith("signature") and name not in {"content-digest", "content-type"}
    }
    how = {"content_type": call.headers.get("content-type", JSON), **how}
    return scene.b.signed(call.method, call.target, call.body, headers=headers, **how)  # type: ignore[arg-type]


class _Liar:
    """Signs with its own key and says that it was another's."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.public = stranger().public

    def sign(self, data: bytes) -> bytes:
        return stranger().sign(data)


def _other_body(scene: Scene, call: Call) -> bytes:
    """Another body that would be good in its place."""
    if call.target.endswith("/link-requests"):
        body = json.loads(call.body)
        return strict_json.dump({**body, "more": 1}).encode()
    if call.headers["content-type"] != JSON:
        return call.body[::-1]
    return call.body.replace(b"{", b'{"more":1,', 1)


FORGERIES: dict[str, tuple[Callable[[Scene, Call], Call], set[str]]] = {
    "unsigned": (lambda _s, call: _unsigned(call), {"signature_invalid"}),
    "signature without its input": (
        lambda _s, call: replace(
            call, headers={k: v for k, v in call.headers.items() if k != "signature-input"}
        ),
        {"signature_invalid"},
    ),
    "empty signature": (
        lambda _s, call: replace(call, headers={**call.headers, "signature": ""}),
        {"signature_invalid"},
    ),
    "signature that is no signature": (
        lambda _s, call: replace(call, headers={**call.headers, "signature": "txp=:AAAA:"}),
        {"signature_invalid"},
    ),
    "a stranger's key": (
        lambda s, call: _signed_anew(s, call, signer=stranger()),
        {"key_unknown"},
    ),
    "a stranger's key under the name of B's": (
        lambda s, call: _signed_anew(s, call, signer=_Liar(s.b.keys.http.kid)),
        {"signature_invalid"},
    ),
    "C's key, right for C's link": (
        lambda s, call: _signed_anew(s, call, signer=s.c.keys.http),
        {"key_unknown"},
    ),
    "B's message key": (
        lambda s, call: _signed_anew(s, call, signer=s.b.keys.message),
        {"key_unknown"},
    ),
    "B's identity key": (
        lambda s, call: _signed_anew(s, call, signer=s.b.keys.identity),
        {"key_unknown"},
    ),
    "A's own key": (
        lambda s, call: _signed_anew(s, call, signer=s.a.hub.keys.http),
        {"key_unknown"},
    ),
    "signed for another host": (
        lambda s, call: _signed_anew(s, call, base="http://127.0.0.1:1"),
        {"signature_invalid"},
    ),
    "signed too long ago": (
        lambda s, call: _signed_anew(s, call, at=s.b.now - timedelta(seconds=301)),
        {"clock_skew"},
    ),
    "signed in the future": (
        lambda s, call: _signed_anew(s, call, at=s.b.now + timedelta(seconds=301)),
        {"clock_skew"},
    ),
    "another query": (
        lambda _s, call: replace(
            call, target=f"{call.target}{'&' if '?' in call.target else '?'}x=1"
        ),
        {"signature_invalid"},
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_call_nobody_we_know_has_signed_is_401_on_every_route_and_nothing_remains(
    scene: Scene, forgery: str
) -> None:
    forge, codes = FORGERIES[forgery]
    calls = [await _sample(scene, route) for route in ROUTES if route.caller is not Caller.ANYBODY]
    async with nothing_remains(scene):
        for call in calls:
            said = await scene.b.send(forge(scene, call))
            assert (call.target, said.status) == (call.target, 401)
            assert said.code in codes, call.target


@pytest.mark.parametrize("route", SIGNED)
async def test_a_call_replayed_after_its_window_is_401_and_tells_our_time(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        scene.network.clock.advance(seconds=301)
        said = await scene.b.send(call)
        assert (said.status, said.code) == (401, "clock_skew")
        assert said.members["time"].startswith(f"{scene.b.now:%Y-%m-%dT%H:%M:%S}")


METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", ""}


@pytest.mark.parametrize("route", SIGNED)
async def test_a_signed_call_replayed_with_another_method_is_refused(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    known = {one.method for one in ROUTES if one.path == route.path}
    async with nothing_remains(scene):
        for method in METHODS - {call.method}:
            said = await scene.b.send(replace(call, method=method))
            # Where the other route takes no body, or another one, it is refused even before.
            assert said.status in ({400, 401, 413, 415} if method in known else {404}), method


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_body_swapped_after_signing_is_refused(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        said = await scene.b.send(replace(call, body=_other_body(scene, call)))
        assert (said.status, said.code) == (400, "digest_mismatch")


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_body_swapped_together_with_its_digest_is_refused(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    swapped = replace(call, body=_other_body(scene, call))
    digest = _signed_anew(scene, swapped).headers["content-digest"]
    async with nothing_remains(scene):
        said = await scene.b.send(
            replace(swapped, headers={**call.headers, "content-digest": digest})
        )
        assert (said.status, said.code) == (401, "signature_invalid")


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_body_that_was_cut_off_is_refused(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        for body in (call.body[:-1], b""):
            said = await scene.b.send(replace(call, body=body))
            assert said.status in {400, 401}, said


@pytest.mark.parametrize("route", ALL)
async def test_a_body_larger_than_the_route_takes_is_413(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    big = b"{" + b" " * route.max_body
    async with nothing_remains(scene):
        said = await scene.b.send(
            scene.b.signed(call.method, call.target, big, base=scene.a.settings.url)
        )
        assert (said.status, said.code) == (413, "too_large")


OTHER_TYPES = (
    "text/plain",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/problem+json",
)


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_body_of_another_type_is_415(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        for content_type in set(OTHER_TYPES) - {route.media_type}:
            said = await scene.b.send(_signed_anew(scene, call, content_type=content_type))
            assert (content_type, said.status) == (content_type, 415)
            assert said.code == "unsupported_media_type"


NONSENSE = (
    b"",
    b"[]",
    b"null",
    b"{",
    b"{}x",
    b"\xef\xbb\xbf{}",
    b"\xff",
    b'{"a":1,"a":1}',
    b'{"a":NaN}',
    b'{"a":1.5}',
    b"{}",
    b'{"a":' * 2000,
    b'{"messages":{}}',
    b'{"messages":[{}]}',
    b'{"messages":[{"env":"a.b.c","data":"{}"}]}',
    b'{"signature":1}',
    b'{"request":1}',
    b'{"request":"a.b.c","signature":"a.b.c"}',
)


@pytest.mark.parametrize("route", WITH_JSON)
async def test_a_body_that_does_not_follow_the_protocol_is_refused(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        for body in NONSENSE:
            said = await scene.b.send(_signed_anew(scene, replace(call, body=body)))
            if said.status != 404 or (route.method, route.path) not in FOR_COLLECTORS:
                assert said.status in {400, 401}, body
                assert said.code in {"malformed", "signature_invalid"}, body


@pytest.mark.parametrize("route", OF_PEERS)
async def test_an_unknown_link_and_the_link_of_others_look_the_same(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    unknown = call.target.replace(scene.b.link_id, "lnk_" + "0" * 32)
    foreign = call.target.replace(scene.b.link_id, scene.c.link_id)
    async with nothing_remains(scene):
        said = [
            await scene.b.send(_signed_anew(scene, replace(call, target=target)))
            for target in (unknown, foreign)
        ]
        assert [one.status for one in said] == [401, 401]
        assert said[0].body == said[1].body
        assert set(said[0].headers) == set(said[1].headers)


@pytest.mark.parametrize("route", ALL)
async def test_a_path_that_is_no_route_is_404(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    path = call.target.partition("?")[0]
    async with nothing_remains(scene):
        for target in (
            f"{path}/",
            f"{path}/x",
            f"/x{path}",
            f"/{path}",
            path.upper(),
            f"{path}%00",
            path.replace("txp", "TXP"),
            f"{path};a",
        ):
            said = await scene.b.send(
                scene.b.signed(call.method, target, call.body, base=scene.a.settings.url)
            )
            assert (said.status, said.code) == (404, "not_found"), target


@pytest.mark.parametrize("route", OF_PEERS)
async def test_answers_to_a_peer_are_signed_by_the_node(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    door = scene.door()
    nowhere = call.target.replace(scene.digest, "A" * 43).replace("from=1", "from=x")
    for one in (_signed_anew(scene, replace(call, target=nowhere)), call):
        reply = await door.answer(one)
        http_signatures.verify_response(
            HttpResponse(reply.status, reply.headers, reply.body),
            HttpRequest(one.method, scene.a.settings.url + one.target, one.headers, one.body),
            lambda kid: scene.a.hub.keys.http.public if kid == scene.a.hub.keys.http.kid else None,
            scene.b.now,
        )
        if route.path.endswith("/messages") and reply.status == 200:
            scene.b.move_to(_answered(reply))


def _answered(reply: Reply) -> Answered:
    return Answered(reply.status, json.loads(reply.body or b"{}"), reply.headers, reply.body)


# --- replays inside the window ----------------------------------------------------------------


async def test_a_batch_replayed_inside_its_window_gets_the_same_receipt_and_no_second_effect(
    scene: Scene,
) -> None:
    handoff_id = scene.b.new_id("hnd")
    call = scene.b.batch(
        scene.b.message("handoff.offer", scene.b.offer_data("Дважды"), handoff=handoff_id),
        scene.b.message("comment.add", scene.b.comment_data(), handoff=handoff_id),
    )
    first = await scene.b.send(call)
    await scene.network.run_until_idle()
    async with nothing_remains(scene):
        for _ in range(3):
            scene.network.clock.advance(seconds=60)
            again = await scene.b.send(call)
            assert again.status == 200
            assert again.body == first.body


@pytest.mark.parametrize("route", WITHOUT_BODY)
async def test_a_reading_call_replayed_inside_its_window_changes_nothing(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene):
        first, again = [await scene.b.send(call) for _ in range(2)]
        assert (again.status, again.body) == (first.status, first.body)


async def test_a_request_to_be_linked_replayed_inside_its_window_makes_no_second_link(
    scene: Scene,
) -> None:
    call = await _request(scene)
    first = await scene.b.send(call)
    before = await stored(scene.a.hub)
    again = await scene.b.send(call)
    assert (again.status, again.body) == (first.status, first.body)
    assert changed(before, await stored(scene.a.hub)) == []


# --- reading: log, receipts, files ------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?dir=up",
        "?dir=",
        "?dir=in&from=x",
        "?dir=in&from=-1",
        "?dir=in&from=1.0",
        "?dir=in&limit=%31",
        "?dir=in&from=" + "9" * 16,
    ],
)
async def test_a_log_asked_for_wrongly_is_400(scene: Scene, query: str) -> None:
    async with nothing_remains(scene):
        said = await scene.b.call("GET", f"{scene.b.path}/log{query}")
        assert (said.status, said.code) == (400, "malformed")


async def test_the_log_gives_both_streams_as_their_authors_signed_them(scene: Scene) -> None:
    start = scene.b.seq + 1
    said = [await scene.b.ping(), await scene.b.ping()]
    theirs = await scene.b.call("GET", f"{scene.b.path}/log?dir=out&from={start}&limit=200")
    ours = await scene.b.call("GET", f"{scene.b.path}/log?dir=in&from=1&limit=200")
    assert theirs.members["messages"] == [{"env": one.env, "data": one.data} for one in said]
    assert [one["env"] for one in ours.members["messages"]] == [one.env for one in scene.b.heard]
    assert [one["data"] for one in ours.members["messages"]] == [
        one.data_text for one in scene.b.heard
    ]


async def test_the_log_and_the_receipts_of_one_link_hold_nothing_of_another(scene: Scene) -> None:
    """Both partners have said something at the same positions of their streams."""
    for mine, others in ((scene.b, scene.c), (scene.c, scene.b)):
        log = await mine.call("GET", f"{mine.path}/log?dir=out&from=1")
        links = [signing.stored_envelope(one["env"]).link for one in log.members["messages"]]
        assert set(links) == {mine.link_id} != {others.link_id}
        given = await mine.call("GET", f"{mine.path}/receipts?from=1")
        key = scene.a.hub.keys.message.public
        for text in given.members["receipts"]:
            open_receipt(text, key, link=mine.link_id, of=mine.node_id)  # raises for any other
        assert given.members["receipts"]


async def test_what_only_our_log_may_say_is_in_no_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`because` is for the node's own people: it names files, addresses and statements."""

    async def fails(*_what: object) -> None:
        raise Unavailable("overloaded", "Come again.", because="canary-7f3a of /srv/hub/hub.db")

    monkeypatch.setattr(peers, "issued_receipts", fails)
    said = await scene.b.call("GET", f"{scene.b.path}/receipts?from=1")
    assert said.status == 503
    assert b"canary" not in said.body
    assert not any("canary" in value for value in said.headers.values())


async def test_the_log_is_given_in_pages_of_at_most_two_hundred_messages(scene: Scene) -> None:
    for _ in range(2):
        pings = [scene.b.message("x.org.example.ping", {}, must=False) for _ in range(80)]
        assert (await scene.b.post(*pings)).status == 200
    given: list[dict[str, str]] = []
    while len(given) < scene.b.seq:
        start = len(given) + 1
        said = await scene.b.call("GET", f"{scene.b.path}/log?dir=out&from={start}&limit=100000")
        assert 0 < len(said.members["messages"]) <= 200
        given += said.members["messages"]
    assert len({one["env"] for one in given}) == len(given) == scene.b.seq


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("which", ["of the link of others", "internal", "of nothing"])
async def test_a_file_not_named_on_this_link_looks_like_one_that_does_not_exist(
    scene: Scene, which: str, method: str
) -> None:
    digest = {
        "of the link of others": scene.others,
        "internal": scene.secret,
        "of nothing": b64url(sha256(b"nothing").digest()),
    }[which]
    async with nothing_remains(scene):
        said = await scene.b.call(method, f"{scene.b.path}/blobs/{digest}")
        nothing = await scene.b.call(method, f"{scene.b.path}/blobs/{'A' * 43}")
        assert (said.status, said.code) == (404, "not_found")
        assert said.body == nothing.body


async def test_naming_a_digest_in_a_message_gives_nobody_the_right_to_read_it(
    scene: Scene,
) -> None:
    described = {"sha256": scene.secret, "size": 9, "media_type": "text/plain", "name": "x.txt",
                 "attachment_id": scene.b.new_id("att")}  # fmt: skip
    await scene.b.offer("Чужой файл", files=[described])
    await scene.network.run_until_idle()
    said = await scene.b.call("GET", f"{scene.b.path}/blobs/{scene.secret}")
    assert (said.status, said.code) == (404, "not_found")


# --- through real sockets ---------------------------------------------------------------------


@asynccontextmanager
async def served(scene: Scene) -> AsyncIterator[TestServer]:
    """A's doors behind the real server."""
    server = TestServer(app.web_app(scene.a.hub, scene.a.settings, scene.a.transport))
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


async def _over_http(server: TestServer, call: Call) -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(
            call.method,
            server.make_url("/").join(URL(call.target, encoded=True)),
            headers=call.headers,
            data=call.body or None,
            skip_auto_headers=("Content-Type",),
        ) as response,
    ):
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, await response.read()


async def _raw(server: TestServer, head: str, body: bytes = b"") -> tuple[int, str]:
    """Write exactly these bytes, and read the answer without sending anything more."""
    assert server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(65536), 5)
        return int(answer.split(b" ")[1]), answer.decode("latin-1")
    finally:
        writer.close()
        await writer.wait_closed()


def _head(call: Call, **more: str) -> str:
    headers = {
        "host": "127.0.0.1",
        **call.headers,
        **{k.replace("_", "-"): v for k, v in more.items()},
    }
    return "\n".join(
        [f"{call.method} {call.target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    )


@pytest.mark.parametrize("route", ALL)
async def test_a_right_call_is_answered_on_every_route_through_the_server(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with served(scene) as server:
        status, headers, body = await _over_http(server, call)
    assert status in ({404} if (route.method, route.path) in FOR_COLLECTORS else {200, 202})
    if route.path.endswith("/messages"):
        scene.b.move_to(Answered(status, json.loads(body), headers, body))
    if route.caller is not Caller.ANYBODY:
        http_signatures.verify_response(
            HttpResponse(status, headers, b"" if route.handler is _blob else body),
            HttpRequest(call.method, scene.a.settings.url + call.target, call.headers, call.body),
            lambda _kid: scene.a.hub.keys.http.public,
            scene.b.now,
        )


@pytest.mark.parametrize("route", SIGNED)
async def test_a_stranger_gets_its_401_before_a_byte_of_its_body_is_read(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene), served(scene) as server:
        status, answer = await _raw(
            server, _head(_unsigned(replace(call, headers={})), content_length="900000")
        )
        assert status == 401
        assert "application/problem+json" in answer
        assert "connection: close" in answer.lower()


@pytest.mark.parametrize("route", OF_PEERS)
async def test_a_key_of_another_link_gets_its_401_before_a_byte_of_its_body_is_read(
    scene: Scene, route: Route
) -> None:
    call = _signed_anew(scene, await _sample(scene, route), signer=scene.c.keys.http)
    async with nothing_remains(scene), served(scene) as server:
        status, answer = await _raw(server, _head(call, content_length="900000"))
        assert status == 401
        assert route.method == "HEAD" or '"key_unknown"' in answer


@pytest.mark.parametrize("route", SIGNED)
async def test_a_body_announced_too_large_is_413_before_it_is_read(
    scene: Scene, route: Route
) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene), served(scene) as server:
        status, answer = await _raw(server, _head(call, content_length=str(route.max_body + 1)))
        assert status == 413
        assert route.method == "HEAD" or '"too_large"' in answer


async def test_a_body_that_grows_too_large_while_it_comes_is_413(scene: Scene) -> None:
    call = await _batch(scene)
    async with nothing_remains(scene), served(scene) as server:
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        chunks = chunk * (MAX_BATCH_BYTES // 0x10000 + 1)
        status, _ = await _raw(server, _head(call, transfer_encoding="chunked"), chunks)
        assert status == 413


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_content_coding_is_415(scene: Scene, route: Route) -> None:
    call = await _sample(scene, route)
    async with nothing_remains(scene), served(scene) as server:
        for coding in ("gzip", "deflate", "identity, gzip", "x"):
            status, answer = await _raw(
                server,
                _head(call, content_encoding=coding, content_length=str(len(call.body))),
                call.body,
            )
            assert (coding, status) == (coding, 415)
            assert '"unsupported_media_type"' in answer


async def test_what_a_proxy_says_of_the_host_does_not_matter(scene: Scene) -> None:
    call = await _batch(scene)
    lying = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https",
             "forwarded": "host=evil.example"}  # fmt: skip
    async with served(scene) as server:
        status, headers, body = await _over_http(
            server, replace(call, headers={**call.headers, **lying})
        )
    assert status == 200
    scene.b.move_to(Answered(status, json.loads(body), headers, body))


WHOLE = (200, 0, len(WORDS))
RANGES = [
    (None, None, WHOLE),
    ("bytes=0-", None, WHOLE),
    ("bytes=7-", None, (206, 7, len(WORDS))),
    ("bytes=7-9", None, (206, 7, 10)),
    ("bytes=0-0", None, (206, 0, 1)),
    ("bytes=7-99999999", None, (206, 7, len(WORDS))),
    (f"bytes={len(WORDS) - 1}-", None, (206, len(WORDS) - 1, len(WORDS))),
    ("bytes=7-", "right", (206, 7, len(WORDS))),
    ("bytes=7-", '"another"', WHOLE),
    ("bytes=7-", "", WHOLE),
    # What we do not serve in part we serve whole (RFC 9110 §14.2: a range may be ignored).
    (f"bytes={len(WORDS)}-", None, WHOLE),
    ("bytes=9-7", None, WHOLE),
    ("bytes=-5", None, WHOLE),
    ("bytes=0-1,3-4", None, WHOLE),
    ("lines=1-2", None, WHOLE),
    ("bytes=", None, WHOLE),
    ("bytes=1-x", None, WHOLE),
    ("bytes=" + "9" * 40 + "-", None, WHOLE),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_is_given_whole_or_in_the_part_that_was_asked_for(
    scene: Scene, method: str
) -> None:
    target = f"{scene.b.path}/blobs/{scene.digest}"
    async with served(scene) as server:
        for asked, condition, (status, start, end) in RANGES:
            headers = {} if asked is None else {"range": asked}
            if condition is not None:
                headers["if-range"] = f'"{scene.digest}"' if condition == "right" else condition
            call = scene.b.signed(method, target, headers=headers)
            got, answered, body = await _over_http(server, call)
            assert (asked, got) == (asked, status)
            assert body == (b"" if method == "HEAD" else WORDS[start:end]), asked
            assert answered["content-length"] == str(end - start)
            assert answered["content-type"] == "application/octet-stream"
            assert answered["repr-digest"] == (f"sha-256=:{_standard(scene.digest)}:")
            if status == 206:
                assert answered["content-range"] == f"bytes {start}-{end - 1}/{len(WORDS)}"
            else:
                assert "content-range" not in answered


def _standard(digest: str) -> str:
    return digest.replace("-", "+").replace("_", "/") + "="


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_never_named_on_this_link_is_the_same_404_through_the_server(
    scene: Scene, method: str
) -> None:
    async with nothing_remains(scene), served(scene) as server:
        said = []
        for digest in (scene.others, scene.secret, "A" * 43):
            call = scene.b.signed(method, f"{scene.b.path}/blobs/{digest}")
            status, headers, body = await _over_http(server, call)
            said.append((status, sorted(headers), body))
            assert status == 404
        assert said[0] == said[1] == said[2]


async def test_a_path_in_disguise_reaches_no_route_through_the_server(scene: Scene) -> None:
    async with nothing_remains(scene), served(scene) as server:
        for target in (
            f"/txp/v1/links/{scene.b.link_id}/%6cog?dir=in",
            f"/txp/v1/../v1/links/{scene.b.link_id}/log?dir=in",
            f"/txp/v1/links/{scene.b.link_id}/log/?dir=in",
            f"//txp/v1/links/{scene.b.link_id}/log?dir=in",
        ):
            status, answer = await _raw(server, _head(scene.b.signed("GET", target)))
            assert status == 404, (target, answer)
