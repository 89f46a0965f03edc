"""C1: the published vectors, and every example and counter-example of the schemas."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.conformance.implementation import Ability
from tests.conformance.peer import SCHEMAS, Json, Peer, wire
from tests.conformance.runner import World, case

TYPES = sorted(path.stem for path in SCHEMAS.glob("*.json") if path.stem not in {"defs", "index"})
# Types that change the link itself: said last, or not at all, on a link that is to go on.
ON_LINK = {name for name in TYPES if name.startswith(("link.", "message."))}


def read(*parts: str) -> Any:
    return json.loads(SCHEMAS.joinpath(*parts).read_bytes())


def _key(jwk: Json) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(wire.unb64(jwk["x"]))


@case("C1")
async def vectors(world: World) -> None:
    """The suite's own peer reads and writes the published vectors."""
    for one in read("vectors", "thumbprint.json")["keys"]:
        private = Ed25519PrivateKey.from_private_bytes(wire.unb64(one["seed"]))
        assert wire.jwk(private.public_key()) == one["jwk"]
        assert wire.kid(private.public_key()) == one["thumbprint"]
        world.count()
    vector = read("vectors", "envelope.json")
    before = vector["first_prev"]
    for message in vector["messages"]:
        envelope = wire.unsign("msg", message["env"], [_key(vector["key"])])
        assert wire.sha(message["data"]) == envelope["dh"] == message["data_hash"]
        assert envelope["prev"] == before
        before = wire.message_hash(message["env"])
        assert before == message["hash"]
        world.count()
    vector = read("vectors", "receipt.json")
    receipt = wire.unsign("rcpt", vector["receipt"], [_key(vector["key"])])
    assert (receipt["upto"], receipt["head"]) == (vector["says"]["upto"], vector["says"]["head"])
    vector = read("vectors", "agreement.json")
    assert wire.sha(vector["text"]) == vector["hash"]
    digest = hashlib.sha256(b"txp-sas" + vector["text"].encode()).digest()
    digits = f"{int.from_bytes(digest, 'big') % 10**40:040d}"
    assert " ".join(digits[n : n + 5] for n in range(0, 40, 5)) == vector["digits"]
    for side in ("inviter", "invitee"):
        said = wire.unsign("agr", vector["signatures"][side], [_key(vector["identities"][side])])
        assert said["agreement_hash"] == vector["hash"]
    world.count(4)


async def _read_by_node(peer: Peer, handoff: str, type_: str, examples: list[Json]) -> list[str]:
    """The codes with which the node rejected these, in their order; "" for what it took."""
    after = len(peer.heard)
    sealed = []
    for data in examples:
        on = "" if type_ in ON_LINK else handoff
        sealed.append(peer.seal(type_, wire.dump(data), on))
    said = await peer.post(*sealed)
    assert said.status == 200, said
    peer.receipt(said)
    # Something that is certainly rejected, behind them: then all before it were looked at.
    await peer.say("x.org.example.unknown", {}, must=True)
    mark = peer.sent[-1][1]
    await peer.until(
        lambda: any(
            one.type == "message.rejected" and one.data["ref_mh"] == mark
            for one in peer.heard[after:]
        ),
        "the end of the examples",
    )
    codes = {
        one.data["ref_mh"]: one.data["code"]
        for one in peer.heard[after:]
        if one.type == "message.rejected"
    }
    return [codes.get(wire.message_hash(one["env"]), "") for one in sealed]


def _examples(folder: str, type_: str) -> list[tuple[str, Json]]:
    files = sorted((SCHEMAS / folder / type_).glob("*.json"))
    return [(f"{type_}/{file.stem}", json.loads(file.read_bytes())) for file in files]


@case("C1", Ability.FULL, Ability.CONTRACT)
async def examples(world: World) -> None:
    """No published example is rejected for its form."""
    async with world.peer() as peer:
        handoff = await peer.offer()
        for type_ in TYPES:
            if type_ in ON_LINK:
                continue  # they would do what they say
            found = _examples("examples", type_)
            codes = await _read_by_node(peer, handoff, type_, [data for _, data in found])
            for (name, _), code in zip(found, codes, strict=True):
                assert code != "schema_invalid", name
                world.count()


@case("C1", Ability.FULL, Ability.CONTRACT)
async def counter_examples(world: World) -> None:
    """Every published counter-example is rejected as `schema_invalid`."""
    async with world.peer() as peer:
        handoff = await peer.offer()
        for type_ in TYPES:
            if type_ == "message.rejected":
                continue  # never answered with a rejection
            found = _examples("counter-examples", type_)
            codes = await _read_by_node(peer, handoff, type_, [data for _, data in found])
            for (name, _), code in zip(found, codes, strict=True):
                assert code == "schema_invalid", (name, code)
                world.count()
