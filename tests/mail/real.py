"""Mailboxes on a real Postfix and a real Dovecot, and what people see in their folders."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from hub.mail.imap import ImapFetcher
from hub.mail.mailboxes import Imap, Mailbox, Secret, Server
from hub.mail.post import PostOffice
from hub.mail.reader import Reader
from hub.mail.submit import SmtpSubmission
from tests.conftest import NewDatabase
from tests.kit.network import Network
from tests.mail.conftest import HELP, Desk
from tests.mail.post_office import MailServer
from tools import mail_servers
from tools.mail_servers import MailServers

ANNA = "anna@romashka.example"
ENV = {"MAILBOX_PASSWORD": mail_servers.PASSWORD}


class RealDesk(Desk):
    """The same desk, with a mailbox on real servers."""

    fetcher: ImapFetcher

    @property
    def office(self) -> PostOffice:
        return PostOffice(self.hub, (self.mailbox,), SmtpSubmission(ENV), ENV)

    async def until(self, true: Callable[[], Awaitable[object]]) -> None:
        """Fetch, read and send until this is so."""
        async with asyncio.timeout(40):
            while True:
                await self.fetcher.look()
                await self.works()
                if await true():
                    return
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def a_real_desk(
    servers: MailServers, folder: Path, databases: NewDatabase
) -> AsyncIterator[RealDesk]:
    """A company whose mailbox lies on these servers."""
    network = Network(folder, databases)
    company = await network.company("Сервис Плюс")
    how = {"host": "localhost", "ca_file": servers.ca}
    mailbox = Mailbox(
        address=HELP,
        imap=Imap(
            port=servers.imap,
            user=HELP,
            password=Secret(env="MAILBOX_PASSWORD"),
            folders=("INBOX",),
            **how,
        ),
        smtp=Server(port=servers.submission, security="starttls", **how),
    )
    reader = Reader()
    made = RealDesk(network, company, MailServer(), mailbox, reader)
    made.fetcher = ImapFetcher(company.hub, mailbox, ENV)
    try:
        yield made
    finally:
        await made.fetcher.close()
        await reader.close()
        await network.close()


def hand_in(servers: MailServers, raw: bytes, to: str = HELP, *, sender: str = ANNA) -> None:
    """Give this letter to the mail server, as from outside."""
    with smtplib.SMTP("127.0.0.1", servers.smtp) as line:
        line.sendmail(sender, [to], raw)


@contextlib.contextmanager
def folder_of(servers: MailServers, address: str) -> Iterator[imaplib.IMAP4_SSL]:
    """The person's folder, opened as by a mail program."""
    line = imaplib.IMAP4_SSL(
        "localhost", servers.imap, ssl_context=ssl.create_default_context(cafile=servers.ca)
    )
    line.login(address, mail_servers.PASSWORD)
    line.select()
    try:
        yield line
    finally:
        line.logout()


def letters_of(servers: MailServers, address: str) -> list[EmailMessage]:
    """What lies in the person's folder."""
    with folder_of(servers, address) as line:
        _ok, numbers = line.search(None, "ALL")
        return [
            message_from_bytes(line.fetch(number, "(RFC822)")[1][0][1], policy=policy.default)
            for number in numbers[0].split()
        ]
