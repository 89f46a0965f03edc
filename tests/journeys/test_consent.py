"""По договорённости работу передают дальше только с согласия заказчика."""

from __future__ import annotations

from hub.queries import deliveries
from hub.storage import shared
from tests.kit.story import Firm, Story, Work, refused, terms

BRAND, FEDERAL, REGION = "Бренд-Холод", "Федерал-Сервис", "Юг-Сервис"


async def _taken(network: Story) -> tuple[Firm, Firm, Firm, Work]:
    """Заявка бренда принята федералом, который дальше передаёт только с согласия."""
    brand, federal, region = [await network.company(one) for one in (BRAND, FEDERAL, REGION)]
    with_consent = {"subcontracting": "consent"}
    await network.link(
        brand,
        federal,
        offer=terms(as_principal=with_consent),
        counter_offer=terms(as_contractor=with_consent),
    )
    await network.link(federal, region)
    work = await brand.hand_off(await brand.new_ticket("Не холодит витрина"), to=federal)
    await federal.accept(work)
    return brand, federal, region, work


async def _asked(firm: Firm) -> list[str]:
    open_now = await firm.look(deliveries.alerts)
    return [one.kind for one in open_now if one.kind == "consent_asked"]


async def _seen(firm: Firm, work: Work) -> tuple[str | None, str | None]:
    one = await firm.handoff(work)
    return one.consent, one.consent_text


async def _both_hold_the_same(brand: Firm, federal: Firm, work: Work) -> None:
    books = []
    for firm in (brand, federal):
        handoff = await firm.handoff(work)
        tables = await firm.look(lambda c, h=handoff: shared.projection(c, h))
        assert tables == await firm.look(lambda c, h=handoff: shared.replayed(c, h))
        books.append(tables)
    assert books[0] == books[1]


async def test_work_is_handed_on_once_the_principal_has_consented(network: Story) -> None:
    brand, federal, region, work = await _taken(network)
    with refused("consent_missing"):
        await federal.hand_off(work, to=region)

    await federal.ask_consent(work, "Своих людей в Азове нет")
    assert await _seen(brand, work) == ("asked", "Своих людей в Азове нет")
    assert await _asked(brand) == ["consent_asked"]
    with refused("request_open"):
        await federal.ask_consent(work, "Ещё раз")
    with refused("wrong_pen"):  # сам себе никто согласия не даёт
        await federal.consent(work)
    with refused("consent_missing"):
        await federal.hand_off(work, to=region)
    await _both_hold_the_same(brand, federal, work)

    await brand.consent(work, "Только ваши люди", granted=False)
    assert await _seen(federal, work) == ("refused", "Только ваши люди")
    assert await _asked(brand) == []
    with refused("consent_missing"):
        await federal.hand_off(work, to=region)
    with refused("no_request"):
        await brand.consent(work)

    await federal.ask_consent(work, "Мастер с допуском")
    await brand.consent(work)
    assert await _seen(federal, work) == ("granted", None)
    with refused("consent_given"):
        await federal.ask_consent(work, "На всякий случай")
    below = await federal.hand_off(work, to=region)
    await region.accept(below)
    assert [one.status for one in await brand.chain_below(work)] == ["accepted"]
    await _both_hold_the_same(brand, federal, work)


async def test_nobody_but_the_contractor_at_work_asks_for_consent(network: Story) -> None:
    brand, federal, _region, work = await _taken(network)
    with refused("wrong_pen"):
        await brand.ask_consent(work, "Можно?")
    await federal.resolve(work, "Готово")
    with refused("wrong_pen"):
        await federal.ask_consent(work, "Можно?")
