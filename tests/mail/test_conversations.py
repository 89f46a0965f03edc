"""A person writes, gets a ticket, and talks with us in one thread of letters."""

from __future__ import annotations

import io

import pytest

from hub.actions import erasures, files, letters
from hub.domain.comment import Visibility
from hub.queries import tickets as ticket_views
from tests.kit.canary import Flock
from tests.mail.conftest import HELP, Desk, a_letter
from tests.mail.post_office import Taken, a_bounce


def reply_to(taken: Taken) -> str:
    return str(taken.letter["Reply-To"].addresses[0].addr_spec)


async def begun(desk: Desk) -> str:
    """A ticket that came by letter; the acknowledgement is forgotten."""
    letter = await desk.arrives(a_letter())
    assert letter.outcome == "ticket"
    return letter.ticket_id


async def test_a_letter_becomes_a_ticket_and_is_acknowledged_once(desk: Desk):
    ticket = await desk.ticket(await begun(desk))
    assert (ticket.title, ticket.description) == ("Не работает касса", "Касса не печатает чеки.")
    assert ticket.requester.email == "anna@romashka.example"
    (ack,) = desk.sent
    assert ack.sender == ""
    assert ack.recipients == ["anna@romashka.example"]
    assert ack.letter["Auto-Submitted"] == "auto-replied"
    assert ack.letter["In-Reply-To"] == "<a1@romashka.example>"
    assert ticket.number in ack.text()
    assert "Мы получили ваше письмо" in ack.text()
    assert "Касса" not in ack.text() + ack.letter["Subject"]


async def test_the_same_letter_twice_is_one_ticket(desk: Desk):
    await begun(desk)
    again = await desk.arrives(b"Received: by another way\r\n" + a_letter())
    assert again.outcome == "repeated"
    assert len(await desk.tickets()) == 1


async def test_what_we_say_to_the_client_goes_out_and_the_answer_comes_back_into_the_ticket(
    desk: Desk,
):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер приедет завтра в 10:00.")
    said = desk.sent[-1]
    assert "Мастер приедет завтра в 10:00." in said.text()
    assert "Мастер приедет завтра в 10:00." in said.text("html")
    assert said.letter["Subject"] == "Re: Не работает касса"
    assert said.letter["In-Reply-To"] == f"{desk.sent[0].letter['Message-ID']}"
    assert said.sender.startswith("help+b.")
    answer = a_letter(
        f"Хорошо, ждём.\n\n23.11.2026, 10:15, Сервис Плюс <{HELP}>:\n\n> Мастер приедет завтра",
        message_id="a2@romashka.example",
        to=reply_to(said),
        subject="Re: Не работает касса",
    )
    letter = await desk.arrives(answer, reply_to(said))
    assert (letter.outcome, letter.ticket_id) == ("reply", ticket_id)
    comment = (await desk.comments(ticket_id))[-1]
    assert comment.body == "Хорошо, ждём."
    assert comment.visibility is Visibility.CLIENT
    assert comment.author == "Анна <anna@romashka.example>"
    await desk.says(ticket_id, "До встречи.")
    assert desk.sent[-1].letter["In-Reply-To"] == "<a2@romashka.example>"


async def test_a_reply_without_the_token_belongs_by_what_it_refers_to_if_its_author_is_proven(
    desk: Desk,
):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    ours = desk.sent[-1].letter["Message-ID"]
    letter = await desk.arrives(
        a_letter("Спасибо", message_id="a3@romashka.example", lines=[f"References: {ours}"])
    )
    assert (letter.outcome, letter.ticket_id) == ("reply", ticket_id)


@pytest.mark.parametrize(
    "verdict",
    [
        None,
        "dmarc=none",
        "dmarc=fail",
        "spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example",
    ],
)
async def test_a_letter_in_the_requesters_name_that_nothing_proves_is_held(
    desk: Desk, verdict: str | None
):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    before = await desk.comments(ticket_id)
    forged = a_letter(
        "Пришлите мне всё",
        message_id="x@evil.example",
        verdict=verdict,
        lines=[f"In-Reply-To: {desk.sent[-1].letter['Message-ID']}", "Cc: mallory@evil.example"],
    )
    letter = await desk.arrives(forged)
    assert letter.state == "held"
    assert await desk.comments(ticket_id) == before
    assert all("mallory" not in str(one.recipients) for one in desk.sent)
    assert len(await desk.tickets()) == 1


