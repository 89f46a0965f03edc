"""Families A1, A2, A3, A15, A16: who signed this, and can it be read in two ways?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from hub.federation.door import JSON, Call, Reply
from hub.protocol import http_signatures, jws
from hub.protocol.encoding import b64url, sha256_b64, unb64url
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.protocol.jws import Typ
from hub.protocol.keys import PrivateKey, Signer
from hub.protocol.message import WireMessage
from hub.storage import attachments
from tests.attacks.scene import Scene, descriptor, nothing_remains
from tests.kit.clock import SeededEntropy
from tests.kit.fake_peer import FakePeer
from tests.kit.hand_signed import signed_by_hand

ALL = ('"@method"', '"@target-uri"', '"content-type"', '"content-digest"')
STRANGER = PrivateKey.generate(SeededEntropy("stranger"))


class _Liar:
    """Signs with its own key and says that it was another's."""

    def __init__(self, kid: str, signer: Signer = STRANGER) -> None:
        self.kid = kid
        self.public = signer.public
        self._signer = signer

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data)


# --- A2: the signature of a call --------------------------------------------------------------


def _ping(b: FakePeer) -> bytes:
    sealed = b.message("x.org.example.ping", {}, must=False, keep=False)
    return json.dumps({"messages": [{"env": sealed.env, "data": sealed.data}]}).encode()


def _call(request: HttpRequest, base: str) -> Call:
    return Call(request.method, request.url.removeprefix(base), request.headers, request.body)


def _by_hand(scene: Scene, covered: tuple[str, ...] = ALL, **how: object) -> Call:
    """A batch of B, signed with this coverage."""
    base = scene.a.settings.url
    signer = how.pop("signer", scene.b.keys.http)
    request = HttpRequest(
        "POST", f"{base}{scene.b.path}/messages", {"content-type": JSON}, _ping(scene.b)
    )
    return _call(signed_by_hand(request, covered, signer, scene.b.now, **how), base)  # type: ignore[arg-type]


def _without(call: Call, *names: str) -> Call:
    return replace(call, headers={k: v for k, v in call.headers.items() if k not in names})


def _two(first: Call, second: Call) -> Call:
    """The second call with both signatures on it."""
    both = {name: f"{first.headers[name]}, {second.headers[name]}"
            for name in ("signature-input", "signature")}  # fmt: skip
    return replace(second, headers={**second.headers, **both})


def _seconds(scene: Scene, by: int) -> int:
    return int(scene.b.now.timestamp()) + by


