"""What stands under every comment: how far it is on its way to everybody who is to read it."""

from __future__ import annotations

from typing import Any

from hub.actions import comments, handoffs, tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.queries import tickets as shown
from tests.kit.console import Console
from tests.kit.network import Company, Network


async def handed(ours: Company, to: str) -> Any:
    ticket = await tickets.create(ours.hub, ours.dispatcher, NewTicket("Не печатает чек"))
    wish = OfferHandoff(ticket.id, await ours.link_to(to))
    await handoffs.offer(ours.hub, ours.dispatcher, wish)
    return ticket


def stored(connection: Any) -> list[Any]:
    """Hand-offs of the first ticket."""
    (line,) = shown.page(connection)
    return list(shown.show(connection, line.number).handoffs)


async def say(company: Company, ticket: Any, text: str, **how: Any) -> str:

    how.setdefault("visibility", Visibility.PUBLIC)
    wish = AddComment(ticket.id, text, **how)
    return await comments.add(company.hub, company.dispatcher, wish)


async def marks(company: Company, ticket: Any) -> dict[str, list[str]]:
    view = await company.hub.db.read(lambda connection: shown.show(connection, ticket.number))
    return {one.body: [mark.state for mark in one.marks] for one in view.comments}


async def test_a_comment_is_queued_then_delivered_then_seen(
    consoles: tuple[Console, Console], companies: Network
) -> None:
    ours, theirs = [one.company for one in consoles]
    ticket = await handed(ours, "Мастер-Юг")
    await companies.run_until_idle()
    person = await consoles[0].person("dispatcher")
    await say(ours, ticket, "Выезжайте")
    await say(ours, ticket, "Для нас", visibility=Visibility.INTERNAL)
    assert await marks(ours, ticket) == {"Выезжайте": ["queued"], "Для нас": []}
    assert "Мастер-Юг : в пути" in await person.read(f"/tickets/{ticket.number}")
    await companies.run_until_idle()
    assert await marks(ours, ticket) == {"Выезжайте": ["delivered"], "Для нас": []}
    page = (await person.get(f"/tickets/{ticket.number}")).text
    footer = page.partition('class="marks"')[2].partition("</ul>")[0]
    assert "mark-delivered" in footer
    assert "<time" in footer, "with its time"
    # Whatever the partner says next tells how far it has worked us through.
    (handoff,) = await theirs.hub.db.read(stored)
    await handoffs.act(theirs.hub, theirs.dispatcher, handoff.id, Act.ACCEPT)
    await companies.run_until_idle()
    assert (await marks(ours, ticket))["Выезжайте"] == ["seen"]
    assert "принято их системой" in await person.read(f"/tickets/{ticket.number}")


async def test_a_comment_that_does_not_get_through_says_why_and_is_tried_by_hand(
    consoles: tuple[Console, Console], companies: Network
) -> None:
    ours, theirs = [one.company for one in consoles]
    ticket = await handed(ours, "Мастер-Юг")
    await companies.run_until_idle()
    companies.wire.down.add(theirs.settings.url)
    await say(ours, ticket, "Ау")
    await companies.run_until_idle()
    assert (await marks(ours, ticket))["Ау"] == ["late"]
    lead, engineer = [await consoles[0].person(role) for role in ("lead", "engineer")]
    page = (await lead.get(f"/tickets/{ticket.number}")).text
    footer = page.partition('class="marks"')[2].partition("</footer>")[0]
    assert "peer_unreachable" in footer
    assert "/replay" in footer
    assert "/replay" not in (await engineer.get(f"/tickets/{ticket.number}")).text
    companies.wire.down.clear()
    again = footer.partition('action="')[2].partition('"')[0]
    done = await lead.post(again, {"back": f"/tickets/{ticket.number}"})
    assert done.location == f"/tickets/{ticket.number}"
    away = await lead.post(again, {"back": "https://evil.example/"})
    assert away.location == "/" or away.status != 303, "nobody is led away"
    await companies.run_until_idle()
    assert (await marks(ours, ticket))["Ау"] == ["delivered"]
