"""Принял, сделал, получил оценку: текст, ответ и пересмотр."""

from __future__ import annotations

from tests.kit.story import Story, refused


async def test_a_rating_its_revision_and_the_replies(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(
        await vendor.new_ticket("Заменить фискальный накопитель"), to=partner
    )
    await partner.accept(work)
    with refused("wrong_pen"):
        await vendor.rate(work, 5)  # оценивать ещё нечего
    await partner.resolve(work, "Накопитель заменён")
    await vendor.confirm(work, 3, "Сделали, но опоздали на два часа", timeliness=2, quality=5)

    assert await work.both("score") == 3
    assert await work.both("rating_text") == "Сделали, но опоздали на два часа"
    assert await work.both("rating_criteria") == {"timeliness": 2, "quality": 5}

    await partner.reply_to_rating(work, "Опоздали из-за перекрытой трассы, фото приложим.")
    assert await work.both("rating_reply") == "Опоздали из-за перекрытой трассы, фото приложим."

    await vendor.rate(work, 4, "Проверили, трасса была перекрыта", timeliness=4, quality=5)
    assert await work.both("score") == 4
    assert await work.both("rating_text") == "Проверили, трасса была перекрыта"
    assert await work.both("rating_rev") == 2

    await partner.reply_to_rating(work, "Спасибо!")
    assert await work.both("rating_reply") == "Спасибо!"
    assert await work.both("rating_reply_rev") == 2
    assert await work.both("rating_criteria") == {"timeliness": 4, "quality": 5}


async def test_only_the_principal_rates_and_only_within_the_scale(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Настроить весы"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Настроены")
    with refused("schema_invalid"):
        await vendor.confirm(work, 6)
    await work.stands("resolved")
    await vendor.confirm(work)
    with refused("wrong_pen"):
        await partner.reply_to_rating(work, "На что отвечать?")
    with refused("wrong_pen"):
        await partner.rate(work, 5)
    with refused("schema_invalid"):
        await vendor.rate(work, 0)
    await vendor.rate(work, 5)
    assert await work.both("score") == 5
