"""Связь приостановлена с обеих сторон или закрыта, а сказать что-то уже успели."""

from __future__ import annotations

import pytest

from hub.actions import links
from hub.ids import LinkId
from hub.storage import links as kept_links
from hub.storage.links import LinkState
from tests.kit.story import Firm, Story, Work


async def at_work(network: Story, **limits: int) -> tuple[Firm, Firm, Work]:
    vendor = await network.company("Касса-Сервис", **limits)
    partner = await network.company("Мастер-Юг", **limits)
    await network.link(vendor, partner)
    work = await vendor.hand_off(await vendor.new_ticket("Скрипит лента"), to=partner)
    await partner.accept(work)
    return vendor, partner, work


async def suspend(firm: Firm, work: Work) -> None:
    await firm._do(links.suspend(firm.hub, firm.dispatcher, LinkId(work.link)))


async def resume(firm: Firm, work: Work) -> None:
    await firm._do(links.resume(firm.hub, firm.dispatcher, LinkId(work.link)))


async def close(firm: Firm, work: Work) -> None:
    await firm._do(links.close(firm.hub, firm.dispatcher, LinkId(work.link)))


async def states(work: Work, *firms: Firm) -> list[LinkState]:
    return [
        (await firm.look(lambda c: kept_links.get(c, LinkId(work.link)))).state for firm in firms
    ]


async def texts(firm: Firm, work: Work) -> set[str]:
    return set(await (await firm.ticket_of(work)).texts())


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("told", [True, False])
async def test_resumptions_behind_what_both_had_to_say_get_through(
    network: Story, first: int, told: bool
) -> None:
    """`told`: each has heard of the other's suspension; else that waits behind content too."""
    firms = (vendor, partner, work) = await at_work(network)
    one, other = firms[first], firms[1 - first]
    assert isinstance(one, Firm)
    assert isinstance(other, Firm)
    if told:
        async with network.crossing():
            await suspend(vendor, work)
            await suspend(partner, work)
    for firm in (vendor, partner):
        network.cut_off(firm)
        await firm.say(work if firm is partner else await vendor.ticket_of(work), f"Ждёт {firm}")
        if not told:
            await suspend(firm, work)
    for firm in (vendor, partner):
        network.reconnect(firm)
    await network.pass_time(hours=1)
    await resume(one, work)
    await network.pass_time(hours=30)
    assert LinkState.ACTIVE not in await states(work, vendor, partner)
    for firm in (vendor, partner):  # nobody heard a word of the other, and nobody is alarmed
        assert {text for text in await texts(firm, work) if "Ждёт" in text} == {f"Ждёт {firm}"}
        assert await firm.alarms() <= {"link_suspended"}
    await resume(other, work)
    await network.pass_time(minutes=20)
    assert await states(work, vendor, partner) == [LinkState.ACTIVE, LinkState.ACTIVE]
    for firm in (vendor, partner):
        assert {f"Ждёт {vendor}", f"Ждёт {partner}"} <= await texts(firm, work)
        assert await firm.alarms() == set()


@pytest.mark.parametrize(("answer", "batch"), [("resume", 100), ("close", 100), ("close", 2)])
async def test_a_closing_behind_content_is_told_of_to_whoever_suspended(
    network: Story, answer: str, batch: int
) -> None:
    """`batch`: the content before the closing may be more than one call takes."""
    vendor, partner, work = await at_work(network, message_batch=batch)
    await suspend(partner, work)
    for words in ("Раз", "Два", "Три", "Последнее слово"):
        await vendor.say(await vendor.ticket_of(work), words)
    await close(vendor, work)
    await network.pass_time(minutes=20)
    assert "Последнее слово" not in await texts(partner, work)
    assert await partner.alarms() == {"link_closing"}
    await (resume if answer == "resume" else close)(partner, work)
    await network.pass_time(minutes=20)
    assert await states(work, vendor, partner) == [LinkState.CLOSED, LinkState.CLOSED]
    assert "Последнее слово" in await texts(partner, work)
    assert "link_closing" not in await partner.alarms()
