"""The lock on the door: what was not sealed by the expected key, for us, is not opened."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.protocol import jws, signing, strict_json
from hub.protocol.encoding import b64url, sha256_b64
from hub.protocol.message import MAX_DATA, MAX_ENV, WireMessage, envelope_members
from hub.protocol.signing import VerifiedMessage
from tests.protocol.builders import (
    ALPHA,
    BETA,
    EVE,
    LINK,
    PAYLOAD,
    SALT,
    a_hash,
    a_sealed,
    an_envelope,
    an_id,
)


def opened(wire: WireMessage, **changes: Any) -> VerifiedMessage:
    expected: dict[str, Any] = {
        "key": ALPHA.msg.public,
        "link": LINK,
        "sender": ALPHA.node_id,
        "receiver": BETA.node_id,
    }
    expected |= changes
    return signing.open_sealed(wire, expected.pop("key"), **expected)


def refusal(wire: WireMessage, **changes: Any) -> str:
    with pytest.raises(Untrusted) as caught:
        opened(wire, **changes)
    return caught.value.code


def test_a_sealed_message_opens_to_what_was_sealed() -> None:
    sealed = a_sealed()
    message = opened(sealed.wire)
    assert message.envelope == sealed.envelope
    assert message.envelope == an_envelope(data_hash=sha256_b64(sealed.data.encode()))
    assert message.data == PAYLOAD
    assert (message.data_text, message.env, message.hash) == (sealed.data, sealed.env, sealed.hash)
    assert message.flaw == ""
    assert signing.peek_kid(sealed.env) == ALPHA.msg.kid


def test_a_link_message_carries_no_hand_off() -> None:
    sealed = a_sealed(
        {"reason": "audit"}, type="link.suspend", schema="link.suspend/1", handoff=None, hseq=None,
        hprev=None, ack=None, cause=None,
    )  # fmt: skip
    assert b'"hseq"' not in jws.peek(sealed.env).payload
    assert opened(sealed.wire).envelope.handoff is None


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True).filter(lambda name: name != "salt"),
        st.text(max_size=30).map(strict_json.clean) | st.integers(-(2**50), 2**50) | st.booleans(),
        max_size=4,
    )
)
def test_any_payload_comes_back(payload: dict[str, Any]) -> None:
    assert opened(a_sealed(payload).wire).data == payload


def test_only_open_sealed_makes_a_verified_message() -> None:
    message = opened(a_sealed().wire)
    fields: dict[str, Any] = {
        "envelope": message.envelope,
        "data_text": "{}",
        "env": "x",
        "hash": "x",
        "kid": "x",
    }
    with pytest.raises(TypeError):
        VerifiedMessage(**fields)
    with pytest.raises(TypeError, match="only open_sealed"):
        VerifiedMessage(proof=object(), **fields)
    with pytest.raises(TypeError, match="only open_sealed"):
        VerifiedMessage(proof=None, **fields)


def test_a_verified_message_cannot_be_changed_into_another() -> None:
    message = opened(a_sealed().wire)
    with pytest.raises((TypeError, ValueError)):
        replace(message, data={"from": "resolved"})  # type: ignore[call-arg]
    with pytest.raises(FrozenInstanceError):
        message.data_text = "{}"  # type: ignore[misc]


def test_every_flipped_bit_of_the_envelope_is_refused() -> None:
    sealed = a_sealed()
    for at in range(len(sealed.env)):
        for bit in (1, 0x20):
            changed = sealed.env[:at] + chr(ord(sealed.env[at]) ^ bit) + sealed.env[at + 1 :]
            assert refusal(WireMessage(changed, sealed.data))


def test_every_flipped_byte_of_the_payload_is_refused() -> None:
    sealed = a_sealed()
    for at, character in enumerate(sealed.data):
        changed = sealed.data[:at] + chr(ord(character) ^ 1) + sealed.data[at + 1 :]
        assert refusal(WireMessage(sealed.env, changed)) == "data_hash_mismatch"


@pytest.mark.parametrize("change", [" {}", "{} ", "{}\n", "\ufeff{}", "{}{}", "{}\x00"])
def test_bytes_added_around_the_payload_are_refused(change: str) -> None:
    sealed = a_sealed()
    changed = change.replace("{}", sealed.data)
    assert refusal(WireMessage(sealed.env, changed)) == "data_hash_mismatch"


def test_the_same_payload_written_differently_is_refused() -> None:
    sealed = a_sealed()
    parsed = strict_json.parse(sealed.data, max_bytes=MAX_DATA)
    reordered = strict_json.dump(dict(reversed(parsed.items())))
    assert refusal(WireMessage(sealed.env, reordered)) == "data_hash_mismatch"


@pytest.mark.parametrize("change", ["=", "==", ".", "\n", " ", ".x", "A"])
def test_trailing_characters_of_the_envelope_are_refused(change: str) -> None:
    sealed = a_sealed()
    assert refusal(WireMessage(sealed.env + change, sealed.data)) == "malformed"


def test_the_payload_of_another_message_is_refused() -> None:
    one, other = a_sealed(), a_sealed({"from": "offered", "code": "other"})
    assert refusal(WireMessage(one.env, other.data)) == "data_hash_mismatch"


def test_an_erased_payload_is_no_message_but_its_envelope_can_be_followed() -> None:
    sealed = a_sealed()
    assert refusal(WireMessage(sealed.env, None)) == "data_hash_mismatch"
    envelope, mh = signing.open_envelope(
        sealed.env, ALPHA.msg.public, link=LINK, sender=ALPHA.node_id, receiver=BETA.node_id
    )
    assert (envelope, mh) == (sealed.envelope, sealed.hash)


@pytest.mark.parametrize(
    "expected",
    [
        {"link": an_id("lnk", "other")}, {"sender": EVE.node_id}, {"receiver": EVE.node_id},
        {"sender": BETA.node_id, "receiver": ALPHA.node_id},
    ],
)  # fmt: skip
def test_a_message_for_another_link_or_node_is_refused(expected: dict[str, str]) -> None:
    assert refusal(a_sealed().wire, **expected) == "env_invalid"


def test_a_message_signed_by_another_key_is_refused() -> None:
    assert refusal(a_sealed(node=EVE).wire) == "signature_invalid"
    assert refusal(a_sealed().wire, key=ALPHA.http.public) == "signature_invalid"


@pytest.mark.parametrize("typ", [typ for typ in jws.Typ if typ is not jws.Typ.MSG])
def test_a_signature_made_for_another_purpose_is_refused(typ: jws.Typ) -> None:
    payload = jws.peek(a_sealed().env).payload
    assert refusal(WireMessage(jws.sign(typ, payload, ALPHA.msg), a_sealed().data)) == "malformed"


def written(members: dict[str, Any] | str) -> WireMessage:
    """A message with any envelope, properly signed: what a faulty peer might send."""
    text = members if isinstance(members, str) else strict_json.dump(members)
    return WireMessage(jws.sign(jws.Typ.MSG, text.encode(), ALPHA.msg), a_sealed().data)


MEMBERS = envelope_members(a_sealed().envelope)


def test_the_envelope_under_change_is_good_without_the_change() -> None:
    assert opened(written(MEMBERS)).data == PAYLOAD


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in {"ack", "cause"}])
def test_an_envelope_without_a_required_member_is_refused(name: str) -> None:
    fewer = {key: value for key, value in MEMBERS.items() if key != name}
    assert refusal(written(fewer)) == "env_invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"v": "1.1"}, {"v": "2.0"}, {"v": 1}, {"v": None},
        {"id": an_id("lnk")}, {"id": "msg_1"}, {"id": 1}, {"link": "lnk"}, {"from": "alpha"},
        {"to": None}, {"ep": -1}, {"ep": "0"}, {"ep": False}, {"seq": 0}, {"seq": True},
        {"seq": "7"},
        {"prev": ""}, {"prev": a_hash() + "="}, {"prev": None}, {"agr": 0},
        {"ack": None}, {"ack": []}, {"ack": [3]}, {"ack": [0, a_hash()]}, {"ack": [True, a_hash()]},
        {"ack": [3, "x"]}, {"ack": [3, a_hash(), 1]}, {"ack": {"seq": 3}},
        {"type": "handoff"}, {"type": "Handoff.offer"}, {"type": "handoff.offer"}, {"type": ""},
        {"dt": "handoff.decline"}, {"dt": "handoff.decline/0"}, {"dt": "handoff.decline/01"},
        {"dt": "handoff.offer/1"}, {"must": 1}, {"must": "true"}, {"must": None},
        {"handoff": an_id("msg")}, {"handoff": None}, {"hseq": 0}, {"hseq": None}, {"hprev": None},
        {"ts": "2026-03-14T09:26:53Z"}, {"ts": 1}, {"cause": "x"}, {"cause": None},
        {"dh": "x"}, {"dh": a_hash()[:-1]},
    ],
)  # fmt: skip
def test_an_envelope_with_a_wrong_member_is_refused(change: dict[str, Any]) -> None:
    assert refusal(written(MEMBERS | change)) == "env_invalid"


def test_an_envelope_with_a_member_twice_is_refused() -> None:
    text = strict_json.dump(MEMBERS)
    assert refusal(written(text[:-1] + ',"seq":8}')) == "env_invalid"
    assert refusal(written(text[:-1] + ',"s\\u0065q":8}')) == "env_invalid"


@pytest.mark.parametrize("text", ["[]", "1", "", "{", "{} "])
def test_an_envelope_that_is_no_object_is_refused(text: str) -> None:
    assert refusal(written(text or " ")) == "env_invalid"


def test_an_envelope_from_a_later_minor_version_may_have_more_members() -> None:
    assert opened(written(MEMBERS | {"later": {"a": [1]}})).envelope == a_sealed().envelope


def unreadable(data: str) -> WireMessage:
    """An authentic message whose payload text is whatever we like."""
    return signing.seal_text(an_envelope(), data, ALPHA.msg).wire


SALT_MEMBER = f'"salt":"{b64url(SALT)}"'


@pytest.mark.parametrize(
    "data",
    [
        "{}", "[]", "", "{", '{"salt":"x"}', '{"salt":5}', "{%s,%s}" % (SALT_MEMBER, SALT_MEMBER),
        '{%s,"a":1,"a":2}' % SALT_MEMBER, '{%s,"a":1.5}' % SALT_MEMBER,
        '{%s,"a":NaN}' % SALT_MEMBER,
        '{%s,"a":"\\ud800"}' % SALT_MEMBER, '{%s,"a":"\\u0000"}' % SALT_MEMBER,
        '{%s,"A":1}' % SALT_MEMBER,
        '{%s,"a":%s}' % (SALT_MEMBER, "[" * 5000), "{%s} x" % SALT_MEMBER,
    ],
)  # fmt: skip
def test_an_authentic_message_with_an_unreadable_payload_is_opened_and_marked(data: str) -> None:
    """It has to be stored and rejected in-band, else it would block the stream for ever."""
    message = opened(unreadable(data))
    assert message.flaw
    assert message.data == {}
    assert message.data_text == data


def test_a_stored_payload_is_read_without_its_salt() -> None:
    assert signing.read_data(a_sealed().data) == PAYLOAD
    with pytest.raises(Untrusted, match="malformed"):
        signing.read_data('{"a":1}')


def test_oversized_parts_are_refused() -> None:
    sealed = a_sealed()
    assert refusal(WireMessage("A" * (MAX_ENV + 1), sealed.data)) == "malformed"
    assert refusal(WireMessage(sealed.env, "x" * (MAX_DATA + 1))) == "malformed"
    assert refusal(WireMessage(sealed.env, "я" * (MAX_DATA // 2 + 1))) == "malformed"
    assert refusal(WireMessage(sealed.env, "\ud800")) == "malformed"
    with pytest.raises(Untrusted):
        signing.peek_kid("A" * (MAX_ENV + 1))


def test_signing_again_for_a_new_epoch_keeps_the_id_and_the_payload() -> None:
    first = a_sealed()
    again = signing.seal_text(
        replace(first.envelope, epoch=1_800_000_000, seq=1, prev=a_hash("new")),
        first.data,
        ALPHA.msg,
    )
    assert opened(again.wire).envelope.id == first.envelope.id
    assert (again.data, again.envelope.data_hash) == (first.data, first.envelope.data_hash)
    assert again.hash != first.hash


def test_the_salt_makes_equal_payloads_unequal() -> None:
    one = signing.seal(an_envelope(), PAYLOAD, b"1" * 16, ALPHA.msg)
    two = signing.seal(an_envelope(), PAYLOAD, b"2" * 16, ALPHA.msg)
    assert one.envelope.data_hash != two.envelope.data_hash


def test_pasted_characters_that_cannot_travel_are_replaced() -> None:
    assert opened(a_sealed({"text": "a\x00b\ufffec"}).wire).data == {"text": "a\ufffdb\ufffdc"}


@pytest.mark.parametrize(
    ("payload", "salt", "changes"),
    [
        (PAYLOAD, b"short", {}),
        ({"salt": "mine"}, SALT, {}),
        ({"a": 1.5}, SALT, {}),
        ({"a": "x" * MAX_DATA}, SALT, {}),
        (PAYLOAD, SALT, {"seq": 0}),
        (PAYLOAD, SALT, {"hseq": None}),
        (PAYLOAD, SALT, {"prev": "x"}),
        (PAYLOAD, SALT, {"type": "handoff.offer"}),
        (PAYLOAD, SALT, {"type": "x." + "a" * 99, "schema": "x." + "a" * 99 + "/1"}),
    ],
)
def test_we_do_not_seal_what_others_would_refuse(
    payload: dict[str, Any], salt: bytes, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        signing.seal(an_envelope(**changes), payload, salt, ALPHA.msg)


def test_the_senders_clock_is_a_claim_and_any_time_is_accepted() -> None:
    moment = an_envelope().at - timedelta(days=36500)
    assert opened(a_sealed(at=moment).wire).envelope.at == moment


def test_the_largest_envelope_fits() -> None:
    sealed = a_sealed(
        epoch=2**53 - 1, seq=2**53 - 1, hseq=2**53 - 1, agreement=2**53 - 1,
        ack=(2**53 - 1, a_hash()), type="x." + "a" * 98, schema="x." + "a" * 98 + "/9999",
    )  # fmt: skip
    assert len(sealed.env) < MAX_ENV // 2
    assert opened(sealed.wire)
