"""What changed: ids of tickets, in a stream that can be taken up again where it broke off.

The position is the moment of the last change told. A transaction notes its moment when it begins
and is seen when it commits, so a reader looks back a little and leaves out what it told already;
taken up again, it may tell some once more. A change says nothing but which ticket: to look again
is always right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.storage import ticket_lists
from hub.storage.database import Connection
from hub.storage.ticket_lists import LATE
from hub.storage.tickets import CHANGED_TOPIC as CHANGED_TOPIC  # noqa: PLC0414 - doors say it too

PORTION: Final = 5000  # within LATE, that is: more than a node can change


@dataclass(frozen=True, slots=True)
class Change:
    """One ticket is not what it was."""

    ticket: str
    at: datetime


@dataclass(slots=True)
class Reader:
    """One who follows the stream."""

    position: datetime
    told: dict[str, datetime] = field(default_factory=dict)

    def look(self, connection: Connection) -> Sequence[Change]:
        """What changed and was not told yet, oldest first; empty: nothing."""
        found = ticket_lists.changed_since(connection, self.position - LATE, PORTION)
        fresh = [Change(one, at) for one, at in found if self.told.get(one) != at]
        self.told |= {one.ticket: one.at for one in fresh}
        if found:
            # Many changes at one moment must not stop it there.
            self.position = max(self.position, found[-1][1])
            self.told = {one: at for one, at in self.told.items() if at >= self.position - LATE}
        return fresh
