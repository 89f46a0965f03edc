"""The strict JWS: one algorithm, three header members, one spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws as oracle
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from hub.errors import Untrusted
from hub.protocol import jws
from hub.protocol.encoding import b64url, sha256_b64, unb64url
from tests.corpora import corpus_json
from tests.protocol.builders import ALPHA, EVE, a_key

KEY = a_key("jws")
ORACLE_KEY = OKPKey.import_key(dict(KEY.public.jwk))
HEADER = {"alg": "Ed25519", "kid": KEY.kid, "typ": "txp-msg+jws"}


def forged(header: object, payload: bytes = b"{}") -> str:
    """A JWS with any header, properly signed by the expected key."""
    coded = header if isinstance(header, str) else b64url(json.dumps(header).encode())
    signing_input = f"{coded}.{b64url(payload)}"
    return signing_input + "." + b64url(KEY.sign(signing_input.encode()))


def refused(text: str) -> bool:
    try:
        jws.verify(text, jws.Typ.MSG, KEY.public)
    except Untrusted as error:
        return error.code in {"malformed", "signature_invalid"}
    return False


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.sampled_from(jws.Typ))
def test_a_payload_comes_back(payload: bytes, typ: jws.Typ) -> None:
    assert jws.verify(jws.sign(typ, payload, KEY), typ, KEY.public) == payload


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_an_independent_library_believes_what_we_sign(payload: bytes) -> None:
    read = oracle.deserialize_compact(
        jws.sign(jws.Typ.MSG, payload, KEY), ORACLE_KEY, algorithms=["Ed25519"]
    )
    assert read.payload == payload
    assert read.headers() == HEADER


def test_we_believe_what_an_independent_library_signs() -> None:
    private = OKPKey.import_key({**KEY.public.jwk, "d": b64url(KEY._key.private_bytes_raw())})
    signed = oracle.serialize_compact(HEADER, b'{"a":1}', private, algorithms=["Ed25519"])
    assert jws.verify(signed, jws.Typ.MSG, KEY.public) == b'{"a":1}'


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "EdDSA"}, HEADER | {"alg": "none"}, HEADER | {"alg": "HS256"},
        HEADER | {"alg": "ed25519"}, HEADER | {"alg": ["Ed25519"]},
        HEADER | {"crit": ["exp"], "exp": 1}, HEADER | {"crit": []}, HEADER | {"b64": False},
        HEADER | {"jwk": EVE.msg.public.jwk}, HEADER | {"jku": "https://eve.example/keys"},
        HEADER | {"x5u": "https://eve.example/x"}, HEADER | {"x5c": []}, HEADER | {"cty": "json"},
        HEADER | {"kid": EVE.msg.kid}, HEADER | {"kid": "x"}, HEADER | {"kid": None},
        HEADER | {"typ": "txp-rcpt+jws"}, HEADER | {"typ": "JWT"}, HEADER | {"typ": []},
        HEADER | {"typ": "TXP-MSG+JWS"}, {"alg": "Ed25519", "kid": KEY.kid},
        {"alg": "Ed25519", "typ": "txp-msg+jws"}, {}, [], "x",
    ],
)  # fmt: skip
def test_any_other_header_is_refused_even_with_the_right_signature(header: object) -> None:
    if isinstance(header, str):
        header = b64url(header.encode())
    assert refused(forged(header))


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"Ed25519","kid":"%s","typ":"txp-msg+jws","typ":"txp-msg+jws"}',
        '{"alg":"none","\\u0061lg":"Ed25519","kid":"%s","typ":"txp-msg+jws"}',
        '\ufeff{"alg":"Ed25519","kid":"%s","typ":"txp-msg+jws"}',
        '{"alg":"Ed25519","kid":"%s","typ":"txp-msg+jws"}x',
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_refused(header: str) -> None:
    assert refused(forged(b64url((header % KEY.kid).encode())))


def test_the_order_of_header_members_does_not_matter() -> None:
    assert not refused(forged(dict(reversed(HEADER.items()))))


GOOD = forged(HEADER, b'{"a":1}')


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "=", GOOD + ".", GOOD + "\n", " " + GOOD, GOOD + ".AAAA", GOOD.replace(".", "..", 1),
        GOOD.rpartition(".")[0], GOOD.rpartition(".")[0] + ".", GOOD[:-1], GOOD + "A", "", "..",
        "a.b.c",
        GOOD.replace("-", "+").replace("_", "/") + "+", GOOD.replace(".", ".\u200b", 1),
        GOOD.split(".")[0] + ".." + GOOD.split(".")[2], "." + GOOD, GOOD * 2,
    ],
)  # fmt: skip
def test_any_other_shape_is_refused(text: str) -> None:
    assert refused(text)


def test_stray_bits_at_the_end_of_a_part_are_refused() -> None:
    """Base64 decoders drop them, so one signature would have several spellings."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for last in alphabet:
        text = GOOD[:-1] + last
        assert refused(text) == (text != GOOD)


