"""Work that may be handed on only with the principal's consent: asked and answered on the pages."""

from __future__ import annotations

from hub.actions import handoffs, tickets
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.domain.agreement import AsContractor, AsPrincipal, Offer, Subcontracting
from hub.domain.handoff import Act
from hub.queries import tickets as shown
from tests.kit.console import Console
from tests.kit.network import Network


async def test_whoever_may_not_hand_on_asks_on_the_same_page_and_is_answered(
    companies: Network,
) -> None:
    with_consent = Subcontracting.CONSENT
    terms = Offer(
        as_principal=AsPrincipal(subcontracting=with_consent),
        as_contractor=AsContractor(subcontracting=with_consent),
    )
    top, middle, bottom = [
        await companies.company(name) for name in ("Бренд", "Федерал", "Мастер-Юг")
    ]
    link = await companies.link(top, middle, offer=terms, counter_offer=terms)
    below = await companies.link(middle, bottom)
    made = await tickets.create(top.hub, top.dispatcher, NewTicket("Касса молчит"))
    work = await handoffs.offer(top.hub, top.dispatcher, OfferHandoff(made.id, link))
    await companies.run_until_idle()
    await handoffs.act(middle.hub, middle.dispatcher, work, Act.ACCEPT)
    await companies.run_until_idle()
    number = await middle.hub.db.read(lambda c: shown.show(c, shown.ticket_of(c, work)).number)
    consoles = [await Console.serve(one) for one in (top, middle)]
    above, here = [await one.person("dispatcher") for one in consoles]
    try:
        sheet = await here.get(f"/tickets/{number}/handoff?to={below}")
        assert f"/handoffs/{work}/ask-consent" in sheet.text
        refused = await here.post(f"/tickets/{number}/handoff", {"to": below})
        assert refused.status == 422
        asked = await here.post(f"/handoffs/{work}/ask-consent", {"text": "Своих людей нет"})
        assert asked.location == f"/tickets/{number}"
        await companies.run_until_idle()
        assert "Бренд: спросили, можно ли передать" in await here.read(f"/tickets/{number}")
        question = await above.read(f"/tickets/{made.number}")
        assert "Федерал спрашивает, можно ли передать работу дальше: Своих людей нет" in question
        await above.post(f"/handoffs/{work}/consent", {"granted": "yes"})
        await companies.run_until_idle()
        assert "Бренд разрешает передать работу дальше." in await here.read(f"/tickets/{number}")
        sheet = await here.get(f"/tickets/{number}/handoff?to={below}")
        assert "ask-consent" not in sheet.text
    finally:
        for one in consoles:
            await one.close()