SIGNATURES: dict[str, Callable[[Scene], Call]] = {
    "no signature": lambda s: _without(_by_hand(s), "signature", "signature-input"),
    "no parameters": lambda s: _without(_by_hand(s), "signature-input"),
    "an empty signature": lambda s: replace(
        _by_hand(s), headers={**_by_hand(s).headers, "signature": ""}
    ),
    "two, both right": lambda s: _two(_by_hand(s, label="one"), _by_hand(s, label="two")),
    "two, the first right for another body": lambda s: _two(
        _by_hand(s, label="one"), _by_hand(s, ALL[:2], label="two")
    ),
    "two under one label": lambda s: _two(_by_hand(s), _by_hand(s)),
    "covers nothing": lambda s: _by_hand(s, ()),
    "does not cover the method": lambda s: _by_hand(s, ALL[1:]),
    "does not cover the address": lambda s: _by_hand(s, (ALL[0], *ALL[2:])),
    "covers the path, not the host": lambda s: _by_hand(s, (ALL[0], '"@path"', *ALL[2:])),
    "does not cover the digest": lambda s: _by_hand(s, ALL[:3]),
    "does not cover the type": lambda s: _by_hand(s, (*ALL[:2], ALL[3])),
    "covers part of the digest": lambda s: _by_hand(
        s, (*ALL[:3], '"content-digest";key="sha-256"')
    ),
    "another algorithm": lambda s: _by_hand(s, alg="rsa-pss-sha512"),
    "no algorithm at all": lambda s: _by_hand(s, alg="none"),
    "made in the future": lambda s: _by_hand(
        s, created=_seconds(s, 301), expires=_seconds(s, 600)
    ),
    "expired": lambda s: _by_hand(s, created=_seconds(s, -299), expires=_seconds(s, -1)),
    "lives too long": lambda s: _by_hand(s, expires=_seconds(s, 301)),
    "without a beginning": lambda s: _by_hand(s, created=None),
    "without an end": lambda s: _by_hand(s, expires=None),
    "without a key": lambda s: _by_hand(s, keyid=None),
    "without our tag": lambda s: _by_hand(s, tag=None),
    "of another profile": lambda s: _by_hand(s, tag="txp-2"),
    "by C": lambda s: _by_hand(s, signer=s.c.keys.http),
    "by C under the name of B": lambda s: _by_hand(s, keyid=s.b.keys.http.kid, signer=s.c.keys.http),
    "right digest of another body": lambda s: replace(
        _by_hand(s), body=_by_hand(s).body.replace(b"{", b"{ ", 1)
    ),
    "a signed reading as a writing": lambda s: replace(
        s.b.signed("GET", f"{s.b.path}/messages"), method="POST", body=_ping(s.b)
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SIGNATURES)
async def test_a_call_whose_signature_does_not_prove_all_of_it_is_refused(
    scene: Scene, how: str
) -> None:
    call = SIGNATURES[how](scene)
    async with nothing_remains(scene):
        said = await scene.b.send(call)
        # A body that is not the stated one is told apart (delivery.md, 1): it may be the line.
        assert said.status == 401 or said.code in {"digest_mismatch", "unsupported_media_type"}


async def test_the_same_call_signed_as_it_must_be_is_taken(scene: Scene) -> None:
    said = await scene.b.send(_by_hand(scene))
    assert said.status == 200
    scene.b.move_to(said)


# --- A3: the same signed bytes, read in two ways ----------------------------------------------


def _good(b: FakePeer) -> tuple[bytes, str]:
    """The text of a right envelope, and its payload."""
    sealed = b.message("x.org.example.ping", {}, must=False, keep=False)
    return jws.peek(sealed.env).payload, sealed.data


TWO_READINGS: dict[str, Callable[[bytes], bytes]] = {
    "a member twice, the last one right": lambda t: t.replace(b"{", b'{"seq":99,', 1),
    "a member twice, the first one right": lambda t: t[:-1] + b',"seq":99}',
    "a member twice, once escaped": lambda t: t[:-1] + b',"\\u0073eq":99}',
    "the link twice": lambda t: t[:-1] + b',"link":"lnk_00000000000000000000000000000000"}',
    "a name in capitals beside it": lambda t: t[:-1] + b',"Seq":99}',
    "a name with a blank beside it": lambda t: t[:-1] + b',"seq ":99}',
    "a name with a NUL beside it": lambda t: t[:-1] + b',"seq\\u0000":99}',
    "a name of a prototype": lambda t: t[:-1] + b',"__proto__":{"seq":99}}',
    "a member twice inside another": lambda t: t[:-1] + b',"more":{"a":1,"a":2}}',
    "a byte order mark": lambda t: b"\xef\xbb\xbf" + t,
    "another object behind": lambda t: t + b"{}",
    "a NUL behind": lambda t: t + b"\x00",
    "a comma behind": lambda t: t[:-1] + b",}",
    "a comment": lambda t: t.replace(b"{", b"{/**/", 1),
    "a fraction": lambda t: t[:-1] + b',"more":1.0}',
    "no number": lambda t: t[:-1] + b',"more":NaN}',
    "an overlong letter": lambda t: t[:-1] + b',"more":"\xc1\xa1"}',
    "half a character": lambda t: t[:-1] + b',"more":"\\ud800"}',
    "UTF-16": lambda t: t.decode().encode("utf-16"),
    "inside a list": lambda t: b"[" + t + b"]",
}


@pytest.mark.parametrize("how", TWO_READINGS)
async def test_an_envelope_that_can_be_read_in_two_ways_is_refused_though_b_signed_it(
    scene: Scene, how: str
) -> None:
    text, data = _good(scene.b)
    env = jws.sign(Typ.MSG, TWO_READINGS[how](text), scene.b.keys.message)
    async with nothing_remains(scene):
        said = await scene.b.post(WireMessage(env, data))
        assert (said.status, said.code) == (400, "env_invalid")


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "the list twice": lambda t: t[:-1] + b',"messages":[]}',
    "the list twice, once escaped": lambda t: t[:-1] + b',"messa\\u0067es":[]}',
    "the payload twice": lambda t: t.replace(b'"data":', b'"data":"{}","data":', 1),
    "the envelope twice": lambda t: t.replace(b'"env":', b'"env":"a.b.c","env":', 1),
    "a byte order mark": lambda t: b"\xef\xbb\xbf" + t,
    "something behind": lambda t: t + b"1",
    "a payload that is an object": lambda t: t[: t.index(b'"data"')] + b'"data":{}}]}',
}


