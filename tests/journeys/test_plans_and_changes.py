"""Когда приедут, кто приедет, к какому сроку; и что меняет сам заказчик."""

from __future__ import annotations

from hub.domain.ticket import Contact, Site
from tests.kit.story import Story, refused, terms


async def test_the_contractor_tells_its_plan(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Замена кассы"), to=partner)
    await partner.accept(work, due=network.in_(hours=6))
    await partner.plan(work, eta=network.in_(hours=2), assignee="Пётр", stage="в пути")
    assert await work.both("eta") == network.in_(hours=2)
    assert await work.both("assignee") == "Пётр"
    await partner.plan(work, eta=network.in_(hours=4), plan="Заедем за деталью")
    assert await work.both("eta") == network.in_(hours=4)
    assert await work.both("stage") == "в пути"
    assert await work.both("plan") == "Заедем за деталью"
    assert await work.both("due_promised") == network.in_(hours=6)
    with refused("wrong_pen"):
        await vendor.plan(work, stage="ждём")
    with refused("nothing_to_change"):
        await partner.plan(work)
    await partner.resolve(work, "Заменена")
    await vendor.confirm(work)
    await vendor.close(work)
    with refused("wrong_pen"):
        await partner.plan(work, stage="поздно")


async def test_the_principal_changes_what_it_owns(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Замена кассы", due_at=network.in_(days=2))
    work = await vendor.hand_off(ticket, to=partner)
    theirs = await partner.ticket_of(work)
    await vendor.change(ticket, priority="urgent", due_at=network.in_(hours=8))
    card = await theirs.card()
    assert card.priority == "urgent"
    assert card.due_at == network.in_(hours=8)
    assert await work.both("due_requested") == network.in_(hours=8)
    await vendor.change(
        ticket,
        description="Касса № 2, второй этаж",
        contact=Contact(name="Охрана", phone="112"),
        site=Site(name="ТЦ «Мега»"),
    )
    card = await theirs.card()
    assert card.description == "Касса № 2, второй этаж"
    assert card.contact == Contact(name="Охрана", phone="112")
    assert card.site == Site(name="ТЦ «Мега»")
    before = len(network.wire.sent)
    await vendor.change(ticket, priority="urgent")  # ничего не изменилось — ничего не ушло
    assert len(network.wire.sent) == before


async def test_a_due_date_that_is_not_disclosed_is_not_promised(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, offer=terms(as_principal={"disclose": {"due": False}}))
    ticket = await vendor.new_ticket("Замена кассы", due_at=network.in_(days=2))
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.change(ticket, title="Замена двух касс", due_at=network.in_(days=1))
    assert (await (await partner.ticket_of(work)).card()).title == "Замена двух касс"
    assert await work.both("due_requested") is None


async def test_the_end_of_work_ends_the_changes(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Замена кассы")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.decline(work, "Не наш профиль", code="out_of_scope")
    before = len(network.wire.sent)
    await vendor.change(ticket, title="Замена кассы у VIP-клиента")
    await vendor.say(ticket, "Пароль от кассы 1234")
    assert len(network.wire.sent) == before
    await (await partner.ticket_of(work)).never_sees("VIP", "1234")
