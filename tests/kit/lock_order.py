"""Whether transactions on PostgreSQL lock in the one order of `hub/storage/ground.py`.

Every statement is looked at as it goes to the server. Ids name their kind (`lnk_…`, `tkt_…`), so
the values of a statement tell which rows of links and tickets it is about.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

TESTS: Final = Path(__file__).parents[1]
OF_A_LINK: Final = frozenset(
    {
        *("links", "streams", "outbox", "inbox", "epochs", "link_keys", "own_keys", "agreements"),
        *("checkpoints", "handoff_streams", "receipts", "voided", "fetches"),
    }
)
"""Tables whose rows a link's lock covers. Deliveries are not among them: a lease is taken alone."""

_WRITE: Final = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")
_LOCK: Final = re.compile(r"FROM\s+(\w+).*FOR NO KEY UPDATE", re.DOTALL)


@dataclass
class Held:
    """What one transaction has locked."""

    links: set[str] = field(default_factory=set)
    every_link: bool = False
    tickets: set[str] = field(default_factory=set)
    node: str = ""  # the statement by which it came to what belongs to the node

    def look(self, statement: str, values: Iterable[object]) -> str | None:
        """What is out of order in this statement, or None."""
        ids = {one for one in values if isinstance(one, str)}
        links = {one for one in ids if one.startswith("lnk_")}
        tickets = {one for one in ids if one.startswith("tkt_")}
        if (lock := _LOCK.search(statement)) is not None:
            return self._lock(lock[1], statement, links, tickets)
        if (write := _WRITE.match(statement)) is None:
            return None
        how, table = write[1], write[2]
        if how == "INSERT INTO" and table == "links":
            self.links |= links
        elif how == "INSERT INTO" and table == "tickets":
            self.tickets |= tickets
        elif table == "tickets":
            return self._lock(table, statement, set(), tickets)
        elif table in OF_A_LINK and not self.every_link and (missing := links - self.links):
            return f"{how} {table} of {missing} without the lock of the link"
        return None

    def _lock(self, table: str, statement: str, links: set[str], tickets: set[str]) -> str | None:
        wrong = None
        if table == "links" and not self.every_link:
            fresh = links - self.links
            if (fresh or "WHERE" not in statement) and (self.tickets or self.node):
                wrong = f"links {fresh} behind {self.node or self.tickets}"
            elif fresh and self.links and min(fresh) < max(self.links):
                wrong = f"links {fresh} behind {self.links}"
            self.links |= links
            # By something else than its id it is found before it is agreed: nobody else has it.
            self.every_link = not links
        elif table == "tickets":
            fresh = tickets - self.tickets
            if fresh and self.node:
                wrong = f"tickets {fresh} behind {self.node}"
            elif fresh and self.tickets and min(fresh) < max(self.tickets):
                wrong = f"tickets {fresh} behind {self.tickets}"
            self.tickets |= tickets
        elif table in OF_A_LINK and not self.every_link and (missing := links - self.links):
            wrong = f"{table} of {missing} without the lock of the link"
        elif table in {"counters", "suspicions"}:
            self.node = table
        return wrong


def _is_of_a_test() -> bool:
    """Whether the transaction is a test's own: one that spoils something, alone."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if TESTS in path.parents and path != Path(__file__):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """What was out of order while this lasts, with the statement that was."""
    held: WeakKeyDictionary[Connection, Held] = WeakKeyDictionary()
    wrong: list[str] = []

    def begins(connection: Connection) -> None:
        held[connection] = Held()

    def before(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        if connection.dialect.name != "postgresql" or connection not in held:
            return
        rows = parameters if isinstance(parameters, list) else [parameters]
        values = [value for row in rows for value in row]
        found = held[connection].look(statement, values)
        if found is not None and not _is_of_a_test():
            wrong.append(f"{found}: {' '.join(statement.split())[:200]}")

    event.listen(Engine, "begin", begins)
    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield wrong
    finally:
        event.remove(Engine, "begin", begins)
        event.remove(Engine, "before_cursor_execute", before)