@pytest.mark.parametrize("how", BODIES)
async def test_a_body_that_can_be_read_in_two_ways_is_refused_though_b_signed_it(
    scene: Scene, how: str
) -> None:
    body = BODIES[how](_ping(scene.b))
    async with nothing_remains(scene):
        said = await scene.b.call("POST", f"{scene.b.path}/messages", body)
        assert (said.status, said.code) == (400, "malformed")


async def test_a_later_member_is_no_second_reading(scene: Scene) -> None:
    text, data = _good(scene.b)
    env = jws.sign(Typ.MSG, text[:-1] + b',"more":{"seq":99}}', scene.b.keys.message)
    said = await scene.b.post(WireMessage(env, data))
    assert said.status == 200
    scene.b.move_to(said)


# --- A15: signatures that only a careless verifier believes -----------------------------------

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_POINTS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]


def _resigned(env: str, signature: bytes) -> str:
    return f"{env.rpartition('.')[0]}.{b64url(signature)}"


def _s_beyond(signature: bytes) -> bytes:
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + scalar.to_bytes(32, "little")


WEAK: dict[str, Callable[[bytes], bytes]] = {
    "S beyond the group order": _s_beyond,
    "S of zero": lambda s: s[:32] + bytes(32),
    "all zero": lambda _s: bytes(64),
    **{
        f"R of small order {point[:8]}": lambda s, p=point: bytes.fromhex(p) + s[32:]
        for point in SMALL_POINTS
    },
    "R and S changed over": lambda s: s[32:] + s[:32],
}


@pytest.mark.parametrize("how", WEAK)
async def test_a_signature_only_a_careless_verifier_believes_is_refused(
    scene: Scene, how: str
) -> None:
    sealed = scene.b.message("x.org.example.ping", {}, must=False, keep=False)
    signature = unb64url(sealed.env.rpartition(".")[2])
    async with nothing_remains(scene):
        wire = WireMessage(_resigned(sealed.env, WEAK[how](signature)), sealed.data)
        said = await scene.b.post(wire)
        assert (said.status, said.code) == (401, "signature_invalid")


@pytest.mark.parametrize("point", SMALL_POINTS)
async def test_a_key_of_small_order_gets_no_link(scene: Scene, point: str) -> None:
    """Its owner could sign anything at all with one signature."""
    weak = {"crv": "Ed25519", "kty": "OKP", "x": b64url(bytes.fromhex(point))}
    text = json.dumps({"identity": weak, "invitation": "inv_" + "0" * 32}).encode()
    forged = jws.sign(Typ.LINK, text, _Liar(sha256_b64(json.dumps(weak).encode())))
    body = json.dumps({"request": forged}).encode()
    async with nothing_remains(scene):
        said = await scene.b.call("POST", "/txp/v1/link-requests", body)
        assert said.status in {400, 401}


