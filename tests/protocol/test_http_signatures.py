"""Who may make this very call, just now: the profile is demanded in full."""

from __future__ import annotations

import re
import warnings
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import http_sf
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.protocol import http_signatures as hs
from hub.protocol.encoding import unb64url
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.protocol.keys import PublicKey, Signer
from tests.corpora import corpus
from tests.kit.hand_signed import signed_by_hand
from tests.protocol.builders import ALPHA, BETA, EVE, NOW

URL = "https://hub.beta.example/txp/v1/links/lnk_1/messages"
BODY = b'{"messages":[]}'
JSON = {"content-type": "application/json"}
POST = HttpRequest("POST", URL, JSON, BODY)
GET = HttpRequest("GET", f"{URL}?from=1&limit=200", {})
ALL = ('"@method"', '"@target-uri"', '"content-type"', '"content-digest"')


def find(kid: str) -> PublicKey | None:
    """The keys of one peer: BETA knows ALPHA."""
    return {ALPHA.http.kid: ALPHA.http.public}.get(kid)


def signed(
    request: HttpRequest = POST, signer: Signer = ALPHA.http, now: datetime = NOW
) -> HttpRequest:
    extra = hs.sign_request(request, signer, now)
    return replace(request, headers={**request.headers, **extra})


def refusal(request: HttpRequest, now: datetime = NOW, find_key: hs.FindKey = find) -> str:
    with pytest.raises(Untrusted) as caught:
        hs.verify_request(request, find_key, now)
    return caught.value.code


def with_headers(request: HttpRequest, **changes: str | None) -> HttpRequest:
    headers = dict(request.headers)
    for name, value in changes.items():
        headers.pop(name.replace("_", "-"), None)
        if value is not None:
            headers[name.replace("_", "-")] = value
    return replace(request, headers=headers)


def made_by_hand(
    request: HttpRequest = POST,
    covered: tuple[str, ...] = ALL,
    signer: Signer = ALPHA.http,
    label: str = "txp",
    **params: Any,
) -> HttpRequest:
    """A correctly signed request with any coverage and parameters: what the library allows."""
    return signed_by_hand(request, covered, signer, NOW, label=label, **params)


def test_a_signed_call_names_its_key() -> None:
    assert hs.verify_request(signed(), find, NOW) == ALPHA.http.kid
    assert hs.verify_request(signed(GET), find, NOW) == ALPHA.http.kid


def test_what_we_make_by_hand_for_these_tests_is_what_we_accept() -> None:
    assert hs.verify_request(made_by_hand(), find, NOW) == ALPHA.http.kid
    assert hs.verify_request(made_by_hand(alg="ed25519"), find, NOW) == ALPHA.http.kid
    covered = ('"content-digest"', '"@target-uri"', '"@authority"', '"content-type"', '"@method"')
    assert hs.verify_request(made_by_hand(covered=covered), find, NOW) == ALPHA.http.kid


def test_the_signature_says_exactly_what_the_profile_asks() -> None:
    headers = signed().headers
    created = int(NOW.timestamp())
    assert headers["signature-input"] == (
        'txp=("@method" "@target-uri" "content-type" "content-digest")'
        f';created={created};keyid="{ALPHA.http.kid}";expires={created + 300};tag="txp-1"'
    )
    assert "content-digest" not in signed(GET).headers
    assert re.fullmatch(r"txp=:[A-Za-z0-9+/]{86}==:", headers["signature"])


# RELIABILITY: the ways in which signature checks of federated software were got round.


@pytest.mark.parametrize("name", ["signature", "signature_input"])
@pytest.mark.parametrize(
    "value", [None, "", "x", "txp", "txp=", "txp=()", "txp=::", "()", '"', "txp=1"]
)
def test_a_missing_empty_or_garbled_signature_is_refused(name: str, value: str | None) -> None:
    assert refusal(with_headers(signed(), **{name: value})) == "signature_invalid"


def test_a_call_without_any_signature_is_refused() -> None:
    assert refusal(POST) == "signature_invalid"
    assert refusal(GET) == "signature_invalid"


def joined(one: HttpRequest, two: HttpRequest) -> HttpRequest:
    return with_headers(
        one,
        signature=f"{one.headers['signature']}, {two.headers['signature']}",
        signature_input=f"{one.headers['signature-input']}, {two.headers['signature-input']}",
    )


