"""The request to link holds together, or it is refused before anybody looks at the MAC."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Untrusted
from hub.protocol import jws, keys, linking, strict_json
from hub.protocol.encoding import b64url
from tests.protocol.builders import ALPHA, BETA, EVE, OFFER, a_key_set, an_id

KEY_SET = keys.seal_key_set(a_key_set(BETA), BETA.identity)


def a_request() -> str:
    return linking.seal_link_request(
        invitation_id=an_id("inv"), key_set_jws=KEY_SET, offer_text=OFFER, nonce=b"n" * 16,
        mac=b"m" * 32, identity=BETA.identity,
    )  # fmt: skip


def test_a_request_comes_back_as_it_was_signed() -> None:
    request = linking.open_link_request(a_request())
    assert request.identity == BETA.identity.public
    assert request.key_set == a_key_set(BETA)
    assert (request.invitation_id, request.key_set_jws, request.offer_text) == (
        an_id("inv"),
        KEY_SET,
        OFFER,
    )
    assert (request.nonce, request.mac) == (b"n" * 16, b"m" * 32)


def changed(change: dict[str, Any], signer: keys.Signer = BETA.identity) -> str:
    payload = strict_json.parse(jws.peek(a_request()).payload, max_bytes=99_999) | change
    return jws.sign(jws.Typ.LINK, strict_json.dump(payload).encode(), signer)


def test_the_request_under_change_is_good_without_the_change() -> None:
    assert linking.open_link_request(changed({}))


def test_a_request_signed_by_another_key_than_the_one_inside_is_refused() -> None:
    with pytest.raises(Untrusted, match="signature_invalid"):
        linking.open_link_request(changed({}, EVE.identity))


def test_a_request_with_somebody_elses_key_set_is_refused() -> None:
    other = keys.seal_key_set(a_key_set(ALPHA), ALPHA.identity)
    with pytest.raises(Untrusted, match="signature_invalid"):
        linking.open_link_request(changed({"key_set": other}))


@pytest.mark.parametrize(
    "change",
    [
        {"identity": {}}, {"identity": None}, {"invitation": an_id("msg")}, {"offer": "not json"},
        {"offer": '{"a":1,"a":2}'}, {"offer": {}}, {"nonce": b64url(b"short")},
        {"mac": b64url(b"x" * 31)},
        {"mac": "="}, {"key_set": 1}, {"offer": '{"a":"' + "x" * linking.MAX_OFFER + '"}'},
    ],
)  # fmt: skip
def test_an_unsound_request_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        linking.open_link_request(changed(change))


def test_the_request_does_not_contain_a_private_key() -> None:
    with pytest.raises(Untrusted, match="malformed"):
        linking.open_link_request(changed({"identity": BETA.identity.public.jwk | {"d": "AAAA"}}))
