"""What our node keeps to speak for partners that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select, update

from hub.ids import LinkId
from hub.storage.database import Tx
from hub.storage.links import AGREED
from hub.storage.statements import Query
from hub.storage.tables import custodies, links


@dataclass(frozen=True, slots=True)
class Custody:
    """One link whose partner has no node."""

    link_id: LinkId
    message_key: str  # encrypted
    identity_key: str  # encrypted
    address: str
    language: str
    told_seq: int
    successor_id: LinkId | None


_EVERYONE: Final = Query(
    select(custodies.c.link_id)
    .join(links, links.c.id == custodies.c.link_id)
    .where(or_(*(links.c.state == str(one) for one in sorted(AGREED))))
    .order_by(custodies.c.link_id),
    LinkId,
)


def add(tx: Tx, custody: Custody) -> None:
    """Store a new one."""
    values = {name: getattr(custody, name) for name in Custody.__dataclass_fields__}
    tx.connection.execute(insert(custodies).values(**values))


def change(tx: Tx, link_id: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(update(custodies).where(custodies.c.link_id == link_id).values(**values))


def find(connection: Connection, link_id: str) -> Custody | None:
    """That of this link; None where the partner has a node."""
    row = connection.execute(select(custodies).where(custodies.c.link_id == link_id)).one_or_none()
    return None if row is None else Custody(**row._mapping)


def get(connection: Connection, link_id: str) -> Custody:
    """That of this link, which is in custody."""
    found = find(connection, link_id)
    assert found is not None
    return found


def everyone(connection: Connection) -> list[LinkId]:
    """The links in custody that were agreed, oldest first."""
    return _EVERYONE.all(connection)


def with_address(connection: Connection, kind: str, address: str) -> LinkId | None:
    """The link of this kind that is not closed and has this address."""
    query = (
        select(custodies.c.link_id)
        .join(links, links.c.id == custodies.c.link_id)
        .where(links.c.kind == kind, custodies.c.address == address, links.c.closed_at.is_(None))
    )
    found = connection.execute(query).scalars().first()
    return None if found is None else LinkId(found)