def test_two_signatures_of_our_profile_are_refused_even_if_both_are_right() -> None:
    two = joined(made_by_hand(), made_by_hand(label="other"))
    assert refusal(two) == "signature_invalid"


def test_two_signatures_under_one_label_are_refused() -> None:
    assert refusal(joined(signed(), signed())) == "signature_invalid"


def test_the_first_of_two_signatures_does_not_cover_for_the_second() -> None:
    assert (
        refusal(joined(made_by_hand(), made_by_hand(signer=EVE.http, label="b"))) == "key_unknown"
    )


def test_a_signature_of_another_profile_beside_ours_is_ignored() -> None:
    other = made_by_hand(signer=EVE.http, label="proxy", tag="proxy-1")
    assert hs.verify_request(joined(signed(), other), find, NOW) == ALPHA.http.kid
    assert refusal(other) == "signature_invalid"


@pytest.mark.parametrize(
    "covered",
    [
        (), ('"@method"',), ('"@target-uri"',), ALL[:2], ALL[:3], ALL[1:], (ALL[0], *ALL[2:]),
        ('"@method"', '"@target-uri"', '"content-digest"'),
        ('"@method"', '"@path"', '"content-type"', '"content-digest"'),
        ('"@method"', '"@authority"', '"content-type"', '"content-digest"'),
        ('"@method"', '"@target-uri"', '"content-type"', '"content-digest";key="sha-256"'),
        ('"@method"', '"@target-uri"', '"content-type"', '"content-digest";sf'),
    ],
)  # fmt: skip
def test_a_signature_that_covers_too_little_is_refused(covered: tuple[str, ...]) -> None:
    assert refusal(made_by_hand(covered=covered)) == "signature_invalid"


@pytest.mark.parametrize(
    "covered", [(), ('"@method"',), ('"@target-uri"',), ('"@method"', '"@path"')]
)
def test_a_signature_of_a_get_that_covers_too_little_is_refused(covered: tuple[str, ...]) -> None:
    assert refusal(made_by_hand(GET, covered)) == "signature_invalid"


def test_a_component_twice_is_refused() -> None:
    assert refusal(made_by_hand(covered=(*ALL, '"@method"'))) == "signature_invalid"


@pytest.mark.parametrize(
    "alg", ["rsa-v1_5-sha256", "hmac-sha256", "Ed25519", "eddsa", "none", "", "ecdsa-p256-sha256"]
)
def test_any_other_algorithm_is_refused(alg: str) -> None:
    assert refusal(made_by_hand(alg=alg)) == "signature_invalid"


@pytest.mark.parametrize("params", [{"tag": None}, {"tag": "txp-2"}, {"tag": ""}, {"tag": "TXP-1"}])
def test_a_signature_without_our_tag_is_refused(params: dict[str, Any]) -> None:
    assert refusal(made_by_hand(**params)) == "signature_invalid"


@pytest.mark.parametrize(
    "params",
    [
        {"created": None}, {"expires": None}, {"keyid": None}, {"unknown": 1}, {"keyid": 5},
        {"created": "1"}, {"tag": 1},
        {"expires": int(NOW.timestamp())}, {"expires": int(NOW.timestamp()) - 1},
        {"expires": int(NOW.timestamp()) + 301}, {"expires": int(NOW.timestamp()) + 10**9},
    ],
)  # fmt: skip
def test_missing_strange_or_long_lived_parameters_are_refused(params: dict[str, Any]) -> None:
    assert refusal(made_by_hand(**params)) == "signature_invalid"


@pytest.mark.parametrize("seconds", [301, 3600, 10**8, -301, -3600, -(10**8)])
def test_a_call_from_the_future_or_from_the_past_is_refused(seconds: int) -> None:
    assert refusal(signed(now=NOW + timedelta(seconds=seconds))) == "clock_skew"


@pytest.mark.parametrize("seconds", [299, 60, 0, -60, -299])
def test_clocks_may_differ_by_five_minutes(seconds: int) -> None:
    request = signed(now=NOW + timedelta(seconds=seconds))
    assert hs.verify_request(request, find, NOW) == ALPHA.http.kid


