"""Letters that arrive: stored first, then read, then taken over; what cannot be is put aside whole.

A letter is stored with its bytes in one commit, once for each place it lay in. Whatever happens
when it is read costs this letter alone: it ends done, or held for a person, never in the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.correspondence import LABELS, Outcome
from hub.domain.delivery import backoff
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused
from hub.storage import audit, letters, resets
from hub.storage.database import Connection, Tx
from hub.storage.letters import LetterState, StoredLetter

TOPIC: Final = "letters"
AT_ONCE: Final = 50  # letters read in one turn
HELD: Final = "letter_held"  # alert: a letter waits for a person
CLAIMED: Final = timedelta(minutes=10)  # a process that ends in the middle holds it no longer
TRIES: Final = 3  # that failed for our own reasons, until a person must look


async def take(
    hub: Hub,
    mailbox: str,
    source: str,
    chunks: AsyncIterator[bytes],
    *,
    sender: str | None = None,
    recipients: Sequence[str] = (),
) -> str | None:
    """Store a letter: its id; None where the one from this place is here already.

    If this returns, the letter is safe: whoever brought it may forget it. Raises
    Refused(file_too_large), Unavailable; then nothing stays.
    """
    with hub.blobs.incoming(max_bytes=hub.limits.letter_bytes) as taken:
        async for chunk in chunks:
            await asyncio.to_thread(taken.write, chunk)
        sha256, size = await asyncio.to_thread(taken.finish)

    def transaction(tx: Tx) -> str | None:
        now = hub.now()
        fresh = _fresh(hub, mailbox, source, sha256, size, now)
        letter = replace(fresh, sender=sender, recipients=list(recipients))
        if not letters.add(tx, letter):
            return None
        tx.wake(TOPIC)
        return letter.id

    return await hub.db.write(transaction)


def _fresh(
    hub: Hub, mailbox: str, source: str, sha256: str | None, size: int, now: datetime
) -> StoredLetter:
    return StoredLetter(
        id=hub.new_id("let", now),
        mailbox=mailbox,
        source=source,
        sha256=sha256,
        size=size,
        sender=None,
        recipients=[],
        arrived_at=now,
        state=LetterState.STORED,
        attempts=0,
        next_at=None,
        last_error=None,
        fingerprint=None,
        message_id=None,
        author=None,
        subject=None,
        standing=None,
        outcome=None,
        decided=None,
        ticket_id=None,
        comment_id=None,
        settled_at=None,
        erased_at=None,
    )


async def has(hub: Hub, source: str) -> bool:
    """Whether the letter from this place is here."""
    return await hub.db.read(lambda connection: letters.has(connection, source))


async def due(hub: Hub) -> list[StoredLetter]:
    """Letters to read now; none while mail is held after a restore."""
    now = hub.now()

    def query(connection: Connection) -> list[StoredLetter]:
        if resets.held_since(connection) is not None:
            return []
        return letters.due(connection, now, AT_ONCE)

    return await hub.db.read(query)


async def claim(hub: Hub, letter_ids: Sequence[str]) -> set[str]:
    """Those that this process reads now: others leave them alone for a while."""
    now = hub.now()

    def transaction(tx: Tx) -> set[str]:
        return {one for one in letter_ids if letters.claim(tx, one, now, now + CLAIMED)}

    return await hub.db.write(transaction) if letter_ids else set()


async def too_large(hub: Hub, mailbox: str, source: str, size: int) -> None:
    """Note down that a letter stays in its mailbox: a person must look at it there."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        letter = _fresh(hub, mailbox, source, None, size, now)
        if letters.add(tx, letter):
            letters.change(tx, letter.id, outcome=Outcome.HELD)
            hold(tx, hub, letter.id, LABELS["size"], now)

    await hub.db.write(transaction)


async def next_at(hub: Hub) -> datetime | None:
    """When the next letter is to be tried again."""
    return await hub.db.read(letters.next_at)


async def fail(hub: Hub, letter_id: str, because: str, *, for_good: bool) -> None:
    """A letter could not be read: tried again later, or held whole for a person.

    `for_good` says that it is the letter's own doing.
    """

    def transaction(tx: Tx) -> None:
        now = hub.now()
        letter = letters.lock(tx, letter_id)
        if letter is None or letter.state is not LetterState.STORED:
            return
        tries = letter.attempts + 1
        if for_good or tries >= TRIES:
            letters.change(tx, letter_id, attempts=tries, outcome=Outcome.HELD)
            hold(tx, hub, letter_id, because, now)
            return
        wait = backoff(tries, hub.entropy.fraction())
        letters.change(tx, letter_id, attempts=tries, last_error=because[:500], next_at=now + wait)

    await hub.db.write(transaction)


def hold(tx: Tx, hub: Hub, letter_id: str, because: str, now: datetime) -> None:
    """Put a letter aside whole for a person."""
    letters.change(
        tx,
        letter_id,
        state=LetterState.HELD,
        last_error=because[:500],
        settled_at=now,
        next_at=None,
    )
    audit.raise_alert(
        tx,
        entropy=hub.entropy,
        kind=HELD,
        subject=letter_id,
        text="A letter waits for a person: {why}",
        why=because[:200],
        at=now,
    )


# --- what people decide ---------------------------------------------------------------------


async def retry(hub: Hub, actor: Actor, letter_id: str, *, as_ticket: bool = False) -> None:
    """Read a held letter again; `as_ticket`: a person decided that it is a new matter.

    Who wrote it is proven by that no more than before. Raises NotFound, Conflict(not_held).
    """
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        _held(tx, letter_id)
        letters.change(
            tx,
            letter_id,
            state=LetterState.STORED,
            attempts=0,
            next_at=None,
            settled_at=None,
            fingerprint=None,
            decided=Outcome.TICKET if as_ticket else None,
        )
        audit.resolve_alerts(tx, kind=HELD, subject=letter_id, at=now)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="letter.retried",
            letter=letter_id,
            as_ticket=as_ticket,
        )
        tx.wake(TOPIC)

    await hub.db.write(transaction)


async def drop(hub: Hub, actor: Actor, letter_id: str, reason: str) -> None:
    """Set a held letter aside for good. Raises NotFound, Conflict(not_held), Refused."""
    permits.require(actor, Permission.DESKS_WRITE)
    if not reason.strip():
        raise Refused("reason_missing", "Say why.", hint="--reason TEXT")

    def transaction(tx: Tx) -> None:
        now = hub.now()
        _held(tx, letter_id)
        letters.change(tx, letter_id, state=LetterState.DROPPED, settled_at=now)
        audit.resolve_alerts(tx, kind=HELD, subject=letter_id, at=now)
        audit.append(
            tx, at=now, actor=actor.ref, event="letter.dropped", letter=letter_id, reason=reason
        )

    await hub.db.write(transaction)


def _held(tx: Tx, letter_id: str) -> StoredLetter:
    letter = letters.lock(tx, letter_id)
    if letter is None:
        raise NotFound("not_found", "There is no such letter.", hint="hub mail list")
    if letter.state is not LetterState.HELD:
        raise Conflict(
            "not_held", "This letter is '{state}'; it waits for nobody.", state=letter.state
        )
    return letter
