"""Four companies, a failing network and crashing processes: nothing lost, doubled or leaked.

`make simulate SEEDS=500` runs many more. Seeds that once failed stay here for ever.
"""

from __future__ import annotations

import pytest

from tests.simulation import checker
from tests.simulation.run import live
from tests.simulation.world import World

ONCE_FAILED = {
    3: "messages a receipt covered were marked as sent again after a failure behind them",
    5: "a file was given up because its sender, restored a moment ago, did not know of it yet",
    6: "a late copy of an earlier run's sync was taken for a second node",
    7: "messages marked as sent again, with a restart",
    13: "who cannot be called asked nobody as long as its own messages were refused",
    19: "after a restore nobody knew any more which message key the peer had heard of",
    35: "older keys, signed by an identity that was replaced since, were refused",
    40: "who cannot be called had forgotten keys, and nobody told it to ask for them",
    57: "messages stayed sealed with a key that was replaced before the peer heard of it",
    285: "who cannot be called asked without a pause for what a suspended link held back",
    294: "calls were signed with a key whose overlap was over, for want of a receipt for the new",
    399: "a change of keys that the database had not taken was at work, and partners not told",
    471: "a key told by a call sealed only what was lost, and the stream went on under it",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*ONCE_FAILED, 100, 101, 102])
async def test_the_world_comes_to_rest_and_everybody_tells_the_same(seed: int) -> None:
    await live(seed)


async def test_a_world_is_judged_before_its_nodes_compare_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a reconciliation would mend is a fault all the same."""
    compared = False

    async def compare(_world: World) -> None:
        nonlocal compared
        compared = True

    async def problems(_world: World) -> list[str]:
        return [] if compared else ["one side tells it otherwise"]

    monkeypatch.setattr(World, "_compare", compare)
    monkeypatch.setattr(checker, "problems", problems)
    with pytest.raises(AssertionError, match="one side tells it otherwise"):
        await live(5, steps=5)
    assert not compared


async def test_one_seed_is_one_run() -> None:
    first = await live(5, steps=40)
    second = await live(5, steps=40)
    assert first.trace_hash == second.trace_hash
