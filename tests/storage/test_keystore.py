"""Keys are made once, whole, for us alone; and opened only when that is still so."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.clock import SystemEntropy
from hub.errors import Conflict, Misconfigured
from hub.protocol.keys import PrivateKey
from hub.settings import Settings
from hub.storage.keystore import KeyStore, NodeKeys, read_passphrase

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
PASSPHRASE = "шесть слов подряд".encode()
FILES = ("identity.pem", "msg.pem", "http.pem", "secrets.pem", "instance")
KEYS = FILES[:-1]


class ScriptedEntropy:
    """Gives these bytes, over and over."""

    def __init__(self, *seeds: bytes) -> None:
        self._seeds = list(seeds)

    def bytes(self, count: int) -> bytes:
        self._seeds.append(self._seeds.pop(0))
        return self._seeds[-1][:count]

    def fraction(self) -> float:
        return 0.0


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def keys_dir(tmp_path: Path, store: KeyStore) -> Path:
    store.create(SystemEntropy(), PASSPHRASE, NOW)
    return tmp_path / "keys"


def opened(directory: Path, passphrase: bytes | None = PASSPHRASE) -> NodeKeys:
    return KeyStore(directory).open(passphrase)


def why_not(directory: Path, passphrase: bytes | None = PASSPHRASE) -> str:
    with pytest.raises(Misconfigured) as caught:
        opened(directory, passphrase)
    assert str(directory) in caught.value.told or caught.value.code == "passphrase_missing"
    assert caught.value.hint
    return caught.value.code


def test_keys_come_back_as_they_were_made(store: KeyStore, tmp_path: Path) -> None:
    assert not store.exists()
    made = store.create(SystemEntropy(), PASSPHRASE, NOW)
    assert store.exists()
    found = opened(tmp_path / "keys")
    for name in ("identity", "message", "http"):
        assert getattr(made, name).kid == getattr(found, name).kid
    assert (found.instance, found.created_at) == (made.instance, NOW)
    assert not made.unprotected
    assert not found.unprotected
    found.message.public.verify(made.message.sign(b"x"), b"x")


def test_the_three_keys_differ_and_two_nodes_share_nothing(tmp_path: Path) -> None:
    nodes = [KeyStore(tmp_path / n).create(SystemEntropy(), PASSPHRASE, NOW) for n in "ab"]
    kids = {key.kid for node in nodes for key in (node.identity, node.message, node.http)}
    assert len(kids) == 6
    assert nodes[0].instance != nodes[1].instance


def test_nobody_else_may_read_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        KeyStore(tmp_path / "deep" / "keys").create(SystemEntropy(), PASSPHRASE, NOW)
    finally:
        os.umask(before)
    directory = tmp_path / "deep" / "keys"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in directory.iterdir()} == set(FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_what_lies_on_disk_is_encrypted(keys_dir: Path) -> None:
    for name in KEYS:
        assert (keys_dir / name).read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_keys_without_a_passphrase_work_and_say_so(store: KeyStore, tmp_path: Path) -> None:
    assert store.create(SystemEntropy(), None, NOW).unprotected
    assert opened(tmp_path / "keys", None).unprotected
    assert opened(tmp_path / "keys", PASSPHRASE).unprotected


def test_making_keys_twice_changes_nothing(keys_dir: Path) -> None:
    before = {path.name: path.read_bytes() for path in keys_dir.iterdir()}
    with pytest.raises(Conflict):
        KeyStore(keys_dir).create(SystemEntropy(), PASSPHRASE, NOW)
    assert {path.name: path.read_bytes() for path in keys_dir.iterdir()} == before
    assert [path.name for path in keys_dir.parent.iterdir()] == ["keys"]


def test_something_else_in_the_directory_is_not_touched(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "identity.pem").write_text("precious")
    with pytest.raises(Conflict):
        store.create(SystemEntropy(), PASSPHRASE, NOW)
    assert (tmp_path / "keys" / "identity.pem").read_text() == "precious"


def test_an_empty_directory_is_taken(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    store.create(SystemEntropy(), PASSPHRASE, NOW)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_of_two_who_make_keys_at_once_one_wins_whole(
    store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = KeyStore(tmp_path / "other").create(SystemEntropy(), PASSPHRASE, NOW)
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        rename(tmp_path / "other", target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(Conflict):
        store.create(SystemEntropy(), PASSPHRASE, NOW)
    monkeypatch.undo()
    assert opened(tmp_path / "keys").instance == other.instance
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("fails_at", range(1, len(FILES) + 3))
def test_a_disk_that_fails_leaves_no_half_keys(
    fails_at: int, store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    calls: list[int] = []

    def failing(handle: int) -> None:
        calls.append(handle)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(Misconfigured, match="keys_unwritable"):
        store.create(SystemEntropy(), PASSPHRASE, NOW)
    monkeypatch.undo()
    if fails_at < len(FILES) + 2:  # the files and their directory
        assert list(tmp_path.iterdir()) == []
    else:  # in place, but perhaps not after a power cut: not told to be made, and not lost
        assert opened(tmp_path / "keys")


def test_everything_is_on_disk_before_it_gets_its_name(
    store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        steps.append(path.name if path != tmp_path else "parent")
        fsync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    store.create(SystemEntropy(), PASSPHRASE, NOW)
    assert set(steps[: len(FILES)]) == set(FILES)
    assert steps[len(FILES)].startswith(".keys.")
    assert steps[len(FILES) + 1 :] == ["rename", "parent"]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="keys_unwritable"):
        KeyStore(tmp_path / "file" / "keys").create(SystemEntropy(), PASSPHRASE, NOW)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_others_may_touch_is_refused(name: str, mode: int, keys_dir: Path) -> None:
    (keys_dir / name).chmod(mode)
    assert why_not(keys_dir) == "keys_too_open"


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o711])
def test_a_directory_that_others_may_enter_is_refused(mode: int, keys_dir: Path) -> None:
    keys_dir.chmod(mode)
    assert why_not(keys_dir) == "keys_too_open"


def test_read_only_keys_are_fine(keys_dir: Path) -> None:
    for name in FILES:
        (keys_dir / name).chmod(0o400)
    keys_dir.chmod(0o500)
    assert opened(keys_dir)
    keys_dir.chmod(0o700)


def test_missing_keys_are_told(tmp_path: Path, keys_dir: Path) -> None:
    assert why_not(tmp_path / "nowhere") == "keys_missing"
    (keys_dir / "msg.pem").unlink()
    assert why_not(keys_dir) == "keys_missing"


def test_the_passphrase_must_be_there_and_right(keys_dir: Path) -> None:
    assert why_not(keys_dir, None) == "passphrase_missing"
    assert why_not(keys_dir, b"wrong") == "passphrase_wrong"
    assert why_not(keys_dir, PASSPHRASE + b"\n") == "passphrase_wrong"


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_told(content: bytes, keys_dir: Path) -> None:
    (keys_dir / "http.pem").write_bytes(content)
    assert why_not(keys_dir) == "keys_damaged"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"instance":"a","created_at":5}', b"\xff"]
)
def test_a_damaged_instance_file_is_told(content: bytes, keys_dir: Path) -> None:
    (keys_dir / "instance").write_bytes(content)
    assert why_not(keys_dir) == "keys_damaged"


SAMPLES = [
    bytes(32),
    b"\xff" * 32,
    b"a" * 32,
    bytes(range(32)),
    # RFC 8032 §7.1 test 1; RFC 9421 B.1.4
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    bytes.fromhex("9f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5"),
]


@pytest.mark.parametrize("seed", SAMPLES)
@pytest.mark.parametrize("name", KEYS)
def test_a_sample_key_is_refused(name: str, seed: bytes, keys_dir: Path) -> None:
    sample = PrivateKey.generate(ScriptedEntropy(seed))
    (keys_dir / name).write_bytes(sample.to_pem(PASSPHRASE))
    assert why_not(keys_dir) == "keys_sample"


def test_the_sample_of_rfc_9421_is_the_one_we_know() -> None:
    public = PrivateKey.generate(ScriptedEntropy(SAMPLES[-1])).public.jwk["x"]
    assert public == "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"


def test_a_key_copied_for_another_use_is_refused(keys_dir: Path) -> None:
    (keys_dir / "msg.pem").write_bytes((keys_dir / "identity.pem").read_bytes())
    assert why_not(keys_dir) == "keys_sample"


def test_a_broken_generator_makes_no_keys(store: KeyStore, tmp_path: Path) -> None:
    for entropy in (ScriptedEntropy(bytes(32)), ScriptedEntropy(os.urandom(32))):
        with pytest.raises(Misconfigured, match="keys_sample"):
            store.create(entropy, PASSPHRASE, NOW)
    assert list(tmp_path.iterdir()) == []


def test_keys_do_not_show_in_their_representation(keys_dir: Path) -> None:
    keys = opened(keys_dir)
    assert repr(keys) == f"NodeKeys(instance={keys.instance!r})"


@pytest.mark.parametrize("passphrase", [b"", b"x" * 1001])
def test_a_passphrase_that_cannot_work_is_refused(passphrase: bytes, store: KeyStore) -> None:
    with pytest.raises(Misconfigured, match="passphrase_invalid"):
        store.create(SystemEntropy(), passphrase, NOW)


def settings(tmp_path: Path, content: bytes | None, mode: int = 0o600) -> Settings:
    if content is None:
        return Settings(data=tmp_path)
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    return Settings(data=tmp_path, passphrase_file=path)


def test_the_passphrase_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    assert read_passphrase(settings(tmp_path, None), {}) is None
    assert read_passphrase(settings(tmp_path, None), {"HUB_PASSPHRASE": ""}) is None
    assert read_passphrase(settings(tmp_path, None), {"HUB_PASSPHRASE": "да"}) == "да".encode()
    assert read_passphrase(settings(tmp_path, b" a b \n"), {"HUB_PASSPHRASE": "x"}) == b" a b "
    assert read_passphrase(settings(tmp_path, b"a\r\n"), {}) == b"a"
    assert read_passphrase(settings(tmp_path, b"a\n\n", 0o440), {}) == b"a\n"


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o620, 0o602])
def test_a_passphrase_that_anybody_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="keys_too_open"):
        read_passphrase(settings(tmp_path, b"a", mode), {})


def test_an_empty_or_missing_passphrase_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="passphrase_invalid"):
        read_passphrase(settings(tmp_path, b"\n"), {})
    gone = Settings(data=tmp_path, passphrase_file=tmp_path / "gone")
    with pytest.raises(Misconfigured, match="passphrase_unreadable"):
        read_passphrase(gone, {})


def test_a_process_killed_while_making_keys_leaves_none(tmp_path: Path) -> None:
    code = (
        "import os, sys, datetime, pathlib\n"
        "from hub.clock import SystemEntropy\n"
        "from hub.storage import keystore\n"
        "keystore._sync_directory = lambda path: os._exit(9)\n"
        "keystore.KeyStore(pathlib.Path(sys.argv[1])).create(\n"
        "    SystemEntropy(), None, datetime.datetime.now(datetime.UTC))\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "keys")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert ran.returncode == 9
    assert not KeyStore(tmp_path / "keys").exists()
    assert KeyStore(tmp_path / "keys").create(SystemEntropy(), None, NOW)
