"""Mailboxes: which this node works, and how far each has been read."""

from __future__ import annotations

from typing import Final

from hub.actions.context import Hub
from hub.storage import audit, letters
from hub.storage.database import Tx
from hub.storage.letters import Cursor


async def cursor(hub: Hub, mailbox: str, folder: str) -> Cursor | None:
    """How far this folder has been read."""
    found = await hub.db.read(lambda connection: letters.cursors(connection, mailbox))
    return next((one for one in found if one.folder == folder), None)


async def read_up_to(hub: Hub, mailbox: str, folder: str, *, uidvalidity: int, uid: int) -> None:
    """Everything up to here is taken in, and the mailbox answers."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        letters.keep_cursor(
            tx,
            mailbox,
            folder,
            uidvalidity=uidvalidity,
            uid=uid,
            looked_at=now,
            failing_since=None,
            last_error=None,
        )
        audit.resolve_alerts(tx, kind=UNREACHABLE, subject=mailbox, at=now)

    await hub.db.write(transaction)


UNREACHABLE: Final = "mailbox_unreachable"  # alert: letters cannot be fetched


async def unreachable(hub: Hub, mailbox: str, folder: str, because: str) -> None:
    """The mailbox could not be read; people hear of it."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        known = {one.folder: one for one in letters.cursors(tx.connection, mailbox)}.get(folder)
        since = known.failing_since if known and known.failing_since else now
        letters.keep_cursor(
            tx, mailbox, folder, failing_since=since, last_error=because[:500], looked_at=now
        )
        audit.raise_alert(
            tx,
            entropy=hub.entropy,
            kind=UNREACHABLE,
            subject=mailbox,
            text="Letters cannot be fetched from {mailbox}: {why}",
            mailbox=mailbox,
            why=because[:200],
            at=now,
        )

    await hub.db.write(transaction)
