"""How an identity key follows another: what does not lead on is not followed."""

from __future__ import annotations

import pytest

from hub.errors import Untrusted
from hub.protocol.succession import follow, open_successions, prove_identity, seal_succession
from tests.protocol.builders import NOW, a_key

FIRST, SECOND, THIRD = (a_key(name) for name in ("first", "second", "third"))
NODE = FIRST.kid
ONE = seal_succession(NODE, 2, FIRST, SECOND, NOW)
TWO = seal_succession(NODE, 3, SECOND, THIRD, NOW)


def test_keys_are_followed_from_wherever_they_are_pinned() -> None:
    for pinned, expected in ((FIRST, 3), (SECOND, 2), (THIRD, 1)):
        assert len(follow(pinned.public, NODE, [*ONE, *TWO])) == expected


@pytest.mark.parametrize(
    "texts",
    [
        ONE[:1],
        ONE * 17,
        [*TWO, *ONE],
        [ONE[0], TWO[1]],
        seal_succession(NODE, 2, FIRST, FIRST, NOW),
        [*ONE, *seal_succession(NODE, 4, SECOND, THIRD, NOW)],
    ],
)
def test_statements_that_do_not_follow_on_one_another_prove_nothing(texts: list[str]) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        open_successions(texts)


def test_another_nodes_statement_is_not_followed() -> None:
    with pytest.raises(Untrusted, match="malformed"):
        follow(FIRST.public, THIRD.kid, ONE)
    with pytest.raises(Untrusted, match="malformed"):
        prove_identity(THIRD.kid, 2, SECOND.public, ONE)
