"""Invitation codes survive people, and their secret never travels."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from hub.errors import Refused, Untrusted
from hub.protocol import invitation
from tests.protocol.builders import ALPHA, BETA, EVE, OFFER, an_id, an_invitation

CODE = invitation.encode(an_invitation())
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.#= "


def refusal(text: str) -> str:
    with pytest.raises(Refused) as caught:
        invitation.decode(text)
    assert caught.value.hint
    return caught.value.code


def test_a_code_says_what_was_put_in() -> None:
    assert CODE.startswith("txp1.")
    assert invitation.decode(CODE) == an_invitation()


def test_a_code_is_read_from_a_link_and_with_white_space_around() -> None:
    link = invitation.url(an_invitation())
    assert link == f"https://hub.alpha.example/i#{CODE}"
    for text in (link, f"  {CODE}\n", f"{link}\r\n"):
        assert invitation.decode(text) == an_invitation()


def test_every_single_wrong_character_is_noticed() -> None:
    for at in range(len(CODE)):
        for character in CHARACTERS:
            if character != CODE[at]:
                assert refusal(CODE[:at] + character + CODE[at + 1 :])


def test_every_lost_doubled_or_swapped_character_is_noticed() -> None:
    for at in range(len(CODE)):
        assert refusal(CODE[:at] + CODE[at + 1 :])
        assert refusal(CODE[:at] + CODE[at] + CODE[at:])
        swapped = CODE[:at] + CODE[at : at + 2][::-1] + CODE[at + 2 :]
        if swapped != CODE:
            assert refusal(swapped)


def test_a_typing_error_and_a_foreign_text_are_told_apart() -> None:
    assert refusal(CODE[:-1]) == "invite_mistyped"
    assert refusal(CODE[:20] + ("x" if CODE[20] != "x" else "y") + CODE[21:]) == "invite_mistyped"
    for text in (
        "",
        "hello",
        "https://hub.alpha.example",
        "txp2." + CODE[5:],
        "txp1." + "A" * 5000,
    ):
        assert refusal(text) == "invite_invalid"
    assert refusal("txp1.") == "invite_mistyped"


@pytest.mark.parametrize(
    "base",
    [
        "hub.alpha.example", "ftp://hub.example", "https://hub.example/", "https://", "https://a b",
        "https://user@hub.example", "https://hub.example?x", "https://hub.example#x",
        "javascript:x",
        "https://hub.example:port", "https://HUB.example", "https://hüb.example", "https://h\\x",
        "https://[::1", "https://hub.example:0", "",
    ],
)  # fmt: skip
def test_a_code_with_no_address_of_a_hub_is_not_made(base: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        invitation.encode(an_invitation(base_url=base))


@pytest.mark.parametrize(
    "base",
    [
        "https://hub.example:8443",
        "http://127.0.0.1:8080",
        "https://example.com/hub",
        "https://[::1]:1",
    ],
)
def test_a_base_may_have_a_port_and_a_path(base: str) -> None:
    assert invitation.decode(invitation.encode(an_invitation(base_url=base))).base_url == base


def test_an_invitation_does_not_show_its_secret() -> None:
    made = an_invitation()
    assert repr(made.secret) not in repr(made)
    assert made.secret.hex() not in repr(made)


MAC_PARTS: dict[str, Any] = {
    "secret_hash": invitation.secret_hash(an_invitation().secret),
    "inviter_id": ALPHA.node_id, "invitee_id": BETA.node_id, "offer_text": OFFER,
    "nonce": b"n" * 16,
}  # fmt: skip


def test_the_holder_of_the_code_makes_the_mac_the_inviter_expects() -> None:
    invitation.check_mac(invitation.mac(**MAC_PARTS), **MAC_PARTS)


@pytest.mark.parametrize(
    "change",
    [
        {"secret_hash": invitation.secret_hash(b"x" * 16)}, {"inviter_id": EVE.node_id},
        {"invitee_id": EVE.node_id}, {"offer_text": OFFER + " "}, {"nonce": b"m" * 16},
        {"inviter_id": BETA.node_id, "invitee_id": ALPHA.node_id},
    ],
)  # fmt: skip
def test_the_mac_binds_both_nodes_the_offer_and_the_nonce(change: dict[str, Any]) -> None:
    with pytest.raises(Untrusted) as caught:
        invitation.check_mac(invitation.mac(**MAC_PARTS), **(MAC_PARTS | change))
    assert caught.value.code == "mac_invalid"


@pytest.mark.parametrize("found", [b"", b"\x00" * 32, b"x" * 31])
def test_a_wrong_mac_is_refused(found: bytes) -> None:
    with pytest.raises(Untrusted):
        invitation.check_mac(found, **MAC_PARTS)


@pytest.mark.parametrize(
    "change", [{"inviter_id": "short"}, {"nonce": b""}, {"invitee_id": an_id("lnk")}]
)
def test_a_mac_over_parts_of_other_lengths_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        invitation.mac(**(MAC_PARTS | change))


def test_the_mac_is_computed_as_the_specification_says() -> None:
    said = b"txp-link-v1" + ALPHA.node_id.encode() + BETA.node_id.encode()
    said += hashlib.sha256(OFFER.encode()).digest() + b"n" * 16
    key = hashlib.sha256(an_invitation().secret).digest()
    assert invitation.mac(**MAC_PARTS) == hmac.new(key, said, "sha256").digest()
