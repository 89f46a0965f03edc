"""A middle node's duties: what the principal above hears of the hops below.

The principal's own hand-off with us is its level 1; ours with our contractor is its level 2.
Every hop is told under an id minted for that principal, so two of them cannot compare.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.actions import outgoing, terms
from hub.actions.context import Hub
from hub.domain.chain import Notice, notice_due, own_notice, relayed_notice
from hub.domain.disclosure import notice_view
from hub.domain.handoff import OVER, Party, State
from hub.errors import Refused
from hub.ids import HandoffId, HopId
from hub.protocol.encoding import parse_instant
from hub.storage import handoffs, links
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff, Hop


def upstream_of(tx: Tx, ticket_id: str) -> Handoff | None:
    """The hand-off in which we are the contractor of this ticket and somebody listens, or None."""
    for handoff in handoffs.of_ticket(tx.connection, ticket_id):
        if handoff.party is Party.CONTRACTOR and handoff.state not in OVER - {State.CLOSED}:
            return handoff
    return None


def hop_changed(tx: Tx, hub: Hub, handoff_id: HandoffId, now: datetime) -> None:
    """Tell our principal, if the terms say so, where the hop with our contractor stands."""
    below = handoffs.lock(tx, handoff_id)
    upstream = upstream_of(tx, below.ticket_id)
    if upstream is None:
        return
    peer = links.get(tx.connection, below.link_id)
    notice = own_notice(
        _ref(tx, hub, upstream, below.id, now), below.state, below.since, display=peer.peer_name
    )
    _tell(tx, hub, upstream, notice, now)


def receive_notice(tx: Tx, hub: Hub, below: Handoff, said: dict[str, Any], now: datetime) -> None:
    """Our contractor told of a hop below it: keep it, and pass it on upwards."""
    if below.party is not Party.PRINCIPAL:
        raise Refused("wrong_pen", "Only the contractor tells of the hops below it.")
    above = said.get("above")
    handoffs.put_hop(
        tx,
        Hop(
            id=HopId(said["hop"]),
            handoff_id=below.id,
            above=above,
            level=said["level"],
            role=said["role"],
            display=said.get("display"),
            status=said["status"],
            since=parse_instant(said["since"]),
        ),
    )
    upstream = upstream_of(tx, below.ticket_id)
    if upstream is None:
        return
    received = Notice(
        hop=HopId(said["hop"]),
        above=above,
        level=said["level"],
        role=said["role"],
        status=State(said["status"]),
        since=parse_instant(said["since"]),
        display=said.get("display") or "",
    )
    notice = relayed_notice(
        received,
        hop=_ref(tx, hub, upstream, f"{below.id}/{received.hop}", now),
        above=_ref(tx, hub, upstream, f"{below.id}/{above}" if above else below.id, now),
    )
    _tell(tx, hub, upstream, notice, now)


def _tell(tx: Tx, hub: Hub, upstream: Handoff, notice: Notice, now: datetime) -> None:
    link = links.get(tx.connection, upstream.link_id)
    direction = terms.direction(link, Party.CONTRACTOR)
    if not notice_due(direction) or link.state is links.LinkState.CLOSED:
        return
    outgoing.send(
        tx,
        hub,
        link,
        notice_view(notice, direction, withhold=terms.withheld(upstream)),
        now=now,
        handoff_id=upstream.id,
    )


def _ref(tx: Tx, hub: Hub, upstream: Handoff, below: str, now: datetime) -> HopId:
    known = handoffs.hop_ref(tx.connection, upstream.id, below)
    if known is not None:
        return known
    fresh = HopId(hub.same_id("hop", below.rpartition("/")[2], upstream.id, below))
    handoffs.keep_hop_ref(tx, upstream.id, below, fresh)
    return fresh
