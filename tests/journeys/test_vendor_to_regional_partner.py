"""Вендор принимает звонок и отдаёт выезд региональному партнёру."""

from __future__ import annotations

from hub.domain.ticket import Asset, Contact, Priority, Site
from tests.kit.story import Story


async def test_a_partner_repairs_a_cash_register_for_the_vendor(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket(
        "Не печатает чек на кассе № 4",
        description="После замены ленты печатает пустые чеки, очередь стоит.",
        priority=Priority.HIGH,
        contact=Contact(name="Ольга Петровна", phone="+7 863 200-00-00"),
        site=Site(name="Магазин на Садовой", address="Ростов-на-Дону, Б. Садовая, 10"),
        asset=Asset(name="Касса № 4", model="КС-85", serial_number="SN-4477"),
        due_at=network.in_(hours=8),
    )

    work = await vendor.hand_off(ticket, to=partner)
    await work.stands("offered")
    theirs = await partner.ticket_of(work)
    card = await theirs.card()
    assert card.title == "Не печатает чек на кассе № 4"
    assert card.priority == "high"
    assert card.contact is not None
    assert card.contact.phone == "+7 863 200-00-00"
    assert card.site is not None
    assert card.site.address == "Ростов-на-Дону, Б. Садовая, 10"
    assert card.asset is not None
    assert card.asset.serial_number == "SN-4477"
    assert card.due_at == network.in_(hours=8)
    assert await theirs.status() == "new"

    await partner.accept(work, due=network.in_(hours=6), by="Сергей Выездной")
    await work.stands("accepted")
    ours = await vendor.handoff(work)
    assert ours.assignee == "Сергей Выездной"
    assert ours.peer_number == card.number
    assert await ticket.status() == "in_progress"

    await partner.start(work, plan="Выезд после 14:00")
    await partner.say(work, "Выехали, будем через час.")
    await partner.wait_for(
        work, "awaiting_parts", until=network.in_(days=1), stops_clock=True, text="Ждём головку"
    )
    assert await work.both("pend_reason") == "awaiting_parts"
    assert await work.both("stops_clock") is True
    await vendor.say(ticket, "Клиент предупреждён о переносе.")
    assert await theirs.status() == "pending"

    await partner.start(work)
    assert await work.both("pend_reason") is None
    act = partner.paper("акт.pdf", b"%PDF-1.7 act of works")
    await partner.attach(work, act)
    await partner.resolve(work, "Заменена печатающая головка", effort_minutes=75)
    await work.stands("resolved")
    assert await work.both("resolution") == "Заменена печатающая головка"
    assert await work.both("effort_minutes") == 75

    await vendor.confirm(work)
    await vendor.close(work)
    await work.stands("closed")
    said = ["Выехали, будем через час.", "Клиент предупреждён о переносе."]
    assert await ticket.texts() == said
    assert await theirs.texts() == said
    assert await ticket.opens("акт.pdf") == b"%PDF-1.7 act of works"
    assert await vendor.history(work) == await partner.history(work)
    assert await vendor.alarms() == set()
    assert await partner.alarms() == set()