def test_a_sender_may_make_its_call_expire_earlier() -> None:
    request = made_by_hand(expires=int(NOW.timestamp()) + 10)
    assert hs.verify_request(request, find, NOW + timedelta(seconds=9))
    assert refusal(request, NOW + timedelta(seconds=11)) == "clock_skew"


def test_a_replay_is_dead_after_five_minutes() -> None:
    assert refusal(signed(), NOW + timedelta(seconds=301)) == "clock_skew"


def test_the_key_of_another_peer_is_unknown_here() -> None:
    assert refusal(signed(signer=EVE.http)) == "key_unknown"


def test_another_key_under_a_known_name_is_refused() -> None:
    class Liar:
        kid = ALPHA.http.kid
        public = ALPHA.http.public

        def sign(self, data: bytes) -> bytes:
            return EVE.http.sign(data)

    assert refusal(signed(signer=Liar())) == "signature_invalid"


def test_a_directory_that_answers_with_another_key_is_not_believed() -> None:
    assert refusal(signed(), find_key=lambda _: EVE.http.public) == "key_unknown"
    assert refusal(signed(signer=EVE.http), find_key=lambda _: ALPHA.http.public) == "key_unknown"


def test_what_the_directory_says_about_a_key_passes_through() -> None:
    def revoked(_: str) -> PublicKey | None:
        raise Untrusted("key_revoked", "The key was called off.")

    assert refusal(signed(), find_key=revoked) == "key_revoked"


def test_a_right_signature_with_another_body_is_refused() -> None:
    for body in (b'{"messages":[1]}', BODY + b" ", b"x", BODY[:-1]):
        assert refusal(replace(signed(), body=body)) == "digest_mismatch"


def test_a_taken_away_body_is_noticed() -> None:
    assert refusal(replace(signed(), body=b"")) == "digest_mismatch"


def test_a_body_added_to_a_signed_get_is_refused() -> None:
    request = replace(signed(GET), body=BODY)
    assert refusal(request) == "signature_invalid"
    with_digest = with_headers(
        request, content_type="application/json", content_digest=ContentDigest.create(BODY)
    )
    assert refusal(with_digest) == "signature_invalid"


def test_a_body_swapped_together_with_its_digest_is_refused() -> None:
    request = with_headers(signed(), content_digest=ContentDigest.create(b"{}"))
    assert refusal(replace(request, body=b"{}")) == "signature_invalid"


@pytest.mark.parametrize(
    "digest",
    ["", "sha-256=::", "sha-256=:AAAA:", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "x", "sha-256=1", None],
)
def test_an_unusable_digest_is_refused(digest: str | None) -> None:
    changed = replace(POST, headers={**JSON, "content-digest": digest or ""})
    base = made_by_hand(changed)
    assert refusal(with_headers(base, content_digest=digest)) == "signature_invalid"


def signed_over_digest(digest: str) -> HttpRequest:
    """A request whose signature covers a digest of the sender's choice."""
    request = replace(POST, headers={**JSON, "content-digest": digest})
    prepared = HTTPMessageSigner(signature_algorithm=hs._Ed25519).prepare(
        hs._Request(request.method, request.url, request.headers),
        key_id=ALPHA.http.kid, created=NOW, expires=NOW + timedelta(seconds=300), tag="txp-1",
        include_alg=False, covered_component_ids=ALL, use_existing_digest=True,
    )  # fmt: skip
    signature = http_sf.ser({"pyhms": (ALPHA.http.sign(prepared.signature_base), {})})
    return with_headers(
        request, signature_input=f"pyhms={prepared.signature_params}", signature=signature
    )


def test_every_stated_digest_has_to_fit() -> None:
    right = ContentDigest.create(BODY)
    wrong_512 = "sha-512=:" + "A" * 86 + "==:"
    assert hs.verify_request(signed_over_digest(right), find, NOW)
    assert refusal(signed_over_digest(wrong_512)) == "digest_mismatch"
    assert refusal(signed_over_digest(f"{right}, {wrong_512}")) == "digest_mismatch"
    assert refusal(signed_over_digest(ContentDigest.create(b"other"))) == "digest_mismatch"


