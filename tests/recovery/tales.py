"""Short stories of two to four companies; each is interrupted at every position by a restore."""

from __future__ import annotations

from typing import Final

from tests.kit.story import Firm, Priority, Story
from tests.recovery.disaster import Tale


async def whole_life(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    ticket = await vendor.new_ticket("Не печатает", description="С утра")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work, by="Иван", due=net.in_(days=2))
    await partner.start(work, plan="Выезд")
    await net.pass_time(minutes=5)
    await partner.resolve(work, "Заменили ролик", effort_minutes=30)
    await vendor.confirm(work, 5, "Отлично")
    await vendor.close(work)


async def rework(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    work = await vendor.hand_off(await vendor.new_ticket("Течёт"), to=partner)
    await partner.accept(work)
    await partner.start(work)
    await partner.wait_for(work, "awaiting_parts", until=net.in_(days=1))
    await net.pass_time(minutes=1)
    await partner.start(work)
    await partner.resolve(work, "Готово")
    await vendor.send_back(work, "Снова течёт")
    await partner.start(work)
    await partner.resolve(work, "Теперь готово")
    await vendor.confirm(work)
    await vendor.close(work)
    await vendor.send_back(work, "Опять")
    await partner.resolve(work, "Всё")


async def decline(_net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    ticket = await vendor.new_ticket("Касса")
    first = await vendor.hand_off(ticket, to=partner)
    await partner.decline(first, "Нет людей", "capacity")
    second = await vendor.hand_off(ticket, to=partner)
    await partner.accept(second)
    await partner.hand_back(second, "Не наше")


async def cancels(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    recalled = await vendor.hand_off(await vendor.new_ticket("Раз"), to=partner)
    await vendor.cancel(recalled, "Передумали")
    going = await vendor.hand_off(await vendor.new_ticket("Два"), to=partner)
    await partner.accept(going)
    await partner.start(going)
    await vendor.cancel(going, "Не надо")
    if (await partner.handoff(going)).request is not None:
        await partner.refuse_cancel(going, "Уже едем")
    await net.pass_time(minutes=1)


async def retract(_net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    work = await vendor.hand_off(await vendor.new_ticket("Свет"), to=partner)
    await partner.accept(work)
    await partner.resolve(work, "Готово")
    await partner.retract(work, "Поспешили")
    await partner.resolve(work, "Теперь правда")


async def consent_and_ratings(_net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    work = await vendor.hand_off(await vendor.new_ticket("Окно"), to=partner)
    await partner.accept(work)
    await partner.ask_consent(work, "Своих стекольщиков нет")
    await vendor.consent(work, "Только не на этот объект", granted=False)
    await partner.ask_consent(work, "А этого мастера?")
    await vendor.consent(work)
    await partner.resolve(work, "Готово")
    await vendor.confirm(work, 3)
    await vendor.rate(work, 4, "Передумали", speed=5)
    await partner.reply_to_rating(work, "Спасибо")
    await vendor.rate(work, 5)
    await partner.reply_to_rating(work, "Большое спасибо")


async def words(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    work = await vendor.hand_off(await vendor.new_ticket("Шум"), to=partner)
    asked = await vendor.say(work, "Когда будете?")
    await vendor.say(work, "Только между нами", visibility="internal")
    answer = await partner.say(work, "Завтра")
    await net.pass_time(minutes=1)
    await vendor.rewrite(asked, "Когда приедете?")
    await vendor.rewrite(asked, "Когда приедете к нам?")
    await partner.take_back(answer, "Ошибка")
    await partner.say(work, "Послезавтра")


async def papers(_net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    ticket = await vendor.new_ticket("Схема", files=[vendor.paper("план.pdf", b"plan")])
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.say(ticket, "Вот ещё", files=[vendor.paper("фото.jpg", b"photo")])
    await partner.attach(work, partner.paper("акт.pdf", b"act"))
    await vendor.attach(ticket, vendor.paper("лишнее.pdf", b"too much"))
    await vendor.take_file_back(ticket, "лишнее.pdf")
    await partner.accept(work)


async def changes(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    ticket = await vendor.new_ticket("Лифт", description="Стоит")
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.change(ticket, title="Лифт стоит", priority=Priority.HIGH)
    await partner.accept(work)
    await partner.plan(work, eta=net.in_(hours=3), stage="в пути")
    await vendor.change(ticket, title="Лифт поехал", due_at=net.in_(days=1))
    await partner.plan(work, stage="на месте", assignee="Пётр")
    await vendor.change(ticket, title="Лифт стоит")


async def detached(net: Story, firms: list[Firm]) -> None:
    vendor, partner = firms
    ticket = await vendor.new_ticket("Молчат")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    await partner.start(work)
    await vendor.detach(work, "Не отвечают")
    await net.pass_time(minutes=1)
    again = await vendor.hand_off(ticket, to=partner)
    await partner.accept(again)


async def closed(_net: Story, firms: list[Firm]) -> None:
    from hub.actions import links

    vendor, partner = firms
    offered = await vendor.hand_off(await vendor.new_ticket("Первая"), to=partner)
    done = await vendor.hand_off(await vendor.new_ticket("Вторая"), to=partner)
    await partner.accept(done)
    await partner.resolve(done, "Готово")
    await vendor.say(offered, "Ждём")
    await links.suspend(vendor.hub, vendor.dispatcher, done.link, "пауза")
    await vendor.network.deliver()
    await links.resume(vendor.hub, vendor.dispatcher, done.link)
    await vendor.network.deliver()
    await links.close(vendor.hub, vendor.dispatcher, done.link, "конец")
    await vendor.network.deliver()


async def many(net: Story, firms: list[Firm]) -> None:
    """Numbers go on in both companies, and letters cross."""
    vendor, partner = firms
    works = [
        await vendor.hand_off(await vendor.new_ticket(f"Заявка {n}"), to=partner) for n in range(3)
    ]
    async with net.crossing():
        await vendor.say(works[0], "Раз")
        await partner.accept(works[0])
        await partner.say(works[1], "Два")
        await vendor.cancel(works[1], "Не надо")
    await partner.accept(works[2])
    own = await partner.hand_off(await partner.new_ticket("Обратно"), to=vendor)
    await vendor.accept(own)


async def chain(net: Story, firms: list[Firm]) -> None:
    brand, federal, region, master = firms
    top = await brand.new_ticket("Холодильник", description="Не морозит")
    first = await brand.hand_off(top, to=federal)
    await federal.accept(first)
    second = await federal.hand_off(first, to=region)
    third = await region.hand_off(second, to=master)
    await master.accept(third)
    await region.accept(second)
    asked = await brand.say(top, "Когда?")
    answer = await master.say(third, "В три", files=[master.paper("вид.jpg", b"view")])
    await net.pass_time(minutes=2)
    await brand.rewrite(asked, "Когда точно?")
    await brand.change(top, title="Холодильник не морозит")
    await master.start(third)
    await master.take_back(answer)
    await region.say(second, "Мастер на месте")
    await brand.attach(top, brand.paper("паспорт.pdf", b"passport"))
    await master.resolve(third, "Заправил")
    await region.confirm(third, 5)
    await region.resolve(second, "Заправлен")
    await federal.send_back(second, "Проверьте ещё раз")
    await region.resolve(second, "Проверили")
    await federal.confirm(second)
    await federal.resolve(first, "Работает")
    await brand.confirm(first, 4)


async def chain_called_off(net: Story, firms: list[Firm]) -> None:
    brand, federal, region, master = firms
    top = await brand.new_ticket("Печь")
    first = await brand.hand_off(top, to=federal)
    await federal.accept(first)
    second = await federal.hand_off(first, to=region)
    await region.accept(second)
    third = await region.hand_off(second, to=master)
    await master.accept(third)
    await brand.cancel(first, "Купили новую")
    await net.pass_time(hours=1)
    if (await federal.handoff(first)).request is not None:
        await federal.cancel(first, "Хорошо")


PAIRS: Final[tuple[Tale, ...]] = (
    whole_life,
    rework,
    decline,
    cancels,
    retract,
    consent_and_ratings,
    words,
    papers,
    changes,
    detached,
    closed,
    many,
)
CHAINS: Final[tuple[Tale, ...]] = (chain, chain_called_off)
