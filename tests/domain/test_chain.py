"""Where a chain stops, and what its top hears."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.domain.agreement import Subcontracting
from hub.domain.chain import (
    LONGEST,
    Notice,
    add_hop,
    check_hops,
    check_subcontracting,
    new_hop_token,
    notice_due,
    own_notice,
    relayed_notice,
)
from hub.domain.handoff import DeclineCode, State
from hub.errors import Refused
from hub.ids import HopId
from tests.domain.builders import NOW, TOKEN, a_direction, an_id


class CountedEntropy:
    """Bytes that differ and are known."""

    def __init__(self) -> None:
        self._count = 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def fraction(self) -> float:
        return 0.5


def _refused(ask: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        ask()
    return refusal.value.code


def _tokens(count: int) -> tuple[str, ...]:
    entropy = CountedEntropy()
    return tuple(new_hop_token(entropy) for _ in range(count))


def test_a_token_is_22_characters_for_16_bytes() -> None:
    assert _tokens(1) == ("AAAAAAAAAAAAAAAAAAAAAQ",)


def test_a_chain_that_comes_back_is_declined() -> None:
    hops = _tokens(3)
    check_hops(hops, {TOKEN}, 5)
    for mine in hops:
        assert _refused(lambda mine=mine: check_hops(hops, {mine}, 5)) == "loop_detected"  # type: ignore[misc]


@pytest.mark.parametrize("limit", [1, 5, 16])
def test_a_chain_as_long_as_its_limit_passes_and_a_longer_one_does_not(limit: int) -> None:
    check_hops(_tokens(limit), (), limit)
    assert _refused(lambda: check_hops(_tokens(limit + 1), (), limit)) == "hop_limit"


def test_no_limit_of_a_peer_is_above_ours() -> None:
    assert _refused(lambda: check_hops(_tokens(LONGEST + 1), (), 1000)) == "hop_limit"


def test_the_refusals_are_codes_of_a_decline() -> None:
    assert {DeclineCode("loop_detected"), DeclineCode("hop_limit")} <= set(DeclineCode)


def test_each_node_adds_its_token_at_the_end() -> None:
    first, second = _tokens(2)
    assert add_hop((), first, 5) == (first,)
    assert add_hop((first,), second, 5) == (first, second)


def test_an_offer_that_must_be_declined_is_not_made() -> None:
    assert _refused(lambda: add_hop(_tokens(5), TOKEN, 5)) == "hop_limit"


def test_something_else_is_not_a_token() -> None:
    with pytest.raises(ValueError, match="hop token"):
        add_hop((), "node-7", 5)


@pytest.mark.parametrize(
    ("policy", "alone", "consented", "told"),
    [
        (Subcontracting.FORBIDDEN, "subcontracting_forbidden", "subcontracting_forbidden", False),
        (Subcontracting.CONSENT, "consent_missing", None, True),
        (Subcontracting.NOTICE, None, None, True),
        (Subcontracting.ALLOWED, None, None, False),
    ],
)
def test_handing_on_follows_the_agreement(
    policy: Subcontracting, alone: str | None, consented: str | None, told: bool
) -> None:
    upstream = a_direction(subcontracting=policy)
    for consent, code in ((False, alone), (True, consented)):
        if code is None:
            check_subcontracting(upstream, consented=consent)
        else:
            assert _refused(lambda c=consent: check_subcontracting(upstream, consented=c)) == code  # type: ignore[misc]
    assert notice_due(upstream) is told


def test_from_the_notices_the_top_can_draw_the_chain() -> None:
    """A hands to B, B to C, C to D, D to E: A hears of C, D and E, each under the one above."""
    c, d, e = (HopId(an_id("hop", n)) for n in (3, 4, 5))  # B's ids for A
    c_d, c_e, d_e = (HopId(an_id("hop", n)) for n in (14, 15, 25))  # C's for B, D's for C
    at_c = own_notice(d_e, State.ACCEPTED, NOW)
    assert (at_c.level, at_c.above) == (2, None)
    at_b = relayed_notice(at_c, hop=c_e, above=c_d)
    about_e = relayed_notice(at_b, hop=e, above=d)
    about_d = relayed_notice(own_notice(c_d, State.ACCEPTED, NOW), hop=d, above=c)
    about_c = own_notice(c, State.IN_PROGRESS, NOW)
    assert [(one.level, one.hop, one.above) for one in (about_c, about_d, about_e)] == [
        (2, c, None),
        (3, d, c),
        (4, e, d),
    ]
    assert about_e.status is State.ACCEPTED


@pytest.mark.parametrize("level", [1, 0, -5, LONGEST, 1000])
def test_a_notice_from_an_impossible_depth_is_not_relayed(level: int) -> None:
    hop = HopId(an_id("hop"))
    notice = Notice(hop, None, level, "subcontractor", State.ACCEPTED, NOW)
    assert _refused(lambda: relayed_notice(notice, hop=hop, above=hop)) == "hop_limit"
