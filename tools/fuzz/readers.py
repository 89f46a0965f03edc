"""Every reader of what others wrote: pure, and with seeds from which to change it.

A reader takes bytes and raises nothing but a `HubError`, or `Finding` where what it read does not
survive being written. Signed things are given as what is signed, and signed here: behind a
signature that fits, the reader has to bear anything a peer may sign.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from hub.domain.correspondence import Known, judge
from hub.domain.letter import Letter
from hub.errors import Refused, Untrusted
from hub.mail import parse as letters
from hub.mail import profiles, reader, reading, standing
from hub.mail.desk_reading import by_profile
from hub.mail.profile import Profile, Recognise
from hub.protocol import (
    agreement,
    audit,
    encoding,
    http_signatures,
    invitation,
    jws,
    keys,
    linking,
    message,
    node_document,
    payloads,
    receipts,
    signing,
    strict_json,
    succession,
    sync,
)
from tests.protocol import builders

SCHEMAS: Final = Path(__file__).resolve().parents[2] / "schemas" / "v1"
CORPORA: Final = Path(os.environ.get("HUB_CORPORA", "")) / "json-test-suite" / "test_parsing"
LETTERS: Final = Path(os.environ.get("HUB_CORPORA", ""))
ALPHA, BETA, NOW = builders.ALPHA, builders.BETA, builders.NOW
Reader = tuple[Callable[[bytes], object], list[bytes]]  # and its seeds


class Finding(Exception):  # noqa: N818 - what happened
    """Something came out that must not."""


def text_of(data: bytes) -> str:
    """Any bytes as text; what is no UTF-8 becomes lone surrogates, as a server makes of it."""
    return data.decode("utf-8", "surrogateescape")


# --- letters --------------------------------------------------------------------------------


_STRANGE: Final = Known(None, False, False, None, False, False, False)
_ITS_TICKET: Final = replace(_STRANGE, desk_ticket=True)


@cache
def _desks() -> tuple[Profile, ...]:
    """The profiles that come with the hub; here each of them takes any letter for its own."""
    anybody = Recognise(senders=("*",))
    found = (profiles.read_ready(name) for name in profiles.ready())
    return tuple(one.model_copy(update={"recognise": anybody}) for one in found)


def read_letter(data: bytes) -> None:
    """A letter, whatever the bytes are: what it says can be told, stored and shown, and judged."""
    letter = letters.parse(data, lambda _n, _data: "")
    _read_by_anybody(letter)
    desks = _desks()
    _read_by_desk(desks[len(data) % len(desks)], letter)


def _read_by_desk(profile: Profile, letter: Letter) -> None:
    """What a profile finds is in one line each, and survives being told like the letter."""
    desk = by_profile([profile], letter)
    if desk is None:
        raise Finding("a profile for every letter does not know this one")
    if desk.too_slow:
        raise Finding(f"the patterns of {profile.name} take too long")
    for text in (desk.number, desk.title, desk.site, desk.contact, desk.phone, desk.answer_subject):
        if text and not text.isprintable():
            raise Finding(f"a control in what {profile.name} finds: {text!r}")
    desk.text.encode()
    found = replace(letter, desk=desk)
    _same(found, reader.letter_of(json.loads(json.dumps(reading.told(found)))))
    for known in (_STRANGE, _ITS_TICKET):
        judged = judge(found, standing.told(found, "mx.plus.example"), known)
        if judged.answer:
            raise Finding("a desk would be answered")


def _read_by_anybody(letter: Letter) -> None:
    for text in (letter.subject, letter.text, letter.words, letter.said_from, letter.html):
        text.encode()
    if any(not ch.isprintable() for ch in letter.subject):
        raise Finding("a control in a subject")
    told = json.loads(json.dumps(reading.told(letter)))
    _same(letter, reader.letter_of(told))
    judged = judge(letter, standing.told(letter, "mx.plus.example"), _STRANGE)
    if judged.answer and letter.automatic is not None:
        raise Finding("a program would be answered")


def letter_seeds() -> list[bytes]:
    """One letter of each mail program, those of desks, and the broken ones of the corpora."""
    samples = Path(__file__).resolve().parents[2] / "tests" / "mail" / "samples"
    folders = [
        profiles.READY,
        LETTERS / "set-of-emails" / "maildir",
        LETTERS / "mail-parser-malformed",
    ]
    broken = [path for folder in folders for path in sorted(folder.rglob("*.eml"))]
    return [path.read_bytes() for path in [*sorted(samples.glob("*-01.eml")), *broken]]


# --- strict JSON and JWS --------------------------------------------------------------------


def read_json(data: bytes) -> None:
    """Strict JSON, as bytes and as text."""
    both = []
    for given in (data, text_of(data)):
        try:
            both.append(strict_json.parse(given, max_bytes=_limit(data)))
        except Untrusted:
            both.append(None)
    if both[0] != both[1]:
        raise Finding("bytes and text are read differently")
    if (
        both[0] is not None
        and strict_json.parse(strict_json.dump(both[0]), max_bytes=2**20) != (both[0])
    ):
        raise Finding("what was written is not what was read")


def _limit(data: bytes) -> int:
    """A limit that most inputs fit in, and long ones do not."""
    return 3000 if len(data) % 7 else 2**20


def json_seeds() -> Iterable[bytes]:
    """Our examples, and the public test suite where it is there."""
    for folder in ("examples", "counter-examples", "vectors"):
        yield from (path.read_bytes() for path in sorted((SCHEMAS / folder).rglob("*.json")))
    if CORPORA.is_dir():
        yield from (path.read_bytes() for path in sorted(CORPORA.glob("*.json")))


_SIGNED: Final = jws.sign(jws.Typ.MSG, b'{"a":1}', ALPHA.msg)


def read_jws(data: bytes) -> None:
    """A JWS by anybody."""
    text = text_of(data)
    found = jws.peek(text)
    for typ in jws.Typ:
        try:
            jws.verify(found, typ, ALPHA.msg.public)
        except Untrusted:
            continue
        if text not in GENUINE:
            raise Finding("a signature of something nobody signed")


GENUINE: Final = {jws.sign(typ, b'{"a":1}', ALPHA.msg) for typ in jws.Typ} | {
    builders.a_sealed().env
}


# --- readers --------------------------------------------------------------------------------


def _same(read: Any, again: Any) -> None:
    if read != again:
        raise Finding(f"written and read again it is something else: {read!r} {again!r}"[:2000])


_DATA: Final = builders.a_sealed().data
_ON: Final = {"link": builders.LINK, "sender": ALPHA.node_id, "receiver": BETA.node_id}
_AGREED: Final = builders.an_agreement()


def _sealed(payload: bytes) -> None:
    env = jws.sign(jws.Typ.MSG, payload, ALPHA.msg)
    opened = signing.open_sealed(message.WireMessage(env, _DATA), ALPHA.msg.public, **_ON)
    _same(opened.envelope, message.read_envelope(message.envelope_members(opened.envelope)))


def _receipt(payload: bytes) -> None:
    text = jws.sign(jws.Typ.RECEIPT, payload, BETA.msg)
    about = {"link": builders.LINK, "of": ALPHA.node_id}
    read = receipts.open_receipt(text, BETA.msg.public, **about)
    again = receipts.open_receipt(receipts.seal_receipt(read, BETA.msg), BETA.msg.public, **about)
    _same(read, again)


def _key_set(payload: bytes) -> None:
    identity = ALPHA.identity
    read = keys.open_key_set(jws.sign(jws.Typ.KEYS, payload, identity), identity.public)
    _same(read, keys.open_key_set(keys.seal_key_set(read, identity), identity.public))


def _document(payload: bytes) -> None:
    signed = jws.sign(jws.Typ.NODE, payload, ALPHA.identity)
    read = node_document.open(strict_json.dump({"document": signed}).encode(), NOW)
    again = node_document.seal(read, ALPHA.identity)
    _same(read, node_document.open(again.encode(), NOW))


def _agreement(data: bytes) -> None:
    read = agreement.parse(text_of(data))
    agreement.check_signature(agreement.sign(read, ALPHA.identity), read, ALPHA.identity.public)


def _agreement_signature(payload: bytes) -> None:
    text = jws.sign(jws.Typ.AGREEMENT, payload, ALPHA.identity)
    agreement.check_signature(text, _AGREED, ALPHA.identity.public)


def _link_request(payload: bytes) -> None:
    linking.open_link_request(jws.sign(jws.Typ.LINK, payload, ALPHA.identity))


def _succession(payload: bytes) -> None:
    texts = [jws.sign(jws.Typ.IDENTITY, payload, key) for key in (ALPHA.identity, BETA.identity)]
    succession.open_successions(texts)
    succession.follow(ALPHA.identity.public, ALPHA.node_id, texts)
    succession.prove_identity(ALPHA.node_id, 2, BETA.identity.public, texts)


def _code(body: bytes) -> None:
    check = encoding.sha256_b64(body)
    raw = body + encoding.unb64url(check)[:4]
    read = invitation.decode(invitation.PREFIX + encoding.b64url(raw))
    _same(read, invitation.decode(invitation.encode(read)))


def _sync(data: bytes) -> None:
    standing, begin = sync.parse_sync(data)
    _same((standing, begin), sync.read_sync(sync.dump_sync(standing, begin)))


def _batch(data: bytes) -> None:
    for wire in message.parse_batch(data):
        try:
            signing.open_sealed(wire, ALPHA.msg.public, **_ON)
        except Untrusted:
            continue


def _link_keys(data: bytes) -> None:
    from hub.actions import peer_keys  # half the program hangs on it

    said = strict_json.parse(data, max_bytes=2**20)
    peer_keys.announced_keys(ALPHA.identity.public, ALPHA.node_id, said)
    peer_keys.proven(ALPHA.identity.public, ALPHA.node_id, said)


def _spellings(data: bytes) -> None:
    text = text_of(data)
    try:
        _same(encoding.b64url(encoding.unb64url(text)), text)
    except Untrusted:
        _same(encoding.instant(encoding.parse_instant(text)), text)


def _payload_of(text: str) -> bytes:
    return jws.peek(text).payload


def readers() -> dict[str, Reader]:
    """Whatever is read behind JSON or a signature, by name."""
    key_set = keys.seal_key_set(builders.a_key_set(), ALPHA.identity)
    offer = builders.OFFER
    request = linking.seal_link_request(
        invitation_id=builders.an_id("inv"),
        key_set_jws=key_set,
        offer_text=offer,
        nonce=bytes(16),
        mac=bytes(32),
        identity=ALPHA.identity,
    )
    document = node_document.seal(
        node_document.NodeDocument(
            node_id=ALPHA.node_id,
            identity=ALPHA.identity.public,
            key_set_jws=key_set,
            key_set=builders.a_key_set(),
            base_url="https://hub.alpha.example",
            name="Alpha",
            versions=("1.0",),
            capabilities=("files",),
            limits={"message_batch": 100},
            contact="a@alpha.example",
            valid_until=NOW + node_document.MAX_VALIDITY,
        ),
        ALPHA.identity,
    )
    receipt = receipts.Receipt(
        link=builders.LINK,
        of=ALPHA.node_id,
        epoch=1,
        upto=7,
        head=builders.a_hash(),
        handoffs={builders.an_id("hnd"): (2, builders.a_hash())},
        at=NOW,
    )
    changed = succession.seal_succession(ALPHA.node_id, 2, ALPHA.identity, BETA.identity, NOW)
    place = sync.Place(3, builders.a_hash())
    standing = sync.Standing(
        instance="an-instance",
        run="the-only-run",
        synced=True,
        sent=place,
        held=place,
        sent_epochs={1: 1, 5: 3},
        held_epochs={1: 1},
    )
    begun = sync.NewEpoch(9, 4, place)
    head = audit.Head(ALPHA.node_id, 3, builders.a_hash(), NOW, builders.a_hash())
    said = (1, NOW, "system", "node.founded", "{}", "")
    export = b"".join(
        audit.write_export(
            [audit.Record(*said, audit.record_hash(*said))],
            node=ALPHA.node_id,
            identity=ALPHA.identity.public,
            signer=ALPHA.identity,
            at=NOW,
        )
    )
    wire = builders.a_sealed().wire
    code = invitation.encode(builders.an_invitation())
    identity = ALPHA.identity.public

    def audit_head(payload: bytes) -> None:
        audit.open_head(jws.sign(jws.Typ.AUDIT, payload, ALPHA.identity), identity)

    return {
        "letter": (read_letter, letter_seeds()),
        "batch": (_batch, [message.dump_batch([wire, message.WireMessage(wire.env, None)])]),
        "envelope": (_sealed, [_payload_of(wire.env)]),
        "data": (lambda data: signing.read_data(text_of(data)), [_DATA.encode()]),
        "receipt": (
            _receipt,
            [_payload_of(receipts.seal_receipt(receipt, BETA.msg))],
        ),
        "key set": (_key_set, [_payload_of(key_set)]),
        "document": (_document, [_payload_of(json.loads(document)["document"])]),
        "whole document": (
            lambda data: node_document.open(data, NOW),
            [document.encode()],
        ),
        "agreement": (_agreement, [_AGREED.text.encode()]),
        "agreement signature": (
            _agreement_signature,
            [_payload_of(agreement.sign(_AGREED, ALPHA.identity))],
        ),
        "link request": (_link_request, [_payload_of(request)]),
        "succession": (_succession, [_payload_of(changed[0])]),
        "invitation": (lambda data: invitation.decode(text_of(data)), [code.encode()]),
        "code": (_code, [encoding.unb64url(code.removeprefix(invitation.PREFIX))[:-4]]),
        "base url": (
            lambda data: invitation.check_base_url(text_of(data)),
            [b"https://hub.example:8443/a", b"http://[2001:db8::1]", b"https://192.0.2.1"],
        ),
        "sync": (
            _sync,
            [strict_json.dump(sync.dump_sync(standing, begun)).encode()],
        ),
        "audit head": (audit_head, [_payload_of(audit.seal_head(head, ALPHA.identity))]),
        "audit export": (
            lambda data: audit.check_export(data.splitlines(keepends=True)),
            [export],
        ),
        "keys": (
            _link_keys,
            [strict_json.dump({"key_set": key_set, "succession": list(changed)}).encode()],
        ),
        "spellings": (_spellings, [b"2026-03-14T09:26:53.589Z", b"AAAA"]),
    }


def payload_readers() -> dict[str, Reader]:
    """The check of the data of each type of message."""

    def reader(schema_id: str) -> Callable[[bytes], object]:
        def run(data: bytes) -> None:
            value = strict_json.parse(data, max_bytes=2**20)
            for salted in (True, False):
                try:
                    payloads.check(schema_id, value, salted=salted)
                except Refused as error:
                    strict_json.dump({"why": error.told}, mend=True)

        return run

    def given(name: str) -> list[bytes]:
        folders = (SCHEMAS / kind / name for kind in ("examples", "counter-examples"))
        return [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.json"))]

    return {name: (reader(kind.schema_id), given(name)) for name, kind in payloads.TYPES.items()}


def _headers(data: bytes) -> None:
    said = json.loads(data)
    headers = {str(name).lower(): str(value) for name, value in said["headers"].items()}
    body = str(said["body"]).encode("utf-8", "surrogatepass")
    request = http_signatures.HttpRequest(
        str(said["method"]), "https://hub.example" + str(said["target"]), headers, body
    )
    known = {ALPHA.http.kid: ALPHA.http.public}
    http_signatures.verify_request(request, known.get, NOW)


def read_headers(data: bytes) -> None:
    """The signature of a call, given as JSON; what is no call is passed over."""
    try:
        said = json.loads(data)
        _ = said["headers"].items(), said["method"], said["target"], said["body"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    _headers(data)


def header_seeds() -> Iterable[bytes]:
    """Calls that are rightly signed."""
    for body in ("", '{"a":1}'):
        headers = {"content-type": "application/json"} if body else {}
        request = http_signatures.HttpRequest(
            "POST", "https://hub.example/txp/v1/x?y=1", headers, body.encode()
        )
        signed = http_signatures.sign_request(request, ALPHA.http, NOW)
        said = {"method": "POST", "target": "/txp/v1/x?y=1", "body": body}
        yield json.dumps({**said, "headers": {**headers, **signed}}).encode()
