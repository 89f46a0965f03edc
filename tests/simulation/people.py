"""What people at the companies do, by the same actions as the console, the API and the CLI."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hub.actions import comments, files, handoffs, plans, ratings, requests, tickets
from hub.actions import links as relations
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.plans import Plan
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.comment import Visibility
from hub.domain.handoff import OVER, Act, Party, State, possible
from hub.protocol.encoding import sha256_b64
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from hub.storage import links
from hub.storage import tickets as stored_tickets

if TYPE_CHECKING:
    from tests.kit.network import Company
    from tests.simulation.world import World


class People:
    """Everybody's day: each method is one thing somebody does, and tells what came of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.acts = {
            self.new_ticket: 2,
            self.offer: 5,
            self.act: 12,
            self.comment: 8,
            self.edit: 2,
            self.request: 2,
            self.plan: 2,
            self.change: 2,
            self.attach: 2,
            self.rate: 2,
            self.resume: 1,
            self.turn: 14,
        }

    async def do(self, company: Company) -> tuple[str, str]:
        """One thing; what it was, and its outcome."""
        what = self.chance.choices(list(self.acts), weights=list(self.acts.values()))[0]
        return what.__name__, await what(company)

    @property
    def chance(self) -> Any:
        return self.world.chance

    async def turn(self, company: Company) -> str:
        if company.settings.url in self.world.network.wire.down:
            return "down"
        await company.turn()
        return "turned"

    async def _some_ticket(self, company: Company) -> Any:
        found = await company.hub.db.read(
            lambda connection: stored_tickets.page(connection, status=None, before=None, limit=50)
        )
        return self.chance.choice(found) if found else None

    async def _some_handoff(self, company: Company) -> Any:
        def body(connection: Any) -> list[Any]:
            return [
                one
                for link in links.everyone(connection)
                for one in stored_handoffs.of_link(connection, link.id, only_open=False)
            ]

        found = await company.hub.db.read(body)
        return self.chance.choice(found) if found else None

    async def new_ticket(self, company: Company) -> str:
        made = await tickets.create(
            company.hub,
            company.dispatcher,
            NewTicket(title=f"Заявка {self.world.words()}", description="Не печатает"),
        )
        return made.number

    async def offer(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return await self.new_ticket(company)
        known = await company.hub.db.read(links.everyone)
        link = self.chance.choice(known)
        valid = None
        if self.chance.random() < 0.2:
            valid = company.hub.now() + timedelta(minutes=self.chance.randint(1, 600))
        if link.peer_name == self.world.hostile.peer.name:
            self.world.hostile.entitled.add(ticket.id)
        await handoffs.offer(
            company.hub, company.dispatcher, OfferHandoff(ticket.id, link.id, valid_until=valid)
        )
        return f"{ticket.number} → {link.peer_name}"

    async def act(self, company: Company) -> str:
        one = await self._some_handoff(company)
        acts = (
            []
            if one is None
            else [a for a in possible(one.party, one.state) if a is not Act.CANCELLED]
        )
        if not acts:
            return "nothing to do"
        act = self.chance.choice(acts)
        said = Particulars(
            reason="так надо",
            code={Act.PEND: "awaiting_parts", Act.DECLINE: "capacity"}.get(act),
            text="слова",
            score=self.chance.randint(1, 5) if act is Act.CONFIRM else None,
        )
        target = await handoffs.act(company.hub, company.dispatcher, one.id, act, said)
        return f"{act} → {target}"

    async def request(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None:
            return "nothing"
        if one.party is Party.PRINCIPAL:
            if self.chance.random() < 0.2:
                await handoffs.detach(company.hub, company.dispatcher, one.id, "не отвечает")
                return "detached"
            await handoffs.cancel(company.hub, company.dispatcher, one.id, "не нужно")
        else:
            await requests.retract(company.hub, company.dispatcher, one.id, "рано")
        return "asked"

    async def comment(self, company: Company) -> str:
        world = self.world
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        visibility = self.chance.choice(list(Visibility))
        words = world.words()
        body = words if visibility is Visibility.PUBLIC else f"{world.canary} {words}"
        world.told_in[words] = (company.name, ticket.id)
        await comments.add(company.hub, company.dispatcher, AddComment(ticket.id, body, visibility))
        world.said[body] = (company.name, visibility)
        await world.hostile.may_hear_of(company, ticket.id)
        return f"{ticket.number} {visibility}"

    async def edit(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        mine = [
            one
            for one in await company.hub.db.read(
                lambda connection: stored_comments.of_ticket(connection, ticket.id)
            )
            if one.origin_handoff_id is None
            and one.redacted_at is None
            and one.visibility is Visibility.PUBLIC
        ]
        if not mine:
            return "nothing"
        one = self.chance.choice(mine)
        if self.chance.random() < 0.3:
            await comments.redact(company.hub, company.dispatcher, one.id)
            return "redacted"
        await comments.edit(company.hub, company.dispatcher, one.id, one.body + " (испр.)")
        return "edited"

    async def plan(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None or one.party is not Party.CONTRACTOR or one.state in OVER:
            return "nothing"
        await plans.plan(
            company.hub, company.dispatcher, one.id, Plan(stage="в пути", eta=company.hub.now())
        )
        return "planned"

    async def change(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        await tickets.change(
            company.hub,
            company.dispatcher,
            ticket.id,
            TicketChanges(description=f"Теперь {self.world.words()}"),
        )
        return "changed"

    async def attach(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        content = f"файл {self.world.words()}".encode() * self.chance.randint(1, 5000)
        new = files.store(company.hub, "акт.txt", "text/plain", io.BytesIO(content))
        await files.add(company.hub, company.dispatcher, ticket.id, [new])
        self.world.attached[sha256_b64(content)] = company.name
        return f"{len(content)} bytes"

    async def rate(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None or one.state not in {State.CONFIRMED, State.CLOSED}:
            return "nothing"
        if one.party is Party.PRINCIPAL:
            await ratings.rate(company.hub, company.dispatcher, one.id, self.chance.randint(1, 5))
        else:
            await ratings.reply_to_rating(company.hub, company.dispatcher, one.id, "спасибо")
        return "rated"

    async def resume(self, company: Company) -> str:
        """After an alarm: people have looked, and go on."""
        known = await company.hub.db.read(links.everyone)
        stopped = [link for link in known if link.suspended_by_us]
        if not stopped:
            return "nothing"
        await relations.resume(company.hub, company.dispatcher, self.chance.choice(stopped).id)
        return "resumed"
