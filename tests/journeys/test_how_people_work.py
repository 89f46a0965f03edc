"""Как люди работают у себя: поиск, очередь, списки, выезды, гости. Наружу не уходит ничего."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.actions import directories, erasures, guests, personal, teams, ties, visits
from hub.actions import tickets as acts
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, FieldWish, SiteWish
from hub.actions.guests import Purpose
from hub.actions.personal import MacroWish
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.assignment import LinkKind, VisitStage
from hub.domain.comment import Visibility
from hub.domain.ticket import Field, Requester, Site
from hub.queries import changes, inside, queue
from hub.queries import directories as shown
from hub.queries import personal as kept
from hub.queries.ticket_lists import OPEN, Filter, Sort, board, listing
from tests.kit.canary import Flock
from tests.kit.story import Firm, Story, Ticket, refused, terms


async def found(firm: Firm, text: str, **filters: Any) -> list[str]:
    """Названия найденных заявок."""
    page = await firm.look(lambda c: listing(c, Filter(**filters), text=text))
    return [one.title for one in page.items]


async def lanes(firm: Firm) -> dict[str, list[str]]:
    """Что ждёт диспетчера, по дорожкам."""
    now, who = firm.hub.now(), firm.dispatcher.ref
    told = await firm.look(lambda c: queue.of(c, who, now, firm.name))
    return {one.name: [item.ticket.title for item in one.items] for one in told.lanes if one.items}


async def test_words_find_what_people_said_in_any_form(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    till = await firm.new_ticket("Не печатает касса", site=Site(name="Магазин «Ёлка»"))
    await firm.new_ticket("Printer is jammed", description="Tray 2")
    assert await found(firm, "КАССЫ") == await found(firm, "елка") == ["Не печатает касса"]
    assert await found(firm, "printers jam") == ["Printer is jammed"]
    assert await found(firm, "касса принтер") == []
    comment = await firm.say(till, "Внутри: виноват шлейф", visibility="internal")
    assert await found(firm, "шлейфом") == ["Не печатает касса"]
    await firm.rewrite(comment, "Виноват датчик")
    assert await found(firm, "шлейф") == []
    await firm.take_back(comment)
    assert await found(firm, "датчик") == []
    await firm.change(till, title="Зависает касса")
    assert await found(firm, "печатает") == []
    assert await found(firm, (await till.card()).number) == ["Зависает касса"]
    assert await found(firm, "'\"*()&| :!-") == []


async def test_what_was_erased_is_found_by_nothing(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    ticket = await firm.new_ticket("Касса Иванова", requester=Requester(name="Иванов"))
    await firm.say(ticket, "Звонил Иванов", visibility="internal")
    await acts.change(
        firm.hub, firm.dispatcher, ticket.id, TicketChanges(tags=["иванов"], clear=frozenset())
    )
    await personal.keep_draft(
        firm.hub, firm.dispatcher, ticket.id, "Иванов просил", Visibility.INTERNAL
    )
    assert len(await found(firm, "иванову")) == 1
    await erasures.erase(firm.hub, firm.dispatcher, ticket.id, "По просьбе")
    assert await found(firm, "иванов") == []
    told = await firm.look(lambda c: inside.by_name(c, ticket.id))
    assert (told.tags, [one.facts for one in told.notes]) == ((), [{}, {}])
    who = firm.dispatcher.ref
    assert await firm.look(lambda c: kept.draft(c, who, ticket.id)) is None


async def test_a_list_is_filtered_ordered_and_paged(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    me = firm.dispatcher.ref
    made = []
    for n in range(7):
        network.clock.advance(seconds=1)
        made.append(await firm.new_ticket(f"Заявка {n}", due_at=network.in_(hours=10 - n)))
    network.clock.advance(seconds=1)
    await firm.change(made[2], assignee=me, priority="urgent")
    await firm.change(made[4], status="closed")
    mine = await firm.look(lambda c: listing(c, Filter(assignee=me)))
    assert [one.title for one in mine.items] == ["Заявка 2"]
    assert mine.items[0].assignee_name == firm.dispatcher.display
    for sort, order in (
        (Sort.CREATED, [6, 5, 3, 2, 1, 0]),
        (Sort.DUE, [6, 5, 3, 2, 1, 0]),
        (Sort.UPDATED, [2, 6, 5, 3, 1, 0]),
    ):
        seen: list[str] = []
        cursor = None
        while True:
            wanted = Filter(statuses=OPEN)
            page = await firm.look(
                lambda c, w=wanted, s=sort, p=cursor: listing(c, w, sort=s, cursor=p, limit=4)
            )
            seen += [one.title for one in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert seen == [f"Заявка {n}" for n in order], sort
    with refused("cursor_invalid"):
        await firm.look(lambda c: listing(c, Filter(), sort=Sort.DUE, cursor="bm9wZQ"))
    loads = {one.name: one.open for one in await firm.look(lambda c: board(c, firm.hub.now()))}
    assert loads == {"": 5, firm.dispatcher.display: 1}


async def test_the_queue_says_what_waits_for_whom(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса", due_at=network.in_(days=3))
    work = await vendor.hand_off(ticket, to=partner)
    assert await lanes(partner) == {"acceptance": ["Касса"]}
    assert await lanes(vendor) == {"acceptance": ["Касса"]}
    await partner.accept(work)
    child = await partner.ticket_of(work)
    assert await lanes(partner) == {}
    network.clock.advance(seconds=1)
    await vendor.say(ticket, "Когда приедете?")
    assert await lanes(partner) == {"replies": ["Касса"]}
    await personal.look_on(partner.hub, partner.dispatcher, child.id, writing=False)
    assert await lanes(partner) == {}
    network.clock.advance(seconds=1)
    await partner.say(work, "Завтра")
    assert await lanes(vendor) == {"replies": ["Касса"]}
    network.clock.advance(seconds=1)
    await vendor.say(ticket, "Хорошо")
    await partner.start(work)
    await partner.resolve(work, "Готово")
    assert await lanes(vendor) == {"rating": ["Касса"]}
    await vendor.send_back(work, "Не до конца")
    assert (await lanes(partner))["returned"] == ["Касса"]
    await network.pass_time(days=2, hours=22)
    assert (await lanes(vendor))["deadline"] == ["Касса"]
    await partner.hand_back(work, "Нет людей")
    assert (await lanes(vendor))["returned"] == ["Касса"]


async def test_people_see_each_other_and_drafts_stay(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    ticket = await firm.new_ticket("Касса")
    hub, me = firm.hub, firm.dispatcher
    await personal.look_on(hub, me, ticket.id, writing=True)
    there = await firm.look(lambda c: kept.onlookers(c, ticket.id, hub.now()))
    assert [(one.display, one.writing) for one in there] == [(me.display, True)]
    assert await firm.look(lambda c: kept.onlookers(c, ticket.id, hub.now(), but=me.ref)) == []
    network.clock.advance(seconds=46)
    assert await firm.look(lambda c: kept.onlookers(c, ticket.id, hub.now())) == []
    await personal.keep_draft(hub, me, ticket.id, "Едем", Visibility.PUBLIC)
    await personal.keep_draft(hub, me, ticket.id, "Едем зав", Visibility.PUBLIC)
    draft = await firm.look(lambda c: kept.draft(c, me.ref, ticket.id))
    assert draft is not None and (draft.body, draft.visibility) == ("Едем зав", "public")
    await personal.keep_draft(hub, me, ticket.id, " ", Visibility.PUBLIC)
    assert await firm.look(lambda c: kept.draft(c, me.ref, ticket.id)) is None


async def test_a_macro_says_and_changes(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    ticket = await firm.new_ticket("Касса")
    wish = MacroWish("Взять", "Принято в работу", Visibility.PUBLIC, tags=["Касса "], take=True)
    macro = await personal.add_macro(firm.hub, firm.dispatcher, wish)
    await personal.use_macro(firm.hub, firm.dispatcher, macro.id, ticket.id)
    told = await firm.look(lambda c: inside.by_name(c, ticket.id))
    assert (told.tags, told.assignee) == (("касса",), firm.dispatcher.ref)
    assert await ticket.texts() == ["Принято в работу"]
    view = await personal.save_view(firm.hub, firm.dispatcher, "Мои", "tag=касса")
    assert await firm.look(lambda c: kept.views(c, firm.dispatcher.ref)) == [view]
    await personal.remove_view(firm.hub, firm.dispatcher, view.id)
    assert await firm.look(lambda c: kept.views(c, firm.dispatcher.ref)) == []


async def test_directories_know_nested_sites_and_the_history_of_equipment(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    hub, me = firm.hub, firm.dispatcher
    shop = await directories.add_customer(
        hub, me, CustomerWish("Продукты", legal_entity="ООО", time_zone="Europe/Moscow")
    )
    town = await directories.add_site(hub, me, shop.id, SiteWish("Омск", time_zone="Asia/Omsk"))
    hall = await directories.add_site(hub, me, shop.id, SiteWish("Зал", parent_id=town.id))
    till = await directories.add_asset(hub, me, shop.id, AssetWish("Касса", site_id=hall.id))
    person = await directories.add_contact(hub, me, shop.id, ContactWish("Ольга", phone="+7"))
    told = await firm.look(lambda c: shown.customer(c, shop.id))
    assert [(one.path, one.time_zone, one.legal_entity) for one in told.sites] == [
        ("Омск", "Asia/Omsk", "ООО"),
        ("Омск / Зал", "Asia/Omsk", "ООО"),
    ]
    with refused("site_circle"):
        await directories.change_site(hub, me, town.id, SiteWish("Омск", parent_id=hall.id))
    with refused("time_zone_unknown"):
        await directories.add_customer(hub, me, CustomerWish("Х", time_zone="Марс/База"))
    await directories.change_asset(hub, me, till.id, AssetWish("Касса", site_id=town.id))
    history = await firm.look(lambda c: shown.asset_history(c, till.id))
    assert [one.facts for one in history] == [{}, {"site": ["Зал", "Омск"]}]
    wish = NewTicket("Не печатает", customer=shop.id, at_site=hall.id, of_asset=till.id)
    ticket = await acts.create(hub, me, wish)
    assert ticket.site == Site(name="Зал", parent="Омск")
    assert ticket.asset is not None and ticket.asset.name == "Касса"
    assert await found(firm, "", asset=till.id) == ["Не печатает"]
    await directories.remove_contact(hub, me, person.id)
    assert (await firm.look(lambda c: shown.customer(c, shop.id))).contacts == []


async def test_custom_fields_are_what_their_definitions_say(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    hub, me = firm.hub, firm.dispatcher
    field = await directories.define_field(
        hub, me, FieldWish("Этаж", "choice", ["1", "2"], required=True)
    )
    with refused("field_missing"):
        await acts.create(hub, me, NewTicket("Касса"))
    with refused("field_invalid"):
        await acts.create(hub, me, NewTicket("Касса", fields=[Field("Этаж", "9")]))
    await acts.create(hub, me, NewTicket("Касса", fields=[Field("Этаж", "2")]))
    await directories.retire_field(hub, me, field.id)
    await acts.create(hub, me, NewTicket("Касса"))


async def test_a_visit_is_one_button_and_the_principal_hears_of_it(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work)
    child = await partner.ticket_of(work)
    hub, me = partner.hub, partner.dispatcher
    await partner.change(child, visit_at=network.in_(hours=1), assignee=me.ref)
    for stage in (VisitStage.ON_WAY, VisitStage.ON_WAY, VisitStage.ON_SITE):
        await visits.advance(hub, me, child.id, stage)
        await network.deliver()
    assert (await vendor.handoff(work)).stage == (await partner.handoff(work)).stage
    await work.stands("in_progress")
    with refused("note_missing"):
        await visits.advance(hub, me, child.id, VisitStage.DONE)
    await visits.advance(hub, me, child.id, VisitStage.DONE, "Заменил ленту")
    await network.deliver()
    await work.stands("resolved")
    assert (await vendor.handoff(work)).resolution == "Заменил ленту"


async def test_a_photo_is_needed_where_it_was_asked_for(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    hub, me = firm.hub, firm.dispatcher
    wish = NewTicket(
        "Касса",
        checklist=["Снять до", "Проверить"],
        photos=frozenset({0}),
        visit_at=network.in_(hours=1),
    )
    made = await acts.create(hub, me, wish)
    ticket = Ticket(firm, made.id)
    with refused("photo_missing"):
        await visits.tick(hub, me, made.id, "1", done=True)
    await visits.tick(hub, me, made.id, "2", done=True)
    await visits.advance(hub, me, made.id, VisitStage.ON_WAY)
    await visits.advance(hub, me, made.id, VisitStage.ON_SITE)
    with refused("checklist_open"):
        await visits.advance(hub, me, made.id, VisitStage.DONE, "Готово")
    assert await ticket.status() == "in_progress"


async def test_guests_see_reply_and_rate_by_an_address_alone(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Касса", requester=Requester(name="Анна"))
    work = await vendor.hand_off(ticket, to=partner)
    hub = vendor.hub
    follow = await guests.invite(hub, vendor.dispatcher, ticket.id, Purpose.FOLLOW)
    await guests.reply(hub, follow, "Ждём вас")
    await network.deliver()
    assert await ticket.texts() == ["Ждём вас"]
    assert await (await partner.ticket_of(work)).texts() == []  # what goes on, people decide
    with refused("not_for_this"):
        await guests.rate(hub, follow, 5, "")
    rate = await guests.invite(hub, vendor.dispatcher, ticket.id, Purpose.RATE)
    await guests.rate(hub, rate, 4, "Спасибо")
    told = await vendor.look(lambda c: inside.by_name(c, ticket.id))
    assert (told.client_score, told.client_text) == (4, "Спасибо")
    with refused("guest_link_ended"):
        await guests.reply(hub, follow[:-1] + "_", "Угадал")
    await guests.revoke_all(hub, vendor.dispatcher, ticket.id)
    with refused("guest_link_ended"):
        await guests.rate(hub, rate, 1, "")
    late = await guests.invite(hub, vendor.dispatcher, ticket.id, Purpose.FOLLOW)
    network.clock.advance(seconds=guests.LASTS.total_seconds() + 1)
    with refused("guest_link_ended"):
        await guests.reply(hub, late, "Поздно")


async def test_tickets_that_belong_together_name_each_other(network: Story) -> None:
    firm = await network.company("Сервис Плюс")
    first, second = await firm.new_ticket("Касса"), await firm.new_ticket("Касса снова")
    await ties.tie(firm.hub, firm.dispatcher, second.id, first.id, LinkKind.DUPLICATE)
    for mine, other, kind in ((second, first, "duplicate"), (first, second, "duplicated")):
        told = await firm.look(lambda c, n=mine.id: inside.by_name(c, n))
        assert [(one.id, one.kind) for one in told.tied] == [(other.id, kind)]
        assert told.notes[-1].facts == {"other": [(await other.card()).number]}
    await ties.untie(firm.hub, firm.dispatcher, first.id, second.id)
    assert (await firm.look(lambda c: inside.by_name(c, first.id))).tied == []


async def test_the_stream_of_changes_misses_nothing_and_is_taken_up_again(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    reader = changes.Reader(partner.hub.now())
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    child = await partner.ticket_of(work)
    assert [one.ticket for one in await partner.look(reader.look)] == [child.id]
    assert await partner.look(reader.look) == []
    broke_off = reader.position
    network.clock.advance(seconds=60)
    for say in ("Раз", "Два"):
        network.clock.advance(seconds=1)
        await vendor.say(ticket, say)
        assert [one.ticket for one in await partner.look(reader.look)] == [child.id]
    assert [one.ticket for one in await partner.look(changes.Reader(broke_off).look)] == [child.id]


async def test_nothing_of_what_only_we_know_leaves(network: Story) -> None:
    shown_all = terms(
        as_principal={
            "disclose": {"checklist": True, "fields": True, "subcontractor_names": True},
            "fields": ["этаж"],
        },
        as_contractor={"disclose": {"subcontractor_names": True}},
    )
    vendor, partner = [await network.company(one) for one in ("Касса-Сервис", "Мастер-Юг")]
    await network.link(vendor, partner, offer=shown_all, counter_offer=shown_all)
    flock = Flock("desk")
    for firm in (vendor, partner):
        ticket = await firm.new_ticket("Касса", checklist=["Проверить"])
        work = await firm.hand_off(ticket, to=partner if firm is vendor else vendor)
        await _note_everything(firm, ticket, flock)
        await (partner if firm is vendor else vendor).accept(work)
        child = await (partner if firm is vendor else vendor).ticket_of(work)
        await _note_everything(child.firm, child, flock)
    await network.pass_time(hours=1)
    assert len(flock.planted) > 40
    assert flock.found_in(network.wire.sent) == {}


async def _note_everything(firm: Firm, ticket: Ticket, flock: Flock) -> None:
    """Канарейка везде, где наши люди пишут для себя."""
    hub, me = firm.hub, firm.dispatcher

    def word(where: str) -> str:
        return flock.plant(f"{where} у «{firm.name}»").text

    customer = await directories.add_customer(
        hub, me, CustomerWish(word("клиент"), word("юрлицо"), word("ИНН"), "", word("заметка"))
    )
    site = await directories.add_site(
        hub, me, customer.id, SiteWish(word("объект"), None, word("адрес"), note=word("о месте"))
    )
    asset = await directories.add_asset(
        hub, me, customer.id, AssetWish(word("вещь"), site.id, word("модель"), note=word("о вещи"))
    )
    await directories.add_contact(
        hub, me, customer.id, ContactWish(word("человек"), site.id, word("телефон"))
    )
    other = await firm.new_ticket(word("другая заявка"))
    await acts.change(
        hub,
        me,
        ticket.id,
        TicketChanges(
            tags=[word("метка")[:60]],
            customer=customer.id,
            at_site=site.id,
            of_asset=asset.id,
            visit_at=hub.now() + timedelta(hours=1),
            assignee=me.ref,  # type: ignore[arg-type]
            team=await teams.add(hub, me, word("команда")),
        ),
    )
    await ties.tie(hub, me, ticket.id, other.id, LinkKind.RELATED)
    await personal.keep_draft(hub, me, ticket.id, word("черновик"), Visibility.PUBLIC)
    await personal.save_view(hub, me, word("вид"), f"q={word('запрос')}", shared=True)
    macro = MacroWish(word("макрос"), word("слова макроса"), tags=[word("метка макроса")[:60]])
    made = await personal.add_macro(hub, me, macro)
    await personal.use_macro(hub, me, made.id, ticket.id)
    rate = await guests.invite(hub, me, ticket.id, Purpose.RATE)
    await guests.rate(hub, rate, 3, word("оценка заявителя"))
    await personal.look_on(hub, me, ticket.id, writing=True)


@pytest.mark.one_database
async def test_the_words_of_an_older_node_are_found_too(network: Story) -> None:
    from sqlalchemy import text

    from hub.storage import search

    firm = await network.company("Сервис Плюс")
    await firm.say(await firm.new_ticket("Касса"), "Шлейф", visibility="internal")

    def older(tx: Any) -> None:
        tx.connection.execute(text("DELETE FROM searchable"))

    await firm.hub.db.write(older)
    assert await found(firm, "касса") == []
    await firm.hub.db.write(lambda tx: search.put_up(tx.connection))
    assert await found(firm, "касса") == await found(firm, "шлейф") == ["Касса"]
