"""Партнёр просит помощи у третьей линии вендора и получает работу обратно."""

from __future__ import annotations

from tests.kit.story import Story


async def test_the_third_line_answers_and_the_partner_finishes(network: Story) -> None:
    partner, vendor = await network.linked("Мастер-Юг", "Касса-Сервис")
    ticket = await partner.new_ticket(
        "Касса зависает при закрытии смены", description="Прошивка 7.4, повторяется каждый вечер."
    )
    question = await partner.hand_off(ticket, to=vendor)
    await vendor.accept(question, by="Третья линия")
    await vendor.start(question)

    await vendor.wait_for(question, "awaiting_principal", text="Пришлите журнал кассы")
    assert (await partner.handoff(question)).pend_reason == "awaiting_principal"
    log = partner.paper("журнал.txt", "ошибка 0x17 при записи ФН".encode(), "text/plain")
    await partner.say(ticket, "Журнал во вложении.", files=[log])
    theirs = await vendor.ticket_of(question)
    assert await theirs.opens("журнал.txt") == "ошибка 0x17 при записи ФН".encode()

    await vendor.start(question)
    patch = vendor.paper("прошивка.bin", b"\x00\x01firmware 7.4.2", "application/octet-stream")
    await vendor.attach(theirs, patch)
    firmware = await theirs.paper("прошивка.bin")
    await vendor.resolve(question, "Обновите прошивку", attachment_ids=[])
    assert await ticket.opens("прошивка.bin") == b"\x00\x01firmware 7.4.2"
    assert (await ticket.paper("прошивка.bin")).sha256 == firmware.sha256

    await partner.confirm(question, 5, "Помогло с первого раза")
    await partner.close(question)
    await question.stands("closed")
    assert await ticket.status() == "closed"
    assert await theirs.status() == "closed"


async def test_both_directions_of_one_link_work_at_the_same_time(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    visit = await vendor.hand_off(await vendor.new_ticket("Выезд: сканер не читает"), to=partner)
    await partner.accept(visit)
    await partner.start(visit)
    question = await partner.hand_off(await partner.new_ticket("Какой режим у сканера?"), to=vendor)
    async with network.crossing():
        await vendor.accept(question)
        await vendor.resolve(question, "Режим USB-COM")
        await partner.say(visit, "Ждём ответа третьей линии")
        await partner.plan(visit, stage="диагностика")
    await question.stands("resolved")
    await partner.confirm(question)
    await partner.resolve(visit, "Переведён в режим USB-COM")
    await vendor.confirm(visit)
    await visit.stands("confirmed")
    await question.stands("confirmed")
