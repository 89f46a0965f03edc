"""A partner without a node: our node speaks for it, by the rules and in the bytes of nodes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from hub.actions import custody, handoffs, inbox, tickets
from hub.actions.custody import FoundLink
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.domain.delivery import DeliveryState
from hub.errors import Conflict, Refused
from hub.storage import handoffs as stored
from hub.storage import outbox, streams
from hub.storage.links import LinkKind
from hub.workers.custody import Custody
from tests.conftest import NewDatabase
from tests.kit.network import Company, Network


class Notebook:
    """A voice that writes down what it is to tell, and says what of it is still on its way."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.late: set[str] = set()

    def tell(self, _tx: Any, _hub: Any, _link: Any, row: Any, _now: Any) -> None:
        self.told.append(row.type)

    def untold(self, _connection: Any, message_ids: Collection[str]) -> set[str]:
        return self.late & set(message_ids)


async def a_desk_link(company: Company) -> str:
    hub = company.hub
    wish = FoundLink(LinkKind.DESK, "Мастер-Юг", "desk:south")
    link = await hub.db.write(
        lambda tx: custody.found_in(tx, hub, company.dispatcher, wish, hub.now())
    )
    return link.id


async def offered(company: Company, link_id: str) -> str:
    made = await tickets.create(company.hub, company.dispatcher, NewTicket(title="Касса"))
    wish = OfferHandoff(made.id, link_id)
    return await handoffs.offer(company.hub, company.dispatcher, wish)


async def says(company: Company, link_id: str, type_: str, handoff_id: str, **said: Any) -> None:
    hub = company.hub
    await hub.db.write(
        lambda tx: custody.say(tx, hub, link_id, type_, said, now=hub.now(), handoff_id=handoff_id)
    )
    await inbox.apply_some(hub, link_id)


async def state_of(company: Company, handoff_id: str) -> str:
    return (await company.hub.db.read(lambda c: stored.find(c, handoff_id))).state


async def test_an_offer_is_told_once_and_the_answer_goes_by_the_table_of_states(
    quick_path: Path, databases: NewDatabase
):
    network = Network(quick_path, databases)
    company = await network.company("Сервис Плюс")
    link_id = await a_desk_link(company)
    notebook = Notebook()
    crank = Custody(company.hub, {LinkKind.DESK: notebook})
    handoff_id = await offered(company, link_id)
    await crank.turn()
    await crank.turn()
    assert notebook.told == ["handoff.offer"]
    stream = await company.hub.db.read(lambda c: streams.get(c, link_id))
    assert stream.receipted_seq == stream.out_seq == 1
    await says(company, link_id, "handoff.accept", handoff_id, **{"from": "offered", "number": "7"})
    assert await state_of(company, handoff_id) == "accepted"
    await says(
        company, link_id, "handoff.decline", handoff_id, **{"from": "offered", "code": "other"}
    )
    await crank.turn()
    assert notebook.told[1:] == ["message.rejected"]
    assert await state_of(company, handoff_id) == "accepted"
    await network.close()


async def test_what_is_still_on_its_way_has_no_receipt_nor_has_what_stands_behind_it(
    quick_path: Path,
):
    network = Network(quick_path)
    company = await network.company("Сервис Плюс")
    link_id = await a_desk_link(company)
    notebook = Notebook()
    crank = Custody(company.hub, {LinkKind.DESK: notebook})
    first, _second = await offered(company, link_id), await offered(company, link_id)
    rows = await company.hub.db.read(lambda c: outbox.after(c, link_id, 0, 10))
    notebook.late = {rows[0].id}
    await crank.turn()
    assert len(notebook.told) == 2
    rows = await company.hub.db.read(lambda c: outbox.after(c, link_id, 0, 10))
    assert [row.state for row in rows] == [DeliveryState.QUEUED] * 2
    assert rows[0].handoff_id == first
    notebook.late = set()
    await crank.turn()
    rows = await company.hub.db.read(lambda c: outbox.after(c, link_id, 0, 10))
    assert [row.state for row in rows] == [DeliveryState.RECEIVED] * 2
    assert len(notebook.told) == 2
    await network.close()


async def test_one_partner_has_one_link_and_a_node_that_nobody_can_call_has_none(quick_path: Path):
    network = Network(quick_path)
    company = await network.company("Сервис Плюс")
    await a_desk_link(company)
    with pytest.raises(Conflict):
        await a_desk_link(company)
    silent = await network.company("Молчун", outbound_only=True)
    with pytest.raises(Refused):
        await a_desk_link(silent)
    await network.close()
