"""A file is visible only whole, under the digest of its content."""

from __future__ import annotations

import hashlib
import io
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from hub.errors import Refused, Untrusted
from hub.storage.blobs import BlobStore

CONTENT = bytes(range(256)) * 1000


def digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "files")


def test_what_goes_in_comes_out_under_its_digest(store: BlobStore) -> None:
    name, size = store.add(io.BytesIO(CONTENT), max_bytes=10**6)
    assert (name, size) == (digest(CONTENT), len(CONTENT))
    with store.open(name) as file:
        assert file.read() == CONTENT


def test_a_file_that_is_too_large_leaves_nothing_behind(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="file_too_large"):
        store.add(io.BytesIO(CONTENT), max_bytes=len(CONTENT) - 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a" * 42, "a" * 44, "", "..", "a" * 42 + "/"]
)
def test_only_a_digest_is_a_name(store: BlobStore, name: str) -> None:
    with pytest.raises(Refused):
        store.has(name)


@pytest.mark.parametrize("cut", [0, 1, 65535, 65536, 65537, len(CONTENT) - 1, len(CONTENT)])
def test_a_broken_off_file_is_continued_and_appears_only_when_whole(
    store: BlobStore, cut: int
) -> None:
    part = store.partial("lnk_1", digest(CONTENT), len(CONTENT))
    with part.writer(start=0) as writer:
        writer.write(CONTENT[:cut])
    assert part.have == cut
    assert not store.has(digest(CONTENT))
    with part.writer(start=cut) as writer:
        writer.write(CONTENT[cut:])
    part.finish()
    assert store.has(digest(CONTENT))
    assert part.have == 0


@pytest.mark.parametrize(
    "wrong", [CONTENT[:-1] + b"x", b"x" + CONTENT[1:], CONTENT[:-1]], ids=["last", "first", "short"]
)
def test_another_content_never_appears(store: BlobStore, wrong: bytes) -> None:
    part = store.partial("lnk_1", digest(CONTENT), len(CONTENT))
    with part.writer(start=0) as writer:
        writer.write(wrong)
    with pytest.raises(Untrusted):
        part.finish()
    assert not store.has(digest(CONTENT))
    assert part.have == 0


def test_one_byte_too_many_is_refused_at_once(store: BlobStore) -> None:
    part = store.partial("lnk_1", digest(CONTENT), len(CONTENT))
    with pytest.raises(Untrusted), part.writer(start=0) as writer:
        writer.write(CONTENT)
        writer.write(b"x")


def test_two_peers_that_send_one_file_do_not_mix(store: BlobStore) -> None:
    one = store.partial("lnk_1", digest(CONTENT), len(CONTENT))
    two = store.partial("lnk_2", digest(CONTENT), len(CONTENT))
    with one.writer(start=0) as writer:
        writer.write(b"bad")
    assert two.have == 0
