"""Внутреннее остаётся внутри, клиентское — у клиента, общее — у всех."""

from __future__ import annotations

from tests.kit.story import Story, refused


async def test_internal_and_client_comments_never_leave(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Спорный ремонт")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    paper = vendor.paper("себестоимость.xlsx", b"PK cost")
    hidden = await vendor.say(ticket, "Клиент должник", visibility="internal", files=[paper])
    await vendor.say(ticket, "Уважаемый клиент, едем", visibility="client")
    await partner.say(work, "Вендор опять тянет", visibility="internal")
    await vendor.attach(ticket, vendor.paper("переписка.pdf", b"mail"), visibility="internal")
    quiet = len(network.wire.sent)
    await vendor.rewrite(hidden, "Клиент должник с марта")
    await vendor.take_back(hidden)
    assert len(network.wire.sent) == quiet  # даже факт правки не выходит наружу

    shared = await vendor.say(ticket, "Выезжайте")
    theirs = await partner.ticket_of(work)
    await theirs.never_sees("должник", "Уважаемый", "себестоимость", "переписка")
    await ticket.never_sees("опять тянет")
    await vendor.rewrite(shared, "Выезжайте завтра")
    assert sorted(await theirs.texts()) == ["Вендор опять тянет", "Выезжайте завтра"]
    await vendor.take_back(shared)
    assert await theirs.texts() == ["Вендор опять тянет"]
    with refused("comment_empty"):
        await vendor.say(ticket, "   ")


async def test_a_comment_is_internal_unless_somebody_chose_otherwise(network: Story) -> None:
    from hub.actions import comments

    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Ремонт")
    work = await vendor.hand_off(ticket, to=partner)
    await comments.add(vendor.hub, vendor.dispatcher, comments.AddComment(ticket.id, "Черновик"))
    await network.deliver()
    await (await partner.ticket_of(work)).never_sees("Черновик")


async def test_taking_a_comment_back_takes_its_files_back_on_both_sides(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Ремонт")
    work = await vendor.hand_off(ticket, to=partner)
    wrong = await vendor.say(ticket, "Паспорт", files=[vendor.paper("паспорт.jpg", b"passport")])
    theirs = await partner.ticket_of(work)
    assert await theirs.papers() == {"паспорт.jpg": "available"}
    await vendor.take_back(wrong, "персональные данные")
    assert await theirs.papers() == {"паспорт.jpg": "redacted"}
    assert await ticket.papers() == {"паспорт.jpg": "redacted"}
