"""Заявка не ходит по кругу и не уходит глубже, чем позволил первый."""

from __future__ import annotations

from tests.kit.story import Story, refused, terms


async def test_work_that_comes_back_to_its_first_company_is_declined(network: Story) -> None:
    first, second, third = await network.linked("Касса-Сервис", "Мастер-Юг", "Дон-Техника")
    await network.link(third, first)
    one = await first.hand_off(await first.new_ticket("Сложный ремонт"), to=second)
    await second.accept(one)
    two = await second.hand_off(one, to=third)
    await third.accept(two)
    back = await third.hand_off(two, to=first)
    await back.stands("declined")
    answer = [row for row in await first.letters_to(third) if row.type == "handoff.decline"]
    assert '"code":"loop_detected"' in (answer[0].data or "")
    assert "handoff_ended" in await third.alarms()
    await one.stands("in_progress")
    await two.stands("accepted")  # остальная цепочка не пострадала


async def test_a_chain_is_no_longer_than_its_first_company_allows(network: Story) -> None:
    first = await network.company("Касса-Сервис")
    second, third = await network.linked("Мастер-Юг", "Дон-Техника")
    fourth = await network.company("ИП Ветров")
    await network.link(first, second, offer=terms(as_principal={"hop_limit": 2}))
    await network.link(third, fourth)
    one = await first.hand_off(await first.new_ticket("Сложный ремонт"), to=second)
    two = await second.hand_off(one, to=third)
    await two.stands("offered")
    with refused("hop_limit"):
        await third.hand_off(two, to=fourth)


async def test_work_that_may_not_be_handed_on_stays(network: Story) -> None:
    first = await network.company("Касса-Сервис")
    second, third = await network.linked("Мастер-Юг", "Дон-Техника")
    await network.link(first, second, offer=terms(as_principal={"subcontracting": "forbidden"}))
    work = await first.hand_off(await first.new_ticket("Сейф"), to=second)
    await second.accept(work)
    with refused("subcontracting_forbidden"):
        await second.hand_off(work, to=third)


async def test_where_no_notice_is_agreed_the_top_hears_of_no_hop(network: Story) -> None:
    quiet = {"subcontracting": "allowed"}
    first = await network.company("Касса-Сервис")
    second, third = await network.linked("Мастер-Юг", "Дон-Техника")
    await network.link(
        first, second, offer=terms(as_principal=quiet), counter_offer=terms(as_contractor=quiet)
    )
    one = await first.hand_off(await first.new_ticket("Уборка снега"), to=second)
    await second.accept(one)
    two = await second.hand_off(one, to=third)
    await third.accept(two)
    assert await first.chain_below(one) == []
    assert "subcontract.notice" not in await second.letter_types(first)
