"""Restoring a node from a backup: prepared beside what is there, put in its place in one step.

A restored node knows less than it has told. So before it does anything it ends whatever the
backup could let in or repeat: tokens, invitations, answers kept for repeated requests, leases.
It is another installation from now on: its links wait for their sync, mail and desks for all
of them. What it told its peers comes back from them; what it told nobody is lost, and said so.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hub.actions import backups, nodes
from hub.actions.backups import About
from hub.actions.holds import HELD, RESTORED
from hub.clock import Clock, Entropy, SystemClock, SystemEntropy
from hub.errors import Conflict, Misconfigured, Refused
from hub.faults import fault
from hub.settings import CONFIG_NAME, Settings, write_config
from hub.storage import archive, audit, migrate, occupancy, resets, strongbox
from hub.storage.archive import ArchiveReader
from hub.storage.database import Tx, open_database
from hub.storage.keystore import KeyStore, NodeKeys, read_passphrase
from hub.storage.resets import Forgotten
from hub.storage.staging import ASIDE, STAGING, Staging

_EXPECTED: Final = frozenset(
    {CONFIG_NAME, "keys", "files", "log", STAGING, occupancy.LOCK_NAME, "serve.lock", "lost+found"}
)
"""What may lie in a directory that is no node's yet."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    backup: About
    data: str
    instance: str
    keys: str  # kept: those that were here | given: from another directory | backup
    set_aside: list[str]  # where what was there before is now
    tokens_revoked: int
    invitations_revoked: int


