"""What two nodes tell each other before they go on: the numbers of epochs."""

from __future__ import annotations

from hub.protocol.sync import expected_epoch, following_epoch


def test_a_restored_node_gives_no_epoch_number_again() -> None:
    """It has forgotten which numbers it used: the clock and the peer's table remember."""
    forgotten, kept_by_the_peer = {1: 1}, {1: 1, 1_700_000_500: 40}
    assert following_epoch(1_700_000_000, forgotten, kept_by_the_peer) == 1_700_000_501
    assert following_epoch(1_700_000_900, forgotten, {1: 1}) == 1_700_000_900
    assert following_epoch(0, forgotten, {1: 1}) == 2  # a clock that was never set


def test_the_latest_epoch_at_or_below_a_position_speaks_for_it() -> None:
    table = {1: 1, 5: 10, 9: 7}
    assert [expected_epoch(table, seq) for seq in (1, 6, 7, 9, 10, 11)] == [1, 1, 9, 9, 9, 9]