async def test_verdicts_that_others_wrote_into_a_letter_are_their_words(desk: Desk):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    ours = desk.sent[-1].letter["Message-ID"]
    for n, lines in enumerate(
        (
            ["Authentication-Results: mx.evil.example; dmarc=pass"],
            [
                "Authentication-Results: mx.evil.example; dmarc=pass",
                "Authentication-Results: mx.plus.example; dmarc=pass",
            ],
            ["Authentication-Results: mx.plus.example (dmarc=pass); dmarc=none"],
        )
    ):
        forged = a_letter(
            "Я Анна",
            message_id=f"x{n}@evil.example",
            verdict=None,
            lines=[f"References: {ours}", *lines],
        )
        assert (await desk.arrives(forged)).state == "held"
    assert len(await desk.comments(ticket_id)) == 1


async def test_another_person_with_the_reply_address_is_heard_and_replaces_nobody(desk: Desk):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    place = reply_to(desk.sent[-1])
    letter = await desk.arrives(
        a_letter(
            "Я коллега Анны",
            sender="Boris <boris@other.example>",
            message_id="b@other.example",
            verdict="dmarc=pass",
            to=place,
        ),
        place,
    )
    assert letter.outcome == "note"
    comment = (await desk.comments(ticket_id))[-1]
    assert comment.visibility is Visibility.INTERNAL
    assert "отправитель не подтверждён" in comment.author
    await desk.says(ticket_id, "Ещё слово.")
    assert desk.sent[-1].recipients == ["anna@romashka.example"]


async def test_a_token_that_never_was_or_is_no_more_opens_nothing(desk: Desk):
    from hub.actions import correspondence
    from hub.storage import correspondences

    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    place = reply_to(desk.sent[-1])
    guessed = place[:7] + "".join("b" if ch == "a" else "a" for ch in place[7:33]) + place[33:]
    assert (
        await desk.arrives(a_letter("?", message_id="g1@x.example", to=guessed), guessed)
    ).state == "held"
    (thread,) = await desk.hub.db.read(
        lambda connection: correspondences.of_ticket(connection, ticket_id)
    )
    await correspondence.end(desk.hub, "system", thread.id)
    assert (
        await desk.arrives(a_letter("?", message_id="g2@x.example", to=place), place)
    ).state == "held"
    assert len(await desk.comments(ticket_id)) == 1
    assert place.split("+r.")[1].split("@")[0] not in str(thread)


@pytest.mark.one_database
async def test_files_and_pictures_of_a_letter_come_onto_the_ticket_and_ours_into_the_letter(
    desk: Desk,
):
    raw = (
        b"From: anna@romashka.example\r\nMessage-ID: <f@x>\r\nSubject: Photo\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b'--b\r\nContent-Type: text/html\r\n\r\n<p>See <img src="cid:p1"> there</p>\r\n'
        b"--b\r\nContent-Type: image/png; name=till.png\r\nContent-ID: <p1>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n--b--\r\n"
    )
    letter = await desk.arrives(raw)
    from hub.storage import attachments

    (row,) = await desk.hub.db.read(
        lambda connection: attachments.of_ticket(connection, letter.ticket_id)
    )
    assert (row.name, row.media_type, row.visibility) == (
        "till.png",
        "image/png",
        Visibility.CLIENT,
    )
    assert "[till.png]" in (await desk.ticket(letter.ticket_id)).description
    act = files.store(desk.hub, "Акт №5.pdf", "application/pdf", io.BytesIO(b"%PDF-1"))
    await desk.says(letter.ticket_id, "Акт во вложении", files=[act])
    (attached,) = desk.sent[-1].letter.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("Акт №5.pdf", b"%PDF-1")


