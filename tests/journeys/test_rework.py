"""Работу вернули на доработку: второй круг, и только потом приёмка."""

from __future__ import annotations

from tests.kit.story import Story, refused


async def test_returned_work_goes_a_second_round(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Скрипит лента кассы"), to=partner)
    await partner.accept(work)
    await partner.start(work)
    await partner.resolve(work, "Смазали ролики", effort_minutes=30)

    await vendor.send_back(work, "Скрипит по-прежнему, послушайте запись")
    await work.stands("rework")
    assert await work.both("round") == 1
    assert await work.both("reason") == "Скрипит по-прежнему, послушайте запись"
    assert await work.both("resolved_at") is None
    with refused("wrong_pen"):
        await vendor.confirm(work)  # сейчас перо у исполнителя

    await partner.start(work)
    await partner.resolve(work, "Заменили подшипник", effort_minutes=90)
    assert await work.both("resolution") == "Заменили подшипник"
    await vendor.confirm(work, 4, "Со второго раза")
    await work.stands("confirmed")

    await vendor.send_back(work, "Через день заскрипело опять")
    await work.stands("rework")
    assert await work.both("round") == 2
    await partner.resolve(work, "Заменили привод целиком")
    await vendor.confirm(work, 3, "С третьего раза")
    await vendor.close(work)
    await work.stands("closed")
    assert await work.both("score") == 3
    assert await vendor.history(work) == await partner.history(work)


async def test_the_contractor_takes_its_resolution_back(network: Story) -> None:
    """Исполнитель поторопился с «готово» и просит вернуть заявку."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Обновить прошивку"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Обновлено")
    await partner.retract(work, "Забыли вторую кассу")
    await work.stands("rework")
    assert await work.both("reason") == "Забыли вторую кассу"
    assert await work.both("request") is None
    await partner.resolve(work, "Обновлены обе кассы")
    await vendor.confirm(work)
    await work.stands("confirmed")


async def test_a_retraction_that_meets_the_confirmation_is_refused(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Обновить прошивку"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Обновлено")
    async with network.crossing():
        await partner.retract(work, "Забыли вторую кассу")
        await vendor.confirm(work, 5)
    await work.stands("confirmed")
    assert (await partner.handoff(work)).request is None
    assert "retract_refused" in await partner.heard(work)
