"""Партнёр отказался: заявку предлагают другому."""

from __future__ import annotations

from tests.kit.story import Story


async def test_a_declined_ticket_goes_to_another_partner(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    first = await network.company("Мастер-Юг")
    second = await network.company("Дон-Техника")
    await network.link(vendor, first)
    await network.link(vendor, second)
    ticket = await vendor.new_ticket("Установить терминал")

    no = await vendor.hand_off(ticket, to=first)
    await first.decline(no, "Все инженеры заняты до пятницы", code="capacity")
    await no.stands("declined")
    assert await no.both("reason") == "Все инженеры заняты до пятницы"
    assert await (await first.ticket_of(no)).status() == "cancelled"
    assert await ticket.status() == "new"
    assert await vendor.alarms() == {"handoff_ended"}

    yes = await vendor.hand_off(ticket, to=second)
    assert await vendor.alarms() == {"handoff_ended"}  # предложена, но ещё никем не взята
    await second.accept(yes)
    await yes.stands("accepted")
    assert await vendor.alarms() == set()
    await second.resolve(yes, "Терминал установлен")
    await vendor.say(ticket, "Второй партнёр справился.")
    await vendor.confirm(yes, 5)
    await yes.stands("confirmed")
    await no.stands("declined")
    # Отказавшийся не узнаёт, что было дальше.
    await (await first.ticket_of(no)).never_sees("Второй партнёр справился.", "Дон-Техника")
    await (await second.ticket_of(yes)).never_sees("Мастер-Юг", "Все инженеры заняты")
