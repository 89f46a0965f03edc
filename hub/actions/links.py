"""What happens to a link after it was agreed: suspend, resume, close, from either side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.actions import announcing, checkpoints, outgoing, permits
from hub.actions import handoffs as handoff_actions
from hub.actions.context import SYSTEM, Actor, Hub
from hub.actions.files import FETCH_TOPIC
from hub.actions.handoffs import Particulars
from hub.domain.disclosure import link_view
from hub.domain.handoff import PEN, Act, Party, State
from hub.domain.permission import Permission
from hub.domain.webhook import EventType
from hub.errors import Conflict
from hub.ids import LinkId
from hub.storage import audit, deliveries, ground, handoffs, links, streams
from hub.storage.database import Tx
from hub.storage.links import Link, LinkState


async def suspend(hub: Hub, actor: Actor, link_id: LinkId, reason: str = "") -> Link:
    """Stop the exchange at once, on our side alone: what people say meanwhile waits."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Link:
        now = hub.now()
        link = agreed(tx, link_id)
        if link.suspended_by_us:
            return link
        view = link_view("link.suspend", {"reason": reason or None})
        outgoing.send(tx, hub, link, view, now=now)
        links.change(tx, link_id, state=LinkState.SUSPENDED, suspended_by_us=True)
        audit.append(
            tx, at=now, actor=actor.ref, event="link.suspended", link=link_id, reason=reason
        )
        _announce(tx, hub, link_id, now)
        return links.get(tx.connection, link_id)

    return await hub.db.write(transaction)


async def resume(hub: Hub, actor: Actor, link_id: LinkId) -> Link:
    """Take our suspension back; the link is active again unless the peer suspended it too."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Link:
        now = hub.now()
        link = agreed(tx, link_id)
        if not link.suspended_by_us:
            raise Conflict("not_suspended", "This link is not suspended by us.")
        if link.keys_call:
            raise Conflict(
                "keys_not_told",
                "{peer} does not know our new keys yet: it is told as soon as it can be reached.",
                hint="hub key list",
                peer=link.peer_name,
            )
        outgoing.send(tx, hub, link, link_view("link.resume", {}), now=now)
        state = LinkState.SUSPENDED if link.suspended_by_peer else LinkState.ACTIVE
        links.change(tx, link_id, state=state, suspended_by_us=False)
        tx.wake(FETCH_TOPIC)
        audit.append(tx, at=now, actor=actor.ref, event="link.resumed", link=link_id)
        streams.forget_speakers(tx, link_id)  # people know now which copy is the right one
        for kind in ("fork", "clone", "keys_revoked", "peer_keys_revoked", "link_closing"):
            audit.resolve_alerts(tx, kind=kind, subject=link_id, at=now)
        _announce(tx, hub, link_id, now)
        return links.get(tx.connection, link_id)

    return await hub.db.write(transaction)


async def close(hub: Hub, actor: Actor, link_id: LinkId, reason: str = "") -> Link:
    """End the relation: whoever holds a hand-off's pen ends it, our tickets are freed."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> Link:
        now = hub.now()
        ground.of_handoffs(tx, whole=link_id)
        link = agreed(tx, link_id)
        if link.suspended_by_us:
            # A closing that waits behind a suspension would never be told.
            links.change(
                tx,
                link_id,
                suspended_by_us=False,
                state=LinkState.SUSPENDED if link.suspended_by_peer else LinkState.ACTIVE,
            )
        # Where everything stood at the end is on record, signed, before it is ended.
        checkpoints.send_in(tx, hub, link, now)
        _end_handoffs(tx, hub, link, reason, now)
        outgoing.send(tx, hub, link, link_view("link.close", {"reason": reason or None}), now=now)
        links.change(tx, link_id, state=LinkState.CLOSED, closed_at=now)
        audit.resolve_alerts(tx, kind="link_closing", subject=link_id, at=now)
        audit.append(tx, at=now, actor=actor.ref, event="link.closed", link=link_id, reason=reason)
        _announce(tx, hub, link_id, now)
        return links.get(tx.connection, link_id)

    return await hub.db.write(transaction)


