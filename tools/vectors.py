"""Generate `schemas/v1/vectors/`: exact bytes that every implementation must come to.

The private keys in them are SHA-256 of published labels. They are for tests only, and our key
store refuses keys that stand in public places.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hub import ids
from hub.domain.agreement import combine, default_offer
from hub.ids import HandoffId, InvitationId, LinkId, MessageId
from hub.protocol import agreement, invitation, keys, receipts, signing, strict_json
from hub.protocol.encoding import b64url, sha256_b64
from hub.protocol.message import Envelope
from hub.protocol.receipts import Receipt

FOLDER: Final = Path(__file__).parents[1] / "schemas" / "v1" / "vectors"
NOW: Final = datetime(2026, 11, 22, 9, 5, 0, 123000, tzinfo=UTC)


class _Labelled:
    """Randomness anybody can repeat: SHA-256 of a label."""

    def __init__(self, label: str) -> None:
        self._label = label

    def bytes(self, count: int) -> bytes:
        return sha256(self._label.encode()).digest()[:count]

    def fraction(self) -> float:
        return 0.0


def _key(label: str) -> keys.PrivateKey:
    return keys.PrivateKey.generate(_Labelled(label))


def _id(prefix: str, label: str) -> str:
    return ids.new(prefix, NOW, _Labelled(label))


def _key_members(label: str) -> dict[str, Any]:
    key = _key(label)
    return {
        "seed": b64url(_Labelled(label).bytes(32)),
        "jwk": key.public.jwk,
        "thumbprint": key.kid,
    }


def thumbprint() -> dict[str, Any]:
    """Keys and their RFC 7638 thumbprints."""
    labels = ("txp vector: inviter identity", "txp vector: inviter msg", "txp vector: invitee msg")
    return {"keys": [_key_members(label) for label in labels]}


def _agreement() -> agreement.Agreement:
    def party(name: str, url: str) -> agreement.AgreementParty:
        identity = _key(f"txp vector: {name} identity")
        return agreement.AgreementParty(
            node_id=identity.kid,
            name={"inviter": "Сервис Плюс", "invitee": "Мастер-Юг"}[name],
            base_url=url,
            identity=identity.public,
            key_set_version=1,
        )

    offers = {
        name: strict_json.dump(
            {
                "name": {"inviter": "Сервис Плюс", "invitee": "Мастер-Юг"}[name],
                "base_url": url,
                "versions": ["1.0"],
                "capabilities": ["files"],
                "limits": {"message_batch": 100},
                "scopes": default_offer().to_data(),
            }
        )
        for name, url in _BASES.items()
    }
    return agreement.compose(
        link=LinkId(_id("lnk", "link")),
        made_at=NOW,
        inviter=party("inviter", _BASES["inviter"]),
        invitee=party("invitee", _BASES["invitee"]),
        inviter_offer=offers["inviter"],
        invitee_offer=offers["invitee"],
        terms={
            "version": "1.0",
            "capabilities": ["files"],
            "limits": {"message_batch": 100},
            "directions": combine(default_offer(), default_offer()),
        },
        legal=sha256_b64(b""),
    )


_BASES: Final = {"inviter": "https://hub.plus.example", "invitee": "https://hub.yug.example"}


def agreement_vector() -> dict[str, Any]:
    """The exact agreement text, its hash, digits, and both signatures."""
    made = _agreement()
    return {
        "text": made.text,
        "hash": made.hash,
        "digits": made.digits,
        "signatures": {
            name: agreement.sign(made, _key(f"txp vector: {name} identity"))
            for name in ("inviter", "invitee")
        },
        "identities": {
            name: _key(f"txp vector: {name} identity").public.jwk for name in ("inviter", "invitee")
        },
    }


def _messages() -> list[signing.SealedMessage]:
    made = _agreement()
    sealed: list[signing.SealedMessage] = []
    handoff = HandoffId(_id("hnd", "hand-off"))
    payloads = (
        ("comment.redact", {"comment_id": _id("cmt", "comment"), "at": "2026-11-22T09:05:00.123Z"}),
        ("handoff.close", {"from": "confirmed", "reason": "Проверено клиентом"}),
    )
    for n, (kind, payload) in enumerate(payloads, start=1):
        before = sealed[-1].hash if sealed else made.hash
        envelope = Envelope(
            id=MessageId(_id("msg", f"message {n}")),
            link=made.link,
            sender=made.inviter.node_id,
            receiver=made.invitee.node_id,
            epoch=1,
            seq=n,
            prev=before,
            agreement=1,
            ack=(4, sha256_b64(b"ack")) if n > 1 else None,
            type=kind,
            must=True,
            schema=f"{kind}/1",
            handoff=handoff,
            hseq=n,
            hprev=before,
            at=NOW + timedelta(seconds=n),
        )
        salt = _Labelled(f"salt {n}").bytes(16)
        sealed.append(signing.seal(envelope, payload, salt, _key("txp vector: inviter msg")))
    return sealed


def envelope_vector() -> dict[str, Any]:
    """Two chained messages as they travel, with their hashes."""
    key = _key("txp vector: inviter msg")
    return {
        "key": key.public.jwk,
        "first_prev": _agreement().hash,
        "messages": [
            {
                "env": one.env,
                "data": one.data,
                "data_hash": one.envelope.data_hash,
                "signing_input": one.env.rpartition(".")[0],
                "hash": one.hash,
            }
            for one in _messages()
        ],
    }


def receipt_vector() -> dict[str, Any]:
    """The receipt of the invitee for both messages."""
    made, last = _agreement(), _messages()[-1]
    assert last.envelope.handoff is not None
    receipt = Receipt(
        link=made.link,
        of=made.inviter.node_id,
        epoch=1,
        upto=last.envelope.seq,
        head=last.hash,
        handoffs={last.envelope.handoff: (last.envelope.seq, last.hash)},
        at=NOW + timedelta(seconds=10),
    )
    key = _key("txp vector: invitee msg")
    return {
        "key": key.public.jwk,
        "receipt": receipts.seal_receipt(receipt, key),
        "says": {"upto": receipt.upto, "head": receipt.head, "of": receipt.of, "epoch": 1},
    }


def invitation_vector() -> dict[str, Any]:
    """An invitation code, and the MAC an invitee proves it with."""
    secret = _Labelled("secret").bytes(invitation.SECRET_BYTES)
    nonce = _Labelled("nonce").bytes(invitation.NONCE_BYTES)
    identity = _key("txp vector: inviter identity")
    invitee = _key("txp vector: invitee identity")
    made = invitation.Invitation(
        base_url=_BASES["inviter"],
        id=InvitationId(_id("inv", "invitation")),
        secret=secret,
        identity_hash=sha256_b64(identity.public.raw),
        expires_at=NOW + timedelta(hours=72),
    )
    offer = _agreement().invitee_offer
    proof = invitation.mac(invitation.secret_hash(secret), identity.kid, invitee.kid, offer, nonce)
    return {
        "code": invitation.encode(made),
        "url": invitation.url(made),
        "id": made.id,
        "base_url": made.base_url,
        "secret": b64url(secret),
        "identity_hash": made.identity_hash,
        "mac": {
            "inviter": identity.kid,
            "invitee": invitee.kid,
            "offer": offer,
            "nonce": b64url(nonce),
            "value": b64url(proof),
        },
    }


VECTORS: Final = {
    "thumbprint": thumbprint,
    "agreement": agreement_vector,
    "envelope": envelope_vector,
    "receipt": receipt_vector,
    "invitation": invitation_vector,
}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Test vectors of the protocol.")
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    check = parser.parse_args(arguments).check
    stale = []
    for name, make in VECTORS.items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(make(), ensure_ascii=False, indent=2) + "\n"
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(path.name)
        elif not check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run `python -m tools.vectors`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
