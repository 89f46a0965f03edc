"""Files by the digest of their content, in a folder of the data directory.

A file appears under its digest only whole and only after the digest matched, by one rename
of a file that is already on disk. Names people gave are never used as paths.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import IO, BinaryIO, Final

from hub.errors import Refused, Unavailable, Untrusted
from hub.faults import fault

_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{43}")
CHUNK: Final = 256 * 1024


def partial_name(owner: str, sha256: str) -> str:
    """What a file that is being fetched is called until it is whole."""
    return f"{owner}-{sha256}"


def _b64(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


class BlobStore:
    """Content-addressed files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._partial = root / "partial"
        self._small = root / "small"

    def _path(self, sha256: str) -> Path:
        if _DIGEST.fullmatch(sha256) is None:  # it becomes a path: nothing else may
            raise Refused("malformed", "That is not a file digest.")
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the file is here, whole."""
        return self._path(sha256).exists()

    def size(self, sha256: str) -> int:
        """Bytes of a file that is here."""
        return self._path(sha256).stat().st_size

    def open(self, sha256: str) -> BinaryIO:
        """The file, for reading. Raises FileNotFoundError."""
        return self._path(sha256).open("rb")

    def path(self, sha256: str) -> Path:
        """Where the file lies, for a server that sends it; it must not be written to."""
        return self._path(sha256)

    def everything(self) -> list[str]:
        """Digests of all files that are here, whole."""
        found = (one.name for one in self._root.glob("??/*") if _DIGEST.fullmatch(one.name))
        return sorted(found)

    def changed_at(self, sha256: str) -> float:
        """When the file came last, in seconds since 1970. Raises FileNotFoundError."""
        return self._path(sha256).stat().st_mtime

    def drop(self, sha256: str) -> None:
        """Have the file no more, nor a small picture of it."""
        self._path(sha256).unlink(missing_ok=True)
        self.thumbnail(sha256).unlink(missing_ok=True)

    def thumbnail(self, sha256: str) -> Path:
        """Where a small picture of the file is kept, if somebody wanted one."""
        return self._small / self._path(sha256).name[:2] / f"{sha256}.jpg"

    def drop_partial_before(self, seconds: float, wanted: AbstractSet[str]) -> int:
        """Forget parts that stopped coming before then, except those still wanted.

        `wanted` are names as `partial` makes them of owner and digest.
        """
        dropped = 0
        for one in self._partial.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if one.name not in wanted and one.stat().st_mtime < seconds:
                    one.unlink()
                    dropped += 1
        return dropped

    def add(self, source: BinaryIO, *, max_bytes: int) -> tuple[str, int]:
        """Take a file in; its (digest, size). Raises Refused(file_too_large)."""
        with self.incoming(max_bytes=max_bytes) as taken:
            while chunk := source.read(CHUNK):
                taken.write(chunk)
            return taken.finish()

    @contextlib.contextmanager
    def incoming(self, *, max_bytes: int) -> Iterator[IncomingBlob]:
        """A file that comes in pieces; nothing of it stays unless it was finished."""
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(prefix="in-", dir=self._partial)
        except OSError as error:
            raise _full(error) from error
        try:
            with os.fdopen(handle, "wb") as out:
                yield IncomingBlob(self, Path(path), out, max_bytes)
        finally:
            Path(path).unlink(missing_ok=True)

    def partial(self, owner: str, sha256: str, size: int) -> PartialBlob:
        """A file that is being fetched, as far as it has come. `owner` keeps peers apart."""
        self._path(sha256)
        self._partial.mkdir(parents=True, exist_ok=True)
        return PartialBlob(self, self._partial / partial_name(owner, sha256), sha256, size)

    def _publish(self, temporary: Path, digest: str) -> None:
        target = self._path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        fault("blobs.before_rename")
        temporary.replace(target)
        fault("blobs.after_rename")
        for folder in (target.parent, self._root):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        fault("blobs.published")


class IncomingBlob:
    """A file on its way into the store, not visible before `finish`. Blocking, like all of it."""

    def __init__(self, store: BlobStore, path: Path, out: BinaryIO, max_bytes: int) -> None:
        self._store = store
        self._path = path
        self._out = out
        self._max_bytes = max_bytes
        self._running = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Append. Raises Refused(file_too_large) past the limit."""
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise Refused(
                "file_too_large", "The file is larger than {limit} bytes.", limit=self._max_bytes
            )
        self._running.update(chunk)
        try:
            self._out.write(chunk)
        except OSError as error:
            raise _full(error) from error
        fault("blobs.chunk_taken")

    def finish(self) -> tuple[str, int]:
        """Make it visible under its digest; (digest, size)."""
        digest = _b64(self._running.digest())
        try:
            self._out.flush()
            os.fsync(self._out.fileno())
            fault("blobs.synced")
            self._store._publish(self._path, digest)
        except OSError as error:
            raise _full(error) from error
        return digest, self._size


class PartialBlob:
    """The part of a file that has arrived; survives a restart, is never served."""

    def __init__(self, store: BlobStore, path: Path, sha256: str, size: int) -> None:
        self._store = store
        self._path = path
        self._sha256 = sha256
        self._size = size

    @property
    def have(self) -> int:
        """Bytes that are here already."""
        return self._path.stat().st_size if self._path.exists() else 0

    @contextlib.contextmanager
    def writer(self, *, start: int) -> Iterator[PartialWriter]:
        """Append from byte `start` on (what lay behind it is dropped)."""
        mode = "r+b" if self._path.exists() else "w+b"
        try:
            with self._path.open(mode) as out:
                out.truncate(start)
                out.seek(start)
                yield PartialWriter(out, self._size - start)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise _full(error) from error

    def finish(self) -> None:
        """Make it visible; another content is dropped and raises Untrusted(digest_mismatch)."""
        with self._path.open("rb") as whole:
            digest = _b64(hashlib.file_digest(whole, "sha256").digest())
        if digest != self._sha256 or self.have != self._size:
            self.drop()
            raise Untrusted("digest_mismatch", "The file is not the one that was announced.")
        self._store._publish(self._path, digest)

    def drop(self) -> None:
        """Forget what has arrived."""
        self._path.unlink(missing_ok=True)


class PartialWriter:
    """Takes chunks up to the announced size and not one byte more."""

    def __init__(self, out: IO[bytes], left: int) -> None:
        self._out = out
        self._left = left

    def write(self, chunk: bytes) -> None:
        """Append. Raises Untrusted(too_long) past the announced size."""
        self._left -= len(chunk)
        if self._left < 0:
            raise Untrusted("too_long", "The file is longer than announced.")
        self._out.write(chunk)


def _full(error: OSError) -> Unavailable:
    return Unavailable(
        "storage_unavailable",
        "The file could not be stored; nothing was changed.",
        hint="Check the free space and the rights of the data directory.",
        because=str(error),
    )
