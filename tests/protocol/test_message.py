"""Batches: what is in them, in order, within their limits, and nothing believed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.protocol import strict_json
from hub.protocol.message import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_DATA,
    MAX_ENV,
    WireMessage,
    dump_batch,
    fit_batch,
    parse_batch,
)

wires = st.builds(
    WireMessage,
    st.text("abc.", min_size=1, max_size=9),
    st.none() | st.text(min_size=1, max_size=9).map(strict_json.clean),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(wires, max_size=5))
def test_a_batch_comes_back_in_order(messages: list[WireMessage]) -> None:
    assert parse_batch(dump_batch(messages)) == messages


@pytest.mark.parametrize(
    "body",
    [
        "{}", "[]", '{"messages":{}}', '{"messages":[1]}', '{"messages":[{}]}', '{"messages":null}',
        '{"messages":[{"env":"a"}]}', '{"messages":[{"data":"a"}]}',
        '{"messages":[{"env":"","data":"a"}]}',
        '{"messages":[{"env":"a","data":{"a":1}}]}', '{"messages":[{"env":null,"data":"a"}]}',
        '{"messages":[{"env":"a","data":"b","data":"c"}]}', '{"messages":[{"env":"a","data":""}]}',
        '{"messages":[],"messages":[{"env":"a","data":"b"}]}', '{"messages":[[]]}', "",
    ],
)  # fmt: skip
def test_anything_but_a_batch_is_refused(body: str) -> None:
    with pytest.raises(Untrusted) as caught:
        parse_batch(body.encode())
    assert caught.value.code == "malformed"


def test_more_than_a_hundred_messages_are_refused() -> None:
    many = [WireMessage("a", "b")] * (MAX_BATCH + 1)
    body = json.dumps({"messages": [{"env": m.env, "data": m.data} for m in many]}).encode()
    with pytest.raises(Untrusted):
        parse_batch(body)
    with pytest.raises(ValueError, match="one batch"):
        dump_batch(many)
    assert fit_batch(many) == MAX_BATCH


def test_a_part_over_its_limit_is_refused() -> None:
    for message in (WireMessage("a" * (MAX_ENV + 1), "b"), WireMessage("a", "b" * (MAX_DATA + 1))):
        with pytest.raises(Untrusted):
            parse_batch(dump_batch([message]))


def test_a_batch_over_its_limit_is_refused() -> None:
    body = b'{"messages":[]' + b" " * MAX_BATCH_BYTES + b"}"
    with pytest.raises(Untrusted, match="longer"):
        parse_batch(body)


@pytest.mark.parametrize("data", ["x" * MAX_DATA, '"' * MAX_DATA, "я" * (MAX_DATA // 2)])
def test_what_is_said_to_fit_does_fit_and_one_more_does_not(data: str) -> None:
    queue = [WireMessage("a" * 1000, data)] * 40
    count = fit_batch(queue)
    assert 1 <= count < 40
    assert parse_batch(dump_batch(queue[:count])) == queue[:count]
    with pytest.raises(ValueError, match="one batch"):
        dump_batch(queue[: count + 1])
