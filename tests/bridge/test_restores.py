"""A node goes back to its backup: the desks still know everything, and nothing is made twice."""

from __future__ import annotations

from hub.domain.handoff import Act
from hub.storage import resets
from tests.bridge.conftest import Exchange
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.request_tracker import RequestTracker
from tests.kit.copies import Copy, copy_of, put_back
from tests.kit.network import Company


async def _restored(exchange: Exchange, company: Company, backup: Copy) -> None:
    """As `hub backup restore` leaves it, and started."""
    await exchange.network.stop(company)
    await put_back(company, backup)
    await exchange.network.start(company)
    await company.hub.db.write(lambda tx: resets.begin_anew(tx, company.hub.now()))
    await exchange.network.stop(company)
    await exchange.network.start(company)
    exchange.put_to_work(company)
    for _ in range(6):
        await exchange.pass_time(400)


def _lines(texts: list[str]) -> list[str]:
    return sorted(line for text in texts for line in text.splitlines() if line.startswith("слово"))


async def test_what_came_since_the_backup_is_known_again_after_a_restore(
    exchange: Exchange,
) -> None:
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    bank = await exchange.desk(a, Redmine(), "customers_desk")
    old = await bank.open_ticket("Старая", "x")
    await exchange.pass_time()
    (known,) = await exchange.tickets(a)
    await exchange.hand_off(a, b.name, known)
    await exchange.pass_time()
    backup = await copy_of(a)

    # Words and files on a ticket of before, and two tickets since: one is handed on, one is not.
    await bank.reply(old, "слово о старой", public=True)
    await bank.put_file(old, "старая.jpg", b"old photo")
    passed_on = await bank.open_ticket("Новая, дальше", "y")
    await bank.put_file(passed_on, "новая.jpg", b"new photo")
    kept = await bank.open_ticket("Новая, наша", "z")
    await exchange.pass_time()
    second, third = [one for one in await exchange.tickets(a) if one.number != known.number]
    hand = await exchange.hand_off(a, b.name, second)
    await bank.reply(passed_on, "слово о новой", public=True)
    await exchange.pass_time()
    await exchange.say(b, (await exchange.tickets(b))[1], "слово в ответ")
    await exchange.pass_time()
    numbers = {one.title: one.number for one in await exchange.tickets(a)}
    before = {one: (await bank.seen(one)) for one in (old, passed_on, kept)}

    await _restored(exchange, a, backup)

    assert {one.title: one.number for one in await exchange.tickets(a)} == numbers
    assert len(await exchange.tickets(a)) == 3
    assert len(await exchange.tickets(b)) == 2
    assert {one: (await bank.seen(one)) for one in (old, passed_on, kept)} == before
    here = {one.number: one for one in await exchange.tickets(a)}
    assert _lines(await exchange.said(a, here[known.number])) == ["слово о старой"]
    found = here[second.number]
    assert _lines(await exchange.said(a, found)) == ["слово в ответ", "слово о новой"]
    assert await exchange.papers(a, here[known.number]) == {"старая.jpg": b"old photo"}
    assert await exchange.papers(a, found) == {"новая.jpg": b"new photo"}
    for child in await exchange.tickets(b):
        assert len(await exchange.papers(b, child)) == 1
    said = [line for one in await exchange.tickets(b) for line in await exchange.said(b, one)]
    assert _lines(said) == ["слово в ответ", "слово о новой", "слово о старой"]

    # And it goes on, both ways, with each of them.
    for one in (old, passed_on, kept):
        await bank.reply(one, f"слово после, {one}", public=True)
    await exchange.act(b, hand, Act.ACCEPT)
    await exchange.say(a, here[third.number], "слово отсюда")
    for _ in range(2):
        await exchange.pass_time()
    for number, there in ((known.number, old), (second.number, passed_on), (third.number, kept)):
        assert f"слово после, {there}" in _lines(await exchange.said(a, here[number]))
    assert _lines([text for text, _ in (await bank.seen(kept)).comments]) == [
        "слово отсюда",
        f"слово после, {kept}",
    ]
    assert len(bank.tickets) == len(await exchange.tickets(a)) == 3


async def test_what_was_mirrored_since_the_backup_is_found_over_there_by_its_marker(
    exchange: Exchange,
) -> None:
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    bank = await exchange.desk(a, Redmine(), "customers_desk", tell_number=False)
    own = await exchange.desk(b, RequestTracker(), "own_desk", mirror="handoffs")
    backup = await copy_of(b)
    theirs = await bank.open_ticket("Касса", "x")
    await bank.put_file(theirs, "фото.jpg", b"photo")
    await exchange.pass_time()
    await exchange.hand_off(a, b.name, await exchange.ticket(a))
    await exchange.pass_time()
    (mirror,) = own.tickets.values()
    await own.move(mirror.id, "in_progress")
    await own.reply(mirror.id, "слово с места", public=True)
    await bank.reply(theirs, "слово банка", public=True)
    for _ in range(2):
        await exchange.pass_time()
    number = (await exchange.ticket(b)).number

    await _restored(exchange, b, backup)

    assert len(own.tickets) == 1
    child = await exchange.ticket(b)
    assert child.number == number
    assert _lines(await exchange.said(b, child)) == ["слово банка", "слово с места"]
    assert await exchange.papers(b, child) == {"фото.jpg": b"photo"}
    seen = await own.seen(mirror.id)
    assert _lines([text for text, _ in seen.comments]) == ["слово банка", "слово с места"]
    assert [name for name, _ in seen.files] == ["фото.jpg"]
    assert seen.status == own.words["in_progress"]
    assert _lines([text for text, _ in (await bank.seen(theirs)).comments]) == [
        "слово банка",
        "слово с места",
    ]
    await own.move(mirror.id, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    assert (await exchange.handoff(a, await exchange.ticket(a))).state == "resolved"
