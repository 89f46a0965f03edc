"""Sealing our messages and opening those of others: the only way to a `VerifiedMessage`.

Whoever holds a `VerifiedMessage` knows that its envelope was signed by the key it was opened
with, names the expected link, sender and receiver, and that its payload is the very text the
sender hashed. The inbox takes nothing else, so forgetting to verify does not type-check.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any, Final, final

from hub.errors import Untrusted
from hub.protocol import jws, strict_json
from hub.protocol.encoding import b64url, sha256_b64
from hub.protocol.keys import PublicKey, Signer
from hub.protocol.members import Members
from hub.protocol.message import (
    MAX_DATA,
    MAX_ENV,
    Envelope,
    WireMessage,
    envelope_members,
    parse_envelope,
    read_envelope,
)

SALT_BYTES: Final = 16
_OPENED: Final = object()  # known to open_sealed only


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """One of our own messages, ready to be stored and sent byte for byte."""

    envelope: Envelope
    env: str
    data: str
    hash: str  # what the next message names as `prev`

    @property
    def wire(self) -> WireMessage:
        """As it travels."""
        return WireMessage(self.env, self.data)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedMessage:
    """A message that was verified. Only `open_sealed` can make one.

    The (authentic) payload may still be unreadable. Such a message is stored and rejected
    in-band: refusing it at the door would stop the stream behind it for ever.
    """

    proof: InitVar[object]
    envelope: Envelope
    data_text: str  # exactly as received: the evidence
    env: str  # exactly as received
    hash: str
    kid: str  # of the key it was opened with

    @property
    def data(self) -> dict[str, Any]:
        """The payload without its salt, read anew each time; empty where it is unreadable."""
        try:
            return read_data(self.data_text)
        except Untrusted:
            return {}

    @property
    def flaw(self) -> str:
        """Why the payload is not readable; empty where it is."""
        try:
            read_data(self.data_text)
        except Untrusted as error:
            return error.because
        return ""

    def __post_init__(self, proof: object) -> None:
        # An InitVar and not a field, so that dataclasses.replace cannot carry it over either.
        if proof is not _OPENED:
            raise TypeError("only open_sealed() makes a VerifiedMessage")


def seal(envelope: Envelope, payload: dict[str, Any], salt: bytes, signer: Signer) -> SealedMessage:
    """Sign a message. `envelope.data_hash` is filled in; `salt` is 16 unguessable bytes.

    The salt keeps the hash of an erased payload from being guessed back into the payload.
    Characters that may not be sent are replaced by U+FFFD in `data`.
    Raises `ValueError` for what the protocol cannot carry: a bug of the caller.
    """
    if len(salt) != SALT_BYTES or "salt" in payload:
        raise ValueError("a payload takes one salt of 16 bytes")
    return seal_text(
        envelope, strict_json.dump({"salt": b64url(salt), **payload}, mend=True), signer
    )


def seal_text(envelope: Envelope, data: str, signer: Signer) -> SealedMessage:
    """Sign a message whose payload text exists already: signing again for a new epoch."""
    raw = data.encode()
    members = {**envelope_members(envelope), "dh": sha256_b64(raw)}
    try:
        written = read_envelope(members)
    except Untrusted as error:
        raise ValueError(f"not a valid envelope: {error.because}") from error
    env = jws.sign(jws.Typ.MSG, strict_json.dump(members).encode(), signer)
    if len(env) > MAX_ENV or len(raw) > MAX_DATA:
        raise ValueError("the message is too large")
    signing_input = env.rpartition(".")[0].encode("ascii")
    return SealedMessage(written, env, data, jws.message_hash(signing_input))


def peek_kid(env: str) -> str:
    """Which key claims to have signed; nothing is believed. Raises `Untrusted(malformed)`."""
    return _peek(env).kid


def open_sealed(
    wire: WireMessage, key: PublicKey, *, link: str, sender: str, receiver: str
) -> VerifiedMessage:
    """The message, if `key` signed it on this link from `sender` to `receiver`.

    Whether the key holds at this position of the stream, and whether `seq` and `prev`
    continue it, is for the caller, who knows the stream.

    Raises `Untrusted`: `malformed` (shape or size), `signature_invalid`, `env_invalid`
    (envelope, or addressed otherwise), `data_hash_mismatch`.
    """
    envelope, mh = open_envelope(wire.env, key, link=link, sender=sender, receiver=receiver)
    text = wire.data
    raw = _bytes(text)
    if len(raw) > MAX_DATA:
        raise _malformed("data too large")
    if text is None or sha256_b64(raw) != envelope.data_hash:
        raise Untrusted(
            "data_hash_mismatch",
            "The payload is not the one that was signed.",
            because="missing" if text is None else envelope.id,
        )
    return VerifiedMessage(
        proof=_OPENED,
        envelope=envelope,
        data_text=text,
        env=wire.env,
        hash=mh,
        kid=key.kid,
    )


def open_envelope(
    env: str, key: PublicKey, *, link: str, sender: str, receiver: str
) -> tuple[Envelope, str]:
    """The envelope and its message hash, for a message whose payload has been erased.

    Raises like `open_sealed`. This is enough to follow the chain, not to act.
    """
    unverified = _peek(env)
    envelope = parse_envelope(jws.verify(unverified, jws.Typ.MSG, key))
    if (envelope.link, envelope.sender, envelope.receiver) != (link, sender, receiver):
        raise Untrusted(
            "env_invalid", "The message is not addressed to this link.", because=envelope.id
        )
    return envelope, jws.message_hash(unverified.signing_input)


def stored_envelope(env: str) -> Envelope:
    """The envelope of a message that was verified, or made by us, before it was stored."""
    return parse_envelope(_peek(env).payload)


def read_data(text: str) -> dict[str, Any]:
    """The payload in a stored data text, without its salt. Raises `Untrusted(malformed)`."""
    data = strict_json.parse(text, max_bytes=MAX_DATA, what="payload")
    Members(data, "payload").raw("salt", SALT_BYTES)
    del data["salt"]
    return data


def _peek(env: str) -> jws.Unverified:
    if len(env) > MAX_ENV:
        raise _malformed("env too large")
    return jws.peek(env)


def _bytes(text: str | None) -> bytes:
    try:
        return (text or "").encode()
    except UnicodeEncodeError:
        raise _malformed("data holds a lone surrogate") from None


def _malformed(because: str) -> Untrusted:
    return Untrusted(
        "malformed", "What was received does not follow the protocol.", because=because
    )
