"""The account of this node, and the signed key sets it has had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from hub.storage.database import Tx
from hub.storage.tables import counters, key_sets, node


@dataclass(frozen=True, slots=True)
class Node:
    """Whose database this is."""

    node_id: str
    name: str
    base_url: str
    language: str
    created_at: datetime


def find(connection: Connection) -> Node | None:
    """The node, or None before `hub init`."""
    row = connection.execute(
        select(node.c.node_id, node.c.name, node.c.base_url, node.c.language, node.c.created_at)
    ).one_or_none()
    return None if row is None else Node(**row._mapping)


def add(
    tx: Tx, node_id: str, name: str, base_url: str, language: str, created_at: datetime
) -> None:
    """Store whose database this is."""
    tx.connection.execute(
        insert(node).values(
            only=1,
            node_id=node_id,
            name=name,
            base_url=base_url,
            language=language,
            created_at=created_at,
        )
    )
    # Made once here, so that later transactions only ever lock and change them.
    tx.connection.execute(
        insert(counters), [{"name": "ticket", "value": 1000}, {"name": "audit", "value": 0}]
    )


def keep_key_set(tx: Tx, node_id: str, version: int, jws: str, at: datetime) -> None:
    """Keep a signed key set of ours."""
    tx.connection.execute(
        insert(key_sets).values(node_id=node_id, version=version, jws=jws, stored_at=at)
    )


def newest_key_set(connection: Connection, node_id: str) -> str:
    """The newest signed key set of this node."""
    found: str = connection.execute(
        select(key_sets.c.jws)
        .where(key_sets.c.node_id == node_id)
        .order_by(key_sets.c.version.desc())
        .limit(1)
    ).scalar_one()
    return found
