"""Our letters: what stands in their bytes, and what happens when the mail server does not play along."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from hub.domain.comment import Visibility
from hub.errors import Refused
from hub.mail.compose import Draft, Enclosed, build
from tests.mail.conftest import Desk, a_letter

BAD = [
    "\r\n",
    "\r",
    "\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "=?utf-8?q?=0ABcc:_evil@x.example?=",
    "=?utf-8?b?CkJjYzogZXZpbEB4LmV4YW1wbGU=?=",
    "=?utf-8?q?=0D=0A?=",
    "%0d%0a",
    "\\r\\n",
    "\r\n\r\n",
    "\r\n ",
    "\n\t",
]


def a_draft(**said) -> Draft:
    return Draft(
        **{
            "sender": "help@plus.example",
            "sender_name": "Сервис Плюс",
            "recipient": "anna@romashka.example",
            "subject": "Re: Не работает касса",
            "text": "Слова\n",
            "html": "<p>Слова</p>",
            "message_id": "m1@plus.example",
            "at": datetime(2026, 11, 23, tzinfo=UTC),
            "reply_to": "help+r.aa@plus.example",
            "mark": "aa",
        }
        | said
    )


NAMES = {
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "x-hub-loop",
    "x-hub-hops",
    "x-auto-response-suppress",
}


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("where", ["subject", "sender_name", "file"])
def test_nothing_in_a_text_becomes_a_header(where: str, bad: str):
    text = f"Касса{bad}Bcc: evil@x.example"
    draft = (
        a_draft(files=[Enclosed(text, "text/plain", b"x")])
        if where == "file"
        else a_draft(**{where: text})
    )
    try:
        raw = build(draft)
    except Refused as error:
        assert error.code == "header_unsafe"
        return
    again = message_from_bytes(raw, policy=policy.compat32)
    assert {name.lower() for name in again.keys()} == NAMES  # noqa: SIM118 - a message is no dict
    assert not any(part.get("bcc") for part in again.walk())


@pytest.mark.parametrize("where", ["recipient", "reply_to", "sender", "message_id"])
@pytest.mark.parametrize(
    "bad", ["a@x.example\r\nBcc: b@x.example", "a@x.example, b@x.example", "a@x\x00.example", ""]
)
def test_an_address_that_is_none_gets_no_letter(where: str, bad: str):
    with pytest.raises(Refused):
        build(a_draft(**{where: bad}))


@pytest.mark.one_database
@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
async def test_no_subject_of_a_stranger_adds_a_line_to_what_smtp_gets(desk: Desk, bad: str):
    from email.header import Header

    subject = Header(f"Касса{bad}Bcc: evil@x.example", "utf-8").encode().replace("\n", "")
    letter = await desk.arrives(a_letter(subject=subject.replace("\r", "").replace("\x00", "")))
    assert letter.outcome == "ticket"
    await desk.says(letter.ticket_id, "Ответ")
    assert len(desk.sent) == 2
    for taken in desk.sent:
        again = message_from_bytes(taken.raw, policy=policy.compat32)
        assert "bcc" not in {name.lower() for name in again.keys()}  # noqa: SIM118
        assert taken.recipients == ["anna@romashka.example"]


@pytest.mark.one_database
async def test_markup_in_words_is_escaped(desk: Desk):
    letter = await desk.arrives(a_letter())
    await desk.says(letter.ticket_id, "<script>alert(1)</script> & <b>Касса</b>")
    page = desk.sent[-1].text("html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("fault", ["busy", "450", "cut_before_dot"])
async def test_what_fails_for_now_is_tried_again_and_arrives_once(desk: Desk, fault: str):
    letter = await desk.arrives(a_letter())
    desk.server.faults = ["", fault][1:]
    await desk.says(letter.ticket_id, "Мастер выехал.")
    assert len(desk.sent) == 1
    waiting = (await desk.posts())[0]
    assert (waiting.state, waiting.attempts) == ("queued", 1)
    desk.network.clock.advance(minutes=20)
    await desk.works()
    assert len(desk.sent) == 2
    assert desk.sent[-1].letter["Message-ID"] == f"<{waiting.message_id}>"


async def test_a_line_cut_behind_the_last_dot_repeats_the_same_letter(desk: Desk):
    letter = await desk.arrives(a_letter())
    desk.server.faults = ["cut_after_dot"]
    await desk.says(letter.ticket_id, "Мастер выехал.")
    desk.network.clock.advance(minutes=20)
    await desk.works()
    first, second = desk.sent[-2:]
    assert first.raw == second.raw
    assert (await desk.posts())[0].state == "sent"


@pytest.mark.one_database
async def test_a_server_slow_to_say_goodbye_has_the_letter_once(desk: Desk):
    letter = await desk.arrives(a_letter())
    desk.server.faults = ["slow_quit"]
    await desk.says(letter.ticket_id, "Мастер выехал.")
    desk.network.clock.advance(minutes=20)
    await desk.works()
    assert len(desk.sent) == 2
    assert (await desk.posts())[0].state == "sent"


@pytest.mark.parametrize("fault", ["550", "554"])
async def test_what_is_refused_for_good_is_shown_and_can_be_sent_again(desk: Desk, fault: str):
    from hub.storage import audit

    letter = await desk.arrives(a_letter())
    desk.server.faults = [fault]
    await desk.says(letter.ticket_id, "Мастер выехал.")
    failed = (await desk.posts())[0]
    assert failed.state == "failed"
    assert [one.kind for one in await desk.hub.db.read(audit.open_alerts)] == ["letter_failed"]
    await desk.replay(failed.id)
    assert desk.sent[-1].letter["Message-ID"] == f"<{failed.message_id}>"
    assert await desk.hub.db.read(audit.open_alerts) == []


@pytest.mark.one_database
async def test_a_server_with_a_certificate_of_another_gets_nothing(desk: Desk):
    letter = await desk.arrives(a_letter())
    desk.mailbox = desk.mailbox.model_copy(
        update={"smtp": desk.mailbox.smtp.model_copy(update={"security": "starttls"})}
    )
    await desk.says(letter.ticket_id, "Мастер выехал.")  # the test server has no STARTTLS at all
    assert len(desk.sent) == 1
    assert (await desk.posts())[0].state == "queued"


@pytest.mark.one_database
async def test_nothing_is_sent_or_read_while_mail_is_held_after_a_restore(desk: Desk):
    from hub.storage import resets

    letter = await desk.arrives(a_letter())
    await desk.hub.db.write(lambda tx: resets.begin_anew(tx, desk.hub.now()))
    await desk.says(letter.ticket_id, "Мастер выехал.")
    held = await desk.stores(a_letter(message_id="later@romashka.example"))
    await desk.works()
    assert len(desk.sent) == 1
    assert (await desk.letter(held)).state == "stored"
    await desk.hub.db.write(resets.let_go)
    await desk.works()
    assert len(desk.sent) == 2


@pytest.mark.one_database
async def test_a_letter_that_breaks_the_reader_is_held_whole_and_the_queue_goes_on(desk: Desk):
    from hub.actions import letters
    from hub.mail.reader import Reader

    bad = await desk.stores(b"")
    slow = await desk.stores(a_letter("x" * 2_000_000, message_id="slow@x.example"))
    desk.reader = Reader(read_s=0.000_001)
    await desk.works()
    assert {(await desk.letter(one)).state for one in (bad, slow)} == {"held"}
    desk.reader = Reader()
    good = await desk.arrives(a_letter())
    assert good.outcome == "ticket"
    await letters.retry(desk.hub, desk.company.dispatcher, slow)
    await desk.works()
    assert (await desk.letter(slow)).outcome == "ticket"
    await letters.drop(desk.hub, desk.company.dispatcher, bad, "nothing in it")
    assert (await desk.letter(bad)).state == "dropped"
    await desk.reader.close()


@pytest.mark.one_database
async def test_internal_words_have_no_way_into_a_letter(desk: Desk):
    letter = await desk.arrives(a_letter())
    before = len(await desk.posts())
    await desk.says(letter.ticket_id, "Только для нас", Visibility.INTERNAL)
    assert len(await desk.posts()) == before


@pytest.mark.one_database
async def test_words_taken_back_before_they_went_are_not_sent(desk: Desk):
    from hub.actions import comments

    letter = await desk.arrives(a_letter())
    desk.server.faults = ["busy"]
    comment_id = await desk.says(letter.ticket_id, "Не то слово")
    await comments.redact(desk.hub, desk.company.dispatcher, comment_id)
    desk.network.clock.advance(hours=1)
    await desk.works()
    assert len(desk.sent) == 1
    assert "Не то слово" not in str(await desk.posts())


@pytest.mark.one_database
async def test_who_was_answered_is_forgotten_after_a_week(desk: Desk):
    from sqlalchemy import func, select

    from hub.actions import retention
    from hub.storage.tables import answered

    await desk.arrives(a_letter())
    how_many = select(func.count()).select_from(answered)
    assert await desk.hub.db.read(lambda c: c.execute(how_many).scalar_one()) == 1
    desk.network.clock.advance(days=8)
    await retention.collect(desk.hub)
    assert await desk.hub.db.read(lambda c: c.execute(how_many).scalar_one()) == 0


def test_a_subject_keeps_every_space_wherever_its_line_is_folded():
    # Where two encoded words met, the library lost it, and the letter was refused for good.
    for n in range(1, 60):
        subject = f"[Магазины - Ошибка #{'4' * n}] Холодильник не морозит"
        letter = message_from_bytes(build(a_draft(subject=subject)), policy=policy.default)
        assert letter["Subject"] == subject
