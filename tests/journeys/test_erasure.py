"""Стирание личных данных: здесь, у партнёров, по всей цепочке, и что ему мешает."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from typing import Any

import pytest
from sqlalchemy import select, update

from hub import faults
from hub.actions import checkpoints, erasures
from hub.domain.ticket import Contact, Requester
from hub.errors import Conflict, Refused, Unavailable
from hub.queries import erasures as views
from hub.queries.erasures import TicketErasuresView
from hub.storage import tables
from hub.storage.audit import open_alerts
from tests.kit.story import Firm, Story, Ticket, Work

PERSON = "Аграфена-Канарейкина"
"""Stands in everything that is to be erased, and nowhere else."""


async def erase(firm: Firm, what: Ticket | Work, reason: str = "По просьбе человека") -> None:
    ticket = await firm._ours(what)
    await firm._do(erasures.erase(firm.hub, firm.dispatcher, ticket.id, reason))


async def seen(firm: Firm, what: Ticket | Work) -> TicketErasuresView:
    ticket = await firm._ours(what)
    return await firm.look(lambda c: views.show(c, ticket.id))


async def a_ticket_about(firm: Firm) -> Ticket:
    return await firm.new_ticket(
        f"Касса у {PERSON}",
        description=f"{PERSON} просит приехать",
        requester=Requester(name=PERSON),
        contact=Contact(name=PERSON, phone="+7 900 000-00-00"),
    )


async def remembers(firm: Firm) -> list[str]:
    """Tables and files of this company in which the person still is."""

    def look(connection: Any) -> list[str]:
        return [
            table.name
            for table in tables.metadata.sorted_tables
            if any(PERSON in str(row) for row in connection.execute(select(table)))
        ]

    found = await firm.look(look)
    for path in firm.settings.files_dir.rglob("*"):
        if path.is_file() and PERSON.encode() in path.read_bytes():
            found.append(str(path))
    return found


async def worked_on(above: Firm, below: Firm, work: Work) -> None:
    await below.accept(work)
    await below.say(work, f"Звонили, {PERSON} ждёт")
    await above.say(work, f"{PERSON} будет дома")
    paper = above.paper("фото.jpg", f"снимок {PERSON}".encode())
    await above.attach(await above.ticket_of(work), paper)
    await below.resolve(work, f"Сделали, {PERSON} довольна")


async def test_what_names_people_goes_on_both_sides_and_the_peer_confirms(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await worked_on(vendor, partner, work)
    await network.pass_time(minutes=10)
    for firm in (vendor, partner):
        assert {"tickets", "comments", "outbox", "inbox"} <= set(await remembers(firm))
    await erase(vendor, work)
    await network.pass_time(minutes=10)
    for firm in (vendor, partner):
        assert await remembers(firm) == []
        assert (await firm.handoff(work)).state == "resolved"
    shown = (await seen(vendor, work)).erasures[0]
    assert shown.complete_at is not None
    assert [one.peer for one in shown.peers if one.confirmed_at] == ["Мастер-Юг"]
    assert (await seen(partner, work)).erasures[0].asked_by == "Касса-Сервис"
    # Работа и переписка продолжаются: новое — это новое.
    await vendor.confirm(work, 5)
    await partner.say(work, "Спасибо")
    assert "Спасибо" in await (await vendor.ticket_of(work)).texts()


async def test_no_byte_of_it_is_left_on_the_disk(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    if vendor.settings.database.url:
        pytest.skip("the files of a PostgreSQL server are its own")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await vendor.say(work, f"{PERSON}, подробно: " + "адрес и ключи; " * 900)  # over many pages
    await worked_on(vendor, partner, work)
    await erase(vendor, work)
    await network.pass_time(minutes=10)
    for firm in (vendor, partner):
        await firm.hub.db.close()
        path = firm.settings.data / "hub.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        for one in firm.settings.data.rglob("*"):
            if one.is_file():
                content = one.read_bytes()
                assert PERSON.encode() not in content, one
                assert "адрес и ключи".encode() not in content, one
    for firm in (vendor, partner):
        await network.start(firm)
    await network.run_until_idle()


async def test_it_goes_down_the_whole_chain(network: Story) -> None:
    firms = await network.linked("Первая", "Вторая", "Третья", "Четвёртая")
    work = await firms[0].hand_off(await a_ticket_about(firms[0]), to=firms[1])
    levels = [work]
    for above, below in itertools.pairwise(firms[1:]):
        await above.accept(levels[-1])
        levels.append(await above.hand_off(levels[-1], to=below))
    await firms[3].accept(levels[-1])
    await firms[3].say(levels[-1], f"{PERSON} не открывает")
    await network.pass_time(minutes=10)
    assert all([await remembers(firm) for firm in firms])
    await erase(firms[0], work)
    await network.pass_time(minutes=10)
    for firm in firms:
        assert await remembers(firm) == []
    for firm, level in zip(firms[:3], levels, strict=True):
        told = (await seen(firm, level)).erasures[-1].peers
        assert len(told) == 1 and told[0].confirmed_at is not None


async def test_a_file_sent_while_the_same_one_was_erased_is_asked_for_once_more(
    network: Story,
) -> None:
    vendor = await network.company("Касса-Сервис")
    ticket, other = await a_ticket_about(vendor), await vendor.new_ticket("Другая заявка")
    await vendor.attach(ticket, vendor.paper("фото.jpg", PERSON.encode()))
    sent = vendor.paper("фото.jpg", PERSON.encode())  # stored, and not on its ticket yet
    await erase(vendor, ticket)
    with pytest.raises(Unavailable) as refused:
        await vendor.attach(other, sent)
    assert refused.value.code == "file_gone"
    await vendor.attach(other, vendor.paper("фото.jpg", PERSON.encode()))
    assert await other.opens("фото.jpg") == PERSON.encode()


async def test_a_file_that_stands_on_another_ticket_stays_there(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    ticket, other = await a_ticket_about(vendor), await vendor.new_ticket("Другая заявка")
    for one in (ticket, other):
        await vendor.attach(one, vendor.paper("схема.pdf", b"%PDF"))
    await erase(vendor, ticket)
    assert await other.opens("схема.pdf") == b"%PDF"


async def test_an_erasure_that_died_over_its_files_is_finished_later(
    network: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = await network.company("Касса-Сервис")
    ticket = await a_ticket_about(vendor)
    await vendor.attach(ticket, vendor.paper("фото.jpg", PERSON.encode()))

    def die(point: str) -> None:
        if point == "erasure.files_dropped":
            raise RuntimeError(point)

    with monkeypatch.context() as patched:
        patched.setattr(faults, "strike", die)
        with pytest.raises(RuntimeError):
            await erase(vendor, ticket)
    assert (await seen(vendor, ticket)).erasures[0].complete_at is None
    await network.pass_time(minutes=10)
    assert (await seen(vendor, ticket)).erasures[0].complete_at is not None
    assert await remembers(vendor) == []


async def test_a_legal_hold_of_the_peer_delays_and_is_told(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await partner.accept(work)
    theirs = (await partner.ticket_of(work)).id
    await erasures.hold(partner.hub, partner.dispatcher, theirs, "Дело в суде")
    await erase(vendor, work)
    await network.pass_time(minutes=10)
    told = (await seen(vendor, work)).erasures[0].peers[0]
    assert (told.confirmed_at, told.held) == (None, "Дело в суде")
    assert "tickets" in await remembers(partner)
    await partner._do(erasures.release(partner.hub, partner.dispatcher, theirs))
    await network.pass_time(minutes=10)
    told = (await seen(vendor, work)).erasures[0].peers[0]
    assert told.confirmed_at is not None and told.held is None
    assert await remembers(partner) == []


async def test_our_own_hold_forbids_erasing_and_pruning(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await a_ticket_about(vendor)
    work = await vendor.hand_off(ticket, to=partner)
    await partner.decline(work, "Не наш профиль")
    await erasures.hold(vendor.hub, vendor.dispatcher, ticket.id, "Проверка")
    with pytest.raises(Conflict):
        await erase(vendor, ticket)
    await network.pass_time(days=60)
    assert "outbox" in await remembers(vendor)
    await erasures.release(vendor.hub, vendor.dispatcher, ticket.id)
    await network.pass_time(days=2)
    assert "outbox" not in await remembers(vendor)


async def test_what_is_under_way_arrives_first_and_goes_with_the_rest(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await partner.accept(work)
    network.cut_off(partner)
    await vendor.say(work, f"{PERSON} перезвонит")
    await partner.resolve(work, f"{PERSON} всё получила")
    await erase(vendor, work)
    shown = (await seen(vendor, work)).erasures[0]
    assert shown.under_way == 1 and shown.complete_at is None
    assert await remembers(vendor) == ["outbox"]
    network.reconnect(partner)
    await network.pass_time(hours=2)
    assert await remembers(partner) == []
    assert (await seen(vendor, work)).erasures[0].complete_at is not None
    # Его решение разминулось с просьбой: это новое слово, его стирают ещё раз.
    assert (await vendor.handoff(work)).state == "resolved"
    assert set(await remembers(vendor)) <= {"inbox", "handoffs", "handoff_events"}
    await erase(vendor, work)
    await network.pass_time(hours=2)
    assert await remembers(vendor) == await remembers(partner) == []


async def test_a_contractor_has_its_own_words_erased_and_not_the_ticket(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Наша заявка"), to=partner)
    await partner.accept(work)
    await partner.say(work, f"{PERSON} — наш инженер")
    await vendor.say(work, "Ждём вас")
    await erase(partner, work)
    await network.pass_time(minutes=10)
    assert await remembers(vendor) == await remembers(partner) == []
    ours = await vendor.ticket_of(work)
    assert (await ours.card()).title == "Наша заявка"
    assert "Ждём вас" in await ours.texts()


async def test_what_a_contractor_said_is_taken_back_where_it_was_passed_on(
    network: Story,
) -> None:
    brand, vendor, partner = await network.linked("Бренд", "Касса-Сервис", "Мастер-Юг")
    upper = await brand.hand_off(await brand.new_ticket("Касса"), to=vendor)
    await vendor.accept(upper)
    lower = await vendor.hand_off(upper, to=partner)
    await partner.accept(lower)
    await partner.say(lower, f"{PERSON} — наш инженер")
    assert "comments" in await remembers(brand)
    await erase(partner, lower)
    await network.pass_time(minutes=10)
    assert not {"comments", "tickets"} & set(await remembers(brand))
    assert (await (await brand.ticket_of(upper)).card()).title == "Касса"


async def test_checkpoints_find_no_difference_in_what_was_erased(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await partner.accept(work)
    await erase(vendor, work)
    await network.pass_time(minutes=10)
    link = await vendor.link_to("Мастер-Юг")
    await vendor._do(checkpoints.ask(vendor.hub, vendor.dispatcher, link))  # type: ignore[arg-type]
    await network.pass_time(days=3)
    for firm in (vendor, partner):
        assert await firm.look(open_alerts) == []


async def test_only_an_administrator_erases(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    ticket = await a_ticket_about(vendor)
    vendor.dispatcher = type(vendor.dispatcher)("agt_x", "Агент", "dispatcher")
    with pytest.raises(Refused):
        await erase(vendor, ticket)
    assert "tickets" in await remembers(vendor)


@pytest.mark.parametrize("who", [0, 1], ids=["principal", "contractor"])
async def test_a_restore_brings_nothing_back(network: Story, who: int) -> None:
    firms = vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    if vendor.settings.database.url:
        pytest.skip("the backup of this test is a file")
    work = await vendor.hand_off(await a_ticket_about(vendor), to=partner)
    await worked_on(vendor, partner, work)
    await network.pass_time(minutes=10)
    restored = firms[who]
    path = restored.settings.data / "hub.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        backup = connection.serialize()
    await erase(vendor, work)
    await network.pass_time(minutes=10)
    await network.stop(restored)
    for one in path.parent.glob("hub.db-*"):
        one.unlink()
    path.write_bytes(backup)
    await network.start(restored)
    restored.hub.wakes.listen(
        lambda topics: restored.woken.update(topic.partition(":")[0] for topic in topics)
    )
    await restored.hub.db.write(
        lambda tx: tx.connection.execute(update(tables.node).values(held_at=network.clock.now()))
    )
    assert "tickets" in await remembers(restored)
    await network.pass_time(hours=3)
    for firm in firms:
        assert await remembers(firm) == []
    assert (await seen(restored, work)).erasures[0].complete_at is not None
    assert len((await seen(partner, work)).erasures) == 1
    assert (await vendor.letter_types(partner)).count("data.erase") == 1
