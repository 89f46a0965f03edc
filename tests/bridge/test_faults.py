"""Two hundred mixed operations with faults and restarts: nothing is lost, doubled or echoed."""

from __future__ import annotations

import random

import pytest

from hub import faults
from hub.actions import tickets
from hub.actions.tickets import NewTicket
from hub.domain.desk import DONE, PairState
from hub.domain.ticket import TicketStatus
from tests.bridge.conftest import Exchange
from tests.bridge.foreign import unlucky
from tests.connectors.simulators.desk import Desk
from tests.connectors.simulators.django_helpdesk import DjangoHelpdesk
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.request_tracker import RequestTracker
from tests.connectors.simulators.roundup import Roundup
from tests.kit.canary import Flock
from tests.kit.network import Company

OPERATIONS = 200
_KEPT = {"redmine": ("in_progress", "pending"), "request-tracker": ("in_progress", "pending"),
         "roundup": ("in_progress", "pending"), "django-helpdesk": ("open",)}  # fmt: skip
"""What people in their own desk say of a ticket that is theirs to work on."""


class Drill:
    """People at four places act at random; every word they say is theirs alone."""

    def __init__(self, exchange: Exchange, seed: str, bank: Desk, own: Desk) -> None:
        self.exchange, self.bank, self.own = exchange, bank, own
        self.dice = random.Random(seed)
        self.flock = Flock(seed)
        self.said: dict[str, list[str]] = {"bank": [], "a": [], "b": [], "own": []}
        self.files: list[str] = []

    async def begin(self) -> None:
        there = self.exchange
        self.a, self.b = await there.company("Сервис Плюс"), await there.company("Север Техник")
        await there.network.link(self.a, self.b)
        await there.desk(self.a, self.bank, "customers_desk")
        await there.desk(self.b, self.own, "own_desk", mirror="handoffs")
        self.theirs = await self.bank.open_ticket("Нет связи", "Вторая касса")
        await there.pass_time()
        self.ticket = await there.ticket(self.a)
        await there.hand_off(self.a, self.b.name, self.ticket)
        await there.pass_time()
        (self.mirror,) = self.own.tickets
        await self.own.move(self.mirror, _KEPT[self.own.name][0])
        await there.pass_time()
        self.child = await there.ticket(self.b)

    async def act(self, n: int) -> None:
        there, word = self.exchange, f"слово-{n}."
        match self.dice.randrange(12):
            case 0 | 1:
                await self.bank.reply(self.theirs, word, public=True)
                self.said["bank"].append(word)
            case 2 | 3:
                await self.own.reply(self.mirror, word, public=True)
                self.said["own"].append(word)
            case 4:
                await there.say(self.a, self.ticket, word)
                self.said["a"].append(word)
            case 5:
                await there.say(self.b, self.child, word)
                self.said["b"].append(word)
            case 6:
                name = f"{n}.pdf"
                await there.attach(self.a, self.ticket, name, name.encode())
                self.files.append(name)
            case 7:
                await self.own.move(self.mirror, self.dice.choice(_KEPT[self.own.name]))
            case 8:
                for firm, ticket in ((self.a, self.ticket), (self.b, self.child)):
                    canary = self.flock.plant(f"note {n} of {firm.name}")
                    await there.say(firm, ticket, canary.text, "internal")
                if "private" in self.own.can:
                    secret = self.flock.plant(f"private remark {n}")
                    await self.own.reply(self.mirror, secret.text, public=False)
            case 9:
                await self.restart(self.dice.choice((self.a, self.b, self.bank, self.own)))
            case _:
                await there.pass_time(self.dice.choice((1, 20, 70, 300)))

    async def restart(self, which: Company | Desk) -> None:
        """One of the four ends and begins anew; a desk answers nobody meanwhile."""
        there = self.exchange
        if not isinstance(which, Desk):
            await there.restart(which)
            return
        before = there.world.trouble
        there.world.trouble = lambda method, url: (
            "before" if url.startswith(which.base) else before(method, url)
        )
        await there.pass_time(self.dice.choice((1, 70)))
        there.world.trouble = before

    async def check(self) -> None:
        """Every word stands once at every place, and nothing else does."""
        there = self.exchange
        words = sorted(word for said in self.said.values() for word in said)
        everyone = {
            "bank": [text for text, _ in (await self.bank.seen(self.theirs)).comments],
            "own": [text for text, public in (await self.own.seen(self.mirror)).comments if public],
            "a": await there.said(self.a, self.ticket),
            "b": await there.said(self.b, self.child),
        }
        for place, texts in everyone.items():
            found = sorted(
                line for text in texts for line in text.splitlines() if line.startswith("слово-")
            )
            assert found == words, place
            # Some desks write a file's name as the text of the comment that carries it.
            # Some show the description among the comments, too.
            others = [
                text
                for text in texts
                if "слово-" not in text and text not in {*self.files, "Вторая касса"}
            ]
            assert len(others) == (1 if place == "bank" else 0), (place, others)  # our number
        for place, names in (
            ("bank", [name for name, _ in (await self.bank.seen(self.theirs)).files]),
            ("own", [name for name, _ in (await self.own.seen(self.mirror)).files]),
            ("a", list(await there.papers(self.a, self.ticket))),
            ("b", list(await there.papers(self.b, self.child))),
        ):
            assert sorted(names) == sorted(self.files), place
        assert len(self.bank.tickets) == len(self.own.tickets) == 1
        assert len(await there.tickets(self.a)) == len(await there.tickets(self.b)) == 1
        for firm, desk, number in (
            (self.a, self.bank, self.theirs),
            (self.b, self.own, self.mirror),
        ):
            ours = str((await there.ticket(firm)).status)
            # A desk without a word for ours shows at least that the work is not over.
            going = {word for name, word in desk.words.items() if name not in DONE}
            wanted = {desk.words[ours]} if ours in desk.words else going
            assert desk.tickets[number].status in wanted, (desk.name, ours)
        for firm, desk in ((self.a, self.bank), (self.b, self.own)):
            (pair,) = await there.pairs(firm, desk.name)
            assert (pair.state, pair.told, pair.error) == (PairState.LIVE, pair.changed, None)
        assert not self.flock.found_in([*there.world.sent])
        assert len(self.flock.planted) > 10


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("seed", "bank", "own"),
    [
        ("north", Redmine, RequestTracker),
        ("east", Roundup, DjangoHelpdesk),
        ("south", DjangoHelpdesk, Redmine),
        ("west", RequestTracker, Roundup),
    ],
)
async def test_two_hundred_operations_with_faults_and_restarts_arrive_once(
    exchange: Exchange, seed: str, bank: type[Desk], own: type[Desk]
) -> None:
    drill = Drill(exchange, seed, bank(), own())
    await drill.begin()
    exchange.world.trouble = unlucky(seed, 0.12)
    for n in range(OPERATIONS):
        await drill.act(n)
    await exchange.calm()
    await drill.check()


