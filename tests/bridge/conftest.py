"""Companies with foreign desks, on one virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors.registry import template
from hub import app
from hub.actions import comments, desks, files, handoffs, tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.bridge.files import understood
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.storage import attachments, audit, desk_tickets
from hub.storage import comments as stored_comments
from hub.storage import desks as stored_desks
from hub.storage import handoffs as stored_handoffs
from hub.storage import tickets as stored_tickets
from hub.workers.desks import Desks
from tests.bridge.foreign import World
from tests.conftest import NewDatabase
from tests.connectors.simulators.desk import Desk
from tests.kit.network import Company, Network


def as_yaml(said: dict[str, Any]) -> str:
    """A mapping as a file says it."""
    out = StringIO()
    YAML().dump(said, out)
    return out.getvalue()


@dataclass
class Exchange:
    """Companies, their desks, and everything that goes to and fro."""

    network: Network
    world: World
    at: dict[str, list[Desk]] = field(default_factory=dict)

    # --- setting up

    async def company(self, name: str) -> Company:
        made = await self.network.company(name)
        self.put_to_work(made)
        return made

    def put_to_work(self, company: Company) -> None:
        """Its cranks turn, the one for desks among them."""
        host = app.desk_host(company.hub, self.world)
        company.cranks = (*company.cranks, Desks(company.hub, host, wait=True))

    async def restart(self, company: Company) -> None:
        """Its process ends and begins anew."""
        await self.network.stop(company)
        await self.network.start(company)
        self.put_to_work(company)

    async def desk(self, node: Company, sim: Desk, role: str, name: str = "", **more: Any) -> Desk:
        """This desk, published and enabled; readings begin."""
        name = name or sim.name
        sim.clock = self.network.clock
        if sim not in self.world.desks:
            self.world.desks.append(sim)
        said = {
            "company": f"Фирма {name}",
            "role": role,
            "settings": {"url": sim.base, **sim.settings},
            **more,
        }
        text = as_yaml(said)
        rules = understood(text, "desk.yaml").rules
        who = node.dispatcher
        await desks.begin(node.hub, who, name, rules.role, sim.name)
        for secret, value in sim.secrets.items():
            await desks.keep_secret(node.hub, who, name, secret, value)
        await desks.publish(node.hub, who, name, rules, sim.name, text, template(sim.name))
        await desks.enable(node.hub, who, name)
        await self.settle()
        return sim

    # --- time

    async def settle(self) -> None:
        """What is due happens; the clock stands still."""
        before = (-1, -1)
        for _ in range(60):
            for company in self.network.companies.values():
                await company.turn()
            now = (self.network.wire.moved, len(self.world.asked))
            if now == before:
                return
            before = now
        raise AssertionError("it does not come to rest")

    async def pass_time(self, seconds: float = 70) -> None:
        """Long enough for every desk to be read, and for what was failed to be tried again."""
        self.network.clock.advance(seconds=seconds)
        await self.settle()

    async def calm(self, rounds: int = 12) -> None:
        """Nothing goes wrong any more, and time passes until all is told."""
        self.world.trouble = lambda _method, _url: None
        for _ in range(rounds):
            await self.pass_time(1000)

    # --- what our people do and see

    async def tickets(self, company: Company) -> list[Any]:
        found = await company.hub.db.read(
            lambda c: stored_tickets.page(c, status=None, before=None, limit=1000)
        )
        return found[::-1]

    async def ticket(self, company: Company) -> Any:
        (one,) = await self.tickets(company)
        return one

    async def say(
        self, company: Company, ticket: Any, text: str, visibility: str = "public"
    ) -> str:
        wish = AddComment(ticket.id, text, Visibility(visibility))
        return await comments.add(company.hub, company.dispatcher, wish)

    async def attach(self, company: Company, ticket: Any, name: str, content: bytes) -> None:
        new = files.store(company.hub, name, "application/pdf", BytesIO(content))
        await files.add(company.hub, company.dispatcher, ticket.id, [new])

    async def change(self, company: Company, ticket: Any, **changes: Any) -> None:
        await tickets.change(
            company.hub, company.dispatcher, ticket.id, tickets.TicketChanges(**changes)
        )

    async def said(self, company: Company, ticket: Any, *visibilities: str) -> list[str]:
        wanted = visibilities or ("public",)
        found = await company.hub.db.read(lambda c: stored_comments.of_ticket(c, ticket.id))
        return [one.body for one in found if one.visibility in wanted]

    async def papers(self, company: Company, ticket: Any) -> dict[str, bytes]:
        found = await company.hub.db.read(lambda c: attachments.of_ticket(c, ticket.id))
        there = {}
        for one in found:
            with company.hub.blobs.open(one.sha256) as source:
                there[one.name] = source.read()
        assert len(there) == len(found), "one file twice"
        return there

    async def hand_off(self, company: Company, to: str, ticket: Any) -> Any:
        wish = OfferHandoff(ticket.id, await company.link_to(to))
        made = await handoffs.offer(company.hub, company.dispatcher, wish)
        await self.settle()
        return made

    async def act(self, company: Company, handoff_id: str, what: Act, **said: Any) -> None:
        await handoffs.act(company.hub, company.dispatcher, handoff_id, what, Particulars(**said))
        await self.settle()

    async def handoff(self, company: Company, ticket: Any) -> Any:
        (one,) = await company.hub.db.read(lambda c: stored_handoffs.of_ticket(c, ticket.id))
        return one

    async def alarms(self, company: Company) -> list[str]:
        found = await company.hub.db.read(audit.open_alerts)
        return [one.kind for one in found]

    async def pairs(self, company: Company, name: str) -> list[Any]:
        desk = await company.hub.db.read(lambda c: stored_desks.find(c, name))
        return await company.hub.db.read(
            lambda c: desk_tickets.page(c, desk.id, troubled=False, before=None, limit=1000)
        )


@pytest.fixture
async def exchange(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Exchange]:
    network = Network(quick_path, databases)
    yield Exchange(network, World())
    await network.close()
