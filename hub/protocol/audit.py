"""The audit log as bytes: how a record is hashed, a head signed, and an export checked offline.

Each record is hashed over the one before it, and the head is signed by the node's identity key.
So whoever has no key can change nothing that a signed head covers, and whoever has the key
cannot change what somebody else was shown: an export, or a head told to a peer.

An export is JSON Lines, read only in the one spelling it is written in: a first line about the
node, a line for each record, and a last line with a signature over all bytes before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from hub.errors import Untrusted
from hub.protocol import jws, strict_json
from hub.protocol.encoding import b64url, instant, sha256_b64
from hub.protocol.keys import PublicKey, Signer
from hub.protocol.members import Members
from hub.protocol.succession import open_successions, prove_identity

FORMAT: Final = "txp-audit/1"
_MAX_HEAD: Final = 4096
_MAX_LINE: Final = 1024 * 1024
_RECORD: Final = ("seq", "at", "actor", "event", "facts", "prev", "hash")


def record_hash(seq: int, at: datetime, actor: str, event: str, facts: str, prev: str) -> str:
    """The hash of a record; `facts` is its exact JSON text."""
    return sha256_b64(_dump([seq, at.isoformat(), actor, event, facts, prev]).encode())


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a node's log at some moment."""

    node: str
    seq: int
    head: str
    at: datetime
    digest: str | None = None  # of an export's bytes; None where only the head is told


def seal_head(head: Head, signer: Signer) -> str:
    """The head as a JWS."""
    payload: dict[str, Any] = {
        "node": head.node,
        "seq": head.seq,
        "head": head.head,
        "at": instant(head.at),
    }
    if head.digest is not None:
        payload["digest"] = head.digest
    return jws.sign(jws.Typ.AUDIT, strict_json.dump(payload).encode(), signer)


def open_head(text: str, key: PublicKey) -> Head:
    """The head, if `key` signed it. Raises Untrusted(malformed | signature_invalid)."""
    payload = jws.verify(text, jws.Typ.AUDIT, key)
    data = Members(strict_json.parse(payload, max_bytes=_MAX_HEAD, what="head"), "head")
    return Head(
        node=data.node_id("node"),
        seq=data.number("seq"),
        head=data.digest("head"),
        at=data.instant("at"),
        digest=data.digest("digest") if data.has("digest") else None,
    )


# --- exports --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log."""

    seq: int
    at: datetime
    actor: str
    event: str
    facts: str
    prev: str
    hash: str


def write_export(
    records: Iterable[Record],
    *,
    node: str,
    identity: PublicKey,
    signer: Signer,
    at: datetime,
    succession: Sequence[str] = (),
) -> Iterator[bytes]:
    """The lines of an export of a whole log; `succession` leads from the node's first identity."""
    digest = sha256()
    seq, head = 0, ""

    def line(members: dict[str, Any]) -> bytes:
        made = (_dump(members) + "\n").encode()
        digest.update(made)
        return made

    about = {"format": FORMAT, "node": node, "identity": identity.jwk, "at": instant(at)}
    yield line(about | ({"succession": list(succession)} if succession else {}))
    for one in records:
        seq, head = one.seq, one.hash
        values = (one.seq, one.at.isoformat(), one.actor, one.event, one.facts, one.prev, one.hash)
        yield line(dict(zip(_RECORD, values, strict=True)))
    signed = seal_head(Head(node, seq, head, at, b64url(digest.digest())), signer)
    yield line({"signature": signed})


@dataclass(frozen=True, slots=True)
class Export:
    """What an export that nobody changed says of itself."""

    node: str
    key: str  # the thumbprint of the identity key that signed it
    records: int
    head: str
    at: datetime


def check_export(lines: Iterable[bytes], *, signed_by: str | None = None) -> Export:
    """Return if these lines are, to the bit, what a node exported.

    `signed_by` is the thumbprint of the key that must have signed it, or of an identity that this
    key followed, as the reader knows it from elsewhere; without it the caller compares `key`
    itself. Raises Untrusted(altered), naming the first line that does not fit.
    """
    digest = sha256()
    node, seq, prev = "", 0, ""
    known: frozenset[str] = frozenset()
    key: PublicKey | None = None
    last: dict[str, Any] | None = None
    for number, raw in enumerate(lines, 1):
        if last is not None:
            raise _altered("behind", number)
        found = _read_line(raw, number)
        if key is None:
            node, key, known = _read_first(found, number)
        elif found.keys() == {"signature"}:
            last = found
            continue
        else:
            seq, prev = _follow(found, number, seq, prev)
        digest.update(raw)
    if key is None or last is None:
        raise _altered("no_end")
    try:
        head = open_head(str(last["signature"]), key)
    except Untrusted as error:
        raise _altered("signature", because=str(error)) from error
    if (head.node, head.seq, head.head) != (node, seq, prev):
        raise _altered("other_log")
    if head.digest != b64url(digest.digest()):
        raise _altered("other_bytes")
    if signed_by is not None and signed_by not in known:
        raise _altered("other_key", because=key.kid)
    return Export(node, key.kid, seq, prev, head.at)


def _read_line(raw: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode()) if len(raw) <= _MAX_LINE else None
        if isinstance(found, dict) and (_dump(found) + "\n").encode() == raw:
            return found
    except (ValueError, RecursionError):
        pass
    raise _altered("spelling", number)


def _read_first(found: dict[str, Any], number: int) -> tuple[str, PublicKey, frozenset[str]]:
    """The node, its identity key, and the thumbprints of this one and those it followed."""
    if (
        found.keys() - {"succession"} != {"format", "node", "identity", "at"}
        or found["format"] != FORMAT
    ):
        raise _altered("first", number)
    try:
        node, key = str(found["node"]), PublicKey.from_jwk(found["identity"])
        texts = [str(one) for one in found.get("succession", ())]
        prove_identity(node, len(texts) // 2 + 1, key, texts)
        former = [one.old.kid for one in open_successions(texts)]
    except (Untrusted, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _altered("first", number) from error
    return node, key, frozenset({key.kid, *former})


def _follow(found: dict[str, Any], number: int, seq: int, prev: str) -> tuple[int, str]:
    if tuple(found) != _RECORD:
        raise _altered("spelling", number)
    if type(found["seq"]) is not int or found["seq"] != seq + 1 or found["prev"] != prev:
        raise _altered("order", number)
    try:
        at = datetime.fromisoformat(found["at"])
        right = record_hash(
            found["seq"], at, found["actor"], found["event"], found["facts"], found["prev"]
        )
    except (ValueError, TypeError) as error:
        raise _altered("hash", number) from error
    if found["hash"] != right or at.isoformat() != found["at"]:
        raise _altered("hash", number)
    return found["seq"], right


_TOLD: Final = {
    "behind": "This is not what the node exported: line {line} stands behind the signature.",
    "no_end": "This is not what the node exported: the end is missing.",
    "signature": "This is not what the node exported: the signature does not fit.",
    "other_log": "This is not what the node exported: the signature is about another log.",
    "other_bytes": "This is not what the node exported: something was changed.",
    "other_key": "This was signed by another key than the one you named.",
    "spelling": "This is not what the node exported: line {line} is not as it was written.",
    "first": "This is no export of an audit log: line {line} does not say so.",
    "order": "This is not what the node exported: line {line} does not follow from the one before.",
    "hash": "This is not what the node exported: line {line} was changed.",
}


def _altered(code: str, line: int = 0, *, because: str = "") -> Untrusted:
    return Untrusted("altered", _TOLD[code], because=because, line=line)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
