"""Сверка: обе стороны видят одно и то же, а если нет — видно, в какой заявке и в каком поле."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from hub.actions import checkpoints, links, repairs
from hub.domain.ticket import Contact
from hub.ids import LinkId
from hub.queries import checkpoints as views
from hub.queries.checkpoints import CheckView
from hub.storage import audit, shared, tables
from hub.storage import checkpoints as stored
from tests.kit.story import Firm, Story, Work


async def checked(firm: Firm, other: Firm) -> CheckView:
    """Compare now, and what came of it."""
    link = LinkId(await firm.link_to(other.name))
    await firm._do(checkpoints.ask(firm.hub, firm.dispatcher, link))
    return await seen(firm, other)


async def seen(firm: Firm, other: Firm) -> CheckView:
    return await firm.look(lambda c: views.show(c, other.name))


async def repaired(firm: Firm, other: Firm) -> list[repairs.Repaired]:
    link = LinkId(await firm.link_to(other.name))
    return await firm._do(repairs.repair(firm.hub, firm.dispatcher, link))


async def plant(firm: Firm, statement: Any) -> None:
    """Something that no rule of ours does."""
    done = await firm.hub.db.write(lambda tx: tx.connection.execute(statement).rowcount)
    assert done == 1


async def busy(network: Story) -> tuple[Firm, Firm, Work]:
    """A hand-off with everything on it that both sides share."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket(
        "Не печатает чек",
        description="Касса 3",
        contact=Contact(name="Анна", phone="+7 900 000-00-00"),
        due_at=network.in_(hours=9),
    )
    work = await vendor.hand_off(ticket, to=partner, valid_until=network.in_(hours=40))
    await partner.accept(work, due=network.in_(hours=6), by="Пётр")
    await partner.plan(work, eta=network.in_(hours=2), stage="в пути")
    await partner.start(work, "Заменим головку")
    await vendor.say(work, "Ключ у охраны", files=[vendor.paper("план.pdf", b"plan")])
    await partner.say(work, "Выехали")
    await partner.attach(work, partner.paper("акт.pdf", b"act"))
    await partner.resolve(work, "Заменена головка", code="fixed", effort_minutes=40)
    await vendor.send_back(work, "Снова не печатает")
    await partner.start(work)
    await partner.wait_for(work, "awaiting_parts", until=network.in_(hours=30), stops_clock=True)
    await vendor.change(ticket, description="Касса 3, у входа")
    return vendor, partner, work


async def test_both_sides_of_a_busy_hand_off_agree(network: Story) -> None:
    vendor, partner, work = await busy(network)
    for firm, other in ((vendor, partner), (partner, vendor)):
        there = await checked(firm, other)
        assert (there.same, there.compared, there.not_comparable) == (True, 1, 0)
        assert there.compared_at is not None
    assert (await seen(partner, vendor)).same
    hashes = set()
    for firm in (vendor, partner):
        ours = await firm.handoff(work)
        hashes.add(await firm.look(lambda c, ours=ours: views.state_hash(c, ours)))
    assert len(hashes) == 1


COLUMNS: dict[str, Any] = {
    "state": "accepted",
    "since": "2026-01-01T00:00:00.000000Z",
    "round": 7,
    "hops": ["A" * 22],
    "hop_limit": 9,
    "offered_at": "2026-01-01T00:00:00.000000Z",
    "valid_until": None,
    "due_requested": None,
    "due_promised": "2026-01-01T00:00:00.000000Z",
    "eta": None,
    "assignee": "Иван",
    "stage": None,
    "plan": "Другой план",
    "pend_reason": "no_access",
    "pend_until": None,
    "stops_clock": False,
    "resolution": "Ничего не делали",
    "resolution_code": None,
    "effort_minutes": 1,
    "reason": "Другая причина",
    "work_started": False,
    "request": "cancel_request",
    "request_id": "req_" + "0" * 32,
    "request_reason": "Не нужно",
    "request_at": "2026-01-01T00:00:00.000000Z",
    "consent": "granted",
    "consent_id": "req_" + "1" * 32,
    "consent_text": "Можно",
    "consent_at": "2026-01-01T00:00:00.000000Z",
    "resolved_at": "2026-01-01T00:00:00.000000Z",
    "confirmed_at": "2026-01-01T00:00:00.000000Z",
    "closed_at": "2026-01-01T00:00:00.000000Z",
    "score": 1,
    "rating_criteria": {"speed": 1},
    "rating_text": "Плохо",
    "rating_rev": 3,
    "rating_reply": "Хорошо",
    "rating_reply_rev": 2,
}


def test_every_shared_column_is_planted() -> None:
    assert set(COLUMNS) == set(shared.COLUMNS)


