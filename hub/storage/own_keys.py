"""Which of our message keys seals what we say on a link, by position.

A key begins to seal right behind the `link.keys` that announces it. The announcement is named
by its id and its position is looked up in the outbox, so it stays right when the tail of a
stream is signed again and every message in it gets another position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, and_, bindparam, select

from hub.storage import statements
from hub.storage.database import Tx
from hub.storage.statements import Query
from hub.storage.tables import outbox, own_keys


@dataclass(frozen=True, slots=True)
class Announced:
    """One of our key sets on one link."""

    version: int
    kid: str
    announced_by: str | None  # null: the agreement
    seq: int | None  # of the announcement; null: the agreement, or not in the outbox (any more)

    @property
    def begins(self) -> int | None:
        """The position behind which it holds."""
        return 0 if self.announced_by is None else self.seq


_OF_LINK: Final = Query(
    select(own_keys.c.version, own_keys.c.kid, own_keys.c.announced_by, outbox.c.seq)
    .select_from(
        own_keys.outerjoin(
            outbox,
            and_(outbox.c.id == own_keys.c.announced_by, outbox.c.link_id == own_keys.c.link_id),
        )
    )
    .where(own_keys.c.link_id == bindparam("link_id"))
    .order_by(own_keys.c.version),
    Announced,
)


def of_link(connection: Connection, link_id: str) -> list[Announced]:
    """Our key sets that were agreed or announced on this link, oldest first."""
    return _OF_LINK.all(connection, link_id=link_id)


def add(tx: Tx, link_id: str, version: int, kid: str, announced_by: str | None) -> None:
    """A key set was agreed on this link, or is announced by this message."""
    statements.add(
        tx,
        own_keys,
        {"link_id": link_id, "version": version, "kid": kid, "announced_by": announced_by},
    )


def change(tx: Tx, link_id: str, version: int, announced_by: str) -> None:
    """Another message announces it: an older one of ours has come back."""
    key = {"link_id": link_id, "version": version}
    statements.change(tx, own_keys, key, {"announced_by": announced_by})
