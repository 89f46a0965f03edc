"""Own messages that a peer we cannot call hands back page by page, until all are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from hub.ids import LinkId
from hub.storage.database import Tx
from hub.storage.tables import returned


@dataclass(frozen=True, slots=True)
class Returned:
    """A message of ours as the peer had it."""

    seq: int
    hash: str
    env: str
    data: str | None


def of_link(connection: Connection, link_id: LinkId) -> list[Returned]:
    """All that is here of this link, without a gap, by position."""
    query = (
        select(returned.c.seq, returned.c.hash, returned.c.env, returned.c.data)
        .where(returned.c.link_id == link_id)
        .order_by(returned.c.seq)
    )
    return [Returned(*row) for row in connection.execute(query)]


def last(connection: Connection, link_id: LinkId) -> Returned | None:
    """The one with the highest position, or None."""
    query = (
        select(returned.c.seq, returned.c.hash, returned.c.env, returned.c.data)
        .where(returned.c.link_id == link_id)
        .order_by(returned.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Returned(*row)


def add(tx: Tx, link_id: LinkId, page: Sequence[Returned]) -> None:
    """Keep these behind what is here."""
    tx.connection.execute(
        insert(returned),
        [
            {
                "link_id": link_id,
                "seq": one.seq,
                "hash": one.hash,
                "env": one.env,
                "data": one.data,
            }
            for one in page
        ],
    )


def forget(tx: Tx, link_id: LinkId) -> None:
    """The sync ended, or has to begin elsewhere."""
    tx.connection.execute(delete(returned).where(returned.c.link_id == link_id))
