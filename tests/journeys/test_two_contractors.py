"""Два исполнителя одной заявки не видят друг друга."""

from __future__ import annotations

from tests.kit.story import Firm, Story, Ticket, Work


async def _two(network: Story) -> tuple[Firm, Ticket, Work, Work]:
    vendor = await network.company("Касса-Сервис")
    mechanic = await network.company("Мастер-Юг")
    electrician = await network.company("Дон-Электро")
    await network.link(vendor, mechanic)
    await network.link(vendor, electrician)
    ticket = await vendor.new_ticket("Открыть новый магазин")
    racks = await vendor.hand_off(ticket, to=mechanic)
    wires = await vendor.hand_off(ticket, to=electrician)
    await mechanic.accept(racks)
    await electrician.accept(wires)
    return vendor, ticket, racks, wires


async def test_contractors_of_one_ticket_do_not_see_each_other(network: Story) -> None:
    vendor, ticket, racks, wires = await _two(network)
    mechanic, electrician = racks.contractor, wires.contractor
    paper = mechanic.paper("стойки.pdf", b"%PDF racks")
    await mechanic.say(racks, "Стойки привезут завтра", files=[paper])
    await mechanic.attach(racks, mechanic.paper("смета.xlsx", b"PK estimate"))
    await electrician.say(wires, "Щит под напряжением")
    await vendor.say(ticket, "Ключи у охраны")
    await vendor.say(ticket, "Пропуск 118 только для механика", only_to=racks)
    await network.pass_time(hours=1)

    left, right = await mechanic.ticket_of(racks), await electrician.ticket_of(wires)
    assert await left.texts() == [
        "Стойки привезут завтра", "Ключи у охраны", "Пропуск 118 только для механика",
    ]  # fmt: skip
    assert await right.texts() == ["Щит под напряжением", "Ключи у охраны"]
    await left.never_sees("Дон-Электро", "Щит под напряжением", wires.id)
    await right.never_sees("Мастер-Юг", "Стойки", "стойки.pdf", "смета.xlsx", "Пропуск", racks.id)
    assert set(await ticket.papers()) == {"стойки.pdf", "смета.xlsx"}


async def test_each_contractor_is_judged_alone(network: Story) -> None:
    vendor, ticket, racks, wires = await _two(network)
    await racks.contractor.resolve(racks, "Стойки собраны")
    await vendor.confirm(racks, 5, "Отлично")
    await vendor.close(racks)
    assert await ticket.status() == "in_progress"  # проводка ещё не готова
    await wires.stands("accepted")
    await wires.contractor.hand_back(wires, "Нет допуска к щиту")
    await wires.stands("handed_back")
    await racks.stands("closed")
    await (await wires.contractor.ticket_of(wires)).never_sees("Отлично", "Стойки собраны")


async def test_one_ticket_is_not_offered_twice_to_the_same_company(network: Story) -> None:
    from tests.kit.story import refused

    vendor, ticket, racks, _wires = await _two(network)
    with refused("duplicate_offer"):
        await vendor.hand_off(ticket, to=racks.contractor)
