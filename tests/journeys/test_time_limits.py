"""Сроки: гарантия, молчание после «готово», просроченное предложение."""

from __future__ import annotations

from tests.kit.story import Firm, Story, Work, refused, terms


async def _closed(network: Story) -> tuple[Firm, Firm, Work]:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, counter_offer=terms(as_contractor={"warranty_days": 14}))
    work = await vendor.hand_off(await vendor.new_ticket("Течёт холодильная витрина"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Заменён шланг")
    await vendor.confirm(work, 5)
    await vendor.close(work)
    await work.stands("closed")
    return vendor, partner, work


async def test_closed_work_comes_back_within_the_warranty(network: Story) -> None:
    vendor, partner, work = await _closed(network)
    await network.pass_time(days=13, hours=23)
    await vendor.send_back(work, "Снова течёт")
    await work.stands("rework")
    assert await (await partner.ticket_of(work)).status() == "in_progress"
    await partner.resolve(work, "Заменён насос")
    await vendor.confirm(work)
    await vendor.close(work)
    await work.stands("closed")


async def test_after_the_warranty_a_new_ticket_is_needed(network: Story) -> None:
    vendor, _partner, work = await _closed(network)
    await network.pass_time(days=14, minutes=1)
    with refused("warranty_over"):
        await vendor.send_back(work, "Снова течёт")
    await work.stands("closed")


async def test_a_return_in_time_counts_though_it_arrives_late(network: Story) -> None:
    vendor, partner, work = await _closed(network)
    await network.pass_time(days=13, hours=23)
    network.cut_off(partner)
    await vendor.send_back(work, "Снова течёт")
    await network.pass_time(days=2)
    network.reconnect(partner)
    await network.pass_time(hours=1)
    await work.stands("rework")


async def test_silence_after_the_work_is_done_confirms_it(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Поменять лампы"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Поменяли")
    await network.pass_time(hours=71, minutes=59)
    await work.stands("resolved")
    await network.pass_time(minutes=2)
    await work.stands("confirmed")
    assert "confirmed_by_silence" in await vendor.alarms()
    assert await work.both("score") is None
    confirmation = (await vendor.letters_to(partner))[-1]
    assert '"auto":true' in (confirmation.data or "")
    await vendor.rate(work, 2, "Половина не горит")  # оценить можно и потом
    assert await work.both("score") == 2


async def test_silence_confirms_nothing_where_the_agreement_says_never(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    never = terms(as_principal={"auto_accept_after_hours": 0})
    await network.link(vendor, partner, offer=never)
    work = await vendor.hand_off(await vendor.new_ticket("Поменять лампы"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Поменяли")
    await network.pass_time(days=30)
    await work.stands("resolved")


async def test_an_offer_nobody_takes_expires(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Срочный выезд")
    work = await vendor.hand_off(ticket, to=partner, valid_until=network.in_(hours=2))
    await network.pass_time(hours=1, minutes=59)
    await work.stands("offered")
    await network.pass_time(minutes=2)
    await work.stands("declined")
    assert await work.both("reason") == "expired_offer"
    assert await vendor.alarms() == {"handoff_ended"}


async def test_an_offer_that_arrives_too_late_is_declined_at_once(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    network.cut_off(partner)
    ticket = await vendor.new_ticket("Срочный выезд")
    work = await vendor.hand_off(ticket, to=partner, valid_until=network.in_(hours=2))
    with refused("offer_expired"):
        await vendor.hand_off(
            await vendor.new_ticket("Вчерашний"), to=partner, valid_until=network.clock.now()
        )
    await network.pass_time(hours=3)
    network.reconnect(partner)
    await network.pass_time(hours=1)
    await work.stands("declined")
    declined = (await partner.letters_to(vendor))[-1]
    assert '"code":"expired_offer"' in (declined.data or "")