async def _found_and_healed(liar: Firm, other: Firm, field: str) -> None:
    """Both are shown which field it is; only the side that is wrong can heal it."""
    there = await checked(liar, other)
    for view in (there, await seen(other, liar)):
        assert [one.field for one in view.differences] == [field]
    # Кто ошибся, тот и знает, что у другого: это говорят подписанные письма.
    assert there.differences[0].theirs_known
    assert there.differences[0].theirs == there.differences[0].by_the_log
    assert there.differences[0].ours_is_right is False
    assert (await seen(other, liar)).differences[0].ours_is_right is True
    assert "states_differ" in await liar.alarms() & await other.alarms()
    (nothing,) = await repaired(other, liar)
    assert nothing.fields == ()
    sent = len(liar.network.wire.sent)
    (healed,) = await repaired(liar, other)
    assert healed.fields == (field,)
    assert len(liar.network.wire.sent) == sent
    again = await checked(liar, other)
    assert again.same and (await seen(other, liar)).same
    assert "states_differ" not in await liar.alarms() | await other.alarms()
    records = await liar.look(lambda c: audit.page(c, before=None, limit=20))
    assert "handoff.repaired" in [one.event for one in records]


async def test_every_planted_column_is_found_named_and_healed(network: Story) -> None:
    vendor, partner, work = await busy(network)
    for n, (name, value) in enumerate(COLUMNS.items()):
        liar, other = ((vendor, partner), (partner, vendor))[n % 2]
        column = tables.handoffs.c[name]
        raw = value
        if isinstance(value, str) and value.endswith("Z") and name != "state":
            from datetime import datetime

            raw = datetime.fromisoformat(value)
        await plant(
            liar,
            update(tables.handoffs).where(tables.handoffs.c.id == work.id).values({column: raw}),
        )
        await _found_and_healed(liar, other, name)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("comments", {"body": "Чужие слова"}),
        ("comments", {"rev": 5}),
        ("comments", {"redacted_at": timedelta()}),
        ("comments", {"format": "markdown"}),
        ("attachments", {"sha256": "A" * 43}),
        ("attachments", {"size": 1}),
        ("attachments", {"name": "другое.pdf"}),
        ("attachments", {"redacted_at": timedelta()}),
    ],
)
async def test_a_planted_comment_or_file_is_found_and_healed(
    network: Story, table: str, values: dict[str, Any]
) -> None:
    vendor, partner, work = await busy(network)
    values = {
        name: network.clock.now() if isinstance(value, timedelta) else value
        for name, value in values.items()
    }
    kind = "cmt" if table == "comments" else "att"
    for liar, other in ((vendor, partner), (partner, vendor)):
        where = tables.metadata.tables[table]
        for sent in (True, False):
            refs = tables.item_refs
            row = await liar.look(
                lambda c, sent=sent, refs=refs: c.execute(
                    refs.select().where(
                        refs.c.handoff_id == work.id, refs.c.kind == kind, refs.c.sent.is_(sent)
                    )
                ).first()
            )
            await plant(liar, update(where).where(where.c.id == row.local_id).values(values))
            await _found_and_healed(liar, other, row.remote_id)


@pytest.mark.parametrize("kind", ["cmt", "att"])
async def test_a_lost_comment_or_file_comes_back_from_the_log(network: Story, kind: str) -> None:
    vendor, partner, work = await busy(network)
    refs = tables.item_refs
    whole = tables.comments if kind == "cmt" else tables.attachments
    for liar, other in ((vendor, partner), (partner, vendor)):
        for sent in (True, False):
            mine = (refs.c.handoff_id == work.id, refs.c.kind == kind, refs.c.sent.is_(sent))
            row = await liar.look(
                lambda c, mine=mine: c.execute(refs.select().where(*mine)).first()
            )
            await plant(liar, delete(refs).where(*mine))
            await plant(liar, delete(whole).where(whole.c.id == row.local_id))
            await _found_and_healed(liar, other, row.remote_id)
    assert sorted(await (await partner.ticket_of(work)).texts()) == ["Выехали", "Ключ у охраны"]
    assert await (await partner.ticket_of(work)).opens("план.pdf") == b"plan"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Другая"),
        ("description", ""),
        ("priority", "urgent"),
        ("service", "Сеть"),
        ("contact", {"name": "Олег", "phone": "", "email": "", "note": ""}),
        ("site", {"name": "Склад", "address": "", "note": "", "parent": ""}),
        (
            "asset",
            {"name": "К", "model": "", "inventory_number": "", "serial_number": "", "note": ""},
        ),
    ],
)
async def test_what_the_principal_told_of_its_ticket_is_compared(
    network: Story, field: str, value: Any
) -> None:
    vendor, partner, work = await busy(network)
    ticket = await partner.ticket_of(work)
    where = tables.tickets
    await plant(partner, update(where).where(where.c.id == ticket.id).values({field: value}))
    await _found_and_healed(partner, vendor, field)


async def test_numbers_are_compared(network: Story) -> None:
    vendor, partner, work = await busy(network)
    for liar, other, field in (
        (vendor, partner, "number_contractor"),
        (partner, vendor, "number_principal"),
    ):
        where = tables.handoffs
        await plant(liar, update(where).where(where.c.id == work.id).values(peer_number="T-0"))
        await _found_and_healed(liar, other, field)


async def test_a_hand_off_that_only_one_side_thinks_over_is_found(network: Story) -> None:
    vendor, partner, work = await busy(network)
    where = tables.handoffs
    for liar, other in ((vendor, partner), (partner, vendor)):
        await plant(liar, update(where).where(where.c.id == work.id).values(state="closed"))
        await _found_and_healed(liar, other, "state")


