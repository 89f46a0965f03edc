"""Backups: the whole node in one file, made while it works, and checked without it.

What is in it: a consistent copy of the database, every file, the settings that are not of one
machine, and the keys only where they are asked for, encrypted under a passphrase of its own.
The database is copied before the files: a file is in the store before any row names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.errors import Conflict, Misconfigured, Refused, Untrusted
from hub.faults import fault
from hub.settings import Settings
from hub.storage import archive, audit, migrate, snapshots, strongbox
from hub.storage.archive import ArchiveReader, ArchiveWriter, Entry
from hub.storage.database import Tx
from hub.storage.keystore import KeyStore, read_passphrase_file
from hub.storage.snapshots import Facts

FORMAT: Final = "hub-backup/1"
_MACHINE: Final = {"data": True, "database": True, "passphrase_file": True, "metrics": True}
"""Settings that are secret or belong to one machine: they are not in a backup."""


@dataclass(frozen=True, slots=True)
class About:
    """Whose backup it is and when it was made: its first entry."""

    made_at: datetime
    node_id: str
    name: str
    instance: str
    revision: str
    database: str  # sqlite | postgresql
    audit_seq: int
    audit_hash: str
    keys: bool  # encrypted keys are in it


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made or checked."""

    path: str
    about: About
    bytes: int
    files: int
    rotten: list[str]  # files that were damaged in the store already when it was made


async def create(
    hub: Hub, actor: Actor, settings: Settings, out: Path, *, passphrase: bytes | None = None
) -> Backup:
    """Write a backup of the node to a new file that only we can read; with keys, if so told.

    If this returns the file is whole and on disk; if it raises there is none. Raises Conflict,
    Misconfigured(backup_unwritable | pg_tools_…), Unavailable.
    """
    permits.require(actor, Permission.ADMIN)
    _refuse_existing(out)
    box = None
    if passphrase is not None:
        files = KeyStore(settings.keys_dir).files()
        box = strongbox.lock(files, passphrase, hub.account.node_id, hub.entropy)
    now = hub.now()
    with _unwritable(out), _room(out.parent, f".{out.name}.") as room:
        copy = room / (archive.POSTGRES if settings.database.url else archive.SQLITE)
        facts = await snapshots.take(settings.database.url, settings.data, copy)
        fault("backup.database_copied")
        about = _about(hub, settings, facts, now, keys=box is not None)
        written = await asyncio.to_thread(_write, hub, settings, room / "whole", about, copy, box)
        _refuse_existing(out)
        fault("backup.written")
        size = await asyncio.to_thread(_name, room / "whole", out)
    made = Backup(str(out), about, size, *written)

    def transaction(tx: Tx) -> None:
        audit.append(
            tx,
            at=hub.now(),
            actor=actor.ref,
            event=audit.MADE,
            head=about.audit_hash,
            bytes=size,
            files=made.files,
            keys=about.keys,
        )

    await hub.db.write(transaction)
    return made


def _about(hub: Hub, settings: Settings, facts: Facts, now: datetime, *, keys: bool) -> About:
    return About(
        made_at=now,
        node_id=facts.node_id,
        name=facts.name,
        instance=hub.keys.instance,
        revision=facts.revision,
        database="postgresql" if settings.database.url else "sqlite",
        audit_seq=facts.audit_seq,
        audit_hash=facts.audit_hash,
        keys=keys,
    )


