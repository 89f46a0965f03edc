"""Builders for protocol tests: every call makes its own, every run makes the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hub import ids
from hub.ids import HandoffId, InvitationId, LinkId, MessageId
from hub.protocol import agreement, keys, signing, strict_json
from hub.protocol.encoding import sha256_b64
from hub.protocol.invitation import Invitation
from hub.protocol.message import Envelope

NOW = datetime(2026, 3, 14, 9, 26, 53, 589000, tzinfo=UTC)


class FixedEntropy:
    """The same bytes for the same seed."""

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def bytes(self, count: int) -> bytes:
        return sha256(self.seed.encode()).digest()[:count]

    def fraction(self) -> float:
        return 0.5


def an_id(prefix: str, seed: str = "a") -> str:
    return ids.new(prefix, NOW, FixedEntropy(seed))


def a_key(name: str) -> keys.PrivateKey:
    return keys.PrivateKey.generate(FixedEntropy(name))


def a_hash(text: str = "anything") -> str:
    return sha256_b64(text.encode())


@dataclass(frozen=True)
class Node:
    """A company's three keys."""

    name: str
    identity: keys.PrivateKey
    msg: keys.PrivateKey
    http: keys.PrivateKey

    @property
    def node_id(self) -> str:
        return self.identity.kid


def a_node(name: str) -> Node:
    return Node(name, *(a_key(f"{name} {use}") for use in ("identity", "msg", "http")))


ALPHA, BETA, EVE = (a_node(name) for name in ("alpha", "beta", "eve"))
LINK = LinkId(an_id("lnk"))


def a_key_set(node: Node = ALPHA, **changes: Any) -> keys.KeySet:
    until = NOW + timedelta(days=400)
    entries = tuple(
        keys.KeyEntry(key.kid, key.public, use, NOW - timedelta(days=1), until)
        for key, use in ((node.msg, keys.KeyUse.MSG), (node.http, keys.KeyUse.HTTP))
    )
    values: dict[str, Any] = {
        "node_id": node.node_id,
        "version": 1,
        "identity_version": 1,
        "keys": entries,
        "revoked": (),
        "issued_at": NOW,
        "expires": until,
    }
    return keys.KeySet(**(values | changes))


def an_envelope(**changes: Any) -> Envelope:
    values: dict[str, Any] = {
        "id": MessageId(an_id("msg")),
        "link": LINK,
        "sender": ALPHA.node_id,
        "receiver": BETA.node_id,
        "epoch": 0,
        "seq": 7,
        "prev": a_hash("prev"),
        "agreement": 1,
        "ack": (3, a_hash("ack")),
        "type": "handoff.decline",
        "must": True,
        "schema": "handoff.decline/1",
        "handoff": HandoffId(an_id("hnd")),
        "hseq": 2,
        "hprev": a_hash("hprev"),
        "at": NOW,
        "cause": MessageId(an_id("msg", "cause")),
    }
    return Envelope(**(values | changes))


PAYLOAD = {"from": "offered", "code": "capacity", "text": "Бригада занята до среды"}
SALT = FixedEntropy("salt").bytes(16)


def a_sealed(
    payload: dict[str, Any] | None = None, node: Node = ALPHA, **changes: Any
) -> signing.SealedMessage:
    return signing.seal(
        an_envelope(**changes), PAYLOAD if payload is None else payload, SALT, node.msg
    )


def an_invitation(**changes: Any) -> Invitation:
    values: dict[str, Any] = {
        "base_url": "https://hub.alpha.example",
        "id": InvitationId(an_id("inv")),
        "secret": FixedEntropy("secret").bytes(16),
        "identity_hash": sha256_b64(ALPHA.identity.public.raw),
        "expires_at": NOW + timedelta(hours=72),
    }
    return Invitation(**(values | changes))


def a_party(node: Node) -> agreement.AgreementParty:
    return agreement.AgreementParty(
        node_id=node.node_id,
        name=f"{node.name.title()} GmbH",
        base_url=f"https://hub.{node.name}.example",
        identity=node.identity.public,
        key_set_version=1,
    )


OFFER = strict_json.dump({"as_principal": {"hand_off": True}, "as_contractor": {"max_open": 20}})


def an_agreement(**changes: Any) -> agreement.Agreement:
    values: dict[str, Any] = {
        "link": LINK,
        "made_at": NOW,
        "inviter": a_party(ALPHA),
        "invitee": a_party(BETA),
        "inviter_offer": OFFER,
        "invitee_offer": OFFER,
        "legal": a_hash("legal text"),
        "terms": {"version": "1.0", "capabilities": [], "directions": {}},
    }
    return agreement.compose(**(values | changes))
