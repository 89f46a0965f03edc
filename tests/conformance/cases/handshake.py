"""C2: how a link comes to be, from both sides, and how it does not."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.implementation import Ability
from tests.conformance.peer import Json, Peer, wire
from tests.conformance.runner import World, case


@case("C2", Ability.INVITE)
async def node_invites(world: World) -> None:
    """A code of the node leads to a link that both have signed"""
    async with Peer("Гость") as peer:
        await peer.accept(await world.node.invite("Гость"))
        await peer.ping()


@case("C2", Ability.ACCEPT)
async def node_accepts(world: World) -> None:
    """The node takes a code and becomes active"""
    async with Peer("Хозяин") as peer:
        await world.node.accept(peer.invite())
        await peer.ping()


@case("C2", Ability.INVITE)
async def repeated(world: World) -> None:
    """A repeated request gets the same agreement; another offer or another node does not"""
    async with Peer("Гость") as peer, Peer("Чужой") as other:
        code = await world.node.invite("Гость")
        invitation = await peer.discover(code)
        first, again = await peer.request(invitation), await peer.request(invitation)
        assert first.status == again.status == 202
        assert first.members["agreement"] == again.members["agreement"]
        peer.offer_other = {"name": "Гость под другим именем"}
        changed = await peer.request(invitation)
        assert (changed.status, changed.code) == (409, "invite_used")
        await other.discover(code)
        stolen = await other.request(invitation)
        assert (stolen.status, stolen.code) == (409, "invite_used")
        assert all(one.proven for one in (first, again, changed, stolen))
        world.count(4)


@case("C2", Ability.INVITE)
async def wrong_proofs(world: World) -> None:
    """Five wrong MACs kill an invitation; one that does not exist is 404"""
    async with Peer("Гость") as peer:
        invitation = await peer.discover(await world.node.invite("Гость"))
        for _ in range(5):
            said = await peer.request(invitation, secret=bytes(16))
            assert (said.status, said.code) == (422, "mac_invalid")
            world.count()
        said = await peer.request(invitation)
        assert (said.status, said.code) == (410, "invite_expired")
        nothing = {**invitation, "id": wire.new_id("inv")}
        said = await peer.request(nothing)
        assert (said.status, said.code) == (404, "not_found")
        world.count(2)


@case("C2", Ability.INVITE)
async def unsigned_requests(world: World) -> None:
    """A request whose call is signed by no key of its key set is refused"""
    async with Peer("Гость") as peer:
        invitation = await peer.discover(await world.node.invite("Гость"))
        body = peer.link_request(invitation)
        for key in (peer.msg, peer.identity):
            said = await peer.call("POST", "/txp/v1/link-requests", body, key=key)
            assert said.status == 401
            world.count()
        text = wire.dump(body).encode()
        url = peer.hub["base"] + "/txp/v1/link-requests"
        said = await peer.send("POST", url, {"Content-Type": "application/json"}, text)
        assert said.status == 401
        assert (await peer.request(invitation)).status == 202
        world.count(2)


@case("C2", Ability.INVITE)
async def versions_without_overlap(world: World) -> None:
    """No version in common is 422; several are met at the common one"""
    async with Peer("Будущий", versions=("9.0",)) as peer:
        said = await peer.request(await peer.discover(await world.node.invite("Будущий")))
        assert (said.status, said.code) == (422, "version_unsupported")
    async with Peer("Оба", versions=("1.0", "9.0")) as peer:
        await peer.accept(await world.node.invite("Оба"))
        await peer.ping()
        world.count(2)


def _other_terms(members: Json) -> None:
    members["terms"]["directions"]["inviter_to_invitee"]["max_open"] += 1


def _other_party(members: Json) -> None:
    members["invitee"]["node_id"] = members["inviter"]["node_id"]


def _other_offer(members: Json) -> None:
    members["offers"]["invitee"] = members["offers"]["inviter"]


def _other_base(members: Json) -> None:
    members["inviter"]["base_url"] = "https://elsewhere.example"


ALTERED: dict[str, Callable[[Json], None]] = {
    "parties": _other_party,
    "offer": _other_offer,
    "inviter's address": _other_base,
}


async def _refused(world: World, alter: Callable[[Json], None]) -> None:
    async with Peer("Обманщик") as peer:
        peer.alter = alter
        refused = False
        try:
            await world.node.accept(peer.invite())
        except RuntimeError:
            refused = True
        assert refused, "it took an altered agreement"
        assert not any("/agreement" in path for _, path, _ in peer.asked), "it signed it"
        world.count()


@case("C2", Ability.ACCEPT)
async def altered_agreements(world: World) -> None:
    """The node signs no agreement with other parties, offers or addresses"""
    for alter in ALTERED.values():
        await _refused(world, alter)


@case("C2", Ability.ACCEPT, Ability.FULL)
async def altered_terms(world: World) -> None:
    """The node signs no agreement whose terms do not follow from the offers"""
    await _refused(world, _other_terms)


@case("C2", Ability.ACCEPT)
async def another_identity(world: World) -> None:
    """A code whose identity is not that of the node at its address is refused"""
    async with Peer("Хозяин") as peer, Peer("Подмена") as other:
        code = peer.invite()
        peer.base, other.base = other.base, peer.base  # the code leads to `other`
        refused = False
        try:
            await world.node.accept(_to(code, peer.base))
        except RuntimeError:
            refused = True
        assert refused
        assert not any(method == "POST" for method, _, _ in [*peer.asked, *other.asked])


def _to(code: str, base: str) -> str:
    import hashlib

    raw = wire.unb64(code.removeprefix("txp1."))
    body = wire.dump({**wire.parse(raw[:-4]), "base": base}).encode()
    return "txp1." + str(wire.b64(body + hashlib.sha256(body).digest()[:4]))
