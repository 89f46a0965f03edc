"""Letters between a requester and us through a real Postfix and a real Dovecot."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.mail.imap import ImapFetcher
from tests.conftest import NewDatabase
from tests.mail.conftest import HELP, a_letter
from tests.mail.real import ANNA, ENV, RealDesk, a_real_desk, folder_of, hand_in, letters_of
from tools import mail_servers

pytestmark = [pytest.mark.slow, pytest.mark.one_database]


@pytest.fixture
async def desk(
    servers: mail_servers.MailServers, quick_path: Path, databases: NewDatabase
) -> AsyncIterator[RealDesk]:
    async with a_real_desk(servers, quick_path, databases) as made:
        yield made


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
