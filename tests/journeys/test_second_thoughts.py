"""What waits for second thoughts, who worked how, who knows of what: on every database."""

from __future__ import annotations

import asyncio

from hub.actions import alarms, holding, outgoing, teams, tickets
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import TicketChanges
from hub.queries import deliveries, held_offers, inside, scorecards
from hub.queries import tickets as shown
from tests.kit.story import Story


async def test_a_held_offer_leaves_once_whoever_lets_it_go(network: Story) -> None:
    ours, theirs = [await network.company(name) for name in ("Сервис Плюс", "Мастер-Юг")]
    await network.link(ours, theirs)
    hub, me = ours.hub, ours.dispatcher
    link = await ours.link_to("Мастер-Юг")
    kept, back = await ours.new_ticket("Касса молчит"), await ours.new_ticket("Сканер молчит")
    goes = await holding.hold(hub, me, OfferHandoff(kept.id, link))
    stays = await holding.hold(hub, me, OfferHandoff(back.id, link))
    assert await holding.take_back(hub, me, stays)
    assert not await holding.take_back(hub, me, stays)
    assert await holding.let_go(hub) is not None  # ещё рано
    network.clock.advance(seconds=10)
    await asyncio.gather(*(holding.let_go(hub) for _ in range(3)))
    await network.run_until_idle()
    ticket = await hub.db.read(lambda c: shown.show(c, kept.id))
    assert [one.id for one in ticket.handoffs] == [goes]
    assert (await hub.db.read(lambda c: shown.show(c, back.id))).handoffs == []
    assert await hub.db.read(lambda c: held_offers.of_ticket(c, kept.id)) == []
    card = await hub.db.read(lambda c: scorecards.of_link(c, link, hub.now()))
    assert (card.offered, card.working, card.grade, card.accepts_in) == (1, 1, None, None)


async def test_attempts_are_kept_alarms_are_known_and_teams_have_tickets(network: Story) -> None:
    ours, theirs = [await network.company(name) for name in ("Сервис Плюс", "Мастер-Юг")]
    await network.link(ours, theirs)
    hub, me = ours.hub, ours.dispatcher
    network.wire.down.add(theirs.settings.url)
    made = await ours.new_ticket("Касса молчит")
    await holding.hold(hub, me, OfferHandoff(made.id, await ours.link_to("Мастер-Юг")))
    network.clock.advance(seconds=10)
    await network.run_until_idle()
    (line,) = await hub.db.read(lambda c: deliveries.page(c, limit=1))
    tries = (await hub.db.read(lambda c: deliveries.show(c, line.id))).tries
    assert [one.together for one in tries] == [1]
    await hub.db.write(lambda tx: outgoing.alarm(tx, hub, "test", "x", "It burns.", hub.now()))
    ids = [one.id for one in await hub.db.read(deliveries.alerts)]
    assert await alarms.acknowledge(hub, me, ids) == len(ids)
    assert await alarms.acknowledge(hub, me, ids) == 0
    assert await hub.db.read(deliveries.unseen) == 0
    team = await teams.add(hub, me, "Смена А", [me.ref])
    await tickets.change(hub, me, made.id, TicketChanges(team=team))
    await teams.change(hub, me, team, "Смена Б", [])
    assert (await hub.db.read(lambda c: inside.by_name(c, made.id))).team_name == "Смена Б"
    await teams.remove(hub, me, team)
    assert (await hub.db.read(lambda c: inside.by_name(c, made.id))).team is None
