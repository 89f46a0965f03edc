"""A partner without a node works by letters: every act is a page that it sends."""

from __future__ import annotations

import asyncio
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.actions import evidence, handoffs, links, tickets
from hub.actions.evidence import ExportEvidence
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.domain.ticket import Contact, Requester, Site
from hub.evidence import verify
from hub.queries import links as views
from hub.storage import outbox
from hub.storage.tables import mail_acts
from tests.cli.conftest import follows_schema, hub
from tests.kit.canary import Flock
from tests.mail.conftest import Desk
from tests.mail.partners import PARTNER, MailPartner, a_mail_partner
from tests.mail.post_office import a_bounce


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def test_an_offer_is_one_clear_letter_and_the_work_goes_through_to_the_rating(
    partner: MailPartner,
):
    desk = partner.desk
    _ticket, handoff_id = await partner.is_offered(
        description="Чек выходит пустым.",
        site=Site(name="Магазин 7", address="Ростов, Садовая 1"),
        contact=Contact(name="Анна", phone="+7 900 000-00-00"),
    )
    (offer,) = partner.letters
    for part in ("Касса не печатает", "Чек выходит пустым.", "Ростов, Садовая 1"):
        assert part in offer.text()
        assert part in offer.text("html")
    assert "Auto-Submitted" not in offer.letter
    await partner.clicks("accept", number="МЮ-15", eta="2026-11-24T10:00")
    handoff = await partner.handoff(handoff_id)
    assert (handoff.state, handoff.peer_number) == ("accepted", "МЮ-15")
    assert handoff.eta is not None
    await partner.clicks("on_site", text="Приехали")
    assert (await partner.handoff(handoff_id)).state == "in_progress"
    await partner.clicks("done", ("чек.jpg", b"\xff\xd8 photo"), text="Заменили головку")
    handoff = await partner.handoff(handoff_id)
    assert (handoff.state, handoff.resolution) == ("resolved", "Заменили головку")
    await handoffs.act(
        desk.hub, desk.company.dispatcher, handoff_id, Act.CONFIRM, Particulars(score=5)
    )
    await partner.settles()
    assert "5" in partner.letters[-1].text()
    thread = {one.letter["Message-ID"] for one in partner.letters}
    assert all(one.letter["In-Reply-To"] in thread for one in partner.letters[1:])
    log = await partner.log()
    assert [row.type for row in log if row.type.startswith("handoff.")] == [
        "handoff.accept",
        "handoff.plan",
        "handoff.start",
        "handoff.plan",
        "handoff.resolve",
    ]
    assert {row.state for row in log} == {"done"}
    assert PARTNER not in {one.sender for one in partner.letters}


# --- links in letters -------------------------------------------------------------------------


