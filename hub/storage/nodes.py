"""The account of this node, and the signed key sets it has had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from hub.storage.database import Tx
from hub.storage.statements import Query, columns_of, itself, pair
from hub.storage.tables import counters, key_sets, node


@dataclass(frozen=True, slots=True)
class Node:
    """Whose database this is."""

    node_id: str
    name: str
    base_url: str
    language: str
    created_at: datetime
    run: str | None
    run_began_at: datetime | None
    instance: str | None
    held_at: datetime | None


_NODE: Final = Query(select(*columns_of(node, Node)), Node)


@dataclass(frozen=True, slots=True)
class Card:
    """How requesters reach the company beside their page; empty: not told."""

    phone: str = ""
    email: str = ""
    hours: str = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days an administrator decided to keep what can go; None: as settings say."""

    keep_data_days: int | None = None
    keep_letters_days: int | None = None


_CARD: Final = Query(select(*columns_of(node, Card)), Card)
_KEEPING: Final = Query(select(*columns_of(node, Keeping)), Keeping)


def card(connection: Connection) -> Card:
    """The company's card; an empty one before `hub init`."""
    return _CARD.one(connection) or Card()


def keeping(connection: Connection) -> Keeping:
    """What was decided about keeping."""
    return _KEEPING.one(connection) or Keeping()


_KEY_SETS: Final[Query[tuple[int, str]]] = Query(
    select(key_sets.c.version, key_sets.c.jws).where(key_sets.c.node_id == bindparam("node_id")),
    pair,
)


def find(connection: Connection) -> Node | None:
    """The node, or None before `hub init`."""
    return _NODE.one(connection)


def change(tx: Tx, **values: Any) -> None:
    """Set these columns of the node."""
    tx.connection.execute(update(node).values(**values))


_RUN: Final[Query[str | None]] = Query(select(node.c.run), itself)


def run(connection: Connection) -> str:
    """The run the node is in; empty before its first."""
    return _RUN.one(connection) or ""


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


def held_at(connection: Connection) -> datetime | None:
    """Since when mail and desks wait after a restore; None: nothing is held."""
    found: datetime | None = connection.execute(select(node.c.held_at)).scalar_one()
    return found


def keep_key_set(
    tx: Tx, node_id: str, version: int, jws: str, at: datetime, succession: Sequence[str] = ()
) -> None:
    """Keep a signed key set of this node, and the changes of identity that prove its signer."""
    tx.connection.execute(
        insert(key_sets).values(
            node_id=node_id, version=version, jws=jws, succession=list(succession), stored_at=at
        )
    )


def key_sets_of(connection: Connection, node_id: str) -> dict[int, str]:
    """Every key set kept of this node (ours or a peer), by version."""
    return dict(_KEY_SETS.all(connection, node_id=node_id))


def successions_of(connection: Connection, node_id: str) -> list[Sequence[str]]:
    """The changes of identity that came with each key set of this node, oldest set first."""
    query = (
        select(key_sets.c.succession)
        .where(key_sets.c.node_id == node_id)
        .order_by(key_sets.c.version)
    )
    return [one or () for one in connection.execute(query).scalars()]
