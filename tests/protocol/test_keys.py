"""Keys that may be pinned, signatures that may be believed, and the signed set of keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from hub.errors import Misconfigured, Untrusted
from hub.protocol import jws, keys, strict_json
from hub.protocol.encoding import b64url, unb64url
from tests.corpora import corpus_json
from tests.protocol.builders import ALPHA, BETA, EVE, NOW, FixedEntropy, a_key, a_key_set

ORDER = 2**252 + 27742317777372353535851937790883648493


class OneSeed(FixedEntropy):
    """Gives out one seed."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("")
        self.raw = raw

    def bytes(self, count: int) -> bytes:
        assert len(self.raw) == count
        return self.raw


def believed(public: bytes, signature: bytes, data: bytes) -> bool:
    try:
        keys.PublicKey(public).verify(signature, data)
    except Untrusted:
        return False
    return True


def test_every_wycheproof_vector_gets_the_expected_verdict() -> None:
    suite = corpus_json("wycheproof", "testvectors_v1", "ed25519_test.json")
    seen, wrong = 0, []
    for group in suite["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            verdict = believed(public, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            seen += 1
            if verdict != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["comment"], case["result"]))
    assert seen == suite["numberOfTests"] == 151
    assert wrong == []


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NON_CANONICAL = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
OFF_THE_CURVE = ["0200000000000000000000000000000000000000000000000000000000000000"]


@pytest.mark.parametrize("point", SMALL_ORDER + NON_CANONICAL + OFF_THE_CURVE)
def test_a_key_that_is_not_a_canonical_point_of_prime_order_cannot_be_made(point: str) -> None:
    raw = bytes.fromhex(point)
    with pytest.raises(Untrusted, match="malformed"):
        keys.PublicKey(raw)
    with pytest.raises(Untrusted, match="malformed"):
        keys.PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)})


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_cannot_be_made(length: int) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        keys.PublicKey(b"\x01" * length)


def forged_with_r_of_low_order(seed: bytes, data: bytes) -> tuple[bytes, bytes]:
    """A public key and a signature with R = the neutral point, which satisfies the equation."""
    digest = bytearray(sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    public = keys.PrivateKey.generate(OneSeed(seed)).public.raw
    r = (1).to_bytes(32, "little")
    k = int.from_bytes(sha512(r + public + data).digest(), "little")
    s = k * int.from_bytes(digest, "little") % ORDER
    return public, r + s.to_bytes(32, "little")


def test_a_signature_with_r_of_low_order_is_refused_though_openssl_takes_it() -> None:
    public, signature = forged_with_r_of_low_order(b"s" * 32, b"data")
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, b"data")
    assert not believed(public, signature, b"data")


def test_a_signature_with_s_beyond_the_group_order_is_refused() -> None:
    key = a_key("k")
    signature = key.sign(b"data")
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not believed(key.public.raw, signature[:32] + s.to_bytes(32, "little"), b"data")
    assert believed(key.public.raw, signature, b"data")


@pytest.mark.parametrize("length", [0, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    assert not believed(a_key("k").public.raw, b"\x00" * length, b"data")


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    key = keys.PublicKey.from_jwk(jwk)
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.jwk == jwk


def test_the_cookbook_signature_is_reproduced_and_believed() -> None:
    cookbook = corpus_json("jose-cookbook", "curve25519", "jws.json")
    jwk = cookbook["input"]["key"]
    key = keys.PrivateKey.generate(OneSeed(unb64url(jwk["d"])))
    signing_input = cookbook["signing"]["sig-input"].encode()
    assert key.public.jwk["x"] == jwk["x"]
    assert b64url(key.sign(signing_input)) == cookbook["signing"]["sig"]
    key.public.verify(unb64url(cookbook["signing"]["sig"]), signing_input)


JWK = a_key("k").public.jwk


@pytest.mark.parametrize(
    "jwk",
    [
        JWK | {"d": "AAAA"}, JWK | {"kid": "x"}, JWK | {"use": "sig"}, JWK | {"kty": "EC"},
        JWK | {"crv": "X25519"}, JWK | {"crv": "Ed448"}, JWK | {"x": JWK["x"] + "="},
        JWK | {"x": JWK["x"][:-1]}, JWK | {"x": 1}, {"kty": "OKP", "crv": "Ed25519"}, {}, [], None,
        "x",
    ],
)  # fmt: skip
def test_any_other_jwk_is_refused(jwk: object) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        keys.PublicKey.from_jwk(jwk)


def test_two_nodes_from_one_image_get_different_keys() -> None:
    assert a_key("one").kid != a_key("two").kid


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_private_key_comes_back_from_its_file(passphrase: bytes | None) -> None:
    key = a_key("k")
    pem = key.to_pem(passphrase)
    assert (b"ENCRYPTED" in pem) == (passphrase is not None)
    assert keys.PrivateKey.from_pem(pem, passphrase).kid == key.kid


def other_pem() -> bytes:
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "passphrase"),
    [
        (a_key("k").to_pem(b"right"), b"wrong"),
        (a_key("k").to_pem(b"right"), None),
        (a_key("k").to_pem(None), b"unasked"),
        (b"not a key", None),
        (other_pem(), None),
    ],
)
def test_an_unreadable_key_file_is_the_operators_matter(
    pem: bytes, passphrase: bytes | None
) -> None:
    with pytest.raises(Misconfigured) as caught:
        keys.PrivateKey.from_pem(pem, passphrase)
    assert caught.value.code == "key_unreadable"


