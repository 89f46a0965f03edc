"""Что хранится и сколько: тексты писем, файлы; конверты — навсегда."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import func, select

from hub.queries import deliveries
from hub.storage import tables
from hub.storage.inbox import InboxState
from tests.kit.story import Firm, Story, Work, terms


async def texts(firm: Firm, work: Work) -> int:
    """How many messages of the hand-off still have their text, sent and received."""

    def count(connection: Any) -> int:
        return sum(
            connection.execute(
                select(func.count())
                .select_from(table)
                .where(table.c.handoff_id == work.id, table.c.data.is_not(None))
            ).scalar_one()
            for table in (tables.outbox, tables.inbox)
        )

    return await firm.look(count)


async def finished(network: Story, *, warranty_days: int = 14) -> tuple[Firm, Firm, Work]:
    """Work that was done, accepted and closed."""
    vendor, partner = await network.company("Касса-Сервис"), await network.company("Мастер-Юг")
    await network.link(
        vendor, partner, counter_offer=terms(as_contractor={"warranty_days": warranty_days})
    )
    work = await vendor.hand_off(await vendor.new_ticket("Скрипит лента"), to=partner)
    await partner.accept(work)
    await partner.say(work, "Выезжаем")
    await partner.resolve(work, "Смазали")
    await vendor.confirm(work, 5)
    await vendor.close(work)
    return vendor, partner, work


async def test_texts_go_after_their_time_and_envelopes_stay(network: Story) -> None:
    vendor, partner, work = await finished(network)
    before = await texts(vendor, work)
    assert before >= 6
    await network.pass_time(days=34)
    assert await texts(vendor, work) == before
    await network.pass_time(days=2)
    for firm in (vendor, partner):
        assert await texts(firm, work) == 0
    letters = await vendor.letters_to(partner)
    assert [one.seq for one in letters] == list(range(1, len(letters) + 1))
    assert all(one.env for one in letters)
    last = [one for one in letters if one.handoff_id == work.id][-1]
    shown = await vendor.look(lambda c: deliveries.show(c, last.id))
    assert shown.payload is None
    assert shown.env == last.env
    # Переписка и заявка при этом никуда не делись.
    assert "Выезжаем" in await (await vendor.ticket_of(work)).texts()


async def test_nothing_goes_while_the_work_goes_on(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Долгий ремонт"), to=partner)
    await partner.accept(work)
    before = await texts(vendor, work)
    await network.pass_time(days=100)
    assert await texts(vendor, work) == before


async def test_nothing_goes_within_the_warranty(network: Story) -> None:
    vendor, partner, work = await finished(network, warranty_days=90)
    before = await texts(partner, work)
    await network.pass_time(days=80)
    assert await texts(partner, work) == before
    await network.pass_time(days=12)
    assert await texts(vendor, work) == await texts(partner, work) == 0


async def test_what_was_said_late_stays_its_own_time(network: Story) -> None:
    vendor, partner, work = await finished(network)
    await network.pass_time(days=20)
    await partner.reply_to_rating(work, "Спасибо за оценку")
    await network.pass_time(days=20)
    assert await texts(vendor, work) == 1
    await network.pass_time(days=17)
    assert await texts(vendor, work) == 0


async def test_nothing_goes_while_a_message_waits_for_a_person(network: Story) -> None:
    vendor, partner, work = await finished(network)

    def park(tx: Any) -> None:
        tx.connection.execute(
            tables.inbox.update()
            .where(tables.inbox.c.handoff_id == work.id, tables.inbox.c.type == "comment.add")
            .values(state=InboxState.PARKED)
        )

    before = await texts(vendor, work)
    await vendor.hub.db.write(park)
    await network.pass_time(days=50)
    assert await texts(vendor, work) == before
    assert await texts(partner, work) == 0

    def settle(tx: Any) -> None:
        tx.connection.execute(
            tables.inbox.update()
            .where(tables.inbox.c.state == InboxState.PARKED)
            .values(state=InboxState.SKIPPED)
        )

    await vendor.hub.db.write(settle)
    await network.pass_time(days=2)
    assert await texts(vendor, work) == 0


async def test_a_great_number_goes_in_portions(network: Story, monkeypatch: Any) -> None:
    monkeypatch.setattr("hub.actions.retention.MESSAGES", 2)
    vendor, _partner, work = await finished(network)
    before = await texts(vendor, work)
    network.clock.advance(days=36)
    left = [before]
    while left[-1]:
        for crank in vendor.cranks:
            await crank.turn()
        left.append(await texts(vendor, work))
        assert 0 < left[-2] - left[-1] <= 2
    assert len(left) > 3


async def test_files_nobody_names_are_collected_and_no_others(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Счёт")
    work = await vendor.hand_off(ticket, to=partner)
    wanted = vendor.paper("счёт.pdf", b"%PDF 1")
    dropped = vendor.paper("черновик.pdf", b"%PDF 2")
    redacted = vendor.paper("не то.pdf", b"%PDF 3")
    await vendor.attach(ticket, wanted, redacted)
    await vendor.take_file_back(ticket, "не то.pdf")
    partial = vendor.hub.blobs.partial("lnk_gone", "x" * 43, 10)
    with partial.writer(start=0) as writer:
        writer.write(b"half")
    now = network.clock.now()
    for firm in (vendor, partner):
        root = firm.settings.files_dir
        for path in (*root.glob("??/*"), *root.glob("partial/*")):
            os.utime(path, (now.timestamp(), now.timestamp()))
    await network.pass_time(days=6)
    assert vendor.hub.blobs.has(dropped.sha256)
    assert partial.have
    await network.pass_time(days=3)
    assert not vendor.hub.blobs.has(dropped.sha256)
    assert not partial.have
    assert vendor.hub.blobs.has(redacted.sha256)
    await network.pass_time(days=30)
    for firm in (vendor, partner):
        assert not firm.hub.blobs.has(redacted.sha256)
        assert firm.hub.blobs.has(wanted.sha256)
    # Кто назовёт собранный файл снова, тот и передаёт его снова.
    again = vendor.paper("опять.pdf", b"%PDF 3")
    await vendor.attach(ticket, again)
    await network.pass_time(hours=1)
    theirs = await partner.ticket_of(work)
    assert await theirs.opens("опять.pdf") == b"%PDF 3"
