"""The node's own door for letters, mailbox files, and what operators do about letters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import jsonschema_rs
import pytest

from hub.errors import Misconfigured
from hub.mail import mailboxes
from hub.mail.door import open_door
from hub.storage import attachments
from hub.storage import letters as stored
from tests.cli.conftest import follows_schema, hub
from tests.mail.conftest import HELP, Desk, a_letter

pytestmark = pytest.mark.one_database


@contextlib.asynccontextmanager
async def a_door(desk: Desk, *, lmtp: bool):
    server = await open_door(desk.hub, (desk.mailbox,), "127.0.0.1", 0, lmtp=lmtp)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def all_letters(desk: Desk):
    return await desk.hub.db.read(lambda c: stored.page(c, state=None, before=None, limit=99))


@pytest.mark.parametrize("lmtp", [True, False])
async def test_a_mail_server_hands_letters_in_at_our_own_door(desk: Desk, lmtp: bool):
    # Python's client does not wait for the further answers that LMTP gives.
    places = [HELP] if lmtp else [HELP, "help+r.aaaa@plus.example"]

    def hand_in(port: int) -> None:
        with (smtplib.LMTP if lmtp else smtplib.SMTP)("127.0.0.1", port) as line:
            line.sendmail("anna@romashka.example", places, a_letter())
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                line.sendmail("anna@romashka.example", ["someone@else.example"], a_letter())

    async with a_door(desk, lmtp=lmtp) as port:
        await asyncio.to_thread(hand_in, port)
    (letter,) = await all_letters(desk)
    assert letter.sender == "anna@romashka.example"
    assert letter.recipients == places
    await desk.works()
    assert (await desk.letter(letter.id)).outcome == "ticket"


async def test_a_letter_of_25_megabytes_becomes_a_ticket_with_its_file(desk: Desk):
    content = random.Random(1).randbytes(18 * 1024 * 1024)  # a third more in base64
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "anna@romashka.example", HELP, "Снимки"
    letter["Message-ID"] = "<large@romashka.example>"
    letter.set_content("Снимки кассы.")
    letter.add_attachment(content, maintype="application", subtype="zip", filename="снимки.zip")
    raw = letter.as_bytes(policy=SMTP)
    assert len(raw) > 25_000_000

    def hand_in(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as line:
            line.sendmail("anna@romashka.example", [HELP], raw)

    async with a_door(desk, lmtp=False) as port:
        await asyncio.to_thread(hand_in, port)
    await desk.works()
    (stored_letter,) = await all_letters(desk)
    assert stored_letter.outcome == "ticket"
    with desk.hub.blobs.open(stored_letter.sha256) as source:
        assert source.read().endswith(raw)  # under what our own server wrote above it
    (row,) = await desk.hub.db.read(lambda c: attachments.of_ticket(c, stored_letter.ticket_id))
    assert (row.name, row.size) == ("снимки.zip", len(content))
    with desk.hub.blobs.open(row.sha256) as source:
        assert source.read() == content


ENDS = [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r.\r", b"\n\n.\n\n"]


@pytest.mark.parametrize("end", ENDS, ids=range(len(ENDS)))
async def test_a_wrong_end_of_data_makes_no_second_letter(desk: Desk, end: bytes):
    async with a_door(desk, lmtp=False) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        smuggled = b"MAIL FROM:<ceo@plus.example>\r\nRCPT TO:<help@plus.example>\r\nDATA\r\nSubject: forged\r\n\r\nx"
        for line in (
            b"EHLO x\r\n",
            b"MAIL FROM:<a@x.example>\r\n",
            b"RCPT TO:<help@plus.example>\r\n",
            b"DATA\r\n",
            b"Subject: one\r\n\r\nhello" + end + smuggled + b"\r\n.\r\n",
            b"QUIT\r\n",
        ):
            writer.write(line)
            await writer.drain()
        await reader.read()
        writer.close()
    assert len(await all_letters(desk)) <= 1
    assert all(one.sender == "a@x.example" for one in await all_letters(desk))


GOOD = "address: help@plus.example\nsmtp: {host: mx.plus.example, user: help, password: {env: MAIL_PASSWORD}}\n"


def test_a_mailbox_file_is_read_and_fits_its_schema(tmp_path: Path):
    (tmp_path / "mailboxes").mkdir()
    (tmp_path / "mailboxes" / "help.yaml").write_text(GOOD)
    (one,) = mailboxes.load(tmp_path)
    assert one.smtp.password.read({"MAIL_PASSWORD": "secret"}) == "secret"
    schema = jsonschema_rs.Draft202012Validator(mailboxes.schema())
    assert schema.is_valid(json.loads(json.dumps({"address": "help@plus.example"})))
    assert not schema.is_valid({"adress": "help@plus.example"})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("address: nothing\n", "1:10 must be a plain address"),
        ("address: help+x@plus.example\n", "1:10 must be a plain"),
        ("adress: help@plus.example\n", "1:9 unknown key adress; did you mean address?"),
        (
            "address: help@plus.example\nsmtp: {host: mx.example, security: none}\n",
            "2:7 must use tls",
        ),
        ("address: help@plus.example\nsmtp: {host: mx.example, user: a}\n", "2:7 a user needs"),
        ("address: help@plus.example\nimap: {host: mx.example, port: 0}\n", "2:32 input should be"),
        ("address: [\n", "2:1 "),
        ("- a\n", "1:1 not a mapping"),
    ],
)
def test_a_mailbox_file_that_cannot_work_is_refused_by_its_place(
    tmp_path: Path, text: str, place: str
):
    (tmp_path / "mailboxes").mkdir()
    (tmp_path / "mailboxes" / "help.yaml").write_text(text)
    with pytest.raises(Misconfigured) as refusal:
        mailboxes.load(tmp_path)
    assert f"help.yaml:{place}" in str(refusal.value)


def test_a_secret_that_is_not_there_is_named_and_not_shown(tmp_path: Path):
    with pytest.raises(Misconfigured):
        mailboxes.Secret(env="NOWHERE").read({})
    with pytest.raises(Misconfigured):
        mailboxes.Secret(file=tmp_path / "nothing").read({})


async def test_operators_see_held_letters_and_decide(desk: Desk):
    held = await desk.stores(b"")
    await desk.arrives(a_letter())
    data = desk.company.settings.data

    def document(*argv: str, schema: str):
        ran = hub(*argv, "--json", data=data)
        assert ran.code == 0, ran.out + ran.err
        follows_schema(schema, ran.json)
        return ran.json

    def decide():
        (line,) = document("mail", "list", "--state", "held", schema="mail-list")["letters"]
        assert (line["id"], line["state"]) == (held, "held")
        assert len(document("mail", "list", "--sent", schema="mail-list")["letters"]) == 1
        assert document("mail", "show", held, schema="mail-show")["recipients"] == [HELP]
        document("mail", "retry", held, schema="mail-list")
        assert hub("mail", "drop", held, "--reason", "spam", "--json", data=data).code == 7
        assert hub("mail", "show", "let_" + "0" * 32, "--json", data=data).code == 5

    await asyncio.to_thread(decide)
    await desk.works()
    dropped = await asyncio.to_thread(
        document, "mail", "drop", held, "--reason", "spam", schema="mail-list"
    )
    assert dropped["letters"][0]["state"] == "dropped"


@pytest.mark.parametrize("recipients", [2])
async def test_our_door_answers_for_every_recipient_as_lmtp_wants(desk: Desk, recipients: int):
    async with a_door(desk, lmtp=True) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"LHLO x\r\n")
        writer.write(b"MAIL FROM:<>\r\n")
        for n in range(recipients):
            writer.write(b"RCPT TO:<help+x%d@plus.example>\r\n" % n)
        writer.write(b"DATA\r\n")
        await writer.drain()
        while not (await reader.readline()).startswith(b"354"):
            pass
        writer.write(a_letter() + b".\r\n")
        answers = [await reader.readline() for _each in range(recipients)]
        writer.close()
    assert answers == [b"250 2.0.0 stored\r\n"] * recipients