def _write(
    hub: Hub, settings: Settings, path: Path, about: About, copy: Path, box: bytes | None
) -> tuple[int, list[str]]:
    """The archive, on disk; how many files are in it and which of them are rotten."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    count, rotten = 0, []
    with os.fdopen(handle, "wb") as out:
        writer = ArchiveWriter(out)
        writer.add_bytes(archive.ABOUT, _said(about))
        writer.add_bytes(archive.SETTINGS, _lasting(settings))
        if box is not None:
            writer.add_bytes(archive.KEYS, box)
        with copy.open("rb") as source:
            writer.add(copy.name, source, copy.stat().st_size)
        copy.unlink()
        for digest in hub.blobs.everything():
            try:
                file = hub.blobs.open(digest)
            except FileNotFoundError:
                continue  # nobody needed it any more, and it was collected just now
            with file:
                size = os.fstat(file.fileno()).st_size
                entry = writer.add(archive.file_entry(digest), file, size)
            count += 1
            if not _is_named_rightly(entry):
                rotten.append(digest)
        writer.finish()
        out.flush()
        os.fsync(out.fileno())
    return count, rotten


def _said(about: About) -> bytes:
    said = {"format": FORMAT, **{name: getattr(about, name) for name in About.__slots__}}
    said["made_at"] = about.made_at.isoformat()
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


def _lasting(settings: Settings) -> bytes:
    said = settings.model_dump(mode="json", exclude=_MACHINE, exclude_defaults=True)
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


def _is_named_rightly(entry: Entry) -> bool:
    digest = urlsafe_b64encode(bytes.fromhex(entry.sha256)).rstrip(b"=").decode()
    return entry.name == archive.file_entry(digest)


async def verify(path: Path, passphrase: bytes | None = None) -> Backup:
    """Check every hash, open the copy of the database and, with a passphrase, the keys.

    Needs no node. Raises Untrusted(backup_damaged | backup_unsound), Refused, Misconfigured.
    """
    with _room(None, "hub-verify-") as room, archive.open_archive(path) as source:
        about, entries, small = await asyncio.to_thread(_read, source, path, room)
        await inspect(about, room)
        if passphrase is not None:
            if archive.KEYS not in small:
                raise Refused("backup_without_keys", "There are no keys in this backup.")
            strongbox.unlock(small[archive.KEYS], passphrase, about.node_id)
    return _summary(path, about, entries)


def _read(source: BinaryIO, path: Path, room: Path) -> tuple[About, list[Entry], dict[str, bytes]]:
    reader = ArchiveReader(source, path)
    about = understood(reader.about(), path)

    def place(name: str) -> Path | None:
        return room / name if name in {archive.SQLITE, archive.POSTGRES} else None

    return about, *reader.rest(place)


async def inspect(about: About, room: Path) -> None:
    """The database that was unpacked there is whole, and the one `about` speaks of."""
    if about.database == "sqlite":
        facts = await snapshots.inspect_sqlite(room / archive.SQLITE)
    else:
        facts = await snapshots.inspect_postgres(room / archive.POSTGRES)
    said = (about.node_id, about.revision, about.audit_seq, about.audit_hash)
    if said != (facts.node_id, facts.revision, facts.audit_seq, facts.audit_hash):
        raise Untrusted(
            "backup_mixed",
            "The database in the backup is not the one that its first page tells of.",
        )


def passphrase(path: Path | None, env: Mapping[str, str]) -> bytes | None:
    """The passphrase of keys in a backup: from this file, else from `HUB_BACKUP_PASSPHRASE`."""
    if path is not None:
        return read_passphrase_file(path)
    return env["HUB_BACKUP_PASSPHRASE"].encode() if env.get("HUB_BACKUP_PASSPHRASE") else None


def _summary(path: Path, about: About, entries: list[Entry]) -> Backup:
    """A backup whose hashes are right."""
    files = [one for one in entries if one.name.startswith("files/")]
    rotten = [one.name.rpartition("/")[2] for one in files if not _is_named_rightly(one)]
    return Backup(str(path), about, path.stat().st_size, len(files), rotten)


def understood(text: bytes, path: Path) -> About:
    """The first entry. Raises Untrusted(backup_damaged), Misconfigured(backup_too_new)."""
    try:
        said: dict[str, Any] = json.loads(text)
        form = str(said.pop("format"))
        if form == FORMAT:
            said["made_at"] = datetime.fromisoformat(said["made_at"])
            about = About(**said)
            if about.database not in {"sqlite", "postgresql"}:
                raise ValueError("database")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Untrusted(
            "backup_damaged",
            "The backup {path} is damaged: {entry}.",
            hint="Take another copy of it, or an older backup.",
            because=type(error).__name__,
            path=str(path),
            entry=archive.ABOUT,
        ) from error
    if form != FORMAT or about.revision > migrate.HEAD:  # our revisions are numbered
        raise Misconfigured(
            "backup_too_new",
            "The backup was made by a newer version of this program ({revision}).",
            hint="Install that version again; nothing was changed.",
            revision=form if form != FORMAT else about.revision,
        )
    return about


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise Conflict(
            "backup_exists",
            "There is a file already: {path}",
            hint="Backups are never overwritten: choose another name.",
            path=str(out),
        )


@contextlib.contextmanager
def _room(parent: Path | None, prefix: str) -> Iterator[Path]:
    """A folder of our own for what is not finished; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _unwritable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Misconfigured(
            "backup_unwritable",
            "The backup cannot be written to {path}: {why}.",
            hint="Choose a folder that exists, is ours and has room.",
            because=str(error),
            path=str(out),
            why=(error.strerror or str(error)).lower(),
        ) from error


def _name(whole: Path, out: Path) -> int:
    """Give the finished file its name, for good; its size."""
    whole.replace(out)
    _sync(out.parent)
    return out.stat().st_size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
