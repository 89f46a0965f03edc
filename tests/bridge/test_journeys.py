"""A ticket of a customer's desk goes all the way and back, in each role a desk can have."""

from __future__ import annotations

from hub.domain.handoff import Act
from tests.bridge.conftest import Exchange
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.request_tracker import RequestTracker


async def test_a_customers_ticket_goes_down_the_chain_into_the_contractors_own_desk_and_back(
    exchange: Exchange,
) -> None:
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    bank = await exchange.desk(a, Redmine(), "customers_desk", company="Банк")
    own = await exchange.desk(b, RequestTracker(), "own_desk", mirror="handoffs")

    # Their ticket becomes ours, and they are told our number.
    theirs = await bank.open_ticket("Касса 7 не печатает", "Чек не выходит, очередь стоит.")
    await bank.put_file(theirs, "фото.jpg", b"\xff\xd8 photo")
    await exchange.pass_time()
    ticket = await exchange.ticket(a)
    assert (ticket.title, ticket.requester.name) == ("Касса 7 не печатает", "petr")
    assert await exchange.papers(a, ticket) == {"фото.jpg": b"\xff\xd8 photo"}
    assert [text for text, _ in (await bank.seen(theirs)).comments] == [
        f"Наш номер: {ticket.number}"
    ]

    # It is handed on, and appears in the contractor's own desk, where somebody takes it.
    hand = await exchange.hand_off(a, "Север Техник", ticket)
    await exchange.pass_time()
    (there,) = own.tickets.values()
    assert there.title == "Касса 7 не печатает"
    assert [one.content for one in there.files or [f for r in there.remarks for f in r.files]] == [
        b"\xff\xd8 photo"
    ]
    await own.move(there.id, "in_progress")
    await exchange.pass_time()
    await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "in_progress"
    assert (await bank.seen(theirs)).status == bank.words["in_progress"]

    # Words go both ways, once.
    await own.reply(there.id, "Выезжаем завтра", public=True)
    await own.reply(there.id, "Только между нами", public=False)
    await bank.reply(theirs, "Ждём после обеда", public=True)
    for _ in range(3):
        await exchange.pass_time()
    said = [text for text, _ in (await bank.seen(theirs)).comments]
    assert said.count("Выезжаем завтра") == 1
    assert [text for text, _ in (await own.seen(there.id)).comments if "Ждём после обеда" in text]
    assert not [text for text in said if "между нами" in text]
    b_ticket = await exchange.ticket(b)
    assert await exchange.said(b, b_ticket, "internal") == []

    # Done, checked, and closed over there by those who asked.
    await own.move(there.id, "resolved")
    await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "resolved"
    await exchange.act(a, hand, Act.CONFIRM, score=5)
    await exchange.pass_time()
    assert (await bank.seen(theirs)).status == bank.words["resolved"]

    # It broke again: they open it, and it comes back to whoever did the work, with the reason.
    await bank.reply(theirs, "Снова не печатает", public=True)
    await bank.move(theirs, "in_progress")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "rework"
    assert there.status == own.words["in_progress"]
    assert [text for text, _ in (await own.seen(there.id)).comments if "вернул" in text.lower()]

    await own.move(there.id, "resolved")
    await exchange.pass_time()
    await exchange.act(a, hand, Act.CONFIRM)
    await exchange.pass_time()
    await bank.move(theirs, "closed")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "closed"
    assert (await exchange.handoff(b, b_ticket)).state == "closed"
    assert [one.status for one in await exchange.tickets(a)] == ["closed"]
    assert len(bank.tickets) == len(own.tickets) == 1
    assert await exchange.alarms(a) == await exchange.alarms(b) == []