async def test_nothing_internal_leaves_by_letter(desk: Desk):
    flock = Flock("mail")
    ticket_id = await begun(desk)
    for place in ("note", "public"):
        visibility = Visibility.INTERNAL if place == "note" else Visibility.PUBLIC
        await desk.says(ticket_id, flock.plant(place).text, visibility)
    secret = files.store(
        desk.hub,
        flock.plant("name").text + ".txt",
        "text/plain",
        io.BytesIO(flock.plant("file").content),
    )
    await desk.says(ticket_id, "x", Visibility.INTERNAL, files=[secret])
    await desk.says(ticket_id, "Слова для клиента")
    sent = []
    for one in desk.sent:
        sent.append(one.raw)
        sent += [
            part.get_payload(decode=True) or b""
            for part in one.letter.walk()
            if not part.is_multipart()
        ]
    assert flock.found_in(sent) == {}
    assert len(desk.sent) == 2


@pytest.mark.one_database
async def test_at_most_one_acknowledgement_a_day_goes_to_an_address(desk: Desk):
    for n in range(5):
        await desk.arrives(a_letter(message_id=f"n{n}@romashka.example"))
    assert len(desk.sent) == 1
    desk.network.clock.advance(hours=25)
    await desk.arrives(
        a_letter(message_id="n9@romashka.example").replace(b"23 Nov 2026 06", b"24 Nov 2026 06")
    )
    assert len(desk.sent) == 2


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "List-Id: <x.y>",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "X-Loop: a",
    ],
)
@pytest.mark.one_database
async def test_no_program_is_answered(desk: Desk, line: str):
    await desk.arrives(a_letter(lines=[line]))
    assert desk.sent == []


async def test_our_own_letter_that_comes_back_does_nothing(desk: Desk):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    for taken in list(desk.sent):
        assert (await desk.arrives(taken.raw)).outcome == "nothing"
    assert len(await desk.tickets()) == 1
    assert len(desk.sent) == 2


async def test_letters_of_ours_alone_are_one_thread_though_answers_lie_in_another_folder(
    desk: Desk,
):
    ticket_id = await begun(desk)
    for n in range(6):
        await desk.says(ticket_id, f"Шаг {n}.")
        answer = a_letter(f"Ответ {n}", message_id=f"b{n}@romashka.example", to=HELP)
        await desk.arrives(answer, reply_to(desk.sent[-1]))
        await desk.says(ticket_id, f"Понятно, {n}.")
    ids = [str(one.letter["Message-ID"]) for one in desk.sent]
    assert len(ids) == 13
    for place, one in enumerate(desk.sent[1:], 1):
        refers = str(one.letter["References"]).split()
        assert {ids[0], ids[place - 1]} <= set(refers)
        assert len(refers) <= 10
        assert refers[-1] == str(one.letter["In-Reply-To"])


async def test_a_bounce_is_shown_at_the_comment_that_failed(desk: Desk):
    from hub.storage import audit, posts

    ticket_id = await begun(desk)
    comment_id = await desk.says(ticket_id, "Мастер выехал.")
    returned = desk.sent[-1]
    letter = await desk.arrives(a_bounce(returned), returned.sender, sender="")
    assert (letter.outcome, letter.ticket_id) == ("report", ticket_id)
    (post,) = await desk.hub.db.read(lambda connection: posts.of_comment(connection, comment_id))
    assert post.bounce == "smtp; 552 mailbox full"
    shown = await desk.hub.db.read(lambda connection: ticket_views.show(connection, ticket_id))
    assert [
        (one.id, each.address, each.why) for one in shown.comments for each in one.undelivered
    ] == [(comment_id, "anna@romashka.example", "smtp; 552 mailbox full")]
    assert any(one.kind == "letter_failed" for one in await desk.hub.db.read(audit.open_alerts))
    assert len(await desk.tickets()) == 1


async def test_an_erased_ticket_leaves_no_letter_behind(desk: Desk):
    ticket_id = await begun(desk)
    await desk.says(ticket_id, "Мастер выехал.")
    before = set(desk.hub.blobs.everything())
    assert before
    await erasures.erase(desk.hub, desk.company.dispatcher, ticket_id, "asked for")
    assert desk.hub.blobs.everything() == []
    for row in (
        *await desk.posts(),
        *await desk.hub.db.read(
            lambda c: letters.letters.page(c, state=None, before=None, limit=9)
        ),
    ):
        assert "anna" not in str(row).lower()
        assert "касса" not in str(row).lower()
