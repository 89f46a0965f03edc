"""Исполнитель пропал: заказчик освобождает заявку, а потом выясняется, что работали оба."""

from __future__ import annotations

from tests.kit.story import Firm, Story, Work, terms


async def _silent_contractor(
    network: Story, **agreed: object
) -> tuple[Firm, Firm, Firm, Work, Work]:
    vendor = await network.company("Касса-Сервис", retry_cap_s=3600)
    silent = await network.company("Мастер-Юг", retry_cap_s=3600)
    other = await network.company("Дон-Техника")
    await network.link(vendor, silent, counter_offer=terms(as_contractor=agreed))
    await network.link(vendor, other)
    ticket = await vendor.new_ticket("Касса горит красным")
    lost = await vendor.hand_off(ticket, to=silent)
    network.cut_off(silent)
    await silent.accept(lost)
    await silent.start(lost)
    await vendor.detach(lost, "Не отвечают, у клиента стоит торговля")
    await lost.principal.handoff(lost)
    again = await vendor.hand_off(ticket, to=other)
    await other.accept(again)
    await other.resolve(again, "Заменён блок питания")
    return vendor, silent, other, lost, again


async def test_both_worked_and_the_late_one_is_called_off(network: Story) -> None:
    vendor, silent, _other, lost, again = await _silent_contractor(network)
    await vendor.confirm(again)
    assert "both_worked" not in await vendor.alarms()
    network.reconnect(silent)
    await network.pass_time(hours=2)
    await lost.stands("cancelled")
    await again.stands("confirmed")
    assert "both_worked" in await vendor.alarms()
    assert (await vendor.handoff(lost)).work_started
    assert await vendor.history(lost) == ["offer", "accept", "start", "cancelled"]


async def test_both_worked_and_the_late_one_insists(network: Story) -> None:
    vendor, silent, _other, lost, again = await _silent_contractor(network, cancel="assess")
    network.reconnect(silent)
    await network.pass_time(hours=2)
    await lost.stands("in_progress")
    refusal = [one for one in await silent.letters_to(vendor) if "refused" in one.type]
    assert '"code":"work_started"' in (refusal[0].data or "")
    assert "both_worked" in await vendor.alarms()
    # Работа пропавшего больше не меняет заявку заказчика: её ведёт второй.
    await silent.resolve(lost, "Тоже заменили блок питания")
    await lost.stands("resolved")
    await vendor.cancel(lost, "Работу уже сделал другой")
    await lost.stands("cancelled")
    await vendor.confirm(again)
    await again.stands("confirmed")


async def test_the_detached_contractor_hears_nothing_new(network: Story) -> None:
    vendor, silent, _other, lost, _again = await _silent_contractor(network, cancel="assess")
    mine = await vendor.ticket_of(lost)
    await vendor.say(mine, "Код от сигнализации 4471")
    network.reconnect(silent)
    await network.pass_time(hours=2)
    await (await silent.ticket_of(lost)).never_sees("Код от сигнализации 4471")
