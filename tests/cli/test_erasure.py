"""Personal data goes, is held, and the partner's word about it is seen from the command line."""

from __future__ import annotations

from tests.cli.conftest import Node


def test_a_ticket_is_erased_and_the_partner_confirms(pair: tuple[Node, Node]) -> None:
    plus, south = pair
    number = plus("ticket", "new", "--title", "Касса у Аграфены")["number"]
    plus("ticket", "handoff", number, "--to", "Мастер-Юг")
    theirs = south.until(("ticket", "list"), lambda d: len(d["tickets"]) == 1)["tickets"][0]
    assert south("ticket", "hold", theirs["number"], "--reason", "Спор")["hold"] == "Спор"
    assert plus("ticket", "erase", number, "--reason", "По просьбе", fails=2)["code"] == (
        "not_confirmed"
    )
    made = plus("ticket", "erase", number, "--reason", "По просьбе", "--yes")
    assert made["erasures"][0]["reason"] == "По просьбе"
    held = plus.until(
        ("ticket", "erasure", number), lambda d: d["erasures"][0]["peers"][0]["held"] is not None
    )
    assert held["erasures"][0]["peers"][0]["confirmed_at"] is None
    assert south("ticket", "show", theirs["number"])["title"] == "Касса у Аграфены"
    released = south("ticket", "hold", theirs["number"], "--release")
    assert released["hold"] is None and released["erasures"][0]["erased_at"] is not None
    plus.until(
        ("ticket", "erasure", number),
        lambda d: d["erasures"][0]["peers"][0]["confirmed_at"] is not None,
    )
    assert south("ticket", "show", theirs["number"])["title"] == "—"
    shown = plus.say("ticket", "erasure", number, "--lang", "ru")
    assert "Мастер-Юг" in shown.out
    assert south("ticket", "hold", theirs["number"], "--release", fails=5)["code"] == "not_held"