async def restore(
    settings: Settings,
    env: Mapping[str, str],
    path: Path,
    *,
    keys_from: Path | None = None,
    passphrase: bytes | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> Restored:
    """Put the node of a backup in the place of what is in the data directory.

    Keys that are there stay; else they come from `keys_from`, or with `passphrase` out of the
    backup. If this returns the node is the restored one; whenever it ends otherwise, by an
    error or by a kill, the directory holds what it held, or the restored node, and the same
    call can be made again. Nothing that was there is deleted.

    Raises Untrusted(backup_damaged | …), Conflict(node_running | database_in_use), Refused,
    Misconfigured.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    now = clock.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    with archive.open_archive(path) as source:
        reader = ArchiveReader(source, path)
        about = backups.understood(reader.about(), path)
        _check_kind(about, settings)
        _make_room(settings.data)
        with occupancy.alone(settings.data):
            work = _Work(settings, env, about, now, entropy)
            return await work.done(reader, keys_from, passphrase)


class _Work:
    """One restore, in a directory we have to ourselves."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str],
        about: About,
        now: datetime,
        entropy: Entropy,
    ) -> None:
        self._settings = settings
        self._passphrase = read_passphrase(settings, env)
        self._about = about
        self._now = now
        self._entropy = entropy
        self._staging = Staging(settings.data, settings.database.url, now)

    async def done(
        self, reader: ArchiveReader, keys_from: Path | None, passphrase: bytes | None
    ) -> Restored:
        """The whole of it."""
        staging, about = self._staging, self._about
        await asyncio.to_thread(staging.clear)
        small = await asyncio.to_thread(self._unpack, reader)
        fault("restore.unpacked")
        origin, keys = self._keys(keys_from, passphrase, small)
        await backups.inspect(about, staging.folder)
        if staging.url:
            await staging.load_postgres(staging.folder / archive.POSTGRES)
        try:
            forgotten = await self._prepare(keys)
            fault("restore.prepared")
            self._configure(small.get(archive.SETTINGS, b"{}"))
            store = KeyStore(self._settings.keys_dir)
            if not store.exists():
                store.put(KeyStore(staging.folder / "keys").files())
            fault("restore.keys_placed")
            # Before the database takes its place: an old database under a new name only begins
            # a new run, a restored one under the old name would go on as if nothing had been.
            instance = store.renew_instance(self._entropy)
            fault("restore.renewed")
            await staging.swap()
        except BaseException:
            if staging.url:
                await staging.drop_postgres()
            raise
        return Restored(
            backup=about,
            data=str(self._settings.data),
            instance=instance,
            keys=origin,
            set_aside=staging.aside,
            tokens_revoked=forgotten.tokens,
            invitations_revoked=forgotten.invitations,
        )

    def _unpack(self, reader: ArchiveReader) -> dict[str, bytes]:
        return reader.rest(lambda name: self._staging.folder / name)[1]

    def _keys(
        self, keys_from: Path | None, passphrase: bytes | None, small: Mapping[str, bytes]
    ) -> tuple[str, NodeKeys]:
        """Where the node's keys come from, and the keys; those not in place yet are staged."""
        store = KeyStore(self._settings.keys_dir)
        if store.exists():
            keys = store.open(self._passphrase)
            given = None if keys_from is None else KeyStore(keys_from).open(self._passphrase)
            if given is not None and given.identity.kid != keys.identity.kid:
                raise Conflict(
                    "keys_exist",
                    "There are keys already in {path}",
                    path=str(self._settings.keys_dir),
                )
            return "kept", keys
        if keys_from is not None:
            origin, files = "given", KeyStore(keys_from).files()
        elif passphrase is not None and archive.KEYS in small:
            origin = "backup"
            files = strongbox.unlock(small[archive.KEYS], passphrase, self._about.node_id)
        elif passphrase is not None:
            raise Refused("backup_without_keys", "There are no keys in this backup.")
        else:
            raise Misconfigured(
                "keys_needed",
                "There are no keys in {path}, and a node is nothing without its keys.",
                hint="Give them with --keys DIR, or with --with-keys where the backup has them.",
                path=str(self._settings.keys_dir),
            )
        staged = KeyStore(self._staging.folder / "keys")
        staged.put(files)
        return origin, staged.open(self._passphrase)

    async def _prepare(self, keys: NodeKeys) -> Forgotten:
        """Make the copy a database of this version that knows it was restored."""
        url, folder = self._staging.url, self._staging.folder
        await migrate.upgrade(url, folder)
        db = open_database(url, folder, lambda _topics: None)
        try:
            try:
                await nodes.load(db, keys)
            except Misconfigured as error:
                if error.code != "keys_differ":
                    raise
                raise Refused(
                    "backup_of_another",
                    "This is a backup of '{name}', and the keys are of another node.",
                    hint="Restore it into a directory of its own:  hub backup restore --data DIR",
                    name=self._about.name,
                ) from error
            forgotten = await db.write(self._settle)
        finally:
            await db.close()
        if not url:
            with closing(sqlite3.connect(folder / archive.SQLITE)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")  # one file, which can be renamed
        return forgotten

    def _settle(self, tx: Tx) -> Forgotten:
        now, about = self._now, self._about
        forgotten = resets.end_access(tx, now)
        resets.begin_anew(tx, now)
        audit.append(
            tx,
            at=now,
            actor="system",
            event="node.restored",
            backup_at=about.made_at,
            backup_head=about.audit_hash,
            backup_seq=about.audit_seq,
            backup_instance=about.instance,
            tokens_revoked=forgotten.tokens,
            invitations_revoked=forgotten.invitations,
        )
        audit.raise_alert(
            tx,
            kind=RESTORED,
            subject=about.node_id,
            text=(
                "The node was restored from the backup of {made_at}. Internal notes and tickets "
                "nobody shared that were made since are lost; API tokens and open invitations "
                "are revoked, agents disabled since then are back. Seen?  hub node release"
            ),
            at=now,
            entropy=self._entropy,
            made_at=about.made_at.isoformat(timespec="seconds"),
        )
        audit.raise_alert(
            tx,
            kind=HELD,
            subject=about.node_id,
            text="Mail and desks wait until every link is synced, or for:  hub node release",
            at=now,
            entropy=self._entropy,
        )
        return forgotten

    def _configure(self, text: bytes) -> None:
        """Write the settings of the backup where there are none."""
        path = self._settings.data / CONFIG_NAME
        if path.exists():
            return
        values: dict[str, Any] = json.loads(text)
        if self._settings.database.url:
            values["database"] = {"url": self._settings.database.url}
        if self._settings.passphrase_file is not None:
            values["passphrase_file"] = str(self._settings.passphrase_file)
        write_config(path, values)


def _check_kind(about: About, settings: Settings) -> None:
    if about.database == ("postgresql" if settings.database.url else "sqlite"):
        return
    if about.database == "sqlite":
        raise Misconfigured(
            "backup_kind_differs",
            "The backup has a SQLite database, and the node here is set to PostgreSQL.",
            hint="Take database.url out of the configuration first.",
        )
    raise Misconfigured(
        "backup_kind_differs",
        "The backup has a PostgreSQL database, and the node here is set to SQLite.",
        hint="Say where: HUB_DATABASE__URL=postgresql+asyncpg://user@host/database",
    )


def _make_room(data: Path) -> None:
    """Make the directory, or return if it is a node's or empty. Raises Misconfigured."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {one.name for one in data.iterdir()}
    except OSError as error:
        raise Misconfigured(
            "data_unusable",
            "{path} is not a directory that can be used.",
            hint="Choose another one: hub backup restore --data DIR",
            because=str(error),
            path=str(data),
        ) from error
    if CONFIG_NAME in found or "keys" in found or archive.SQLITE in found:
        return
    strange = sorted(one for one in found - _EXPECTED if not one.startswith(ASIDE))
    if strange:
        raise Misconfigured(
            "data_foreign",
            "{path} is not empty and not a node's directory (it holds {what}).",
            hint="Choose an empty or a new directory: hub backup restore --data DIR",
            path=str(data),
            what=", ".join(strange[:3]),
        )
