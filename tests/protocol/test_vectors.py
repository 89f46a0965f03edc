"""The published vectors, checked without our own code: hashlib, hmac, cryptography, joserfc."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

from hub.protocol import agreement, invitation, payloads, receipts, signing
from hub.protocol.keys import PublicKey
from hub.protocol.message import WireMessage
from tools import vectors

FOLDER = Path(__file__).parents[2] / "schemas" / "v1" / "vectors"


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def opened(text: str, jwk: dict[str, str]) -> bytes:
    return jws.deserialize_compact(text, OKPKey.import_key(jwk), algorithms=["Ed25519"]).payload


def test_the_vectors_are_what_this_code_makes() -> None:
    assert vectors.main(["--check"]) == 0


@pytest.mark.parametrize("key", read("thumbprint")["keys"], ids=lambda key: key["thumbprint"][:8])
def test_thumbprints_are_rfc_7638(key: dict[str, Any]) -> None:
    private = Ed25519PrivateKey.from_private_bytes(unb64(key["seed"]))
    assert b64(private.public_key().public_bytes_raw()) == key["jwk"]["x"]
    assert OKPKey.import_key(key["jwk"]).thumbprint() == key["thumbprint"]


def test_the_envelope_is_a_plain_jws_over_metadata_and_the_hash_of_the_data() -> None:
    vector = read("envelope")
    prev = vector["first_prev"]
    for n, message in enumerate(vector["messages"], start=1):
        envelope = json.loads(opened(message["env"], vector["key"]))
        assert envelope["dh"] == b64(hashlib.sha256(message["data"].encode()).digest())
        assert envelope["dh"] == message["data_hash"]
        assert (envelope["seq"], envelope["prev"]) == (n, prev)
        assert message["signing_input"] == message["env"].rpartition(".")[0]
        assert message["hash"] == b64(hashlib.sha256(message["signing_input"].encode()).digest())
        prev = message["hash"]


def test_our_code_opens_the_messages_and_their_payloads_fit_their_schemas() -> None:
    vector = read("envelope")
    for message in vector["messages"]:
        envelope = json.loads(opened(message["env"], vector["key"]))
        verified = signing.open_sealed(
            WireMessage(message["env"], message["data"]),
            PublicKey.from_jwk(vector["key"]),
            link=envelope["link"],
            sender=envelope["from"],
            receiver=envelope["to"],
        )
        assert verified.hash == message["hash"]
        payloads.check(verified.envelope.schema, verified.data, salted=False)


def test_the_receipt_covers_the_head_of_the_messages() -> None:
    vector, messages = read("receipt"), read("envelope")["messages"]
    said = json.loads(opened(vector["receipt"], vector["key"]))
    assert said["head"] == vector["says"]["head"] == messages[-1]["hash"]
    assert (said["upto"], said["stored"]) == (len(messages), True)
    receipt = receipts.open_receipt(
        vector["receipt"], PublicKey.from_jwk(vector["key"]), link=said["link"], of=said["of"]
    )
    assert receipt.upto == len(messages)


def test_the_agreement_hash_and_digits_follow_from_the_text_alone() -> None:
    vector = read("agreement")
    text = vector["text"].encode()
    assert vector["hash"] == b64(hashlib.sha256(text).digest())
    number = int.from_bytes(hashlib.sha256(b"txp-sas" + text).digest(), "big") % 10**40
    assert vector["digits"].replace(" ", "") == f"{number:040d}"
    for name, signature in vector["signatures"].items():
        said = json.loads(opened(signature, vector["identities"][name]))
        assert said["agreement_hash"] == vector["hash"]
        agreement.check_signature(
            signature,
            agreement.parse(vector["text"]),
            PublicKey.from_jwk(vector["identities"][name]),
        )


def test_the_mac_binds_both_nodes_the_offer_and_the_nonce_to_the_secret() -> None:
    vector = read("invitation")
    mac = vector["mac"]
    said = (
        b"txp-link-v1"
        + mac["inviter"].encode()
        + mac["invitee"].encode()
        + hashlib.sha256(mac["offer"].encode()).digest()
        + unb64(mac["nonce"])
    )
    key = hashlib.sha256(unb64(vector["secret"])).digest()
    assert mac["value"] == b64(hmac.digest(key, said, "sha256"))
    assert invitation.decode(vector["code"]) == invitation.decode(vector["url"])
    assert invitation.decode(vector["code"]).id == vector["id"]
