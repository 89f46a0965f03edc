"""Whether anybody touched the audit log: its chain, the heads we signed, what peers were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.errors import Untrusted
from hub.protocol import audit as log
from hub.protocol import jws, signing
from hub.protocol.keys import PublicKey
from hub.storage import audit, guards, outbox
from hub.storage.database import Connection

_TOLD_IN = "link.checkpoint"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the log that must not be."""

    code: str
    seq: int | None  # the record it is about
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole log found."""

    records: int
    head: str
    heads: int  # that we signed and that still fit
    told: int  # that peers were told and that still fit
    problems: list[Problem]


def verify(connection: Connection, node: str, keys: Mapping[str, PublicKey]) -> Verdict:
    """Follow the chain, and compare it with every head that was signed or told.

    `keys` are our identity keys by thumbprint. Nothing is believed of a head that none of them
    signed.
    """
    problems: list[Problem] = []
    signed: list[tuple[int, str]] = []
    for one in audit.heads(connection):
        try:
            head = log.open_head(one.jws, _key(keys, one.jws))
        except Untrusted as error:
            problems.append(Problem("head_invalid", one.seq, error.because or error.code))
            continue
        if (head.node, head.seq, head.head) != (node, one.seq, one.head):
            problems.append(Problem("head_invalid", one.seq, "about another log"))
            continue
        signed.append((head.seq, head.head))
    told = _told(connection)
    walked = audit.walk(connection, {seq for seq, _ in [*signed, *told]})
    if walked.broken_at is not None:
        problems.append(Problem("broken", walked.broken_at))
    for code, known in (("differs_from_signed", signed), ("differs_from_told", told)):
        problems += [Problem(code, seq) for seq, head in known if walked.hashes.get(seq) != head]
    problems += [Problem("unguarded", None, table) for table in guards.missing(connection)]
    return Verdict(
        records=walked.records,
        head=walked.head,
        heads=sum(walked.hashes.get(seq) == head for seq, head in signed),
        told=sum(walked.hashes.get(seq) == head for seq, head in told),
        problems=problems,
    )


def _key(keys: Mapping[str, PublicKey], text: str) -> PublicKey:
    kid = jws.peek(text).kid
    if kid not in keys:
        raise Untrusted("key_unknown", "The head is signed by an unknown key.", because=kid)
    return keys[kid]


def _told(connection: Connection) -> list[tuple[int, str]]:
    """Heads in our own signed messages: the peers' receipts hold us to them."""
    told = []
    for data in outbox.payloads_of(connection, _TOLD_IN):
        said = signing.read_data(data).get("audit")
        if isinstance(said, dict) and said.get("seq"):
            told.append((int(said["seq"]), str(said["head"])))
    return told
