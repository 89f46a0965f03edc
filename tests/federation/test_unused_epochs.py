"""An epoch the peer noted down and nobody began must not stop the exchange."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.actions import comments, handoffs, syncing, tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff
from hub.domain.comment import Visibility
from hub.federation.sync import synchronize
from hub.ids import LinkId, TicketId
from hub.storage import comments as stored
from hub.storage import streams
from tests.kit.network import Company, Network


@pytest.fixture
async def pair(network: Network) -> tuple[Company, Company, LinkId]:
    a, b = await network.company("А"), await network.company("Б")
    link_id = LinkId(await network.link(a, b))
    await network.run_until_idle()
    return a, b, link_id


async def _arrives(network: Network, a: Company, b: Company, link_id: LinkId) -> None:
    """Something said at A from now on is heard at B."""
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    wish = AddComment(ticket.id, "Слышно?", Visibility.PUBLIC)
    await comments.add(a.hub, a.dispatcher, wish)
    await network.run_for(minutes=5)
    theirs = [
        one.body
        for line in await b.hub.db.read(lambda c: tickets_of(c))
        for one in await b.hub.db.read(lambda c, line=line: stored.of_ticket(c, line))
    ]
    assert theirs == ["Слышно?"]


def tickets_of(connection: object) -> list[TicketId]:
    from hub.storage import tickets as table

    return [one.id for one in table.page(connection, status=None, before=None, limit=10)]  # type: ignore[arg-type]


async def test_a_sync_of_a_link_that_is_in_use_asks_for_no_epoch(
    network: Network, pair: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = pair
    before = await b.hub.db.read(lambda c: streams.epoch_table(c, link_id, "in"))
    assert await synchronize(a.hub, a.transport, link_id)
    assert await b.hub.db.read(lambda c: streams.epoch_table(c, link_id, "in")) == before
    await _arrives(network, a, b, link_id)


async def test_a_sender_whose_epoch_the_peer_has_superseded_syncs_anew(
    network: Network, pair: tuple[Company, Company, LinkId]
) -> None:
    a, b, link_id = pair
    theirs = await syncing.standing(b.hub, link_id)
    # Another process of A asked for it and died; this one goes on in the epoch before.
    ours, begin = await syncing.propose(a.hub, link_id, theirs, [])
    ours = replace(ours, synced=False)
    await syncing.answer(b.hub, link_id, ours, begin)
    await _arrives(network, a, b, link_id)
