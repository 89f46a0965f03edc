"""Settings come in layers, and what cannot work is refused with its place and a way out."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from hub.domain import limits
from hub.errors import Conflict, Misconfigured
from hub.settings import CONFIG_NAME, Limits, Settings, default_data_dir, load, write_config


def loaded(tmp_path: Path, text: str = "", env: dict[str, str] | None = None) -> Settings:
    (tmp_path / CONFIG_NAME).write_text(text, encoding="utf-8")
    return load(tmp_path, env or {})


def why_not(tmp_path: Path, text: str = "", env: dict[str, str] | None = None) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        loaded(tmp_path, text, env)
    assert "\n" not in caught.value.told
    return caught.value


def test_without_a_file_a_node_can_be_tried_out(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert settings.data == tmp_path
    assert settings.url == "http://127.0.0.1:8101"
    assert settings.try_out
    assert settings.listen_on == ("127.0.0.1", 8101)
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/hub.db"
    assert settings.keys_dir == tmp_path / "keys"


def test_the_file_wins_over_defaults_and_variables_win_over_the_file(tmp_path: Path) -> None:
    text = "name: Сервис Плюс\nlog:\n  level: warning\n  format: json\nlimits: {poison_tries: 20}\n"
    settings = loaded(tmp_path, text, {"HUB_LOG__LEVEL": "debug", "HUB_LIMITS__RETRY_CAP_S": "5"})
    assert settings.name == "Сервис Плюс"
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert (settings.limits.poison_tries, settings.limits.retry_cap_s) == (20, 5.0)
    assert settings.limits.file_bytes == Limits().file_bytes


def test_only_the_given_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_NAME", "from the process")
    assert load(tmp_path, {}).name == ""
    assert Settings(data=tmp_path).name == ""
    assert load(tmp_path).name == "from the process"


def test_the_data_directory_is_an_argument_a_variable_or_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(None, {"HUB_DATA": str(tmp_path)}).data == tmp_path
    assert load(tmp_path, {"HUB_DATA": "/elsewhere"}).data == tmp_path
    monkeypatch.chdir(tmp_path)
    assert load(Path("node"), {}).data == tmp_path / "node"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("hub.settings.SYSTEM_DATA_DIR", tmp_path / "gone")
    assert default_data_dir() == tmp_path / "hub"
    monkeypatch.setattr("hub.settings.SYSTEM_DATA_DIR", tmp_path)
    assert default_data_dir() == tmp_path


def test_settings_never_change(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    for change in (settings, settings.limits):
        with pytest.raises(ValueError, match="frozen"):
            change.__setattr__("name", "x")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("lang: en\nnmae: x\n", ":2:1", ["nmae", "name"]),
        ("log:\n  format: json\n  levle: info\n", ":3:3", ["levle", "level"]),
        ("limits:\n    poison_trise: 3\n", ":2:5", ["poison_trise", "poison_tries"]),
        ("log:\n  level: loud\n", ":2:3", ["log.level", "'debug'"]),
        ("limits:\n  poison_tries: many\n", ":2:3", ["limits.poison_tries", "integer"]),
        ("limits:\n  poison_tries: 0\n", ":2:3", ["limits.poison_tries", "greater than 0"]),
        ("limits:\n  message_batch: 101\n", ":2:3", ["limits.message_batch", "100"]),
        ("limits: 3\n", ":1:1", ["limits"]),
        ("name: [\n", ":2:1", []),
        ("name: a\nname: b\n", ":2:1", ["twice"]),
        ("\tname: a\n", ":1:1", []),
        ("- name\n", ":1:1", ["name: value"]),
        ("lang: no\n", ":1:1", ["'en'"]),
        ("url: http://hub.example\n", ":1:1", ["https://"]),
        ("url: ftp://hub.example\n", ":1:1", ["https://hub.company.example"]),
        ("url: https://a:b@hub.example\n", ":1:1", ["password"]),
        ("url: https://hub.example/?a=1\n", ":1:1", ["path"]),
        ("url: https://hub.example/#a\n", ":1:1", ["path"]),
        ("listen: 8101\n", ":1:1", ["listen"]),
        ("listen: localhost\n", ":1:1", ["127.0.0.1:8101"]),
        ("listen: '::1:8101'\n", ":1:1", ["brackets"]),
        ("listen: 127.0.0.1:99999\n", ":1:1", ["65535"]),
        ("listen: 0.0.0.0:8101\n", "", ["url", "https://"]),
        ("network:\n  allow: [desk.lan]\n", ":2:3", ["network.allow", "host:port"]),
        ("network:\n  total_timeout_s: -1\n", ":2:3", ["greater than 0"]),
        ("database:\n  url: mysql://x\n", ":2:3", ["postgresql+asyncpg://"]),
        ("data: /tmp\n", ":1:1", ["--data"]),
    ],
)
def test_a_mistake_in_the_file_is_shown_at_its_place(
    text: str, place: str, words: list[str], tmp_path: Path
) -> None:
    error = why_not(tmp_path, text)
    assert f"{tmp_path / CONFIG_NAME}{place}: " in error.told
    for word in words:
        assert word in f"{error.told} {error.hint}"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"HUB_LOG__LEVEL": "loud"}, ["HUB_LOG__LEVEL"]),
        ({"HUB_LIMITS__PAGE_SIZE": "ten"}, ["HUB_LIMITS__PAGE_SIZE"]),
        ({"HUB_LOG__LEVLE": "info"}, ["HUB_LOG__LEVLE", "level"]),
        ({"HUB_LGO__LEVEL": "info"}, ["HUB_LGO__LEVEL", "log"]),
        ({"HUB_URL": "http://hub.example"}, ["HUB_URL", "https://"]),
        ({"HUB_NETWORK__ALLOW": "desk.lan:80,desk"}, ["HUB_NETWORK__ALLOW", "host:port"]),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(
    env: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    error = why_not(tmp_path, "log:\n  level: info\n", env)
    for word in words:
        assert word in f"{error.told} {error.hint}"


def test_flat_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    env = {"HUB_PASSPHRASE": "x", "HUB_CORPORA": "/x", "HUBBLE__X": "1", "PATH": "/bin"}
    assert load(tmp_path, env)


def test_no_error_shows_a_value(tmp_path: Path) -> None:
    for text in (
        "database:\n  url: mysql://hub:swordfish@x\n",
        "url: https://hub:swordfish@hub.example\n",
        "limits:\n  poison_tries: swordfish\n",
        "name: swordfish\nname: swordfish\n",
        "log:\n  level: swordfish\n",
    ):
        error = why_not(tmp_path, text)
        assert "swordfish" not in f"{error} {error.told} {error.hint}"
    settings = loaded(tmp_path, "database:\n  url: postgresql+asyncpg://hub:swordfish@x/hub\n")
    assert "swordfish" not in repr(settings)
    assert "swordfish" in settings.database_url


def test_a_section_without_lines_is_empty(tmp_path: Path) -> None:
    assert loaded(tmp_path, "log:\n#  level: debug\nname: x\n").log.level == "info"


def test_yaml_is_version_1_2(tmp_path: Path) -> None:
    assert loaded(tmp_path, "name: no\n").name == "no"
    assert loaded(tmp_path, "# nothing\n").name == ""
    assert loaded(tmp_path, "").name == ""


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_bytes(b"name: \xff\n")
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path, {})
    (tmp_path / CONFIG_NAME).unlink()
    (tmp_path / CONFIG_NAME).mkdir()
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("url", "base", "try_out"),
    [
        ("https://Hub.Example/", "https://hub.example", False),
        ("https://hub.example:443", "https://hub.example", False),
        ("https://hub.example:8443/hub/", "https://hub.example:8443/hub", False),
        ("https://127.0.0.1:8101", "https://127.0.0.1:8101", False),
        ("http://localhost:8101/", "http://localhost:8101", True),
        ("http://127.8.9.1:1", "http://127.8.9.1:1", True),
        ("http://[::1]:8101", "http://[::1]:8101", True),
    ],
)
def test_a_base_address_has_one_spelling(
    url: str, base: str, try_out: bool, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, url=url)
    assert (settings.url, settings.try_out) == (base, try_out)


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example",
        "http://10.0.0.1",
        "http://0.0.0.0:8101",
        "http://localhost.example:8101",
        "http://127.0.0.1.example",
        "http://[::ffff:127.0.0.1]:8101",
        "https://",
        "hub.example",
    ],
)
def test_any_other_node_needs_tls(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must"):
        Settings(data=tmp_path, url=url)


def test_without_a_url_a_node_is_where_it_listens(tmp_path: Path) -> None:
    assert Settings(data=tmp_path, listen="[::1]:9000").url == "http://[::1]:9000"
    assert Settings(data=tmp_path, listen="localhost:0").listen_on == ("localhost", 0)


def test_allowed_hosts_come_as_pairs(tmp_path: Path) -> None:
    settings = load(tmp_path, {"HUB_NETWORK__ALLOW": "Desk.lan:8080, [0::1]:80"})
    assert settings.allowed_private == {("desk.lan", 8080), ("::1", 80)}


@pytest.mark.parametrize(("given", "lang"), [("ru_RU.UTF-8", "ru"), ("en-GB", "en"), ("ru", "ru")])
def test_a_language_may_come_as_shells_have_it(given: str, lang: str, tmp_path: Path) -> None:
    assert load(tmp_path, {"HUB_LANG": given}).lang == lang


def test_every_limit_says_why() -> None:
    assert all(field.description for field in Limits.model_fields.values())


@pytest.mark.parametrize("name", Limits.model_fields)
def test_the_reference_lists_every_limit_with_its_default(name: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "limits.md").read_text("utf-8")
    value = Limits.model_fields[name].default
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    assert f"| `{name}` | {shown} | {Limits.model_fields[name].description} |" in page


def test_the_reference_has_the_worst_case_of_these_defaults() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "limits.md").read_text("utf-8")
    values = Limits().model_dump()
    memory, disk = limits.worst_memory(values), limits.worst_disk(values)
    for name, size in memory.items():
        assert f"| {name} | {size / 1024**2:.1f} |" in page
    assert f"| **together** | **{sum(memory.values()) / 1024**2:.1f}** |" in page
    for name, size in disk.items():
        assert f"| {name} | {size / 1024**3:.1f} |" in page


@pytest.mark.parametrize("name", Limits.model_fields)
def test_every_limit_is_in_force(name: str) -> None:
    # A setting that nothing reads promises a protection that is not there.
    sources = (Path(__file__).parents[1] / "hub").rglob("*.py")
    assert any(f"limits.{name}" in source.read_text("utf-8") for source in sources)


def test_a_written_file_loads_as_it_was_given(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "name": 'Фирма "Ромашка": # 1\nи сыновья',
        "url": "https://hub.example",
        "lang": "ru",
        "passphrase_file": tmp_path / "passphrase",
        "network": {"allow": ["desk.lan:8080", "[::1]:80"]},
        "limits": {"poison_tries": 20},
    }
    path = tmp_path / "node" / CONFIG_NAME
    write_config(path, values)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert load(path.parent, {}) == Settings(data=path.parent, **values)


def test_taking_the_marks_away_changes_nothing(tmp_path: Path) -> None:
    write_config(tmp_path / CONFIG_NAME, {"name": "x", "log": {"level": "debug"}})
    before = load(tmp_path, {})
    lines = (tmp_path / CONFIG_NAME).read_text().splitlines()
    told = re.compile("# [^ ]")
    bare = [line if told.match(line) else line.removeprefix("#") for line in lines]
    assert bare != lines
    assert loaded(tmp_path, "\n".join(bare)) == before


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("name: mine\n")
    with pytest.raises(Conflict):
        write_config(tmp_path / CONFIG_NAME, {"name": "x"})
    assert load(tmp_path, {}).name == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / CONFIG_NAME]


def test_a_file_that_would_not_load_is_not_written(tmp_path: Path) -> None:
    for values in ({"nmae": "x"}, {"url": "http://hub.example"}, {"limits": {"poison_tries": 0}}):
        with pytest.raises(Misconfigured):
            write_config(tmp_path / CONFIG_NAME, values)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be written"):
        write_config(tmp_path / "file" / CONFIG_NAME, {})


def test_a_node_that_nobody_can_call_needs_no_url_and_is_no_try_out(tmp_path: Path) -> None:
    found = Settings(data=tmp_path, outbound_only=True)
    assert (found.url, found.base_for_partners, found.try_out) == ("", "", False)
    trying = Settings(data=tmp_path, outbound_only=True, url="http://127.0.0.1:8102")
    assert (trying.base_for_partners, trying.try_out) == ("", True)
    assert Settings(data=tmp_path).base_for_partners == "http://127.0.0.1:8101"
