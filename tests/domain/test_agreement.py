"""Offers, scopes files and the terms that follow from two offers."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hub.domain.agreement import (
    ANSWERABLE,
    DEFAULT_DISCLOSED,
    LIMITS,
    AsContractor,
    AsPrincipal,
    CancelPolicy,
    Direction,
    DisclosureClass,
    Offer,
    Subcontracting,
    check_may_hand_off,
    combine,
    default_offer,
    direction_from_terms,
    direction_of,
    offer_from_scopes,
)
from hub.domain.handoff import Party
from hub.errors import Refused
from tests.domain.builders import a_direction

SCOPES_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scopes.md"


def _terms(inviter: Offer, invitee: Offer) -> tuple[Direction, Direction]:
    terms: Any = combine(inviter, invitee)
    return (
        direction_from_terms(terms["inviter_to_invitee"]),
        direction_from_terms(terms["invitee_to_inviter"]),
    )


def _examples_of_the_page() -> list[Any]:
    blocks = re.findall(r"```yaml\n(.*?)```", SCOPES_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [YAML(typ="safe", pure=True).load(block) for block in blocks]


# --- defaults ------------------------------------------------------------------------------


def test_the_default_disclosure_is_exactly_what_was_decided() -> None:
    expected = "asset author_names contact description due files priority site"
    assert sorted(DEFAULT_DISCLOSED) == expected.split()
    assert default_offer().as_principal.disclose == DEFAULT_DISCLOSED
    assert sorted(default_offer().as_contractor.disclose) == ["author_names", "files"]


def test_no_custom_field_leaves_by_default() -> None:
    assert default_offer().as_principal.fields == ()


# --- the scopes file -----------------------------------------------------------------------


def test_the_documented_example_shows_every_key_with_its_default() -> None:
    full, _short = _examples_of_the_page()
    assert offer_from_scopes(full) == default_offer()
    for role, kind in (("as_principal", AsPrincipal), ("as_contractor", AsContractor)):
        assert list(full[role]) == [one.name for one in fields(kind)]
    assert set(full["as_principal"]["disclose"]) == set(DisclosureClass)
    assert set(full["as_contractor"]["disclose"]) == ANSWERABLE


def test_the_documented_short_example_means_what_the_page_says() -> None:
    offer = offer_from_scopes(_examples_of_the_page()[1])
    assert offer.as_principal.disclose == (
        DEFAULT_DISCLOSED - {DisclosureClass.CONTACT} | {DisclosureClass.FIELDS}
    )
    assert offer.as_principal.fields == ("Room",)
    assert offer.as_principal.services == ("Printers", "Network")
    assert not offer.as_contractor.hand_off


@pytest.mark.parametrize("empty", [{}, {"as_principal": None}, {"as_contractor": {}}])
def test_what_a_file_leaves_out_is_as_by_default(empty: dict[str, object]) -> None:
    assert offer_from_scopes(empty) == default_offer()


@pytest.mark.parametrize(
    ("scopes", "key", "nearest"),
    [
        ({"as_princpal": {}}, "as_princpal", "as_principal"),
        ({"as_principal": {"handoff": True}}, "as_principal.handoff", "as_principal.hand_off"),
        (
            {"as_principal": {"disclose": {"contacts": False}}},
            "as_principal.disclose.contacts",
            "as_principal.disclose.contact",
        ),
        (
            {"as_contractor": {"waranty_days": 3}},
            "as_contractor.waranty_days",
            "as_contractor.warranty_days",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(
    scopes: dict[str, object], key: str, nearest: str
) -> None:
    with pytest.raises(Refused) as refusal:
        offer_from_scopes(scopes)
    assert refusal.value.code == "scopes_invalid"
    assert key in refusal.value.told
    assert refusal.value.hint == f"Did you mean '{nearest}'?"


def test_an_unknown_key_like_nothing_lists_what_is_possible() -> None:
    with pytest.raises(Refused) as refusal:
        offer_from_scopes({"zzz": 1})
    assert "as_principal" in refusal.value.hint


@pytest.mark.parametrize(
    "principal",
    [
        {"hand_off": "yes"},
        {"hand_off": 1},
        {"max_open": True},
        {"max_open": 1.5},
        {"max_open": -1},
        {"max_open": "10"},
        {"hop_limit": 17},
        {"auto_accept_after_hours": 0.5},
        {"max_files": 21},
        {"services": "Printers"},
        {"services": [1]},
        {"services": [""]},
        {"services": None},
        {"subcontracting": "sometimes"},
        {"disclose": ["contact"]},
        {"disclose": {"contact": "no"}},
        {"disclose": {"title": False}},
        {"disclose": {"fields": True}},
        {"fields": ["Room"]},
        [],
        "x",
    ],
)
def test_a_wrong_value_is_refused(principal: object) -> None:
    with pytest.raises(Refused) as refusal:
        offer_from_scopes({"as_principal": principal})
    assert refusal.value.code == "scopes_invalid"
    assert refusal.value.told


def test_a_contractor_cannot_disclose_what_is_not_its_own() -> None:
    with pytest.raises(Refused):
        offer_from_scopes({"as_contractor": {"disclose": {"contact": True}}})


# --- on the wire ---------------------------------------------------------------------------


def test_an_offer_survives_the_wire() -> None:
    offer = Offer(
        AsPrincipal(services=("a", "b"), fields=("Room",), relay_comments=False),
        AsContractor(cancel=CancelPolicy.ASSESS, subcontracting=Subcontracting.FORBIDDEN),
    )
    assert Offer.from_data(json.loads(json.dumps(offer.to_data()))) == offer


def test_the_terms_are_strict_json() -> None:
    def look(value: object) -> None:
        assert type(value) in {dict, list, str, int, bool}
        if isinstance(value, dict):
            assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) for name in value)
        for one in value.values() if isinstance(value, dict) else ():
            look(one)
        for one in value if isinstance(value, list) else ():
            look(one)

    look(combine(default_offer(), default_offer()))
    look(default_offer().to_data())


def test_a_later_minor_version_may_add_members() -> None:
    data: Any = default_offer().to_data()
    data["as_principal"]["colour"] = "green"
    data["as_principal"]["disclose"].append("invoice")
    data["as_observer"] = {}
    assert Offer.from_data(data) == default_offer()


@pytest.mark.parametrize("role", ["as_principal", "as_contractor"])
def test_an_offer_without_one_of_its_members_is_refused(role: str) -> None:
    for name in list(default_offer().to_data()[role]):  # type: ignore[call-overload]
        data: Any = default_offer().to_data()
        del data[role][name]
        with pytest.raises(Refused) as refusal:
            Offer.from_data(data)
        assert refusal.value.code == "offer_invalid"
        assert name in refusal.value.told


def test_damaged_terms_are_refused() -> None:
    data = a_direction().to_data()
    damages: tuple[object, ...] = (None, 3.5, {}, "?")
    for name, value in itertools.product(data, damages):
        with pytest.raises(Refused) as refusal:
            direction_from_terms({**data, name: value})
        assert refusal.value.code == "terms_invalid"
    with pytest.raises(Refused):
        direction_of({}, inviter_is=Party.PRINCIPAL)


# --- two offers become terms ---------------------------------------------------------------


def test_a_direction_opens_only_if_both_want_it() -> None:
    shut_p = Offer(as_principal=AsPrincipal(hand_off=False))
    shut_c = Offer(as_contractor=AsContractor(hand_off=False))
    assert [one.hand_off for one in _terms(Offer(), Offer())] == [True, True]
    assert [one.hand_off for one in _terms(shut_p, Offer())] == [False, True]
    assert [one.hand_off for one in _terms(shut_c, Offer())] == [True, False]
    assert [one.hand_off for one in _terms(Offer(), shut_c)] == [False, True]


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed", "open_"),
    [
        ((), (), (), True),
        (("b", "a"), (), ("a", "b"), True),
        ((), ("a",), ("a",), True),
        (("a", "b"), ("c", "b"), ("b",), True),
        (("a",), ("b",), (), False),
    ],
)
def test_services_are_those_that_both_name(
    ours: tuple[str, ...], theirs: tuple[str, ...], agreed: tuple[str, ...], open_: bool
) -> None:
    there, _back = _terms(
        Offer(as_principal=AsPrincipal(services=ours)),
        Offer(as_contractor=AsContractor(services=theirs)),
    )
    assert (there.services, there.hand_off) == (agreed, open_)


def test_subcontracting_is_the_stricter() -> None:
    order = ["forbidden", "consent", "notice", "allowed"]
    for one, other in itertools.product(Subcontracting, repeat=2):
        there, _back = _terms(
            Offer(as_principal=AsPrincipal(subcontracting=one)),
            Offer(as_contractor=AsContractor(subcontracting=other)),
        )
        assert there.subcontracting.value == min(one, other, key=order.index)


numbers = {name: st.integers(low, high) for name, (low, high) in LIMITS.items()}
classes = st.frozensets(st.sampled_from(DisclosureClass))
services = st.lists(st.sampled_from("abc"), unique=True).map(tuple)
offers = st.builds(
    Offer,
    st.builds(
        AsPrincipal,
        hand_off=st.booleans(),
        services=services,
        disclose=classes,
        fields=st.lists(st.text(min_size=1, max_size=5), unique=True).map(tuple),
        subcontracting=st.sampled_from(Subcontracting),
        relay_comments=st.booleans(),
        **{name: numbers[name] for name in LIMITS if hasattr(AsPrincipal, name)},
    ),
    st.builds(
        AsContractor,
        hand_off=st.booleans(),
        services=services,
        disclose=st.frozensets(st.sampled_from(sorted(ANSWERABLE))),
        subcontracting=st.sampled_from(Subcontracting),
        cancel=st.sampled_from(CancelPolicy),
        **{name: numbers[name] for name in LIMITS if hasattr(AsContractor, name)},
    ),
)


@settings(max_examples=60, deadline=None)
@given(offers, offers)
def test_terms_never_give_more_than_both_offered(inviter: Offer, invitee: Offer) -> None:
    there, back = _terms(inviter, invitee)
    for agreed, principal, contractor in (
        (there, inviter.as_principal, invitee.as_contractor),
        (back, invitee.as_principal, inviter.as_contractor),
    ):
        for name in ("max_open", "max_file_bytes", "max_files", "messages_per_minute"):
            assert getattr(agreed, name) == min(getattr(principal, name), getattr(contractor, name))
        for name in (
            "disclose",
            "fields",
            "auto_accept_after_hours",
            "relay_comments",
            "hop_limit",
        ):
            assert getattr(agreed, name) == getattr(principal, name)
        for name in ("cancel", "cancel_assess_hours", "warranty_days"):
            assert getattr(agreed, name) == getattr(contractor, name)
        assert agreed.contractor_discloses == contractor.disclose
        for service in "abc":
            wanted = not principal.services or service in principal.services
            taken = not contractor.services or service in contractor.services
            allowed = agreed.hand_off and (not agreed.services or service in agreed.services)
            both = principal.hand_off and contractor.hand_off and wanted and taken
            assert allowed == both
    assert Offer.from_data(json.loads(json.dumps(inviter.to_data()))) == inviter


@settings(max_examples=20, deadline=None)
@given(offers, offers)
def test_the_two_directions_are_treated_alike(one: Offer, other: Offer) -> None:
    terms, mirrored = combine(one, other), combine(other, one)
    assert terms["inviter_to_invitee"] == mirrored["invitee_to_inviter"]
    assert terms["invitee_to_inviter"] == mirrored["inviter_to_invitee"]
    first = direction_of(terms, inviter_is=Party.PRINCIPAL)
    assert first == direction_of(mirrored, inviter_is=Party.CONTRACTOR)


# --- using the terms -----------------------------------------------------------------------


def test_a_hand_off_within_the_terms_passes() -> None:
    check_may_hand_off(a_direction(), service="anything", open_now=999)
    check_may_hand_off(a_direction(services=("Printers",)), service="Printers")


@pytest.mark.parametrize(
    ("direction", "code"),
    [
        (a_direction(hand_off=False), "scope_denied"),
        (a_direction(services=("Network",)), "scope_denied"),
        (a_direction(max_open=5), "limit_exceeded"),
    ],
)
def test_a_hand_off_outside_the_terms_is_refused(direction: Direction, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_may_hand_off(direction, service="Printers", open_now=5)
    assert refusal.value.code == code
    assert refusal.value.told


def test_each_party_discloses_its_own() -> None:
    direction = replace(a_direction(), disclose=frozenset({DisclosureClass.SITE}))
    assert direction.disclosed_by(Party.PRINCIPAL) == {DisclosureClass.SITE}
    assert DisclosureClass.AUTHOR_NAMES in direction.disclosed_by(Party.CONTRACTOR)
