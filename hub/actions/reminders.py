"""What the passing of time makes our node do for partners without one: remind, and let run out."""

from __future__ import annotations

from datetime import datetime

from hub.actions import custody, mail_links, settled
from hub.actions.context import Hub
from hub.domain.handoff import State
from hub.domain.reminder import AT_WORK, Stage, due_stage
from hub.ids import HandoffId
from hub.storage import ground, handoffs, links
from hub.storage import mail_links as stored
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link


async def run(hub: Hub) -> None:
    """Do what is due, each in a transaction of its own."""
    now = hub.now()

    def due(connection: Connection) -> list[HandoffId]:
        return [
            handoff_id
            for handoff_id in stored.at_work(connection, AT_WORK)
            if (found := handoffs.find(connection, handoff_id)) is not None
            and _stage(connection, found, now) is not None
        ]

    for handoff_id in await hub.db.read(due):
        await _one(hub, handoff_id, now)


async def _one(hub: Hub, handoff_id: HandoffId, now: datetime) -> None:
    def transaction(tx: Tx) -> None:
        ground.of_handoffs(tx, handoff_id)
        handoff = handoffs.lock(tx, handoff_id)
        link = links.get(tx.connection, handoff.link_id)
        found = _stage(tx.connection, handoff, now)
        if found is None or not link.in_custody or not settled.is_settled(tx, link.id):
            return
        stage, name = found
        stored.remind(tx, handoff_id, name, now)
        if stage is Stage.EXPIRED:
            _expire(tx, hub, link, handoff, now)
        mail_links.write(tx, hub, link, handoff, f"reminder.{stage}", {}, now)

    await hub.db.write(transaction)


def pass_over(tx: Tx, hub: Hub, link: Link, now: datetime) -> None:
    """After a restore: what was due by now was said before it, or is late; it is not said again."""
    for handoff in handoffs.of_link(tx.connection, link.id, only_open=True):
        while (found := _stage(tx.connection, handoff, now)) is not None:
            stage, name = found
            stored.remind(tx, handoff.id, name, now)
            if stage is Stage.EXPIRED:
                _expire(tx, hub, link, handoff, now)


def _stage(connection: Connection, handoff: Handoff, now: datetime) -> tuple[Stage, str] | None:
    return due_stage(
        handoff.state,
        round_=handoff.round,
        offered_at=handoff.offered_at,
        valid_until=handoff.valid_until,
        due=handoff.due_promised or handoff.due_requested,
        clock_stopped=handoff.state is State.PENDING and bool(handoff.stops_clock),
        told=stored.reminded(connection, handoff.id),
        now=now,
    )


def _expire(tx: Tx, hub: Hub, link: Link, handoff: Handoff, now: datetime) -> None:
    """As any contractor's node does with an offer past its time."""
    said = {"from": handoff.state, "code": "expired_offer"}
    message_id = custody.say(
        tx, hub, link.id, "handoff.decline", said, now=now, handoff_id=handoff.id
    )
    mail_links.vouch(tx, link.id, handoff.id, message_id, "rule", {"rule": "expired_offer"}, now)