async def test_a_difference_goes_where_the_repair_ends_the_hand_off_on_both_sides(
    network: Story,
) -> None:
    """What is over is compared no more, unless it was found to differ."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await vendor.hand_off(await vendor.new_ticket("Не печатает чек"), to=partner)
    await partner.decline(work, "Нет людей")
    where = tables.handoffs
    await plant(partner, update(where).where(where.c.id == work.id).values(state="accepted"))
    assert not (await checked(vendor, partner)).same
    assert not (await seen(partner, vendor)).same
    await repaired(vendor, partner)
    await repaired(partner, vendor)
    assert (await partner.handoff(work)).state == "declined"
    assert (await checked(vendor, partner)).same
    assert (await checked(partner, vendor)).same
    for firm in (vendor, partner):
        kinds = [one.kind for one in await firm.look(audit.open_alerts)]
        assert "states_differ" not in kinds


async def test_messages_on_their_way_are_no_difference_and_it_is_tried_again(
    network: Story,
) -> None:
    vendor, partner, work = await busy(network)
    link = LinkId(await vendor.link_to(partner.name))
    async with network.crossing():
        await vendor._do(checkpoints.ask(vendor.hub, vendor.dispatcher, link))
        await partner.say(work, "Ещё в пути")
    here = await seen(partner, vendor)
    assert (here.same, here.compared, here.not_comparable) == (True, 0, 1)
    assert await partner.alarms() == set()
    await network.pass_time(hours=1)  # тихо: сверились ещё раз, сами
    here = await seen(partner, vendor)
    assert (here.same, here.compared, here.not_comparable) == (True, 1, 0)


async def test_once_a_day_both_compare_by_themselves(network: Story) -> None:
    vendor, partner, work = await busy(network)
    await network.pass_time(days=3)
    for firm, other in ((vendor, partner), (partner, vendor)):
        there = await seen(firm, other)
        assert there.compared_at is not None and there.same
        kinds = await firm.letter_types(other)
        assert 3 <= kinds.count("link.checkpoint") <= 6
    where = tables.handoffs
    await plant(partner, update(where).where(where.c.id == work.id).values(round=9))
    await network.pass_time(days=1)
    assert [one.field for one in (await seen(vendor, partner)).differences] == ["round"]
    await repaired(partner, vendor)
    await network.pass_time(days=1)
    assert (await seen(vendor, partner)).same


async def test_an_unreachable_peer_is_not_buried_in_checkpoints(network: Story) -> None:
    vendor, partner, _work = await busy(network)
    network.cut_off(partner)
    await network.pass_time(days=10)
    waiting = (await vendor.letter_types(partner)).count("link.checkpoint")
    assert waiting <= 2
    network.reconnect(partner)
    await network.pass_time(days=2)
    assert (await seen(vendor, partner)).same


async def test_where_everything_stood_is_told_before_the_end(network: Story) -> None:
    vendor, partner, work = await busy(network)
    link = LinkId(await vendor.link_to(partner.name))
    await vendor._do(links.close(vendor.hub, vendor.dispatcher, link, "Договор закончился"))
    rows = await vendor.look(lambda c: tables_of(c, link))
    kinds = [row.type for row in rows]
    assert kinds[-1] == "link.close"
    last = json.loads(next(row.data for row in rows if row.type == "link.checkpoint"))
    assert [one["handoff"] for one in last["handoffs"]] == [work.id]
    assert last["handoffs"][0]["state"] == "pending"
    assert "states_differ" not in await vendor.alarms() | await partner.alarms()


def tables_of(connection: Any, link: str) -> list[Any]:
    from hub.storage import outbox

    return outbox.after(connection, link, 0, 1000)


async def test_each_side_is_a_witness_of_the_others_audit_log(network: Story) -> None:
    vendor, partner, _work = await busy(network)
    await checked(vendor, partner)
    mine = await vendor.look(lambda c: views.own_heads(c, vendor.hub.account.node_id))
    theirs = await partner.look(lambda c: views.peer_heads(c, vendor.hub.account.node_id))
    assert [(one.seq, one.head) for one in mine] == [(one.seq, one.head) for one in theirs]
    assert [one.message_id for one in mine] == [one.message_id for one in theirs]
    (record,) = [
        one
        for one in await vendor.look(lambda c: audit.page(c, before=None, limit=1000))
        if one.seq == mine[0].seq
    ]
    assert record.hash == mine[0].head


async def test_an_audit_log_that_was_rewritten_is_an_alarm(network: Story) -> None:
    vendor, partner, _work = await busy(network)
    await checked(vendor, partner)
    where = tables.witnesses
    await plant(
        partner,
        update(where)
        .where(where.c.node_id == vendor.hub.account.node_id)
        .values(head="A" * 43, seq=where.c.seq + 1),
    )
    await checked(vendor, partner)
    found = await partner.look(lambda c: stored.witnessed(c, vendor.hub.account.node_id))
    assert {one.head for one in found} >= {"A" * 43}
    assert "audit_rewritten" in await partner.alarms()
