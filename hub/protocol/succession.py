"""How one identity key follows another: both sign one and the same statement.

A node keeps its id, the thumbprint of its first identity key, for ever. Whoever pinned one of
its identity keys follows the statements from there to the newest; whoever pinned none yet
follows them from the very first, so that nobody can speak under an id that is not its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.errors import Untrusted
from hub.protocol import jws, strict_json
from hub.protocol.encoding import instant
from hub.protocol.keys import PublicKey, Signer
from hub.protocol.members import Members

MAX_SUCCESSIONS: Final = 16  # in the life of a node
MAX_STATEMENT: Final = 2048  # characters of one signed statement
_WHAT: Final = "succession"


@dataclass(frozen=True, slots=True)
class Succession:
    """One change of a node's identity key."""

    node_id: str
    version: int  # of the new key; the first key of a node is version 1
    old: PublicKey
    new: PublicKey
    at: datetime


def seal_succession(
    node_id: str, version: int, old: Signer, new: Signer, at: datetime
) -> tuple[str, str]:
    """The statement, signed by the old key and by the new one."""
    payload = strict_json.dump(
        {
            "node_id": node_id,
            "version": version,
            "old": old.public.jwk,
            "new": new.public.jwk,
            "at": instant(at),
        }
    ).encode()
    return jws.sign(jws.Typ.IDENTITY, payload, old), jws.sign(jws.Typ.IDENTITY, payload, new)


def open_successions(texts: Sequence[str]) -> tuple[Succession, ...]:
    """The changes these texts prove, oldest first; each takes two of them.

    Raises `Untrusted` unless every statement is signed by both its keys and they follow on one
    another: one node, versions without a gap, each old key the new one of the change before.
    """
    if len(texts) % 2 or len(texts) > 2 * MAX_SUCCESSIONS:
        raise _malformed("each change is two texts")
    found: list[Succession] = []
    for by_old, by_new in zip(texts[::2], texts[1::2], strict=True):
        one = _open(by_old, by_new)
        if found and (one.node_id, one.version, one.old) != (
            found[-1].node_id,
            found[-1].version + 1,
            found[-1].new,
        ):
            raise _malformed("the changes do not follow on one another")
        found.append(one)
    return tuple(found)


def follow(pinned: PublicKey, node_id: str, texts: Sequence[str]) -> tuple[PublicKey, ...]:
    """The identity keys of this node from the pinned one on, oldest first.

    Only the pinned one where the texts do not lead on from it. Raises like `open_successions`.
    """
    keys = [pinned]
    for one in open_successions(texts):
        if one.node_id != node_id:
            raise _malformed("the change is another node's")
        if one.old == keys[-1]:
            keys.append(one.new)
    return tuple(keys)


def prove_identity(
    node_id: str, identity_version: int, identity: PublicKey, texts: Sequence[str]
) -> None:
    """Return if this key may speak for this node, for somebody who has pinned none of its keys.

    Raises `Untrusted(malformed)` where the texts do not lead from the key the node is named
    after to this one.
    """
    changes = open_successions(texts)
    first = changes[0].old if changes else identity
    last = changes[-1].new if changes else identity
    if (
        first.kid != node_id
        or last != identity
        or identity_version != len(changes) + 1
        or any(one.node_id != node_id for one in changes)
        or (changes and changes[0].version != 2)
    ):
        raise _malformed("the identity key does not follow from the node's first one")


def read_texts(data: Members, name: str) -> tuple[str, ...]:
    """The optional member with the signed statements of a document. Raises `Untrusted`."""
    if not data.has(name):
        return ()
    values: list[Any] = data.array(name, 2 * MAX_SUCCESSIONS)
    if not all(type(value) is str and 0 < len(value) <= MAX_STATEMENT for value in values):
        raise data.flaw(name)
    return tuple(values)


def _open(by_old: str, by_new: str) -> Succession:
    first, second = jws.peek(by_old), jws.peek(by_new)
    if first.payload != second.payload:
        raise _malformed("the two keys signed different statements")
    data = Members(strict_json.parse(first.payload, max_bytes=MAX_STATEMENT, what=_WHAT), _WHAT)
    one = Succession(
        node_id=data.node_id("node_id"),
        version=data.number("version", 2),
        old=PublicKey.from_jwk(data.nested("old")),
        new=PublicKey.from_jwk(data.nested("new")),
        at=data.instant("at"),
    )
    if one.old == one.new:
        raise data.flaw("a key does not follow itself")
    jws.verify(first, jws.Typ.IDENTITY, one.old)
    jws.verify(second, jws.Typ.IDENTITY, one.new)
    return one


def _malformed(because: str) -> Untrusted:
    return Untrusted(
        "malformed",
        "What was received does not follow the protocol.",
        because=f"{_WHAT}: {because}",
    )