def agreed(tx: Tx, link_id: LinkId) -> Link:
    """The link, locked, whose agreement is in force. Raises NotFound; Conflict(link_not_active)."""
    link = links.lock(tx, link_id)
    if link.state not in {LinkState.ACTIVE, LinkState.SUSPENDED}:
        raise Conflict(
            "link_not_active",
            "The link with {peer} is '{state}'.",
            peer=link.peer_name,
            state=link.state,
        )
    return link


def _end_handoffs(tx: Tx, hub: Hub, link: Link, reason: str, now: datetime) -> None:
    said = Particulars(reason=reason or "link closed", text=reason or "link closed", code="other")
    for handoff in handoffs.of_link(tx.connection, link.id, only_open=True):
        if PEN[handoff.state] is not handoff.party:
            handoffs.change(tx, handoff.id, detached_at=now)
            handoffs.record(
                tx,
                handoff.id,
                at=now,
                party=handoff.party,
                actor=hub.account.name,
                event="detached",
                facts={"reason": "link closed"},
            )
            continue
        if handoff.party is Party.CONTRACTOR:
            act = Act.DECLINE if handoff.state is State.OFFERED else Act.HAND_BACK
        else:
            act = Act.CANCEL if handoff.state is State.RESOLVED else Act.CLOSE
        handoff_actions.act_in(tx, hub, handoff, act, said, actor=SYSTEM, now=now)


def _announce(tx: Tx, hub: Hub, link_id: LinkId, now: datetime) -> None:
    link = links.get(tx.connection, link_id)
    announcing.announce(tx, hub, EventType.LINK_CHANGED, now, link_id=link_id, state=link.state)


# --- received -------------------------------------------------------------------------------


def receive_suspend(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> None:
    """The peer stopped the exchange for now."""
    if link.state is LinkState.CLOSED:
        return
    links.change(tx, link.id, state=LinkState.SUSPENDED, suspended_by_peer=True)
    outgoing.alarm(
        tx, hub, "link_suspended", link.id, "{peer} suspended the link.", now, peer=link.peer_name
    )
    audit.append(tx, at=now, actor=link.peer_node_id, event="link.suspended", link=link.id)
    _announce(tx, hub, link.id, now)


def receive_resume(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> None:
    """The peer takes its suspension back."""
    if link.state is LinkState.CLOSED:
        return
    state = LinkState.SUSPENDED if link.suspended_by_us else LinkState.ACTIVE
    links.change(tx, link.id, state=state, suspended_by_peer=False)
    deliveries.try_now(tx, link.id)  # what it refused until now
    audit.resolve_alerts(tx, kind="link_suspended", subject=link.id, at=now)
    audit.append(tx, at=now, actor=link.peer_node_id, event="link.resumed", link=link.id)
    tx.wake(outgoing.deliver_topic(link.id))
    tx.wake(FETCH_TOPIC)
    _announce(tx, hub, link.id, now)


def receive_close(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> None:
    """The peer ended the relation: end what we hold, say so, free our tickets."""
    if link.state is not LinkState.CLOSED:
        links.change(tx, link.id, suspended_by_us=False, suspended_by_peer=False)
        link = links.get(tx.connection, link.id)
        _end_handoffs(tx, hub, link, said.get("reason") or "", now)
        outgoing.send(tx, hub, link, link_view("link.close", {}), now=now)
        outgoing.alarm(
            tx, hub, "link_closed", link.id, "{peer} closed the link.", now, peer=link.peer_name
        )
    links.change(
        tx, link.id, state=LinkState.CLOSED, closed_by_peer_at=now, closed_at=link.closed_at or now
    )
    audit.append(tx, at=now, actor=link.peer_node_id, event="link.closed", link=link.id)
    _announce(tx, hub, link.id, now)
