"""Keys change: in the stream, by a call, under way, both at once; and everything that pretends to.

RELIABILITY A17: a key that changes without a rotation, an old key that comes back, a rotation
that is replayed or signed by whoever was revoked: nothing of it is believed, people are told.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub import faults
from hub.actions import handoffs as handoff_actions
from hub.actions import invitations, keyring, keys, links, peer_keys, peers, tickets
from hub.actions.context import Hub
from hub.actions.handoffs import OfferHandoff
from hub.errors import Conflict, Misconfigured, NotFound, Refused, Unavailable
from hub.federation import linking
from hub.federation.door import Call, Reply
from hub.federation.probe import probe
from hub.ids import LinkId
from hub.protocol import http_signatures, signing, strict_json
from hub.protocol.http_signatures import HttpRequest
from hub.protocol.keys import (
    KeyEntry,
    KeySet,
    KeyUse,
    PrivateKey,
    RevokedKey,
    seal_key_set,
)
from hub.protocol.succession import seal_succession
from hub.storage import audit, nodes, own_keys, streams
from hub.storage import inbox as kept_inbox
from hub.storage import links as kept_links
from hub.storage import outbox as kept_outbox
from hub.storage.inbox import InboxState
from hub.storage.links import LinkState
from tests.conftest import NewDatabase
from tests.kit.clock import SeededEntropy
from tests.kit.copies import copy_of, put_back
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network

ALL = frozenset(KeyUse)


@pytest.fixture
async def network(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Network]:
    made = Network(quick_path, databases, seed="keys")
    yield made
    await made.close()


@pytest.fixture
async def two(network: Network) -> tuple[Company, Company, LinkId]:
    a, b = await network.company("Сервис Плюс"), await network.company("Мастер-Юг")
    link_id = LinkId(await network.link(a, b))
    await network.run_until_idle()
    return a, b, link_id


async def say(company: Company, link_id: LinkId, title: str = "Касса") -> None:
    """One message to the partner: an offer."""
    ticket = await tickets.create(company.hub, company.dispatcher, tickets.NewTicket(title=title))
    await handoff_actions.offer(company.hub, company.dispatcher, OfferHandoff(ticket.id, link_id))


async def heard(company: Company) -> list[str]:
    """Titles of tickets that came by links."""
    from hub.storage import tickets as kept

    found = await company.hub.db.read(lambda c: kept.page(c, status=None, before=None, limit=1000))
    return sorted(one.title for one in found if one.created_by is None)


async def kinds(company: Company) -> list[str]:
    return sorted(one.kind for one in await company.hub.db.read(audit.open_alerts))


async def kids(company: Company, link_id: LinkId) -> list[tuple[str, str]]:
    """(type, key) of everything this company sent, in order."""
    rows = await company.hub.db.read(lambda c: kept_outbox.after(c, link_id, 0, 1000))
    return [(row.type, signing.peek_kid(row.env)) for row in rows]


async def waiting(company: Company, link_id: LinkId) -> int:
    stream = await company.hub.db.read(lambda c: streams.get(c, link_id))
    assert stream is not None
    return stream.out_seq - stream.receipted_seq


async def link_of(company: Company, link_id: LinkId) -> kept_links.Link:
    return await company.hub.db.read(lambda c: kept_links.get(c, link_id))


async def refused(company: Company, link_id: LinkId) -> list[str]:
    rows = await company.hub.db.read(lambda c: kept_inbox.log_from(c, link_id, 1, 1000))
    return [row.type for row in rows if row.state is InboxState.REFUSED]


# --- ordinary rotation ------------------------------------------------------------------------


async def test_what_stands_behind_the_announcement_is_sealed_with_the_new_key(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    old = a.hub.keys.message.kid
    await say(a, link_id, "до")
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "после")
    new = a.hub.keys.message.kid
    tail = (await kids(a, link_id))[-3:]
    assert tail == [("handoff.offer", old), ("link.keys", old), ("handoff.offer", new)]
    await network.run_until_idle()
    assert await heard(b) == ["до", "после"]
    assert await waiting(a, link_id) == 0
    assert (await kinds(a), await kinds(b)) == ([], [])
    assert (await link_of(b, link_id)).peer_key_set_version == 2


async def test_an_announcement_in_the_middle_of_a_batch_holds_for_what_stands_behind_it(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    for number in range(3):
        await say(a, link_id, f"{number}")
        await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "3")
    before = len(network.wire.calls)
    await a.turn()
    posts = [one for one in network.wire.calls[before:] if one[1].target.endswith("/messages")]
    assert len(posts) == 1  # all of it in one batch
    await network.run_until_idle()
    assert await heard(b) == ["0", "1", "2", "3"]
    assert (await kinds(b), await refused(b, link_id)) == ([], [])


async def test_calls_are_signed_with_the_old_key_until_the_peer_has_a_receipt_for_the_new_one(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, _b, link_id = two
    old = a.hub.keys.http.kid
    await keys.rotate(a.hub, a.dispatcher, ALL)
    pinned = await peers.keys(a.hub, link_id)
    assert pinned is not None
    assert keyring.http_key(a.hub, pinned.told).kid == old
    await network.run_until_idle()
    pinned = await peers.keys(a.hub, link_id)
    assert pinned is not None
    assert keyring.http_key(a.hub, pinned.told).kid == a.hub.keys.http.kid != old


async def test_the_old_http_key_is_good_for_the_overlap_and_not_longer(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    old = a.hub.keys.http
    await keys.rotate(a.hub, a.dispatcher, frozenset({KeyUse.HTTP}))
    await network.run_until_idle()
    days = a.hub.limits.http_key_overlap_days
    target = f"/txp/v1/links/{link_id}/log?dir=in&from=1"

    async def status() -> int:
        request = HttpRequest("GET", b.settings.url + target, {}, b"")
        headers = http_signatures.sign_request(request, old, network.clock.now())
        door = network.wire.doors[b.settings.url]
        door.forget_keys()
        from hub.federation.door import Call

        return (await door.answer(Call("GET", target, headers))).status

    assert await status() == 200
    network.clock.advance(days=days, seconds=-10)
    assert await status() == 200
    network.clock.advance(seconds=20)
    assert await status() == 401


async def test_a_lost_announcement_is_said_again_and_nothing_stands_still(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    lost = {"left": 2}

    def lose(_caller: str, _method: str, url: str) -> str | None:
        if url.endswith("/messages") and lost["left"]:
            lost["left"] -= 1
            return "drop_request" if lost["left"] else "drop_reply"
        return None

    network.wire.fault = lose
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "после")
    await network.run_for(minutes=2)
    await say(b, link_id, "встречная")
    await network.run_for(minutes=2)
    assert (await heard(b), await heard(a)) == (["после"], ["встречная"])
    assert (await kinds(a), await kinds(b)) == ([], [])


async def test_both_sides_rotate_at_once(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    for company in (a, b):
        await say(company, link_id, "до")
        await keys.rotate(company.hub, company.dispatcher, ALL)
        await say(company, link_id, "после")
    await network.run_for(minutes=1)
    assert await heard(a) == await heard(b) == ["до", "после"]
    assert await waiting(a, link_id) == await waiting(b, link_id) == 0
    assert (await kinds(a), await kinds(b)) == ([], [])


async def test_a_partner_that_was_away_for_two_rotations_hears_of_both(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    network.wire.down.add(b.settings.url)
    for number in range(2):
        await say(a, link_id, f"{number}")
        await keys.rotate(a.hub, a.dispatcher, ALL)
        await network.run_for(seconds=5)
        network.clock.advance(days=8)  # longer than the overlap
    await say(a, link_id, "2")
    network.wire.down.clear()
    await network.run_for(minutes=2)
    assert await heard(b) == ["0", "1", "2"]
    assert (await link_of(b, link_id)).peer_key_set_version == 3
    assert await waiting(a, link_id) == 0
    assert "keys_refused" not in await kinds(b)


async def test_a_partner_whose_receipt_for_our_keys_was_lost_understands_us_after_the_overlap(
    network: Network,
) -> None:
    """It has the new keys, the old one has run out for it, and nobody can call it to ask."""
    a = await network.company("A")
    b = await network.company("B", outbound_only=True)
    link_id = await network.link(a, b)
    await network.run_until_idle()
    network.wire.fault = lambda _caller, method, url: (
        "drop_request" if method == "POST" and url.startswith(a.settings.url) else None
    )
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await network.run_for(seconds=30)
    assert (await link_of(b, link_id)).peer_key_set_version == 2
    pinned = await peers.keys(a.hub, link_id)
    assert pinned is not None and pinned.told == 1
    network.wire.down.add(b.settings.url)
    network.clock.advance(days=a.hub.limits.http_key_overlap_days + 1)
    network.wire.down.clear()
    network.wire.fault = lambda _caller, _method, _url: None
    await say(a, link_id, "после")
    await network.run_for(minutes=5)
    assert await heard(b) == ["после"]
    assert await waiting(a, link_id) == 0


async def test_a_tail_signed_again_after_a_start_has_the_right_key_at_every_position(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    old = a.hub.keys.message.kid
    network.wire.down.add(b.settings.url)
    await say(a, link_id, "до")
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "после")
    await network.stop(a)
    await network.start(a)
    network.wire.down.clear()
    await network.run_for(minutes=2)
    new = a.hub.keys.message.kid
    tail = (await kids(a, link_id))[-4:]
    assert tail == [
        ("link.epoch", old),
        ("handoff.offer", old),
        ("link.keys", old),
        ("handoff.offer", new),
    ]
    assert await heard(b) == ["до", "после"]
    assert await kinds(b) == []


async def test_old_messages_are_verifiable_after_many_rotations(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    for number in range(3):
        await say(a, link_id, f"{number}")
        await keys.rotate(a.hub, a.dispatcher, ALL)
        await network.run_until_idle()
    rows = await b.hub.db.read(lambda c: kept_inbox.log_from(c, link_id, 1, 100))
    pinned = await b.hub.db.read(lambda c: kept_links.keys(c, link_id))
    for row in rows:
        holds = [one for one in pinned if one.seals(row.seq)]
        assert [one.kid for one in holds] == [signing.peek_kid(row.env)]


async def test_keys_that_change_during_a_handshake_are_the_first_thing_the_partner_hears(
    network: Network,
) -> None:
    a, b = await network.company("А"), await network.company("Б")
    invited = await invitations.invite(a.hub, a.dispatcher, "Б")
    prepared = await linking.accept(b.hub, b.transport, b.dispatcher, invited.code)
    await keys.rotate(b.hub, b.dispatcher, ALL)
    await keys.replace_identity(b.hub, b.dispatcher)
    await invitations.confirm(b.hub, b.dispatcher, prepared.link.id)
    link_id = prepared.link.id
    # The inviter knows the keys of the request, so that is what the call must be signed with.
    await network.run_for(minutes=2)
    await network.run_until_idle()
    link = await link_of(b, link_id)
    assert link.state is LinkState.ACTIVE
    assert (await link_of(a, link_id)).peer_key_set_version == 3
    await say(b, link_id, "после")
    await network.run_for(minutes=2)
    assert await heard(a) == ["после"]


# --- what is no rotation ----------------------------------------------------------------------


@pytest.fixture
async def scene(network: Network) -> tuple[Company, FakePeer]:
    a = await network.company("Сервис Плюс")
    peer = FakePeer.of(network, "Мастер-Юг")
    await peer.link_with(a)
    await network.run_until_idle()
    return a, peer


def a_key(name: str) -> PrivateKey:
    return PrivateKey.generate(SeededEntropy(name))


def a_set(
    peer: FakePeer,
    version: int,
    message: PrivateKey,
    *,
    http: PrivateKey | None = None,
    revoked: tuple[PrivateKey, ...] = (),
    **other: object,
) -> KeySet:
    until = peer.now + timedelta(days=3650)
    made = KeySet(
        node_id=peer.node_id,
        version=version,
        identity_version=1,
        keys=(
            KeyEntry(message.kid, message.public, KeyUse.MSG, peer.now, until),
            KeyEntry(
                (http or peer.keys.http).kid,
                (http or peer.keys.http).public,
                KeyUse.HTTP,
                peer.now,
                until,
            ),
        ),
        revoked=tuple(RevokedKey(one.kid, "stolen") for one in revoked),
        issued_at=peer.now,
        expires=until,
    )
    return replace(made, **other)  # type: ignore[arg-type]


async def test_a_message_under_a_key_nobody_announced_is_refused(
    scene: tuple[Company, FakePeer],
) -> None:
    _a, peer = scene
    said = await peer.post(
        peer.message("x.org.example.ping", {}, must=False, keep=False, signer=a_key("new"))
    )
    assert (said.status, said.code) == (401, "key_unknown")
    await peer.ping()


async def test_the_old_key_after_a_rotation_is_refused_and_an_alarm(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    new = a_key("new")
    await peer.say("link.keys", {"key_set": seal_key_set(a_set(peer, 2, new), peer.keys.identity)})
    said = await peer.post(peer.message("x.org.example.ping", {}, must=False, keep=False))
    assert (said.status, said.code) == (401, "key_unknown")
    assert await kinds(a) == ["keys_misused"]
    await peer.say("x.org.example.ping", {}, must=False, signer=new)


async def refused_announcement(
    scene: tuple[Company, FakePeer], data: dict[str, object], new: PrivateKey
) -> None:
    """It is stored and refused, people are told, and the new key is not believed."""
    a, peer = scene
    await peer.say("link.keys", data)
    await a.turn()
    assert await refused(a, peer.link_id) == ["link.keys"]
    assert await kinds(a) == ["keys_refused"]
    said = await peer.post(
        peer.message("x.org.example.ping", {}, must=False, keep=False, signer=new)
    )
    assert (said.status, said.code) == (401, "key_unknown")
    await peer.ping()  # the old key goes on


async def test_an_announcement_that_the_identity_did_not_sign_changes_nothing(
    scene: tuple[Company, FakePeer],
) -> None:
    peer, new = scene[1], a_key("new")
    for_all = seal_key_set(a_set(peer, 2, new, identity_version=2), a_key("thief"))
    await refused_announcement(scene, {"key_set": for_all}, new)


async def test_an_announcement_of_another_node_changes_nothing(
    scene: tuple[Company, FakePeer],
) -> None:
    peer, new = scene[1], a_key("new")
    made = a_set(peer, 2, new, node_id=scene[0].hub.account.node_id, identity_version=2)
    await refused_announcement(scene, {"key_set": seal_key_set(made, peer.keys.identity)}, new)


async def test_a_second_key_set_of_the_same_version_changes_nothing(
    scene: tuple[Company, FakePeer],
) -> None:
    peer, new = scene[1], a_key("new")
    made = a_set(peer, 1, new)
    await refused_announcement(scene, {"key_set": seal_key_set(made, peer.keys.identity)}, new)


async def test_an_identity_that_only_the_new_key_vouches_for_changes_nothing(
    scene: tuple[Company, FakePeer],
) -> None:
    peer, new, thief = scene[1], a_key("new"), a_key("thief")
    texts = seal_succession(peer.node_id, 2, a_key("not the pinned one"), thief, peer.now)
    made = a_set(peer, 2, new, identity_version=2)
    data = {"key_set": seal_key_set(made, thief), "succession": list(texts)}
    await refused_announcement(scene, data, new)


async def test_an_old_announcement_that_is_replayed_is_refused(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    first, second = a_key("first"), a_key("second")
    text = seal_key_set(a_set(peer, 2, first), peer.keys.identity)
    await peer.say("link.keys", {"key_set": text})
    later = seal_key_set(a_set(peer, 3, second), peer.keys.identity)
    await peer.say("link.keys", {"key_set": later}, signer=first)
    await peer.say("link.keys", {"key_set": text}, signer=second)
    await a.turn()
    assert await refused(a, peer.link_id) == ["link.keys"]
    assert await kinds(a) == ["keys_refused"]
    assert (await link_of(a, peer.link_id)).peer_key_set_version == 3
    await peer.say("x.org.example.ping", {}, must=False, signer=second)
    said = await peer.post(
        peer.message("x.org.example.ping", {}, must=False, keep=False, signer=first)
    )
    assert said.status == 401


@pytest.mark.parametrize("genuine", [True, False])
async def test_keys_of_a_former_identity_that_the_stream_brings_late_seal_where_they_stand_and_no_further(
    scene: tuple[Company, FakePeer], genuine: bool
) -> None:
    """Restored, we may hear of the newest identity by a call, before our stream comes to it."""
    a, peer = scene
    second, third, identity = a_key("second"), a_key("third"), a_key("identity")
    older = seal_key_set(a_set(peer, 2, second), peer.keys.identity if genuine else second)
    newest = seal_key_set(a_set(peer, 3, third, identity_version=2), identity)
    texts = seal_succession(peer.node_id, 2, peer.keys.identity, identity, peer.now)
    body = {"key_set": newest, "succession": list(texts), "upto": peer.seq, "head": peer.head}
    said = await peer.call("POST", f"{peer.path}/keys", strict_json.dump(body).encode())
    assert said.status == 200
    await peer.say("link.keys", {"key_set": older})
    if genuine:  # it was said when nobody knew of the third key, and is never signed again
        await peer.say("x.org.example.ping", {}, must=False, signer=second)
    await peer.say("link.keys", {"key_set": newest, "succession": list(texts)})
    await peer.say("x.org.example.ping", {}, must=False, signer=third)
    await a.turn()
    assert await refused(a, peer.link_id) == ([] if genuine else ["link.keys"])
    assert await kinds(a) == ([] if genuine else ["keys_refused"])
    link = await link_of(a, peer.link_id)
    assert (link.peer_key_set_version, json.loads(link.peer_identity)) == (3, identity.public.jwk)
    said = await peer.post(
        peer.message("x.org.example.ping", {}, must=False, keep=False, signer=second)
    )
    assert (said.status, said.code) == (401, "key_unknown")


async def test_a_second_copy_of_an_announcement_is_a_second_copy(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    new = a_key("new")
    sealed = await peer.say(
        "link.keys", {"key_set": seal_key_set(a_set(peer, 2, new), peer.keys.identity)}
    )
    said = await peer.post(sealed)
    assert said.status == 200
    await a.turn()
    assert await kinds(a) == []


def tell(peer: FakePeer, key_set: KeySet, *, signer: PrivateKey, upto: int, head: str) -> object:
    said = {"key_set": seal_key_set(key_set, peer.keys.identity), "upto": upto, "head": head}
    return peer.call("POST", f"{peer.path}/keys", strict_json.dump(said).encode(), signer=signer)


async def test_a_rotation_by_the_revoked_key_after_its_revocation_is_refused(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    await peer.ping()
    new, http = a_key("new"), a_key("http")
    made = a_set(peer, 2, new, http=http, revoked=(peer.keys.message, peer.keys.http))
    said = await tell(peer, made, signer=http, upto=peer.seq, head=peer.head)  # type: ignore[misc]
    assert said.status == 200
    thief = a_key("thief")
    stolen = peer.message(
        "link.keys",
        {"key_set": seal_key_set(a_set(peer, 3, thief), thief)},
        keep=False,
    )
    # With the stolen http key nobody gets in at all; with the new one the message is refused.
    assert (await peer.post(stolen)).status == 401
    peer.keys = replace(peer.keys, http=http)
    said = await peer.post(stolen)
    assert (said.status, said.code) == (401, "key_revoked")
    assert sorted(await kinds(a)) == ["keys_misused", "peer_keys_revoked"]
    assert (await link_of(a, peer.link_id)).state is LinkState.SUSPENDED


async def test_keys_told_by_a_call_must_be_the_identitys_and_signed_by_their_own_http_key(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    new, http, thief = a_key("new"), a_key("http"), a_key("thief")
    made = a_set(peer, 2, new, http=http, revoked=(peer.keys.message,))
    body = {"key_set": seal_key_set(made, thief), "upto": 0, "head": peer.head}
    path = f"{peer.path}/keys"
    said = await peer.call("POST", path, strict_json.dump(body).encode(), signer=http)
    assert said.status == 400 or said.code == "signature_invalid"
    body["key_set"] = seal_key_set(replace(made, identity_version=2), thief)
    said = await peer.call("POST", path, strict_json.dump(body).encode(), signer=http)
    assert (said.status, said.code) == (401, "signature_invalid")
    assert await kinds(a) == ["keys_refused"]
    body["key_set"] = seal_key_set(made, peer.keys.identity)
    for wrong in (thief, new, peer.keys.http, peer.keys.identity):
        said = await peer.call("POST", path, strict_json.dump(body).encode(), signer=wrong)
        assert (said.status, said.code) == (401, "key_unknown")
    assert (await link_of(a, peer.link_id)).state is LinkState.ACTIVE
    assert (await link_of(a, peer.link_id)).peer_key_set_version == 1


async def test_what_came_under_the_revoked_key_and_nobody_vouches_for_is_kept_and_not_applied(
    scene: tuple[Company, FakePeer],
) -> None:
    a, peer = scene
    await peer.offer("своя")
    await a.turn()
    known = (peer.seq, peer.head)
    await peer.offer("чужая")  # by whoever has the key
    new, http = a_key("new"), a_key("http")
    made = a_set(peer, 2, new, http=http, revoked=(peer.keys.message, peer.keys.http))
    said = await tell(peer, made, signer=http, upto=known[0], head=known[1])  # type: ignore[misc]
    assert (said.status, said.members["contested"]) == (200, 1)
    await a.turn()
    assert await heard(a) == ["своя"]
    assert sorted(await kinds(a)) == ["messages_contested", "peer_keys_revoked"]
    # The partner finds out that it was its own: it vouches for it, and it is applied.
    said = await tell(peer, made, signer=http, upto=peer.seq, head=peer.head)  # type: ignore[misc]
    assert (said.status, said.members["contested"]) == (200, 0)
    await a.turn()
    assert await heard(a) == ["своя", "чужая"]
    assert await kinds(a) == ["peer_keys_revoked"]


Earlier = Callable[[FakePeer], list[object]]
MALFORMED, FORGED = (400, "malformed"), (401, "signature_invalid")


@pytest.mark.parametrize(
    ("earlier", "refused"),
    [
        (lambda _: {"x": "x"}, MALFORMED),
        (lambda peer: [own_set(peer, 2)] * 33, MALFORMED),
        (lambda _: [1], FORGED),
        (lambda _: ["no.key.set"], FORGED),
        (lambda peer: [own_set(peer, 2), own_set(peer, 2, by=a_key("second"))], FORGED),
        (lambda peer: [own_set(peer, 4)], MALFORMED),  # not earlier
        (lambda peer: [own_set(peer, 1)], MALFORMED),  # another one of that version is known
        (lambda peer: [own_set(peer, 2, node_id=a_key("x").kid, identity_version=2)], MALFORMED),
    ],
    ids=["no list", "too many", "no text", "no set", "forged", "later", "two of one", "another's"],
)
async def test_earlier_keys_in_a_call_must_be_the_peers_own_or_none_of_the_call_is_taken(
    scene: tuple[Company, FakePeer], earlier: Earlier, refused: tuple[int, str]
) -> None:
    a, peer = scene
    before = await a.hub.db.read(lambda c: kept_links.keys(c, peer.link_id))
    body = {
        "key_set": own_set(peer, 4, key=a_key("fourth")),
        "earlier": earlier(peer),
        "upto": peer.seq + 5,
        "head": "A" * 43,
    }
    said = await peer.call("POST", f"{peer.path}/keys", strict_json.dump(body).encode())
    assert (said.status, said.code) == refused
    assert await kinds(a) == ["keys_refused"]
    assert await a.hub.db.read(lambda c: kept_links.keys(c, peer.link_id)) == before
    assert (await link_of(a, peer.link_id)).peer_key_set_version == 1
    await peer.ping()


def own_set(
    peer: FakePeer,
    version: int,
    *,
    key: PrivateKey | None = None,
    by: PrivateKey | None = None,
    **other: object,
) -> str:
    made = a_set(peer, version, key or a_key("second"), **other)  # type: ignore[arg-type]
    return seal_key_set(made, by or peer.keys.identity)


async def test_earlier_keys_seal_what_their_owner_vouches_for_and_was_lost_here_and_nothing_else(
    scene: tuple[Company, FakePeer],
) -> None:
    """Whoever stole such a key gains nothing by the call that tells of it."""
    a, peer = scene
    await peer.ping()
    second, third = a_key("second"), a_key("third")
    newest = a_set(peer, 3, third, revoked=(second,))
    body = {
        "key_set": seal_key_set(newest, peer.keys.identity),
        "earlier": [own_set(peer, 2)],
        "upto": peer.seq,
        "head": peer.head,
    }

    async def tell_again(upto: int) -> None:
        call = strict_json.dump(body | {"upto": upto}).encode()
        assert (await peer.call("POST", f"{peer.path}/keys", call)).status == 200

    async def under_the_second(*, keep: bool) -> int:
        sealed = peer.message("x.org.example.ping", {}, must=False, keep=keep, signer=second)
        return (await peer.post(sealed)).status

    await tell_again(peer.seq)  # nothing is missing here
    assert await under_the_second(keep=False) == 401
    assert (await link_of(a, peer.link_id)).state is LinkState.ACTIVE
    await tell_again(peer.seq + 1)  # we lost one
    assert (await link_of(a, peer.link_id)).state is LinkState.SUSPENDED
    await links.resume(a.hub, a.dispatcher, peer.link_id)
    assert await under_the_second(keep=True) == 200
    assert await under_the_second(keep=False) == 401
    assert await kinds(a) == ["keys_misused"]


# --- revocation -------------------------------------------------------------------------------


async def test_a_revocation_is_told_by_a_call_and_stops_the_link_until_both_sides_resume(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    await say(a, link_id, "до")
    await network.run_until_idle()
    stolen = a.hub.keys
    await keys.revoke(a.hub, a.dispatcher, stolen.message.kid, "Ноутбук украден")
    with pytest.raises(Conflict, match="keys_not_told"):
        await links.resume(a.hub, a.dispatcher, link_id)
    await network.run_until_idle()
    for company, alert in ((a, "keys_revoked"), (b, "peer_keys_revoked")):
        assert (await link_of(company, link_id)).state is LinkState.SUSPENDED
        assert await kinds(company) == [alert]
    await links.resume(a.hub, a.dispatcher, link_id)
    await say(a, link_id, "между")
    await network.run_for(minutes=2)
    assert await heard(b) == ["до"]
    await links.resume(b.hub, b.dispatcher, link_id)
    await network.run_for(minutes=3)
    assert await heard(b) == ["до", "между"]
    assert (await kinds(a), await kinds(b)) == ([], [])
    assert (await kids(a, link_id))[-1][1] == a.hub.keys.message.kid != stolen.message.kid


@pytest.mark.parametrize("use", ["msg", "http"])
async def test_a_tail_sealed_with_the_revoked_key_is_sealed_again_and_arrives_once(
    network: Network, two: tuple[Company, Company, LinkId], use: str
) -> None:
    a, b, link_id = two
    network.wire.down.add(b.settings.url)
    await say(a, link_id, "в пути")
    await network.run_for(seconds=10)
    kid = a.hub.keys.message.kid if use == "msg" else a.hub.keys.http.kid
    await keys.revoke(a.hub, a.dispatcher, kid, "утечка")
    await network.run_for(seconds=20)
    assert (await link_of(a, link_id)).keys_call
    network.wire.down.clear()
    await network.run_for(minutes=3)
    assert not (await link_of(a, link_id)).keys_call
    for company in (a, b):
        await links.resume(company.hub, company.dispatcher, link_id)
    await network.run_for(minutes=2)
    assert await heard(b) == ["в пути"]
    assert await waiting(a, link_id) == 0
    assert (await kinds(a), await kinds(b)) == ([], [])
    if use == "msg":
        tail = await kids(a, link_id)
        received = [k for t, k in tail if t in {"handoff.offer", "link.keys"}]
        assert set(received) == {a.hub.keys.message.kid}


async def test_a_key_that_was_replaced_before_the_partner_heard_of_it_seals_nothing(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    """The call brings the newest keys at once: those in between are never known over there."""
    a, b, link_id = two
    network.wire.down.add(b.settings.url)
    await keys.revoke(a.hub, a.dispatcher, a.hub.keys.message.kid, "ноутбук украден")
    await keys.rotate(a.hub, a.dispatcher, frozenset({KeyUse.MSG}))
    await a.turn()
    network.wire.down.clear()
    await network.run_for(minutes=1)
    for company in (a, b):
        await links.resume(company.hub, company.dispatcher, link_id)
    await say(a, link_id, "потом")
    await network.run_for(minutes=3)
    assert await heard(b) == ["потом"]
    assert await waiting(a, link_id) == 0
    assert await refused(b, link_id) == []


async def test_messages_whose_receipt_was_lost_are_vouched_for_after_a_revocation(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    network.wire.fault = lambda _caller, _method, url: (
        "drop_reply" if url.endswith("/messages") else None
    )
    await say(a, link_id, "принято без квитанции")
    await a.turn()
    network.wire.fault = lambda _caller, _method, _url: None
    await keys.revoke(a.hub, a.dispatcher, a.hub.keys.message.kid, "утечка")
    await network.run_for(minutes=3)
    assert await waiting(a, link_id) <= 2  # the epoch and the announcement, at most
    assert await heard(b) == ["принято без квитанции"]
    assert await kinds(b) == ["peer_keys_revoked"]
    assert "keys_misused" not in await kinds(a)


async def test_an_identity_key_cannot_be_revoked_and_a_strange_one_is_not_known(
    two: tuple[Company, Company, LinkId],
) -> None:
    a = two[0]
    with pytest.raises(Refused, match="identity_compromised"):
        await keys.revoke(a.hub, a.dispatcher, a.hub.keys.identity.kid, "x")
    with pytest.raises(NotFound):
        await keys.revoke(a.hub, a.dispatcher, "A" * 43, "x")
    kid = a.hub.keys.http.kid
    await keys.revoke(a.hub, a.dispatcher, kid, "x")
    with pytest.raises(Conflict, match="already_revoked"):
        await keys.revoke(a.hub, a.dispatcher, kid, "x")


# --- another identity -------------------------------------------------------------------------


async def test_an_identity_is_followed_by_another_and_the_node_keeps_its_id(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    node_id, old = a.hub.account.node_id, a.hub.keys.identity.kid
    await keys.replace_identity(a.hub, a.dispatcher)
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await keys.replace_identity(a.hub, a.dispatcher)
    await say(a, link_id, "после")
    await network.run_until_idle()
    link = await link_of(b, link_id)
    assert peer_keys.peer_identity(link).kid == a.hub.keys.identity.kid != old
    assert (link.peer_node_id, a.hub.account.node_id) == (node_id, node_id)
    assert await heard(b) == ["после"]
    assert (await kinds(a), await kinds(b)) == ([], [])


async def test_a_node_with_a_later_identity_links_with_strangers_both_ways(
    network: Network,
) -> None:
    a, b, c = [await network.company(name) for name in "АБВ"]
    await keys.replace_identity(b.hub, b.dispatcher)
    first = LinkId(await network.link(a, b))
    second = LinkId(await network.link(b, c))
    await say(b, first, "наверх")
    await say(b, second, "вниз")
    await network.run_until_idle()
    assert (await heard(a), await heard(c)) == (["наверх"], ["вниз"])


async def test_another_identity_at_the_address_is_an_alarm_and_never_taken_over(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    thief = await network.company("Вор")
    seen = await probe(a.hub, a.transport, b.settings.url)
    found = await peer_keys.compare(a.hub, link_id, seen.document)
    assert found.verdict == "same"
    await keys.replace_identity(b.hub, b.dispatcher)
    seen = await probe(a.hub, a.transport, b.settings.url)
    found = await peer_keys.compare(a.hub, link_id, seen.document)
    assert (found.verdict, await kinds(a)) == ("succeeded", [])
    before = await link_of(a, link_id)
    seen = await probe(a.hub, a.transport, thief.settings.url)
    found = await peer_keys.compare(a.hub, link_id, seen.document)
    assert (found.verdict, await kinds(a)) == ("different", ["identity_changed"])
    assert await link_of(a, link_id) == before


# --- restored, cut off, elsewhere --------------------------------------------------------------


async def test_a_partner_restored_from_before_a_rotation_is_told_the_keys_again(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    await say(a, link_id, "до")
    await network.run_until_idle()
    await network.stop(b)
    backup = await copy_of(b)
    await network.start(b)
    await network.run_for(minutes=1)
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "после")
    await network.run_for(minutes=1)
    await network.stop(b)
    await put_back(b, backup)
    await network.start(b)
    await say(a, link_id, "потом")
    await network.run_for(minutes=3)
    assert await heard(b) == ["до", "после", "потом"]
    assert await waiting(a, link_id) == 0
    assert not (await link_of(a, link_id)).keys_call


@pytest.mark.parametrize("rotations", [1, 2])
@pytest.mark.parametrize("can_be_called", [True, False])
async def test_a_node_restored_from_before_its_partner_rotated_asks_for_the_keys_it_cannot_know(
    network: Network, rotations: int, *, can_be_called: bool
) -> None:
    """The partner has told its keys and has nothing more to say: nobody else would begin."""
    a = await network.company("Сервис Плюс", outbound_only=not can_be_called)
    b = await network.company("Мастер-Юг")
    link_id = LinkId(await network.link(b, a))
    await network.run_until_idle()
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await network.run_for(minutes=1)
    for n in range(rotations):
        await keys.rotate(b.hub, b.dispatcher, ALL)
        await say(b, link_id, f"после {n}")
        await network.run_for(minutes=1)
    await network.stop(a)
    await put_back(a, backup)
    await network.start(a)
    await network.run_for(minutes=3)
    before = [f"после {n}" for n in range(rotations)]
    assert await heard(a) == before
    await say(a, link_id, "туда")
    await say(b, link_id, "обратно")
    await network.run_for(minutes=3)
    assert (await heard(a), await heard(b)) == (["обратно", *before], ["туда"])
    assert await waiting(a, link_id) == await waiting(b, link_id) == 0
    assert (await link_of(a, link_id)).peer_key_set_version == rotations + 1
    assert not {"keys_refused", "keys_misused"} & {*await kinds(a), *await kinds(b)}


@pytest.mark.parametrize("uses", [("msg",), ("msg", "http")], ids="+".join)
async def test_what_a_revoked_key_had_sealed_comes_back_to_a_node_restored_from_before_it_came(
    network: Network, two: tuple[Company, Company, LinkId], uses: tuple[str, ...]
) -> None:
    """The partner vouches for all it ever had a receipt for; none of it is ever signed again."""
    a, b, link_id = two
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await say(b, link_id, "до")
    await network.run_until_idle()
    for use in uses:
        kid = b.hub.keys.message.kid if use == "msg" else b.hub.keys.http.kid
        await keys.revoke(b.hub, b.dispatcher, kid, "утечка")
        await network.run_until_idle()
        for company in (b, a):
            await links.resume(company.hub, company.dispatcher, link_id)
        await network.run_for(seconds=65)
    await say(b, link_id, "после")
    await network.run_until_idle()
    assert await heard(a) == ["до", "после"]
    await network.stop(a)
    await put_back(a, backup)
    await network.start(a)
    await network.run_for(seconds=65)
    # It learns of the revocation once more: that it was confirmed before is no answer to that.
    await links.resume(a.hub, a.dispatcher, link_id)
    await network.run_until_idle()
    assert await heard(a) == ["до", "после"]
    assert await waiting(b, link_id) == 0
    for company in (a, b):
        assert (await link_of(company, link_id)).state is LinkState.ACTIVE
    assert not {"keys_misused", "messages_contested"} & {*await kinds(a), *await kinds(b)}


@pytest.mark.parametrize("can_be_called", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        ("revoke msg", "revoke msg"),
        ("revoke msg", "rotate"),
        ("rotate", "revoke msg", "revoke http"),
        ("revoke msg", "identity", "revoke msg", "revoke http"),
    ],
    ids=", ".join,
)
async def test_what_every_key_since_the_backup_had_sealed_comes_back_though_one_revocation_followed_another(
    network: Network, changes: tuple[str, ...], *, can_be_called: bool
) -> None:
    """The newest key set names neither the keys between nor what they had sealed."""
    a = await network.company("Сервис Плюс", outbound_only=not can_be_called)
    b = await network.company("Мастер-Юг")
    link_id = LinkId(await network.link(b, a))
    await network.run_until_idle()
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await network.run_for(seconds=65)
    said = ["0"]
    await say(b, link_id, said[0])
    await network.run_for(seconds=65)
    for change in changes:
        what, _, use = change.partition(" ")
        if what == "rotate":
            await keys.rotate(b.hub, b.dispatcher, ALL)
        elif what == "identity":
            await keys.replace_identity(b.hub, b.dispatcher)
        else:
            kid = b.hub.keys.message.kid if use == "msg" else b.hub.keys.http.kid
            await keys.revoke(b.hub, b.dispatcher, kid, "утечка")
            await network.run_for(seconds=65)
            for company in (b, a):
                await links.resume(company.hub, company.dispatcher, link_id)
        said.append(f"{len(said)} {change}")
        await say(b, link_id, said[-1])
        await network.run_for(seconds=65)
    assert await heard(a) == said
    await network.stop(a)
    await put_back(a, backup)
    await network.start(a)
    await network.run_for(seconds=65)
    await links.resume(a.hub, a.dispatcher, link_id)
    await network.run_for(seconds=65)
    assert await heard(a) == said
    await say(b, link_id, "потом")
    await say(a, link_id, "и обратно")
    await network.run_for(seconds=65)
    assert (await heard(a), await heard(b)) == ([*said, "потом"], ["и обратно"])
    assert await waiting(a, link_id) == await waiting(b, link_id) == 0
    for company in (a, b):
        assert (await link_of(company, link_id)).state is LinkState.ACTIVE
    alarms = {*await kinds(a), *await kinds(b)}
    assert not {"keys_refused", "keys_misused", "messages_contested"} & alarms


async def test_what_waits_under_a_key_between_is_taken_behind_what_was_lost(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    """The key seals on behind what its owner vouches for, until the stream itself ends it."""
    a, b, link_id = two
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await keys.rotate(b.hub, b.dispatcher, ALL)
    await say(b, link_id, "до")
    await network.run_for(minutes=1)
    network.wire.down.add(a.settings.url)
    await say(b, link_id, "ждёт")
    await keys.rotate(b.hub, b.dispatcher, ALL)
    await say(b, link_id, "после")
    await network.stop(a)
    await put_back(a, backup)
    network.wire.down.clear()
    await network.start(a)
    await network.run_for(minutes=5)
    assert await heard(a) == ["до", "ждёт", "после"]
    assert await waiting(b, link_id) == 0


@pytest.mark.parametrize("rotated", [True, False])
async def test_a_partner_that_does_not_know_a_message_key_is_told_all_keys_by_a_call(
    network: Network, rotated: bool
) -> None:
    """After a restore nobody may know any more who heard of which key in the stream."""
    a = await network.company("Сервис Плюс")
    b = FakePeer.of(network, "Мастер-Юг")
    link_id = await b.link_with(a)
    await network.run_until_idle()
    if rotated:
        await keys.rotate(a.hub, a.dispatcher, frozenset({KeyUse.MSG}))
    b.script = lambda call: (
        b.refusal(call, "key_unknown") if call.target.endswith("/messages") else None
    )
    await say(a, link_id)
    await network.run_for(minutes=1)
    told = [call for call in b.calls if call.target.endswith("/keys")]
    assert bool(told) is rotated  # with its first keys there is nothing to tell


async def test_a_partner_that_takes_our_keys_and_believes_them_not_is_told_less_and_less_often(
    network: Network,
) -> None:
    a = await network.company("Сервис Плюс")
    b = FakePeer.of(network, "Мастер-Юг")
    link_id = await b.link_with(a)
    await network.run_until_idle()
    await keys.rotate(a.hub, a.dispatcher, frozenset({KeyUse.MSG}))

    def takes_keys_and_no_messages(call: Call) -> Reply | None:
        if call.target.endswith("/messages"):
            return b.refusal(call, "key_unknown")
        if call.target.endswith("/keys"):
            taken = {"version": 2, "receipt": b.own_receipt(), "contested": 0}
            return b.reply(call, 200, taken)
        return None

    b.script = takes_keys_and_no_messages
    await say(a, link_id)
    await network.run_for(minutes=1)
    told = [call for call in b.calls if call.target.endswith("/keys")]
    assert 2 <= len(told) <= 12


async def test_a_node_restored_from_before_its_rotation_goes_on_with_the_new_keys(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = two
    await say(a, link_id, "до")
    await network.run_until_idle()
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await network.run_for(minutes=1)
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await say(a, link_id, "после")
    await network.run_for(minutes=1)
    await network.stop(a)
    await put_back(a, backup)
    await network.start(a)
    await network.run_for(minutes=3)
    await say(a, link_id, "потом")
    await network.run_for(minutes=3)
    assert await heard(b) == ["до", "после", "потом"]
    assert await waiting(a, link_id) == 0
    assert "keys_refused" not in await kinds(b)
    assert a.hub.key_set.version == 2


class Killed(BaseException):
    """The process ends here."""


STEPS = [
    "keystore.generation_begins",
    "keystore.generation_written",
    "keystore.generation_named",
    "keys.on_disk",
    "keys.announced",
    "keys.committed",
]


@pytest.mark.parametrize("what", ["rotate", "revoke", "identity"])
@pytest.mark.parametrize("point", STEPS)
async def test_a_node_killed_at_any_step_of_a_change_starts_and_goes_on_with_it(
    network: Network,
    two: tuple[Company, Company, LinkId],
    point: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b, link_id = two
    old = a.hub.keys

    def strike(where: str) -> None:
        if where == point:
            raise Killed

    monkeypatch.setattr(faults, "strike", strike)
    with pytest.raises(Killed):
        await _change(a.hub, a, what)
    monkeypatch.setattr(faults, "strike", None)
    await network.stop(a)
    await network.start(a)
    made = STEPS.index(point) >= STEPS.index("keystore.generation_named")
    assert a.hub.key_set.version == (2 if made else 1)
    stored = await a.hub.db.read(lambda c: nodes.key_sets_of(c, a.hub.account.node_id))
    assert sorted(stored) == list(range(1, a.hub.key_set.version + 1))
    if not made:
        assert a.hub.keys.message.kid == old.message.kid
        await _change(a.hub, a, what)
    await network.run_for(seconds=10)
    if what == "revoke":
        for company in (a, b):
            await links.resume(company.hub, company.dispatcher, link_id)
    await say(a, link_id, "после")
    await network.run_for(seconds=40)
    assert await heard(b) == ["после"]
    assert (await link_of(b, link_id)).peer_key_set_version == 2
    assert (await kinds(a), await kinds(b)) == ([], [])


async def _change(hub: Hub, company: Company, what: str) -> None:
    if what == "rotate":
        await keys.rotate(hub, company.dispatcher, ALL)
    elif what == "revoke":
        await keys.revoke(hub, company.dispatcher, hub.keys.message.kid, "stolen")
    else:
        await keys.replace_identity(hub, company.dispatcher)


async def test_a_change_that_the_database_did_not_take_is_finished_while_the_node_runs(
    network: Network, two: tuple[Company, Company, LinkId], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new keys are on disk and at work in this process: partners must hear of them."""
    a, b, link_id = two

    def strike(point: str) -> None:
        if point == "keys.announced":
            monkeypatch.setattr(faults, "strike", None)
            raise Unavailable("database_unavailable", "The disk is full.")

    monkeypatch.setattr(faults, "strike", strike)
    with pytest.raises(Unavailable):
        await keys.revoke(a.hub, a.dispatcher, a.hub.keys.message.kid, "украден")
    await network.run_for(minutes=1)
    assert (await link_of(b, link_id)).peer_key_set_version == 2
    assert (await link_of(a, link_id)).suspended_by_us
    assert "keys_revoked" in await kinds(a)


