"""What a reading costs where ten thousand tickets are open and one in a hundred changed."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import insert

from hub import ids
from hub.domain.desk import PairState, compared
from hub.storage import desks as stored_desks
from hub.storage.tables import desk_tickets, tickets
from tests.bridge.conftest import Exchange
from tests.connectors.simulators.servicenow import ServiceNow

pytestmark = [pytest.mark.one_database, pytest.mark.slow]

MANY, CHANGED = 10_000, 100
REQUESTS, SECONDS = 50, 10.0


def _rows(firm, desk_id, sim):
    """A ticket of ours for each of theirs, and the pair of both."""
    hub, now = firm.hub, firm.hub.now()
    ours, both = [], []
    for n, it in enumerate(sim.tickets.values()):
        ticket_id = hub.new_id("tkt", now)
        ours.append(
            {
                "id": ticket_id, "number": f"T-{5000 + n}", "title": it.title, "description": it.text,
                "status": "new", "priority": "normal", "service": "", "fields": [],
                "checklist": [], "created_at": now, "updated_at": now,
            }
        )  # fmt: skip
        said = {"title": it.title, "description": it.text, "priority": "normal", "status": "new"}
        both.append(
            {
                "id": hub.new_id("dtk", now), "desk_id": desk_id, "ticket_id": ticket_id,
                "external_id": it.id, "state": PairState.LIVE, "made_at": now, "print": "x" * 43,
                "base": {name: [compared(name, word)] * 2 for name, word in said.items()},
            }
        )  # fmt: skip
    return ours, both


async def test_one_reading_of_ten_thousand_open_tickets_is_cheap(exchange: Exchange) -> None:
    firm = await exchange.company("Сервис Плюс")
    desk = await exchange.desk(
        firm, ServiceNow(), "customers_desk", tell_number=False, poll_every_s=60
    )
    for n in range(MANY):
        desk.add(f"Заявка {n}", "x", "petr")
    (kept,) = await firm.hub.db.read(stored_desks.everyone)
    ours, both = _rows(firm, kept.id, desk)

    def fill(tx):
        tx.connection.execute(insert(tickets), ours)
        tx.connection.execute(insert(desk_tickets), both)

    await firm.hub.db.write(fill)
    assert ids.first_at("tkt", firm.hub.now()) <= ours[-1]["id"]
    # All of them lie behind us before the reading that counts.
    exchange.network.clock.advance(seconds=4000)
    await firm.hub.db.write(
        lambda tx: stored_desks.change(
            tx,
            kept.id,
            next_at=None,
            cursor=f'{{"at": "{firm.hub.now().isoformat()}", "seen": {{}}}}',
        )
    )
    exchange.network.clock.advance(seconds=400)
    for it in list(desk.tickets.values())[:: MANY // CHANGED]:
        desk.remark(it, f"Есть новости по {it.title}?", True, "petr")
    before = len(exchange.world.asked)
    began = time.perf_counter()
    await exchange.settle()
    took = time.perf_counter() - began
    asked = len(exchange.world.asked) - before
    told = await firm.hub.db.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM comments").scalar_one()
    )
    print(f"{MANY} open, {CHANGED} changed: {asked} requests, {took:.1f} s")
    assert told == CHANGED
    assert asked <= REQUESTS
    assert took <= SECONDS
