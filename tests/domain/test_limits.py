"""Rates, networks, and what all limits cost at worst."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import limits
from hub.domain.delivery import backoff
from hub.domain.limits import Buckets, Places, caller_of, decide, network_of, registrable_domain
from hub.errors import Unavailable
from hub.settings import Limits

rates = st.integers(1, 1_000_000)


def test_a_full_bucket_holds_a_minutes_worth() -> None:
    decision = decide(60, None, 1000.0, 100)
    assert decision.allowed == 60
    assert decision.wait_s == pytest.approx(1.0)


def test_an_empty_bucket_fills_evenly() -> None:
    paid = decide(60, None, 0.0, 60).paid_until
    assert [decide(60, paid, now, 60).allowed for now in (0.0, 0.99, 1.0, 30.0, 600.0)] == [
        0,
        0,
        1,
        30,
        60,
    ]


@given(rates, st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5000)), max_size=40))
def test_never_more_than_twice_the_rate_in_a_minute(
    per_minute: int, asked: list[tuple[float, int]]
) -> None:
    now, paid, taken = 1e9, None, []
    for after, wanted in asked:
        now += after
        decision = decide(per_minute, paid, now, wanted)
        paid = decision.paid_until
        taken.append((now, decision.allowed))
        window = sum(count for at, count in taken if at > now - 60)
        assert window <= 2 * per_minute + 1


@given(rates, st.floats(0, 120), st.integers(1, 100))
def test_who_waits_as_told_is_let_in(per_minute: int, later: float, wanted: int) -> None:
    paid = decide(per_minute, None, 0.0, per_minute).paid_until
    first = decide(per_minute, paid, later, wanted)
    if first.wait_s:
        again = decide(per_minute, first.paid_until, later + first.wait_s + 1e-3)
        assert again.allowed == 1


def test_a_clock_set_back_takes_at_most_one_bucket_away() -> None:
    paid = decide(60, None, 1e9, 60).paid_until
    assert decide(60, paid, 1e9 - 1e6).wait_s == pytest.approx(1.0)


def test_a_sender_out_of_allowance_collects_a_seconds_worth() -> None:
    paid = decide(6000, None, 0.0, 6000).paid_until
    assert limits.pause(6000, paid, 0.0) == 1.0
    assert limits.pause(6, decide(6, None, 0.0, 6).paid_until, 0.0) == pytest.approx(10.0)
    assert limits.pause(6000, paid, 1.0) == 0.0


def test_buckets_stay_in_bounded_memory() -> None:
    buckets = Buckets(100)
    for n in range(10_000):
        buckets.take(n, 10, float(n))
    assert len(buckets) == 100


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(100)
    assert [buckets.take("a", 2, 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert buckets.take("b", 2, 0.0) == 0.0


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places()
    with pytest.raises(RuntimeError), places.hold("a", 1):
        with pytest.raises(Unavailable), places.hold("a", 1):
            pass
        raise RuntimeError
    with places.hold("a", 1):
        assert places.taken("a") == 1
    assert places.taken("a") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "no address"),
    ],
)
def test_strangers_are_counted_by_network(address: str, network: str) -> None:
    assert network_of(address) == network


OURS = ("10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("remote", "forwarded", "caller"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # not our proxy: its word is nothing
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what the caller wrote itself
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "garbage", "garbage"),
    ],
)
def test_only_our_own_proxies_are_believed(remote: str, forwarded: str, caller: str) -> None:
    assert caller_of(remote, forwarded, OURS) == caller


@given(st.lists(st.ip_addresses().map(str), max_size=20))
def test_a_thousand_written_addresses_are_one_caller(written: list[str]) -> None:
    forwarded = ", ".join([*written, "198.51.100.1"])
    assert caller_of("10.0.0.1", forwarded, OURS) == "198.51.100.1"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("hub.example.org", "example.org"),
        ("a.b.c.example.org.", "example.org"),
        ("hub.firm.co.uk", "firm.co.uk"),
        ("hub.firm.msk.ru", "firm.msk.ru"),
        ("Hub.Firm.RU", "firm.ru"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("localhost", "localhost"),
    ],
)
def test_a_registered_name_is_told_from_its_parts(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


# --- together ---------------------------------------------------------------------------------


def test_the_worst_case_is_what_the_reference_says() -> None:
    values = Limits().model_dump()
    memory, disk = limits.worst_memory(values), limits.worst_disk(values)
    mib = {name: round(size / 1024**2, 1) for name, size in memory.items()}
    assert mib == {
        "peer_calls": 96.0,
        "api_calls": 96.0,
        "deliveries": 480.0,
        "file_pulls": 4.0,
        "file_answers": 16.0,
        "rates": 8.6,
    }
    assert {name: round(size / 1024**3, 1) for name, size in disk.items()} == {
        "inbox": 0.7,
        "files": 10.0,
    }


def test_a_lower_limit_costs_less() -> None:
    less = {**Limits().model_dump(), "bodies_at_once": 1, "deliveries_at_once": 1}
    before, after = limits.worst_memory(Limits().model_dump()), limits.worst_memory(less)
    assert after["peer_calls"] < before["peer_calls"]
    assert after["deliveries"] < before["deliveries"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_fifty_peers_that_failed_together_do_not_come_back_together(
    seed: int, attempt: int
) -> None:
    chance = random.Random(f"{seed}/{attempt}")
    tries = [backoff(attempt, chance.random()).total_seconds() for _ in range(50)]
    _check_spread(tries, 2**attempt)


@pytest.mark.parametrize("seed", range(5))
def test_fifty_peers_told_to_come_back_later_do_not_come_back_together(seed: int) -> None:
    chance = random.Random(f"{seed}")
    asked = timedelta(seconds=30)
    tries = [backoff(1, chance.random(), retry_after=asked).total_seconds() - 30 for _ in range(50)]
    assert min(tries) >= 0
    _check_spread(tries, 6)


def _check_spread(tries: list[float], window_s: int) -> None:
    """No second sees more than three times the mean."""
    seconds = Counter(int(at) for at in tries)
    assert max(seconds) < window_s
    assert max(seconds.values()) <= 3 * len(tries) / window_s
