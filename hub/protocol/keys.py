"""Ed25519 keys and the signed set that says which key of a node is for what.

Signing is done by `cryptography`, verifying by libsodium: the two disagree on edge cases, and
libsodium is the strict one (it refuses S ≥ L, and R or keys of low order). Together with the
check of the point when a key is made, every conforming node gives the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from hub.clock import Entropy
from hub.errors import Misconfigured, Untrusted
from hub.protocol import jws, strict_json
from hub.protocol.encoding import b64url, instant, sha256_b64, unb64url
from hub.protocol.members import MAX_SHORT, Members

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MAX_KEYS: Final = 32
CLOCK_SKEW: Final = timedelta(seconds=300)  # how far two nodes' clocks may differ
MAX_REVOKED: Final = 256
MAX_KEY_SET: Final = 64 * 1024
MAX_KEYS_CALL: Final = 2 * MAX_KEY_SET  # a key set, every change of the identity, sets before it
MAX_EARLIER: Final = 32  # key sets beside the newest in one call


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may be pinned: canonical, on the curve, of prime order.

    Making one raises `Untrusted(malformed)` for any other 32 bytes.
    """

    raw: bytes
    kid: str = field(init=False, compare=False)  # RFC 7638 thumbprint

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", _thumbprint_of_valid(self.raw))

    @property
    def jwk(self) -> dict[str, str]:
        """RFC 8037 form, exactly these three members."""
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(self.raw)}

    @classmethod
    def from_jwk(cls, jwk: object) -> PublicKey:
        """The key of a JWK with exactly the members kty, crv and x.

        Raises `Untrusted(malformed)`. A `d` is refused like any other extra member: nobody
        should send us a private key.
        """
        match jwk:
            case {"kty": "OKP", "crv": "Ed25519", "x": str() as x, **others} if not others:
                return cls(unb64url(x))
        raise _bad_key("not an Ed25519 JWK with exactly kty, crv and x")

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if this key signed exactly `data`, else raise `Untrusted(signature_invalid)`."""
        if len(signature) == SIGNATURE_BYTES:
            try:
                crypto_sign_open(signature + data, self.raw)
            except BadSignatureError:
                pass
            else:
                return
        raise Untrusted("signature_invalid", "The signature does not fit.", because=self.kid)


class Signer(Protocol):
    """Whoever can sign for one key; it may live in a file, an agent or a device."""

    @property
    def kid(self) -> str:
        """Thumbprint of the key."""
        ...

    @property
    def public(self) -> PublicKey:
        """The key others verify with."""
        ...

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 signature."""
        ...


class PrivateKey:
    """A signer in memory. Its representation never shows the secret."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def generate(cls, entropy: Entropy) -> PrivateKey:
        """A fresh key from 32 unguessable bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(entropy.bytes(KEY_BYTES)))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None) -> PrivateKey:
        """The key in a PKCS#8 file. Raises `Misconfigured(key_unreadable)`."""
        try:
            key = load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Misconfigured(
                "key_unreadable",
                "A private key cannot be read.",
                hint="Check the key file and its passphrase.",
                because=type(error).__name__,
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Misconfigured("key_unreadable", "A private key is not an Ed25519 key.")
        return cls(key)

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """PKCS#8 in PEM, encrypted when a passphrase is given."""
        protection: KeySerializationEncryption = (
            NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        )
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)

    @property
    def kid(self) -> str:
        """Thumbprint of the key."""
        return self.public.kid

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 signature."""
        return self._key.sign(data)

    def derive(self, purpose: bytes) -> bytes:
        """32 secret bytes for one purpose (HKDF, RFC 5869), from a key that is not used to sign."""
        raw = self._key.private_bytes_raw()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(raw)

    def __repr__(self) -> str:
        return f"PrivateKey({self.kid})"


class KeyUse(StrEnum):
    """What a key of the set may sign. One key never has two uses."""

    MSG = "msg"  # messages and receipts: evidence, valid by position
    HTTP = "http"  # requests and responses: dies with them, valid by date


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key of a node. The dates bind `http` keys only."""

    kid: str
    key: PublicKey
    use: KeyUse
    not_before: datetime
    not_after: datetime

    def in_force(self, now: datetime) -> bool:
        """Whether the dates allow it now, give or take what two clocks may differ.

        Asked of `http` keys only.
        """
        return self.not_before - CLOCK_SKEW <= now < self.not_after + CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """A key that must not be believed any more, and why."""

    kid: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeySet:
    """Which keys speak for a node, as its identity key signed it."""

    node_id: str
    version: int
    identity_version: int
    keys: tuple[KeyEntry, ...]
    revoked: tuple[RevokedKey, ...]
    issued_at: datetime
    expires: datetime

    def only(self, use: KeyUse) -> KeyEntry:
        """The newest key of this use that is not revoked: the one to sign with.

        Raises `Untrusted(key_unknown)` where the set has none.
        """
        entries = [e for e in self.keys if e.use is use and not self.is_revoked(e.kid)]
        if not entries:
            raise Untrusted("key_unknown", "The key set has no key for this.", because=use)
        return max(entries, key=lambda entry: entry.not_before)

    def find(self, kid: str, use: KeyUse) -> KeyEntry | None:
        """The key with this thumbprint and this use, unless it is revoked."""
        for entry in self.keys:
            if entry.kid == kid and entry.use is use and not self.is_revoked(kid):
                return entry
        return None

    def is_revoked(self, kid: str) -> bool:
        """Whether the set itself calls this key off."""
        return any(gone.kid == kid for gone in self.revoked)