async def test_a_scanner_that_follows_every_link_does_nothing(partner: MailPartner):
    _ticket, handoff_id = await partner.is_offered()
    for _ in range(2):
        for act in ("accept", "decline"):
            for method in ("GET", "HEAD", "OPTIONS"):
                await partner.browser.ask(method, partner.button(act))
    # A scanner's copy of the form is not sent from a page of ours.
    path = partner.button("decline")
    cross = await partner.browser.post(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status in {400, 401, 403}
    await partner.settles()
    assert await partner.log() == []
    assert (await partner.handoff(handoff_id)).state == "offered"
    await partner.clicks("accept")
    assert (await partner.handoff(handoff_id)).state == "accepted"


async def test_a_link_works_once_for_one_hand_off_and_not_for_ever(partner: MailPartner):
    _one, first_id = await partner.is_offered("Касса")
    decline, accept = partner.button("decline"), partner.button("accept")
    await partner.clicks("accept")
    leaving = partner.button("on_the_way")
    assert (await partner.sends(leaving)).status == 303
    _two, second_id = await partner.is_offered("Принтер")
    second = partner.button("accept")
    said = len(await partner.log())
    letters = len(partner.letters)
    for path, status in (
        (accept, 409),  # once more
        (leaving, 409),  # though one may well say it twice
        (decline, 409),  # the other one of the letter, which is too late now
        (accept[:-1] + ("a" if accept[-1] != "a" else "b"), 404),  # guessed
        ("/p/" + "a" * 26, 404),
    ):
        answer = await partner.sends(path, text="всё равно")
        assert answer.status == status, answer.words
    assert len(await partner.log()) == said
    assert len(partner.letters) == letters
    assert (await partner.handoff(second_id)).state == "offered"
    partner.desk.network.clock.advance(days=31)
    assert (await partner.opens(second)).status == 404
    assert (await partner.sends(second)).status == 404
    assert (await partner.handoff(first_id)).state == "accepted"
    assert (await partner.handoff(second_id)).state == "offered"


async def test_a_copy_of_the_database_opens_no_link(partner: MailPartner):
    await partner.is_offered()
    token = partner.button("accept").rpartition("/")[2]
    rows = await partner.desk.hub.db.read(
        lambda c: [str(tuple(row)) for row in c.execute(select(mail_acts))]
    )
    assert rows
    assert token not in "".join(rows)


async def test_a_reason_is_asked_for_and_a_suspended_partner_says_nothing(partner: MailPartner):
    _ticket, handoff_id = await partner.is_offered()
    decline = partner.button("decline")
    assert (await partner.sends(decline, text="  ")).status == 422
    desk = partner.desk
    await links.suspend(desk.hub, desk.company.dispatcher, partner.link_id, "отпуск")
    await partner.settles()
    assert "отпуск" in partner.letters[-1].text()
    assert (await partner.sends(decline, text="Нет людей")).status == 422
    assert (await partner.handoff(handoff_id)).state == "offered"
    await links.resume(desk.hub, desk.company.dispatcher, partner.link_id)
    await partner.settles()
    assert (await partner.sends(decline, text="Нет людей")).status == 303
    handoff = await partner.handoff(handoff_id)
    assert (handoff.state, handoff.reason) == ("declined", "Нет людей")


async def test_a_form_that_is_broken_or_too_large_is_refused(partner: MailPartner):
    _ticket, handoff_id = await partner.is_offered()
    path = partner.button("accept")
    for data, kind in (
        (b"text=1", "application/x-www-form-urlencoded"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n" + b"a" * 200_000, "multipart/form-data; boundary=x"),
    ):
        answer = await partner.browser.ask("POST", path, data, headers={"Content-Type": kind})
        assert 400 <= answer.status < 500
    assert (await partner.sends(path, text="я" * 50_000)).status in {413, 422, 400}
    assert (await partner.handoff(handoff_id)).state == "offered"


# --- replies ----------------------------------------------------------------------------------


async def test_a_reply_is_a_public_comment_with_its_files_once_and_never_a_step(
    partner: MailPartner,
):
    ticket_id, handoff_id = await partner.is_offered()
    first = await partner.replies("Принять. Выезжаем завтра.")
    assert first.outcome == "reply"
    (comment,) = await partner.desk.comments(ticket_id)
    assert (comment.visibility, comment.body) == (Visibility.PUBLIC, "Принять. Выезжаем завтра.")
    assert comment.author == f"Олег Юг <{PARTNER}>"
    assert comment.account == "Мастер-Юг"
    assert (await partner.handoff(handoff_id)).state == "offered"
    again = await partner.desk.arrives(await partner.raw_of(first), *first.recipients)
    assert again.outcome == "repeated"
    assert len(await partner.desk.comments(ticket_id)) == 1


@pytest.mark.parametrize(
    ("verdict", "sender", "public"),
    [
        (None, f"Олег <{PARTNER}>", True),
        ("dmarc=pass header.from=evil.example", "Ева <eva@evil.example>", False),
    ],
)
async def test_whoever_is_not_proven_is_shown_as_such(
    partner: MailPartner, verdict: str | None, sender: str, public: bool
):
    ticket_id, _handoff = await partner.is_offered()
    await partner.replies("Это я", sender=sender, verdict=verdict)
    (comment,) = await partner.desk.comments(ticket_id)
    assert (comment.visibility is Visibility.PUBLIC) is public
    assert "не подтверждён" in comment.author


async def test_what_we_say_among_ourselves_is_in_no_letter_and_on_no_page(partner: MailPartner):
    desk, flock = partner.desk, Flock("mail partners")
    secret, client = flock.plant("internal"), flock.plant("client")
    ticket_id, _handoff = await partner.is_offered(
        description="Открытое", requester=Requester(name="Анна", email="anna@romashka.example")
    )
    await desk.says(ticket_id, secret.text, Visibility.INTERNAL)
    await desk.says(ticket_id, client.text, Visibility.CLIENT)
    await desk.says(ticket_id, "Для всех", Visibility.PUBLIC)
    await partner.settles()
    page = await partner.opens(partner.button("accept"))
    seen = [page.text.encode()]
    for one in partner.letters:
        parts = [part for part in one.letter.walk() if not part.is_multipart()]
        seen += [one.raw, *(bytes(part.get_payload(decode=True)) for part in parts)]
    assert any("Для всех".encode() in one for one in seen)
    for bird in (secret, client):
        assert not any(form in one for form in bird.forms() for one in seen)


async def test_a_title_full_of_header_lines_makes_no_header(partner: MailPartner):
    await partner.is_offered("Касса\r\nBcc: eva@evil.example\r\n\r\n=?utf-8?q?=0ABcc:x?=")
    (letter,) = partner.letters
    assert letter.recipients == [PARTNER]
    assert "Bcc" not in letter.letter
    assert letter.letter["Subject"].count("\n") == 0


# --- what time does ---------------------------------------------------------------------------


async def test_the_partner_is_reminded_once_a_stage_and_an_offer_runs_out(partner: MailPartner):
    desk = partner.desk
    made = await tickets.create(desk.hub, desk.company.dispatcher, NewTicket(title="Касса"))
    until = desk.hub.now() + timedelta(hours=8)
    wish = OfferHandoff(made.id, partner.link_id, valid_until=until)
    handoff_id = await handoffs.offer(desk.hub, desk.company.dispatcher, wish)
    await partner.settles()
    assert len(partner.letters) == 1
    for _ in range(3):
        desk.network.clock.advance(hours=1.5)
        await partner.settles()
    assert len(partner.letters) == 2
    assert "ждёт вашего ответа" in partner.letters[-1].text()
    desk.network.clock.advance(hours=4)
    await partner.settles()
    await partner.settles()
    assert (await partner.handoff(handoff_id)).state == "declined"
    assert len(partner.letters) == 3


async def test_a_recall_stops_the_work_at_once(partner: MailPartner):
    desk = partner.desk
    _ticket, handoff_id = await partner.is_offered()
    await partner.clicks("accept")
    await handoffs.cancel(desk.hub, desk.company.dispatcher, handoff_id, "Клиент передумал")
    await partner.settles()
    assert (await partner.handoff(handoff_id)).state == "cancelled"
    assert "Клиент передумал" in "".join(one.text() for one in partner.letters[-2:])


async def test_a_letter_that_comes_back_is_shown_at_the_partner(partner: MailPartner):
    desk = partner.desk
    desk.server.faults[:] = ["550"]
    await partner.is_offered()
    view = await desk.hub.db.read(lambda c: views.show(c, "Мастер-Юг", desk.hub.now()))
    assert view.by_mail.failed == 1
    assert view.health == "overdue"
    (row,) = await partner.log(outbox)
    assert row.state == "received"  # nothing stands still behind a letter that was refused


@pytest.mark.parametrize("refused_at_once", [True, False])
@pytest.mark.one_database  # commands find their database by the node's configuration
async def test_words_that_did_not_reach_the_partner_say_so_where_they_stand(
    partner: MailPartner, refused_at_once: bool
):
    desk = partner.desk
    ticket_id, _handoff = await partner.is_offered()
    number = (await desk.ticket(ticket_id)).number
    await desk.says(ticket_id, "Ключ у охраны.", Visibility.PUBLIC)
    await partner.settles()
    if refused_at_once:
        desk.server.faults[:] = ["550"]
    comment_id = await desk.says(ticket_id, "Код от двери 1234.", Visibility.PUBLIC)
    await partner.settles()
    if not refused_at_once:
        returned = partner.letters[-1]
        await desk.arrives(a_bounce(returned), returned.sender, sender="")
    why = "550" if refused_at_once else "552 mailbox full"

    def work() -> None:
        ran = hub("ticket", "show", number, "--json", data=desk.company.settings.data)
        follows_schema("ticket-show", ran.json)
        lost = {one["id"]: one["undelivered"] for one in ran.json["comments"]}
        ((at, (told,)),) = [(one, found) for one, found in lost.items() if found]
        assert (at, told["address"]) == (comment_id, PARTNER)
        assert why in told["why"]
        read = hub("ticket", "show", number, data=desk.company.settings.data)
        assert PARTNER in read.out

    await asyncio.to_thread(work)
    admin = await partner.console.person("admin")
    page = await admin.read(f"/tickets/{number}")
    assert page.count(PARTNER) >= 1
    assert why in page
    (post,) = [one for one in await desk.posts() if one.comment_id == comment_id]
    assert f"/settings/letters/{post.id}" in (await admin.get(f"/tickets/{number}")).text
    await desk.replay(post.id)
    assert why not in await admin.read(f"/tickets/{number}")


# --- what is left of it -----------------------------------------------------------------------


async def test_the_evidence_has_every_message_and_what_stands_behind_it(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    ticket_id, _handoff = await partner.is_offered()
    await partner.clicks("accept")
    letter = await partner.replies("Везём деталь")
    number = (await desk.ticket(ticket_id)).number
    wish = ExportEvidence(ticket=number, files=True, language="ru")
    made = await evidence.export(desk.hub, desk.company.dispatcher, wish)
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"".join(made.chunks()))
    with path.open("rb") as file:
        found = verify.verify(file)
    assert found.problems == []
    assert "custody" in {one.code for one in found.all_findings()}
    with zipfile.ZipFile(path) as bundle:
        lines = bundle.read("links/1/custody.ndjson").decode().splitlines()
        (name,) = [one for one in bundle.namelist() if one.endswith(".eml")]
        raw = bundle.read(name)
    said = [json.loads(one) for one in lines]
    assert [one["way"] for one in said] == ["page", "letter"]
    assert said[1]["letter"]["standing"] == "aligned"
    assert "Везём деталь".encode() in raw
    assert raw == await partner.raw_of(letter)
    # A letter that was put in the place of the real one is found.
    other = path.with_name("forged.zip")
    other.write_bytes(path.read_bytes().replace("Везём".encode(), "Несём".encode()))
    with other.open("rb") as file:
        assert verify.verify(file).problems != []


# --- for our people ---------------------------------------------------------------------------


@pytest.mark.one_database  # commands find their database by the node's configuration
async def test_a_mail_link_is_begun_looked_at_and_promoted_at_every_door(partner: MailPartner):
    data = partner.desk.company.settings.data

    def document(*argv: str, schema: str, code: int = 0) -> Any:
        ran = hub(*argv, "--json", data=data)
        assert ran.code == code, ran.out + ran.err
        if code == 0:
            follows_schema(schema, ran.json)
        return ran.json

    def work() -> None:
        address = "second@east.example"
        made = document(
            "link", "invite", "--by-mail", address, "--name", "Восток", schema="link-invite"
        )
        assert (made["kind"], made["by_mail"]["address"]) == ("mail", address)
        kinds = {one["peer"]["name"]: one["kind"] for one in document_of_links()}
        assert kinds == {"Мастер-Юг": "mail", "Восток": "mail"}
        document("link", "show", "Восток", schema="link-show")
        document("link", "promote", "Восток", schema="link-promote")
        for argv in (("check-keys",), ("check",)):
            refused = document("link", *argv, "Восток", schema="", code=7)
            assert refused["code"] == "no_node_there"
        assert document("link", "invite", "--by-mail", address, schema="", code=7)
        assert document("link", "invite", "--by-mail", "nobody", schema="", code=4)
        assert document("link", "invite", schema="", code=2)

    def document_of_links() -> Any:
        return document("link", "list", schema="link-list")["links"]

    await asyncio.to_thread(work)
    admin = await partner.console.person("admin")
    form = {"address": "third@west.example", "called": "Запад", "language": "en"}
    begun = await admin.post("/partners/invite/by-mail", form)
    assert begun.status == 303
    page = await admin.read(begun.location)
    assert "third@west.example" in page
    assert (await admin.post("/partners/invite/by-mail", {"address": "x"})).status == 422
    promoted = await admin.post(f"{begun.location}/promotion")
    assert promoted.status == 200
    assert "txp1." in promoted.text
