"""One text, two signatures, forty digits."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Untrusted
from hub.protocol import agreement, jws, strict_json
from hub.protocol.encoding import sha256_b64
from tests.protocol.builders import (
    ALPHA,
    BETA,
    EVE,
    LINK,
    NOW,
    OFFER,
    a_hash,
    a_party,
    an_agreement,
    an_id,
)


def test_an_agreement_says_what_was_put_in() -> None:
    made = an_agreement()
    assert (made.link, made.revision, made.made_at) == (LINK, 1, NOW)
    assert (made.inviter, made.invitee) == (a_party(ALPHA), a_party(BETA))
    assert (made.inviter_offer, made.invitee_offer, made.legal) == (
        OFFER,
        OFFER,
        a_hash("legal text"),
    )
    assert made.terms["version"] == "1.0"


def test_both_sides_read_the_same_text_to_the_same_agreement() -> None:
    made = an_agreement()
    assert agreement.parse(made.text) == made
    assert made.hash == sha256_b64(made.text.encode())


def test_the_digits_are_eight_groups_of_five() -> None:
    assert re.fullmatch(r"\d{5}( \d{5}){7}", an_agreement().digits)


def test_the_digits_are_computed_as_the_specification_says() -> None:
    made = an_agreement()
    number = int(hashlib.sha256(b"txp-sas" + made.text.encode()).hexdigest(), 16) % 10**40
    assert made.digits.replace(" ", "") == str(number).zfill(40)


def test_leading_zeros_of_the_digits_are_kept() -> None:
    texts = (an_agreement(link=an_id("lnk", str(n))).digits for n in range(200))
    assert any(digits.startswith("0") and len(digits) == 47 for digits in texts)


@pytest.mark.parametrize(
    "change",
    [
        {"link": an_id("lnk", "other")}, {"invitee": a_party(EVE)}, {"revision": 2},
        {"inviter": replace(a_party(ALPHA), base_url="https://eve.example")},
        {"inviter": replace(a_party(ALPHA), key_set_version=2)}, {"legal": a_hash("other")},
        {"invitee_offer": '{"a":1}'}, {"terms": {"version": "1.0", "capabilities": ["poll"]}},
    ],
)  # fmt: skip
def test_any_difference_changes_hash_and_digits(change: dict[str, Any]) -> None:
    one, other = an_agreement(), an_agreement(**change)
    assert one.hash != other.hash
    assert one.digits != other.digits


@pytest.mark.parametrize(
    "change",
    [
        {"inviter": a_party(BETA)}, {"terms": {"version": "9.9"}}, {"terms": {}}, {"legal": "x"},
        {"revision": 0}, {"link": "x"}, {"inviter_offer": "no json"}, {"invitee_offer": ""},
        {"invitee": replace(a_party(BETA), base_url="https://beta.example/")},
        {"invitee": replace(a_party(BETA), name="")},
        {"invitee": replace(a_party(BETA), node_id="x")},
        {"invitee": replace(a_party(BETA), identity=ALPHA.identity.public)},
        {"terms": {"version": "1.0", "share": 0.5}},
    ],
)  # fmt: skip
def test_an_unsound_agreement_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        an_agreement(**change)


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"link":1}'])
def test_a_text_that_is_no_agreement_is_refused(text: str) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        agreement.parse(text)


def test_a_text_written_differently_is_another_agreement() -> None:
    made = an_agreement()
    spaced = made.text.replace(",", ", ", 1)
    assert agreement.parse(spaced).hash != made.hash


def test_each_party_signs_and_the_other_checks() -> None:
    made = an_agreement()
    for node in (ALPHA, BETA):
        agreement.check_signature(agreement.sign(made, node.identity), made, node.identity.public)


def test_a_signature_of_another_text_is_refused() -> None:
    signed = agreement.sign(an_agreement(revision=2), ALPHA.identity)
    with pytest.raises(Untrusted) as caught:
        agreement.check_signature(signed, an_agreement(), ALPHA.identity.public)
    assert caught.value.code == "agreement_mismatch"


def test_one_sides_signature_is_not_the_others() -> None:
    signed = agreement.sign(an_agreement(), ALPHA.identity)
    with pytest.raises(Untrusted, match="signature_invalid"):
        agreement.check_signature(signed, an_agreement(), BETA.identity.public)


def test_a_stranger_neither_signs_nor_is_believed() -> None:
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        agreement.sign(an_agreement(), EVE.identity)
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        agreement.check_signature("x", an_agreement(), EVE.identity.public)


def test_a_signature_in_the_name_of_the_other_party_is_refused() -> None:
    made = an_agreement()
    said = {"agreement_hash": made.hash, "link": made.link, "node_id": BETA.node_id}
    signed = jws.sign(jws.Typ.AGREEMENT, strict_json.dump(said).encode(), ALPHA.identity)
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        agreement.check_signature(signed, made, ALPHA.identity.public)


def test_the_parties_know_each_other() -> None:
    made = an_agreement()
    assert made.other(ALPHA.node_id) == made.party(BETA.node_id) == a_party(BETA)
    assert made.other(BETA.node_id) == a_party(ALPHA)
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        made.party(EVE.node_id)
