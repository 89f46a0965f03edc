"""Bytes and instants have one spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.protocol.encoding import b64url, instant, is_hash, parse_instant, sha256_b64, unb64url


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_bytes_come_back_from_base64url(data: bytes) -> None:
    assert unb64url(b64url(data)) == data


@pytest.mark.parametrize(
    "text",
    ["QQ==", "QQ=", "QR", "Q", "QUI\n", " QUI", "QU I", "QU+_", "QU/-", "QUÄ", "QQ=Q", "=", "-"],
)  # fmt: skip
def test_any_other_spelling_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(Untrusted) as caught:
        unb64url(text)
    assert caught.value.code == "malformed"


def test_a_hash_has_exactly_one_spelling() -> None:
    text = sha256_b64(b"x")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [text[:-1] + last for last in alphabet if is_hash(text[:-1] + last)]
    assert len(spellings) == 16
    assert all(b64url(unb64url(spelling)) == spelling for spelling in spellings)
    assert not is_hash(text + "\n")
    assert not is_hash(text[:-1])


def test_an_instant_is_written_in_utc_to_the_millisecond() -> None:
    moscow = datetime(2026, 3, 1, 2, 3, 4, 567999, tzinfo=timezone(timedelta(hours=3)))
    assert instant(moscow) == "2026-02-28T23:03:04.567Z"
    assert instant(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


@settings(max_examples=100, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_to_the_millisecond(moment: datetime) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_instant(instant(moment)) == cut
    assert parse_instant(instant(moment)).tzinfo == UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0000Z", "2026-01-01T00:00:00.000+00:00",
        "2026-01-01 00:00:00.000Z", "2026-01-01t00:00:00.000z", "2026-02-30T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z", "2016-12-31T23:59:60.000Z", "2026-01-01T00:00:00.000Z\n",
        "٢٠٢٦-01-01T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "",
    ],
)  # fmt: skip
def test_any_other_spelling_of_an_instant_is_refused(text: str) -> None:
    with pytest.raises(Untrusted):
        parse_instant(text)


def test_a_moment_without_a_zone_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        instant(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
