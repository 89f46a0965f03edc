"""What holds for every command: where data goes, how errors look, what a pipe gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import jsonschema_rs
import pytest

from hub.cli import completion, output
from hub.cli.grammar import Manner, Noun, Verb
from hub.cli.root import root
from tests.cli.conftest import SCHEMAS, Node, follows_schema, hub

ROOT = Path(__file__).parents[2]


def every_command() -> list[tuple[str, click.Command]]:
    found = []

    def walk(group: click.Group, path: str) -> None:
        ctx = click.Context(group)
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            if isinstance(command, click.Group):
                walk(command, f"{path}{name} ")
            else:
                found.append((path + name, command))

    walk(root(), "")
    return found


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_takes_data_and_json_and_shows_examples(
    name: str, command: click.Command
) -> None:
    options = {opt for param in command.params for opt in param.opts}
    assert "--json" in options
    if name == "demo":
        return  # it makes its own nodes
    assert isinstance(command, Verb)
    assert "--data" in options
    assert command.help
    assert command.examples
    assert all(example.startswith(("hub ", "eval ")) for example in command.examples)


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_every_command_explains_itself_in_both_languages(name: str) -> None:
    english = hub(*name.split(), "--help", "--lang", "en")
    russian = hub(*name.split(), "--help", "--lang", "ru")
    assert english.code == russian.code == 0
    assert "Usage: hub" in english.out
    assert "Использование: hub" in russian.out


def test_options_stand_anywhere(node: Node) -> None:
    node("ticket", "new", "--title", "Одна")
    data = str(node.data)
    lines = [
        ["--data", data, "--json", "ticket", "list"],
        ["ticket", "--data", data, "list", "--json"],
        ["ticket", "list", "--json", "--data", data],
        ["--json", "ticket", "list", "--status", "new", "--data", data],
    ]
    assert len({hub(*line).out for line in lines}) == 1


def test_the_data_directory_may_come_from_the_environment(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_DATA", str(node.data))
    assert hub("ticket", "list", "--json").json == {"tickets": [], "next": None}


def test_errors_are_one_document_with_code_and_a_line_to_run(node: Node) -> None:
    ran = hub("ticket", "show", "T-7", "--json", data=node.data)
    assert ran.code == 5
    follows_schema("problem", ran.json)
    assert ran.json["code"] == "not_found"
    assert ran.json["hint"] == f"hub ticket list --data {node.data}"
    assert "✗" in ran.err


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["ticket", "list"], 0),
        (["ticket", "list", "--status", "lost"], 2),
        (["tickets"], 2),
        (["ticket", "new"], 2),
        (["ticket", "new", "--title", "x", "--due", "завтра"], 2),
        (["ticket", "new", "--title", "x", "--field", "phone"], 2),
        (["ticket", "new", "--title", "x", "--field", "contact.fax=1"], 2),
        (["ticket", "accept", "T-1"], 5),
        (["ticket", "handoff", "T-1", "--to", "X"], 5),
        (["ticket", "list", "--as", "nobody@x.example"], 5),
        (["link", "show", "X"], 5),
        (["user", "disable", "admin@localhost"], 4),
        (["link", "accept", "txp1.AAAA", "--yes"], 4),
    ],
)
def test_exit_codes(node: Node, argv: list[str], code: int) -> None:
    ran = hub(*argv, "--json", data=node.data)
    assert ran.code == code, ran.err
    json.loads(ran.out)


def test_a_near_miss_gets_a_suggestion_in_the_readers_language() -> None:
    assert "Did you mean 'ticket'?" in hub("tikcet").err
    russian = hub("--lang", "ru", "tikcet")
    assert russian.code == 2
    assert "Нет команды 'tikcet'. Может быть, 'ticket'?" in russian.err


def test_a_pipe_gets_tabs_and_no_header(node: Node) -> None:
    node("ticket", "new", "--title", "С\tтабом", "--due", "2037-01-31T10:00:00Z")
    ran = node.say("ticket", "list")
    assert ran.out.count("\n") == 1
    number, status, priority, title, due, _changed = ran.out.rstrip("\n").split("\t")
    assert (number, status, priority) == ("T-1001", "new", "normal")
    assert title == "С табом"
    assert due == "2037-01-31T10:00:00Z"


def test_an_empty_list_says_what_to_do_beside_the_data(node: Node) -> None:
    ran = node.say("link", "list")
    assert ran.out == ""
    assert "hub link invite" in ran.err


def test_quiet_is_quiet(node: Node) -> None:
    assert node.say("ticket", "new", "--title", "Тихо", "-q").err == ""


def test_foreign_text_cannot_move_the_cursor() -> None:
    assert output.clean("a\x1b[2Jb\u202ec\u200dd\n") == "a[2Jbc\u200dd\n"


def test_a_bug_becomes_an_incident_and_not_a_traceback(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.queries import tickets

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret txp1.AAAABBBBCCCC")

    monkeypatch.setattr(tickets, "page", broken)
    ran = node.say("ticket", "list", "--json")
    assert ran.code == 1
    assert ran.json["code"] == "internal"
    assert "Traceback" not in ran.out + ran.err
    assert "RuntimeError" not in ran.out + ran.err
    (incident,) = (node.data / "log").iterdir()
    assert str(incident) in ran.json["detail"]
    text = incident.read_text()
    assert "RuntimeError" in text
    assert "AAAABBBB" not in text
    assert "Traceback" in node.say("ticket", "list", "--debug").err


def test_people_and_tokens(node: Node) -> None:
    olga = node("user", "add", "olga@plus.example", "--name", "Ольга")
    assert [u["role"] for u in node("user", "list")["users"]] == ["admin", "dispatcher"]
    assert node("user", "add", "olga@plus.example", "--name", "Ещё", fails=7)
    made = node("ticket", "new", "--title", "От Ольги", "--as", "olga@plus.example")["number"]
    node("ticket", "comment", made, "Моё", "--as", "olga@plus.example")
    assert node("ticket", "show", made)["comments"][0]["author"] == "Ольга"
    assert node("user", "add", "x@y.z", "--name", "X", "--as", olga["email"], fails=4)
    token = node("token", "new", "Касса", "--scope", "tickets:read", "--for", olga["email"])
    assert token["token"].startswith("hub_")
    listed = node("token", "list")["tokens"]
    assert listed[0]["agent"] == olga["email"]
    assert token["token"] not in json.dumps(listed)
    node("token", "revoke", token["id"])
    assert node("token", "list")["tokens"][0]["state"] == "disabled"
    node("user", "disable", olga["email"])
    assert node("ticket", "list", "--as", olga["email"], fails=4)["code"] == "agent_disabled"


def test_settings_can_be_looked_at_and_checked(node: Node) -> None:
    assert node("config", "show")["name"] == "Сервис Плюс"
    path = Path(node("config", "path")["path"])
    assert node("config", "check")["ok"] is True
    path.write_text(path.read_text() + "lnag: ru\n")
    told = node("config", "check", fails=3)
    assert told["code"] == "config_unknown_key"
    assert "lang" in told["hint"]


def test_schemas_are_handed_out_and_used(node: Node, tmp_path: Path) -> None:
    written = node("schema", "export", str(tmp_path / "out"))["schemas"]
    assert "cli/ticket-list.json" in written
    assert "v1/handoff.offer.json" in written
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(node("ticket", "list")))
    assert node("schema", "validate", "ticket-list", str(listed))["ok"] is True
    listed.write_text('{"tickets": 5}')
    ran = node.say("schema", "validate", "ticket-list", str(listed))
    assert ran.code == 4
    assert "/tickets" in ran.out
    assert node("schema", "validate", "nothing", str(listed), fails=5)


def test_every_schema_of_an_output_is_a_sound_schema() -> None:
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema_rs.meta.validate(schema)
        assert schema["$id"] == f"urn:txp:schema:cli:{path.stem}"


def test_help_comes_at_once() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "hub", "--help"],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.4


def test_help_imports_nothing_heavy() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = (
        "import sys; from hub.cli.root import run; run(['ticket', '--help']);"
        "print(sorted({'sqlalchemy', 'aiohttp', 'rich', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True
    )
    assert ran.stdout.endswith("[]\n")


def test_completion_is_printed_and_knows_the_verbs(node: Node) -> None:
    assert "complete" in node("completion", "bash")["script"]
    group = root()
    assert isinstance(group, Noun)
    names = {one.value for one in group.shell_complete(click.Context(group, obj=None), "ti")}
    assert names == {"ticket"}
    number = node("ticket", "new", "--title", "Касса")["number"]
    assert completion.tickets(Manner(data=node.data), "t-1") == [(number, "Касса")]
    assert completion.partners(Manner(data=node.data), "М") == []
    assert completion.partners(Manner(data=node.data / "nowhere"), "М") == []
