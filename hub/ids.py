"""Typed ids: a prefix that says what it names, then a UUIDv7 (RFC 9562) as 32 hex digits.

The prefix travels on the wire too, so an id has one spelling everywhere and is a valid
member name of our strict JSON (which starts names with a letter).
Ids are time-ordered: inserts stay at the end of an index however large the table grows.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NewType

from hub.clock import Entropy

TicketId = NewType("TicketId", str)  # tkt_
HandoffId = NewType("HandoffId", str)  # hnd_
LinkId = NewType("LinkId", str)  # lnk_
MessageId = NewType("MessageId", str)  # msg_
CommentId = NewType("CommentId", str)  # cmt_
AttachmentId = NewType("AttachmentId", str)  # att_
AgentId = NewType("AgentId", str)  # agt_
InvitationId = NewType("InvitationId", str)  # inv_
TokenId = NewType("TokenId", str)  # tok_
HopId = NewType("HopId", str)  # hop_
AlertId = NewType("AlertId", str)  # alr_

PREFIXES: Final = frozenset(
    {"tkt", "hnd", "lnk", "msg", "cmt", "att", "agt", "inv", "tok", "hop", "alr", "req"}
)
_SHAPE: Final = re.compile(r"(?P<prefix>[a-z]{3})_[0-9a-f]{32}")


def new(prefix: str, now: datetime, entropy: Entropy) -> str:
    """A fresh id. `now` orders it, `entropy` makes it unguessable (74 random bits)."""
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(entropy.bytes(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76  # version 7
    value |= ((random >> 62) & 0xFFF) << 64
    value |= 0b10 << 62  # RFC 9562 variant
    value |= random & 0x3FFF_FFFF_FFFF_FFFF
    return f"{prefix}_{value:032x}"


class Order:
    """Makes ids of one process so that they sort in the order in which they were made.

    Many are made in one millisecond: what a batch of messages brings would else be shown in
    random order. The twelve bits behind the time count on (RFC 9562 §6.2, method 1).
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0  # milliseconds and counter of the newest one

    def new(self, prefix: str, now: datetime, entropy: Entropy) -> str:
        """`new`, behind every id made before, unless the clock was set back by more than that."""
        fresh = int(new(prefix, now, entropy).partition("_")[2], 16)
        # The counter starts in its lower half, so that a millisecond has room for 2,048.
        stamp = (fresh >> 80) << 12 | (fresh >> 64) & 0x7FF
        if 0 <= self._last - stamp < _SET_BACK:
            stamp = self._last + 1
        self._last = stamp
        value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
        return f"{prefix}_{value | fresh & 0xFFFF_FFFF_FFFF_FFFF:032x}"


_SET_BACK: Final = 60_000 << 12  # a minute: a clock that was set, not one that jitters


def is_id(text: str, prefix: str) -> bool:
    """Whether the text is a well-formed id of this kind."""
    found = _SHAPE.fullmatch(text)
    return found is not None and found["prefix"] == prefix
