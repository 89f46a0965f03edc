"""A node with mail links comes back from a backup: nothing is sent twice, no number is used again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.actions import evidence, handoffs, promotion, tickets
from hub.actions.evidence import ExportEvidence
from hub.actions.handoffs import OfferHandoff
from hub.actions.tickets import NewTicket
from hub.domain.comment import Visibility
from hub.evidence import verify
from hub.i18n import reading_in
from hub.queries import letters
from hub.storage import comments, inbox, links, outbox, resets
from hub.storage import handoffs as stored
from tests.cli.conftest import hub
from tests.kit.console import Console
from tests.mail.conftest import Desk
from tests.mail.partners import MailPartner, a_mail_partner

pytestmark = pytest.mark.one_database  # a backup is made and put back by the commands


@pytest.fixture
async def partner(desk: Desk):
    async with a_mail_partner(desk) as made:
        yield made


async def backed_up(partner: MailPartner, path: Path) -> None:
    data = partner.desk.company.settings.data
    made = await asyncio.to_thread(hub, "backup", "create", "-o", str(path), data=data)
    assert made.code == 0, made.err


async def restored(partner: MailPartner, path: Path) -> None:
    """The node ends, its backup is put back, and it starts."""
    desk = partner.desk
    await partner.console.close()
    await desk.network.stop(desk.company)
    data = desk.company.settings.data
    put = await asyncio.to_thread(hub, "backup", "restore", str(path), "--yes", data=data)
    assert put.code == 0, put.err
    await desk.network.start(desk.company)
    partner.console = await Console.serve(desk.company)
    partner.browser = partner.console.stranger()
    await partner.settles()
    await partner.settles()


async def signed(partner: MailPartner) -> dict[tuple[str, int, int], str]:
    """Every number of both streams, and what was said under it."""
    found = {("out", row.epoch, row.seq): row.hash for row in await partner.log(outbox)}
    return found | {("in", row.epoch, row.seq): row.hash for row in await partner.log(inbox)}


async def problems(partner: MailPartner, ticket_id: str, folder: Path) -> list[Any]:
    desk = partner.desk
    number = (await desk.ticket(ticket_id)).number
    wish = ExportEvidence(ticket=number, files=True, language="ru")
    made = await evidence.export(desk.hub, desk.company.dispatcher, wish)
    path = folder / "bundle.zip"
    path.write_bytes(b"".join(made.chunks()))
    with path.open("rb") as file:
        found = verify.verify(file)
    return found.problems


async def test_what_was_sent_since_the_backup_is_not_sent_again_and_the_work_goes_on(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    due = desk.hub.now() + timedelta(hours=8)
    made = await tickets.create(desk.hub, desk.company.dispatcher, NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(
        desk.hub, desk.company.dispatcher, OfferHandoff(made.id, partner.link_id, due=due)
    )
    await partner.settles()
    await partner.clicks("accept")
    done, late = partner.button("done"), len(partner.letters)
    await backed_up(partner, tmp_path / "backup.tar")
    await desk.says(made.id, "Ключ у охраны.", Visibility.PUBLIC)
    await partner.clicks("on_site", text="Приехали")
    desk.network.clock.advance(hours=7)
    await partner.settles()  # the reminder goes out
    unknown = partner.button("done")
    sent, used = len(partner.letters), await signed(partner)
    assert sent == late + 3

    await restored(partner, tmp_path / "backup.tar")

    assert len(partner.letters) == sent
    assert await desk.hub.db.read(resets.held_since) is None
    assert (await partner.handoff(handoff_id)).state == "accepted"
    # What its reader has from before the backup works; a link made since then opens nothing.
    assert (await partner.sends(unknown, text="Готово")).status == 404
    assert (await partner.sends(done, text="Заменили головку")).status == 303
    assert (await partner.handoff(handoff_id)).state == "resolved"
    await desk.says(made.id, "Спасибо!", Visibility.PUBLIC)
    await partner.settles()
    assert len(partner.letters) == sent + 2
    now = await signed(partner)
    assert all(now.get(place, said) == said for place, said in used.items())
    assert {row.state for row in await partner.log()} == {"done"}
    assert {row.state for row in await partner.log(outbox)} == {"received"}
    assert await problems(partner, made.id, tmp_path) == []


async def test_an_offer_that_ran_out_meanwhile_is_declined_and_nobody_is_written_twice(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    until = desk.hub.now() + timedelta(hours=8)
    made = await tickets.create(desk.hub, desk.company.dispatcher, NewTicket(title="Касса"))
    wish = OfferHandoff(made.id, partner.link_id, valid_until=until)
    handoff_id = await handoffs.offer(desk.hub, desk.company.dispatcher, wish)
    await partner.settles()
    await backed_up(partner, tmp_path / "backup.tar")
    for hours in (5, 4):
        desk.network.clock.advance(hours=hours)
        await partner.settles()
    sent = len(partner.letters)
    assert sent == 3  # the offer, the reminder, and that it ran out
    await restored(partner, tmp_path / "backup.tar")
    assert (await partner.handoff(handoff_id)).state == "declined"
    assert len(partner.letters) == sent


async def test_a_letter_nobody_knows_of_waits_for_a_person_who_may_send_it(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    ticket_id, _handoff = await partner.is_offered()
    desk.server.faults[:] = ["450"] * 50  # it waits here when the backup is made
    comment_id = await desk.says(ticket_id, "Ключ у охраны.", Visibility.PUBLIC)
    await desk.network.run_until_idle()
    await backed_up(partner, tmp_path / "backup.tar")
    desk.server.faults[:] = []
    desk.network.clock.advance(hours=1)
    await partner.settles()
    sent = len(partner.letters)
    assert "Ключ у охраны." in partner.letters[-1].text()
    await restored(partner, tmp_path / "backup.tar")
    assert len(partner.letters) == sent
    (post,) = [one for one in await desk.posts() if one.comment_id == comment_id]
    assert post.state == "failed"
    with reading_in("ru"):
        lines = await desk.hub.db.read(
            lambda c: letters.sent(c, state="failed", before=None, limit=10)
        )
    assert "Узел восстановлен из копии: письмо могло уже уйти." in [one.error for one in lines]
    await desk.replay(post.id)
    assert partner.letters[-1].letter["Message-ID"] == partner.letters[-2].letter["Message-ID"]


async def test_two_restores_of_one_backup_use_different_numbers(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    ticket_id, _handoff = await partner.is_offered()
    await backed_up(partner, tmp_path / "backup.tar")
    used: dict[tuple[str, int, int], str] = {}
    for words in ("Первый раз.", "Второй раз.", "Третий раз."):
        await desk.says(ticket_id, words, Visibility.PUBLIC)
        await partner.settles()
        await partner.replies(f"Слышим: {words}")
        now = await signed(partner)
        assert all(now.get(place, said) == said for place, said in used.items())
        used |= now
        desk.network.clock.advance(minutes=1)
        await restored(partner, tmp_path / "backup.tar")
    assert len({epoch for _way, epoch, _seq in used}) == 3


async def test_a_partner_of_a_restored_node_gets_a_node_of_its_own(
    partner: MailPartner, tmp_path: Path
):
    desk = partner.desk
    ticket_id, handoff_id = await partner.is_offered()
    await partner.clicks("accept")
    await partner.replies("Нужна деталь.")
    await promotion.invite(desk.hub, desk.company.dispatcher, partner.link_id)
    await backed_up(partner, tmp_path / "backup.tar")
    await desk.says(ticket_id, "Это потеряется.", Visibility.PUBLIC)
    await partner.settles()
    await restored(partner, tmp_path / "backup.tar")
    await desk.says(ticket_id, "Деталь в пути.", Visibility.PUBLIC)
    await partner.settles()

    node = await partner.gets_a_node()

    ours = await partner.handoff(handoff_id)
    theirs = await node.hub.db.read(lambda c: stored.find(c, handoff_id))
    assert ours.state == theirs.state == "accepted"
    assert ours.link_id == theirs.link_id != partner.link_id
    said = await desk.comments(ticket_id)
    assert {one.body for one in said} == {"Нужна деталь.", "Деталь в пути."}
    there = await node.hub.db.read(lambda c: comments.of_ticket(c, theirs.ticket_id))
    assert {one.body for one in there} == {one.body for one in said}
    old = await desk.hub.db.read(lambda c: links.get(c, partner.link_id))
    assert old.state == "closed"
    assert await problems(partner, ticket_id, tmp_path) == []
