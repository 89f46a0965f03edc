"""What two nodes tell each other before they go on after a start: where each of them stands.

Pure shapes of `POST …/sync`. They travel in a signed call and a signed answer and are no
evidence: what a new epoch voids is said again, signed, by its first message, `link.epoch`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.protocol import strict_json
from hub.protocol.members import Members

MAX_SYNC: Final = 256 * 1024
MAX_EPOCHS: Final = 4000  # told at once: the newest ones
_MOST_EPOCH: Final = 2**40  # seconds: whoever claims more would leave no number for the next
_RANDOM: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")

EpochTable = Mapping[int, int]
"""Epoch → the first position it speaks for. A later epoch voids what earlier ones say there."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one direction of a link has come."""

    seq: int  # 0: nothing yet
    head: str  # hash of that message; of the agreement for 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One side's view of both directions. `sent` and `held` are as this side sees them."""

    instance: str  # of the data directory that speaks
    run: str  # of this node, from its first process at work until all are gone
    synced: bool  # whether this side sends and takes messages already
    sent: Place  # what it wrote
    held: Place  # what it has of the other side's
    sent_epochs: EpochTable
    held_epochs: EpochTable


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The epoch a side wants to begin, and what of it the other holds as far as it knows."""

    epoch: int
    start_seq: int
    base: Place  # the other side's `held` that this was decided on


@dataclass(frozen=True, slots=True)
class Turn:
    """What the own sync of an answering side waits for that cannot call the other itself."""

    lost_from: int | None = None  # it lacks its own messages from here on: hand them back
    begin: NewEpoch | None = None  # the epoch it wants to begin: note it down


def expected_epoch(table: EpochTable, seq: int) -> int:
    """The epoch that speaks for this position: the latest that begins at or below it."""
    return max((epoch for epoch, start in table.items() if start <= seq), default=1)


def following_epoch(now_s: int, *tables: Iterable[int]) -> int:
    """A number no epoch of this link ever had, as far as the tables and the clock know.

    By the clock, because a restored node does not know which numbers it has used.
    """
    return max([now_s, *(epoch + 1 for table in tables for epoch in table)])


def dump_sync(standing: Standing, begin: NewEpoch | None = None) -> dict[str, Any]:
    """The members of a sync call, or, without `begin`, of a first question or an answer."""
    members: dict[str, Any] = {
        "instance": standing.instance,
        "run": standing.run,
        "synced": standing.synced,
        "sent": _place(standing.sent),
        "held": _place(standing.held),
        "sent_epochs": _table(standing.sent_epochs),
        "held_epochs": _table(standing.held_epochs),
    }
    if begin is not None:
        members["begin"] = _epoch(begin)
    return members


def dump_turn(turn: Turn) -> dict[str, Any]:
    """The member of an answer that says what the answering side waits for."""
    members: dict[str, Any] = {}
    if turn.lost_from is not None:
        members["lost_from"] = turn.lost_from
    if turn.begin is not None:
        members["begin"] = _epoch(turn.begin)
    return {"turn": members}


def dump_noted(noted: NewEpoch) -> dict[str, Any]:
    """The member of a call that says which epoch of the called side the caller noted down."""
    return {"noted": _epoch(noted)}


def _epoch(begin: NewEpoch) -> dict[str, Any]:
    return {"epoch": begin.epoch, "start_seq": begin.start_seq, "base": _place(begin.base)}


def parse_sync(body: bytes) -> tuple[Standing, NewEpoch | None]:
    """The parts of a sync call. Raises Untrusted(malformed)."""
    return read_sync(strict_json.parse(body, max_bytes=MAX_SYNC, what="sync"))


def read_sync(parsed: dict[str, Any]) -> tuple[Standing, NewEpoch | None]:
    """The parts of a parsed sync call or answer. Raises Untrusted(malformed)."""
    data = Members(parsed, "sync")
    standing = Standing(
        instance=_random(data, "instance"),
        run=_random(data, "run"),
        synced=data.flag("synced"),
        sent=_read_place(data, "sent"),
        held=_read_place(data, "held"),
        sent_epochs=_read_table(data, "sent_epochs"),
        held_epochs=_read_table(data, "held_epochs"),
    )
    return standing, _read_epoch(data, "begin")


def read_turn(parsed: dict[str, Any]) -> Turn | None:
    """What the answering side waits for; None for nothing. Raises Untrusted(malformed)."""
    data = Members(parsed, "sync")
    if not data.has("turn"):
        return None
    turn = Members(data.nested("turn"), "sync")
    lost_from = turn.number("lost_from", 1) if turn.has("lost_from") else None
    return Turn(lost_from, _read_epoch(turn, "begin"))


def read_noted(parsed: dict[str, Any]) -> NewEpoch | None:
    """The epoch of ours that the caller noted down, if it says so. Raises Untrusted(malformed)."""
    return _read_epoch(Members(parsed, "sync"), "noted")


def _read_epoch(data: Members, name: str) -> NewEpoch | None:
    if not data.has(name):
        return None
    epoch = Members(data.nested(name), "sync")
    return NewEpoch(
        epoch.number("epoch", 2, _MOST_EPOCH),
        epoch.number("start_seq", 1),
        _read_place(epoch, "base"),
    )


def _place(place: Place) -> dict[str, Any]:
    return {"seq": place.seq, "head": place.head}


def _read_place(data: Members, name: str) -> Place:
    place = Members(data.nested(name), "sync")
    return Place(place.number("seq"), place.digest("head"))


def _table(table: EpochTable) -> list[list[int]]:
    return [list(entry) for entry in sorted(table.items())[-MAX_EPOCHS:]]


def _read_table(data: Members, name: str) -> dict[int, int]:
    table: dict[int, int] = {}
    for entry in data.array(name, MAX_EPOCHS):
        match entry:
            case [int(epoch), int(start)] if type(epoch) is int and 0 < epoch <= _MOST_EPOCH:
                if type(start) is not int or not 0 < start <= strict_json.MAX_INTEGER:
                    raise data.flaw(name)
                table[epoch] = start
            case _:
                raise data.flaw(name)
    return table


def _random(data: Members, name: str) -> str:
    value = data.text(name, 64)
    if _RANDOM.fullmatch(value) is None:
        raise data.flaw(name)
    return value
