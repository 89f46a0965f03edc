"""Цепочка из четырёх компаний: бренд → федеральный сервис → регион → мастер."""

from __future__ import annotations

import itertools

from tests.kit.story import Firm, Story, Work, refused, terms

BRAND, FEDERAL, REGION, MASTER = "Бренд-Холод", "Федерал-Сервис", "Юг-Сервис", "ИП Ветров"


async def _chain(network: Story, *, names: bool = False) -> tuple[list[Firm], list[Work]]:
    """Четыре компании; заявка передана до самого низа и принята на каждом уровне."""
    firms = [await network.company(one) for one in (BRAND, FEDERAL, REGION, MASTER)]
    shown = terms(as_contractor={"disclose": {"subcontractor_names": names}})
    for above, below in itertools.pairwise(firms):
        await network.link(above, below, counter_offer=shown)
    what = await firms[0].new_ticket("Не холодит витрина", description="Магазин № 12")
    works: list[Work] = []
    for above, below in itertools.pairwise(firms):
        works.append(await above.hand_off(works[-1] if works else what, to=below))
        await below.accept(works[-1])
    return firms, works


async def test_the_top_sees_the_whole_chain_without_names(network: Story) -> None:
    (brand, federal, region, master), (first, second, third) = await _chain(network)

    def drawn(hops: list) -> list[tuple[int, str, str | None]]:  # type: ignore[type-arg]
        return [(one.level, one.status, one.display) for one in hops]

    # Федерал сам начал, как только регион принял; регион — как только принял мастер.
    assert drawn(await brand.chain_below(first)) == [
        (2, "in_progress", None),
        (3, "accepted", None),
    ]
    assert drawn(await federal.chain_below(second)) == [(2, "accepted", None)]
    assert drawn(await region.chain_below(third)) == []

    await network.pass_time(hours=3)
    await master.start(third)
    began = network.clock.now()
    await network.pass_time(hours=2)
    level_two, level_three = await brand.chain_below(first)
    assert level_three.status == "in_progress"
    assert level_three.since == began
    assert level_three.above == level_two.id
    assert level_two.above is None

    await master.resolve(third, "Дозаправлен фреон")
    assert drawn(await brand.chain_below(first))[1] == (3, "resolved", None)
    await first.stands("in_progress")  # наверху ничего не решено, пока середина не подтвердила
    await region.confirm(third, 5, "Быстро")
    await region.resolve(second, "Дозаправлен фреон")
    await federal.confirm(second, 4)
    await federal.resolve(first, "Дозаправлен фреон")
    await brand.confirm(first, 5)
    assert drawn(await brand.chain_below(first)) == [(2, "confirmed", None), (3, "confirmed", None)]
    # Ни имён, ни оценок нижних уровней наверху нет.
    top = await brand.ticket_of(first)
    await top.never_sees(REGION, MASTER, "Быстро", third.id, second.id)
    # И внизу не знают, кто наверху.
    await (await master.ticket_of(third)).never_sees(BRAND, FEDERAL, first.id, second.id)
    # Соседние уровни называют один и тот же шаг по-разному: сравнить их нельзя.
    seen_above = {one.id for one in await brand.chain_below(first)}
    seen_below = {one.id for one in await federal.chain_below(second)}
    assert seen_above.isdisjoint(seen_below)


async def test_names_are_shown_where_the_agreement_says_so(network: Story) -> None:
    (brand, federal, _region, master), (first, second, third) = await _chain(network, names=True)
    assert [one.display for one in await brand.chain_below(first)] == [REGION, MASTER]
    assert [one.display for one in await federal.chain_below(second)] == [MASTER]
    await master.say(third, "Уже на месте")
    top = await brand.ticket_of(first)
    (said,) = await top.thread()
    assert said.company == FEDERAL
    assert MASTER not in said.company
    assert REGION in said.author  # имя дальней компании видно, но говорит за всех федерал


async def test_words_and_files_go_up_and_down_and_never_back(network: Story) -> None:
    firms, works = await _chain(network)
    brand, federal, region, master = firms
    first, second, third = works
    tickets = [await brand.ticket_of(first)] + [
        await firm.ticket_of(work) for firm, work in zip(firms[1:], works, strict=True)
    ]

    photo = master.paper("витрина.jpg", b"\xff\xd8 photo of the unit", "image/jpeg")
    await master.say(third, "Утечка на испарителе", files=[photo])
    scheme = brand.paper("схема.pdf", b"%PDF scheme")
    await brand.attach(tickets[0], scheme)
    await region.say(third, "Вопрос только мастеру: ключ у вас?", only_to=third)
    await network.pass_time(seconds=1)  # в один миг двое, не знающие друг о друге, не по порядку
    await federal.say(second, "Клиент ждёт до вечера.")
    await network.pass_time(hours=1)  # файл проходит через каждый уровень

    common = ["Утечка на испарителе", "Клиент ждёт до вечера."]
    for ticket in (tickets[0], tickets[1]):
        assert await ticket.texts() == common
    for ticket in (tickets[2], tickets[3]):
        assert await ticket.texts() == [
            "Утечка на испарителе",
            "Вопрос только мастеру: ключ у вас?",
            "Клиент ждёт до вечера.",
        ]
    for ticket in tickets:
        assert await ticket.papers() == {"витрина.jpg": "available", "схема.pdf": "available"}
        assert await ticket.opens("витрина.jpg") == b"\xff\xd8 photo of the unit"
        assert await ticket.opens("схема.pdf") == b"%PDF scheme"

    # Говорит всегда соседняя компания, даже если слова пришли издалека.
    assert [one.company for one in await tickets[0].thread()] == [FEDERAL, FEDERAL]
    assert (await tickets[0].thread())[0].author == FEDERAL
    # По каждому ребру каждое слово прошло ровно один раз и никогда назад.
    assert (await master.letter_types(region)).count("comment.add") == 1
    assert (await region.letter_types(federal)).count("comment.add") == 1
    assert (await federal.letter_types(brand)).count("comment.add") == 2
    assert (await federal.letter_types(region)).count("comment.add") == 1
    assert (await region.letter_types(master)).count("comment.add") == 2
    assert (await brand.letter_types(federal)).count("comment.add") == 0
    for above, below in itertools.pairwise(firms):
        assert (await above.letter_types(below)).count("file.add") == 1
        assert (await below.letter_types(above)).count("file.add") == 0


