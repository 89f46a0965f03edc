"""The one file a backup is: a tar archive in which every bit counts.

`about.json` stands first and says whose backup it is, `SHA256SUMS` last and has the hash of
everything before it. Any tar unpacks it, and `sha256sum -c SHA256SUMS` checks it without this
program. We are stricter: a header has one spelling, padding is zero, nothing follows the end.
No bit can change without notice, and what was changed is named.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO, Final

from hub.errors import Misconfigured, Unavailable, Untrusted

ABOUT: Final = "about.json"
SETTINGS: Final = "settings.json"
KEYS: Final = "keys.enc"
SQLITE: Final = "hub.db"
POSTGRES: Final = "hub.pgdump"
SUMS: Final = "SHA256SUMS"
_SMALL: Final = frozenset({ABOUT, SETTINGS, KEYS, SUMS})
"""Read into memory; everything else goes to a file."""

_NAMES: Final = re.compile(
    r"about\.json|settings\.json|keys\.enc|hub\.db|hub\.pgdump|SHA256SUMS"
    r"|files/(?P<folder>[A-Za-z0-9_-]{2})/(?P=folder)[A-Za-z0-9_-]{41}"
)
"""Nothing else is in a backup: what it says is never used as a path otherwise."""

_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 1024 * 1024
_SMALL_MAX: Final = 256 * 1024 * 1024  # SHA256SUMS of two million files
_END: Final = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup."""

    name: str
    size: int
    sha256: str  # hex, as sha256sum writes it


def file_entry(digest: str) -> str:
    """Where the file of this digest stands in a backup."""
    return f"files/{digest[:2]}/{digest}"


class ArchiveWriter:
    """Writes a backup in one pass. Nothing is complete before `finish` returned."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._entries: list[Entry] = []

    def add(self, name: str, source: IO[bytes], size: int) -> Entry:
        """Write so many bytes of `source` under this name.

        Raises Unavailable(backup_source_changed) where it holds fewer.
        """
        self._out.write(_header(name, size))
        running, left = sha256(), size
        while left and (chunk := source.read(min(_CHUNK, left))):
            running.update(chunk)
            self._out.write(chunk)
            left -= len(chunk)
        if left:
            raise Unavailable(
                "backup_source_changed",
                "{name} became shorter while it was read.",
                hint="Try again; then check the disk.",
                name=name,
            )
        self._out.write(bytes(-size % _BLOCK))
        entry = Entry(name, size, running.hexdigest())
        self._entries.append(entry)
        return entry

    def add_bytes(self, name: str, content: bytes) -> Entry:
        """Write this content under this name."""
        from io import BytesIO

        return self.add(name, BytesIO(content), len(content))

    def finish(self) -> list[Entry]:
        """Write the hashes and the end; everything that is in the backup."""
        self.add_bytes(SUMS, _sums(self._entries))
        self._out.write(_END)
        return self._entries


class ArchiveReader:
    """Reads a backup in one pass and believes nothing that it has not checked."""

    def __init__(self, source: BinaryIO, path: Path) -> None:
        self._source = source
        self._path = path
        self._entries: list[Entry] = []

    def about(self) -> bytes:
        """The first entry: whose backup it is. Its hash is known only after `rest`."""
        name, content = self._next(lambda _name: None)
        if name != ABOUT:
            raise self._damaged(ABOUT, f"{name} stands first")
        return content

    def rest(self, place: Callable[[str], Path | None]) -> tuple[list[Entry], dict[str, bytes]]:
        """All entries, and the small ones' content; the large ones go where `place` says.

        None: they are only checked. When this returns, every hash is right and what was placed
        is on disk. Raises Untrusted(backup_damaged).
        """
        small: dict[str, bytes] = {}
        while True:
            name, content = self._next(place)
            if name == SUMS:
                break
            if name in _SMALL:
                small[name] = content
        entries = self._entries[:-1]
        self._compare(content, entries)
        if self._source.read(len(_END) + 1) != _END:
            raise self._damaged(SUMS, "the end of the archive")
        return entries, small

    def _next(self, place: Callable[[str], Path | None]) -> tuple[str, bytes]:
        expected = f"after {self._entries[-1].name}" if self._entries else ABOUT
        header = self._source.read(_BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(header, "ascii", "surrogateescape")
        except tarfile.TarError as error:
            raise self._damaged(_readable(header) or expected, str(error)) from error
        name, size = info.name, info.size
        known = {one.name for one in self._entries}
        if _NAMES.fullmatch(name) is None or name in known:
            raise self._damaged(_readable(header) or expected, "an entry that has no place here")
        if size < 0 or header != _header(name, size):
            raise self._damaged(name, "its header")
        if name in _SMALL and size > _SMALL_MAX:
            raise self._damaged(name, "its size")
        target = None if name in _SMALL else place(name)
        running, kept, left = sha256(), bytearray(), size
        handle = None if target is None else _create(target)
        try:
            while left:
                chunk = self._source.read(min(_CHUNK, left))
                if not chunk:
                    raise self._damaged(name, "the archive ends within it")
                left -= len(chunk)
                running.update(chunk)
                if handle is not None:
                    handle.write(chunk)
                elif name in _SMALL:
                    kept += chunk
            if handle is not None:
                handle.flush()
                os.fsync(handle.fileno())
        finally:
            if handle is not None:
                handle.close()
        if any(self._source.read(-size % _BLOCK)):
            raise self._damaged(name, "the padding behind it")
        self._entries.append(Entry(name, size, running.hexdigest()))
        return name, bytes(kept)

    def _compare(self, said: bytes, entries: list[Entry]) -> None:
        if said == _sums(entries):
            return
        lines = said.split(b"\n")
        for line, entry in zip(lines, entries, strict=False):
            if line + b"\n" != _sums([entry]):
                raise self._damaged(entry.name, "its hash")
        raise self._damaged(SUMS, "not the entries that are here")

    def _damaged(self, name: str, what: str) -> Untrusted:
        return Untrusted(
            "backup_damaged",
            "The backup {path} is damaged: {entry}.",
            hint="Take another copy of it, or an older backup.",
            because=what,
            path=str(self._path),
            entry=name,
        )


def open_archive(path: Path) -> BinaryIO:
    """The file, for reading. Raises Misconfigured where it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise Misconfigured(
            "backup_unreadable",
            "The backup {path} cannot be read: {why}.",
            because=str(error),
            path=str(path),
            why=(error.strerror or str(error)).lower(),
        ) from error


def _header(name: str, size: int) -> bytes:
    """The one spelling of a header: no owner, no time, readable by its owner alone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, 0
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "surrogateescape")


def _sums(entries: list[Entry]) -> bytes:
    return "".join(f"{one.sha256}  {one.name}\n" for one in entries).encode("ascii")


def _readable(header: bytes) -> str:
    """The name a damaged header seems to have."""
    name = header[:100].split(b"\0")[0].decode("ascii", "replace")
    return name if name.isprintable() else ""


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
