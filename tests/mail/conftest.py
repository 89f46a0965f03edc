"""A company with a mailbox: letters arrive, are read by the real process, and go out over SMTP."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.actions import comments, letters, posts
from hub.actions.comments import AddComment
from hub.domain.comment import Visibility
from hub.mail.intake import MailRoom
from hub.mail.mailboxes import Mailbox
from hub.mail.post import PostOffice
from hub.mail.reader import Reader
from hub.mail.submit import SmtpSubmission
from hub.storage import comments as stored_comments
from hub.storage import letters as stored
from hub.storage import posts as stored_posts
from hub.storage import tickets
from tests.conftest import NewDatabase
from tests.kit.network import Company, Network
from tests.mail.post_office import MailServer, Taken, a_mail_server
from tools import mail_servers

HELP = "help@plus.example"


@dataclass
class Desk:
    """The mail side of one company, in words."""

    network: Network
    company: Company
    server: MailServer
    mailbox: Mailbox
    reader: Reader
    look_up: Any = None
    _places: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def hub(self):
        return self.company.hub

    @property
    def room(self) -> MailRoom:
        return MailRoom(self.hub, (self.mailbox,), self.reader, self.look_up)

    @property
    def office(self) -> PostOffice:
        return PostOffice(self.hub, (self.mailbox,), SmtpSubmission({}), {})

    async def arrives(self, raw: bytes, *recipients: str, sender: str | None = None) -> Any:
        """A letter comes in, is read, and what it causes goes out; what became of it."""
        letter_id = await self.stores(raw, *recipients, sender=sender)
        await self.works()
        return await self.letter(letter_id)

    async def stores(self, raw: bytes, *recipients: str, sender: str | None = None) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(raw), 65_536):
                yield raw[at : at + 65_536]

        made = await letters.take(
            self.hub,
            HELP,
            f"test:{next(self._places)}",
            chunks(),
            sender=sender,
            recipients=recipients or (HELP,),
        )
        assert made is not None
        return made

    async def works(self) -> None:
        while await self.room.read_due() or await self.office.send_due():
            pass

    async def letter(self, letter_id: str) -> Any:
        return await self.hub.db.read(lambda connection: stored.find(connection, letter_id))

    async def says(
        self, ticket_id: str, text: str, visibility: Visibility = Visibility.CLIENT, files=()
    ) -> str:
        """Our person says something on the ticket."""
        made = await comments.add(
            self.hub,
            self.company.dispatcher,
            AddComment(ticket_id, text, visibility=visibility, files=files),
        )
        await self.works()
        return made

    async def ticket(self, ticket_id: str) -> Any:
        return await self.hub.db.read(lambda connection: tickets.get(connection, ticket_id))

    async def tickets(self) -> list[Any]:
        return await self.hub.db.read(
            lambda connection: tickets.page(connection, status=None, before=None, limit=1000)
        )

    async def comments(self, ticket_id: str) -> list[Any]:
        return await self.hub.db.read(
            lambda connection: stored_comments.of_ticket(connection, ticket_id)
        )

    async def posts(self) -> list[Any]:
        return await self.hub.db.read(
            lambda connection: stored_posts.page(connection, state=None, before=None, limit=1000)
        )

    @property
    def sent(self) -> list[Taken]:
        return self.server.taken

    async def replay(self, post_id: str) -> None:
        await posts.replay(self.hub, self.company.dispatcher, post_id)
        await self.works()


@pytest.fixture
async def desk(quick_path: Path, databases: NewDatabase) -> AsyncIterator[Desk]:
    """A company that gets letters at help@plus.example."""
    network = Network(quick_path, databases)
    reader = Reader()
    async with a_mail_server() as server:
        company = await network.company("Сервис Плюс", retry_base_s=2)
        mailbox = Mailbox(
            address=HELP, name="Сервис Плюс", smtp=server.settings, authserv_id="mx.plus.example"
        )
        try:
            yield Desk(network, company, server, mailbox, reader)
        finally:
            await reader.close()
            await network.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[mail_servers.MailServers]:
    """A real Postfix and a real Dovecot, with folders of this module alone."""
    if mail_servers.missing():
        without = f"NO MAIL SERVERS: {', '.join(mail_servers.missing())} missing"
        if os.environ.get("HUB_REQUIRE_MAIL_SERVERS"):
            pytest.fail(without)
        pytest.skip(without)
    with (
        tempfile.TemporaryDirectory(prefix="hub-mail-") as folder,
        mail_servers.running(Path(folder)) as made,
    ):
        yield made


def a_letter(
    text: str = "Касса не печатает чеки.",
    *,
    sender: str = "Анна <anna@romashka.example>",
    subject: str = "Не работает касса",
    message_id: str = "a1@romashka.example",
    lines: Iterable[str] = (),
    verdict: str | None = "dmarc=pass header.from=romashka.example",
    to: str = HELP,
) -> bytes:
    """A letter in plain UTF-8, as our mail server hands it over."""
    head = [
        *([f"Authentication-Results: mx.plus.example; {verdict}"] if verdict else []),
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{message_id}>",
        "Date: Mon, 23 Nov 2026 06:00:00 +0000",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + text.replace("\n", "\r\n") + "\r\n").encode()
