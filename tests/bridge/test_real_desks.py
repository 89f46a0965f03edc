"""The journey in each role, with a real Redmine behind the node: a project for every role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Answer, Request
from hub.actions import desks
from hub.domain.handoff import Act
from hub.domain.ticket import TicketStatus
from tests.bridge.conftest import Exchange
from tests.connectors.real.people import Redmine
from tests.connectors.real.starting import started
from tests.connectors.real.transport import RealTransport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.one_database]

PHOTO = b"\xff\xd8 photo"


class Project:
    """One project of the real desk, as the exchange asks for a desk, and petr who works in it."""

    name = "redmine"
    clock: Any = None

    def __init__(self, base: str, folder: Path, project: str) -> None:
        self.base = base
        self.people = Redmine(base, folder, project=project)
        self.settings = {k: v for k, v in self.people.settings().items() if k != "url"}
        self.secrets = self.people.secrets()
        self.words = self.people.words

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        return await RealTransport().send(request, max_bytes=max_bytes)

    async def every(self) -> list[dict[str, Any]]:
        """The issues of the project."""
        url = f"/issues.json?project_id={self.people.project}&status_id=*&limit=100"
        return (await self.people.ask("GET", url))["issues"]

    async def close_all(self) -> None:
        """Whatever an earlier run left."""
        for one in await self.every():
            await self.people.delete(str(one["id"]))


@pytest.fixture(scope="module")
def desk() -> Iterator[tuple[str, Path]]:
    with started("redmine", "/users/current.json") as found:
        yield found


async def test_a_ticket_goes_from_a_customers_real_desk_into_the_contractors_and_back(
    exchange: Exchange, desk: tuple[str, Path]
) -> None:
    bank, own = Project(*desk, "support"), Project(*desk, "own")
    for one in (bank, own):
        await one.close_all()
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
    (there,) = [str(one["id"]) for one in await own.every()]
    assert [content for _, content in (await own.people.seen(there)).files] == [PHOTO]

    # Somebody takes it over there; words go both ways, once, and no private ones.
    await own.people.move(there, "in_progress")
    for _ in range(2):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "in_progress"
    assert (await bank.people.seen(theirs)).status == bank.words["in_progress"]
    await own.people.reply(there, "Выезжаем завтра", public=True)
    await own.people.reply(there, "Только между нами", public=False)
    await bank.people.reply(theirs, "Ждём после обеда", public=True)
    for _ in range(3):
        await exchange.pass_time()
    said = [text for text, _ in (await bank.people.seen(theirs)).comments]
    assert said.count("Выезжаем завтра") == 1
    assert not [text for text in said if "между нами" in text]
    heard = [text for text, _ in (await own.people.seen(there)).comments]
    assert len([text for text in heard if "Ждём после обеда" in text]) == 1

    # The node that has the ticket begins anew in the middle; nothing is said twice.
    await exchange.restart(a)
    await own.people.move(there, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    await exchange.act(a, hand, Act.CONFIRM, score=5)
    await exchange.pass_time()
    assert (await bank.people.seen(theirs)).status == bank.words["resolved"]

    # They open it again, and it comes back to whoever did the work; then it is done and closed.
    await bank.people.reply(theirs, "Снова не печатает", public=True)
    await bank.people.move(theirs, "in_progress")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "rework"
    assert (await own.people.seen(there)).status == own.words["in_progress"]
    await own.people.move(there, "resolved")
    for _ in range(2):
        await exchange.pass_time()
    await exchange.act(a, hand, Act.CONFIRM)
    await exchange.pass_time()
    await bank.people.move(theirs, "closed")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.handoff(a, ticket)).state == "closed"
    assert len(await bank.every()) == len(await own.every()) == 1
    assert await exchange.alarms(a) == await exchange.alarms(b) == []


async def test_a_real_desk_is_a_contractor(exchange: Exchange, desk: tuple[str, Path]) -> None:
    bank, vendor = Project(*desk, "support"), Project(*desk, "vendor")
    for one in (bank, vendor):
        await one.close_all()
    a = await exchange.company("Сервис Плюс")
    await exchange.desk(a, bank, "customers_desk", name="bank", company="Банк")
    await exchange.desk(a, vendor, "vendors_desk", name="vendor", company="Вендор")
    theirs = await bank.people.open_ticket("Касса 8", "Нет связи.")
    await exchange.pass_time()
    ticket = await exchange.ticket(a)
    await exchange.say(a, ticket, "между нами", "internal")
    await desks.send(a.hub, a.dispatcher, "vendor", ticket.id)
    await exchange.pass_time()
    (there,) = [str(one["id"]) for one in await vendor.every()]
    await vendor.people.move(there, "in_progress")
    await vendor.people.reply(there, "Меняем плату", public=True)
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.ticket(a)).status == "in_progress"
    seen = [text for text, _ in (await bank.people.seen(theirs)).comments]
    assert seen.count("Меняем плату") == 1
    assert "между нами" not in str((await vendor.people.seen(there)).comments)
    await vendor.people.move(there, "resolved")
    for _ in range(3):
        await exchange.pass_time()
    assert (await exchange.ticket(a)).status == "in_progress"  # checking it is ours
    assert "desk_ticket" in await exchange.alarms(a)
    await exchange.change(a, ticket, status=TicketStatus.RESOLVED)
    for _ in range(2):
        await exchange.pass_time()
    assert (await bank.people.seen(theirs)).status == bank.words["resolved"]
    assert len(await vendor.every()) == len(await bank.every()) == 1