async def test_corrections_travel_the_chain_once(network: Story) -> None:
    firms, works = await _chain(network)
    brand, _federal, _region, master = firms
    tickets = [await brand.ticket_of(works[0])] + [
        await firm.ticket_of(work) for firm, work in zip(firms[1:], works, strict=True)
    ]
    act = master.paper("акт.pdf", b"%PDF act with a mistake")
    wrong = await master.say(works[2], "Приехал в 15:00", files=[act])
    await network.pass_time(hours=1)
    await master.rewrite(wrong, "Приехал в 14:00")
    for ticket in tickets:
        assert await ticket.texts() == ["Приехал в 14:00"]
    with refused("not_yours"):
        (theirs,) = await _comments(brand, tickets[0])
        await brand.rewrite(theirs, "Приехал в 16:00")

    await master.take_back(wrong, "Не тот магазин")
    for ticket in tickets:
        assert await ticket.texts() == []
        assert await ticket.papers() == {"акт.pdf": "redacted"}
        await ticket.never_sees("Приехал в 14:00", "Приехал в 15:00")
    with refused("redacted"):
        await master.rewrite(wrong, "Всё-таки тот")

    plan = brand.paper("план.pdf", b"%PDF old plan")
    await brand.attach(tickets[0], plan)
    await network.pass_time(hours=1)
    await brand.take_file_back(tickets[0], "план.pdf", "устарел")
    for ticket in tickets:
        assert (await ticket.papers())["план.pdf"] == "redacted"

    for above, below in itertools.pairwise(firms):
        up, down = await below.letter_types(above), await above.letter_types(below)
        assert [up.count(f"comment.{one}") for one in ("add", "edit", "redact")] == [1, 1, 1]
        assert [down.count(f"comment.{one}") for one in ("add", "edit", "redact")] == [0, 0, 0]
        assert [down.count("file.add"), down.count("file.redact")] == [1, 1]
        assert [up.count("file.add"), up.count("file.redact")] == [0, 0]


async def _comments(firm: Firm, ticket) -> list:  # type: ignore[no-untyped-def, type-arg]
    from hub.storage import comments
    from tests.kit.story import Comment

    found = await firm.look(lambda c: comments.of_ticket(c, ticket.id))
    return [Comment(firm, one.id) for one in found]


async def test_changes_of_the_top_reach_the_bottom(network: Story) -> None:
    firms, works = await _chain(network)
    brand, _federal, _region, master = firms
    top = await brand.ticket_of(works[0])
    await brand.change(
        top,
        title="Не холодит витрина и шкаф",
        priority="urgent",
        due_at=network.in_(hours=5),
    )
    bottom = await (await master.ticket_of(works[2])).card()
    assert bottom.title == "Не холодит витрина и шкаф"
    assert bottom.priority == "urgent"
    assert bottom.due_at == network.in_(hours=5)
    with refused("principal_owns"):
        await master.change(await master.ticket_of(works[2]), title="Всё исправно")


async def test_called_off_at_the_top_is_called_off_at_the_bottom(network: Story) -> None:
    (brand, *_rest), works = await _chain(network)
    await brand.cancel(works[0], "Магазин закрыт")
    for work in works:
        await work.stands("cancelled")
        assert await work.both("request") is None


async def test_called_off_by_people_in_the_middle_goes_on_down(network: Story) -> None:
    """В середине отмену решают люди: их согласие тоже доходит до низа."""
    brand = await network.company(BRAND)
    federal = await network.company(FEDERAL)
    region = await network.company(REGION)
    await network.link(brand, federal, counter_offer=terms(as_contractor={"cancel": "assess"}))
    await network.link(federal, region)
    works = []
    for _ in range(2):
        above = await brand.hand_off(await brand.new_ticket("Не холодит витрина"), to=federal)
        await federal.accept(above)
        below = await federal.hand_off(above, to=region)
        await region.accept(below)
        await brand.cancel(above, "Магазин закрыт")
        await below.stands("accepted")
        works.append((above, below))
    await federal.cancel(works[0][0], "Согласны")
    for work in works[0]:
        await work.stands("cancelled")
    await network.pass_time(hours=25)  # а о второй молчат: срок решил за них
    for work in works[1]:
        await work.stands("cancelled")
