"""Hand-offs of handed-off work: where a chain must stop, and what the top hears of the bottom.

Every node on the way adds a random token, so that a chain that comes back is seen by the node
it comes back to and tells nobody else who was on it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.clock import Entropy
from hub.domain.agreement import Direction, Subcontracting
from hub.domain.handoff import State
from hub.errors import Refused
from hub.ids import HopId

TOKEN_BYTES: Final = 16
LONGEST: Final = 16
"""No chain is longer than this, whatever its first principal allowed."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22}")


def new_hop_token(entropy: Entropy) -> str:
    """A fresh token of 22 characters: remember it, and put it at the end of an offer's hops."""
    return base64.urlsafe_b64encode(entropy.bytes(TOKEN_BYTES)).decode("ascii").rstrip("=")


def check_hops(hops: Sequence[str], own_tokens: Collection[str], limit: int) -> None:
    """Return if an offer that came this way may be taken.

    `own_tokens` are those this node ever added; `limit` is the offer's. Raises
    `Refused(loop_detected)` where the chain has already passed here, `Refused(hop_limit)` where
    it is longer than allowed. Both are codes of `handoff.decline`.
    """
    if any(hop in own_tokens for hop in hops):
        raise Refused(
            "loop_detected",
            "This work has already passed through this company and came back.",
        )
    if len(hops) > min(limit, LONGEST):
        raise Refused(
            "hop_limit",
            "This work has been handed on {count} times, {limit} are allowed.",
            count=len(hops),
            limit=min(limit, LONGEST),
        )


def add_hop(hops: Sequence[str], token: str, limit: int) -> tuple[str, ...]:
    """The hops of the offer we make; `hops` are those of the offer we took, none at the top.

    Raises `Refused(hop_limit)`: an offer that the next node must decline is not made.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("not a hop token")
    longer = (*hops, token)
    check_hops(longer, (), limit)
    return longer


def check_subcontracting(upstream: Direction, *, consented: bool) -> None:
    """Return if work taken under these terms may be handed on now.

    Raises `Refused(subcontracting_forbidden | consent_missing)`.
    """
    if upstream.subcontracting is Subcontracting.FORBIDDEN:
        raise Refused(
            "subcontracting_forbidden",
            "The agreement does not allow this work to be handed on.",
        )
    if upstream.subcontracting is Subcontracting.CONSENT and not consented:
        raise Refused(
            "consent_missing",
            "The agreement allows this work to be handed on only with the principal's consent.",
            hint="Ask the principal first: hub ticket ask-consent",
        )


def notice_due(upstream: Direction) -> bool:
    """Whether the principal hears of every change of a deeper hop."""
    return upstream.subcontracting in {Subcontracting.NOTICE, Subcontracting.CONSENT}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a principal is told about a hop below its contractor.

    Levels are counted by the reader: its own contractor is level 1, so notices start at 2.
    """

    hop: HopId  # minted by the sender for this reader, so that two readers cannot compare
    above: HopId | None  # the hop it hangs under; None: directly under the sender
    level: int
    role: str
    status: State
    since: datetime
    display: str = ""  # who it is; empty unless names are disclosed


DIRECT_LEVEL: Final = 2
"""The level at which our principal sees our own contractor."""


def own_notice(
    hop: HopId, status: State, since: datetime, *, role: str = "subcontractor", display: str = ""
) -> Notice:
    """What we tell our principal about a contractor of ours."""
    return Notice(hop, None, DIRECT_LEVEL, role, status, since, display)


def relayed_notice(notice: Notice, *, hop: HopId, above: HopId) -> Notice:
    """What we tell our principal about a notice our contractor sent us: one level deeper.

    `hop` and `above` are our own ids for the two hops, the same in every notice to this reader;
    `above` is that of our contractor where the notice names none. Raises `Refused(hop_limit)`
    below the deepest possible level: such a notice is forged or runs in a circle.
    """
    level = notice.level + 1
    if not DIRECT_LEVEL < level <= LONGEST:
        raise Refused("hop_limit", "There is no level {level} in a chain.", level=level)
    return replace(notice, hop=hop, above=above, level=level)
