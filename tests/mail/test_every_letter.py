"""Every kind of letter to a mail partner, in both languages, and nothing in it that is not for it."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.actions import (
    agents,
    amendments,
    comments,
    erasures,
    files,
    handoffs,
    links,
    notices,
    ratings,
    tickets,
)
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.domain.notice import Choices, Digest
from hub.domain.ticket import Contact, Requester, Site
from hub.mail import offers
from hub.storage import attachments
from tests.kit.canary import Flock
from tests.kit.story import terms
from tests.mail.conftest import Desk, a_letter
from tests.mail.partners import PARTNER, MailPartner, a_mail_partner
from tests.mail.post_office import Taken

pytestmark = pytest.mark.one_database
OTHERWHERE = {"link.close", "message.rejected"}
"""Letters that this story does not bring about; the first has a test of its own below."""


@pytest.fixture(params=["ru", "en"])
async def partner(desk: Desk, request: pytest.FixtureRequest) -> AsyncIterator[MailPartner]:
    async with a_mail_partner(desk, request.param) as made:
        yield made


def decoded(sent: list[Taken]) -> list[bytes]:
    """What went over the line, and each part of it decoded."""
    found = [one.raw for one in sent]
    for one in sent:
        found += [part.get_payload(decode=True) or b"" for part in one.letter.walk()]
        found += [f"{name}: {value}".encode() for name, value in one.letter.items()]
    return found


async def kinds_of(partner: MailPartner) -> set[str]:
    """What the letters to it were about; of an erased ticket that is not known any more."""
    found = [one.facts for one in await partner.desk.posts() if one.kind == "partner"]
    return {str(one["what"]) for one in found if one}


async def everything_happens(partner: MailPartner, flock: Flock) -> set[str]:
    """Whatever a partner is ever told of; among ourselves and to the client we say more.

    What the letters were about.
    """
    desk = partner.desk
    hub, us, link = desk.hub, desk.company.dispatcher, partner.link_id
    secret = flock.plant("internal").text
    requester = Requester(
        name=flock.plant("requester").text, email=f"{flock.plant('address').hex}@romashka.example"
    )
    made = await tickets.create(
        hub,
        us,
        NewTicket(
            "Till prints nothing",
            description="Receipts come out empty.",
            requester=requester,
            tags=(flock.plant("tag").hex,),
            site=Site(name="Shop 7", address="1 Garden Street"),
            contact=Contact(name="Anna", phone="+7 900 000-00-00"),
            checklist=(flock.plant("checklist").text,),
        ),
    )
    await desk.says(made.id, secret, Visibility.INTERNAL)
    due = hub.now() + timedelta(hours=8)
    first = await handoffs.offer(hub, us, OfferHandoff(made.id, link, due=due))
    await partner.settles()
    desk.network.clock.advance(hours=25)
    await partner.settles()
    await partner.clicks("accept", eta="2026-11-26T10:00")
    await partner.settles()
    said = await desk.says(made.id, "The key is with the guard.", Visibility.PUBLIC)
    await partner.settles()
    await comments.edit(hub, us, said, "The key is in the office.")
    await partner.settles()
    await comments.redact(hub, us, said)
    await desk.says(made.id, flock.plant("internal later").text, Visibility.INTERNAL)
    photo = files.store(hub, "till.jpg", "image/jpeg", io.BytesIO(b"\xff\xd8 till"))
    await files.add(hub, us, made.id, [photo], Visibility.PUBLIC)
    hidden = files.store(
        hub,
        f"{flock.plant('file name').hex}.txt",
        "text/plain",
        io.BytesIO(flock.plant("file").content),
    )
    await files.add(hub, us, made.id, [hidden], Visibility.INTERNAL)
    await partner.settles()
    (shown,) = [
        one
        for one in await hub.db.read(lambda c: attachments.of_ticket(c, made.id))
        if one.name == "till.jpg"
    ]
    await files.redact(hub, us, shown.id)
    await tickets.change(hub, us, made.id, TicketChanges(title="Till prints empty receipts"))
    await partner.settles()
    await links.suspend(hub, us, link, "stock-taking")
    await partner.settles()
    await links.resume(hub, us, link)
    await partner.settles()
    later = terms(as_principal={"max_open": 3})
    await amendments.propose(hub, us, link, later)
    await partner.settles()
    agree = partner.button("agree")
    await amendments.withdraw(hub, us, link)
    await partner.settles()
    assert (await partner.sends(agree)).status == 409
    await amendments.propose(hub, us, link, later)
    await partner.settles()
    assert (await partner.sends(partner.button("agree"))).status == 303
    await partner.settles()
    await desk.says(made.id, "We are waiting for you.", Visibility.PUBLIC)
    await partner.settles()
    await partner.clicks("on_site")
    await partner.clicks("done", text="New print head")
    await handoffs.act(hub, us, first, Act.RETURN, Particulars(reason="Still empty"))
    await partner.settles()
    await partner.clicks("done", text="New cable")
    await handoffs.act(hub, us, first, Act.CONFIRM, Particulars(score=4))
    await ratings.rate(hub, us, first, 5, text="Quick")
    await handoffs.act(hub, us, first, Act.CLOSE)
    await partner.settles()
    kinds = await kinds_of(partner)
    await erasures.erase(hub, us, made.id, "asked for")
    await partner.settles()
    await _runs_out(partner)
    await _is_called_off(partner)
    _ticket, third = await partner.is_offered("Scales")
    await partner.clicks("accept")
    soon = TicketChanges(due_at=hub.now() + timedelta(hours=4))
    handoff = await partner.handoff(third)
    await tickets.change(hub, us, handoff.ticket_id, soon)
    for hours in (3.5, 1):
        desk.network.clock.advance(hours=hours)
        await partner.settles()
    await partner.gets_a_node()
    return kinds | await kinds_of(partner)


async def _runs_out(partner: MailPartner) -> None:
    hub, us = partner.desk.hub, partner.desk.company.dispatcher
    made = await tickets.create(hub, us, NewTicket("Printer"))
    until = hub.now() + timedelta(hours=2)
    await handoffs.offer(hub, us, OfferHandoff(made.id, partner.link_id, valid_until=until))
    await partner.settles()
    partner.desk.network.clock.advance(hours=3)
    await partner.settles()


async def _is_called_off(partner: MailPartner) -> None:
    hub, us = partner.desk.hub, partner.desk.company.dispatcher
    _ticket, second = await partner.is_offered("Door")
    await partner.clicks("accept")
    await handoffs.cancel(hub, us, second, "The shop is closed")
    await partner.settles()
    _ticket, done = await partner.is_offered("Window")
    await partner.clicks("accept")
    await partner.clicks("done", text="Glazed")
    await handoffs.act(hub, us, done, Act.CANCEL, Particulars(reason="Not our window"))
    await partner.settles()


async def test_each_kind_of_letter_comes_in_the_partners_language_and_tells_nothing_of_ours(
    partner: MailPartner,
):
    desk, flock = partner.desk, Flock(f"letters in {partner.language}")
    client = flock.plant("client")
    kinds = await everything_happens(partner, flock)
    # Told besides: a requester by letter, and one of us by a bundle and by a digest of notices.
    arrived = await desk.arrives(a_letter(sender="Анна <anna@romashka.example>"))
    await desk.says(arrived.ticket_id, client.text, Visibility.CLIENT)
    await desk.says(arrived.ticket_id, flock.plant("about the client").text, Visibility.INTERNAL)
    digest = Choices(off=frozenset(), digest=Digest.DAILY)
    await notices.choose(desk.hub, desk.company.dispatcher, digest)
    olga = await agents.add(
        desk.hub,
        desk.company.dispatcher,
        email="olga@plus.example",
        name="Ольга",
        role="dispatcher",
    )
    await notices.run(desk.hub)
    for _ in range(3):
        mine = NewTicket("Касса", assignee=olga)
        made = await tickets.create(desk.hub, desk.company.dispatcher, mine)
        await desk.says(made.id, flock.plant("of a notice").text, Visibility.INTERNAL)
    for _ in range(30):
        desk.network.clock.advance(hours=1)
        await notices.run(desk.hub)
        await desk.works()
    told = {one.recipients[0] for one in desk.sent if one.letter["List-Unsubscribe"]}
    assert told == {"admin@0.example", "olga@plus.example"}

    subjects = [str(one.letter["Subject"]) for one in partner.letters]
    words = "\n".join(one.text() for one in partner.letters)
    assert set(offers._SAYS) - kinds == OTHERWHERE
    marker = "Пишите ответ" in words
    assert marker is (partner.language == "ru")
    if partner.language == "en":
        ours = re.sub(r"Сервис Плюс|Диспетчер|Мастер-Юг|[а-п]{32}", "", words + "".join(subjects))
        assert re.findall(r"[А-Яа-яЁё]+", ours) == []
    # The client's words are for the client alone, all the others for nobody.
    to_others = [one for one in desk.sent if one.recipients != ["anna@romashka.example"]]
    assert flock.found_in(decoded(to_others)) == {}
    theirs = [one for one in desk.sent if one not in to_others]
    assert set(flock.found_in(decoded(theirs))) == {"client"}
    assert PARTNER not in str(theirs)


async def test_the_end_of_a_link_is_said_in_every_open_thread(partner: MailPartner):
    desk = partner.desk
    for title in ("Till", "Printer"):
        await partner.is_offered(title)
        await partner.clicks("accept")
    before = len(partner.letters)
    await links.close(desk.hub, desk.company.dispatcher, partner.link_id, "We close the shop")
    await partner.settles()
    last = [one for one in partner.letters[before:] if "We close the shop" in one.text()]
    assert sorted("Till" in str(one.letter["Subject"]) for one in last) == [False, True]
    assert all("http" not in one.text() for one in last)