def test_a_private_key_never_shows_its_secret() -> None:
    key = keys.PrivateKey.generate(OneSeed(b"\x07" * 32))
    assert repr(key) == str(key) == f"PrivateKey({key.kid})"


def test_a_key_set_comes_back_as_it_was_signed() -> None:
    revoked = (keys.RevokedKey(EVE.msg.kid, "stolen laptop"),)
    key_set = a_key_set(revoked=revoked)
    assert (
        keys.open_key_set(keys.seal_key_set(key_set, ALPHA.identity), ALPHA.identity.public)
        == key_set
    )


def test_a_key_set_signed_by_another_identity_is_refused() -> None:
    sealed = keys.seal_key_set(a_key_set(), EVE.identity)
    with pytest.raises(Untrusted, match="signature_invalid"):
        keys.open_key_set(sealed, ALPHA.identity.public)


def test_a_key_set_under_somebody_elses_name_is_refused() -> None:
    sealed = keys.seal_key_set(a_key_set(EVE, node_id=ALPHA.node_id), EVE.identity)
    with pytest.raises(Untrusted, match="node_id"):
        keys.open_key_set(sealed, EVE.identity.public)


def test_a_later_identity_signs_for_the_first_ones_name() -> None:
    key_set = a_key_set(ALPHA, identity_version=2)
    sealed = keys.seal_key_set(key_set, BETA.identity)
    assert keys.open_key_set(sealed, BETA.identity.public).node_id == ALPHA.node_id


def key_set_with(change: dict[str, Any]) -> str:
    payload = jws.verify(
        keys.seal_key_set(a_key_set(), ALPHA.identity), jws.Typ.KEYS, ALPHA.identity.public
    )
    parsed = strict_json.parse(payload, max_bytes=10_000)
    entry = parsed["keys"][0]
    if "entry" in change:
        entry.update(change["entry"])
    elif "twice" in change:
        parsed["keys"].append(dict(entry, use="http"))
    else:
        parsed.update(change)
    return jws.sign(jws.Typ.KEYS, strict_json.dump(parsed).encode(), ALPHA.identity)


@pytest.mark.parametrize(
    "change",
    [
        {"entry": {"kid": EVE.msg.kid}}, {"entry": {"use": "sign"}}, {"entry": {"jwk": {}}},
        {"entry": {"not_after": "soon"}}, {"twice": True}, {"keys": None}, {"version": 0},
        {"version": True}, {"revoked": [{"kid": "x", "reason": "y"}]}, {"expires": 5},
    ],
)  # fmt: skip
def test_an_unsound_key_set_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        keys.open_key_set(key_set_with(change), ALPHA.identity.public)


def test_unknown_members_of_a_key_set_are_ignored() -> None:
    assert keys.open_key_set(key_set_with({"later": {"a": 1}}), ALPHA.identity.public)


def test_the_newest_key_of_a_use_signs_and_a_revoked_one_is_not_found() -> None:
    old = a_key_set().keys[0]
    new_key = a_key("new msg")
    new = replace(old, kid=new_key.kid, key=new_key.public, not_before=NOW + timedelta(days=1))
    key_set = a_key_set(keys=(*a_key_set().keys, new))
    assert key_set.only(keys.KeyUse.MSG) == new
    assert key_set.find(old.kid, keys.KeyUse.MSG) == old
    assert key_set.find(old.kid, keys.KeyUse.HTTP) is None
    revoked = replace(key_set, revoked=(keys.RevokedKey(new.kid, "lost"),))
    assert revoked.only(keys.KeyUse.MSG) == old
    assert revoked.find(new.kid, keys.KeyUse.MSG) is None
    assert revoked.is_revoked(new.kid)
    with pytest.raises(Untrusted, match="key_unknown"):
        a_key_set(keys=()).only(keys.KeyUse.MSG)
