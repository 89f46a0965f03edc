"""Terms that change while the partner has only a mailbox: a letter asks, a page answers."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hub.actions import amendments, evidence
from hub.actions.evidence import ExportEvidence
from hub.domain.agreement import Offer
from hub.errors import HubError
from hub.evidence import verify
from hub.protocol import agreement as agreements
from hub.protocol.encoding import unb64url
from hub.queries import amendments as views
from hub.queries import links as link_views
from hub.storage import audit, links, outbox
from tests.cli.conftest import follows_schema, hub
from tests.kit.story import terms
from tests.mail.conftest import Desk
from tests.mail.partners import MailPartner, a_mail_partner
from tests.mail.post_office import Taken

ONE_OPEN = terms(
    as_principal={
        "max_open": 1,
        "subcontracting": "forbidden",
        "disclose": {"checklist": True, "site": False},
    }
)


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def propose(partner: MailPartner, offer: Offer = ONE_OPEN) -> None:
    desk = partner.desk
    await amendments.propose(desk.hub, desk.company.dispatcher, partner.link_id, offer)
    await partner.settles()


async def seen(partner: MailPartner) -> views.AmendmentsView:
    return await partner.desk.hub.db.read(lambda c: views.show(c, "Мастер-Юг"))


def the_link(letter: Taken, word: str) -> str:
    """The path behind a link of this letter, the same in both of its forms."""
    (plain,) = re.findall(rf"^{word}: (http\S+)\s*$", letter.text(), re.MULTILINE)
    assert f'href="{plain}"' in letter.text("html")
    return urlsplit(plain).path


async def test_a_proposal_is_a_letter_with_what_is_and_what_would_be_and_holds_once_agreed(
    partner: MailPartner, tmp_path: Path
):
    ticket_id, _handoff = await partner.is_offered()
    await propose(partner)
    letter = partner.letters[-1]
    assert len(partner.letters) == 2  # the offer, and this one: not one in each thread
    assert letter.letter["Subject"] == "Условия работы с Сервис Плюс"
    for part in (
        "открытых передач одновременно (Сервис Плюс → вы): было: 1000; станет: 1",
        "станет: запрещено",
        "+ Чек-лист",
    ):
        assert part in letter.text().replace("\n", " "), letter.text()
        assert part.partition(" (")[0] in letter.text("html")
    agree = the_link(letter, "Согласиться")
    # A scanner follows both links, and nothing happens.
    for path in (agree, the_link(letter, "Отклонить")):
        page = await partner.opens(path)
        assert page.status == 200
        assert "1000" in page.words
    await partner.settles()
    assert await partner.log() == []
    assert (await seen(partner)).revision == 1

    assert (await partner.sends(agree, text="Договорились")).status == 303
    found = await seen(partner)
    assert found.open is None
    assert found.proposals[0].state == "agreed"
    assert "Вы согласились" in partner.letters[-1].text()
    assert "Договорились" in partner.letters[-1].text()
    assert partner.letters[-1].letter["In-Reply-To"] == letter.letter["Message-ID"]
    # The new terms hold for what either side says from here on.
    with pytest.raises(HubError) as refusal:
        await partner.is_offered("Принтер")
    assert refusal.value.code == "limit_exceeded"
    for one in partner.letters:
        if re.search(r"^Принять: ", one.text(), re.MULTILINE):
            accept = partner.button("accept", one)
    assert (await partner.sends(accept)).status == 303
    said = await partner.log()
    assert {row.state for row in said} == {"done"}
    assert [_revision(row) for row in said if row.type == "handoff.accept"] == [2]
    ours = await partner.log(outbox)
    assert [_revision(row) for row in ours if row.type == "link.amend"] == [1]
    assert await _problems(partner, ticket_id, tmp_path) == []


def _revision(row: object) -> int:
    return json.loads(unb64url(row.env.split(".")[1]))["agr"]  # type: ignore[attr-defined]


async def _problems(partner: MailPartner, ticket_id: str, folder: Path) -> list[object]:
    desk = partner.desk
    number = (await desk.ticket(ticket_id)).number
    wish = ExportEvidence(ticket=number, files=True, language="ru")
    made = await evidence.export(desk.hub, desk.company.dispatcher, wish)
    path = folder / "bundle.zip"
    path.write_bytes(b"".join(made.chunks()))
    with path.open("rb") as file:
        found = verify.verify(file)
    return found.problems


async def test_each_link_answers_once_and_the_other_one_is_too_late(partner: MailPartner):
    await propose(partner)
    letter = partner.letters[-1]
    agree, refuse = the_link(letter, "Согласиться"), the_link(letter, "Отклонить")
    assert (await partner.sends(refuse, text="Одна заявка в руки — мало")).status == 303
    for path in (refuse, agree):
        assert (await partner.sends(path)).status == 409
        assert (await partner.opens(path)).status == 200
    assert (await partner.sends(agree[:-1] + ("a" if agree[-1] != "a" else "b"))).status == 404
    found = await seen(partner)
    assert (found.revision, found.open) == (1, None)
    assert [(one.state, one.reason) for one in found.proposals] == [
        ("refused", "Одна заявка в руки — мало")
    ]
    alerts = await partner.desk.hub.db.read(audit.open_alerts)
    assert [(one.kind, one.facts["reason"]) for one in alerts] == [
        ("amendment", "Одна заявка в руки — мало")
    ]
    assert "Вы не согласились" in partner.letters[-1].text()
    # Our people may ask once more, and the newest letter is the one that counts.
    await propose(partner)
    assert (await partner.sends(agree)).status == 409
    assert (await partner.sends(the_link(partner.letters[-1], "Согласиться"))).status == 303
    assert (await seen(partner)).proposals[-1].state == "agreed"


async def test_a_proposal_that_was_taken_back_can_be_agreed_to_no_more(partner: MailPartner):
    desk = partner.desk
    await propose(partner)
    agree = the_link(partner.letters[-1], "Согласиться")
    await amendments.withdraw(desk.hub, desk.company.dispatcher, partner.link_id)
    await partner.settles()
    assert "отзывает предложение" in partner.letters[-1].text()
    assert "http" not in partner.letters[-1].text()
    assert (await partner.sends(agree)).status == 409
    found = await seen(partner)
    assert (found.revision, found.open) == (1, None)
    assert [row.type for row in await partner.log()] == ["link.amend_refused"]
    await propose(partner)  # nothing stands in the way of another one
    assert (await seen(partner)).open is not None


async def test_a_letter_about_terms_that_does_not_arrive_is_shown_at_the_partner(
    partner: MailPartner,
):
    partner.desk.server.faults[:] = ["550"]
    await propose(partner)
    hub = partner.desk.hub
    view = await hub.db.read(lambda c: link_views.show(c, "Мастер-Юг", hub.now()))
    assert view.by_mail.failed == 1


async def test_the_invitation_to_a_node_offers_the_terms_that_hold_now(partner: MailPartner):
    await propose(partner)
    assert (await partner.sends(the_link(partner.letters[-1], "Согласиться"))).status == 303
    node = await partner.gets_a_node()
    link_id = await node.link_to("Сервис Плюс")
    link = await node.hub.db.read(lambda c: links.get(c, link_id))
    terms_now = agreements.parse(link.agreement).terms
    assert terms_now["directions"]["inviter_to_invitee"]["max_open"] == 1


@pytest.mark.one_database  # commands find their database by the node's configuration
async def test_terms_are_proposed_seen_and_taken_back_by_command(
    partner: MailPartner, tmp_path: Path
):
    data = partner.desk.company.settings.data
    scopes = tmp_path / "south.yaml"
    scopes.write_text("as_principal: {max_open: 1}\n", encoding="utf-8")

    def work() -> None:
        made = hub("link", "amend", "Мастер-Юг", "--scopes", str(scopes), "--json", data=data)
        assert made.code == 0, made.err
        follows_schema("link-amend", made.json)
        assert made.json["open"]["changes"][0]["term"] == "max_open"
        assert hub("link", "amend", "Мастер-Юг", "--withdraw", data=data).code == 0

    await asyncio.to_thread(work)
