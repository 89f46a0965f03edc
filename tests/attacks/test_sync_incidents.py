"""Family X: what products that keep two desks in step got wrong."""

from __future__ import annotations

from tests.attacks.scene import Scene
from tests.kit.rows import changed, stored
from tests.kit.story import Story

# --- X1: what came by the link is all that the link may take away ------------------------------


async def test_changes_and_the_end_of_a_hand_off_leave_what_our_people_made(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса", description="Не печатает чек")
    work = await vendor.hand_off(ticket, to=partner)
    theirs = await partner.ticket_of(work)
    await partner.accept(work)
    await partner.say(theirs, "Взять ключ у Ани", visibility="internal")
    await partner.attach(theirs, partner.paper("схема.pdf", b"ours"), visibility="internal")
    told = await vendor.say(ticket, "Код 12")
    await vendor.attach(ticket, vendor.paper("код.pdf", b"theirs"))
    await network.pass_time(hours=1)

    await vendor.change(ticket, title="Касса 3", description="")
    await vendor.take_back(told)
    await vendor.take_file_back(ticket, "код.pdf")
    await vendor.cancel(work, "Уже не нужно")
    assert await theirs.texts() == ["Взять ключ у Ани"]
    assert await theirs.papers() == {"схема.pdf": "available", "код.pdf": "redacted"}
    assert await theirs.opens("схема.pdf") == b"ours"
    assert await ticket.status() in {"new", "open", "in_progress", "waiting"}


# --- X2: twenty quick edits on both sides ------------------------------------------------------


async def test_forty_edits_crossing_each_other_converge_without_an_echo(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    ours, theirs = await vendor.say(ticket, "Раз"), await partner.say(work, "Два")
    before = [await vendor.letter_types(partner), await partner.letter_types(vendor)]
    async with network.crossing():
        for n in range(20):
            await vendor.change(ticket, title=f"Касса {n}")
            await partner.plan(work, stage=f"шаг {n}")
            await vendor.rewrite(ours, f"Раз {n}")
            await partner.rewrite(theirs, f"Два {n}")
    there = await partner.ticket_of(work)
    assert (await ticket.card()).title == (await there.card()).title == "Касса 19"
    assert (await vendor.handoff(work)).stage == "шаг 19"
    assert sorted(await ticket.texts()) == sorted(await there.texts()) == ["Два 19", "Раз 19"]
    after = [await vendor.letter_types(partner), await partner.letter_types(vendor)]
    assert [len(b) - len(a) for a, b in zip(before, after, strict=True)] == [40, 40]
    await network.pass_time(days=1)
    later = [
        [one for one in await firm.letter_types(other) if one != "link.checkpoint"]  # the daily one
        for firm, other in ((vendor, partner), (partner, vendor))
    ]
    assert later == after  # nothing goes round


# --- X3: unsharing is clear to both ------------------------------------------------------------


async def test_after_unsharing_both_sides_say_the_same(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.recall(work, "Сделаем сами")
    await work.stands("cancelled")
    await network.pass_time(days=1)
    await vendor.say(ticket, "Между нами")
    await (await partner.ticket_of(work)).never_sees("Между нами")
    assert await vendor.alarms() == await partner.alarms() == set()


# --- X6: late, and late again ------------------------------------------------------------------


async def test_a_message_ninety_days_late_is_delivered_once_and_its_replay_is_a_copy(
    scene: Scene,
) -> None:
    b, network = scene.b, scene.network
    late = b.message("comment.add", b.comment_data("Опоздавшее"), handoff=scene.with_b.theirs)
    network.clock.advance(days=90)
    captured = b.batch(late)
    first = await b.send(captured)
    assert first.status == 200
    await network.run_until_idle()
    assert await _times(scene, "Опоздавшее") == 1

    network.clock.advance(days=90)
    await network.run_until_idle()
    before = await stored(scene.a.hub)
    stale = await b.send(captured)  # the very call, caught on the way
    assert (stale.status, stale.code) == (401, "clock_skew")
    again = await b.post(late)  # the message, in a call of today
    assert (again.status, again.members) == (200, first.members)
    await scene.a.turn()
    assert changed(before, await stored(scene.a.hub)) == []
    assert await _times(scene, "Опоздавшее") == 1
    await b.ping()


async def test_what_we_could_not_send_for_ninety_days_arrives_once(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    network.cut_off(partner)
    await vendor.say(ticket, "Вы где?")
    await network.pass_time(days=90)
    network.reconnect(partner)
    await network.pass_time(hours=1)
    assert (await (await partner.ticket_of(work)).texts()).count("Вы где?") == 1


async def _times(scene: Scene, body: str) -> int:
    from sqlalchemy import text

    query = text("SELECT count(*) FROM comments WHERE body = :body")
    return await scene.a.hub.db.read(lambda c: c.execute(query, {"body": body}).scalar_one())
