"""Компания без публичного адреса: звонит всегда она, а работа идёт в обе стороны."""

from __future__ import annotations

import itertools

from hub.actions import runs
from hub.storage import links as stored_links
from tests.kit.story import Story


def _called(network: Story, base: str) -> list[str]:
    """Everything anybody called at this address."""
    return [call.target for at, call in network.wire.calls if at == base]


async def test_work_goes_both_ways_though_one_side_cannot_be_called(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг", outbound_only={"Мастер-Юг"})
    ticket = await vendor.new_ticket("Не печатает чек")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work, by="Иван")
    await partner.start(work)
    await partner.say(work, "Нужен ролик")
    await vendor.say(ticket, "Ролик на складе")
    await partner.resolve(work, "Заменили ролик")
    await vendor.confirm(work, 5)
    await vendor.close(work)
    await work.stands("closed")
    assert await ticket.texts() == ["Нужен ролик", "Ролик на складе"]

    back = await partner.hand_off(await partner.new_ticket("Ошибка в прошивке"), to=vendor)
    await vendor.decline(back, "Нет людей", "capacity")
    await back.stands("declined")
    assert _called(network, partner.settings.url) == []


async def test_files_go_both_ways(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг", outbound_only={"Мастер-Юг"})
    ticket = await vendor.new_ticket("Не печатает чек")
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.attach(ticket, vendor.paper("схема.pdf", b"%PDF scheme"))
    await partner.accept(work)
    theirs = await partner.ticket_of(work)
    photo = bytes(range(256)) * 10_000  # two and a half parts
    await partner.attach(theirs, partner.paper("фото.jpg", photo, "image/jpeg"))
    assert await theirs.opens("схема.pdf") == b"%PDF scheme"
    assert await ticket.opens("фото.jpg") == photo
    assert "file.status" in await vendor.letter_types(partner)


async def test_an_address_is_part_of_the_agreement_and_its_absence_too(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг", outbound_only={"Мастер-Юг"})
    (theirs,) = await vendor.look(stored_links.everyone)
    (ours,) = await partner.look(stored_links.everyone)
    assert (theirs.collects, ours.collects) == (True, False)
    assert theirs.agreement == ours.agreement
    assert partner.settings.url not in (ours.agreement or "")


async def test_lost_and_doubled_calls_lose_nothing_and_double_nothing(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг", outbound_only={"Мастер-Юг"})
    turns = itertools.cycle(["drop_reply", None, "duplicate", "drop_request", None])
    network.wire.fault = lambda _caller, _method, _url: next(turns)
    ticket = await vendor.new_ticket("Не печатает чек")
    work = await vendor.hand_off(ticket, to=partner)
    await network.pass_time(minutes=10)
    await partner.accept(work)
    for n in range(6):
        await (vendor if n % 2 else partner).say(work, f"Слово {n}")
        await network.pass_time(minutes=5)
    await network.pass_time(minutes=30)
    network.wire.fault = lambda _caller, _method, _url: None
    await network.pass_time(minutes=5)
    assert await ticket.texts() == [f"Слово {n}" for n in range(6)]
    assert await (await partner.ticket_of(work)).texts() == await ticket.texts()
    assert not await vendor.alarms()


async def test_either_side_may_be_started_anew_at_any_moment(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг", outbound_only={"Мастер-Юг"})
    ticket = await vendor.new_ticket("Не печатает чек")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    for n, firm in enumerate((vendor, partner, vendor, partner)):
        async with network.crossing():
            await vendor.say(ticket, f"От нас {n}")
            await partner.say(work, f"От них {n}")
            await runs.begin(firm.hub)
        await network.pass_time(minutes=5)
    words = {f"От {who} {n}" for who in ("нас", "них") for n in range(4)}
    for side in (ticket, await partner.ticket_of(work)):
        said = await side.texts()
        assert (set(said), len(said)) == (words, 8)
    heard = [row.seq for row in await vendor.letters_to(partner)]
    assert heard == list(range(1, len(heard) + 1))
