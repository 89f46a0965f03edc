"""Letters between a requester and us through a real Postfix and a real Dovecot."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import os
import smtplib
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from hub.mail.imap import ImapFetcher
from hub.mail.mailboxes import Imap, Mailbox, Secret, Server
from hub.mail.post import PostOffice
from hub.mail.reader import Reader
from hub.mail.submit import SmtpSubmission
from tests.conftest import NewDatabase
from tests.kit.network import Network
from tests.mail.conftest import HELP, Desk, a_letter
from tests.mail.post_office import MailServer
from tools import mail_servers

pytestmark = [pytest.mark.slow, pytest.mark.one_database]
ANNA = "anna@romashka.example"
ENV = {"MAILBOX_PASSWORD": mail_servers.PASSWORD}


@pytest.fixture(scope="module")
def servers() -> Iterator[mail_servers.MailServers]:
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


class RealDesk(Desk):
    """The same desk, with a mailbox on real servers."""

    fetcher: ImapFetcher

    @property
    def office(self) -> PostOffice:
        return PostOffice(self.hub, (self.mailbox,), SmtpSubmission(ENV), ENV)

    async def until(self, true) -> None:
        """Fetch, read and send until this is so."""
        async with asyncio.timeout(40):
            while True:
                await self.fetcher.look()
                await self.works()
                if await true():
                    return
                await asyncio.sleep(0.2)


@pytest.fixture
async def desk(servers, quick_path: Path, databases: NewDatabase) -> AsyncIterator[RealDesk]:
    network = Network(quick_path, databases)
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


def hand_in(servers, raw: bytes, to: str = HELP) -> None:
    with smtplib.SMTP("127.0.0.1", servers.smtp) as line:
        line.sendmail(ANNA, [to], raw)


@contextlib.contextmanager
def folder_of(servers, address: str) -> Iterator[imaplib.IMAP4_SSL]:
    line = imaplib.IMAP4_SSL(
        "localhost", servers.imap, ssl_context=ssl.create_default_context(cafile=servers.ca)
    )
    line.login(address, mail_servers.PASSWORD)
    line.select()
    try:
        yield line
    finally:
        line.logout()


def letters_of(servers, address: str):
    with folder_of(servers, address) as line:
        _ok, numbers = line.search(None, "ALL")
        return [
            message_from_bytes(line.fetch(number, "(RFC822)")[1][0][1], policy=policy.default)
            for number in numbers[0].split()
        ]


async def test_a_requester_and_we_talk_in_one_thread_of_a_real_folder(servers, desk: RealDesk):
    hand_in(servers, a_letter(verdict=None))

    async def begun() -> bool:
        return len(await desk.tickets()) == 1

    await desk.until(begun)
    (ticket,) = await desk.tickets()
    await desk.says(ticket.id, "Мастер приедет завтра.")

    async def two() -> bool:
        return len(await asyncio.to_thread(letters_of, servers, ANNA)) == 2

    await desk.until(two)
    ack, said = letters_of(servers, ANNA)
    if "Auto-Submitted" not in ack:
        ack, said = said, ack
    assert ack["Return-Path"] == "<>"
    assert said["In-Reply-To"] in {ack["Message-ID"], "<a1@romashka.example>"}
    assert "Мастер приедет завтра." in said.get_body(("plain",)).get_content()
    place = said["Reply-To"].addresses[0].addr_spec
    hand_in(
        servers, a_letter("Ждём.", message_id="a2@romashka.example", verdict=None, to=place), place
    )

    async def answered() -> bool:
        return len(await desk.comments(ticket.id)) == 2

    await desk.until(answered)
    assert (await desk.comments(ticket.id))[-1].body == "Ждём."


async def test_a_folder_that_is_numbered_anew_and_a_copy_in_another_change_nothing(
    servers, desk: RealDesk
):
    from hub.storage import letters

    before = len(letters_of(servers, HELP))
    hand_in(
        servers, a_letter(message_id="once@romashka.example", verdict=None, text="Только один раз")
    )

    async def there() -> bool:
        return any(one.description == "Только один раз" for one in await desk.tickets())

    await desk.until(there)
    tickets = len(await desk.tickets())
    with folder_of(servers, HELP) as line:
        line.create("Copies")
        line.copy(str(before + 1), "Copies")
    desk.mailbox = desk.mailbox.model_copy(
        update={"imap": desk.mailbox.imap.model_copy(update={"folders": ("INBOX", "Copies")})}
    )
    await desk.fetcher.close()
    desk.fetcher = ImapFetcher(desk.hub, desk.mailbox, ENV)
    # As if the server had numbered the folder anew.
    await desk.hub.db.write(
        lambda tx: letters.keep_cursor(tx, HELP, "INBOX", uidvalidity=1, uid=99_999)
    )
    for source in await desk.hub.db.read(
        lambda c: [one.id for one in letters.page(c, state=None, before=None, limit=99)]
    ):
        await desk.hub.db.write(lambda tx, one=source: letters.change(tx, one, source=f"old:{one}"))
    await desk.fetcher.look()
    await desk.works()
    assert len(await desk.tickets()) == tickets


async def test_a_server_nobody_vouches_for_is_not_read(servers, desk: RealDesk):
    stranger = desk.mailbox.model_copy(
        update={"imap": desk.mailbox.imap.model_copy(update={"ca_file": None})}
    )
    with pytest.raises(ssl.SSLError):
        await ImapFetcher(desk.hub, stranger, ENV).look()


async def test_a_letter_that_comes_while_we_wait_is_told_at_once(servers, desk: RealDesk):
    stop = asyncio.Event()
    running = asyncio.create_task(desk.fetcher.run(stop))
    try:
        await asyncio.sleep(1)
        hand_in(
            servers, a_letter(message_id="idle@romashka.example", verdict=None, text="Разбудите")
        )
        async with asyncio.timeout(20):  # far less than the minute until it looks by itself
            while not any(one.description == "Разбудите" for one in await desk.tickets()):
                await desk.works()
                await asyncio.sleep(0.2)
    finally:
        stop.set()
        await running
