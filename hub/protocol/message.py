"""The envelope of a message and the batch that carries messages.

The envelope is what is signed; it names the payload by hash only, so a payload can be erased
later while every signature and chain still verifies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from hub.errors import Untrusted
from hub.ids import HandoffId, LinkId, MessageId
from hub.protocol import strict_json, versions
from hub.protocol.encoding import instant
from hub.protocol.members import Members

VERSION: Final = versions.VERSION
MAX_BATCH: Final = 100  # messages
MAX_BATCH_BYTES: Final = 1024 * 1024
MAX_ENV: Final = 4096  # characters of the signed envelope
MAX_DATA: Final = 64 * 1024  # bytes of the payload text
MAX_TYPE: Final = 100
_WIRE_FRAME: Final = len('{"env":,"data":},')  # around the two texts of a message in a batch
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_-]*)+")
_SCHEMA: Final = re.compile(rf"(?P<type>{_TYPE.pattern})/[1-9][0-9]{{0,3}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who says what kind of thing to whom, and its place in the chains."""

    id: MessageId  # made once; survives signing again under a new epoch
    link: LinkId
    sender: str
    receiver: str
    epoch: int
    seq: int  # from 1, per link, direction and epoch table
    prev: str  # hash of the message before; for seq 1 the agreement hash
    agreement: int  # revision under which it was written
    ack: tuple[int, str] | None = None  # the peer's last message we had processed
    type: str
    must: bool  # a receiver that does not know the type has to reject it
    schema: str  # "handoff.offer/1"
    handoff: HandoffId | None = None
    hseq: int | None = None  # place in this hand-off's own chain of this direction
    hprev: str | None = None  # hash before it; for hseq 1 the agreement hash
    at: datetime  # the sender's clock: a claim, never used for order
    cause: MessageId | None = None  # the message this one reacts to
    data_hash: str = ""  # filled in by sealing


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message as it travels. `data` is None where the payload was erased."""

    env: str
    data: str | None


def envelope_members(envelope: Envelope) -> dict[str, Any]:
    """The envelope as the object that is signed. Absent things are left out, never null."""
    members: dict[str, Any] = {
        "v": VERSION,
        "id": envelope.id,
        "link": envelope.link,
        "from": envelope.sender,
        "to": envelope.receiver,
        "ep": envelope.epoch,
        "seq": envelope.seq,
        "prev": envelope.prev,
        "agr": envelope.agreement,
    }
    if envelope.ack is not None:
        members["ack"] = list(envelope.ack)
    members |= {"type": envelope.type, "must": envelope.must, "dt": envelope.schema}
    if envelope.handoff is not None:
        members["handoff"] = envelope.handoff
    if envelope.hseq is not None:
        members["hseq"] = envelope.hseq
    if envelope.hprev is not None:
        members["hprev"] = envelope.hprev
    members["ts"] = instant(envelope.at)
    if envelope.cause is not None:
        members["cause"] = envelope.cause
    members["dh"] = envelope.data_hash
    return members


def parse_envelope(payload: bytes) -> Envelope:
    """The envelope written in a verified payload. Raises `Untrusted(env_invalid)`.

    Members it does not know are ignored: a minor version may add some.
    """
    try:
        parsed = strict_json.parse(payload, max_bytes=MAX_ENV, what="envelope")
    except Untrusted as error:
        raise Untrusted(
            "env_invalid",
            "What was received does not follow the protocol.",
            because=error.because,
        ) from error
    return read_envelope(parsed)


def read_envelope(parsed: dict[str, Any]) -> Envelope:
    """The envelope in a parsed object. Raises `Untrusted(env_invalid)`."""
    data = Members(parsed, "envelope", "env_invalid")
    if parsed.get("v") not in versions.SUPPORTED:
        raise data.flaw("v")
    kind, schema = data.text("type", MAX_TYPE), data.text("dt", MAX_TYPE + 5)
    if not _is_schema_of(schema, kind):
        raise data.flaw("type or dt")
    # One ticket can be shown alone only if its messages carry the whole of its own chain.
    on_handoff = [data.has(name) for name in ("handoff", "hseq", "hprev")]
    if any(on_handoff) and not all(on_handoff):
        raise data.flaw("handoff, hseq and hprev come together")
    return Envelope(
        id=MessageId(data.an_id("id", "msg")),
        link=LinkId(data.an_id("link", "lnk")),
        sender=data.node_id("from"),
        receiver=data.node_id("to"),
        epoch=data.number("ep"),
        seq=data.number("seq", 1),
        prev=data.digest("prev"),
        agreement=data.number("agr", 1),
        ack=data.position("ack", parsed["ack"]) if data.has("ack") else None,
        type=kind,
        must=data.flag("must"),
        schema=schema,
        handoff=HandoffId(data.an_id("handoff", "hnd")) if data.has("handoff") else None,
        hseq=data.number("hseq", 1) if data.has("hseq") else None,
        hprev=data.digest("hprev") if data.has("hprev") else None,
        at=data.instant("ts"),
        cause=MessageId(data.an_id("cause", "msg")) if data.has("cause") else None,
        data_hash=data.digest("dh"),
    )


# The same few pairs come with every message.
@lru_cache(maxsize=1024)
def _is_schema_of(schema: str, kind: str) -> bool:
    found = _SCHEMA.fullmatch(schema)
    return found is not None and found["type"] == kind


def parse_batch(body: bytes) -> list[WireMessage]:
    """The messages of a batch, in the order they came. Raises `Untrusted(malformed)`.

    Only their sizes are judged here; nothing is believed before `open_sealed`.
    """
    return read_messages(strict_json.parse(body, max_bytes=MAX_BATCH_BYTES, what="batch"))


def read_messages(parsed: dict[str, Any]) -> list[WireMessage]:
    """The messages in a parsed batch or part of a log. Raises `Untrusted(malformed)`."""
    return [_wire(item) for item in Members(parsed, "batch").array("messages", MAX_BATCH)]


def dump_batch(messages: Sequence[WireMessage]) -> bytes:
    """The body that carries these messages.

    Raises `ValueError` if they do not fit into one batch: the caller cuts its queue first.
    """
    body = strict_json.dump(
        {"messages": [{"env": message.env, "data": message.data} for message in messages]}
    ).encode()
    if len(messages) > MAX_BATCH or len(body) > MAX_BATCH_BYTES:
        raise ValueError("too much for one batch")
    return body


def fit_batch(messages: Iterable[WireMessage]) -> int:
    """How many messages, from the first on, go into one batch."""
    count, size = 0, len('{"messages":[]}')
    for message in messages:
        size += strict_json.text_size(message.env) + _WIRE_FRAME
        size += strict_json.text_size(message.data) if message.data is not None else len("null")
        if count == MAX_BATCH or size > MAX_BATCH_BYTES:
            break
        count += 1
    return count


def _wire(item: object) -> WireMessage:
    data = Members(item, "batch")
    env = data.text("env", MAX_ENV)
    match item:
        case {"data": None}:
            return WireMessage(env, None)
    return WireMessage(env, data.text("data", MAX_DATA))
