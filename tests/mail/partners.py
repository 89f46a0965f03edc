"""A partner that has a mailbox and no node: what it reads, clicks and answers."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from hub.actions import correspondence, handoffs, invitations, mail_links, promotion, tickets
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.federation import linking
from hub.storage import handoffs as stored
from hub.storage import inbox, outbox, streams
from tests.kit.console import Answer, Console, Person
from tests.kit.network import Company
from tests.mail.conftest import HELP, Desk, a_letter
from tests.mail.post_office import Taken

PARTNER = "dispatcher@master-yug.example"
WORDS = {
    "accept": "Принять",
    "decline": "Отклонить",
    "on_the_way": "В пути",
    "on_site": "На месте",
    "done": "Готово",
    "eta": "Новое время прибытия",
    "hand_back": "Вернуть",
    "erased": "Мы удалили",
    "agree": "Согласиться",
    "refuse": "Отклонить",
}
ENGLISH = {
    "accept": "Accept",
    "decline": "Decline",
    "on_the_way": "On the way",
    "on_site": "On site",
    "done": "Done",
    "eta": "New time of arrival",
    "hand_back": "Give back",
    "erased": "We have deleted it",
    "agree": "Agree",
    "refuse": "Refuse",
}


@dataclass
class MailPartner:
    """The partner, its link with a company, and a browser that is signed in nowhere."""

    desk: Desk
    link_id: str
    console: Console
    browser: Person
    language: str = "ru"  # in which it is written to
    _written: int = field(default=0)

    async def settles(self) -> None:
        """Letters and messages go to and fro until nothing moves."""
        before = (-1, -1, -1)
        for _ in range(20):
            await self.desk.network.run_until_idle()
            await self.desk.works()
            now = await self._moved()
            if now == before:
                return
            before = now
        raise AssertionError("letters and messages do not come to rest")

    async def _moved(self) -> tuple[int, int, int]:
        """What changes as long as anything moves."""
        hub = self.desk.hub
        stream = await hub.db.read(lambda c: streams.get(c, self.link_id))
        assert stream is not None
        place = stream.receipted_seq + stream.out_seq + stream.applied_seq
        return self.desk.network.wire.moved, len(self.desk.sent), place

    async def is_offered(self, title: str = "Касса не печатает", **card: Any) -> tuple[str, str]:
        """A ticket of the company is handed to it; ids of ticket and hand-off."""
        hub, actor = self.desk.hub, self.desk.company.dispatcher
        made = await tickets.create(hub, actor, NewTicket(title=title, **card))
        wish = OfferHandoff(made.id, self.link_id)
        handoff_id = await handoffs.offer(hub, actor, wish)
        await self.settles()
        return made.id, handoff_id

    @property
    def letters(self) -> list[Taken]:
        """What it got, oldest first."""
        return [one for one in self.desk.sent if one.recipients == [PARTNER]]

    def button(self, act: str, letter: Taken | None = None) -> str:
        """The path behind a link of the newest letter, the same in both of its forms."""
        newest = letter or self.letters[-1]
        word = WORDS[act] if self.language == "ru" else ENGLISH[act]
        (plain,) = re.findall(rf"^{word}: (http\S+)\s*$", newest.text(), re.MULTILINE)
        page = html.unescape(newest.text("html"))
        assert f'href="{plain}"' in page
        return urlsplit(plain).path

    def has(self, act: str) -> bool:
        """Whether the newest letter has this link."""
        return re.search(rf"^{WORDS[act]}: http", self.letters[-1].text(), re.MULTILINE) is not None

    async def opens(self, path: str) -> Answer:
        """Looks at a page, as a mail scanner does too."""
        return await self.browser.get(path, headers={"Sec-Fetch-Site": "none"})

    async def sends(self, path: str, *photos: tuple[str, bytes], **words: str) -> Answer:
        """Sends the form of the page."""
        form = aiohttp.FormData(quote_fields=False)
        for name, text in words.items():
            form.add_field(name, text, content_type="text/plain")
        if not photos:
            form.add_field("files", b"", filename="", content_type="application/octet-stream")
        for name, data in photos:
            form.add_field("files", data, filename=name, content_type="image/jpeg")
        answer = await self.browser.ask("POST", path, form)
        await self.settles()
        return answer

    async def clicks(self, act: str, *photos: tuple[str, bytes], **words: str) -> None:
        """Opens the link of the newest letter and sends the page; it is taken."""
        path = self.button(act)
        assert (await self.opens(path)).status == 200
        answer = await self.sends(path, *photos, **words)
        assert answer.status == 303, answer.words

    async def replies(self, text: str, *lines: str, **how: Any) -> Any:
        """Answers the newest letter; what became of it."""
        self._written += 1
        newest = self.letters[-1]
        to = str(newest.letter["Reply-To"].addresses[0].addr_spec)
        raw = a_letter(
            text,
            sender=how.get("sender", f"Олег Юг <{PARTNER}>"),
            message_id=f"p{self._written}@master-yug.example",
            subject=f"Re: {newest.letter['Subject']}",
            verdict=how.get("verdict", "dmarc=pass header.from=master-yug.example"),
            lines=[f"In-Reply-To: {newest.letter['Message-ID']}", *lines],
            to=to,
        )
        letter = await self.desk.arrives(how.get("raw", raw), to)
        await self.settles()
        return letter

    async def raw_of(self, letter: Any) -> bytes:
        """The bytes of a letter that arrived, as we keep them."""
        with self.desk.hub.blobs.open(letter.sha256) as source:
            return source.read()

    async def gets_a_node(self) -> Company:
        """It installs a node and accepts the invitation made for its mail link."""
        desk = self.desk
        node = await desk.network.company("Мастер-Юг")
        invited = await promotion.invite(desk.hub, desk.company.dispatcher, self.link_id)
        there = await linking.accept(node.hub, node.transport, node.dispatcher, invited.code, None)
        await invitations.confirm(node.hub, node.dispatcher, there.link.id)
        await linking.exchange_signatures(node.hub, node.transport, there.link.id)
        await self.settles()
        return node

    async def handoff(self, handoff_id: str) -> Any:
        return await self.desk.hub.db.read(lambda c: stored.find(c, handoff_id))

    async def log(self, way: Any = inbox) -> list[Any]:
        """Messages that the partner's half of the link said; with `outbox`, ours."""
        if way is outbox:
            return await self.desk.hub.db.read(lambda c: outbox.after(c, self.link_id, 0, 200))
        return await self.desk.hub.db.read(lambda c: inbox.log_from(c, self.link_id, 1, 200))


@asynccontextmanager
async def a_mail_partner(desk: Desk, language: str = "ru") -> AsyncIterator[MailPartner]:
    """A partner with which the company works by mail."""
    hub = desk.hub
    await correspondence.opened(hub, [HELP])
    link = await mail_links.invite(
        hub, desk.company.dispatcher, PARTNER, name="Мастер-Юг", language=language
    )
    console = await Console.serve(desk.company)
    made = MailPartner(desk, link.id, console, console.stranger(), language)
    try:
        yield made
    finally:
        await made.console.close()