def seal_key_set(key_set: KeySet, identity: Signer) -> str:
    """The key set as a JWS by the identity key."""
    payload = {
        "node_id": key_set.node_id,
        "version": key_set.version,
        "identity_version": key_set.identity_version,
        "keys": [
            {
                "kid": entry.kid,
                "jwk": entry.key.jwk,
                "use": entry.use.value,
                "not_before": instant(entry.not_before),
                "not_after": instant(entry.not_after),
            }
            for entry in key_set.keys
        ],
        "revoked": [{"kid": gone.kid, "reason": gone.reason} for gone in key_set.revoked],
        "issued_at": instant(key_set.issued_at),
        "expires": instant(key_set.expires),
    }
    return jws.sign(jws.Typ.KEYS, strict_json.dump(payload).encode(), identity)


def open_key_set(text: str, identity: PublicKey) -> KeySet:
    """The key set, if `identity` signed it and it is sound.

    Whether it is out of date is the caller's question.
    Raises `Untrusted(signature_invalid | malformed)`.
    """
    payload = jws.verify(text, jws.Typ.KEYS, identity)
    data = Members(strict_json.parse(payload, max_bytes=MAX_KEY_SET, what="key set"), "key set")
    keys = tuple(_entry(item) for item in data.array("keys", MAX_KEYS))
    if len({entry.kid for entry in keys}) != len(keys):
        raise data.flaw("a key appears twice")
    key_set = KeySet(
        node_id=data.node_id("node_id"),
        version=data.number("version", 1),
        identity_version=data.number("identity_version", 1),
        keys=keys,
        revoked=tuple(_revoked(item) for item in data.array("revoked", MAX_REVOKED)),
        issued_at=data.instant("issued_at"),
        expires=data.instant("expires"),
    )
    # The node id is the thumbprint of the first identity key. Without this anybody could
    # publish a well-signed set under somebody else's name.
    if key_set.identity_version == 1 and key_set.node_id != identity.kid:
        raise data.flaw("node_id is not the thumbprint of the identity key")
    return key_set


def _entry(item: object) -> KeyEntry:
    data = Members(item, "key set")
    key = PublicKey.from_jwk(data.nested("jwk"))
    use = data.text("use", 8)
    if data.digest("kid") != key.kid or use not in list(KeyUse):
        raise data.flaw("kid or use")
    return KeyEntry(
        key.kid, key, KeyUse(use), data.instant("not_before"), data.instant("not_after")
    )


def _revoked(item: object) -> RevokedKey:
    data = Members(item, "key set")
    return RevokedKey(data.digest("kid"), data.text("reason", MAX_SHORT))


# The point check multiplies by the group order (some 50 µs); the same few keys come back for
# ever, so remembering the verdict is worth more than the bytes it takes.
@lru_cache(maxsize=4096)
def _thumbprint_of_valid(raw: bytes) -> str:
    if len(raw) != KEY_BYTES or not crypto_core_ed25519_is_valid_point(raw):
        raise _bad_key("not a canonical point of prime order")
    # RFC 7638 §3: required members only, in lexical order, no white space.
    return sha256_b64(f'{{"crv":"Ed25519","kty":"OKP","x":"{b64url(raw)}"}}'.encode())


def _bad_key(because: str) -> Untrusted:
    return Untrusted("malformed", "A public key cannot be used.", because=because)