def test_a_signed_get_cannot_be_replayed_as_a_post_or_elsewhere() -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"method": "POST"}, {"method": "DELETE"}, {"method": "get"}, {"method": "HEAD"},
        {"url": URL}, {"url": f"{URL}?from=2&limit=200"}, {"url": f"{URL}?limit=200&from=1"},
        {"url": GET.url.replace("beta", "gamma")}, {"url": GET.url.replace("https", "http")},
        {"url": GET.url.replace("lnk_1", "lnk_2")}, {"url": GET.url + "#x "}, {"url": "/relative"},
    )  # fmt: skip
    for change in changes:
        assert refusal(replace(signed(GET), **change)) == "signature_invalid"


def test_another_content_type_is_refused() -> None:
    assert refusal(with_headers(signed(), content_type="text/html")) == "signature_invalid"
    assert refusal(with_headers(signed(), content_type=None)) == "signature_invalid"


def test_headers_outside_the_signature_may_change_on_the_way() -> None:
    request = with_headers(signed(), via="1.1 proxy", x_forwarded_for="192.0.2.1", host="internal")
    assert hs.verify_request(request, find, NOW) == ALPHA.http.kid


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["signature", "signature_input", "content_digest"]), st.text(max_size=40))
def test_whatever_stands_in_the_headers_only_untrusted_comes_out(name: str, value: str) -> None:
    assert refusal(with_headers(signed(), **{name: value}))


def test_every_flipped_character_of_the_signature_headers_is_refused() -> None:
    request = signed()
    label = "txp="
    for name in ("signature", "signature-input", "content-digest"):
        value = request.headers[name]
        for at in range(len(label) if name != "content-digest" else 0, len(value)):
            changed = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            assert refusal(replace(request, headers={**request.headers, name: changed}))


# Responses


ANSWER = HttpResponse(200, JSON, b'{"receipt":"x"}')


def answered(response: HttpResponse = ANSWER, request: HttpRequest = POST) -> HttpResponse:
    extra = hs.sign_response(response, request, BETA.http, NOW)
    return replace(response, headers={**response.headers, **extra})


def find_beta(kid: str) -> PublicKey | None:
    return {BETA.http.kid: BETA.http.public}.get(kid)


def response_refusal(response: HttpResponse, request: HttpRequest = POST) -> str:
    with pytest.raises(Untrusted) as caught:
        hs.verify_response(response, request, find_beta, NOW)
    return caught.value.code


@pytest.mark.parametrize("request_", [POST, GET])
@pytest.mark.parametrize(
    "response", [ANSWER, HttpResponse(204, {}), HttpResponse(503, JSON, b"{}")]
)
def test_an_answer_names_its_key(request_: HttpRequest, response: HttpResponse) -> None:
    answer = answered(response, request_)
    assert hs.verify_response(answer, request_, find_beta, NOW) == BETA.http.kid


def test_the_answer_to_another_request_is_refused() -> None:
    for other in (GET, replace(POST, method="PUT"), replace(POST, url=URL + "x")):
        assert response_refusal(answered(), other) == "signature_invalid"


def test_a_changed_answer_is_refused() -> None:
    assert response_refusal(replace(answered(), status=202)) == "signature_invalid"
    assert response_refusal(replace(answered(), body=b"{}")) == "digest_mismatch"
    assert response_refusal(replace(answered(), body=b"")) == "digest_mismatch"
    changed = {**answered().headers, "content-type": "text/html"}
    assert response_refusal(replace(answered(), headers=changed)) == "signature_invalid"


def test_a_body_added_to_an_empty_answer_is_refused() -> None:
    answer = replace(answered(HttpResponse(204, {})), body=b"{}")
    assert response_refusal(answer) == "signature_invalid"


def test_an_unsigned_answer_is_refused() -> None:
    assert response_refusal(ANSWER) == "signature_invalid"


def test_our_own_request_signature_is_no_answer() -> None:
    echoed = replace(ANSWER, headers=signed().headers, body=BODY)
    with pytest.raises(Untrusted, match="signature_invalid"):
        hs.verify_response(echoed, POST, find, NOW)


def test_an_answer_that_does_not_cover_the_request_is_refused() -> None:
    headers = {**JSON, "content-digest": ContentDigest.create(ANSWER.body)}
    message = hs._Response(200, headers, hs._target(POST))
    thin = hs._sign(message, ('"@status"', '"content-type"', '"content-digest"'), BETA.http, NOW)
    assert response_refusal(replace(ANSWER, headers={**headers, **thin})) == "signature_invalid"


