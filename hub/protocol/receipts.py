"""Receipts: the receiver's signed word that it has stored a stream up to a point.

A receipt is about bytes, not about anybody's consent. It is cumulative, so a lost one is
replaced by the next, and it names hashes, so it cannot be moved onto other messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.ids import HandoffId, LinkId, is_id
from hub.protocol import jws, strict_json
from hub.protocol.encoding import instant
from hub.protocol.keys import PublicKey, Signer
from hub.protocol.members import Members

MAX_RECEIPT: Final = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Everything of the stream of node `of` up to `upto` is stored, and `head` is its hash."""

    link: LinkId
    of: str  # whose messages were stored, i.e. not the node that signs this
    epoch: int
    upto: int  # 0 where nothing has come yet; `head` is then the agreement hash
    head: str
    handoffs: Mapping[HandoffId, tuple[int, str]]  # heads of the hand-offs touched just now
    at: datetime  # the receiver's clock
    stored: bool = True


def seal_receipt(receipt: Receipt, signer: Signer) -> str:
    """The receipt as a JWS by the receiver's `msg` key."""
    payload = {
        "link": receipt.link,
        "of": receipt.of,
        "ep": receipt.epoch,
        "upto": receipt.upto,
        "head": receipt.head,
        "handoffs": {handoff: list(head) for handoff, head in receipt.handoffs.items()},
        "at": instant(receipt.at),
        "stored": receipt.stored,
    }
    return jws.sign(jws.Typ.RECEIPT, strict_json.dump(payload).encode(), signer)


def open_receipt(text: str, key: PublicKey, *, link: str, of: str) -> Receipt:
    """The receipt, if `key` signed it about the stream of `of` on this link.

    Whether its head is the hash we know for that place is the caller's question.
    Raises `Untrusted(malformed | signature_invalid)`.
    """
    payload = jws.verify(text, jws.Typ.RECEIPT, key)
    data = Members(strict_json.parse(payload, max_bytes=MAX_RECEIPT, what="receipt"), "receipt")
    if data.an_id("link", "lnk") != link or data.node_id("of") != of:
        raise data.flaw("about another stream")
    if not data.flag("stored"):
        raise data.flaw("stored is not true")
    handoffs: dict[HandoffId, tuple[int, str]] = {}
    for name, head in data.nested("handoffs").items():
        if not is_id(name, "hnd"):
            raise data.flaw("handoffs")
        handoffs[HandoffId(name)] = data.position("handoffs", head)
    return Receipt(
        link=LinkId(link),
        of=of,
        epoch=data.number("ep"),
        upto=data.number("upto"),
        head=data.digest("head"),
        handoffs=handoffs,
        at=data.instant("at"),
    )
