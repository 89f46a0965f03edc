"""C7: calls nobody signed, calls of others, sizes, types, replays, forks. Each leaves the link as
it was: the next right message is taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.conformance.implementation import Ability
from tests.conformance.peer import JSON, Peer, Said, comment_data, wire
from tests.conformance.runner import World, case

PING = "x.org.example.ping"


def _routes(peer: Peer, world: World) -> list[tuple[str, str, dict[str, object] | None]]:
    """Every call a peer may make of this node, made right but for its signature."""
    batch = {"messages": [peer.seal(PING, {}, must=False, keep=False)]}
    found: list[tuple[str, str, dict[str, object] | None]] = [
        ("POST", f"{peer.path}/messages", batch)
    ]
    if Ability.INVITE not in world.node.cannot:
        found += [("PUT", f"{peer.path}/agreement", peer.own_signature())]
        found += [("GET", f"/txp/v1/link-requests/{peer.link}", None)]
    if Ability.READ not in world.node.cannot:
        found += [
            ("GET", f"{peer.path}/log?dir=in&from=1", None),
            ("GET", f"{peer.path}/receipts?from=1", None),
        ]
    if Ability.RESTART not in world.node.cannot:
        found += [("POST", f"{peer.path}/sync", peer.standing())]
    if Ability.FILES not in world.node.cannot:
        found += [
            ("GET", f"{peer.path}/blobs/{'A' * 43}", None),
            ("HEAD", f"{peer.path}/blobs/{'A' * 43}", None),
        ]
    return found


STRANGER = Ed25519PrivateKey.generate()
FORGERIES: dict[str, Callable[[Peer, str, str, bytes], dict[str, str]]] = {
    "unsigned": lambda _p, _m, _u, body: {"Content-Type": JSON} if body else {},
    "a stranger's key": lambda p, m, u, b: p.sign(m, u, b, key=STRANGER),
    "our message key": lambda p, m, u, b: p.sign(m, u, b, key=p.msg),
    "our identity key": lambda p, m, u, b: p.sign(m, u, b, key=p.identity),
    "another address": lambda p, m, u, b: p.sign(m, u + "x", b),
    "another method": lambda p, m, u, b: p.sign("DELETE", u, b),
    "too old": lambda p, m, u, b: p.sign(m, u, b, at=datetime.now(UTC) - timedelta(seconds=320)),
    "from the future": lambda p, m, u, b: p.sign(
        m, u, b, at=datetime.now(UTC) + timedelta(seconds=320)
    ),
    "lives too long": lambda p, m, u, b: p.sign(m, u, b, life=timedelta(seconds=900)),
    "another tag": lambda p, m, u, b: p.sign(m, u, b, tag="other"),
    "covers no address": lambda p, m, u, b: p.sign(m, u, b, cover=["@method"]),
    "covers nothing but the address": lambda p, m, u, b: p.sign(m, u, b, cover=["@target-uri"]),
}


@case("C7")
async def forged_calls(world: World) -> None:
    """Every route of a peer x every way not to have signed: 401, and nothing is stored"""
    async with world.peer() as peer:
        for method, path, members in _routes(peer, world):
            body = wire.dump(members).encode() if members is not None else b""
            url = peer.hub["base"] + path
            for how, forge in FORGERIES.items():
                headers = {**forge(peer, method, url, body)}
                said = await peer.send(method, url, headers, body)
                assert said.status == 401, (how, method, path, said.status)
                assert not said.members.get("receipt")
                world.count()
        await peer.ping()


@case("C7")
async def keys_of_others(world: World) -> None:
    """A partner's key opens its own link only; an unknown link looks the same"""
    async with world.peer() as peer, world.peer("Сосед") as other:
        same_node = peer.hub["base"] == other.hub["base"]
        for method, path, members in _routes(peer, world):
            if not same_node:
                break  # each link of such a node is a node of its own
            theirs = path.replace(peer.link, other.link)
            nothing = path.replace(peer.link, wire.new_id("lnk"))
            said = [await peer.call(method, one, members) for one in (theirs, nothing)]
            assert [one.status for one in said] == [401, 401]
            assert said[0].body == said[1].body
            world.count(2)
        message = other.seal(PING, {}, must=False, keep=False)
        refused = await peer.post(message)
        assert refused.status in {400, 401}
        relabelled = other.seal(PING, {}, must=False, keep=False, link=peer.link, to=peer.hub["id"])
        refused = await peer.post(relabelled)
        assert refused.status in {400, 401}
        world.count(2)
        await peer.ping()
        await other.ping()


@case("C7")
async def swapped_bodies(world: World) -> None:
    """A body changed after signing is refused, with its old digest and with a new one"""
    async with world.peer() as peer:
        url = peer.hub["base"] + f"{peer.path}/messages"
        body = wire.dump({"messages": [peer.seal(PING, {}, must=False, keep=False)]}).encode()
        other = wire.dump({"messages": [], "more": 1}).encode()
        signed, again = peer.sign("POST", url, body), peer.sign("POST", url, other)
        for headers in (signed, {**signed, "Content-Digest": again["Content-Digest"]}):
            said = await peer.send("POST", url, headers, other)
            assert said.status in {400, 401}, said
            world.count()
        await peer.ping()


