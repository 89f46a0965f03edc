"""The verifier has parsers of its own; they judge every text as the node's do.

A text one of the two believes and the other does not would be a message that was accepted and
cannot be proven, or a proof of something that was never accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha512
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.evidence import verify as verifier
from hub.protocol import encoding, jws, keys, strict_json
from tests.corpora import corpus, corpus_json
from tests.protocol.builders import a_key, a_sealed


def _takes(read: Callable[[], object]) -> bool:
    try:
        read()
    except (Untrusted, verifier.Flaw):
        return False
    return True


def _same_json(raw: bytes | str) -> bool:
    """Whether both take it, checked that both say the same."""
    ours = _takes(lambda: strict_json.parse(raw, max_bytes=65536))
    theirs = _takes(lambda: verifier.strict_json(raw, 65536))
    assert ours == theirs, raw
    if ours:
        assert strict_json.parse(raw, max_bytes=65536) == verifier.strict_json(raw, 65536)
    return ours


def test_both_judge_the_json_test_suite_alike() -> None:
    folder = corpus("json-test-suite", "test_parsing")
    judged = [_same_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    assert len(judged) > 300
    assert any(judged)
    for path in sorted(folder.glob("*.json")):
        _same_json(b'{"a":' + path.read_bytes() + b"}")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("aZ_0я", max_size=3) | st.just("a" * 65), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_VALUES, st.booleans())
def test_both_judge_any_json_alike(value: Any, plain: bool) -> None:
    _same_json(json.dumps({"a": value}, ensure_ascii=plain))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text('{}[]":,ab01\\u.e-\x00\ufeff \n', max_size=20))
def test_both_judge_any_text_alike(text: str) -> None:
    _same_json('{"a":' + text + "}")
    _same_json(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20) | st.from_regex(r"[A-Za-z0-9_-]{0,20}=?", fullmatch=True))
def test_both_read_base64url_alike(text: str) -> None:
    assert _takes(lambda: encoding.unb64url(text)) == _takes(lambda: verifier.unb64url(text))


def _headers() -> Iterator[str]:
    kid = a_key("a").kid
    good = {"alg": "Ed25519", "kid": kid, "typ": "txp-msg+jws"}
    for changes in (
        {},
        {"alg": "EdDSA"},
        {"alg": "none"},
        {"typ": "txp-rcpt+jws"},
        {"kid": kid[:-1] + "B"},
        {"kid": kid[:-1]},
        {"crit": ["b64"]},
        {"jwk": a_key("a").public.jwk},
        {"kid": 5},
    ):
        yield json.dumps(good | changes, separators=(",", ":"))
    yield json.dumps(good)
    yield json.dumps({"alg": "Ed25519", "typ": "txp-msg+jws"})
    yield f'{{"alg":"Ed25519","alg":"Ed25519","kid":"{kid}","typ":"txp-msg+jws"}}'
    yield "[]"


@pytest.mark.parametrize("header", list(_headers()))
@pytest.mark.parametrize("tail", ["", "=", ".x", "\n"])
def test_both_judge_the_shape_of_a_signature_alike(header: str, tail: str) -> None:
    _, payload, signature = a_sealed().env.split(".")
    text = f"{encoding.b64url(header.encode())}.{payload}.{signature}{tail}"

    def ours() -> None:
        if jws.peek(text).typ is not jws.Typ.MSG:
            raise Untrusted("malformed", "")

    assert _takes(ours) == _takes(lambda: verifier.peek(text, "txp-msg+jws"))


def _believed_here(public: bytes, signature: bytes, data: bytes) -> bool:
    try:
        keys.PublicKey(public).verify(signature, data)
    except Untrusted:
        return False
    return True


def _believed_there(public: bytes, signature: bytes, data: bytes) -> bool:
    try:
        return verifier.key_of(verifier.b64url(public)).verify(signature, data)
    except verifier.Flaw:
        return False


def test_both_judge_every_wycheproof_vector_alike() -> None:
    suite = corpus_json("wycheproof", "testvectors_v1", "ed25519_test.json")
    seen = 0
    for group in suite["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            parts = public, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])
            assert _believed_here(*parts) == _believed_there(*parts), case
            seen += 1
    assert seen == suite["numberOfTests"]


# --- points nobody honest makes ---------------------------------------------------------------

L, P = verifier._L, verifier._P
BASE = verifier._point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def _encoded(point: verifier.Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _torsion() -> list[verifier.Point]:
    """The eight points whose order divides 8."""
    for y in range(2, 100):
        try:
            point = verifier._times(L, verifier._point(y.to_bytes(32, "little")))
        except verifier.Flaw:
            continue
        if not verifier._is_neutral(verifier._times(4, point)):
            return [verifier._times(count, point) for count in range(8)]
    raise AssertionError("no point of order 8 found")


def test_the_points_of_low_order_are_these_eight() -> None:
    assert {_encoded(one) for one in _torsion()} == verifier._LOW_ORDER


@pytest.mark.parametrize("on_key", range(8))
@pytest.mark.parametrize("on_r", range(8))
def test_both_judge_signatures_with_a_part_of_low_order_alike(on_key: int, on_r: int) -> None:
    torsion, secret, nonce, data = _torsion(), 7**80 % L, 11**70 % L, b"data"
    public = _encoded(verifier._add(verifier._times(secret, BASE), torsion[on_key]))
    point = verifier._add(verifier._times(nonce, BASE), torsion[on_r])
    for r in (_encoded(point), _encoded(torsion[on_r])):
        h = int.from_bytes(sha512(r + public + data).digest(), "little") % L
        scalar = (nonce * (r == _encoded(point)) + h * secret) % L
        for s in (scalar, scalar + L):
            signature = r + s.to_bytes(32, "little")
            verdict = _believed_there(public, signature, data)
            assert verdict == _believed_here(public, signature, data)
            honest = on_key == on_r == 0 and r == _encoded(point) and s == scalar
            assert verdict is honest


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(31),
        bytes(32),
        bytes([1]) + bytes(31),
        (P + 1).to_bytes(32, "little"),
        (P - 1).to_bytes(32, "little"),
        b"\xff" * 32,
        (2).to_bytes(32, "little"),
        *(_encoded(verifier._add(BASE, one)) for one in _torsion()),
    ],
)
def test_both_take_the_same_keys(raw: bytes) -> None:
    ours = _takes(lambda: keys.PublicKey(raw))
    assert ours == _takes(lambda: verifier.key_of(verifier.b64url(raw)))
    if ours:
        assert keys.PublicKey(raw).kid == verifier.key_of(verifier.b64url(raw)).kid
