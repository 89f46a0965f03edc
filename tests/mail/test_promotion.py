"""A partner that worked by mail gets a node while work is open: nothing is lost, nothing doubled."""

from __future__ import annotations

from typing import Any

import pytest

from hub.actions import comments, handoffs, outgoing, terms
from hub.actions import tickets as our_tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import Particulars
from hub.actions.tickets import NewTicket
from hub.domain import chain, disclosure
from hub.domain.comment import Visibility
from hub.domain.handoff import Act, Party
from hub.ids import HandoffId
from hub.storage import attachments, links, tickets
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored
from tests.kit.network import Company
from tests.mail.conftest import Desk
from tests.mail.partners import MailPartner, a_mail_partner


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def of(company: Company, find: Any, *what: str) -> Any:
    return await company.hub.db.read(lambda c: find(c, *what))


async def test_open_work_goes_on_in_the_partners_own_node(partner: MailPartner):
    desk = partner.desk
    ticket_id, open_id = await partner.is_offered("Касса не печатает")
    await partner.clicks("accept", eta="2026-11-24T10:00")
    await partner.clicks("on_site", ("до.jpg", b"\xff\xd8 before"), text="Головка сгорела")
    await partner.replies("Нужна деталь, будет завтра.")
    await desk.says(ticket_id, "Хорошо, ждём.", Visibility.PUBLIC)
    await desk.says(ticket_id, "Между нами: следим за сроком.", Visibility.INTERNAL)
    await partner.settles()
    late = partner.button("done")
    _other, offered_id = await partner.is_offered("Принтер мнёт бумагу")
    before = [(one.author, one.body) for one in await desk.comments(ticket_id)]
    letters = len(partner.letters)

    node = await partner.gets_a_node()

    for handoff_id, state in ((open_id, "in_progress"), (offered_id, "offered")):
        ours = await of(desk.company, stored.find, handoff_id)
        theirs = await of(node, stored.find, handoff_id)
        assert ours.state == theirs.state == state
        assert ours.link_id == theirs.link_id != partner.link_id
        number = (await of(node, tickets.get, theirs.ticket_id)).number
        assert ours.peer_number == number
    ours = await of(desk.company, stored.find, open_id)
    theirs = await of(node, stored.find, open_id)
    assert ours.eta == theirs.eta is not None
    assert [(one.author, one.body) for one in await desk.comments(ticket_id)] == before
    said = await of(node, stored_comments.of_ticket, theirs.ticket_id)
    assert [one.body for one in said] == [
        "Головка сгорела",
        "Нужна деталь, будет завтра.",
        "Хорошо, ждём.",
    ]
    (photo,) = await of(node, attachments.of_ticket, theirs.ticket_id)
    assert (photo.name, photo.state) == ("до.jpg", "available")
    # Each thread gets one last letter, and what is left of the old buttons points to the node.
    assert len(partner.letters) == letters + 2
    assert all(node.settings.url in one.text() for one in partner.letters[-2:])
    page = await partner.opens(late)
    assert node.settings.url in page.words
    assert (await partner.sends(late, text="Готово")).status == 409
    old = await of(desk.company, links.get, partner.link_id)
    assert old.state == "closed"
    assert old.closed_by_peer_at is not None

    await handoffs.act(
        node.hub, node.dispatcher, open_id, Act.RESOLVE, Particulars(resolution="Заменили")
    )
    await comments.add(
        desk.hub, desk.company.dispatcher, AddComment(ticket_id, "Проверяем", Visibility.PUBLIC)
    )
    await partner.settles()
    assert (await of(desk.company, stored.find, open_id)).state == "resolved"
    said = await of(node, stored_comments.of_ticket, theirs.ticket_id)
    assert said[-1].body == "Проверяем"
    assert len(partner.letters) == letters + 2


async def test_a_reply_after_the_move_is_for_our_eyes_and_acts_no_more(partner: MailPartner):
    ticket_id, handoff_id = await partner.is_offered()
    await partner.clicks("accept")
    await partner.gets_a_node()
    letter = await partner.replies("Мы уже едем")
    assert letter.outcome == "reply"
    newest = (await partner.desk.comments(ticket_id))[-1]
    assert (newest.visibility, newest.body) == (Visibility.INTERNAL, "Мы уже едем")
    assert (await partner.handoff(handoff_id)).state == "accepted"


async def test_an_offer_that_claims_to_go_on_binds_nobody_who_did_not_agree_to_it(
    partner: MailPartner,
):
    """A principal cannot make a contractor have accepted what it was never asked."""
    desk = partner.desk
    node = await desk.network.company("Чужой")
    await desk.network.link(desk.company, node)
    link_id = await desk.company.link_to("Чужой")
    hub = desk.hub
    made = await our_tickets.create(hub, desk.company.dispatcher, NewTicket(title="Касса"))
    handoff_id = HandoffId(hub.new_id("hnd", hub.now()))

    def lie(tx: Any) -> None:
        now, link = hub.now(), links.get(tx.connection, link_id)
        view = disclosure.offer_view(
            tickets.get(tx.connection, made.id),
            [],
            terms.direction(link, Party.PRINCIPAL),
            withhold=disclosure.NOTHING_WITHHELD,
            number=made.number,
            hops=[chain.new_hop_token(hub.entropy)],
            valid_until=None,
            due=None,
            handed_off_at=now,
            hop_limit=5,
            continues={"state": "in_progress"},
        )
        outgoing.send(tx, hub, link, view, now=now, handoff_id=handoff_id)

    await hub.db.write(lie)
    await partner.settles()
    assert (await of(node, stored.find, handoff_id)).state == "offered"
