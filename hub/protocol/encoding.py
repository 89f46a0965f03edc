"""Bytes and instants as text: one spelling each, and no other spelling is read."""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from hub.errors import Untrusted

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
# 43 characters carry 258 bits for 256: the two spare bits must be zero, else one hash would
# have four spellings.
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The bytes of a base64url text.

    Raises `Untrusted(malformed)` unless encoding them again gives this very text: padding,
    white space, foreign alphabets and stray bits are all refused by that one comparison.
    """
    try:
        coded = text.encode("ascii").translate(_FROM_URL)
        data = binascii.a2b_base64(coded + b"=" * (-len(coded) % 4))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _malformed("base64url", str(error)) from error
    if b64url(data) != text:
        raise _malformed("base64url", "not the canonical spelling")
    return data


def sha256_b64(data: bytes) -> str:
    """SHA-256 as base64url: 43 characters."""
    return b64url(sha256(data).digest())


def is_hash(text: str) -> bool:
    """Whether the text is the one spelling of 32 bytes: a hash, a thumbprint, a node id."""
    return _HASH.fullmatch(text) is not None


def instant(moment: datetime) -> str:
    """`YYYY-MM-DDThh:mm:ss.sssZ`; what is finer than a millisecond is cut off.

    Raises `ValueError` for a moment without a time zone: a bug of the caller.
    """
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_instant(text: str) -> datetime:
    """The moment, aware and in UTC. Raises `Untrusted(malformed)` for any other spelling."""
    if _INSTANT.fullmatch(text) is None:
        raise _malformed("instant", "shape")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:  # the 30th of February, a leap second
        raise _malformed("instant", str(error)) from error


def _malformed(what: str, because: str) -> Untrusted:
    return Untrusted(
        "malformed", "What was received does not follow the protocol.", because=f"{what}: {because}"
    )
