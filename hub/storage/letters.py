"""Letters that arrived, and where reading each mailbox stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.storage import statements
from hub.storage.database import Tx, for_update
from hub.storage.tables import answered, letters, mailbox_cursors
from hub.storage.waiting import Waiting


class LetterState(StrEnum):
    """How far a letter has come."""

    STORED = "stored"  # its bytes are safe, nobody has read them
    DONE = "done"  # what it says has been taken over
    HELD = "held"  # put aside whole for a person
    DROPPED = "dropped"  # a person set it aside for good


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """One letter that arrived."""

    id: str
    mailbox: str
    source: str
    sha256: str | None
    size: int
    sender: str | None
    recipients: list[str]
    arrived_at: datetime
    state: LetterState
    attempts: int
    next_at: datetime | None
    last_error: str | None
    fingerprint: str | None
    message_id: str | None
    author: str | None
    subject: str | None
    standing: str | None
    outcome: str | None
    decided: str | None
    ticket_id: str | None
    comment_id: str | None
    settled_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder of a mailbox has been read."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int
    looked_at: datetime | None
    failing_since: datetime | None
    last_error: str | None


def _letter(row: Any) -> StoredLetter:
    values = dict(row._mapping)
    values["state"] = LetterState(values["state"])
    return StoredLetter(**values)


def add(tx: Tx, letter: StoredLetter) -> bool:
    """Store a new letter; False where one from this place is here already."""
    try:
        with tx.part():
            tx.connection.execute(
                insert(letters).values(
                    **{name: getattr(letter, name) for name in StoredLetter.__dataclass_fields__}
                )
            )
    except IntegrityError:
        return False
    return True


def find(connection: Connection, letter_id: str) -> StoredLetter | None:
    """The letter, or None."""
    row = connection.execute(select(letters).where(letters.c.id == letter_id)).one_or_none()
    return None if row is None else _letter(row)


def lock(tx: Tx, letter_id: str) -> StoredLetter | None:
    """The letter, locked until the commit, or None."""
    query = for_update(tx, select(letters).where(letters.c.id == letter_id))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _letter(row)


def has(connection: Connection, source: str) -> bool:
    """Whether the letter from this place is here."""
    query = select(letters.c.id).where(letters.c.source == source)
    return connection.execute(query).one_or_none() is not None


def is_seen(connection: Connection, fingerprint: str, but: str) -> bool:
    """Whether another letter of this fingerprint was settled or put aside."""
    query = select(letters.c.id).where(
        letters.c.fingerprint == fingerprint,
        letters.c.id != but,
        letters.c.state.in_([LetterState.DONE, LetterState.HELD]),
    )
    return connection.execute(query.limit(1)).first() is not None


def change(tx: Tx, letter_id: str, **values: Any) -> None:
    """Set these columns of the letter."""
    tx.connection.execute(update(letters).where(letters.c.id == letter_id).values(**values))


_WAITING: Final = Waiting(letters, letters.c.state == LetterState.STORED)
claim = _WAITING.claim
next_at = _WAITING.next_at


def due(connection: Connection, now: datetime, most: int) -> list[StoredLetter]:
    """Letters to read, oldest first."""
    return [_letter(row) for row in _WAITING.due(connection, now, most)]


def page(
    connection: Connection, *, state: LetterState | None, before: str | None, limit: int
) -> list[StoredLetter]:
    """Letters, newest first, from before this id."""
    query = select(letters).order_by(letters.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(letters.c.state == state)
    if before is not None:
        query = query.where(letters.c.id < before)
    return [_letter(row) for row in connection.execute(query)]


def count(connection: Connection, state: LetterState) -> int:
    """How many letters are in this state."""
    query = select(func.count()).select_from(letters).where(letters.c.state == state)
    return connection.execute(query).scalar_one()


def oldest_stored(connection: Connection) -> datetime | None:
    """When the oldest letter came that is not read yet."""
    found: datetime | None = connection.execute(
        select(letters.c.arrived_at)
        .where(letters.c.state == LetterState.STORED)
        .order_by(letters.c.id)
        .limit(1)
    ).scalar_one_or_none()
    return found


# --- automatic answers ----------------------------------------------------------------------


def may_answer(tx: Tx, address_hash: str, now: datetime, since: datetime) -> bool:
    """Whether this address may get an automatic answer now; noted, if so."""
    known = answered.c.address_hash == address_hash
    if tx.connection.execute(select(answered.c.at).where(known)).first() is None:
        try:
            with tx.part():
                tx.connection.execute(insert(answered).values(address_hash=address_hash, at=now))
        except IntegrityError:
            return False
        return True
    taken = tx.connection.execute(
        update(answered).where(known, answered.c.at <= since).values(at=now)
    )
    return taken.rowcount == 1


def forget_answers(tx: Tx, before: datetime) -> None:
    """Who was answered before then may be forgotten."""
    tx.connection.execute(delete(answered).where(answered.c.at < before))


# --- cursors --------------------------------------------------------------------------------


def cursors(connection: Connection, mailbox: str | None = None) -> list[Cursor]:
    """Where reading stands, of this mailbox or of all."""
    query = select(mailbox_cursors).order_by(mailbox_cursors.c.mailbox, mailbox_cursors.c.folder)
    if mailbox is not None:
        query = query.where(mailbox_cursors.c.mailbox == mailbox)
    return [Cursor(**row._mapping) for row in connection.execute(query)]


def keep_cursor(tx: Tx, mailbox: str, folder: str, **values: Any) -> None:
    """Set these columns of the cursor; it begins at nothing."""
    key = {"mailbox": mailbox, "folder": folder}
    if statements.change(tx, mailbox_cursors, key, values) == 0:
        begun = {"uidvalidity": 0, "uid": 0, **values}
        tx.connection.execute(insert(mailbox_cursors).values(**key, **begun))
