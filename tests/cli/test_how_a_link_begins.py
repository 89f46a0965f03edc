"""`hub link` where people, codes and partners are not as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Node, found


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """The inviter is served, the other is not."""
    nodes = (found(tmp_path / "a", "Сервис Плюс"), found(tmp_path / "b", "Мастер-Юг"))
    nodes[0].serve()
    yield nodes
    for one in nodes:
        one.stop()


def test_without_yes_nothing_is_signed_before_a_person_says_so(two: tuple[Node, Node]) -> None:
    plus, south = two
    code = plus("link", "invite", "Мастер-Юг")["code"]
    waiting = south("link", "accept", code)
    assert waiting["state"] == "requested"
    assert waiting["digits"]
    again = south.say("link", "accept", code)
    assert "hub link confirm" in again.err
    signed = south("link", "confirm", "Сервис Плюс")
    assert signed["state"] == "active"
    assert plus("link", "show", "Мастер-Юг")["digits"] == waiting["digits"]
    assert plus("link", "list")["invitations"] == []


def test_with_compare_both_sides_confirm(two: tuple[Node, Node]) -> None:
    plus, south = two
    south.serve()
    code = plus("link", "invite", "Мастер-Юг", "--compare")["code"]
    assert south("link", "accept", code, "--yes")["state"] == "awaiting_confirmation"
    assert any(a["kind"] == "compare_digits" for a in plus("status")["alerts"])
    assert plus("link", "confirm", "Мастер-Юг")["state"] == "active"
    south.until(("link", "show", "Сервис Плюс"), lambda d: d["state"] == "active")


def test_suspend_and_resume(two: tuple[Node, Node]) -> None:
    plus, south = two
    south.serve()
    south("link", "accept", plus("link", "invite", "Мастер-Юг")["code"], "--yes")
    assert plus("link", "suspend", "Мастер-Юг", "--reason", "Инвентаризация")["suspended_by_us"]
    south.until(("link", "show", "Сервис Плюс"), lambda d: d["suspended_by_peer"])
    number = south("ticket", "new", "--title", "Ждёт")["number"]
    assert south("ticket", "handoff", number, "--to", "Сервис Плюс", fails=4)["code"] == (
        "link_not_active"
    )
    assert plus("link", "resume", "Мастер-Юг")["state"] == "active"
    south.until(("link", "show", "Сервис Плюс"), lambda d: d["state"] == "active")
    plus("link", "close", "Мастер-Юг")
    south.until(("link", "show", "Сервис Плюс"), lambda d: d["state"] == "closed")


def test_a_code_that_is_not_right_is_told_so(two: tuple[Node, Node]) -> None:
    plus, south = two
    code = plus("link", "invite", "Мастер-Юг")["code"]
    mistyped = code[:-6] + ("A" if code[-6] != "A" else "B") + code[-5:]
    assert south("link", "accept", mistyped, "--yes", fails=4)["code"] == "invite_mistyped"
    assert south("link", "accept", "привет", "--yes", fails=4)["code"] == "invite_invalid"
    assert south("link", "accept", code, "--yes")["state"] == "active"
    assert south("link", "accept", code, "--yes", fails=7)["code"] == "already_linked"


def test_an_unreachable_partner_is_a_matter_of_trying_again(two: tuple[Node, Node]) -> None:
    plus, south = two
    code = plus("link", "invite", "Мастер-Юг")["code"]
    plus.stop()
    assert south("link", "accept", code, "--yes", fails=6)["code"] == "peer_unreachable"
    plus.serve()
    assert south("link", "accept", code, "--yes")["state"] == "active"


def test_scopes_become_terms_and_a_slip_is_shown_where_it_stands(
    two: tuple[Node, Node], tmp_path: Path
) -> None:
    plus, south = two
    scopes = tmp_path / "scopes.yaml"
    scopes.write_text("as_principal:\n  services: [Касса]\n  disclos:\n    contact: false\n")
    told = plus("link", "invite", "Мастер-Юг", "--scopes", str(scopes), fails=3)
    assert told["detail"].startswith(f"{scopes}:3:3")
    assert "disclose" in told["hint"]
    scopes.write_text("as_principal: [")
    assert (
        f"{scopes}:"
        in plus("link", "invite", "Мастер-Юг", "--scopes", str(scopes), fails=3)["detail"]
    )
    scopes.write_text("as_principal:\n  services: [Касса]\n  disclose:\n    contact: false\n")
    code = plus("link", "invite", "Мастер-Юг", "--scopes", str(scopes))["code"]
    link = south("link", "accept", code, "--yes")
    terms = link["terms"]["directions"]["inviter_to_invitee"]
    assert terms["services"] == ["Касса"]
    assert "contact" not in terms["disclose"]


def test_an_invitation_can_be_scanned(node: Node) -> None:
    ran = node.say("link", "invite", "Мастер-Юг", "--show-qr")
    assert ran.code == 0
    assert "█" in ran.err or "▄" in ran.err
    assert "txp1." in ran.out
