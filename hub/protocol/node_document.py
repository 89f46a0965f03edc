"""The discovery document: what a node says about itself to anybody who asks.

It proves that it was written by whoever holds the identity key inside. It is believed only
when that key is the one an invitation named or an agreement pinned; a different identity at a
known address is an alarm, never an update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.errors import Untrusted
from hub.protocol import jws, strict_json, succession
from hub.protocol.encoding import instant
from hub.protocol.invitation import check_base_url
from hub.protocol.keys import MAX_KEY_SET, KeySet, KeyUse, PublicKey, Signer, open_key_set
from hub.protocol.members import MAX_SHORT, MAX_URL, Members

MAX_DOCUMENT: Final = 128 * 1024
MAX_VALIDITY: Final = timedelta(days=7)
CLOCK_SKEW: Final = timedelta(seconds=300)
_MAX_LIST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDocument:
    """Name, address, keys and abilities of a node."""

    node_id: str
    identity: PublicKey
    key_set_jws: str
    key_set: KeySet
    base_url: str
    name: str
    versions: tuple[str, ...]
    capabilities: tuple[str, ...]
    limits: Mapping[str, int]
    contact: str  # may be empty
    valid_until: datetime  # at most seven days ahead
    succession: tuple[str, ...] = ()  # where the identity is not the node's first


def seal(document: NodeDocument, signer: Signer) -> str:
    """The document as the JSON text to serve, signed by the identity or a current `http` key.

    The `http` key is enough because the identity vouches for it in the key set; so the
    identity key can stay offline although the document is renewed every few days.
    """
    payload: dict[str, Any] = {
        "node_id": document.node_id,
        "identity": document.identity.jwk,
        "key_set": document.key_set_jws,
        "base_url": document.base_url,
        "name": document.name,
        "versions": list(document.versions),
        "capabilities": list(document.capabilities),
        "limits": dict(document.limits),
        "contact": document.contact,
        "valid_until": instant(document.valid_until),
    }
    if document.succession:
        payload["succession"] = list(document.succession)
    signed = jws.sign(jws.Typ.NODE, strict_json.dump(payload).encode(), signer)
    return strict_json.dump({"document": signed})


def open(body: bytes, now: datetime) -> NodeDocument:  # noqa: A001 - read as node_document.open
    """The document, if it holds together and is in force now.

    Raises `Untrusted`: `document_expired`, else `malformed`, `key_unknown` or
    `signature_invalid`.
    """
    outer = Members(
        strict_json.parse(body, max_bytes=MAX_DOCUMENT, what="node document"), "node document"
    )
    unverified = jws.peek(outer.text("document", MAX_DOCUMENT))
    parsed = strict_json.parse(unverified.payload, max_bytes=MAX_DOCUMENT, what="node document")
    data = Members(parsed, "node document")
    identity = PublicKey.from_jwk(data.nested("identity"))
    key_set_jws = data.text("key_set", MAX_KEY_SET)
    key_set = open_key_set(key_set_jws, identity)
    texts = succession.read_texts(data, "succession")
    succession.prove_identity(key_set.node_id, key_set.identity_version, identity, texts)
    jws.verify(unverified, jws.Typ.NODE, _signing_key(unverified.kid, identity, key_set, now))
    if data.node_id("node_id") != key_set.node_id:
        raise data.flaw("node_id")
    base_url = data.text("base_url", MAX_URL)
    check_base_url(base_url)
    valid_until = data.instant("valid_until")
    if not now - CLOCK_SKEW < valid_until <= now + MAX_VALIDITY + CLOCK_SKEW:
        raise _expired("valid_until")
    if key_set.expires <= now - CLOCK_SKEW:
        raise _expired("key set")
    return NodeDocument(
        node_id=key_set.node_id,
        identity=identity,
        key_set_jws=key_set_jws,
        key_set=key_set,
        base_url=base_url,
        name=data.text("name", MAX_SHORT),
        versions=data.texts("versions", _MAX_LIST),
        capabilities=data.texts("capabilities", _MAX_LIST),
        limits=_limits(data),
        contact=data.text("contact", MAX_SHORT) if parsed.get("contact") else "",
        valid_until=valid_until,
        succession=texts,
    )


def _signing_key(kid: str, identity: PublicKey, key_set: KeySet, now: datetime) -> PublicKey:
    if kid == identity.kid:
        return identity
    entry = key_set.find(kid, KeyUse.HTTP)
    if entry is None or not entry.not_before - CLOCK_SKEW <= now < entry.not_after + CLOCK_SKEW:
        raise Untrusted("key_unknown", "The document is signed by an unknown key.", because=kid)
    return entry.key


def _limits(data: Members) -> dict[str, int]:
    given = data.nested("limits")
    limits = Members(given, "node document")
    return {name: limits.number(name) for name in given}


def _expired(because: str) -> Untrusted:
    return Untrusted(
        "document_expired", "The hub's document about itself is out of date.", because=because
    )