# The library and the vectors of the standard


def vector() -> tuple[HttpRequest, PublicKey, str]:
    raw = corpus("rfc9421", "testdata", "b26_request_signed.txt").read_text()
    head, _, body = raw.replace("\r\n", "\n").partition("\n\n")
    start, *lines = head.split("\n")
    method, path, _ = start.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    pem = corpus("rfc9421", "testdata", "test-key-ed25519.pub").read_bytes()
    public = load_pem_public_key(pem).public_bytes(Encoding.Raw, PublicFormat.Raw)
    base = corpus("rfc9421", "testdata", "b26_request_sigbase.txt").read_text()
    return (
        HttpRequest(method, f"https://example.com{path}", headers, body.strip("\n").encode()),
        PublicKey(public),
        base.replace("\r\n", "\n"),
    )


def test_the_vector_of_rfc_9421_b26_is_verified_with_our_key() -> None:
    request, key, base = vector()
    text = request.headers["signature"].removeprefix("sig-b26=:").removesuffix(":")
    signature = b64decode(text, validate=True)
    key.verify(signature, base.encode())
    with pytest.raises(Untrusted):
        key.verify(signature, base.replace("POST", "PUT").encode())


def test_the_library_builds_the_signature_base_of_rfc_9421_b26() -> None:
    request, _, base = vector()
    prepared = HTTPMessageSigner(signature_algorithm=algorithms.ED25519).prepare(
        hs._Request(request.method, request.url, request.headers),
        key_id="test-key-ed25519",
        created=datetime.fromtimestamp(1618884473, NOW.tzinfo),
        include_alg=False,
        covered_component_ids=(
            "date", "@method", "@path", "@authority", "content-type", "content-length",
        ),
        use_existing_digest=True,
    )  # fmt: skip
    assert prepared.signature_base.decode() == base


def test_the_vector_is_not_a_call_of_our_profile() -> None:
    request, key, _ = vector()
    moment = datetime.fromtimestamp(1618884473, NOW.tzinfo)
    assert refusal(request, moment, lambda _: key) == "signature_invalid"


class _Library(HTTPMessageVerifier):
    """The library as it comes, only told that it is NOW."""

    def validate_created_and_expires(self, *_: Any, **__: Any) -> None:
        pass


class _OneKey(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> PublicKey | None:
        return find(key_id)


def library_accepts(request: HttpRequest, **options: Any) -> bool:
    message = hs._Request(request.method, request.url, request.headers)
    try:
        _Library(signature_algorithm=hs._Ed25519, key_resolver=_OneKey()).verify(
            message, expect_tag="txp-1", **options
        )
    except InvalidSignature:
        return False
    return True


def test_the_library_alone_would_accept_what_we_refuse() -> None:
    """The traps this module exists for; if one goes, the check here may go too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert library_accepts(replace(signed(), body=b"swapped"))
        assert library_accepts(made_by_hand(covered=()))
        assert library_accepts(joined(made_by_hand(), made_by_hand(label="other")))
        assert library_accepts(signed(), require_components=ALL, body=BODY)
        assert not library_accepts(signed(), require_components=ALL, body=b"swapped")


def test_an_independent_signer_is_believed() -> None:
    """The library signing by itself with OpenSSL, as another implementation would."""

    class Keys(HTTPSignatureKeyResolver):
        def resolve_private_key(self, key_id: str) -> Any:
            return ALPHA.http._key

    headers = dict(JSON)
    message = hs._Request("POST", URL, headers)
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys()).sign(
        message, key_id=ALPHA.http.kid, created=NOW, expires=NOW + timedelta(seconds=300),
        tag="txp-1", covered_component_ids=ALL[:3], body=BODY,
    )  # fmt: skip
    lower = {name.lower(): value for name, value in headers.items()}
    assert hs.verify_request(HttpRequest("POST", URL, lower, BODY), find, NOW) == ALPHA.http.kid


def test_the_raw_signature_is_64_bytes_of_our_key() -> None:
    text = signed().headers["signature"].removeprefix("txp=:").removesuffix("==:")
    assert len(unb64url(text.replace("+", "-").replace("/", "_"))) == 64
