"""The discovery document holds together and does not live long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.errors import Untrusted
from hub.protocol import jws, keys, node_document, strict_json
from tests.protocol.builders import ALPHA, BETA, EVE, NOW, a_key_set


def a_document(key_set: keys.KeySet | None = None, **changes: Any) -> node_document.NodeDocument:
    key_set = key_set or a_key_set(ALPHA)
    values: dict[str, Any] = {
        "node_id": ALPHA.node_id,
        "identity": ALPHA.identity.public,
        "key_set_jws": keys.seal_key_set(key_set, ALPHA.identity),
        "key_set": key_set,
        "base_url": "https://hub.alpha.example",
        "name": "Альфа",
        "versions": ("1.0",),
        "capabilities": ("files",),
        "limits": {"max_file_bytes": 100},
        "contact": "it@alpha.example",
        "valid_until": NOW + timedelta(days=7),
    }
    return node_document.NodeDocument(**(values | changes))


@pytest.mark.parametrize("signer", [ALPHA.http, ALPHA.identity])
def test_a_document_comes_back_as_it_was_signed(signer: keys.Signer) -> None:
    text = node_document.seal(a_document(), signer)
    assert node_document.open(text.encode(), NOW) == a_document()


def test_a_document_without_a_contact_is_fine() -> None:
    text = node_document.seal(a_document(contact=""), ALPHA.http)
    assert node_document.open(text.encode(), NOW).contact == ""


def refusal(text: str, now: Any = NOW) -> str:
    with pytest.raises(Untrusted) as caught:
        node_document.open(text.encode(), now)
    return caught.value.code


@pytest.mark.parametrize("signer", [EVE.http, EVE.identity, ALPHA.msg, BETA.http])
def test_a_document_signed_by_any_other_key_is_refused(signer: keys.Signer) -> None:
    assert refusal(node_document.seal(a_document(), signer)) == "key_unknown"


def test_a_document_signed_by_a_revoked_or_expired_key_is_refused() -> None:
    revoked = a_key_set(revoked=(keys.RevokedKey(ALPHA.http.kid, "stolen"),))
    assert refusal(node_document.seal(a_document(revoked), ALPHA.http)) == "key_unknown"
    expired = a_key_set(
        keys=tuple(replace(e, not_after=NOW - timedelta(hours=1)) for e in a_key_set().keys)
    )
    assert refusal(node_document.seal(a_document(expired), ALPHA.http)) == "key_unknown"


def test_a_document_with_somebody_elses_key_set_is_refused() -> None:
    stolen = keys.seal_key_set(a_key_set(ALPHA), ALPHA.identity)
    document = a_document(identity=EVE.identity.public, key_set_jws=stolen)
    assert refusal(node_document.seal(document, EVE.identity)) == "signature_invalid"


def test_a_document_under_somebody_elses_name_is_refused() -> None:
    assert refusal(node_document.seal(a_document(node_id=BETA.node_id), ALPHA.http)) == "malformed"


@pytest.mark.parametrize("offset", [timedelta(days=7, minutes=6), timedelta(minutes=-6)])
def test_a_document_lives_seven_days_at_most(offset: timedelta) -> None:
    text = node_document.seal(a_document(valid_until=NOW + offset), ALPHA.http)
    assert refusal(text) == "document_expired"


def test_a_document_with_an_expired_key_set_is_refused() -> None:
    old = a_key_set(expires=NOW - timedelta(hours=1))
    assert refusal(node_document.seal(a_document(old), ALPHA.http)) == "document_expired"


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "x"}, {"versions": "1.0"}, {"versions": [1]}, {"limits": {"a": -1}},
        {"limits": []},
        {"name": ""}, {"valid_until": None}, {"capabilities": None}, {"identity": {}},
        {"contact": 5},
    ],
)  # fmt: skip
def test_an_unsound_document_is_refused(change: dict[str, Any]) -> None:
    outer = strict_json.parse(node_document.seal(a_document(), ALPHA.http), max_bytes=99_999)
    payload = strict_json.parse(jws.peek(outer["document"]).payload, max_bytes=99_999) | change
    signed = jws.sign(jws.Typ.NODE, strict_json.dump(payload).encode(), ALPHA.http)
    assert refusal(strict_json.dump({"document": signed})) == "malformed"


@pytest.mark.parametrize("body", ["", "{}", '{"document":1}', '{"document":"x"}', "<html></html>"])
def test_a_body_that_is_no_document_is_refused(body: str) -> None:
    assert refusal(body) == "malformed"
