"""What is kept of a mail partner's work, how long, and what goes when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.actions import erasures, evidence, handoffs
from hub.actions.evidence import ExportEvidence
from hub.actions.handoffs import Particulars
from hub.domain.handoff import Act
from hub.evidence import verify
from hub.queries import erasures as views
from hub.storage.tables import letters, mail_acts, testimonies
from tests.mail.conftest import Desk
from tests.mail.partners import PARTNER, MailPartner, a_mail_partner


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def worked(partner: MailPartner) -> tuple[str, str]:
    """Work that was done, judged and closed; ids of ticket and hand-off."""
    ticket_id, handoff_id = await partner.is_offered()
    await partner.clicks("accept")
    await partner.replies("Везём деталь")
    await partner.clicks("done", ("чек.jpg", b"\xff\xd8 photo"), text="Заменили")
    desk = partner.desk
    for act, how in ((Act.CONFIRM, Particulars(score=5)), (Act.CLOSE, Particulars())):
        await handoffs.act(desk.hub, desk.company.dispatcher, handoff_id, act, how)
        await partner.settles()
    return ticket_id, handoff_id


async def rows(partner: MailPartner, table: Any) -> list[Any]:
    return list(await partner.desk.hub.db.read(lambda c: c.execute(select(table)).all()))


async def days_pass(partner: MailPartner, days: int) -> None:
    """Timers run as they come due."""
    for _ in range(days // 10):
        partner.desk.network.clock.advance(days=10)
        await partner.settles()


async def found_in_evidence(partner: MailPartner, ticket_id: str, folder: Path) -> Any:
    desk = partner.desk
    number = (await desk.ticket(ticket_id)).number
    wish = ExportEvidence(ticket=number, files=True, language="ru")
    made = await evidence.export(desk.hub, desk.company.dispatcher, wish)
    path = folder / "bundle.zip"
    path.write_bytes(b"".join(made.chunks()))
    with path.open("rb") as file:
        return verify.verify(file)


async def test_links_testimonies_and_letters_go_with_time_and_the_evidence_still_verifies(
    partner: MailPartner, tmp_path: Path
):
    ticket_id, _handoff = await worked(partner)
    assert len(await rows(partner, mail_acts)) > 5
    kept = await rows(partner, testimonies)
    assert all(one.facts for one in kept)
    await days_pass(partner, 60)
    # The links have run out, and what a payload that is gone was said with is gone too.
    assert await rows(partner, mail_acts) == []
    assert [(one.message_id, one.way) for one in await rows(partner, testimonies)] == [
        (one.message_id, one.way) for one in kept
    ]
    assert PARTNER not in str(await rows(partner, testimonies))
    assert (await found_in_evidence(partner, ticket_id, tmp_path)).problems == []
    await days_pass(partner, 340)
    assert {one.sha256 for one in await partner.desk.posts()} == {None}
    assert {one.sha256 for one in await rows(partner, letters)} == {None}
    assert (await found_in_evidence(partner, ticket_id, tmp_path)).problems == []


async def test_nothing_of_it_goes_under_a_legal_hold(partner: MailPartner):
    ticket_id, _handoff = await worked(partner)
    desk = partner.desk
    await erasures.hold(desk.hub, desk.company.dispatcher, ticket_id, "суд")
    acts, kept = await rows(partner, mail_acts), await rows(partner, testimonies)
    await days_pass(partner, 60)
    assert await rows(partner, mail_acts) == acts
    assert await rows(partner, testimonies) == kept


async def test_a_partner_is_asked_to_erase_and_says_that_it_did(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    ticket_id, _handoff = await worked(partner)
    number = (await desk.ticket(ticket_id)).number
    old, letters = partner.button("accept", partner.letters[0]), len(partner.letters)
    await erasures.erase(desk.hub, desk.company.dispatcher, ticket_id, "просьба клиента")
    await partner.settles()
    assert len(partner.letters) == letters + 1
    asked = partner.letters[-1]
    assert number in str(asked.letter["Subject"])
    assert "просьба клиента" in asked.text()
    assert "Касса" not in asked.text() + str(asked.letter["Subject"])
    page = await partner.opens(old)
    assert "Касса" not in page.words
    erased = partner.button("erased")
    assert (await partner.opens(erased)).status == 200
    (open_,) = (await desk.hub.db.read(lambda c: views.show(c, number))).erasures
    assert [one.confirmed_at for one in open_.peers] == [None]
    assert (await partner.sends(erased)).status == 303
    (done,) = (await desk.hub.db.read(lambda c: views.show(c, number))).erasures
    assert [one.confirmed_at is not None for one in done.peers] == [True]
    assert (await partner.sends(erased)).status == 409
    assert (await found_in_evidence(partner, ticket_id, tmp_path)).problems == []
