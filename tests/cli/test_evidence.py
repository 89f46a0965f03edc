"""`hub evidence export | verify`, as people and programs call them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Node, follows_schema, hub


@pytest.fixture(scope="module")
def number(pair: tuple[Node, Node]) -> str:
    """A ticket that is being worked on."""
    ours, theirs = pair
    number = ours("ticket", "new", "--title", "Не печатает чек", "--field", "contact.name=Анна")[
        "number"
    ]
    ours("ticket", "handoff", number, "--to", theirs.name)
    there = theirs.until(("ticket", "list"), lambda found: found["tickets"])["tickets"][0]["number"]
    theirs("ticket", "accept", there)
    ours.in_state(number, "accepted")
    ours.at_rest()
    theirs.at_rest()
    return str(number)


def test_a_ticket_is_exported_and_checks_out(
    pair: tuple[Node, Node], number: str, tmp_path: Path
) -> None:
    ours, theirs = pair
    path = tmp_path / "dispute.zip"
    made = ours("evidence", "export", "--ticket", number, "--peer", theirs.name, "-o", str(path))
    assert made["size"] == path.stat().st_size
    assert made["findings"] == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for node in pair:
        found = node("evidence", "verify", str(path))
        assert found["verdict"] == "verified"
        assert found["links"][0]["handoffs"][0]["state"] == "accepted"
    ran = hub("--lang", "ru", "evidence", "verify", str(path))  # without any node
    assert ran.code == 0
    assert ran.out.startswith("ПРОВЕРЕНО")
    assert "Анна" in ran.out


def test_an_altered_bundle_ends_with_1_and_says_why(
    pair: tuple[Node, Node], number: str, tmp_path: Path
) -> None:
    ours, theirs = pair
    path = tmp_path / "dispute.zip"
    ours("evidence", "export", "--link", theirs.name, "-o", str(path))
    path.write_bytes(path.read_bytes().replace("Анна".encode(), "Инна".encode()))
    ran = hub("evidence", "verify", str(path), "--json")
    assert ran.code == 1
    follows_schema("evidence-verify", ran.json)
    assert {one["code"] for one in ran.json["problems"]} == {"crc"}
    assert "links/1/inviter.ndjson" in {one["where"] for one in ran.json["problems"]}
    ran = hub("evidence", "verify", str(path), "--lang", "ru")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "ИЗМЕНЕНО")


def test_payloads_are_left_out_and_a_page_is_written(
    pair: tuple[Node, Node], number: str, tmp_path: Path
) -> None:
    ours, _theirs = pair
    path, page = tmp_path / "dispute.zip", tmp_path / "dispute.html"
    made = ours("evidence", "export", "--ticket", number, "--redact", "contact", "-o", str(path))
    assert [one["code"] for one in made["findings"]] == ["redacted"]
    assert "Анна".encode() not in path.read_bytes()
    ran = hub("evidence", "verify", str(path), "--html", str(page), "--lang", "ru")
    assert ran.code == 0
    assert "ПРОВЕРЕНО" in page.read_text("utf-8")


def test_a_party_that_is_not_in_it_is_missed(
    pair: tuple[Node, Node], number: str, tmp_path: Path
) -> None:
    ours, _theirs = pair
    path = tmp_path / "dispute.zip"
    ours("evidence", "export", "--ticket", number, "-o", str(path))
    ids = [one["peer"]["node_id"] for one in ours("link", "list")["links"]]
    assert hub("evidence", "verify", str(path), "--party", ids[0]).code == 0
    assert hub("evidence", "verify", str(path), "--party", "A" * 43).code == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--ticket", "T-1001", "--link", "Мастер-Юг"],
        ["--ticket", "T-1001", "--from", "2026-01-01"],
        ["--link", "Мастер-Юг", "--peer", "Мастер-Юг"],
        ["--link", "Мастер-Юг", "--from", "вчера"],
    ],
)
def test_words_that_do_not_go_together_are_explained(
    pair: tuple[Node, Node], tmp_path: Path, words: list[str]
) -> None:
    said = pair[0]("evidence", "export", *words, "-o", str(tmp_path / "x.zip"), fails=2)
    assert said["detail"]
    assert not (tmp_path / "x.zip").exists()


def test_what_is_not_there_cannot_be_exported(pair: tuple[Node, Node], tmp_path: Path) -> None:
    ours, target = pair[0], str(tmp_path / "x.zip")
    ours("evidence", "export", "--ticket", "T-9999", "-o", target, fails=5)
    ours("evidence", "export", "--link", "Кто-то", "-o", target, fails=5)
    ours("evidence", "export", "--link", "Мастер-Юг", "--redact", "secrets", "-o", target, fails=4)
