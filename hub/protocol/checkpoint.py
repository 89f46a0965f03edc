"""Hashes by which two nodes compare what they share, without telling each other any of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hub.protocol import strict_json
from hub.protocol.encoding import sha256_b64


def state_hash(fields: Mapping[str, Any]) -> str:
    """The hash of the shared part of a hand-off."""
    return sha256_b64(canonical(dict(fields)))


def field_hash(value: Any) -> str:
    """The hash of one field of it."""
    return sha256_b64(canonical(value))


def canonical(value: Any) -> bytes:
    """The value as canonical JSON (RFC 8785).

    For texts, integers, booleans, lists and objects with ASCII names, which is all that can be
    shared, that is compact JSON with sorted names; a test compares it with a whole implementation.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "surrogatepass")


def clean(value: Any) -> Any:
    """The value as it would be read from the wire: characters that cannot be sent are replaced."""
    if isinstance(value, str):
        return strict_json.clean(value)
    if isinstance(value, Mapping):
        return {name: clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [clean(one) for one in value]
    return value
