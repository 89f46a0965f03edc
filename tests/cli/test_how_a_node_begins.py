"""`hub init` and `hub serve` where something is in the way: a clear error, nothing damaged."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Node, follows_schema, found, free_port, hub


def test_a_new_node_keeps_its_secrets_to_itself(tmp_path: Path) -> None:
    data = tmp_path / "node"
    ran = hub(
        "init", "--data", str(data), "--name", "Юг", "--url", "http://127.0.0.1:8101", "--json"
    )
    assert ran.code == 0
    follows_schema("init", ran.json)
    assert ran.json["created"] is True
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "config.yaml").stat().st_mode) == 0o600
    assert "NOT protected by a passphrase" in ran.err
    assert "TRY-OUT MODE" in ran.err


def test_twice_is_not_an_error(node: Node) -> None:
    before = {p.name: p.read_bytes() for p in (node.data / "keys").iterdir()}
    again = node("init", "--name", "Сервис Плюс")
    assert again["created"] is False
    assert again["name"] == "Сервис Плюс"
    other = hub("init", "--name", "Другое имя", "--json", data=node.data)
    assert other.code == 0
    assert other.json["name"] == "Сервис Плюс"
    assert "changes nothing" in other.err
    assert before == {p.name: p.read_bytes() for p in (node.data / "keys").iterdir()}


def test_a_foreign_directory_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    ran = hub("init", "--name", "Юг", "--json", data=tmp_path)
    assert ran.code == 3
    assert ran.json["code"] == "data_foreign"
    assert "thesis.txt" in ran.json["detail"]
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = hub("init", "--name", "Юг", "--json", data=tmp_path / "file")
    assert (ran.code, ran.json["code"]) == (3, "data_unusable")


def test_a_read_only_directory_is_told(tmp_path: Path) -> None:
    data = tmp_path / "read-only"
    data.mkdir(mode=0o500)
    if os.access(data, os.W_OK):  # root writes everywhere but here
        data = Path("/proc/hub-test")
    ran = hub("init", "--name", "Юг", "--json", data=data)
    assert (ran.code, ran.json["code"]) == (3, "data_unwritable")


def test_a_name_is_needed_and_the_error_can_be_run(tmp_path: Path) -> None:
    ran = hub("init", data=tmp_path / "node")
    assert ran.code == 2
    assert 'hub init --name "Service Plus"' in ran.err
    assert not (tmp_path / "node").exists()


def test_a_plain_http_address_elsewhere_is_refused(tmp_path: Path) -> None:
    ran = hub(
        "init", "--name", "Юг", "--url", "http://hub.example", "--json", data=tmp_path / "node"
    )
    assert (ran.code, ran.json["code"]) == (3, "config_invalid")
    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize("command", [["init", "--name", "Юг"], ["serve"], ["ticket", "list"]])
def test_a_too_new_database_is_left_alone(node: Node, command: list[str]) -> None:
    with sqlite3.connect(node.data / "hub.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert node(*command, fails=3)["code"] == "database_too_new"
    with sqlite3.connect(node.data / "hub.db") as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    database.close()
    assert node.say("doctor").code == 1


def test_the_passphrase_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PASSPHRASE", "correct horse battery")
    node = found(tmp_path / "node", "Юг")
    assert "NOT protected" not in node.say("init").err
    monkeypatch.setenv("HUB_PASSPHRASE", "wrong horse")
    assert node("ticket", "list", fails=3)["code"] == "passphrase_wrong"
    monkeypatch.delenv("HUB_PASSPHRASE")
    assert node("ticket", "list", fails=3)["code"] == "passphrase_missing"


def test_where_there_is_no_node_the_way_to_one_is_told(tmp_path: Path) -> None:
    ran = hub("serve", "--json", data=tmp_path)
    assert (ran.code, ran.json["code"]) == (3, "no_node_here")
    assert "hub init" in ran.json["hint"]
    assert list(tmp_path.iterdir()) == []


def test_a_busy_port_names_the_flag(node: Node) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = node("serve", "--listen", f"127.0.0.1:{port}", fails=3)
    assert told["code"] == "cannot_listen"
    assert "--listen" in told["hint"]


def test_serving_says_one_line_refuses_a_second_and_ends_gracefully(node: Node) -> None:
    listen = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hub",
            "--json",
            "serve",
            "--listen",
            listen,
            "--data",
            str(node.data),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stderr is not None
        line = json.loads(serving.stdout.readline())
        follows_schema("serve", line)
        assert line["listening"] == f"http://{listen}"
        assert line["try_out"] is True
        second = node("serve", "--listen", f"127.0.0.1:{free_port()}", fails=7)
        assert second["code"] == "already_serving"
        assert str(serving.pid) in second["detail"]
        assert node("status")["serving"] is True
        assert node("ticket", "new", "--title", "При работающем узле")["number"] == "T-1001"
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(20) == 0
        assert "TRY-OUT MODE" in serving.stderr.read()
    assert node("status")["serving"] is False


def test_the_database_can_be_asked_and_brought_up(node: Node) -> None:
    assert node("db", "current")["fits"] is True
    assert node("db", "upgrade")["changed"] is False