NONSENSE = [
    b"[]", b"null", b"{", b"{}", b"{}x", b"\xff", b'{"messages":{}}', b'{"messages":[{}]}',
    b'{"messages":[{"env":"a.b.c","data":"{}"}]}', b'{"messages":[{"env":1,"data":1}]}',
    b'{"messages":"x"}', b'{"messages":[null]}', b'{"messages":[], "messages":[]}',
    b'{"messages":[],"a":1.5}', b'{"messages":[],"a":NaN}', b'{"messages":[],"A":1}',
]  # fmt: skip
STRICT_NONSENSE = [
    b"\xef\xbb\xbf" + b'{"messages":[]}', b'{"messages":[],"a":9007199254740992}',
    b'{"messages":[],"a":"\\ud800"}', b'{"messages":[],"a":"\\u0000"}',
    b'{"messages":[],"a":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"messages":[],"a":' + b"[" * 20_000,
]  # fmt: skip


async def _nonsense(world: World, bodies: list[bytes]) -> None:
    async with world.peer() as peer:
        url = peer.hub["base"] + f"{peer.path}/messages"
        for body in bodies:
            said = await peer.send("POST", url, peer.sign("POST", url, body), body)
            assert said.status in {400, 401}, (body[:60], said.status)
            world.count()
        await peer.ping()


@case("C7")
async def nonsense(world: World) -> None:
    """A signed body that is no batch is refused"""
    await _nonsense(world, NONSENSE)


@case("C7", Ability.STRICT)
async def strict_nonsense(world: World) -> None:
    """A signed body that is no strict JSON is refused"""
    await _nonsense(world, STRICT_NONSENSE)


@case("C7", Ability.STRICT)
async def sizes_and_types(world: World) -> None:
    """Too large is 413, another type 415, a coding 415, too many messages 400"""
    async with world.peer() as peer:
        url = peer.hub["base"] + f"{peer.path}/messages"
        big = b'{"messages":[],"a":"' + b"x" * 1024 * 1024 + b'"}'
        said = await peer.send("POST", url, peer.sign("POST", url, big), big)
        assert (said.status, said.code) == (413, "too_large")
        body = b'{"messages":[]}'
        for kind in ("text/plain", "application/x-www-form-urlencoded", "text/html"):
            headers = peer.sign("POST", url, body, content_type=kind)
            assert (await peer.send("POST", url, headers, body)).status == 415
            world.count()
        headers = {**peer.sign("POST", url, body), "Content-Encoding": "gzip"}
        assert (await peer.send("POST", url, headers, body)).status == 415
        crowd = [peer.seal(PING, {}, must=False, keep=False)] * 101
        assert (await peer.post(*crowd)).status == 400
        long = peer.seal(PING, {"a": "x" * 65_600}, must=False, keep=False)
        assert (await peer.post(long)).status == 400
        world.count(4)
        await peer.ping()


@case("C7")
async def replays(world: World) -> None:
    """A call caught on the way and sent again has no second effect"""
    async with world.peer() as peer:
        url = peer.hub["base"] + f"{peer.path}/messages"
        body = wire.dump({"messages": [peer.seal(PING, {}, must=False)]}).encode()
        headers = peer.sign("POST", url, body)
        first = await peer.send("POST", url, headers, body)
        for _ in range(5):
            again = await peer.send("POST", url, headers, body)
            assert (again.status, again.members) == (200, first.members)
            world.count()
        await peer.ping()


async def _another_text(peer: Peer) -> Said:
    other = peer.seal(PING, {}, must=False, keep=False)
    await peer.ping()
    return await peer.post(other)


async def _another_past(peer: Peer) -> Said:
    await peer.ping()
    return await peer.post(peer.seal(PING, {}, must=False, keep=False, prev=peer.start))


FORKS: list[Callable[[Peer], Awaitable[Said]]] = [_another_text, _another_past]


@case("C7")
async def forks(world: World) -> None:
    """Two signed histories are `fork_detected`, and what was receipted stays receipted"""
    for fork in FORKS:
        async with world.peer() as peer:
            said = await fork(peer)
            assert (said.status, said.code) == (409, "fork_detected")
            assert peer.receipt(said)["upto"] == 1
            again = await peer.post(peer.sent[0][0])
            assert (again.status, peer.receipt(again)["upto"]) == (200, 1)
            world.count(2)


@case("C7", Ability.CONTRACT, Ability.FULL)
async def things_of_others(world: World) -> None:
    """A hand-off of another link is the same as none, and our own words are not the peer's"""
    async with world.peer() as peer, world.peer("Сосед") as other:
        foreign, own = await other.offer("Чужое"), await peer.offer("Своё")
        await world.reached(foreign, "offered")
        await world.reached(own, "offered")
        await world.node.comment(own, "Слово узла", public=True)
        ours = (await peer.hear("comment.add", own)).data["comment_id"]
        after = len(peer.heard)
        for handoff in (foreign, wire.new_id("hnd")):
            await peer.say("comment.add", comment_data(peer.name, "Чужое"), handoff)
            await peer.say("handoff.update", {"title": "Чужое"}, handoff)
        said = await peer.rejections(4, after)
        assert {one["code"] for one in said} == {"unknown_handoff"}
        assert said[0].get("detail") == said[2].get("detail")
        edit = {"comment_id": ours, "rev": 2, "body": "x", "format": "plain", "at": wire.instant()}
        await peer.say("comment.edit", edit, own)
        await peer.say("comment.redact", {"comment_id": ours, "at": wire.instant()}, own)
        said = await peer.rejections(6, after)
        assert {one["code"] for one in said[4:]} == {"scope_denied"}
        assert (await world.node.ticket(foreign))["title"] == "Чужое"
        world.count(6)
