"""A backup's file: what goes in comes out, and no bit of it can change without notice."""

from __future__ import annotations

import io
import json
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from hub.clock import SystemEntropy
from hub.errors import Refused, Unavailable, Untrusted
from hub.storage import archive, strongbox
from hub.storage.archive import ArchiveReader, ArchiveWriter, file_entry
from tests.kit.clock import SeededEntropy

DIGEST = "ab" + "C" * 41
CONTENTS = {
    archive.ABOUT: b'{"format": "x"}\n',
    archive.SETTINGS: b"{}\n",
    archive.SQLITE: bytes(range(256)) * 5,
    file_entry(DIGEST): b"a file whose length is no multiple of a block",
    file_entry("b" * 43): b"",
}


def packed(contents: dict[str, bytes] = CONTENTS) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for name, content in contents.items():
        writer.add_bytes(name, content)
    writer.finish()
    return out.getvalue()


def read(raw: bytes, folder: Path | None = None) -> tuple[list[str], dict[str, bytes]]:
    reader = ArchiveReader(io.BytesIO(raw), Path("backup.tar"))
    reader.about()
    entries, small = reader.rest(lambda name: None if folder is None else folder / name)
    return [one.name for one in entries], small


def damage(raw: bytes) -> str:
    """Which entry a reader names."""
    with pytest.raises(Untrusted) as caught:
        read(raw)
    assert caught.value.code == "backup_damaged"
    return str(caught.value.facts["entry"])


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    names, small = read(packed(), tmp_path)
    assert names == list(CONTENTS)
    assert small == {archive.SETTINGS: b"{}\n"}
    for name in (archive.SQLITE, file_entry(DIGEST), file_entry("b" * 43)):
        assert (tmp_path / name).read_bytes() == CONTENTS[name]
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_any_tar_unpacks_it_and_sha256sum_checks_it(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(packed())
    subprocess.run(["tar", "xf", "b.tar"], cwd=tmp_path, check=True)
    said = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert said.count(": OK") == len(CONTENTS)


def test_a_bit_changed_in_any_byte_is_noticed_and_its_entry_named() -> None:
    raw = packed()
    chance = random.Random(7)
    named = {damage(flipped(raw, at, chance.randrange(8))) for at in range(len(raw))}
    assert set(CONTENTS) <= named
    assert archive.SUMS in named


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]


@pytest.mark.parametrize("name", [archive.SQLITE, file_entry(DIGEST)])
def test_a_changed_content_is_told_by_its_own_name(name: str) -> None:
    raw = packed()
    at = raw.index(CONTENTS[name])
    assert damage(flipped(raw, at + 3, 0)) == name
    header = raw.index(name.encode())
    assert damage(flipped(raw, header + 120, 0)) == name


def test_an_archive_that_ends_early_or_goes_on_is_damaged() -> None:
    raw = packed()
    for length in range(0, len(raw), 97):
        assert damage(raw[:length])
    assert damage(raw + b"\0")
    assert damage(raw + raw)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "files/ab/../../x", "keys/identity.pem", "hub.db-wal"]
)
def test_nothing_else_has_a_place_in_it(name: str, tmp_path: Path) -> None:
    raw = packed({archive.ABOUT: b"{}", name: b"x"})
    assert damage(raw) == name
    assert list(tmp_path.iterdir()) == []


def test_nothing_stands_in_it_twice() -> None:
    doubled = packed({archive.ABOUT: b"{}", archive.SETTINGS: b"1"})
    block = tarfile.BLOCKSIZE
    entry = doubled[2 * block : 4 * block]
    assert damage(doubled[: 4 * block] + entry + doubled[4 * block :]) == archive.SETTINGS


def test_a_source_that_became_shorter_is_told() -> None:
    writer = ArchiveWriter(io.BytesIO())
    with pytest.raises(Unavailable) as caught:
        writer.add(archive.SQLITE, io.BytesIO(b"abc"), 4)
    assert caught.value.code == "backup_source_changed"


def test_keys_in_a_box_come_back_with_its_passphrase_for_its_node_alone() -> None:
    files = {"identity.pem": b"\x00secret\xff", "instance": b"{}"}
    box = strongbox.lock(files, b"four words in a row", "node-a", SystemEntropy())
    assert b"secret" not in box
    assert strongbox.unlock(box, b"four words in a row", "node-a") == files
    for passphrase, node in ((b"four words in a Row", "node-a"), (b"four words in a row", "b")):
        with pytest.raises(Refused) as caught:
            strongbox.unlock(box, passphrase, node)
        assert caught.value.code == "backup_passphrase_wrong"


def test_two_boxes_of_the_same_keys_differ() -> None:
    entropy = SeededEntropy(1)
    boxes = {strongbox.lock({}, b"four words in a row", "n", entropy) for _ in range(2)}
    assert len(boxes) == 2


def test_a_box_that_was_changed_does_not_open() -> None:
    box = json.loads(strongbox.lock({"a": b"b"}, b"four words in a row", "n", SystemEntropy()))
    for name, value in (("n", 2**30), ("n", 1), ("salt", "AAAA"), ("box", "AAAA"), ("nonce", "")):
        with pytest.raises(Refused):
            strongbox.unlock(json.dumps({**box, name: value}).encode(), b"four words in a row", "n")


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        strongbox.lock({}, "короткая".encode(), "n", SystemEntropy())
    assert caught.value.code == "backup_passphrase_short"
