"""Канарейка в каждом внутреннем поле каждой компании цепочки: наружу не вылетает ни одна."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from hub.actions import (
    directories,
    guests,
    outgoing,
    personal,
    teams,
    tickets,
    ties,
    tokens,
    webhooks,
)
from hub.actions.context import Actor
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, FieldWish, SiteWish
from hub.actions.personal import MacroWish
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain import disclosure
from hub.domain.assignment import LinkKind
from hub.domain.comment import Visibility
from hub.domain.disclosure import NOTHING_WITHHELD
from hub.domain.handoff import Party
from hub.domain.ticket import Asset, Contact, Field, Requester, Site
from hub.ids import AgentId, HandoffId, new
from hub.storage import agents, links
from hub.storage.agents import Agent
from tests.kit.canary import Flock
from tests.kit.clock import SeededEntropy
from tests.kit.story import Firm, Story, Ticket, Work, refused, terms

SHOWN = terms(
    as_principal={
        "disclose": {"checklist": True, "fields": True, "subcontractor_names": True},
        "fields": ["этаж"],
    },
    as_contractor={
        "disclose": {"subcontractor_names": True},
        "cancel": "assess",
        "cancel_assess_hours": 4,
    },
)
"""Самое открытое соглашение: если и при нём ничего внутреннего не уходит, не уйдёт нигде."""


async def _hire(firm: Firm, flock: Flock) -> AgentId:
    """Исполнитель, о котором снаружи не знают ничего; и почта диспетчера тоже внутренняя."""
    inside = flock.plant(f"исполнитель у «{firm.name}»")
    mail = flock.plant(f"почта диспетчера «{firm.name}»")
    agent_id = AgentId(new("agt", firm.hub.now(), SeededEntropy(firm.name)))

    def write(tx) -> None:  # type: ignore[no-untyped-def]
        agents.change(tx, firm.dispatcher.ref, email=f"{mail.hex}@{mail.cyrillic}.example")
        agents.add(
            tx,
            Agent(
                id=agent_id,
                email=f"{inside.hex}@example.ru",
                display=inside.text,
                role="dispatcher",
                password_hash=inside.hex,
                created_at=firm.hub.now(),
                disabled_at=None,
            ),
        )

    await firm.hub.db.write(write)
    return agent_id


async def _plant(firm: Firm, ticket: Ticket, flock: Flock, when: str) -> None:
    """Внутренние слова и файлы этой компании в этот момент."""
    for visibility in ("internal", "client"):
        words = flock.plant(f"{visibility}: слова у «{firm.name}», {when}")
        inside = flock.plant(f"{visibility}: файл комментария у «{firm.name}», {when}")
        beside = flock.plant(f"{visibility}: файл заявки у «{firm.name}», {when}")
        said = await firm.say(
            ticket,
            words.text,
            visibility=visibility,
            files=[firm.paper(f"{inside.text}.pdf", inside.content)],
        )
        later = flock.plant(f"{visibility}: правка у «{firm.name}», {when}")
        await firm.rewrite(said, later.text)
        paper = firm.paper(f"{beside.text}.pdf", beside.content)
        await firm.attach(ticket, paper, visibility=visibility)
        if when == "в конце":
            await firm.take_back(said, flock.plant(f"причина у «{firm.name}»").text)
            await firm.take_file_back(ticket, paper.name, flock.plant("причина файла").text)


async def test_nothing_internal_leaves_a_chain_of_three(network: Story) -> None:
    firms = [await network.company(one) for one in ("Касса-Сервис", "Мастер-Юг", "ИП Ветров")]
    vendor, partner, master = firms
    await network.link(vendor, partner, offer=SHOWN, counter_offer=SHOWN)
    await network.link(partner, master, offer=SHOWN, counter_offer=SHOWN)
    flock, control = Flock("canaries"), Flock("controls")
    people = {firm.name: await _hire(firm, flock) for firm in firms}

    who, field = flock.plant("заявитель"), flock.plant("внутреннее поле")
    secret_name = flock.plant("имя внутреннего поля")
    top = await vendor.new_ticket(
        "Не печатает чек",
        description="Описание общее",
        requester=Requester(name=who.text, email=f"{who.hex}@example.ru", phone=who.hex),
        contact=Contact(name="Ольга"),
        site=Site(address="Ростов"),
        asset=Asset(serial_number="SN-1"),
        fields=[Field("этаж", "2"), Field("маржа", field.text), Field(secret_name.text, "да")],
        checklist=["Проверить ленту"],
        due_at=network.in_(days=1),
    )
    await vendor.change(top, assignee=people[vendor.name])
    await _plant(vendor, top, flock, "до передачи")
    secrets = await _keep_inside(vendor, top, flock)

    first = await vendor.hand_off(top, to=partner)
    middle = await partner.ticket_of(first)
    await _own_secrets(partner, middle, people, flock)
    secrets += await _keep_inside(partner, middle, flock)
    await partner.accept(first, by="Сергей")
    second = await partner.hand_off(first, to=master)
    bottom = await master.ticket_of(second)
    await _own_secrets(master, bottom, people, flock)
    secrets += await _keep_inside(master, bottom, flock)
    await master.accept(second)
    levels = [(vendor, top), (partner, middle), (master, bottom)]

    for firm, ticket in levels:
        await _plant(firm, ticket, flock, "в работе")
        shared = control.plant(f"общие слова «{firm.name}»")
        inside = control.plant(f"общий файл «{firm.name}»")
        await firm.say(
            ticket, shared.text, files=[firm.paper(f"{inside.text}.pdf", inside.content)]
        )
    await network.pass_time(hours=1)

    await master.start(second, plan="Завтра")
    await master.plan(second, eta=network.in_(hours=3), stage="в пути")
    await vendor.change(
        top,
        priority="high",
        requester=Requester(name=flock.plant("новый заявитель").text),
        fields=[Field("этаж", "3"), Field("маржа", flock.plant("новое поле").text)],
    )
    await _errors(network, vendor, partner, first, flock)
    await vendor.cancel(first, "Передумали")
    await partner.refuse_cancel(first, "Уже едем")
    await master.wait_for(second, "awaiting_parts", text="Ждём деталь")
    await master.resolve(second, "Готово")
    await partner.send_back(second, "Не до конца")
    await master.resolve(second, "Теперь готово")
    await partner.confirm(second, 4, "Неплохо")
    await master.reply_to_rating(second, "Спасибо")
    await partner.resolve(first, "Готово")
    await vendor.confirm(first, 5)
    await vendor.rate(first, 4, "Пересмотрели")
    await vendor.close(first)
    for firm, ticket in levels:
        await _plant(firm, ticket, flock, "в конце")
    await network.pass_time(hours=2)

    assert len(flock.planted) > 150
    escaped = flock.found_in(network.wire.sent)
    assert escaped == {}
    ids = b"".join(network.wire.sent)
    for name, agent_id in people.items():
        assert agent_id.encode() not in ids, f"id исполнителя «{name}» ушёл наружу"
    for secret in secrets:
        assert secret.encode() not in ids, "секрет ссылки или вебхука ушёл наружу"
    # А общее — ушло: значит, сыщик видит.
    assert control.found_in(network.wire.sent).keys() == {one.where for one in control.planted}
    for _firm, ticket in levels:
        await ticket.sees(*(one.text for one in control.planted if "слова" in one.where))


async def _keep_inside(firm: Firm, ticket: Ticket, flock: Flock) -> list[str]:
    """Всё, что люди компании держат у себя вокруг заявки; секреты, которых никто не пишет."""
    hub, who, here = firm.hub, firm.dispatcher, f"у «{firm.name}»"

    def word(what: str) -> str:
        return flock.plant(f"{what} {here}").text

    def number(what: str) -> str:
        return flock.plant(f"{what} {here}").hex

    customer = await directories.add_customer(
        hub,
        who,
        CustomerWish(
            word("заказчик"), word("юрлицо"), number("ИНН"), note=word("заметка о заказчике")
        ),
    )
    site = await directories.add_site(
        hub,
        who,
        customer.id,
        SiteWish(word("объект"), address=word("адрес"), note=word("заметка об объекте")),
    )
    asset = await directories.add_asset(
        hub,
        who,
        customer.id,
        AssetWish(word("аппарат"), model=word("модель"), serial_number=number("серийный номер")),
    )
    person = ContactWish(word("человек"), phone=number("телефон"), email=number("почта"))
    await directories.add_contact(hub, who, customer.id, person)
    await directories.define_field(hub, who, FieldWish(word("описание поля")))
    team = await teams.add(hub, who, word("команда"), [who.ref])
    inside = TicketChanges(
        team=team,
        customer=customer.id,
        at_site=site.id,
        of_asset=asset.id,
        tags=[number("метка")],
        visit_at=firm.network.in_(hours=5),
    )
    await tickets.change(hub, who, ticket.id, inside)
    wish = MacroWish(word("название заготовки"), word("слова заготовки"), tags=[number("её метка")])
    macro = await personal.add_macro(hub, who, wish)
    await personal.use_macro(hub, who, macro.id, ticket.id)
    await personal.save_view(hub, who, word("список"), f"text={number('запрос')}", shared=True)
    for visibility in (Visibility.PUBLIC, Visibility.INTERNAL):
        # И начатое для всех не уходит, пока его не отправили.
        draft = word(f"черновик {visibility}")
        await personal.keep_draft(hub, who, ticket.id, draft, visibility)
    await personal.look_on(hub, who, ticket.id, writing=True)
    other = await tickets.create(hub, who, NewTicket(word("другая заявка"), word("её описание")))
    await ties.tie(hub, who, ticket.id, other.id, LinkKind.DUPLICATE)
    guest = await guests.invite(hub, who, ticket.id, guests.Purpose.FOLLOW)
    await guests.reply(hub, guest, word("слово заявителя"))
    graded = await guests.invite(hub, who, ticket.id, guests.Purpose.RATE)
    await guests.rate(hub, graded, 4, word("отзыв заявителя"))
    address = f"https://desk.example/{number('адрес вебхука')}"
    webhook, secret = await webhooks.add(hub, who, address, [])
    await webhooks.disable(hub, who, webhook)
    _token_id, token = await tokens.new(
        hub, who, AgentId(who.ref), word("токен"), ["tickets:read"], None
    )
    await firm.network.deliver()
    return [guest, graded, secret, token]


async def _own_secrets(
    firm: Firm, ticket: Ticket, people: dict[str, AgentId], flock: Flock
) -> None:
    """Что компания дописывает в пришедшую заявку для себя."""
    who = flock.plant(f"заявитель у «{firm.name}»")
    changes = TicketChanges(
        assignee=people[firm.name],
        requester=Requester(name=who.text, email=f"{who.hex}@example.ru", phone=who.hex),
        fields=[Field("этаж", "2"), Field("затраты", flock.plant(f"поле у «{firm.name}»").text)],
    )
    await tickets.change(firm.hub, firm.dispatcher, ticket.id, changes)
    await firm.network.deliver()


async def _errors(network: Story, vendor: Firm, partner: Firm, work: Work, flock: Flock) -> None:
    """Ошибки тоже говорят: чужие запросы, оборванные ответы, отвергнутые сообщения, отказы."""
    network.refusals_expected = True
    with refused("wrong_pen"):
        await vendor.confirm(work, 5, flock.plant("оценка, которой не было").text)
    with refused("text_too_long"):
        await vendor.say(await vendor.ticket_of(work), flock.plant("не влезло").text * 1000)

    for url in (partner.settings.url, vendor.settings.url):
        for path in (
            "/txp/v1/links/lnk_none/messages",
            f"/txp/v1/links/{work.link}/blobs/{'A' * 43}",
        ):
            await vendor.transport.request("POST", url + path, {}, b"{}", max_bytes=10_000)
            await vendor.transport.request("GET", url + path, {}, None, max_bytes=10_000)

    network.wire.fault = lambda *_call: "drop_reply"
    await vendor.say(await vendor.ticket_of(work), "Связь рвётся")
    network.wire.fault = lambda *_call: None
    await network.pass_time(minutes=10)

    # Сообщение о файле, которого нет: подлинное, но неприемлемое.
    def lie(tx) -> None:  # type: ignore[no-untyped-def]
        link = links.get(tx.connection, work.link)
        from hub.actions import terms as agreed

        view = disclosure.statement_view(
            "file.redact",
            {"attachment_id": "att_" + "0" * 32, "at": vendor.hub.now()},
            agreed.direction(link, Party.PRINCIPAL),
            by=Party.PRINCIPAL,
            withhold=NOTHING_WITHHELD,
        )
        outgoing.send(
            tx, vendor.hub, link, view, now=vendor.hub.now(), handoff_id=HandoffId(work.id)
        )

    await vendor.hub.db.write(lie)
    await network.deliver()
    assert "message.rejected" in await partner.letter_types(vendor)
    assert "message_rejected" in await vendor.alarms()


async def test_an_address_instead_of_a_name_does_not_leave(network: Story) -> None:
    """Кто-то вписал почту вместо имени: наружу пойдёт имя компании."""
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    flock = Flock("addresses")
    mail = flock.plant("почта вместо имени")
    vendor.dispatcher = Actor(vendor.dispatcher.ref, f"{mail.hex}@example.ru", "admin")
    partner.dispatcher = Actor(partner.dispatcher.ref, f"{mail.hex}@example.ru", "admin")
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work, by=f"{mail.hex}@example.ru")
    await partner.plan(work, assignee=f"{mail.hex}@example.ru", stage="в пути")
    await vendor.say(ticket, "Едете?")
    await partner.say(work, "Едем")
    assert flock.found_in(network.wire.sent) == {}
    assert [one.author for one in await ticket.thread()] == [
        f"{mail.hex}@example.ru",
        "Мастер-Юг",
    ]


@pytest.mark.parametrize("before", range(3))
def test_the_search_knows_every_disguise(before: int) -> None:
    flock = Flock("disguises")
    one = flock.plant("здесь")
    edge = b"x" * before
    disguises = [
        one.raw,
        one.hex.encode(),
        one.hex.upper().encode(),
        one.cyrillic.encode(),
        base64.b64encode(edge + one.raw + b"yz"),
        base64.urlsafe_b64encode(edge + one.cyrillic.encode() + b"y"),
        base64.b64encode(edge + json.dumps(one.cyrillic).encode()),
        json.dumps(one.cyrillic).encode(),
        json.dumps(json.dumps(one.cyrillic)).encode(),
        json.dumps(one.cyrillic).upper().replace("\\U", "\\u").encode(),
        quote(one.cyrillic).encode(),
        quote(one.cyrillic).lower().encode(),
    ]
    for disguise in disguises:
        assert flock.found_in([b"...", disguise, b"..."]).keys() == {"здесь"}, disguise
        # Разрезанное между двумя порциями находится тоже.
        cut = len(disguise) // 2
        assert flock.found_in([disguise[:cut], disguise[cut:]]), disguise
    assert flock.found_in([b"nothing", b"\x00" * 100]) == {}
