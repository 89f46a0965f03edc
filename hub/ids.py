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
CustomerId = NewType("CustomerId", str)  # cus_
SiteId = NewType("SiteId", str)  # sit_
AssetId = NewType("AssetId", str)  # ast_
ContactId = NewType("ContactId", str)  # con_
ViewId = NewType("ViewId", str)  # viw_
MacroId = NewType("MacroId", str)  # mac_
DefinitionId = NewType("DefinitionId", str)  # fld_
TeamId = NewType("TeamId", str)  # tea_
SessionId = NewType("SessionId", str)  # ses_
AccessLinkId = NewType("AccessLinkId", str)  # acl_
WebhookId = NewType("WebhookId", str)  # whk_
EventId = NewType("EventId", str)  # evt_
DeskId = NewType("DeskId", str)  # dsk_
PairId = NewType("PairId", str)  # dtk_

PREFIXES: Final = frozenset(
    {
        *("tkt", "hnd", "lnk", "msg", "cmt", "att", "agt", "inv", "tok", "hop", "alr", "req"),
        *("cus", "sit", "ast", "con", "viw", "mac", "fld", "tea", "ses", "acl"),
        *("whk", "evt"),
        *("let", "cor", "pst", "ntc"),
        *("dsk", "dtk"),
    }
)
_SHAPE: Final = re.compile(r"[a-z]{3}_[0-9a-f]{32}")


def new(prefix: str, now: datetime, entropy: Entropy) -> str:
    """A fresh id. `now` orders it, `entropy` makes it unguessable (74 random bits)."""
    milliseconds, random = _parts(now, entropy)
    return _spelled(prefix, milliseconds, (random >> 62) & 0xFFF, random)


def _parts(now: datetime, entropy: Entropy) -> tuple[int, int]:
    """The time as 48 bits, and 80 random bits."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    return milliseconds, int.from_bytes(entropy.bytes(10), "big")


def _spelled(prefix: str, milliseconds: int, middle: int, random: int) -> str:
    """The id of these parts: 48 bits, 12 bits, and the last 62 of the random ones."""
    value = milliseconds << 80 | 0x7 << 76 | middle << 64  # version 7
    value |= 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF  # RFC 9562 variant
    return f"{prefix}_{value:032x}"


def first_at(prefix: str, at: datetime) -> str:
    """The smallest id of this kind that can be made at this time."""
    return _spelled(prefix, int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF, 0, 0)


def same(prefix: str, remote_id: str, digest: bytes) -> str:
    """The id that this digest gives a thing another side calls `remote_id`: always the same.

    Its time and the twelve bits behind it are those of the remote id, so that what came stays
    in the order in which it was made; nothing else of that id can be read from it.
    """
    value = int(remote_id[4:], 16)
    return _spelled(prefix, value >> 80, (value >> 64) & 0xFFF, int.from_bytes(digest[:8], "big"))


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
        milliseconds, random = _parts(now, entropy)
        # The counter starts in its lower half, so that a millisecond has room for 2,048.
        stamp = milliseconds << 12 | (random >> 62) & 0x7FF
        if 0 <= self._last - stamp < _SET_BACK:
            stamp = self._last + 1
        self._last = stamp
        return _spelled(prefix, stamp >> 12, stamp & 0xFFF, random)

    def saw(self, other: str, now: datetime) -> None:
        """Something of this id is known here: what is made from now on sorts behind it.

        So an answer stands below what it answers, though two clocks differ by some seconds. A
        clock that is wrong by more than that does not drag ours along.
        """
        value = int(other[4:], 16)
        stamp = (value >> 80) << 12 | (value >> 64) & 0xFFF
        if stamp < (int(now.timestamp() * 1000) << 12) + _SET_BACK:
            self._last = max(self._last, stamp)


_SET_BACK: Final = 60_000 << 12  # a minute: a clock that was set, not one that jitters


def is_id(text: str, prefix: str) -> bool:
    """Whether the text is a well-formed id of this kind."""
    return text[:3] == prefix and _SHAPE.fullmatch(text) is not None
