"""Mail servers that break off, renumber, refuse or wait: one effect each, under one Message-ID."""

from __future__ import annotations

import base64
import imaplib
from email import message_from_bytes

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hub.mail.compose import build
from hub.mail.headers import addresses, author
from hub.mail.imap import ImapFetcher
from hub.mail.mailboxes import Dkim, Secret
from tests.mail.conftest import Desk, a_letter
from tests.mail.mail_folders import MailFolders, mail_folders
from tests.mail.test_sending import a_draft

pytestmark = pytest.mark.one_database


@pytest.fixture
async def folders():
    async with mail_folders() as made:
        made.good_token = "fresh"
        yield made


def fetcher(desk: Desk, folders: MailFolders, token: str = "fresh") -> ImapFetcher:
    mailbox = desk.mailbox.model_copy(update={"imap": folders.settings})
    return ImapFetcher(desk.hub, mailbox, {"TOKEN": token})


async def looked(desk: Desk, folders: MailFolders) -> int:
    """After one look with a new connection: how many tickets there are."""
    one = fetcher(desk, folders)
    try:
        await one.look()
    finally:
        await one.close()
    await desk.works()
    return len(await desk.tickets())


async def test_a_line_cut_in_the_middle_of_a_letter_costs_a_repetition(
    desk: Desk, folders: MailFolders
):
    folders.folders["INBOX"] += [a_letter(), a_letter(message_id="a2@romashka.example")]
    folders.cuts = 1
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        await looked(desk, folders)
    assert await desk.tickets() == [], "half a letter is none"
    assert await looked(desk, folders) == 2
    assert await looked(desk, folders) == 2


async def test_a_folder_numbered_anew_and_a_letter_in_two_folders_are_known(
    desk: Desk, folders: MailFolders
):
    folders.folders["INBOX"].append(a_letter())
    assert await looked(desk, folders) == 1
    folders.uidvalidity = 7
    assert await looked(desk, folders) == 1
    folders.folders["Copies"] = [a_letter()]
    assert await looked(desk, folders) == 1
    folders.folders["INBOX"].append(a_letter(message_id="a2@romashka.example"))
    assert await looked(desk, folders) == 2


async def test_the_access_token_is_read_anew_at_each_login(desk: Desk, folders: MailFolders):
    stale = fetcher(desk, folders, "stale")
    with pytest.raises(imaplib.IMAP4.error):
        await stale.look()
    await stale.close()
    folders.folders["INBOX"].append(a_letter())
    assert await looked(desk, folders) == 1
    assert folders.tokens == ["stale", "fresh"]


@pytest.mark.parametrize("fault", ["451", "452"], ids=["greylisted", "mailbox full"])
async def test_who_waits_is_served_later_under_the_same_message_id(desk: Desk, fault: str):
    letter = await desk.arrives(a_letter())
    desk.server.faults = [fault, fault, fault]
    await desk.says(letter.ticket_id, "Едем.")
    for _ in range(6):
        desk.network.clock.advance(minutes=30)
        await desk.works()
    _ack, *said = desk.sent
    assert len(said) == 1
    (post,) = [one for one in await desk.posts() if one.kind == "said"]
    assert said[0].letter["Message-ID"] == f"<{post.message_id}>"
    assert post.attempts == 4


async def test_our_signature_holds_for_the_bytes_the_server_got(desk: Desk, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public = base64.b64encode(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    letter = await desk.arrives(a_letter())
    desk.mailbox = desk.mailbox.model_copy(
        update={"dkim": Dkim(selector="s1", key=Secret(file=file))}
    )
    await desk.says(letter.ticket_id, "Едем.\n.точка в начале строки\n\n\n")
    record = {b"s1._domainkey.plus.example.": b"v=DKIM1; k=rsa; p=" + public}
    raw = desk.sent[-1].raw
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record.get(name))
    for old, new in ((b"Subject: ", b"Subject: x"), (b"=D0=95", b"=D0=96")):
        other = raw.replace(old, new, 1)
        assert other != raw
        assert not dkim.verify(other, dnsfunc=lambda name, timeout=5: record.get(name)), old


async def test_a_signing_key_that_is_none_keeps_the_letter_and_says_so(desk: Desk, tmp_path):
    file = tmp_path / "key.pem"
    file.write_text("no key")
    letter = await desk.arrives(a_letter())
    desk.mailbox = desk.mailbox.model_copy(
        update={"dkim": Dkim(selector="s1", key=Secret(file=file))}
    )
    await desk.says(letter.ticket_id, "Едем.")
    (post,) = [one for one in await desk.posts() if one.kind == "said"]
    assert (post.state, len(desk.sent)) == ("queued", 1)


# --- known holes of the library on this Python ----------------------------------------------


def test_cve_2024_6923_no_encoded_line_end_becomes_a_line_of_ours():
    smuggled = "Re: =?utf-8?q?=0ABcc=3A_evil=40x=2Eexample?="
    lines = build(a_draft(subject=smuggled)).split(b"\r\n\r\n")[0].lower()
    assert b"\nbcc:" not in lines
    assert message_from_bytes(lines)["bcc"] is None


@pytest.mark.parametrize(
    "spoofed", ["alice@example.org)bob@example.com", "alice@example.org]bob@example.com"]
)
def test_cve_2023_27043_what_stands_behind_a_special_character_is_nobody(spoofed: str):
    assert author([spoofed]) is None
    assert "bob@example.com" not in [one.address for one in addresses([spoofed])]
