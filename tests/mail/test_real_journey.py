"""From a requester's letter to the grade of the work, through a real Postfix and a real Dovecot."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.actions import correspondence, handoffs, mail_links, tickets
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import TicketChanges
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.domain.ticket import TicketStatus
from hub.queries import tickets as views
from hub.storage import handoffs as stored
from tests.conftest import NewDatabase
from tests.kit.console import Console
from tests.mail.conftest import HELP, a_letter
from tests.mail.partners import PARTNER, MailPartner
from tests.mail.post_office import Taken
from tests.mail.real import ANNA, RealDesk, a_real_desk, folder_of, hand_in, letters_of
from tools.mail_servers import MailServers

pytestmark = [pytest.mark.slow, pytest.mark.one_database]
PHOTO = b"\xff\xd8\xff\xe0 a photo of the print head"


class RealPartner(MailPartner):
    """The partner, with a mailbox on the real servers."""

    desk: RealDesk
    servers: MailServers

    async def settles(self) -> None:
        """What the node can do now is done; what is under way between servers is waited for."""
        await self.desk.network.run_until_idle()
        await self.desk.fetcher.look()
        await self.desk.works()
        await self.desk.network.run_until_idle()

    @property
    def letters(self) -> list[Taken]:
        """What lies in its folder, in the order in which it was written."""
        found = [
            Taken(str(one["Return-Path"]), [PARTNER], one.as_bytes(policy=SMTP))
            for one in letters_of(self.servers, PARTNER)
        ]
        return sorted(found, key=lambda one: str(one.letter["Message-ID"]))

    async def gets(self, many: int) -> None:
        """So many letters have come to its folder."""

        async def there() -> bool:
            await self.settles()
            return len(self.letters) >= many

        await self.desk.until(there)
        assert len(self.letters) == many

    async def answers(self, text: str, photo: bytes) -> None:
        """Its mail program answers the newest letter, with a photo."""
        newest = self.letters[-1].letter
        to = newest["Reply-To"].addresses[0].addr_spec
        made = EmailMessage(policy=SMTP)
        made["From"] = f"Олег Юг <{PARTNER}>"
        made["To"] = to
        made["Subject"] = f"Re: {newest['Subject']}"
        made["Message-ID"] = "<r1@master-yug.example>"
        made["In-Reply-To"] = str(newest["Message-ID"])
        made["References"] = f"{newest['References']} {newest['Message-ID']}"
        quoted = "\n".join(f"> {line}" for line in self.letters[-1].text().splitlines())
        wrote = f"пн, 23 нояб. 2026 г. в 10:15, Сервис Плюс <{HELP}>:"
        made.set_content(f"{text}\n\n{wrote}\n{quoted}\n")
        made.add_attachment(photo, maintype="image", subtype="jpeg", filename="головка.jpg")
        hand_in(self.servers, bytes(made), to, sender=PARTNER)


@pytest.fixture
async def partner(
    servers: MailServers, quick_path: Path, databases: NewDatabase
) -> AsyncIterator[RealPartner]:
    async with a_real_desk(servers, quick_path, databases) as desk:
        await correspondence.opened(desk.hub, [HELP])
        link = await mail_links.invite(
            desk.hub, desk.company.dispatcher, PARTNER, name="Мастер-Юг", language="ru"
        )
        console = await Console.serve(desk.company)
        made = RealPartner(desk, link.id, console, console.stranger())
        made.servers = servers
        try:
            yield made
        finally:
            await console.close()


def threads(servers: MailServers, address: str) -> list[str]:
    """The threads of a folder, by References and In-Reply-To alone, not by subjects."""
    with folder_of(servers, address) as line:
        _ok, (said,) = line.uid("THREAD", "REFS", "UTF-8", "ALL")
    depth, found = 0, [""]
    for sign in said.decode():
        depth += {"(": 1, ")": -1}.get(sign, 0)
        found[-1] += sign
        if depth == 0:
            found.append("")
    return [one for one in found if one.strip()]


async def test_from_a_letter_to_the_grade_of_the_work_and_on_in_the_partners_own_node(
    servers: MailServers, partner: RealPartner
):
    desk, hub, people = partner.desk, partner.desk.hub, partner.desk.company.dispatcher
    title, mine = "Касса печатает пустые чеки", "journey1@romashka.example"
    first = a_letter("Чек выходит пустым.", subject=title, message_id=mine, verdict=None)
    hand_in(servers, first)

    async def the_ticket() -> Any:
        return next((one for one in await desk.tickets() if one.title == title), None)

    await desk.until(the_ticket)
    ticket = await the_ticket()

    # Handed to a partner that has only a mailbox.
    handoff_id = await handoffs.offer(hub, people, OfferHandoff(ticket.id, partner.link_id))
    await partner.gets(1)
    assert title in partner.letters[0].text()
    await partner.clicks("accept", eta="2026-11-24T10:00")
    await partner.gets(2)
    await desk.says(ticket.id, "Мастер приедет завтра к десяти.")
    await partner.clicks("on_site")
    await partner.gets(3)
    await partner.answers("Сгорела головка, меняем.", PHOTO)

    async def heard() -> bool:
        await partner.settles()
        return any("Сгорела головка" in one.body for one in await desk.comments(ticket.id))

    await desk.until(heard)
    shown = await hub.db.read(lambda c: views.show(c, ticket.id))
    (words,) = [one for one in shown.comments if "Сгорела головка" in one.body]
    assert (words.visibility, words.body) == (Visibility.PUBLIC, "Сгорела головка, меняем.")
    (file,) = words.attachments
    assert (file.name, file.size) == ("головка.jpg", len(PHOTO))
    await partner.clicks("done", ("после.jpg", PHOTO + b"!"), text="Заменили головку")
    await partner.gets(4)
    assert (await partner.handoff(handoff_id)).state == "resolved"

    # Resolved, told to the requester, rated by her and by us.
    done = TicketChanges(status=TicketStatus.RESOLVED)
    await handoffs.act(hub, people, handoff_id, Act.CONFIRM, Particulars(score=5))
    await tickets.change(hub, people, ticket.id, done)
    await desk.says(ticket.id, "Касса работает, головку заменили.")
    await partner.gets(5)
    assert "5 из 5" in partner.letters[-1].text()

    async def told() -> bool:
        return len(letters_of(servers, ANNA)) >= 3

    await desk.until(told)
    said = [one.get_body(("plain",)).get_content() for one in letters_of(servers, ANNA)]
    (last,) = [one for one in said if "головку заменили" in one]
    rate = re.findall(r"https?://\S+/g/[\w-]{43}", last)[-1]
    graded = await partner.console.stranger().post(
        urlsplit(rate).path + "/rate", {"score": "5", "text": "Спасибо!"}
    )
    assert graded.status == 303

    # Each of them has one thread in one folder, with what they wrote themselves.
    with folder_of(servers, ANNA) as line:
        line.append("INBOX", None, None, first)
    assert len(threads(servers, ANNA)) == 1
    assert len(threads(servers, PARTNER)) == 1

    # The partner gets a node in the middle of another work.
    other = "Принтер мнёт бумагу"
    _second, open_id = await partner.is_offered(other)
    await partner.gets(6)
    await partner.clicks("accept")
    await partner.gets(7)
    late = partner.button("done")
    node = await partner.gets_a_node()
    await partner.gets(9)  # the work that was confirmed is closed, the open one goes on there
    moved = [one for one in partner.letters[7:] if node.settings.url in one.text()]
    assert [other in str(one.letter["Subject"]) for one in moved] == [True]
    assert len(threads(servers, PARTNER)) == 2
    assert (await partner.sends(late, text="Готово")).status == 409
    there = await node.hub.db.read(lambda c: stored.find(c, open_id))
    assert there.state == "accepted"
    await handoffs.act(
        node.hub, node.dispatcher, open_id, Act.RESOLVE, Particulars(resolution="Почистили")
    )
    await partner.settles()
    assert (await partner.handoff(open_id)).state == "resolved"
    assert len(partner.letters) == 9
