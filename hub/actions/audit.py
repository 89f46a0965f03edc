"""The audit log's own acts: its head is signed by the hour, and whoever reads it is in it.

Between two signed heads somebody who can write to the database could still rewrite the records
of that hour. Everything a signed head covers is fixed, and a head that a peer or an export
knows cannot be taken back by anybody, not even by us.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.protocol import audit as log
from hub.protocol.audit import Head, Record
from hub.storage import audit
from hub.storage.audit import StoredHead
from hub.storage.database import Tx

SIGNED_EVERY: Final = timedelta(hours=1)


async def sign_by_the_hour(hub: Hub) -> None:
    """Sign the head of the log where an hour has passed since, and something was recorded."""
    now = hub.now()

    def is_due(connection: Any) -> bool:
        before = audit.last_head(connection)
        return before is None or now - before.at >= SIGNED_EVERY

    if await hub.db.glance(is_due):
        await hub.db.write(lambda tx: sign(tx, hub))


def sign(tx: Tx, hub: Hub) -> StoredHead | None:
    """Sign where the log stands now, and keep it; None while nothing was recorded."""
    seq, head = audit.head(tx.connection)
    before = audit.last_head(tx.connection)
    if not seq or (before is not None and before.seq == seq):
        return before
    now = hub.now()
    signed = log.seal_head(Head(hub.account.node_id, seq, head, now), hub.keys.identity)
    made = StoredHead(seq, head, signed, now)
    audit.keep_head(tx, made)
    return made


async def read(
    hub: Hub,
    actor: Actor,
    *,
    limit: int,
    before: int | None = None,
    since: datetime | None = None,
    event: str | None = None,
    by: str | None = None,
) -> list[Record]:
    """Records, newest first; that they were read is recorded. Raises Refused(not_yours)."""
    permits.require(actor, Permission.AUDIT_READ)

    def transaction(tx: Tx) -> list[Record]:
        found = audit.page(
            tx.connection, limit=limit, before=before, since=since, event=event, actor=by
        )
        wanted = {"since": since, "event": event, "by": by, "before": before}
        said = {name: value for name, value in wanted.items() if value is not None}
        only = {"only": said} if said else {}
        audit.append(
            tx, at=hub.now(), actor=actor.ref, event="audit.read", records=len(found), **only
        )
        return found

    return await hub.db.write(transaction)


async def export(hub: Hub, actor: Actor) -> Iterator[bytes]:
    """The lines of the whole log, signed; the export is its last record.

    Raises Refused(not_yours).
    """
    permits.require(actor, Permission.AUDIT_READ)

    def transaction(tx: Tx) -> list[Record]:
        audit.append(tx, at=hub.now(), actor=actor.ref, event="audit.exported")
        sign(tx, hub)
        return list(audit.everything(tx.connection))

    records = await hub.db.write(transaction)
    return log.write_export(
        records,
        node=hub.account.node_id,
        identity=hub.keys.identity.public,
        succession=hub.keys.succession,
        signer=hub.keys.identity,
        at=hub.now(),
    )
