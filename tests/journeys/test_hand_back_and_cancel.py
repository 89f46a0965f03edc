"""Работа не доводится до конца: сдали обратно, отозвали, отменили."""

from __future__ import annotations

from tests.kit.story import Story, refused, terms


async def test_the_contractor_hands_the_work_back(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Ремонт банкомата")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    await partner.start(work)
    await partner.hand_back(work, "Нет допуска к банкоматам", work_done="Осмотр", effort_minutes=40)
    await work.stands("handed_back")
    assert await work.both("reason") == "Нет допуска к банкоматам"
    assert await work.both("effort_minutes") == 40
    assert await vendor.alarms() == {"handoff_ended"}
    with refused("wrong_pen"):
        await vendor.cancel(work, "Поздно")
    again = await vendor.hand_off(ticket, to=partner)  # и это новая передача
    assert again.id != work.id
    await again.stands("offered")


async def test_an_offer_is_recalled_before_anybody_answered(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Проверить кассу")
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.recall(work, "Клиент справился сам")
    await work.stands("cancelled")
    assert await (await partner.ticket_of(work)).status() == "cancelled"
    assert await ticket.status() == "new"
    with refused("wrong_pen"):
        await partner.accept(work)


async def test_a_recall_that_meets_the_acceptance_still_ends_the_work(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Проверить кассу"), to=partner)
    async with network.crossing():
        await vendor.recall(work, "Клиент справился сам")
        await partner.accept(work)
    await work.stands("cancelled")  # отмена согласована соглашением: исполнитель отменяет сам
    assert await vendor.history(work) == ["offer", "accept", "cancelled"]


async def test_a_cancel_request_that_meets_the_resolution_is_refused(network: Story) -> None:
    """Письма разошлись: заказчик отменяет, а исполнитель уже закончил."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Проверить кассу"), to=partner)
    await partner.accept(work)
    await partner.start(work)
    async with network.crossing():
        await vendor.cancel(work, "Больше не нужно")
        await partner.resolve(work, "Проверена, исправна")
    await work.stands("resolved")
    refusals = [one for one in await partner.letters_to(vendor) if "refused" in one.type]
    assert [one.type for one in refusals] == ["handoff.cancel_refused"]
    assert '"code":"already_resolved"' in (refusals[0].data or "")
    assert await work.both("request") is None

    await vendor.cancel(work, "Работу видели, но платить не будем")
    await work.stands("cancelled")
    assert await work.both("reason") == "Работу видели, но платить не будем"


async def test_people_weigh_a_cancel_request_and_refuse_it(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    assess = terms(as_contractor={"cancel": "assess", "cancel_assess_hours": 4})
    await network.link(vendor, partner, counter_offer=assess)
    work = await vendor.hand_off(await vendor.new_ticket("Собрать стойку"), to=partner)
    await partner.accept(work)
    await partner.start(work)

    await vendor.cancel(work, "Клиент передумал")
    await work.stands("in_progress")
    assert await partner.alarms() == {"cancel_requested"}
    assert (await partner.handoff(work)).request_deadline == network.in_(hours=4)
    with refused("request_open"):
        await vendor.cancel(work, "Повторно")
    await partner.refuse_cancel(work, "Стойка почти собрана")
    assert await work.both("request") is None
    await work.stands("in_progress")
    await partner.resolve(work, "Собрана")
    await vendor.confirm(work)
    await work.stands("confirmed")


async def test_people_weigh_a_cancel_request_and_grant_it(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, counter_offer=terms(as_contractor={"cancel": "assess"}))
    work = await vendor.hand_off(await vendor.new_ticket("Собрать стойку"), to=partner)
    await partner.accept(work)
    with refused("no_request"):
        await partner.cancel(work, "Никто не просил")
    await vendor.cancel(work, "Клиент передумал")
    await partner.cancel(work, "Успели только разметить пол")
    await work.stands("cancelled")
    assert await work.both("request") is None


async def test_a_cancel_request_nobody_answers_is_granted_at_the_deadline(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    assess = terms(as_contractor={"cancel": "assess", "cancel_assess_hours": 4})
    await network.link(vendor, partner, counter_offer=assess)
    work = await vendor.hand_off(await vendor.new_ticket("Собрать стойку"), to=partner)
    await partner.accept(work)
    await vendor.cancel(work, "Клиент передумал")
    await network.pass_time(hours=3, minutes=59)
    await work.stands("accepted")
    await network.pass_time(minutes=2)
    await work.stands("cancelled")
    assert "cancel_requested" not in await partner.alarms()


async def test_work_finished_before_the_deadline_answers_the_cancel_request(
    network: Story,
) -> None:
    """Пока думали над отменой, работу закончили; срок ответа больше ничего не отменяет."""
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    assess = terms(as_contractor={"cancel": "assess", "cancel_assess_hours": 4})
    await network.link(vendor, partner, counter_offer=assess)
    work = await vendor.hand_off(await vendor.new_ticket("Собрать стойку"), to=partner)
    other = await vendor.hand_off(await vendor.new_ticket("Собрать вторую стойку"), to=partner)
    await partner.accept(work)
    await partner.accept(other)
    await vendor.cancel(work, "Клиент передумал")
    await vendor.cancel(other, "Клиент передумал")
    await partner.resolve(work, "Уже собрана")
    await network.pass_time(hours=5)
    await work.stands("resolved")
    assert await work.both("request") is None
    await other.stands("cancelled")
    await vendor.send_back(work, "Дособирайте")
    await network.pass_time(hours=5)
    await work.stands("rework")