def test_an_oversized_text_is_refused_before_it_is_decoded() -> None:
    assert refused("A" * (jws.MAX_JWS + 1))
    assert refused(f"{'A' * 400}.AAAA.{'A' * 86}")


def test_every_other_type_and_key_is_refused() -> None:
    for typ in jws.Typ:
        assert refused(jws.sign(typ, b"{}", KEY)) == (typ is not jws.Typ.MSG)
    assert refused(jws.sign(jws.Typ.MSG, b"{}", EVE.msg))


def test_a_signature_by_another_key_under_our_name_is_refused() -> None:
    class Liar:
        kid = KEY.kid
        public = KEY.public

        def sign(self, data: bytes) -> bytes:
            return EVE.msg.sign(data)

    assert refused(jws.sign(jws.Typ.MSG, b"{}", Liar()))


def test_peeking_believes_nothing_but_names_the_key_to_try() -> None:
    broken = GOOD[:-2] + ("AA" if GOOD[-2:] != "AA" else "BA")
    assert jws.peek(broken).kid == KEY.kid
    assert refused(broken)


def test_the_message_hash_is_over_what_was_signed() -> None:
    unverified = jws.peek(GOOD)
    assert unverified.signing_input == GOOD.rpartition(".")[0].encode()
    assert jws.message_hash(unverified.signing_input) == sha256_b64(
        GOOD.rpartition(".")[0].encode()
    )
    assert unverified.signature == unb64url(GOOD.rpartition(".")[2])


def test_the_cookbook_example_is_refused_for_its_algorithm_name() -> None:
    """RFC 8037 wrote "EdDSA"; RFC 9864 deprecated it. The signature itself is checked with keys."""
    compact = corpus_json("jose-cookbook", "curve25519", "jws.json")["output"]["compact"]
    key = OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    )
    with pytest.warns(SecurityWarning, match="RFC 9864"):
        assert oracle.deserialize_compact(compact, key, algorithms=["EdDSA"])
    with pytest.raises(Untrusted, match="header members"):
        jws.peek(compact)


def test_no_wycheproof_jws_of_any_other_algorithm_gets_past_the_reader() -> None:
    suite: dict[str, Any] = corpus_json(
        "wycheproof", "testvectors_v1", "json_web_signature_test.json"
    )
    texts = [case["jws"] for group in suite["testGroups"] for case in group["tests"]]
    assert len(texts) == suite["numberOfTests"] == 401
    for text in texts:
        with pytest.raises(Untrusted, match="malformed"):
            jws.peek(text if isinstance(text, str) else json.dumps(text))


def test_a_revealed_type_of_one_purpose_cannot_serve_another() -> None:
    signed = jws.sign(jws.Typ.AGREEMENT, b'{"a":1}', ALPHA.identity)
    with pytest.raises(Untrusted, match="txp-agr"):
        jws.verify(signed, jws.Typ.KEYS, ALPHA.identity.public)
