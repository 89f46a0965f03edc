"""Узел партнёра лежал неделю: всё пришло, один раз и по порядку, а люди об этом знали."""

from __future__ import annotations

from hub.storage import inbox
from tests.kit.story import Story


async def test_after_a_week_everything_arrives_once_and_in_order(network: Story) -> None:
    vendor = await network.company("Касса-Сервис", retry_cap_s=4 * 3600)
    partner = await network.company("Мастер-Юг", retry_cap_s=4 * 3600)
    await network.link(vendor, partner)
    ticket = await vendor.new_ticket("Ежедневный журнал")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)

    network.cut_off(partner)
    written = []
    for day in range(1, 8):
        written.append(f"Запись вендора за день {day}")
        await vendor.say(ticket, written[-1])
        await partner.say(work, f"Запись партнёра за день {day}")
        await network.pass_time(days=1)
        if day == 1:
            assert "delivery_overdue" in await vendor.alarms()
            assert "delivery_unreachable" not in await vendor.alarms()
    assert "delivery_unreachable" in await vendor.alarms()
    photo = vendor.paper("итог.jpg", b"photo of the week")
    await vendor.attach(ticket, photo)

    network.reconnect(partner)
    await network.pass_time(hours=8)
    theirs = await partner.ticket_of(work)
    assert [one for one in await theirs.texts() if "вендора" in one] == written
    assert [one.partition(" за")[2] for one in await ticket.texts() if "партнёра" in one] == [
        f" день {day}" for day in range(1, 8)
    ]
    assert await theirs.opens("итог.jpg") == b"photo of the week"
    for firm, other in ((vendor, partner), (partner, vendor)):
        sent = await firm.letters_to(other)
        link = await other.link_to(firm.name)
        got = await other.look(lambda c, id_=link: inbox.log_from(c, id_, 1, 1000))
        assert [row.id for row in got] == [row.id for row in sent]
        assert {row.state for row in sent} == {"received"}
    # Связь снова есть: тревога снята, и о следующем молчании расскажут заново.
    assert await vendor.alarms() == set()
    network.cut_off(partner)
    await vendor.say(ticket, "Снова тишина")
    await network.pass_time(hours=30)
    assert "delivery_overdue" in await vendor.alarms()
    network.reconnect(partner)
    await network.pass_time(hours=8)
    assert await vendor.alarms() == set()


async def test_a_lost_answer_repeats_nothing(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Плохая связь")
    work = await vendor.hand_off(ticket, to=partner)
    lost = 0

    def every_second_answer_is_lost(_caller: str, _method: str, _url: str) -> str | None:
        nonlocal lost
        lost += 1
        return "drop_reply" if lost % 2 else None

    network.wire.fault = every_second_answer_is_lost
    await partner.accept(work)
    for n in range(5):
        await vendor.say(ticket, f"Слово {n}")
        await partner.say(work, f"Ответ {n}")
        await network.pass_time(minutes=5)
    network.wire.fault = lambda _caller, _method, _url: None
    await network.pass_time(hours=1)
    theirs = await partner.ticket_of(work)
    expected = sorted([f"Слово {n}" for n in range(5)] + [f"Ответ {n}" for n in range(5)])
    assert sorted(await theirs.texts()) == expected
    assert sorted(await ticket.texts()) == expected