async def test_another_process_goes_on_with_keys_it_did_not_make(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    from hub import app

    a, b, link_id = two
    other = await app.open_hub(
        a.settings, {}, clock=network.clock, entropy=SeededEntropy("other"), inline=True
    )
    await keys.rotate(other, a.dispatcher, ALL)
    await other.db.close()
    assert a.hub.key_set.version == 1
    await say(a, link_id, "после")  # before anybody told it
    assert a.hub.key_set.version == 2
    assert (await kids(a, link_id))[-1] == ("handoff.offer", other.keys.message.kid)
    await network.run_until_idle()
    assert await heard(b) == ["после"]


async def test_keys_older_than_the_database_are_told_at_the_start(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a = two[0]
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await network.stop(a)
    kept = a.settings.keys_dir / "generation-2.json"
    content = kept.read_bytes()
    kept.unlink()
    with pytest.raises(Misconfigured, match="keys_too_old"):
        await network.start(a)
    kept.write_bytes(content)
    kept.chmod(0o600)
    await network.start(a)


async def test_keys_and_database_that_went_different_ways_are_told_at_the_start(
    network: Network, two: tuple[Company, Company, LinkId]
) -> None:
    a = two[0]
    await network.stop(a)
    backup = await copy_of(a)
    await network.start(a)
    await keys.rotate(a.hub, a.dispatcher, ALL)
    generation = (a.settings.keys_dir / "generation-2.json").read_bytes()
    await network.stop(a)
    await put_back(a, backup)
    (a.settings.keys_dir / "generation-2.json").unlink()
    await network.start(a)
    await keys.rotate(a.hub, a.dispatcher, ALL)
    await network.stop(a)
    (a.settings.keys_dir / "generation-2.json").write_bytes(generation)
    with pytest.raises(Misconfigured, match="key_sets_differ"):
        await network.start(a)
    (a.settings.keys_dir / "generation-2.json").unlink()
    await put_back(a, backup)
    await network.start(a)


async def test_of_two_rotations_at_once_one_is_refused_whole(
    two: tuple[Company, Company, LinkId], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _b, link_id = two

    def strike(where: str) -> None:
        if where == "keystore.generation_begins":
            (a.settings.keys_dir / "generation-2.json").write_text("{}")

    monkeypatch.setattr(faults, "strike", strike)
    with pytest.raises(Conflict, match="rotation_under_way"):
        await keys.rotate(a.hub, a.dispatcher, ALL)
    assert await a.hub.db.read(lambda c: [one.version for one in own_keys.of_link(c, link_id)]) == [
        1
    ]
    (a.settings.keys_dir / "generation-2.json").unlink()
