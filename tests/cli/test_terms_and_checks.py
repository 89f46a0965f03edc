"""Other terms are proposed and answered, and both sides compared, from two command lines."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Node


def test_other_terms_are_proposed_seen_and_accepted(
    pair: tuple[Node, Node], tmp_path: Path
) -> None:
    plus, south = pair
    scopes = tmp_path / "south.yaml"
    scopes.write_text("as_principal:\n  max_open: 5\n  disclose: {contact: false}\n", "utf-8")
    made = plus("link", "amend", "Мастер-Юг", "--scopes", str(scopes))
    changed = {one["term"]: one["after"] for one in made["open"]["changes"]}
    assert changed["max_open"] == 5 and "contact" not in changed["disclose"]
    south.until(("link", "amend", "Сервис Плюс"), lambda d: d["open"] is not None)
    shown = south.say("link", "amend", "Сервис Плюс", "--lang", "ru")
    assert "открытых передач одновременно" in shown.out
    assert "Контакт" in shown.out
    assert plus("link", "amend", "Мастер-Юг", "--accept", fails=7)["code"] == "no_amendment"
    assert south("link", "amend", "Сервис Плюс", "--accept")["revision"] == 2
    plus.until(("link", "amend", "Мастер-Юг"), lambda d: d["revision"] == 2)
    said = south.say("link", "amend", "Сервис Плюс", "--accept", "--refuse")
    assert said.code == 2


def test_both_sides_are_compared(pair: tuple[Node, Node]) -> None:
    plus, south = pair
    number = plus("ticket", "new", "--title", "Не печатает")["number"]
    plus("ticket", "handoff", number, "--to", "Мастер-Юг")
    south.until(("ticket", "list"), lambda d: len(d["tickets"]) == 1)
    checked = plus("link", "check", "Мастер-Юг", "--wait", "30")
    assert checked["same"] and checked["differences"] == []
    assert plus("link", "check", "Мастер-Юг", "--repair")["repaired"] == []
    hashes = {
        node("ticket", "show", node("ticket", "list")["tickets"][0]["number"])["handoffs"][0][
            "state_hash"
        ]
        for node in (plus, south)
    }
    assert len(hashes) == 1
