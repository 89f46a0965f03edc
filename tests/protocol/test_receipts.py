"""A receipt proves storage of exactly these bytes of exactly this stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Untrusted
from hub.ids import HandoffId
from hub.protocol import jws, receipts, strict_json
from tests.protocol.builders import ALPHA, BETA, EVE, LINK, NOW, a_hash, an_id

RECEIPT = receipts.Receipt(
    link=LINK, of=ALPHA.node_id, epoch=0, upto=7, head=a_hash("head"),
    handoffs={HandoffId(an_id("hnd")): (2, a_hash("h"))}, at=NOW,
)  # fmt: skip


def opened(text: str, link: str = LINK, of: str = ALPHA.node_id) -> receipts.Receipt:
    return receipts.open_receipt(text, BETA.msg.public, link=link, of=of)


def test_a_receipt_comes_back_as_it_was_signed() -> None:
    assert opened(receipts.seal_receipt(RECEIPT, BETA.msg)) == RECEIPT


def test_the_same_storage_gives_the_same_receipt() -> None:
    assert receipts.seal_receipt(RECEIPT, BETA.msg) == receipts.seal_receipt(RECEIPT, BETA.msg)


def test_an_empty_stream_has_a_receipt_too() -> None:
    empty = replace(RECEIPT, upto=0, handoffs={})
    assert opened(receipts.seal_receipt(empty, BETA.msg)) == empty


def test_a_receipt_for_another_link_or_stream_is_refused() -> None:
    text = receipts.seal_receipt(RECEIPT, BETA.msg)
    for other in ({"link": an_id("lnk", "other")}, {"of": BETA.node_id}, {"of": EVE.node_id}):
        with pytest.raises(Untrusted, match="another stream"):
            opened(text, **other)


def test_a_receipt_by_anybody_else_is_refused() -> None:
    for signer in (EVE.msg, ALPHA.msg, BETA.http, BETA.identity):
        with pytest.raises(Untrusted, match="signature_invalid"):
            opened(receipts.seal_receipt(RECEIPT, signer))


@pytest.mark.parametrize(
    "change",
    [
        {"stored": False}, {"stored": 1}, {"stored": None}, {"upto": -1}, {"upto": "7"},
        {"head": "x"},
        {"handoffs": []}, {"handoffs": {"x": [2, a_hash()]}},
        {"handoffs": {an_id("msg"): [2, a_hash()]}},
        {"handoffs": {an_id("hnd"): [0, a_hash()]}}, {"handoffs": {an_id("hnd"): {}}},
        {"at": "now"},
        {"ep": None}, {"of": "alpha"},
    ],
)  # fmt: skip
def test_an_unsound_receipt_is_refused(change: dict[str, Any]) -> None:
    payload = jws.peek(receipts.seal_receipt(RECEIPT, BETA.msg)).payload
    changed = strict_json.parse(payload, max_bytes=9999) | change
    with pytest.raises(Untrusted, match="malformed"):
        opened(jws.sign(jws.Typ.RECEIPT, strict_json.dump(changed).encode(), BETA.msg))


def test_a_receipt_for_a_whole_batch_fits() -> None:
    many = {HandoffId(an_id("hnd", str(n))): (2**53 - 1, a_hash(str(n))) for n in range(100)}
    full = replace(RECEIPT, handoffs=many)
    assert opened(receipts.seal_receipt(full, BETA.msg)) == full
