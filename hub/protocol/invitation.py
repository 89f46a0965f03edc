"""The one-time code that starts a link, and the proof that somebody holds it.

The code carries where to go, whom to expect there (a hash of the inviter's identity key) and
a secret. The secret never travels again: the invitee proves it by a MAC.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from hub.errors import Refused, Untrusted
from hub.ids import InvitationId
from hub.protocol import strict_json
from hub.protocol.encoding import b64url, instant, is_hash, unb64url
from hub.protocol.members import MAX_URL, Members

PREFIX: Final = "txp1."
SECRET_BYTES: Final = 16
NONCE_BYTES: Final = 16
MAX_CODE: Final = 2000
_CHECK_BYTES: Final = 4  # catches typing and pasting errors; it keeps no secret
_MAC_CONTEXT: Final = b"txp-link-v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a code says. Its representation does not show the secret."""

    base_url: str  # of the inviter, without a slash at the end
    id: InvitationId
    secret: bytes
    identity_hash: str  # b64url SHA-256 of the inviter's raw identity public key
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Invitation({self.id}, {self.base_url})"


def encode(invitation: Invitation) -> str:
    """The code to hand over. Raises `ValueError` for an invitation `decode` would refuse."""
    body = strict_json.dump(
        {
            "base": invitation.base_url,
            "id": invitation.id,
            "secret": b64url(invitation.secret),
            "identity": invitation.identity_hash,
            "expires": instant(invitation.expires_at),
        }
    ).encode()
    try:
        _read(body)
    except Refused as error:
        raise ValueError(f"not a valid invitation: {error.because}") from error
    return PREFIX + b64url(body + sha256(body).digest()[:_CHECK_BYTES])


def decode(text: str) -> Invitation:
    """The invitation in a code, or in a link that ends in one.

    Raises `Refused(invite_invalid)` for what is no code at all, `Refused(invite_mistyped)`
    where a code was damaged on its way. Whether it has expired is the caller's question.
    """
    code = text.strip().rpartition("#")[2]
    if not code.startswith(PREFIX) or len(code) > MAX_CODE:
        raise _invalid("prefix or length")
    try:
        raw = unb64url(code[len(PREFIX) :])
    except Untrusted as error:
        raise _mistyped() from error
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if sha256(body).digest()[:_CHECK_BYTES] != check:
        raise _mistyped()
    return _read(body)


def url(invitation: Invitation) -> str:
    """A link for people. The code is in the fragment, which browsers do not send anywhere."""
    return f"{invitation.base_url}/i#{encode(invitation)}"


def secret_hash(secret: bytes) -> bytes:
    """What the inviter keeps instead of the secret, and the key of the MAC."""
    return sha256(secret).digest()


def mac(
    secret_hash: bytes, inviter_id: str, invitee_id: str, offer_text: str, nonce: bytes
) -> bytes:
    """HMAC-SHA-256 that binds both nodes and the exact offer to the secret.

    Raises `ValueError` unless the ids are node ids and the nonce has 16 bytes: with every
    part of a fixed length, no two requests can share their MAC input.
    """
    if not is_hash(inviter_id) or not is_hash(invitee_id) or len(nonce) != NONCE_BYTES:
        raise ValueError("a MAC takes two node ids and a nonce of 16 bytes")
    said = (
        _MAC_CONTEXT
        + inviter_id.encode("ascii")
        + invitee_id.encode("ascii")
        + sha256(offer_text.encode()).digest()
        + nonce
    )
    return hmac.digest(secret_hash, said, "sha256")


def check_mac(
    found: bytes,
    secret_hash: bytes,
    inviter_id: str,
    invitee_id: str,
    offer_text: str,
    nonce: bytes,
) -> None:
    """Return if the MAC fits, in constant time, else raise `Untrusted(mac_invalid)`."""
    expected = mac(secret_hash, inviter_id, invitee_id, offer_text, nonce)
    if not hmac.compare_digest(found, expected):
        raise Untrusted("mac_invalid", "The invitation code does not fit.", because=invitee_id)


_BASE_HOST: Final = re.compile(r"(?!.*\.\Z)[a-z0-9_.-]+|\[[0-9a-f:]+\]")
_BASE_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,;=:-]+)*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what makes a resolver read a host as IPv4
_DEFAULT_PORT: Final = {"https": "443", "http": "80"}


def check_base_url(text: str) -> None:
    """Return if this can be the base of a node, else raise `Untrusted(malformed)`.

    Spelling only; whether we may connect to it is the client's guard. One spelling per base:
    whoever could write a known peer's address in another way would be another peer at it.
    """
    scheme, separator, rest = text.partition("://")
    slash = rest.find("/")
    authority, path = (rest, "") if slash < 0 else (rest[:slash], rest[slash:])
    host, port = authority, ""
    if not authority.endswith("]"):  # else an IPv6 address without a port
        host, colon, port = authority.rpartition(":")
        host = host if colon else authority
        if colon and (not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535):
            raise _bad_base()
    if (
        not separator
        or scheme not in _DEFAULT_PORT
        or port == _DEFAULT_PORT[scheme]
        or not _BASE_HOST.fullmatch(host)
        or not _BASE_PATH.fullmatch(path)
        or len(text) > MAX_URL
    ):
        raise _bad_base()
    try:
        if host.startswith("["):
            address = ipaddress.IPv6Address(host[1:-1])
            if address.ipv4_mapped is not None:  # no node lives there, and it has two spellings
                raise _bad_base()
            canonical = f"[{address}]"
        elif _NUMBER.fullmatch(host.rpartition(".")[2]):
            canonical = str(ipaddress.IPv4Address(host))
        else:
            canonical = host
    except ValueError:
        raise _bad_base() from None
    if canonical != host:
        raise _bad_base()


def _bad_base() -> Untrusted:
    return Untrusted("malformed", "This cannot be the address of a hub.", because="base url")


def _read(body: bytes) -> Invitation:
    try:
        data = Members(strict_json.parse(body, max_bytes=MAX_CODE), "invitation")
        base_url = data.text("base", MAX_URL)
        check_base_url(base_url)
        return Invitation(
            base_url=base_url,
            id=InvitationId(data.an_id("id", "inv")),
            secret=data.raw("secret", SECRET_BYTES),
            identity_hash=data.digest("identity"),
            expires_at=data.instant("expires"),
        )
    except Untrusted as error:
        raise _invalid(error.because) from error


def _mistyped() -> Refused:
    return Refused(
        "invite_mistyped",
        "The invitation code has a typing error.",
        hint="Copy the whole code again; it is one long word without spaces.",
    )


def _invalid(because: str) -> Refused:
    return Refused(
        "invite_invalid",
        "This is not an invitation code.",
        hint="An invitation code begins with {prefix}",
        because=because,
        prefix=PREFIX,
    )
