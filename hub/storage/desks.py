"""Desks: what is configured, which version works, how far it was read, what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from hub.domain.desk import DeskRole
from hub.ids import DeskId
from hub.storage.database import Tx, for_update
from hub.storage.tables import (
    desk_calls,
    desk_looks,
    desk_secrets,
    desk_unknown,
    desk_versions,
    desks,
)


@dataclass(frozen=True, slots=True)
class Desk:
    """One configured foreign system."""

    id: DeskId
    name: str
    role: DeskRole
    template: str
    enabled: bool
    enabled_at: datetime | None
    published: int | None
    cursor: str | None
    looked_at: datetime | None
    next_at: datetime | None
    push_after: datetime | None
    mirrored_at: datetime | None
    failing_since: datetime | None
    failures: int
    error: dict[str, Any] | None
    created_at: datetime
    removed_at: datetime | None

    @property
    def works(self) -> bool:
        """Whether anything goes to and fro."""
        return self.enabled and self.published is not None and self.removed_at is None


@dataclass(frozen=True, slots=True)
class Version:
    """One published state of a desk's two files."""

    desk_id: DeskId
    n: int
    settings: str
    description: str
    at: datetime
    by: str
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """A ticket over there that is to be looked at."""

    desk_id: DeskId
    external_id: str
    asked: int
    attempts: int
    next_at: datetime | None
    parked: bool
    error: dict[str, Any] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A word over there without a translation."""

    desk_id: DeskId
    field: str
    value: str
    external_id: str
    first_at: datetime
    last_at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class DeskCall:
    """One request to a desk."""

    n: int
    desk_id: DeskId
    at: datetime
    method: str
    address: str
    status: int | None
    took_ms: int
    error: str | None


def _desk(row: Any) -> Desk:
    values = dict(row._mapping)
    return Desk(**values | {"role": DeskRole(values["role"])})


def add(tx: Tx, desk: Desk) -> None:
    """Store a new one."""
    values = {name: getattr(desk, name) for name in Desk.__dataclass_fields__}
    tx.connection.execute(insert(desks).values(**values))


def change(tx: Tx, desk_id: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(update(desks).where(desks.c.id == desk_id).values(**values))


def everyone(connection: Connection) -> list[Desk]:
    """All that were not removed, by name."""
    query = select(desks).where(desks.c.removed_at.is_(None)).order_by(desks.c.name)
    return [_desk(row) for row in connection.execute(query)]


def find(connection: Connection, name: str) -> Desk | None:
    """The one with this name or id."""
    query = select(desks).where(
        or_(desks.c.name == name, desks.c.id == name), desks.c.removed_at.is_(None)
    )
    row = connection.execute(query).first()
    return None if row is None else _desk(row)


def lock(tx: Tx, desk_id: str) -> Desk | None:
    """The one with this id, locked until the commit."""
    query = for_update(tx, select(desks).where(desks.c.id == desk_id))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _desk(row)


# --- versions and secrets -----------------------------------------------------------------


def add_version(tx: Tx, version: Version) -> None:
    """Store a new one."""
    values = {name: getattr(version, name) for name in Version.__dataclass_fields__}
    tx.connection.execute(insert(desk_versions).values(**values))


def versions(connection: Connection, desk_id: str) -> list[Version]:
    """All of them, newest first."""
    query = (
        select(desk_versions)
        .where(desk_versions.c.desk_id == desk_id)
        .order_by(desk_versions.c.n.desc())
    )
    return [Version(**row._mapping) for row in connection.execute(query)]


def version(connection: Connection, desk_id: str, n: int) -> Version | None:
    """The one of this number."""
    query = select(desk_versions).where(desk_versions.c.desk_id == desk_id, desk_versions.c.n == n)
    row = connection.execute(query).one_or_none()
    return None if row is None else Version(**row._mapping)


def withdraw(tx: Tx, desk_id: str, n: int, at: datetime) -> None:
    """It was rolled back."""
    tx.connection.execute(
        update(desk_versions)
        .where(desk_versions.c.desk_id == desk_id, desk_versions.c.n == n)
        .values(withdrawn_at=at)
    )


def secrets(connection: Connection, desk_id: str) -> dict[str, str]:
    """Encrypted, by name."""
    query = select(desk_secrets.c.name, desk_secrets.c.value).where(
        desk_secrets.c.desk_id == desk_id
    )
    return dict(connection.execute(query).all())


def keep_secret(tx: Tx, desk_id: str, name: str, value: str, at: datetime) -> None:
    """Put it in the place of the one before."""
    tx.connection.execute(
        delete(desk_secrets).where(desk_secrets.c.desk_id == desk_id, desk_secrets.c.name == name)
    )
    tx.connection.execute(
        insert(desk_secrets).values(desk_id=desk_id, name=name, value=value, at=at)
    )


# --- what is to be looked at --------------------------------------------------------------


def want_look(tx: Tx, desk_id: str, external_id: str, at: datetime) -> None:
    """Look at this ticket, at once; a second wish joins the first."""
    taken = tx.connection.execute(
        update(desk_looks)
        .where(desk_looks.c.desk_id == desk_id, desk_looks.c.external_id == external_id)
        .values(asked=desk_looks.c.asked + 1, next_at=None, parked=False, attempts=0)
    )
    if taken.rowcount == 0:
        tx.connection.execute(
            insert(desk_looks).values(desk_id=desk_id, external_id=external_id, at=at)
        )


def put_look(tx: Tx, desk_id: str, external_id: str, at: datetime, **values: Any) -> None:
    """Set these columns of the wish, making it where there is none."""
    taken = tx.connection.execute(
        update(desk_looks)
        .where(desk_looks.c.desk_id == desk_id, desk_looks.c.external_id == external_id)
        .values(**values)
    )
    if taken.rowcount == 0:
        tx.connection.execute(
            insert(desk_looks).values(desk_id=desk_id, external_id=external_id, at=at, **values)
        )


def looked(tx: Tx, desk_id: str, external_id: str, asked: int | None = None) -> None:
    """It is done, but for wishes that came since it had been asked for so often."""
    query = delete(desk_looks).where(
        desk_looks.c.desk_id == desk_id, desk_looks.c.external_id == external_id
    )
    tx.connection.execute(query if asked is None else query.where(desk_looks.c.asked == asked))


def look(connection: Connection, desk_id: str, external_id: str) -> Look | None:
    """The wish to look at this ticket."""
    query = select(desk_looks).where(
        desk_looks.c.desk_id == desk_id, desk_looks.c.external_id == external_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Look(**row._mapping)


def looks_due(connection: Connection, desk_id: str, now: datetime, most: int) -> list[Look]:
    """Those to be looked at now, oldest first."""
    query = (
        select(desk_looks)
        .where(
            desk_looks.c.desk_id == desk_id,
            desk_looks.c.parked.is_(False),
            or_(desk_looks.c.next_at.is_(None), desk_looks.c.next_at <= now),
        )
        .order_by(desk_looks.c.at, desk_looks.c.external_id)
        .limit(most)
    )
    return [Look(**row._mapping) for row in connection.execute(query)]


def looks_next(connection: Connection, desk_id: str) -> datetime | None:
    """When the next one is due again."""
    query = select(func.min(desk_looks.c.next_at)).where(
        desk_looks.c.desk_id == desk_id, desk_looks.c.parked.is_(False)
    )
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def looks_waiting(connection: Connection, desk_id: str) -> list[Look]:
    """Those that failed, parked ones among them."""
    query = (
        select(desk_looks)
        .where(desk_looks.c.desk_id == desk_id, desk_looks.c.error.is_not(None))
        .order_by(desk_looks.c.at)
    )
    return [Look(**row._mapping) for row in connection.execute(query)]


def unpark_looks(tx: Tx, desk_id: str) -> int:
    """Look at all of them again; how many."""
    done = tx.connection.execute(
        update(desk_looks)
        .where(desk_looks.c.desk_id == desk_id)
        .values(parked=False, attempts=0, next_at=None)
    )
    return done.rowcount


# --- words without a translation, and the log -----------------------------------------------


def note_unknown(
    tx: Tx, desk_id: str, field: str, value: str, external_id: str, at: datetime
) -> bool:
    """It was seen (again); whether for the first time."""
    value = value[:200]
    key = (
        (desk_unknown.c.desk_id == desk_id)
        & (desk_unknown.c.field == field)
        & (desk_unknown.c.value == value)
    )
    seen = tx.connection.execute(
        update(desk_unknown)
        .where(key)
        .values(times=desk_unknown.c.times + 1, last_at=at, external_id=external_id)
    )
    if seen.rowcount:
        return False
    tx.connection.execute(
        insert(desk_unknown).values(
            desk_id=desk_id,
            field=field,
            value=value,
            external_id=external_id,
            first_at=at,
            last_at=at,
            times=1,
        )
    )
    return True


def unknown(connection: Connection, desk_id: str) -> list[UnknownWord]:
    """All of them, newest first."""
    query = (
        select(desk_unknown)
        .where(desk_unknown.c.desk_id == desk_id)
        .order_by(desk_unknown.c.last_at.desc(), desk_unknown.c.field)
    )
    return [UnknownWord(**row._mapping) for row in connection.execute(query)]


def forget_unknown(tx: Tx, desk_id: str) -> None:
    """Another description is at work: what it does not know will be seen again."""
    tx.connection.execute(delete(desk_unknown).where(desk_unknown.c.desk_id == desk_id))


def note_calls(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Put these into the log."""
    tx.connection.execute(insert(desk_calls), rows)


def calls(
    connection: Connection, desk_id: str, *, before: int | None, failed: bool, limit: int
) -> list[DeskCall]:
    """The log, newest first."""
    query = select(desk_calls).where(desk_calls.c.desk_id == desk_id)
    if before is not None:
        query = query.where(desk_calls.c.n < before)
    if failed:
        query = query.where(or_(desk_calls.c.status.is_(None), desk_calls.c.status >= 400))
    query = query.order_by(desk_calls.c.n.desc()).limit(limit)
    return [DeskCall(**row._mapping) for row in connection.execute(query)]


def forget_calls(tx: Tx, before: datetime) -> None:
    """Drop the older part of the log."""
    tx.connection.execute(delete(desk_calls).where(desk_calls.c.at < before))
