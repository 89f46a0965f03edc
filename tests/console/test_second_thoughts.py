"""What is handed off waits ten seconds, and until then nothing of it is anywhere else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from hub.actions import files, handoffs, tickets
from hub.actions.comments import Visibility
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.handoff import Act
from hub.domain.ticket import TicketStatus
from hub.queries import tickets as shown
from tests.kit.console import Console, Person
from tests.kit.network import Network

Pair = tuple[Console, Console]


async def _a_ticket(console: Console, *names: str) -> Any:
    hub, who = console.company.hub, console.company.dispatcher
    made = await tickets.create(hub, who, NewTicket("Касса молчит"))
    for name in names:
        taken = await files.take(hub, name, "text/plain", _bytes(name))
        await files.add(hub, who, made.id, [taken], Visibility.PUBLIC)
    return made


async def _bytes(text: str) -> Any:
    yield text.encode()


async def _hand_off(person: Person, console: Console, number: str, **form: Any) -> str:
    """The path that takes it back."""
    to = await console.company.link_to("Мастер-Юг")
    found = await person.post(f"/tickets/{number}/handoff", {"to": to, **form})
    assert found.status == 303, found.words
    page = await person.get(f"/tickets/{number}")
    return re.search(r"/handoffs/hnd_[0-9a-f]+/undo", page.text)[0]


async def _theirs(console: Console) -> list[str]:
    person = await console.person("dispatcher")
    return re.findall(r"Касса молчит", await person.read("/tickets?status=any"))


async def test_what_is_taken_back_in_ten_seconds_was_never_sent(
    companies: Network, consoles: Pair
) -> None:
    ours, theirs = consoles
    made = await _a_ticket(ours)
    person = await ours.person("dispatcher")
    sent = len(companies.wire.sent)
    undo = await _hand_off(person, ours, made.number)
    assert "Уйдёт партнёру Мастер-Юг через 10 с" in await person.read(f"/tickets/{made.number}")
    companies.clock.advance(seconds=9)
    await companies.run_until_idle()
    assert (await person.post(undo)).location == f"/tickets/{made.number}"
    companies.clock.advance(minutes=5)
    await companies.run_until_idle()
    ticket = await ours.company.hub.db.read(lambda c: shown.show(c, made.number))
    assert ticket.handoffs == [] and await _theirs(theirs) == []
    assert len(companies.wire.sent) == sent
    # Второй раз отменять нечего.
    assert (await person.post(undo)).status == 404


async def test_it_leaves_by_itself_after_ten_seconds_or_at_once_when_told_to(
    companies: Network, consoles: Pair
) -> None:
    ours, theirs = consoles
    person = await ours.person("dispatcher")
    first, second = await _a_ticket(ours), await _a_ticket(ours)
    undo = await _hand_off(person, ours, first.number)
    to = await ours.company.link_to("Мастер-Юг")
    again = await person.post(f"/tickets/{first.number}/handoff", {"to": to})
    assert again.status == 422  # уже уходит туда
    at_once = (await _hand_off(person, ours, second.number)).replace("/undo", "/send")
    assert (await person.post(at_once)).status == 303
    await companies.run_until_idle()
    assert len(await _theirs(theirs)) == 1
    companies.clock.advance(seconds=10)
    await companies.run_until_idle()
    assert len(await _theirs(theirs)) == 2
    # Ушедшее отзывают: партнёр об этом узнаёт.
    assert (await person.post(undo)).status == 303
    await companies.run_until_idle()
    ticket = await ours.company.hub.db.read(lambda c: shown.show(c, first.number))
    assert [one.state for one in ticket.handoffs] == ["cancelled"]


async def test_only_the_chosen_files_leave_and_the_preview_says_so(
    companies: Network, consoles: Pair
) -> None:
    ours, theirs = consoles
    person = await ours.person("dispatcher")
    made = await _a_ticket(ours, "акт.txt", "смета.txt")
    sheet = await person.get(f"/tickets/{made.number}/handoff")
    act, _estimate = re.findall(r'name="file" value="(att_[0-9a-f]+)"', sheet.text)
    to = await ours.company.link_to("Мастер-Юг")
    path = f"/tickets/{made.number}/handoff?to={to}&picking=1&file={act}"
    preview = (await person.get(path, headers={"HX-Request": "true"})).words
    leaves, stays = preview.split("Остаётся")
    assert "акт.txt" in leaves and "смета.txt" not in leaves and "смета.txt" in stays
    await _hand_off(person, ours, made.number, picking="1", file=act)
    companies.clock.advance(seconds=10)
    await companies.run_until_idle()
    ticket = await theirs.company.hub.db.read(lambda c: shown.show(c, "T-1001"))
    assert [one.name for one in ticket.attachments] == ["акт.txt"]


async def test_what_is_refused_when_it_leaves_is_an_alarm(
    companies: Network, consoles: Pair
) -> None:
    ours, _ = consoles
    made = await _a_ticket(ours)
    person = await ours.person("dispatcher")
    await _hand_off(person, ours, made.number)
    wish = TicketChanges(status=TicketStatus.CLOSED)
    await tickets.change(ours.company.hub, person.actor, made.id, wish)
    companies.clock.advance(seconds=10)
    await companies.run_until_idle()
    assert f"Заявка {made.number} не передана партнёру Мастер-Юг" in await person.read("/delivery")


async def test_of_two_ways_to_offer_at_once_one_stands(companies: Network, consoles: Pair) -> None:
    """A program offered the ticket meanwhile: what was held tells a person, and makes no second."""
    ours, theirs = consoles
    made = await _a_ticket(ours)
    person = await ours.person("dispatcher")
    await _hand_off(person, ours, made.number)
    link = await ours.company.link_to("Мастер-Юг")
    await handoffs.offer(ours.company.hub, person.actor, OfferHandoff(made.id, link))
    companies.clock.advance(seconds=10)
    await companies.run_until_idle()
    assert len(await _theirs(theirs)) == 1
    assert "не передана" in await person.read("/delivery")


async def test_the_sheet_says_how_a_partner_worked_before(
    companies: Network, consoles: Pair
) -> None:
    ours, theirs = consoles
    person = await ours.person("dispatcher")
    first, second, third = [await _a_ticket(ours) for _ in range(3)]
    link = await ours.company.link_to("Мастер-Юг")
    assert "ничего не передавали" in await person.read(f"/tickets/{third.number}/handoff")
    hub, who = theirs.company.hub, theirs.company.dispatcher
    done = await handoffs.offer(ours.company.hub, person.actor, OfferHandoff(first.id, link))
    left = await handoffs.offer(ours.company.hub, person.actor, OfferHandoff(second.id, link))
    await companies.run_until_idle()
    companies.clock.advance(minutes=40)
    promise = Particulars(due_promised=hub.now() + timedelta(hours=1))
    await handoffs.act(hub, who, done, Act.ACCEPT, promise)
    await handoffs.act(hub, who, done, Act.START)
    await handoffs.act(hub, who, done, Act.RESOLVE, Particulars(resolution="Сделано"))
    await handoffs.act(hub, who, left, Act.DECLINE, Particulars(code="capacity"))
    await companies.run_until_idle()
    await handoffs.act(ours.company.hub, person.actor, done, Act.CONFIRM, Particulars(score=4))
    shown_there = await person.read(f"/tickets/{third.number}/handoff")
    for said in ("оценка 4 из 5", "принимает за 40 минут", "100 % в срок", "1 отклонено"):
        assert said in shown_there, said
