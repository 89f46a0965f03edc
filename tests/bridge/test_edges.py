"""What happens to a ticket over there besides being worked on, and who wins where both act."""

from __future__ import annotations

import pytest

from hub import app
from hub.actions import comments, desks, tickets
from hub.actions.tickets import NewTicket
from hub.bridge.hooks import HookDoor
from hub.domain.ticket import TicketStatus
from hub.storage import desks as stored_desks
from tests.bridge.conftest import Exchange
from tests.connectors.simulators.django_helpdesk import DjangoHelpdesk
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.request_tracker import RequestTracker
from tests.connectors.simulators.roundup import Roundup
from tests.connectors.simulators.webhook import Receiver
from tests.connectors.simulators.zendesk import Zendesk

pytestmark = pytest.mark.one_database


def _written(exchange: Exchange, base: str) -> int:
    return len([url for method, url in exchange.world.asked if method != "GET" and base in url])


async def test_a_change_over_there_is_seen_at_once_by_webhook_and_within_a_minute_without(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    rt = await exchange.desk(firm, RequestTracker(), "customers_desk")
    theirs = await rt.open_ticket("Касса", "x")
    began = exchange.network.clock.now()
    (desk,) = await firm.hub.db.read(stored_desks.everyone)
    door = HookDoor(app.desk_host(firm.hub, exchange.world))
    call = await rt.hook(theirs)
    for _ in range(2):  # it comes twice
        assert await door.take_in(desk.id, call) == 200
    await exchange.settle()
    ticket = await exchange.ticket(firm)
    assert exchange.network.clock.now() == began  # no time passed at all

    # Nobody is believed without the desk's signature, and a stranger learns nothing.
    forged = type(call)(
        call.method, {**call.headers, "x-hub-signature-256": "sha256=00"}, {}, call.body
    )
    assert await door.take_in(desk.id, forged) == 404

    # One that never comes costs the time until the next reading.
    await rt.reply(theirs, "Ответьте", public=True)
    await exchange.pass_time(62)
    assert "Ответьте" in await exchange.said(firm, ticket)


async def test_a_system_that_only_calls_is_believed_by_its_signature_and_in_its_own_order(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    erp = await exchange.desk(firm, Receiver(), "customers_desk")
    (kept,) = await firm.hub.db.read(stored_desks.everyone)
    door = HookDoor(app.desk_host(firm.hub, exchange.world))
    first, second = await erp.open_ticket("Весы", "x"), await erp.open_ticket("Принтер", "x")
    for one in (first, second):
        assert await door.take_in(kept.id, await erp.hook(one)) == 200
    await exchange.settle()
    numbers = [ticket.number for ticket in await exchange.tickets(firm)]
    told = [(await erp.seen(one)).comments[0][0] for one in (first, second)]
    assert [text.rpartition(" ")[2] for text in told] == numbers  # each its own
    early = await erp.hook(first)
    exchange.network.clock.advance(seconds=10)
    await erp.move(first, "resolved")
    late = await erp.hook(first)
    for call in (late, early, late):
        assert await door.take_in(kept.id, call) == 200
    await exchange.settle()
    assert [one.status for one in await exchange.tickets(firm)] == ["resolved", "new"]
    assert len(erp.tickets) == len(await exchange.tickets(firm)) == 2
    assert [len((await erp.seen(one)).comments) for one in (first, second)] == [1, 1]


async def test_a_humans_close_is_not_undone_by_what_crossed_it_on_the_way(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    bank = await exchange.desk(firm, Redmine(), "customers_desk")
    theirs = await bank.open_ticket("Касса", "x")
    await exchange.pass_time()
    ticket = await exchange.ticket(firm)
    # They close it; before we have read that, somebody here sets it to pending.
    await bank.move(theirs, "closed")
    await exchange.change(firm, ticket, status=TicketStatus.PENDING)
    await exchange.settle()  # ours is told at once, no reading is due
    assert (await bank.seen(theirs)).status == bank.words["closed"]
    await exchange.pass_time()
    assert (await bank.seen(theirs)).status == bank.words["closed"]
    assert (await exchange.ticket(firm)).status == "closed"
    # And when our people go on nonetheless, people hear of it and the desk does not.
    await exchange.change(firm, ticket, status=TicketStatus.IN_PROGRESS)
    await exchange.pass_time()
    assert (await bank.seen(theirs)).status == bank.words["closed"]
    assert "desk_ticket" in await exchange.alarms(firm)


async def test_deleted_taken_away_and_merged_tickets_are_followed(exchange: Exchange) -> None:
    firm = await exchange.company("Сервис Плюс")
    rt = await exchange.desk(firm, RequestTracker(), "customers_desk")
    first = await rt.open_ticket("Первая", "x")
    second = await rt.open_ticket("Вторая", "x")
    third = await rt.open_ticket("Третья", "x")
    await exchange.pass_time()
    one, two, three = await exchange.tickets(firm)
    await rt.merge(first, second)
    await rt.delete(third)
    await exchange.pass_time()
    await exchange.pass_time(400)
    states = {pair.ticket_id: pair.state for pair in await exchange.pairs(firm, "request-tracker")}
    assert states[one.id] == "merged"
    assert states[two.id] == "live"
    assert two.number in "".join(await exchange.said(firm, one, "internal"))
    # What is told on a ticket that is there no more goes nowhere, and ours is not closed for it.
    await exchange.say(firm, three, "Есть кто?")
    await exchange.pass_time()
    states = {pair.ticket_id: pair.state for pair in await exchange.pairs(firm, "request-tracker")}
    assert states[three.id] == "gone"
    assert [ticket.status for ticket in await exchange.tickets(firm)] == ["new"] * 3
    assert (await exchange.alarms(firm)).count("desk_ticket") == 2


async def test_one_bad_ticket_waits_alone_and_an_unknown_word_is_shown(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    bank = await exchange.desk(firm, Redmine(), "customers_desk")
    bad, good = await bank.open_ticket("Плохая", "x"), await bank.open_ticket("Хорошая", "x")
    await bank.spoil(bad)
    await exchange.pass_time()
    (ticket,) = await exchange.tickets(firm)
    assert ticket.title == "Хорошая"
    (kept,) = await firm.hub.db.read(stored_desks.everyone)
    assert kept.failing_since is None  # the desk itself is well
    await bank.strange(good)
    bank.remark(bank.tickets[good], "Написано под нашей учётной записью", True, "hub")
    await bank.reply(good, "Живём", public=True)
    await exchange.pass_time()
    assert await exchange.said(firm, ticket) == ["Живём"]
    assert "desk_unknown_words" in await exchange.alarms(firm)
    # Mended over there, it comes by itself.
    bank.tickets[bad].spoiled = False
    await exchange.pass_time(4000)
    assert sorted(one.title for one in await exchange.tickets(firm)) == ["Плохая", "Хорошая"]


async def test_a_contractors_desk_gets_the_ticket_and_says_how_it_goes(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    bank = await exchange.desk(firm, Redmine(), "customers_desk")
    vendor = await exchange.desk(firm, Zendesk(), "vendors_desk")
    theirs = await bank.open_ticket("Касса", "Не печатает")
    await exchange.pass_time()
    ticket = await exchange.ticket(firm)
    await exchange.say(firm, ticket, "между нами", "internal")
    await exchange.say(firm, ticket, "клиенту", "client")

    await desks.send(firm.hub, firm.dispatcher, "zendesk", ticket.id)
    await exchange.pass_time()
    (there,) = vendor.tickets.values()
    assert there.title == "Касса"
    seen = " ".join(text for text, _ in (await vendor.seen(there.id)).comments)
    assert "между нами" not in seen
    assert "клиенту" not in seen
    await vendor.reply(there.id, "Едем", public=True)
    await vendor.move(there.id, "in_progress")
    for _ in range(3):
        await exchange.pass_time(130)
    assert (await exchange.ticket(firm)).status == "in_progress"
    assert [text for text, _ in (await bank.seen(theirs)).comments].count("Едем") == 1
    await vendor.move(there.id, "resolved")
    for _ in range(3):
        await exchange.pass_time(130)
    assert (await exchange.ticket(firm)).status == "in_progress"  # checking it is ours
    assert "desk_ticket" in await exchange.alarms(firm)
    await exchange.change(firm, ticket, status=TicketStatus.RESOLVED)
    for _ in range(2):
        await exchange.pass_time(130)
    assert (await bank.seen(theirs)).status == bank.words["resolved"]
    assert len(vendor.tickets) == len(bank.tickets) == 1


async def test_twenty_alternating_edits_at_each_end_come_to_rest_with_one_message_each(
    exchange: Exchange,
) -> None:
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    bank = await exchange.desk(a, Redmine(), "customers_desk", tell_number=False)
    own = await exchange.desk(b, RequestTracker(), "own_desk", mirror="handoffs")
    theirs = await bank.open_ticket("Касса", "x")
    await exchange.pass_time()
    await exchange.hand_off(a, b.name, await exchange.ticket(a))
    await exchange.pass_time()
    (mirror,) = own.tickets
    await own.move(mirror, "in_progress")
    for _ in range(2):
        await exchange.pass_time()

    messages = exchange.network.wire.calls
    began = len([1 for _base, call in messages if call.target.endswith("/messages")])
    at_bank, at_own = _written(exchange, bank.base), _written(exchange, own.base)
    for n in range(20):
        bank.tickets[theirs].title = f"Касса, правка {n}"
        bank.touched(bank.tickets[theirs], "Set", "petr")
        await own.move(mirror, "pending" if n % 2 else "in_progress")
        if n % 5 == 4:
            await exchange.pass_time()
    for _ in range(4):
        await exchange.pass_time()
    assert (await exchange.ticket(a)).title == (await exchange.ticket(b)).title
    assert own.tickets[mirror].title == "Касса, правка 19"
    assert (await bank.seen(theirs)).status == bank.words["in_progress"]  # a wait is not passed up
    # At rest: whatever was read and written since brought nothing new.
    rest = (_written(exchange, bank.base), _written(exchange, own.base))
    for _ in range(3):
        await exchange.pass_time()
    assert (_written(exchange, bank.base), _written(exchange, own.base)) == rest
    sent = len([1 for _base, call in messages if call.target.endswith("/messages")]) - began
    assert sent <= 40
    assert rest[0] - at_bank <= 20
    assert rest[1] - at_own <= 20
    assert (await exchange.handoff(a, await exchange.ticket(a))).state == "pending"


async def test_notes_cross_only_where_a_rule_says_so(exchange: Exchange) -> None:
    firm = await exchange.company("Сервис Плюс")
    own = await exchange.desk(firm, RequestTracker(), "own_desk", mirror="all", notes="both")
    ticket = await tickets.create(firm.hub, firm.dispatcher, NewTicket(title="Принтер"))
    await exchange.say(firm, ticket, "Ключ у охраны", "internal")
    await exchange.pass_time()
    (there,) = own.tickets.values()
    assert [public for text, public in (await own.seen(there.id)).comments if "Ключ" in text] == [
        False
    ]
    await own.reply(there.id, "Позвонил, ждут", public=False)
    await exchange.pass_time()
    assert "Позвонил, ждут" in await exchange.said(firm, ticket, "internal")
    assert await exchange.said(firm, ticket, "public") == []
    # What our people write down over there becomes a ticket here, once.
    await own.open_ticket("Телефон", "молчит")
    for _ in range(2):
        await exchange.pass_time()
    assert sorted(one.title for one in await exchange.tickets(firm)) == ["Принтер", "Телефон"]
    assert len(own.tickets) == 2


async def test_what_was_corrected_or_taken_back_is_said_over_there_once(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    bank = await exchange.desk(firm, Redmine(), "customers_desk", tell_number=False)
    theirs = await bank.open_ticket("Касса", "x")
    await exchange.pass_time()
    ticket = await exchange.ticket(firm)
    said = await exchange.say(firm, ticket, "Приедем в 10")
    await exchange.settle()
    await comments.edit(firm.hub, firm.dispatcher, said, "Приедем в 12")
    await exchange.settle()
    await comments.redact(firm.hub, firm.dispatcher, said)
    await exchange.settle()
    await exchange.pass_time()
    told = [text for text, _ in (await bank.seen(theirs)).comments]
    assert told[:2] == ["Приедем в 10", "Исправлено:\n\nПриедем в 12"]
    assert len(told) == 3
    # Theirs too: an edited remark of the desk is edited here and told nobody twice.
    remark = bank.remark(bank.tickets[theirs], "Ждём", True, "petr")
    await exchange.pass_time()
    remark.text = "Ждём после двух"
    bank.touched(bank.tickets[theirs], "Edit", "petr")
    await exchange.pass_time()
    assert await exchange.said(firm, ticket) == ["", "Ждём после двух"]
    assert len((await bank.seen(theirs)).comments) == 4


@pytest.mark.parametrize("kind", [RequestTracker, Roundup])
async def test_our_words_on_a_ticket_that_is_over_do_not_open_it_again(
    exchange: Exchange, kind: type[RequestTracker | Roundup]
) -> None:
    firm = await exchange.company("Сервис Плюс")
    bank = await exchange.desk(firm, kind(), "customers_desk", tell_number=False)
    theirs = await bank.open_ticket("Касса", "x")
    await exchange.pass_time()
    ticket = await exchange.ticket(firm)
    await exchange.change(firm, ticket, status=TicketStatus.RESOLVED)
    await exchange.pass_time()
    # These desks open a ticket again for whatever is said on it, whoever says it.
    await exchange.say(firm, ticket, "Спасибо за терпение")
    await exchange.attach(firm, ticket, "акт.pdf", b"%PDF act")
    for _ in range(2):
        await exchange.pass_time()
    assert (await bank.seen(theirs)).status == bank.words["resolved"]
    assert (await exchange.ticket(firm)).status == "resolved"
    # A process that dies behind the words leaves nothing that looks like a wish of theirs.
    exchange.world.trouble = _after_once()
    await exchange.say(firm, ticket, "Всего доброго")
    for _ in range(2):
        await exchange.pass_time(1000)
    assert (await bank.seen(theirs)).status == bank.words["resolved"]
    assert (await exchange.ticket(firm)).status == "resolved"
    # What a person says over there opens it, even where it crosses words of ours.
    await exchange.say(firm, ticket, "Проверьте, пожалуйста")
    await bank.reply(theirs, "Снова не печатает", public=True)
    await bank.move(theirs, "in_progress")
    for _ in range(2):
        await exchange.pass_time()
    assert (await exchange.ticket(firm)).status == "in_progress"
    assert (await bank.seen(theirs)).status == bank.words["in_progress"]


def _after_once():
    """The first writing is done over there, and answered with an error."""
    struck: list[str] = []

    def trouble(method: str, url: str) -> str | None:
        if method in {"GET", "HEAD"} or struck:
            return None
        if "/data/msg" in url:
            return None  # of two writings the second one is what counts
        struck.append(url)
        return "after"

    return trouble


async def test_a_desk_without_a_word_for_it_hears_at_least_whether_it_is_over(
    exchange: Exchange,
) -> None:
    firm = await exchange.company("Сервис Плюс")
    desk = await exchange.desk(firm, DjangoHelpdesk(), "own_desk", mirror="all")
    rt = await exchange.desk(firm, RequestTracker(), "vendors_desk", name="vendor")
    ticket = await tickets.create(firm.hub, firm.dispatcher, NewTicket(title="Принтер"))
    await desks.send(firm.hub, firm.dispatcher, "vendor", ticket.id)
    await exchange.pass_time()
    (there,), (at_vendor,) = desk.tickets.values(), rt.tickets.values()
    await exchange.change(firm, ticket, status=TicketStatus.RESOLVED)
    await exchange.pass_time()
    assert there.status == desk.words["resolved"]
    # It has no "in progress"; that the work goes on it can be told.
    await exchange.change(firm, ticket, status=TicketStatus.IN_PROGRESS)
    for _ in range(2):
        await exchange.pass_time()
    assert there.status == desk.words["open"]
    assert (await exchange.ticket(firm)).status == "in_progress"
    # And Request Tracker has no "closed".
    await exchange.change(firm, ticket, status=TicketStatus.CLOSED)
    for _ in range(2):
        await exchange.pass_time()
    assert there.status == desk.words["closed"]
    assert at_vendor.status == rt.words["resolved"]
    assert (await exchange.ticket(firm)).status == "closed"


async def test_tickets_of_another_queue_are_none_of_ours(exchange: Exchange) -> None:
    firm = await exchange.company("Сервис Плюс")
    desk = await exchange.desk(firm, DjangoHelpdesk(), "customers_desk", tell_number=False)
    rt = await exchange.desk(firm, RequestTracker(), "customers_desk", tell_number=False)
    mine, other = [await desk.open_ticket(title, "x") for title in ("Наша", "Чужая")]
    desk.tickets[other].fields["queue"] = 2
    theirs, foreign = [await rt.open_ticket(title, "x") for title in ("Наша", "Чужая")]
    rt.tickets[foreign].fields["Queue"] = "Own"
    # A webhook tells of whatever happens over there, in any queue.
    kept = await firm.hub.db.read(stored_desks.everyone)
    door = HookDoor(app.desk_host(firm.hub, exchange.world))
    rt_id = next(one.id for one in kept if one.name == "request-tracker")
    for one in (theirs, foreign):
        assert await door.take_in(rt_id, await rt.hook(one)) == 200
    await exchange.pass_time()
    assert [one.title for one in await exchange.tickets(firm)] == ["Наша", "Наша"]
    # Moved to other people, it is followed no further, and moved back it is.
    desk.tickets[mine].fields["queue"] = 2
    rt.tickets[theirs].fields["Queue"] = "Own"
    rt.touched(rt.tickets[theirs], "Set", "petr")
    await exchange.pass_time()
    assert [one.state for one in await exchange.pairs(firm, "django-helpdesk")] == ["away"]
    (pair,) = await exchange.pairs(firm, "request-tracker")
    assert await door.take_in(rt_id, await rt.hook(theirs)) == 200
    await exchange.pass_time()
    (pair,) = await exchange.pairs(firm, "request-tracker")
    assert pair.state == "away"


@pytest.mark.parametrize("kind", [Redmine, Roundup, DjangoHelpdesk])
async def test_a_comment_deleted_over_there_is_taken_back_here_and_at_the_partner(
    exchange: Exchange, kind: type[Redmine | Roundup | DjangoHelpdesk]
) -> None:
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    bank = await exchange.desk(a, kind(), "customers_desk")
    theirs = await bank.open_ticket("Касса", "x")
    await exchange.pass_time()
    ticket = await exchange.ticket(a)
    await exchange.hand_off(a, b.name, ticket)
    await bank.reply(theirs, "Пароль кассы: 1234", public=True)
    await bank.reply(theirs, "Ждём", public=True)
    await exchange.say(a, ticket, "Едем")
    for _ in range(2):
        await exchange.pass_time()
    child = await exchange.ticket(b)
    assert "Пароль кассы: 1234" in await exchange.said(b, child)
    it = bank.tickets[theirs]
    it.remarks = [one for one in it.remarks if "1234" not in one.text]
    bank.touched(it, "Delete", "petr")
    for _ in range(2):
        await exchange.pass_time()
    for firm, one in ((a, ticket), (b, child)):  # that there was one is kept
        assert sorted(await exchange.said(firm, one)) == ["", "Едем", "Ждём"]
    # Nothing of it is told the desk, and what comes later is heard as ever.
    written = _written(exchange, bank.base)
    await bank.reply(theirs, "Ещё ждём", public=True)
    for _ in range(2):
        await exchange.pass_time()
    assert _written(exchange, bank.base) == written
    assert sorted(await exchange.said(b, child)) == ["", "Едем", "Ещё ждём", "Ждём"]
    assert await exchange.alarms(a) == []
