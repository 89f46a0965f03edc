"""How much of something may happen in a minute, and what a limit costs at worst.

A rate is a bucket that holds one minute's worth and fills evenly. Its whole state is one number,
the moment until which what was taken is paid for (the generic cell rate algorithm, ITU-T I.371):
it is kept in memory for calls and in a row for messages, and both use the same rule.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from hub.errors import Unavailable

WINDOW_S: Final = 60.0
"""How long a bucket needs to fill: nobody gets more than two minutes' worth in one minute."""

_PAUSE_S: Final = 1.0  # a sender out of allowance collects so much before it goes on


@dataclass(frozen=True, slots=True)
class Decision:
    """What may happen now."""

    allowed: int  # of what was wanted, from the first on
    paid_until: float  # the new state, where exactly `allowed` are taken
    wait_s: float  # until the next one may come; 0 where all were allowed


def decide(per_minute: int, paid_until: float | None, now: float, wanted: int = 1) -> Decision:
    """How many of `wanted` may happen at `now`, in seconds of any one clock.

    A clock that was set back takes nothing away: at most a whole bucket is owed.
    """
    each = WINDOW_S / per_minute
    base = now if paid_until is None else min(max(paid_until, now), now + WINDOW_S)
    # Half a millionth of one: 60 / 7 * 7 must be 60.
    room = int((now + WINDOW_S - base) / each + 5e-7)
    allowed = max(0, min(wanted, room))
    after = base + allowed * each
    if allowed == wanted:
        return Decision(allowed, after, 0.0)
    return Decision(allowed, after, max(after + each - WINDOW_S - now, 0.0))


def pause(per_minute: int, paid_until: float, now: float) -> float:
    """How long a sender waits before it goes on; 0 where it may go on at once.

    Once it is out of allowance it collects a second's worth: one call for each message would
    cost both sides more than the message.
    """
    short = decide(per_minute, paid_until, now).wait_s
    return 0.0 if short <= 0 else max(short, _PAUSE_S)


@dataclass(slots=True)
class Buckets:
    """Many rates side by side in bounded memory, the state of this process.

    Nothing of it must survive a restart: what a bucket holds is a minute's worth.
    """

    most: int
    _paid: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)

    def take(self, key: Hashable, per_minute: int, now: float) -> float:
        """Take one from this key's bucket: 0, or in how many seconds there will be one again."""
        decision = decide(per_minute, self._paid.get(key), now)
        if decision.allowed:
            self._paid[key] = decision.paid_until
            self._paid.move_to_end(key)
            if len(self._paid) > self.most:
                self._paid.popitem(last=False)  # the one not asked for the longest time
        return decision.wait_s

    def wait(self, key: Hashable, per_minute: int, now: float) -> float:
        """What `take` would say, without taking."""
        return decide(per_minute, self._paid.get(key), now).wait_s

    def __len__(self) -> int:
        return len(self._paid)


@dataclass(slots=True)
class Places:
    """How many do something at this moment, each key by itself."""

    _taken: Counter[Hashable] = field(default_factory=Counter)

    @contextmanager
    def hold(self, key: Hashable, most: int) -> Iterator[None]:
        """A place as long as this lasts. Raises Unavailable(overloaded) where all are taken."""
        if self._taken[key] >= most:
            raise Unavailable("overloaded", "Too much is going on here.", after=_COME_AGAIN)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]

    def taken(self, key: Hashable) -> int:
        """How many places of this key are taken."""
        return self._taken[key]


_COME_AGAIN: Final = timedelta(seconds=1)


# --- who asks -------------------------------------------------------------------------------

_V4_PREFIX: Final = 24
_V6_PREFIX: Final = 64  # what one subscriber gets


def network_of(address: str) -> str:
    """The network a stranger is counted by: /24 or /64. An address we cannot read is its own."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    prefix = _V4_PREFIX if found.version == 4 else _V6_PREFIX
    return str(ipaddress.ip_network(f"{found}/{prefix}", strict=False))


def caller_of(remote: str, forwarded: str, trusted: Collection[str]) -> str:
    """The address of who called, where `remote` is whose connection it is.

    `forwarded` is X-Forwarded-For: everybody can write it, so it is read from its end only as
    long as a proxy of ours (`trusted`: networks) vouches for what stands before it.
    """
    networks = [ipaddress.ip_network(one) for one in trusted]

    def is_ours(address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in one for one in networks if one.version == found.version)

    caller = remote
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not is_ours(caller):
            break
        caller = hop
    return caller


_SECOND_LEVEL: Final = frozenset(
    "ac co com edu gov go gob mil msk ne net nom or org spb sch ltd plc me in".split()  # noqa: SIM905
)
"""Labels under which a country's registry gives names out, as `co.uk` or `msk.ru`."""


def registrable_domain(host: str) -> str:
    """The name that somebody registered, of which this host is a part; an address's network.

    Without the public suffix list this is a guess. Where it guesses too wide, strangers of
    one registry share a quota of requests that wait for a person, and no more than that.
    """
    host = host.rstrip(".").lower()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.split(".")
        own = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
        return ".".join(labels[-own:])
    return network_of(host.strip("[]"))


# --- what it costs --------------------------------------------------------------------------

_MIB: Final = 1024 * 1024
_READ_TWICE: Final = 3  # raw bytes, their text, and the values read from it
_BUCKET_BYTES: Final = 300  # of a network or link we remember the rate of
_RATES: Final = 3  # strangers, what was disproved, links
_ROW_BYTES: Final = 72 * 1024  # of a stored message: payload, envelope, columns
_BATCH_BYTES: Final = 1 * _MIB
_FILE_CHUNK_BYTES: Final = 256 * 1024


def worst_memory(limits: Mapping[str, float]) -> dict[str, int]:
    """Bytes of memory that each kind of work takes where all its limits are reached at once."""
    bodies = int(limits["bodies_at_once"])
    lanes = 2 * int(limits["deliveries_at_once"])  # with as many that are slow
    pulls = 2 * int(limits["file_pulls_at_once"])
    return {
        "peer_calls": bodies * _BATCH_BYTES * _READ_TWICE,
        "api_calls": int(limits["api_bodies_at_once"])
        * int(limits["request_body_bytes"])
        * _READ_TWICE,
        "deliveries": lanes * (_BATCH_BYTES + int(limits["peer_answer_bytes"])) * _READ_TWICE,
        "file_pulls": pulls * _FILE_CHUNK_BYTES,
        "file_answers": int(limits["file_answers_at_once"]) * 2 * _FILE_CHUNK_BYTES,
        "rates": int(limits["networks_remembered"]) * _RATES * _BUCKET_BYTES,
    }


def worst_disk(limits: Mapping[str, float], links: int = 1) -> dict[str, int]:
    """Bytes on disk that partners can make us keep before a person of ours has done anything."""
    return {
        "inbox": links * int(limits["inbox_messages_per_link"]) * _ROW_BYTES,
        "files": links * int(limits["link_files_bytes"]),
    }