class Died(BaseException):
    """The process ended here."""


async def test_a_process_that_dies_behind_a_write_does_not_write_it_twice(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = await exchange.company("Сервис Плюс")
    own = await exchange.desk(firm, RequestTracker(), "own_desk", mirror="all")
    ticket = await tickets.create(firm.hub, firm.dispatcher, NewTicket(title="Принтер"))

    async def dies_once() -> None:
        struck: list[str] = []

        def strike(point: str) -> None:
            if point == "bridge.written" and not struck:
                struck.append(point)
                raise Died

        monkeypatch.setattr(faults, "strike", strike)
        await exchange.settle()
        monkeypatch.setattr(faults, "strike", None)
        assert struck
        await exchange.restart(firm)
        for _ in range(2):
            await exchange.pass_time(700)

    await dies_once()
    await exchange.say(firm, ticket, "готово")
    await dies_once()
    await exchange.attach(firm, ticket, "акт.pdf", b"%PDF act")
    await dies_once()
    await exchange.change(firm, ticket, status=TicketStatus.RESOLVED)
    await dies_once()
    (there,) = own.tickets.values()
    seen = await own.seen(there.id)
    assert [text for text, _ in seen.comments if "готово" in text] == [
        "Диспетчер Сервис Плюс:\n\nготово"
    ]
    assert [name for name, _ in seen.files] == ["акт.pdf"]
    assert seen.status == own.words["resolved"]
    assert len(await exchange.tickets(firm)) == 1
    assert await exchange.said(firm, ticket) == ["готово"]
    assert len(await exchange.papers(firm, ticket)) == 1
