"""The strict reader and writer of compact JWS (RFC 7515) that everything signed goes through.

Less than the standard allows, on purpose: one algorithm, exactly three header members, one
spelling of every part. A header that names a key, a URL or an extension is refused, because
each of these has been a way to choose the key one is verified with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.errors import Untrusted
from hub.protocol import strict_json
from hub.protocol.encoding import b64url, is_hash, sha256_b64, unb64url

if TYPE_CHECKING:  # keys.py signs its sets with this module
    from hub.protocol.keys import PublicKey, Signer

ALG: Final = "Ed25519"  # RFC 9864: fully specified, unlike "EdDSA"
MAX_HEADER: Final = 300  # characters; three members never need more
MAX_JWS: Final = 512 * 1024
_SIGNATURE_CHARACTERS: Final = 86  # 64 bytes
_MEMBERS: Final = frozenset({"alg", "kid", "typ"})


class Typ(StrEnum):
    """What a signature is about, so that none can be passed off as another."""

    MSG = "txp-msg+jws"  # a message between two nodes
    RECEIPT = "txp-rcpt+jws"  # proof of storage
    KEYS = "txp-keys+jws"  # a key set
    NODE = "txp-node+jws"  # the discovery document
    AGREEMENT = "txp-agr+jws"  # one side's signature of an agreement
    LINK = "txp-link+jws"  # a request to link
    IDENTITY = "txp-identity+jws"  # one identity key following another
    MANIFEST = "txp-manifest+jws"  # the table of contents of an evidence bundle
    AUDIT = "txp-audit+jws"  # where a node's audit log stands


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS of the right shape. Nothing in it may be believed yet."""

    typ: Typ
    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes


def sign(typ: Typ, payload: bytes, signer: Signer) -> str:
    """The payload signed, as compact JWS."""
    signing_input = f"{_header_text(typ, signer.kid)}.{b64url(payload)}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode('ascii')))}"


def peek(text: str) -> Unverified:
    """Take a JWS apart to find out which key to try.

    Raises `Untrusted(malformed)` unless the shape is exactly ours.
    """
    parts = text.split(".") if len(text) <= MAX_JWS else []
    if len(parts) != 3 or not parts[1] or len(parts[2]) != _SIGNATURE_CHARACTERS:
        raise _malformed("not three parts of base64url")
    header, payload, signature = parts
    if len(header) > MAX_HEADER:
        raise _malformed("header too long")
    typ, kid = _read_header(header)
    return Unverified(
        typ=typ,
        kid=kid,
        payload=unb64url(payload),
        signing_input=f"{header}.{payload}".encode("ascii"),
        signature=unb64url(signature),
    )


def verify(signed: str | Unverified, typ: Typ, key: PublicKey) -> bytes:
    """The payload, if `key` signed it as this `typ`.

    Raises `Untrusted(malformed)` for a wrong shape or type, `Untrusted(signature_invalid)`
    for another key or a signature that does not fit.
    """
    unverified = peek(signed) if isinstance(signed, str) else signed
    if unverified.typ is not typ:
        raise _malformed(f"{unverified.typ} where {typ} was expected")
    if unverified.kid != key.kid:
        raise Untrusted(
            "signature_invalid",
            "The signature does not fit.",
            because=f"signed by {unverified.kid}, expected {key.kid}",
        )
    key.verify(unverified.signature, unverified.signing_input)
    return unverified.payload


def message_hash(signing_input: bytes) -> str:
    """The hash that chains, receipts and references use.

    Over what was signed and not over the signature: the same content keeps its hash even if
    somebody could make a second valid signature of it.
    """
    return sha256_b64(signing_input)


# One sender repeats one header for months: reading it once is a fifth of the cost of a message.
@lru_cache(maxsize=1024)
def _read_header(coded: str) -> tuple[Typ, str]:
    header = strict_json.parse(unb64url(coded), max_bytes=MAX_HEADER, what="signature header")
    kid = header.get("kid")
    if header.keys() != _MEMBERS or header["alg"] != ALG:
        raise _malformed("header members or algorithm")
    if type(kid) is not str or not is_hash(kid):
        raise _malformed("kid is not a thumbprint")
    try:
        return Typ(header["typ"]), kid
    except ValueError:
        raise _malformed("unknown typ") from None


@lru_cache(maxsize=256)
def _header_text(typ: Typ, kid: str) -> str:
    return b64url(strict_json.dump({"alg": ALG, "kid": kid, "typ": typ.value}).encode())


def _malformed(because: str) -> Untrusted:
    return Untrusted(
        "malformed", "What was received does not follow the protocol.", because=because
    )
