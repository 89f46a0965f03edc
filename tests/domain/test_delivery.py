"""When to try again, and how a link looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.delivery import Health, backoff, health

fractions = st.floats(0, 1, exclude_max=True)


def test_the_step_doubles_up_to_the_cap() -> None:
    longest = [backoff(attempt, 1.0).total_seconds() for attempt in range(1, 12)]
    assert longest == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@given(st.integers(-5, 10**9), fractions)
def test_a_wait_is_never_negative_and_never_above_the_cap(attempt: int, fraction: float) -> None:
    assert timedelta() <= backoff(attempt, fraction) <= timedelta(minutes=15)


@given(st.integers(1, 100), fractions)
def test_the_jitter_is_full(attempt: int, fraction: float) -> None:
    whole = backoff(attempt, 1.0)
    assert abs(backoff(attempt, fraction) - whole * fraction) <= timedelta(microseconds=1)


def test_a_peer_may_ask_for_a_pause_of_up_to_an_hour() -> None:
    def asked(minutes: int) -> timedelta:
        return backoff(1, 0.5, retry_after=timedelta(minutes=minutes))

    assert asked(5) == timedelta(minutes=5, seconds=30)
    assert asked(600) == timedelta(hours=1, minutes=6)
    assert asked(-5) == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, Health.HEALTHY),
        (14, Health.HEALTHY),
        (15, Health.DELAYED),
        (4 * 60 - 1, Health.DELAYED),
        (4 * 60, Health.OVERDUE),
        (72 * 60 - 1, Health.OVERDUE),
        (72 * 60, Health.UNREACHABLE),
        (10**6, Health.UNREACHABLE),
    ],
)
def test_the_age_of_the_oldest_message_tells_how_a_link_is(minutes: int, expected: Health) -> None:
    assert health(timedelta(minutes=minutes)) is expected