# --- A1: what is pulled is believed no more than what is pushed -------------------------------

FILES: dict[str, bytes] = {}  # by digest: what B has


def _words(call: Call) -> bytes:
    return FILES[call.target.rpartition("/")[2]]


def _signed_reply(b: FakePeer, call: Call, signer: Signer, *, url: str = "") -> Reply:
    """A file as a peer sends it: the signature covers status and request, the digest the bytes."""
    words = _words(call)
    headers = {"content-type": "application/octet-stream", "content-length": str(len(words))}
    asked = HttpRequest(call.method, url or b.base_url + call.target, call.headers, call.body)
    made = http_signatures.sign_response(HttpResponse(200, headers, b""), asked, signer, b.now)
    return Reply(200, {**headers, **made}, words)


PULLED: dict[str, Callable[[Scene, Call], Reply]] = {
    "unsigned": lambda s, c: Reply(200, {"content-type": "application/octet-stream"}, _words(c)),
    "signed by a stranger": lambda s, c: _signed_reply(s.b, c, STRANGER),
    "signed by C": lambda s, c: _signed_reply(s.b, c, s.c.keys.http),
    "signed by C in the name of B": lambda s, c: _signed_reply(s.b, c, _Liar(s.b.keys.http.kid, s.c.keys.http)),
    "signed by B's message key": lambda s, c: _signed_reply(s.b, c, s.b.keys.message),
    "an answer to another question": lambda s, c: _signed_reply(s.b, c, s.b.keys.http, url=s.b.base_url + "/other"),
    "another status than was signed": lambda s, c: replace(_signed_reply(s.b, c, s.b.keys.http), status=206),
    "other bytes than were announced": lambda s, c: replace(_signed_reply(s.b, c, s.b.keys.http), body=_words(c)[::-1]),
    "a byte more": lambda s, c: replace(_signed_reply(s.b, c, s.b.keys.http), body=_words(c) + b"!"),
    "no file but a page": lambda s, c: replace(_signed_reply(s.b, c, s.b.keys.http), body=b"<html>404</html>"),
}  # fmt: skip


@pytest.mark.parametrize("how", PULLED)
async def test_a_file_that_b_did_not_sign_for_or_that_is_another_never_appears(
    scene: Scene, how: str
) -> None:
    a, b = scene.a, scene.b
    reply = PULLED[how]
    words = f"Nakladnaya: {how}".encode()
    digest = b64url(sha256(words).digest())
    FILES[digest] = words
    b.script = lambda call: reply(scene, call) if "/blobs/" in call.target else None
    named = descriptor(b, sha256=digest, size=len(words), name=f"{how}.txt")
    try:
        await b.say("comment.add", b.comment_data(files=[named]), handoff=scene.with_b.theirs)
        await scene.network.run_until_idle()
        assert await _state(scene, named["name"]) == "fetching"
        assert not a.hub.blobs.has(digest)
        b.script = lambda call: (
            _signed_reply(b, call, b.keys.http) if "/blobs/" in call.target else None
        )
        await scene.network.run_for(minutes=5)
        assert await _state(scene, named["name"]) == "available"
        with a.hub.blobs.open(digest) as file:
            assert file.read() == words
    finally:
        b.script = lambda _call: None
    await b.ping()


async def _state(scene: Scene, name: str) -> str:
    from hub.storage import handoffs

    def look(connection: object) -> str:
        found = handoffs.find(connection, scene.with_b.theirs)  # type: ignore[arg-type]
        assert found is not None
        every = attachments.of_ticket(connection, found.ticket_id)  # type: ignore[arg-type]
        (one,) = [one for one in every if one.name == name]
        return str(one.state)

    return await scene.a.hub.db.read(look)
