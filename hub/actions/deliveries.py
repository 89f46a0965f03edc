"""What people decide about single messages: try again, or let be."""

from __future__ import annotations

from hub.actions import inbox, outbox, permits, syncing
from hub.actions.context import Actor, Hub
from hub.domain.delivery import DeliveryState
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound
from hub.ids import MessageId
from hub.storage import inbox as received
from hub.storage import outbox as sent
from hub.storage.database import Connection
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.outbox import OutboxRow


async def replay(hub: Hub, actor: Actor, message_id: str) -> MessageId:
    """Try a message again; the id under which it goes on.

    Waiting: its link is tried at once. Refused by the peer: its words are sent as a new
    message. Parked here: it is processed anew. Raises NotFound, Conflict(nothing_to_replay).
    """
    permits.require(actor, Permission.DELIVERIES_WRITE)
    row = await hub.db.read(lambda connection: _stored(connection, message_id))
    if isinstance(row, OutboxRow):
        if row.state is DeliveryState.FAILED:
            return await outbox.resend(hub, row)
        if row.state is DeliveryState.PARKED:
            await outbox.reapply_again(hub, row)
            return row.id
        if row.state in {DeliveryState.QUEUED, DeliveryState.SENT}:
            await outbox.retry_now(hub, row.link_id)
            return row.id
    elif row.state is InboxState.PARKED:
        await inbox.replay(hub, row)
        return row.id
    raise Conflict(
        "nothing_to_replay",
        "This message is '{state}'; there is nothing to repeat.",
        state=row.state,
    )


async def skip(hub: Hub, actor: Actor, message_id: str, reason: str) -> MessageId:
    """Let a refused message of ours be, or set a parked one of a peer aside for good.

    One of ours without a receipt is left out: a tombstone tells the peer so, in a new epoch.
    Raises NotFound, Conflict(not_failed | not_skippable | not_parked).
    """
    permits.require(actor, Permission.DELIVERIES_WRITE)
    row = await hub.db.read(lambda connection: _stored(connection, message_id))
    if isinstance(row, OutboxRow) and row.state in {DeliveryState.QUEUED, DeliveryState.SENT}:
        await syncing.skip(hub, row, actor.ref, reason)
    elif isinstance(row, OutboxRow) and row.state is DeliveryState.PARKED:
        await outbox.leave_out(hub, row, actor.ref, reason)
    elif isinstance(row, OutboxRow):
        await outbox.dismiss(hub, row, actor.ref, reason)
    elif row.state is InboxState.PARKED:
        await inbox.skip(hub, row, actor.ref, reason)
    else:
        raise Conflict(
            "not_parked",
            "Only a message that was put aside can be skipped.",
        )
    return row.id


def _stored(connection: Connection, message_id: str) -> OutboxRow | InboxRow:
    row = sent.find(connection, message_id) or received.find(connection, message_id)
    if row is None:
        raise NotFound("not_found", "There is no message {id}.", id=message_id)
    return row
