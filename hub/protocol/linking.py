"""The request by which an invitee asks to be linked.

It is signed by the very identity key it brings, which proves only that the sender holds that
key. That this is the invited company is proved by the MAC, which the inviter checks next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.ids import InvitationId
from hub.protocol import jws, strict_json, succession
from hub.protocol.encoding import b64url
from hub.protocol.invitation import NONCE_BYTES
from hub.protocol.keys import MAX_KEY_SET, KeySet, PublicKey, Signer, open_key_set
from hub.protocol.members import Members

MAX_OFFER: Final = 8 * 1024  # two of them, escaped, must fit into one agreement
MAX_LINK_REQUEST: Final = 2 * MAX_KEY_SET
MAC_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """Who asks, with which keys, offering what, and the proof of the code."""

    invitation_id: InvitationId
    identity: PublicKey
    key_set_jws: str
    key_set: KeySet
    offer_text: str  # exactly as signed: it becomes part of the agreement
    nonce: bytes
    mac: bytes
    succession: tuple[str, ...] = ()  # where the identity is not the node's first


def seal_link_request(
    *,
    invitation_id: str,
    key_set_jws: str,
    offer_text: str,
    nonce: bytes,
    mac: bytes,
    identity: Signer,
    succession_texts: Sequence[str] = (),
) -> str:
    """The request as a JWS by the invitee's identity key."""
    payload: dict[str, Any] = {
        "invitation": invitation_id,
        "identity": identity.public.jwk,
        "key_set": key_set_jws,
        "offer": offer_text,
        "nonce": b64url(nonce),
        "mac": b64url(mac),
    }
    if succession_texts:
        payload["succession"] = list(succession_texts)
    return jws.sign(jws.Typ.LINK, strict_json.dump(payload).encode(), identity)


def open_link_request(text: str) -> LinkRequest:
    """The request, if it holds together.

    That is: signed by the identity in it, whose key set it brings, with an offer in strict
    JSON. Raises `Untrusted(malformed | signature_invalid)`.
    """
    unverified = jws.peek(text)
    data = Members(
        strict_json.parse(unverified.payload, max_bytes=MAX_LINK_REQUEST, what="link request"),
        "link request",
    )
    identity = PublicKey.from_jwk(data.nested("identity"))
    jws.verify(unverified, jws.Typ.LINK, identity)
    key_set_jws = data.text("key_set", MAX_KEY_SET)
    offer_text = data.text("offer", MAX_OFFER)
    strict_json.parse(offer_text, max_bytes=MAX_OFFER, what="offer")
    key_set = open_key_set(key_set_jws, identity)
    texts = succession.read_texts(data, "succession")
    succession.prove_identity(key_set.node_id, key_set.identity_version, identity, texts)
    return LinkRequest(
        invitation_id=InvitationId(data.an_id("invitation", "inv")),
        identity=identity,
        key_set_jws=key_set_jws,
        key_set=key_set,
        offer_text=offer_text,
        nonce=data.raw("nonce", NONCE_BYTES),
        mac=data.raw("mac", MAC_BYTES),
        succession=texts,
    )
