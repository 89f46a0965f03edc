"""Кому что видно: по соглашению, по отдельной передаче, по разным соглашениям одного узла."""

from __future__ import annotations

from typing import Any

from hub.domain.ticket import Asset, Contact, Field, Site
from tests.kit.story import Firm, Story, Ticket, refused, terms

WORDS = {
    "description": "Пароль на стикере под кассой",
    "contact": "Анна Охранникова",
    "site": "проезд Секретный, 5",
    "asset": "СЕРИЯ-0017",
    "files": "ключ.pdf",
    "checklist": "Отключить сигнализацию",
    "fields": "Маржа 40",
}


async def _full_ticket(firm: Firm, network: Story) -> Ticket:
    return await firm.new_ticket(
        "Касса",
        description=WORDS["description"],
        priority="urgent",
        contact=Contact(name=WORDS["contact"]),
        site=Site(name="Точка", address=WORDS["site"]),
        asset=Asset(serial_number=WORDS["asset"]),
        files=[firm.paper(WORDS["files"], b"%PDF key")],
        checklist=[WORDS["checklist"]],
        fields=[Field("маржа", WORDS["fields"]), Field("прочее", "Не для всех")],
        due_at=network.in_(days=1),
    )


ALL: dict[str, Any] = {
    "disclose": dict.fromkeys(("checklist", "fields", "subcontractor_names"), True),
    "fields": ["маржа"],
}


async def test_what_is_withheld_from_one_hand_off_stays(network: Story) -> None:
    """Одно и то же соглашение; в каждой передаче утаивают что-то одно."""
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, offer=terms(as_principal=ALL))
    for off in (*WORDS, "priority", "due"):
        ticket = await _full_ticket(vendor, network)
        work = await vendor.hand_off(ticket, to=partner, withhold=[off])
        theirs = await partner.ticket_of(work)
        await theirs.sees("Касса", *(text for name, text in WORDS.items() if name != off))
        await theirs.never_sees("Не для всех")
        if off in WORDS:
            await theirs.never_sees(WORDS[off])
        card = await theirs.card()
        assert card.priority == ("normal" if off == "priority" else "urgent")
        assert card.due_at == (None if off == "due" else network.in_(days=1))
        # И потом, когда утаённое меняется, оно тоже не уходит.
        if off == "description":
            await vendor.change(ticket, description="Новый пароль 0000")
            await theirs.never_sees("Новый пароль")


async def test_one_node_keeps_several_agreements_apart(network: Story) -> None:
    """Одна заявка, три партнёра, три соглашения: каждый видит своё."""
    vendor = await network.company("Касса-Сервис")
    trusted, ordinary, stranger = [
        await network.company(one) for one in ("Доверенный", "Обычный", "Чужой")
    ]
    nothing = dict.fromkeys(
        ("description", "priority", "due", "asset", "site", "contact", "files", "author_names"),
        False,
    )
    await network.link(vendor, trusted, offer=terms(as_principal=ALL))
    await network.link(vendor, ordinary)
    await network.link(vendor, stranger, offer=terms(as_principal={"disclose": nothing}))
    ticket = await _full_ticket(vendor, network)
    views = {}
    for partner in (trusted, ordinary, stranger):
        work = await vendor.hand_off(ticket, to=partner)
        await partner.accept(work)
        views[partner.name] = await partner.ticket_of(work)
    await vendor.say(ticket, "Кто свободен?")

    await views["Доверенный"].sees(*WORDS.values())
    await views["Обычный"].never_sees(WORDS["checklist"], WORDS["fields"])
    await views["Обычный"].sees(WORDS["description"], WORDS["contact"], WORDS["files"])
    await views["Чужой"].never_sees(*WORDS.values())
    assert (await views["Чужой"].card()).title == "Касса"
    assert (await views["Чужой"].card()).priority == "normal"
    assert (await views["Чужой"].thread())[0].author == "Касса-Сервис"
    assert (await views["Обычный"].thread())[0].author == "Диспетчер Касса-Сервис"


async def test_the_contractor_hides_its_people_and_files(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    shy = terms(as_contractor={"disclose": {"author_names": False, "files": False}})
    await network.link(vendor, partner, counter_offer=shy)
    ticket = await vendor.new_ticket("Касса")
    work = await vendor.hand_off(ticket, to=partner)
    await partner.accept(work, by="Сергей Тайный")
    await partner.plan(work, assignee="Сергей Тайный", stage="в пути")
    await partner.say(work, "Едем", files=[partner.paper("маршрут.gpx", b"route")])
    await ticket.never_sees("Сергей Тайный", "маршрут.gpx", "Диспетчер Мастер-Юг")
    (said,) = await ticket.thread()
    assert said.author == "Мастер-Юг"
    assert (await vendor.handoff(work)).stage == "в пути"


async def test_services_and_numbers_of_the_agreement_hold(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    narrow = terms(as_contractor={"services": ["кассы"], "max_open": 1})
    await network.link(vendor, partner, counter_offer=narrow)
    with refused("scope_denied"):
        await vendor.hand_off(await vendor.new_ticket("Весы", service="весы"), to=partner)
    first = await vendor.hand_off(await vendor.new_ticket("Касса 1", service="кассы"), to=partner)
    second = await vendor.new_ticket("Касса 2", service="кассы")
    with refused("limit_exceeded"):
        await vendor.hand_off(second, to=partner)
    await partner.decline(first, "Занято")
    await vendor.hand_off(second, to=partner)


async def test_a_link_for_one_direction_carries_nothing_the_other_way(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, offer=terms(as_contractor={"hand_off": False}))
    with refused("scope_denied"):
        await partner.hand_off(await partner.new_ticket("Вопрос"), to=vendor)
    work = await vendor.hand_off(await vendor.new_ticket("Выезд"), to=partner)
    await work.stands("offered")
