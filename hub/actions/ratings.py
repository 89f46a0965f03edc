"""Grades of confirmed work, and what the contractor says to them."""

from __future__ import annotations

from collections.abc import Mapping

from hub.actions import announcing, permits, requests, settled
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.domain.rating import check_rating, check_reply
from hub.domain.replay import rating_changes
from hub.domain.webhook import EventType
from hub.ids import HandoffId
from hub.storage import handoffs
from hub.storage.database import Tx


async def rate(
    hub: Hub,
    actor: Actor,
    handoff_id: HandoffId,
    score: int,
    text: str | None = None,
    criteria: Mapping[str, int] | None = None,
) -> int:
    """Rate confirmed work, or revise the rating; the revision number."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        rev = handoff.rating_rev + 1
        check_rating(
            score,
            handoff.state,
            rev,
            by=handoff.party,
            last_rev=handoff.rating_rev,
            criteria=criteria,
        )
        grades = dict(criteria or {}) or None
        members = {"score": score, "text": text, "criteria": grades, "rev": rev}
        data = requests.send_statement(
            tx, hub, handoff, "rating.set", members, now=now, actor=actor
        )
        handoffs.change(tx, handoff_id, **rating_changes(data, rev))
        announcing.of_handoff(tx, hub, EventType.HANDOFF_RATED, handoff, now, rev=rev)
        return rev

    return await hub.db.write(transaction)


async def reply_to_rating(hub: Hub, actor: Actor, handoff_id: HandoffId, text: str) -> int:
    """Say something to the rating we got; the revision number."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        handoff = settled.take_up(tx, handoff_id)
        rev = handoff.rating_reply_rev + 1
        check_reply(
            handoff.state,
            rev,
            by=handoff.party,
            last_rev=handoff.rating_reply_rev,
            rated=handoff.rating_rev > 0,
        )
        members = {"text": text, "at": now, "rev": rev}
        requests.send_statement(tx, hub, handoff, "rating.reply", members, now=now, actor=actor)
        handoffs.change(tx, handoff_id, rating_reply=text, rating_reply_rev=rev)
        announcing.of_handoff(tx, hub, EventType.HANDOFF_RATED, handoff, now, reply_rev=rev)
        return rev

    return await hub.db.write(transaction)
