"""Two companies exchange one ticket, with commands alone."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.cli.conftest import Node


def test_from_hand_off_to_rating(pair: tuple[Node, Node], tmp_path: Path) -> None:
    plus, south = pair
    photo = tmp_path / "касса.jpg"
    photo.write_bytes(b"\xff\xd8 a photo" * 1000)

    made = plus(
        "ticket",
        "new",
        "--title",
        "Не печатает чек",
        "--description",
        "Касса 2 молчит",
        "--priority",
        "high",
        "--due",
        "2037-01-31",
        "--attach",
        str(photo),
        "--field",
        "contact.name=Анна",
        "--field",
        "contact.phone=+7 900 000-00-00",
        "--field",
        "site.address=Ленина, 5",
        "--field",
        "asset.model=Штрих-М",
        "--field",
        "asset.serial=SN-17",
        "--field",
        "asset.inventory=INV-9",
        "--field",
        "requester.email=secret@client.example",
        "--field",
        "договор=42",
        "--check",
        "Сфотографировать",
        "--check",
        "Чек-лист",
    )
    ours = made["number"]
    plus("ticket", "comment", ours, "Клиент ругается", "--internal")
    plus("ticket", "comment", ours, "Мы приняли заявку", "--client")

    preview = plus(
        "ticket", "handoff", ours, "--to", "Мастер-Юг", "--preview", "--without", "contact"
    )
    assert {"label": "Title", "value": "Не печатает чек"} in preview["leaves"]
    assert "Contact" in {one["label"] for one in preview["stays"]}
    assert plus("ticket", "show", ours)["handoffs"] == []  # a preview changes nothing

    offered = plus("ticket", "handoff", ours, "--to", "Мастер-Юг")
    assert offered["state"] == "offered"

    theirs = south.until(("ticket", "list", "--status", "new"), lambda d: d["tickets"])
    number = theirs["tickets"][0]["number"]
    child = south.ticket(number, lambda t: [f["state"] for f in t["attachments"]] == ["available"])
    assert child["title"] == "Не печатает чек"
    assert child["priority"] == "high"
    assert child["asset"]["serial_number"] == "SN-17"
    assert child["asset"]["inventory_number"] == "INV-9"
    assert child["contact"]["phone"] == "+7 900 000-00-00"
    assert child["requester"] is None
    assert child["fields"] == []
    assert child["comments"] == []
    handoff = child["handoffs"][0]
    assert (handoff["role"], handoff["peer"], handoff["peer_number"]) == (
        "contractor",
        "Сервис Плюс",
        ours,
    )

    assert south("ticket", "accept", number, "--due", "2037-01-30")["state"] == "accepted"
    plus.in_state(ours, "accepted")
    south("ticket", "plan", number, "--eta", "2037-01-29T14:00", "--assignee", "Иван")
    south("ticket", "start", number)
    south("ticket", "comment", number, "Выезжаем", "--public", "--attach", str(photo))
    plus("ticket", "comment", ours, "Пропуск заказан", "--public")
    pended = south("ticket", "pend", number, "--reason", "awaiting_parts", "--text", "Ждём головку")
    assert pended["handoff"]["pend_reason"] == "awaiting_parts"
    south("ticket", "start", number)
    done = south(
        "ticket",
        "resolve",
        number,
        "--text",
        "Заменили головку",
        "--effort",
        "45",
        "--attach",
        str(photo),
    )
    assert done["state"] == "resolved"

    seen = plus.in_state(ours, "resolved")
    assert seen["handoffs"][0]["resolution"] == "Заменили головку"
    assert seen["handoffs"][0]["assignee"] == "Иван"
    confirmed = plus(
        "ticket", "confirm", ours, "--rating", "5", "--text", "Быстро", "--criterion", "speed=5"
    )
    assert confirmed["state"] == "confirmed"
    south.in_state(number, "confirmed")
    south("ticket", "reply", number, "--text", "Спасибо")

    whole = plus.ticket(ours, lambda t: t["handoffs"][0]["rating_reply"] == "Спасибо")
    assert [(c["visibility"], c["account"], c["body"]) for c in whole["comments"]] == [
        ("internal", "Сервис Плюс", "Клиент ругается"),
        ("client", "Сервис Плюс", "Мы приняли заявку"),
        ("public", "Мастер-Юг", "Выезжаем"),
        ("public", "Сервис Плюс", "Пропуск заказан"),
    ]
    graded = whole["handoffs"][0]
    assert (graded["rating"], graded["rating_text"]) == (5, "Быстро")
    assert graded["rating_criteria"] == {"speed": 5}
    assert graded["peer_number"] == number
    assert [(h["level"], h["account"], h["state"]) for h in whole["chain"]] == [
        (1, "Мастер-Юг", "confirmed")
    ]
    assert all(f["state"] == "available" for f in whole["attachments"])

    other = south("ticket", "show", number)
    assert [c["body"] for c in other["comments"]] == ["Выезжаем", "Пропуск заказан"]
    assert other["handoffs"][0]["rating"] == 5
    saved = tmp_path / "saved.jpg"
    told = south("ticket", "file", number, other["attachments"][0]["id"], "-o", str(saved))
    assert saved.read_bytes() == photo.read_bytes()
    assert told["sha256"] == sha256(photo.read_bytes()).hexdigest()

    assert plus("ticket", "close", ours)["state"] == "closed"
    south.in_state(number, "closed")
    for node in pair:
        node.at_rest()
        states = {d["state"] for d in node("delivery", "list")["deliveries"]}
        assert states == {"received"}


def test_every_other_step(pair: tuple[Node, Node]) -> None:
    plus, south = pair

    def hand(title: str) -> tuple[str, str]:
        ours = plus("ticket", "new", "--title", title)["number"]
        plus("ticket", "handoff", ours, "--to", "Мастер-Юг")
        page = south.until(
            ("ticket", "list"), lambda d: any(t["title"] == title for t in d["tickets"])
        )
        return ours, next(t["number"] for t in page["tickets"] if t["title"] == title)

    ours, theirs = hand("Отказ")
    south("ticket", "decline", theirs, "--code", "bored", fails=2)
    south("ticket", "decline", theirs, "--code", "capacity", "--text", "Все заняты")
    assert plus.in_state(ours, "declined")["handoffs"][0]["reason"] == "Все заняты"

    ours, theirs = hand("Отзыв")
    plus("ticket", "cancel", ours, "--reason", "Починили сами")
    plus.in_state(ours, "cancelled")

    ours, theirs = hand("Доработка")
    south("ticket", "accept", theirs)
    south("ticket", "resolve", theirs, "--text", "Готово")
    plus.in_state(ours, "resolved")
    plus("ticket", "return", ours, fails=2)
    plus("ticket", "return", ours, "--reason", "Не печатает")
    assert south.in_state(theirs, "rework")["handoffs"][0]["round"] == 1
    south("ticket", "hand-back", theirs, "--reason", "Нужен вендор")
    plus.in_state(ours, "handed_back")
    refused = plus("ticket", "confirm", ours, fails=4)
    assert refused["code"] == "wrong_pen"

    ours, theirs = hand("Рано")
    south("ticket", "accept", theirs)
    south("ticket", "resolve", theirs, "--text", "Готово")
    plus.in_state(ours, "resolved")
    south("ticket", "retract", theirs, "--reason", "Рано закрыли")
    south.in_state(theirs, "rework")

    ours, theirs = hand("Правки")
    comment = plus("ticket", "comment", ours, "Опечтка", "--public")["id"]
    plus("ticket", "comment-edit", comment, "Опечатка")
    south.ticket(theirs, lambda t: [c["body"] for c in t["comments"]] == ["Опечатка"])
    plus("ticket", "comment-redact", comment, "--reason", "не туда")
    south.ticket(theirs, lambda t: [c["redacted"] for c in t["comments"]] == [True])
    plus("ticket", "edit", ours, "--priority", "urgent", "--field", "site.address=Мира, 7")
    south.ticket(theirs, lambda t: t["priority"] == "urgent")
    refused = south("ticket", "edit", theirs, "--title", "Наше", fails=4)
    assert refused["code"] == "principal_owns"
    plus("ticket", "detach", ours, "--reason", "Не отвечают")
    assert plus("ticket", "show", ours)["handoffs"][0]["detached"]


def test_a_refused_message_names_itself_and_can_be_looked_at(pair: tuple[Node, Node]) -> None:
    plus, _south = pair
    ours = plus("ticket", "new", "--title", "Посмотреть доставку")["number"]
    plus("ticket", "handoff", ours, "--to", "Мастер-Юг")
    page = plus.until(
        ("delivery", "list", "--limit", "1"),
        lambda d: [one["state"] for one in d["deliveries"]] == ["received"],
    )
    message = page["deliveries"][0]
    shown = plus("delivery", "show", message["id"])
    assert shown["deliveries"][0]["id"] == message["id"]
    assert plus("delivery", "show", "msg_none", fails=5)["code"] == "not_found"
    assert plus("delivery", "replay", message["id"], fails=7)["code"] == "nothing_to_replay"
    assert plus("delivery", "skip", message["id"], "--reason", "x", fails=7)["code"] == "not_failed"


def test_the_doctor_finds_both_nodes_well(pair: tuple[Node, Node]) -> None:
    plus, _south = pair
    found = plus("doctor")
    states = {one["check"]: one["state"] for one in found["checks"]}
    assert states["partner"] == "ok"
    assert states["address"] == "ok"
    assert states["durability"] == "ok"
    assert found["ok"]


def test_an_ambiguous_partner_is_an_error_that_lists_the_candidates(
    pair: tuple[Node, Node],
) -> None:
    plus, south = pair
    first = plus("link", "list")["links"][0]["id"]
    code = plus("link", "invite", "Мастер-Юг (ночь)")["code"]
    second = south("link", "accept", code, "--yes")["id"]
    refused = plus("link", "show", "Мастер-Юг", fails=7)
    assert refused["code"] == "peer_ambiguous"
    assert first in refused["detail"]
    assert second in refused["detail"]
    assert plus("link", "show", "мастер-юг (НОЧЬ)")["id"] == second
    assert plus("link", "show", second)["links"][0]["peer"]["name"] == "Мастер-Юг"
    plus("link", "close", second, "--reason", "Хватит одной")
    south.until(("link", "show", second), lambda d: d["state"] == "closed")
    assert plus("link", "show", "Мастер-Юг")["id"] == first
    assert plus("link", "show", "Никто", fails=5)["code"] == "peer_unknown"
