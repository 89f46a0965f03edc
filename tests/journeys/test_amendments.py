"""Условия меняются, пока работа идёт: предложили, приняли, отказали, разминулись."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from hub.actions import amendments, deliveries, handoffs, incoming
from hub.actions.handoffs import OfferHandoff
from hub.domain.agreement import Offer
from hub.errors import Refused
from hub.ids import LinkId
from hub.protocol.encoding import unb64url
from hub.queries import amendments as views
from hub.queries.amendments import AmendmentsView
from hub.storage import inbox, links, streams
from hub.storage.links import Link
from tests.kit.story import Firm, Story, refused, terms

DAYS_30 = terms(as_contractor={"warranty_days": 30})
ONE_OPEN = terms(as_principal={"max_open": 1})


async def the_link(firm: Firm, other: Firm) -> LinkId:
    return LinkId(await firm.link_to(other.name))


async def propose(firm: Firm, to: Firm, offer: Offer) -> None:
    link = await the_link(firm, to)
    await firm._do(amendments.propose(firm.hub, firm.dispatcher, link, offer))


async def agree(firm: Firm, to: Firm) -> None:
    link = await the_link(firm, to)
    await firm._do(amendments.accept(firm.hub, firm.dispatcher, link))


async def seen(firm: Firm, other: Firm) -> AmendmentsView:
    return await firm.look(lambda c: views.show(c, other.name))


async def link_row(firm: Firm, other: Firm) -> Link:
    link = await the_link(firm, other)
    return await firm.look(lambda c: links.get(c, link))


async def written_under(firm: Firm, to: Firm) -> list[int]:
    return [json.loads(unb64url(row.env.split(".")[1]))["agr"] for row in await firm.letters_to(to)]


async def test_a_proposal_is_seen_and_accepted_and_then_holds(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Течёт витрина"), to=partner)
    founding = (await link_row(vendor, partner)).agreement_hash
    await propose(partner, vendor, DAYS_30)
    for firm, other, direction in (
        (vendor, partner, "to_peer"),
        (partner, vendor, "from_peer"),
    ):
        proposal = (await seen(firm, other)).open
        assert proposal is not None
        (change,) = proposal.changes
        assert (change.direction, change.term) == (direction, "warranty_days")
        assert (change.before, change.after) == (14, 30)
    assert await vendor.alarms() == {"amendment"}
    await agree(vendor, partner)
    assert await vendor.alarms() == set()
    mine, theirs = await seen(vendor, partner), await seen(partner, vendor)
    assert (mine.revision, theirs.revision) == (2, 2)
    assert [one.agreement_hash for one in mine.revisions] == [
        one.agreement_hash for one in theirs.revisions
    ]
    for one in (*mine.revisions, *theirs.revisions):
        assert one.our_signature and one.peer_signature
    assert mine.revisions[1].our_signature == theirs.revisions[1].peer_signature
    # Цепочки сообщений по-прежнему начинаются с первого соглашения.
    assert (await link_row(vendor, partner)).agreement_hash == founding
    # По новым условиям: вернуть можно и через двадцать дней.
    await partner.accept(work)
    await partner.resolve(work, "Заменён шланг")
    await vendor.confirm(work)
    await vendor.close(work)
    await network.pass_time(days=20)
    await vendor.send_back(work, "Снова течёт")
    await work.stands("rework")
    amended = (await vendor.letter_types(partner)).index("link.amended")
    under = await written_under(vendor, partner)
    assert under == [1] * (amended + 1) + [2] * (len(under) - amended - 1)
    assert mine.revisions[1].out_from in {None, amended + 2}


async def test_what_is_said_under_terms_we_failed_to_take_in_waits_and_is_not_refused(
    network: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Партнёр прав: по новым условиям пишет он, а споткнулись мы."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Течёт витрина")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    await propose(vendor, partner, ONE_OPEN)
    right = incoming.AT_PLACE["link.amended"]

    def breaks(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setitem(incoming.AT_PLACE, "link.amended", breaks)
    await agree(partner, vendor)
    await network.pass_time(minutes=5)
    assert "message_parked" in await vendor.alarms()
    await partner.say(work, "Выезжаю")
    await network.pass_time(minutes=5)
    assert await ticket.texts() == []
    assert await partner.alarms() == set()
    link = await the_link(vendor, partner)
    (parked,) = [
        row
        for row in await vendor.look(lambda c: inbox.log_from(c, link, 1, 1000))
        if row.state == "parked"
    ]
    monkeypatch.setitem(incoming.AT_PLACE, "link.amended", right)
    await vendor._do(deliveries.replay(vendor.hub, vendor.dispatcher, parked.id))
    await network.pass_time(minutes=5)
    assert await ticket.texts() == ["Выезжаю"]
    assert (await seen(vendor, partner)).revision == 2
    assert "message_parked" not in await vendor.alarms()


async def test_a_refused_proposal_changes_nothing(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    await propose(vendor, partner, ONE_OPEN)
    link = await the_link(partner, vendor)
    await partner._do(
        amendments.refuse(partner.hub, partner.dispatcher, link, "Мало: одна заявка в руки")
    )
    for firm, other in ((vendor, partner), (partner, vendor)):
        there = await seen(firm, other)
        assert (there.revision, there.open) == (1, None)
        assert [(one.state, one.reason) for one in there.proposals] == [
            ("refused", "Мало: одна заявка в руки")
        ]
    assert await vendor.alarms() == {"amendment"}
    await vendor.hand_off(await vendor.new_ticket("Первая"), to=partner)
    await vendor.hand_off(await vendor.new_ticket("Вторая"), to=partner)
    await propose(vendor, partner, ONE_OPEN)  # можно предложить ещё раз
    await agree(partner, vendor)
    assert (await seen(vendor, partner)).revision == 2
    with refused("limit_exceeded"):
        await vendor.hand_off(await vendor.new_ticket("Третья"), to=partner)


async def test_there_is_one_proposal_at_a_time(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    with refused("nothing_to_change"):
        await propose(vendor, partner, terms())
    with refused("no_amendment"):
        await agree(vendor, partner)
    await propose(vendor, partner, ONE_OPEN)
    with refused("no_amendment"):
        await agree(vendor, partner)  # своё предложение принять нельзя
    for firm, other in ((vendor, partner), (partner, vendor)):
        with refused("amendment_open"):
            await propose(firm, other, DAYS_30)
    await agree(partner, vendor)
    await propose(partner, vendor, DAYS_30)
    await agree(vendor, partner)
    there = await seen(vendor, partner)
    assert [one.number for one in there.revisions] == [1, 2, 3]
    assert there.revision == 3


async def test_two_proposals_that_cross_leave_the_one_of_the_smaller_node_id(
    network: Story,
) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    async with network.crossing():
        await propose(vendor, partner, ONE_OPEN)
        await propose(partner, vendor, DAYS_30)
    smaller, larger = sorted((vendor, partner), key=lambda one: one.hub.account.node_id)
    for firm, other, ours in ((smaller, larger, "open"), (larger, smaller, "crossed")):
        states = {one.by_us: str(one.state) for one in (await seen(firm, other)).proposals}
        assert states == {True: ours, False: "crossed" if ours == "open" else "open"}
    assert await larger.alarms() == {"amendment"}
    await agree(larger, smaller)
    assert (await seen(vendor, partner)).revision == 2
    assert (await seen(partner, vendor)).revision == 2
    term = "max_open" if smaller is vendor else "warranty_days"
    (agreed,) = [one for one in (await seen(vendor, partner)).proposals if one.state == "agreed"]
    assert [one.term for one in agreed.changes] == [term]


async def test_a_proposal_is_withdrawn_in_time_or_too_late(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    link = await the_link(vendor, partner)
    await propose(vendor, partner, ONE_OPEN)
    await vendor._do(amendments.withdraw(vendor.hub, vendor.dispatcher, link))
    for firm, other in ((vendor, partner), (partner, vendor)):
        assert [one.state for one in (await seen(firm, other)).proposals] == ["withdrawn"]
        assert (await seen(firm, other)).open is None
        assert await firm.alarms() == set()
    await propose(vendor, partner, ONE_OPEN)
    async with network.crossing():
        await agree(partner, vendor)
        await vendor._do(amendments.withdraw(vendor.hub, vendor.dispatcher, link))
        with refused("no_amendment"):
            await vendor._do(amendments.withdraw(vendor.hub, vendor.dispatcher, link))
    assert (await seen(vendor, partner)).revision == 2
    assert (await seen(partner, vendor)).revision == 2
    assert await vendor.alarms() == {"amendment"}


async def test_messages_on_their_way_are_judged_by_the_terms_they_were_written_under(
    network: Story,
) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    await propose(partner, vendor, terms(as_contractor={"max_open": 1}))
    async with network.crossing():
        # Продавец принял — но до этого уже отправил две заявки, а после может только одну.
        first = await vendor.hand_off(await vendor.new_ticket("Первая"), to=partner)
        second = await vendor.hand_off(await vendor.new_ticket("Вторая"), to=partner)
        await agree(vendor, partner)
        with refused("limit_exceeded"):
            await vendor.hand_off(await vendor.new_ticket("Третья"), to=partner)
    await first.stands("offered")
    await second.stands("offered")


async def test_the_proposer_writes_under_the_old_terms_until_it_acknowledges_the_new(
    network: Story,
) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    await propose(vendor, partner, ONE_OPEN)
    async with network.crossing():
        await agree(partner, vendor)
        # Согласие ещё в пути: у продавца действует старое, и партнёр обе заявки берёт.
        first = await vendor.hand_off(await vendor.new_ticket("Первая"), to=partner)
        second = await vendor.hand_off(await vendor.new_ticket("Вторая"), to=partner)
    await first.stands("offered")
    await second.stands("offered")
    with refused("limit_exceeded"):
        await vendor.hand_off(await vendor.new_ticket("Третья"), to=partner)
    await vendor.say(first, "Когда приедете?")
    assert (await written_under(vendor, partner))[-1] == 2
    under = await written_under(vendor, partner)
    assert under == sorted(under)


async def test_a_message_under_the_wrong_revision_is_stored_and_rejected(network: Story) -> None:
    network.refusals_expected = True
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Первая"), to=partner)
    link = await the_link(vendor, partner)
    # Продавец лжёт: пишет под ревизией, которой никто не подписывал.
    await vendor.hub.db.write(lambda tx: _claim(tx, link, 2))
    await vendor.say(work, "По новым условиям")
    await vendor.hub.db.write(lambda tx: _claim(tx, link, 1))
    await vendor.say(work, "По старым условиям")
    assert await (await partner.ticket_of(work)).texts() == ["По старым условиям"]
    rows = await partner.look(lambda c: inbox.in_state(c, inbox.InboxState.REFUSED, 10))
    assert [row.last_error.partition(":")[0] for row in rows if row.last_error] == [
        "wrong_revision"
    ]
    assert await vendor.alarms() == {"message_rejected"}


def _claim(tx: Any, link: LinkId, revision: int) -> None:
    links.change(tx, link, revision=revision)
    streams.change(tx, link, revision=revision)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"revision":2', '"revision":3'),
        lambda text: text.replace("Касса-Сервис", "Касса-Север"),
        lambda text: text.replace('"warranty_days":14', '"warranty_days":0'),
        lambda text: text.replace('"version":"1.0"', '"version":"1.1"'),
        lambda text: text.replace('"max_open":1,', '"max_open":2,', 1),
    ],
    ids=["revision", "name", "the other's offer", "version", "terms"],
)
async def test_only_what_one_offers_oneself_can_be_amended(network: Story, spoil: Any) -> None:
    from hub.actions import outgoing
    from hub.domain.disclosure import link_view
    from hub.protocol import agreement as agreements
    from hub.protocol import jws, strict_json

    network.refusals_expected = True
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    link = await the_link(vendor, partner)
    hub = vendor.hub

    def lie(tx: Any) -> None:
        row = links.get(tx.connection, link)
        before = agreements.parse(str(row.agreement))
        honest = amendments._composed(hub, row, before, ONE_OPEN, hub.now())
        text = spoil(honest.text)
        assert text != honest.text
        said = {
            "agreement_hash": agreements.sha256_b64(text.encode()),
            "link": link,
            "node_id": hub.account.node_id,
        }
        sig = jws.sign(jws.Typ.AGREEMENT, strict_json.dump(said).encode(), hub.keys.identity)
        view = link_view("link.amend", {"agreement": text, "sig": sig})
        outgoing.send(tx, hub, row, view, now=hub.now())

    await hub.db.write(lie)
    await network.deliver()
    assert (await seen(partner, vendor)).proposals == []
    assert await partner.alarms() == set()
    assert await vendor.alarms() == {"message_rejected"}
    await propose(vendor, partner, ONE_OPEN)  # следующее честное принимается
    await agree(partner, vendor)
    assert (await seen(vendor, partner)).revision == 2


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_order_both_sides_come_to_the_same(network: Story, seed: int) -> None:
    """Случайные письма и предложения с обеих сторон, доставка вразнобой."""
    chance = random.Random(seed)
    firms = await network.linked("Касса-Сервис", "Мастер-Юг")
    vendor, partner = firms
    work = await vendor.hand_off(await vendor.new_ticket("Заявка"), to=partner)
    link = await the_link(vendor, partner)
    said = 0
    network._holding += 1
    for _ in range(40):
        firm = chance.choice(firms)
        deed = chance.choice(("say", "say", "propose", "accept", "accept", "refuse", "withdraw"))
        try:
            if deed == "say":
                said += 1
                await firm.say(work, f"слово {said}")
            elif deed == "propose":
                days = chance.randint(1, 300)
                offer = terms(
                    as_contractor={"warranty_days": days}, as_principal={"max_open": days}
                )
                await amendments.propose(firm.hub, firm.dispatcher, link, offer)
            elif deed == "refuse":
                await amendments.refuse(firm.hub, firm.dispatcher, link, "нет")
            else:
                act = amendments.accept if deed == "accept" else amendments.withdraw
                await act(firm.hub, firm.dispatcher, link)
        except Refused as error:
            assert error.code in {"amendment_open", "no_amendment", "nothing_to_change"}
        for one in firms:
            if chance.random() < 0.4:
                for crank in one.cranks:
                    if crank.topic in {"deliver", "apply"}:
                        await crank.turn()
    network._holding -= 1
    await network.deliver()
    mine, theirs = await seen(vendor, partner), await seen(partner, vendor)
    assert [one.agreement_hash for one in mine.revisions] == [
        one.agreement_hash for one in theirs.revisions
    ]
    assert mine.revision == theirs.revision == mine.revisions[-1].number
    assert (mine.open is None) is (theirs.open is None)
    assert len(await (await partner.ticket_of(work)).texts()) == said
    for one, other in ((vendor, partner), (partner, vendor)):
        under = await written_under(one, other)
        assert under == sorted(under)
        assert not await network._left(one, inbox.InboxState.REFUSED)


async def test_an_offer_beyond_the_new_terms_is_declined_where_it_stands(network: Story) -> None:
    """Кто пишет уже под новыми условиями и нарушает их, получает отказ по новым."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    await propose(partner, vendor, terms(as_contractor={"services": ["Принтеры"]}))
    await agree(vendor, partner)
    link = await the_link(vendor, partner)
    ticket = await vendor.new_ticket("Не печатает", service="Сеть")
    with refused("scope_denied"):
        await vendor._do(
            handoffs.offer(vendor.hub, vendor.dispatcher, OfferHandoff(ticket.id, link))
        )
    fit = await vendor.new_ticket("Не печатает", service="Принтеры")
    work = await vendor.hand_off(fit, to=partner)
    await work.stands("offered")
