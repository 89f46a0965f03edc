"""`hub audit`: reading, checking and handing out the record of who did what; `doctor --limits`."""

from __future__ import annotations

import json
from pathlib import Path

from hub.settings import Limits
from tests.cli.conftest import Node, follows_schema, hub


def test_records_are_listed_newest_first_and_the_reading_is_one(node: Node) -> None:
    node("user", "add", "olga@plus.example", "--name", "Ольга")
    first = node("audit", "list")["records"]
    assert [one["seq"] for one in first] == list(range(len(first), 0, -1))
    assert "agent.added" in [one["event"] for one in first]
    again = node("audit", "list", "--limit", "1")
    assert again["records"][0]["event"] == "audit.read"
    assert again["records"][0]["facts"] == {"records": len(first)}
    assert again["next"] == again["records"][0]["seq"]


def test_records_are_found_by_event_actor_and_time(node: Node) -> None:
    olga = node("user", "add", "olga@plus.example", "--name", "Ольга")
    admin = node("user", "list")["users"][0]["id"]
    by_event = node("audit", "list", "--event", "agent.")["records"]
    assert {one["event"] for one in by_event} == {"agent.added"}
    assert node("audit", "list", "--actor", olga["id"])["records"] == []
    assert {one["actor"] for one in node("audit", "list", "--actor", admin)["records"]} == {admin}
    assert node("audit", "list", "--since", "2037-01-31")["records"] == []
    assert node("audit", "list", "--since", "2020-01-31")["records"]
    assert node("audit", "list", "--before", "2")["records"][0]["seq"] == 1


def test_the_log_is_for_administrators(node: Node, tmp_path: Path) -> None:
    olga = node("user", "add", "olga@plus.example", "--name", "Ольга")["email"]
    assert node("audit", "list", "--as", olga, fails=4)["code"] == "not_yours"
    told = node("audit", "export", "-o", str(tmp_path / "x"), "--as", olga, fails=4)
    assert told["code"] == "not_yours"
    assert not (tmp_path / "x").exists()
    denied = node("audit", "list", "--event", "access.denied")["records"]
    assert [(one["facts"]["what"], one["facts"]["code"]) for one in denied] == [
        ("hub audit export", "not_yours"),
        ("hub audit list", "not_yours"),
    ]
    assert {one["facts"]["door"] for one in denied} == {"cli"}
    assert {one["actor"] for one in denied} != {node("user", "list")["users"][0]["id"]}


def test_an_untouched_log_verifies(node: Node) -> None:
    verdict = node("audit", "verify")
    assert (verdict["ok"], verdict["problems"]) == (True, [])
    assert verdict["key"] == verdict["node"]


def test_an_export_is_checked_without_the_node(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    key = node("audit", "export", "-o", str(path))["key"]
    events = [json.loads(line).get("event") for line in path.read_text().splitlines()]
    assert events[-2] == "audit.exported"
    ran = hub("audit", "verify", str(path), "--key", key, "--json")  # no --data: no node
    assert ran.code == 0
    follows_schema("audit-verify", ran.json)
    assert (ran.json["ok"], ran.json["records"]) == (True, len(events) - 2)
    # The head it was signed under is now one the log is held against.
    assert node("audit", "verify")["heads"] == 1
    assert node("audit", "export", "-o", str(path), fails=2)["code"] == "file_unwritable"


def test_a_changed_export_is_refused_with_its_place(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    key = node("audit", "export", "-o", str(path))["key"]
    path.write_text(path.read_text().replace('"actor":"system"', '"actor":"sistem"', 1))
    ran = hub("audit", "verify", str(path), "--json")
    assert ran.code == 1
    follows_schema("audit-verify", ran.json)
    assert ran.json["ok"] is False
    assert "line 2" in ran.json["problems"][0]["text"]
    other = hub("audit", "verify", str(path), "--key", "A" * 43, "--lang", "ru")
    assert other.code == 1
    assert "Это не то, что выгрузил узел" in other.err
    assert key != "A" * 43
    assert hub("audit", "verify", str(tmp_path / "none"), "--json").code == 2


def test_doctor_shows_every_limit_with_its_use_and_the_worst_case(node: Node) -> None:
    shown = node("doctor", "--limits")
    assert [one["name"] for one in shown["limits"]] == list(Limits.model_fields)
    used = {one["name"]: one["used"] for one in shown["limits"]}
    assert used["inbox_messages_per_link"] == 0
    assert used["poison_tries"] is None
    assert shown["memory"]["peer_calls"] == 32 * 3 * 1024**2
    assert "file_bytes" in node.say("doctor", "--limits").out
