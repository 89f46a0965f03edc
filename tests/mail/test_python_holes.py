"""Holes of Python's own mail library that we live with: CVE-2024-6923 and CVE-2023-27043.

The supported Pythons have them, so both are tried at the door, and judged by what came of it.
"""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from hub.domain.comment import Visibility
from tests.mail.conftest import Desk, a_letter
from tests.mail.partners import a_mail_partner
from tests.mail.post_office import Taken

pytestmark = pytest.mark.one_database

# CVE-2024-6923: an encoded word that decodes to an end of line becomes a header line of its own.
SMUGGLED = [
    "=?utf-8?q?Till=0ABcc:_eva@evil.example?=",
    "=?utf-8?q?Till=0D=0ABcc:_eva@evil.example?=",
    "=?utf-8?q?Till=0DBcc:_eva@evil.example?=",
    "=?utf-8?q?Till=0A=0ABcc:_eva@evil.example?=",
    "=?utf-8?b?VGlsbA0KQmNjOiBldmFAZXZpbC5leGFtcGxl?=",
    "Till =?utf-8?q?=0A?= =?utf-8?q?Bcc:_eva@evil.example?=",
    "=?utf-8?q?Till=C2=85Bcc:_eva@evil.example?=",
    "=?utf-8?q?Till=E2=80=A8Bcc:_eva@evil.example?=",
]

# CVE-2023-27043: an address that is read as another one than the mail server checked.
SPOOFED = [
    "alice@romashka.example)bob@evil.example",
    "alice@romashka.example]<bob@evil.example>",
    "alice@romashka.example(<bob@evil.example>",
    "alice@romashka.example><bob@evil.example>",
    "alice@romashka.example@bob@evil.example",
    '"alice@romashka.example <"<bob@evil.example> x"',
]


def lines_of(taken: Taken) -> list[str]:
    """The names of the header lines that the mail server got, read without decoding anything."""
    read = message_from_bytes(taken.raw, policy=policy.compat32)
    return [name.lower() for part in read.walk() for name in part.keys()]  # noqa: SIM118


@pytest.mark.parametrize("where", ["subject", "name"])
@pytest.mark.parametrize("text", SMUGGLED, ids=range(len(SMUGGLED)))
async def test_a_line_smuggled_into_a_letter_is_in_no_letter_of_ours(
    desk: Desk, text: str, where: str
):
    how = {"subject": text} if where == "subject" else {"sender": f"{text} <anna@romashka.example>"}
    letter = await desk.arrives(a_letter(**how))
    if letter.state == "held":
        assert desk.sent == []
        return
    await desk.says(letter.ticket_id, "Ответ")
    assert len(desk.sent) == 2
    for taken in desk.sent:
        assert taken.recipients == ["anna@romashka.example"]
        assert "bcc" not in lines_of(taken)
        assert lines_of(taken).count("subject") == 1


async def test_nor_in_the_letters_to_a_partner(desk: Desk):
    async with a_mail_partner(desk) as partner:
        for number, text in enumerate(SMUGGLED):
            letter = await desk.arrives(
                a_letter(subject=text, message_id=f"s{number}@romashka.example")
            )
            title = (await desk.ticket(letter.ticket_id)).title
            await partner.is_offered(title)
            await desk.says(letter.ticket_id, text, Visibility.CLIENT)
        assert len(partner.letters) == len(SMUGGLED)
        for taken in desk.sent:
            assert len(taken.recipients) == 1
            assert "bcc" not in lines_of(taken)


@pytest.mark.parametrize("said", SPOOFED, ids=range(len(SPOOFED)))
async def test_an_author_that_can_be_read_in_two_ways_is_nobody(desk: Desk, said: str):
    for verdict in (
        "dmarc=pass header.from=romashka.example",
        "dmarc=pass header.from=evil.example",
    ):
        letter = await desk.arrives(
            a_letter(sender=said, verdict=verdict, message_id=f"{len(verdict)}@evil.example")
        )
        assert (letter.state, letter.ticket_id) == ("held", None)
    assert desk.sent == []
    assert await desk.tickets() == []
