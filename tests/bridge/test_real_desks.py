"""The journey in each role, with real desks behind the nodes: a place of its own for every role."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.contract import Answer, Request
from hub.actions import desks
from hub.domain.handoff import Act
from hub.domain.ticket import TicketStatus
from tests.bridge.conftest import Exchange
from tests.bridge.foreign import World
from tests.conftest import NewDatabase
from tests.connectors.real.people import (
    Colleagues,
    DjangoHelpdesk,
    Redmine,
    RequestTracker,
    Roundup,
)
from tests.connectors.real.starting import started
from tests.connectors.real.transport import RealTransport
from tests.kit.network import Network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.one_database]

PHOTO = b"\xff\xd8 photo"
SUPPORT, OWN, VENDOR = range(3)

At = Callable[[str, Path, int], Colleagues]
DESKS: Final[dict[str, tuple[str, At]]] = {
    "redmine": (
        "/users/current.json",
        lambda base, folder, n: Redmine(base, folder, project=("support", "own", "vendor")[n]),
    ),
    "request-tracker": (
        "/REST/2.0/rt",
        lambda base, folder, n: RequestTracker(base, folder, queue=("Support", "Own", "Vendor")[n]),
    ),
    "roundup": (
        "/desk/rest/data/issue",
        lambda base, folder, n: Roundup(f"{base}/{('desk', 'own', 'vendor')[n]}", folder),
    ),
    "django-helpdesk": (
        "/api/tickets/",
        lambda base, folder, n: DjangoHelpdesk(base, folder, queue=n + 1),
    ),
}
"""What answers when it is up, and who works where: a project, queue or tracker for each role."""


class Place:
    """One place of a real desk, as the exchange asks for a desk, and petr who works in it."""

    clock: Any = None

    def __init__(self, people: Colleagues) -> None:
        self.people = people
        self.name, self.base = people.name, people.base
        self.settings = {k: v for k, v in people.settings().items() if k != "url"}
        self.secrets = people.secrets()
        self.words = people.words
        self.before: frozenset[str] = frozenset()

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        return await RealTransport().send(request, max_bytes=max_bytes)

    def word(self, *wanted: str) -> str:
        """The first of these words of ours that this desk has."""
        return next(one for one in wanted if one in self.words)

    async def every(self) -> list[str]:
        """The tickets of this test."""
        return [one for one in await self.people.every() if one not in self.before]

    async def leave_behind(self) -> None:
        """Whatever an earlier test left is over; the first reading looks a little back."""
        over = {self.words[one] for one in ("closed", "resolved", "cancelled") if one in self.words}
        found = await self.people.every()
        for one in sorted(found, key=int)[-8:]:
            if (await self.people.seen(one)).status not in over:
                await self.people.move(one, self.word("closed", "resolved"))
        self.before = frozenset(found)

    async def status(self, ticket: str) -> str:
        return (await self.people.seen(ticket)).status

    async def said(self, ticket: str, *, private: bool = False) -> list[str]:
        seen = (await self.people.seen(ticket)).comments
        return [text for text, public in seen if private or public]


Places = Callable[[int], Place]


@pytest.fixture(scope="module", params=list(DESKS))
def places(request: pytest.FixtureRequest) -> Iterator[Places]:
    path, at = DESKS[request.param]
    with started(request.param, path) as (base, folder):
        yield lambda n: Place(at(base, folder, n))


@pytest.fixture
async def exchange(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Exchange]:
    """Ids of its own: these desks remember the markers of earlier runs."""
    network = Network(quick_path, databases, seed=uuid.uuid4().hex)
    yield Exchange(network, World())
    await network.close()


async def test_a_ticket_goes_from_a_customers_real_desk_into_the_contractors_and_back(
    exchange: Exchange, places: Places
) -> None:
    bank, own = places(SUPPORT), places(OWN)
    for one in (bank, own):
        await one.leave_behind()
    a, b = await exchange.company("Сервис Плюс"), await exchange.company("Север Техник")
    await exchange.network.link(a, b)
    await exchange.desk(a, bank, "customers_desk", name="bank", company="Банк")
    await exchange.desk(b, own, "own_desk", name="own", mirror="handoffs")

    # The customer's ticket becomes ours, with its file, and is handed on into the contractor's desk.
    theirs = await bank.people.open_ticket("Касса 7 не печатает", "Чек не выходит, очередь стоит.")
    await bank.people.put_file(theirs, "фото.jpg", PHOTO)
    await exchange.pass_time()
    ticket = await exchange.ticket(a)
    assert ticket.title == "Касса 7 не печатает"
    assert await exchange.papers(a, ticket) == {"фото.jpg": PHOTO}
    hand = await exchange.hand_off(a, "Север Техник", ticket)
    await exchange.pass_time()
    (there,) = await own.every()
    # What was said before, and what came with those words, is not handed on by itself.
    passed = [] if bank.people.files_come_with_words else ["фото.jpg"]
    assert [name for name, _ in (await own.people.seen(there)).files] == passed

    # Somebody takes it over there; words go both ways, once, and no private ones.
    begun = own.word("in_progress", "open")
    await own.people.move(there, begun)
    for _ in range(2):
        await exchange.pass_time()
    taken = {"in_progress": "in_progress", "open": "accepted"}[begun]
    assert (await exchange.handoff(a, ticket)).state == taken
    if "in_progress" in bank.words:
        assert await bank.status(theirs) == bank.words["in_progress"]
    await own.people.reply(there, "Выезжаем завтра", public=True)
    if "private" in own.people.can:
        await own.people.reply(there, "Только между нами", public=False)
    await bank.people.reply(theirs, "Ждём после обеда", public=True)
    await bank.people.put_file(theirs, "чек.jpg", PHOTO)
    await own.people.put_file(there, "плата.jpg", PHOTO * 2)
    for _ in range(3):
        await exchange.pass_time()
    said = await bank.said(theirs, private=True)
    assert said.count("Выезжаем завтра") == 1
    assert not [text for text in said if "между нами" in text]
    heard = await own.said(there, private=True)
    assert len([text for text in heard if "Ждём после обеда" in text]) == 1

    # The node that has the ticket begins anew in the middle; nothing is said twice.
    await exchange.restart(a)
    await own.people.move(there, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    await exchange.act(a, hand, Act.CONFIRM, score=5)
    await exchange.pass_time()
    assert await bank.status(theirs) == bank.words["resolved"]

    # Words on what is done leave it done, at every end.
    await exchange.say(a, ticket, "Спасибо всем")
    for _ in range(2):
        await exchange.pass_time()
    assert await bank.status(theirs) == bank.words["resolved"]
    assert await own.status(there) == own.words["resolved"]
    assert (await exchange.handoff(a, ticket)).state == "confirmed"

    # They open it again, and it comes back to whoever did the work; then it is done and closed.
    await bank.people.reply(theirs, "Снова не печатает", public=True)
    await bank.people.move(theirs, bank.word("in_progress", "open"))
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "rework"
    assert await own.status(there) == own.words[begun]
    await exchange.restart(b)
    await own.people.move(there, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    await exchange.act(a, hand, Act.CONFIRM)
    await exchange.pass_time()
    assert await bank.status(theirs) == bank.words["resolved"]
    if "closed" in bank.words:
        await bank.people.move(theirs, "closed")
    else:
        await exchange.act(a, hand, Act.CLOSE)
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "closed"
    assert await bank.status(theirs) == bank.words[bank.word("closed", "resolved")]

    # Everything stands once at every place.
    words = {"Выезжаем завтра", "Ждём после обеда", "Спасибо всем", "Снова не печатает"}
    for texts in (await bank.said(theirs), await own.said(there)):
        said = [text for text in texts if not text.startswith("Заказчик вернул")]  # says why
        for word in words:
            assert len([text for text in said if word in text]) == 1, (word, texts)
    for place, number in ((bank, theirs), (own, there)):
        files = (await place.people.seen(number)).files
        first = ["фото.jpg"] if place is bank else passed
        assert sorted(name for name, _ in files) == sorted([*first, "плата.jpg", "чек.jpg"])
        assert {"плата.jpg": PHOTO * 2, "чек.jpg": PHOTO}.items() <= dict(files).items()
        assert await place.every() == [number]
    assert len(await exchange.tickets(a)) == len(await exchange.tickets(b)) == 1
    assert await exchange.alarms(a) == await exchange.alarms(b) == []


async def test_a_real_desk_is_a_contractor(exchange: Exchange, places: Places) -> None:
    bank, vendor = places(SUPPORT), places(VENDOR)
    for one in (bank, vendor):
        await one.leave_behind()
    a = await exchange.company("Сервис Плюс")
    await exchange.desk(a, bank, "customers_desk", name="bank", company="Банк")
    await exchange.desk(a, vendor, "vendors_desk", name="vendor", company="Вендор")
    theirs = await bank.people.open_ticket("Касса 8", "Нет связи.")
    await exchange.pass_time()
    ticket = await exchange.ticket(a)
    await exchange.say(a, ticket, "между нами", "internal")
    await desks.send(a.hub, a.dispatcher, "vendor", ticket.id)
    await exchange.pass_time()
    (there,) = await vendor.every()
    begun = vendor.word("in_progress", "open")
    await vendor.people.move(there, begun)
    await vendor.people.reply(there, "Меняем плату", public=True)
    await vendor.people.put_file(there, "плата.jpg", PHOTO)
    await exchange.restart(a)
    for _ in range(3):
        await exchange.pass_time()
    now = {"in_progress": "in_progress", "open": "new"}[begun]
    assert (await exchange.ticket(a)).status == now
    assert (await bank.said(theirs)).count("Меняем плату") == 1
    assert "между нами" not in str(await vendor.said(there, private=True))
    assert [content for _, content in (await bank.people.seen(theirs)).files] == [PHOTO]
    await vendor.people.move(there, "resolved")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.ticket(a)).status == now  # checking it is ours
    assert "desk_ticket" in await exchange.alarms(a)
    # It is not: we open it again over there, with the reason.
    await exchange.say(a, ticket, "Связи всё ещё нет")
    await exchange.change(a, ticket, status=TicketStatus.IN_PROGRESS)
    for _ in range(2):
        await exchange.pass_time()
    await vendor.people.move(there, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    await exchange.change(a, ticket, status=TicketStatus.RESOLVED)
    for _ in range(2):
        await exchange.pass_time()
    assert await bank.status(theirs) == bank.words["resolved"]
    for texts in (await vendor.said(there), await bank.said(theirs)):
        assert len([text for text in texts if "Связи всё ещё нет" in text]) == 1
    assert (await vendor.every(), await bank.every()) == ([there], [theirs])
