"""Ids: their order, and those that are made again equal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub import ids
from tests.kit.clock import SeededEntropy

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
REMOTE = ids.new("cmt", NOW, SeededEntropy("remote"))


def test_an_id_made_of_another_is_the_same_whenever_it_is_made() -> None:
    first = ids.same("cmt", REMOTE, b"digest of something")
    assert first == ids.same("cmt", REMOTE, b"digest of something")
    assert first != ids.same("cmt", REMOTE, b"another digest")
    assert ids.is_id(first, "cmt")


def test_an_id_made_of_another_keeps_its_time_and_nothing_else() -> None:
    made = ids.same("cmt", REMOTE, b"digest of something")
    assert made[4:16] == REMOTE[4:16]
    assert made[17:20] == REMOTE[17:20]
    assert made[20:] != REMOTE[20:]
    assert made[16] == "7"


def test_what_is_made_after_something_was_seen_sorts_behind_it() -> None:
    order = ids.Order()
    seen = ids.new("cmt", NOW + timedelta(seconds=30), SeededEntropy("their clock is fast"))
    order.saw(seen, NOW)
    assert order.new("cmt", NOW, SeededEntropy("ours")) > seen


def test_a_clock_that_is_wrong_by_years_does_not_drag_ours_along() -> None:
    order = ids.Order()
    order.saw(ids.new("cmt", NOW + timedelta(days=400), SeededEntropy("theirs")), NOW)
    made = order.new("cmt", NOW, SeededEntropy("ours"))
    assert made < ids.new("cmt", NOW + timedelta(seconds=1), SeededEntropy("later"))
