"""What both sides of a link have in common, and where they differ, as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.protocol import checkpoint as hashes
from hub.queries import names
from hub.storage import checkpoints as stored
from hub.storage import handoffs, shared, tickets
from hub.storage.checkpoints import Difference, Witness
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """One shared field of a hand-off that is another on the other side."""

    ticket: str  # our number
    handoff: str
    field: str  # a name, or the id of a comment or file; `?`: the peer has not told which
    ours: Any
    theirs: Any  # null also where it is not known
    theirs_known: bool  # whether it is one of the values that we can compute
    by_the_log: Any  # what the signed messages of both sides make it
    ours_is_right: bool | None  # null: payloads were erased, nobody can say


@dataclass(frozen=True, slots=True)
class CheckView:
    """What the last comparison with a peer came to."""

    link: str
    peer: str
    asked_at: datetime | None
    compared_at: datetime | None  # null: the peer has not answered yet
    next_at: datetime | None
    compared: int  # hand-offs
    not_comparable: int  # messages about them were on their way
    same: bool
    differences: Sequence[DifferenceView]


def show(connection: Connection, name: str) -> CheckView:
    """The last comparison with this peer. Raises NotFound; Conflict naming the candidates."""
    link = names.link(connection, name)
    how = stored.find(connection, link.id)
    found = [
        _difference(connection, one) for one in stored.differences_of(connection, link_id=link.id)
    ]
    return CheckView(
        link=link.id,
        peer=link.peer_name,
        asked_at=how.asked_at if how else None,
        compared_at=how.compared_at if how else None,
        next_at=how.next_at if how else None,
        compared=how.compared if how else 0,
        not_comparable=how.not_comparable if how else 0,
        same=not found,
        differences=found,
    )


def _difference(connection: Connection, one: Difference) -> DifferenceView:
    handoff = handoffs.find(connection, one.handoff_id)
    assert handoff is not None
    ours = shared.projection(connection, handoff).get(one.field)
    log = shared.replayed(connection, handoff)
    right = None if log is None else log.get(one.field)
    theirs, known = None, one.theirs is None and bool(one.field)
    for value in (right, ours):
        if value is not None and hashes.field_hash(value) == one.theirs:
            theirs, known = value, True
    return DifferenceView(
        ticket=tickets.get(connection, handoff.ticket_id).number,
        handoff=handoff.id,
        field=one.field or "?",
        ours=ours,
        theirs=theirs,
        theirs_known=known,
        by_the_log=right,
        ours_is_right=None if log is None else ours == right,
    )


def own_heads(connection: Connection, node_id: str) -> Sequence[Witness]:
    """Heads of our own audit log that a peer holds under our signature, oldest first."""
    return stored.own_heads(connection, node_id)


def peer_heads(connection: Connection, node_id: str) -> Sequence[Witness]:
    """Heads of a peer's audit log, as it signed them for us, oldest first."""
    return stored.witnessed(connection, node_id)


def state_hash(connection: Connection, handoff: handoffs.Handoff) -> str:
    """The hash of what both sides share of this hand-off, the same on both."""
    return hashes.state_hash(shared.projection(connection, handoff))
