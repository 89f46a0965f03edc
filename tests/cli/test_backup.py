"""`hub backup`: the whole node in one file, made while it works; checked; put in its place again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, func, select, text

from hub import app
from hub.actions import backups, holds, tickets, tokens
from hub.actions.tickets import NewTicket
from hub.errors import HubError, Untrusted
from hub.faults import POINTS
from hub.settings import load
from hub.storage import archive, audit, links, migrate, nodes, snapshots, tables
from hub.storage.archive import ArchiveReader, ArchiveWriter
from hub.storage.database import Tx, sqlite_engine
from tests.cli.conftest import Node, Ran, follows_schema, found, hub, linked
from tests.conftest import NO_POSTGRES, POSTGRES, _apart

ROOT = Path(__file__).parents[2]
PASSPHRASE = "четыре слова подряд легко"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kept(
    request: pytest.FixtureRequest, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Node]:
    """A node on each database, with a ticket and a file."""
    if request.param == "sqlite":
        yield furnished(quick_path)
        return
    with own_database(request) as url:
        monkeypatch.setenv("HUB_DATABASE__URL", url)
        yield furnished(quick_path)


@pytest.fixture
def small(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The same on SQLite alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(quick_path))
    return furnished(quick_path)


@contextlib.contextmanager
def own_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that may be renamed; everything it was called is dropped at the end."""
    server = request.getfixturevalue("postgres_server")
    if server is None:
        pytest.skip(NO_POSTGRES)
    name = f"hub_backup_{uuid.uuid4().hex[:12]}"
    _apart(lambda: server.say("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{server.template}"'))
    try:
        yield f"{POSTGRES.replace('postgresql://', 'postgresql+asyncpg://', 1)}/{name}"
    finally:
        for one in called_like(name):
            _apart(lambda one=one: server.say("postgres", f'DROP DATABASE "{one}" WITH (FORCE)'))


def called_like(name: str) -> list[str]:
    async def ask() -> list[str]:
        import asyncpg

        connection = await asyncpg.connect(f"{POSTGRES}/postgres")
        try:
            rows = await connection.fetch(
                "SELECT datname FROM pg_database WHERE datname LIKE $1 || '%'", name
            )
        finally:
            await connection.close()
        return [row["datname"] for row in rows]

    return _apart(ask)


def furnished(tmp_path: Path) -> Node:
    node = found(tmp_path / "node", "Сервис Плюс")
    node("ticket", "new", "--title", "До копии\tс табом и \\ чертой")
    photo = tmp_path / "фото.jpg"
    photo.write_bytes(bytes(range(256)) * 10)
    node("ticket", "attach", "T-1001", str(photo))
    return node


def backed_up(node: Node, *more: str) -> Path:
    path = node.data.parent / f"{uuid.uuid4().hex}.tar"
    document = node("backup", "create", "-o", str(path), *more)
    assert document["path"] == str(path)
    return path


def titles(node: Node) -> list[str]:
    return [one["title"] for one in node("ticket", "list")["tickets"]]


def ask(node: Node, body: Any) -> Any:
    """Do this on the open node."""

    async def main() -> Any:
        async with app.opened(load(node.data, os.environ), os.environ) as hub:
            return await body(hub)

    return _apart(main)


def read(node: Node, query: Any) -> Any:
    return ask(node, lambda hub: hub.db.read(query))


def program(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, which may be killed."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
    )


# --- making and checking --------------------------------------------------------------------


def test_a_backup_is_one_file_for_us_alone_and_whole(kept: Node) -> None:
    path = kept.data.parent / "b.tar"
    made = kept("backup", "create", "-o", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["b.tar", "node", "фото.jpg"]
    assert (made["files"], made["rotten"], made["keys"]) == (1, [], False)
    checked = hub("backup", "verify", str(path), "--json")
    assert checked.code == 0, checked.out
    follows_schema("backup-verify", checked.json)
    assert checked.json["node_id"] == kept("status")["node_id"]
    assert checked.json["age_seconds"] < 60
    assert checked.json["revision"] == migrate.HEAD
    doctor = {one["check"]: one for one in json.loads(kept.say("doctor", "--json").out)["checks"]}
    assert doctor["backup"]["state"] == "ok"
    assert read(kept, lambda connection: audit.last(connection, audit.MADE)) is not None


def test_without_a_backup_the_doctor_says_so(small: Node) -> None:
    doctor = {one["check"]: one for one in json.loads(small.say("doctor", "--json").out)["checks"]}
    assert doctor["backup"]["state"] == "warning"
    assert "hub backup create" in doctor["backup"]["cure"]


def test_nothing_secret_is_in_a_backup_without_keys(small: Node) -> None:
    token = small("token", "new", "Касса", "--scope", "tickets:read")["token"]
    config = small.data / "config.yaml"
    config.write_text(config.read_text() + f"metrics:\n  token_file: {small.data}/swordfish\n")
    raw = backed_up(small).read_bytes()
    assert b"PRIVATE KEY" not in raw
    assert token.encode() not in raw
    assert b"swordfish" not in raw


def test_a_backup_is_never_overwritten(small: Node) -> None:
    path = backed_up(small)
    before = path.read_bytes()
    assert small("backup", "create", "-o", str(path), fails=7)["code"] == "backup_exists"
    assert path.read_bytes() == before
    missing = small("backup", "create", "-o", str(path / "x" / "b.tar"), fails=3)
    assert missing["code"] == "backup_unwritable"


async def test_writers_go_on_and_every_copy_is_of_one_moment(small: Node, tmp_path: Path) -> None:
    settings = load(small.data, {})
    async with app.opened(settings, {}) as hub:
        actor = await app.first_admin(hub)
        written, stop = 0, False

        async def write(name: str) -> None:
            nonlocal written
            while not stop:
                await tickets.create(hub, actor, NewTicket(title=name))
                written += 1

        writers = [asyncio.create_task(write(name)) for name in "абвг"]
        copies, counts = [], []
        for n in range(4):
            before = written
            path = tmp_path / f"{n}.tar"
            await backups.create(hub, actor, settings, path)
            copies.append(path)
            counts.append(written - before)
        stop = True
        await asyncio.gather(*writers)
    assert min(counts) > 0, "the writers waited for the backup"
    seen = []
    for path in copies:
        checked = await backups.verify(path)
        seen.append(consistent(path, tmp_path / f"{path.stem}.db"))
        assert checked.about.audit_seq > 0
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


def consistent(path: Path, target: Path) -> int:
    """How many tickets are in it: as many as numbers were given out."""
    with path.open("rb") as source:
        reader = ArchiveReader(source, path)
        reader.about()
        reader.rest(lambda name: target if name == archive.SQLITE else None)
    with snapshots.opened(target) as connection:
        count = connection.execute(select(func.count()).select_from(tables.tickets)).scalar_one()
        number = connection.execute(
            select(tables.counters.c.value).where(tables.counters.c.name == "ticket")
        ).scalar_one()
    assert number == 1000 + count
    return int(count)


def test_three_hundred_flipped_bits_are_noticed(small: Node, tmp_path: Path) -> None:
    os.environ["HUB_BACKUP_PASSPHRASE"] = PASSPHRASE
    try:
        raw = bytearray(backed_up(small, "--with-keys").read_bytes())
    finally:
        del os.environ["HUB_BACKUP_PASSPHRASE"]
    chance, path, named = random.Random(11), tmp_path / "flipped.tar", set()
    for _ in range(300):
        at, bit = chance.randrange(len(raw)), chance.randrange(8)
        raw[at] ^= 1 << bit
        path.write_bytes(raw)
        raw[at] ^= 1 << bit
        with pytest.raises(Untrusted) as caught:
            asyncio.run(backups.verify(path))
        assert caught.value.code == "backup_damaged"
        named.add(caught.value.facts["entry"])
    assert archive.SQLITE in named
    told = hub("backup", "verify", str(path), "--json")
    assert (told.code, told.json["code"]) == (4, "backup_damaged")
    follows_schema("problem", told.json)


def test_a_damage_that_was_there_before_is_told(small: Node, tmp_path: Path) -> None:
    (file,) = (small.data / "files").glob("??/*")
    file.write_bytes(b"rotten")
    with contextlib.closing(sqlite3.connect(small.data / "hub.db")) as database:
        database.execute("DROP TRIGGER audit_no_update")
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 1")
        database.commit()
    path = tmp_path / "b.tar"
    assert small("backup", "create", "-o", str(path))["rotten"] == [file.name]
    told = hub("backup", "verify", str(path), "--json").json
    assert told["code"] == "backup_unsound"
    assert "1" in told["detail"]


def test_a_database_that_is_not_the_one_told_of_is_refused(small: Node) -> None:
    path = repacked(backed_up(small), audit_hash="x" * 43)
    assert hub("backup", "verify", str(path), "--json").json["code"] == "backup_mixed"


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no tar at all" * 100)
    assert hub("backup", "verify", str(tmp_path / "x"), "--json").json["code"] == "backup_damaged"
    none = hub("backup", "verify", str(tmp_path / "none"), "--json")
    assert (none.code, none.json["code"]) == (3, "backup_unreadable")


@pytest.mark.postgres
def test_missing_or_old_tools_of_postgresql_are_told(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_database(request) as url:
        monkeypatch.setenv("HUB_DATABASE__URL", url)
        node = furnished(tmp_path)
        tools = tmp_path / "bin"
        tools.mkdir()
        monkeypatch.setenv("PATH", str(tools))
        out = str(tmp_path / "b.tar")
        missing = node("backup", "create", "-o", out, fails=3)
        assert missing["code"] == "pg_tools_missing"
        assert "postgresql-client" in missing["hint"]
        (tools / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
        (tools / "pg_dump").chmod(0o700)
        old = node("backup", "create", "-o", out, fails=3)
        assert old["code"] == "pg_tools_old"
        assert not Path(out).exists()


# --- restoring ------------------------------------------------------------------------------


def test_a_restored_node_is_what_it_was_and_keeps_what_there_was(kept: Node) -> None:
    path = backed_up(kept)
    keys = {p.name: p.read_bytes() for p in (kept.data / "keys").iterdir()}
    kept("ticket", "new", "--title", "После копии")
    (photo,) = (kept.data / "files").glob("??/*")
    photo.unlink()
    done = kept("backup", "restore", str(path), "--yes")
    assert done["keys"] == "kept"
    assert titles(kept) == ["До копии\tс табом и \\ чертой"]
    assert photo.read_bytes() == bytes(range(256)) * 10
    assert len(done["set_aside"]) == 1
    after = {p.name: p.read_bytes() for p in (kept.data / "keys").iterdir()}
    assert after.pop("instance") != keys.pop("instance")
    assert after == keys
    # Numbers told to somebody since the backup are never given again.
    assert kept("ticket", "new", "--title", "Новая")["number"] == "T-2002"
    assert read(kept, audit.first_break) is None


def test_what_was_there_before_is_a_whole_node_still(small: Node, tmp_path: Path) -> None:
    path = backed_up(small)
    small("ticket", "new", "--title", "После копии")
    (aside,) = small("backup", "restore", str(path), "--yes")["set_aside"]
    shutil.copy(Path(aside) / "hub.db", small.data / "hub.db")
    assert "После копии" in titles(small)
    assert [one.name for one in (Path(aside) / "files").glob("??/*")] == [
        one.name for one in (small.data / "files").glob("??/*")
    ]


def test_nobody_gets_in_by_what_the_backup_remembers(small: Node) -> None:
    token = small("token", "new", "Касса", "--scope", "tickets:read")["token"]
    small("link", "invite", "Мастер-Юг")
    before = read(small, nodes.find)
    path = backed_up(small)
    done = small("backup", "restore", str(path), "--yes")
    assert (done["tokens_revoked"], done["invitations_revoked"]) == (1, 1)
    assert done["node_id"] == before.node_id

    async def show(hub: Any) -> None:
        with pytest.raises(HubError) as caught:
            await tokens.authenticate(hub, token)
        assert caught.value.code == "token_invalid"
        assert hub.keys.instance == done["instance"]

    ask(small, show)

    def look(connection: Connection) -> None:
        node = connection.execute(select(tables.node)).one()
        assert node.instance is None
        assert node.held_at is not None
        assert all(one.revoked_at for one in connection.execute(select(tables.invitations)))
        record = audit.last(connection, "node.restored")
        assert record is not None
        facts = json.loads(record.facts)
        assert (
            facts["backup_head"] == hub("backup", "verify", str(path), "--json").json["audit_hash"]
        )
        assert {one.kind for one in audit.open_alerts(connection)} == {"restored", "held"}

    read(small, look)


def test_a_person_lets_mail_and_desks_go(small: Node) -> None:
    small("backup", "restore", str(backed_up(small)), "--yes")
    doctor = {one["check"]: one for one in json.loads(small.say("doctor", "--json").out)["checks"]}
    assert doctor["held"]["state"] == "warning"
    small("user", "add", "olga@plus.example", "--name", "Ольга")
    assert small("node", "release", "--as", "olga@plus.example", fails=4)["code"] == "not_yours"
    assert small("node", "release") == {"released": True, "not_synced": []}
    assert small("node", "release") == {"released": False, "not_synced": []}
    assert small("status")["alerts"] == []
    assert read(small, lambda connection: audit.last(connection, "node.released")) is not None


def test_it_is_released_by_itself_when_the_last_link_is_synced(tmp_path: Path) -> None:
    ours, theirs = (found(tmp_path / name, name) for name in ("Юг", "Север"))
    for one in (ours, theirs):
        one.serve()
    try:
        linked(ours, theirs)
    finally:
        for one in (ours, theirs):
            one.stop()
    ours("backup", "restore", str(backed_up(ours)), "--yes")
    doctor = {one["check"]: one for one in json.loads(ours.say("doctor", "--json").out)["checks"]}
    assert "Север" in doctor["held"]["fact"]

    async def sync(hub: Any) -> None:
        assert not await hub.db.write(lambda tx: holds.released_if_synced(tx, hub, hub.now()))

        def synced(tx: Tx) -> bool:
            tx.connection.execute(tables.streams.update().values(synced=True))
            return holds.released_if_synced(tx, hub, hub.now())

        assert await hub.db.write(synced)
        assert not await hub.db.write(lambda tx: holds.released_if_synced(tx, hub, hub.now()))
        assert {one.kind for one in await hub.db.read(audit.open_alerts)} == {"restored"}

    ask(ours, sync)


def test_every_link_of_a_restored_node_waits_for_its_sync(tmp_path: Path) -> None:
    ours, theirs = (found(tmp_path / name, name) for name in ("Юг", "Север"))
    for one in (ours, theirs):
        one.serve()
    try:
        link = linked(ours, theirs)
    finally:
        for one in (ours, theirs):
            one.stop()

    def at_work(tx: Tx) -> None:
        tx.connection.execute(tables.streams.update().values(synced=True))
        tx.connection.execute(
            tables.deliveries.update().values(lease_owner="x", lease_until=links.datetime.max)
        )

    ask(ours, lambda hub: hub.db.write(at_work))
    ours("backup", "restore", str(backed_up(ours)), "--yes")

    def look(connection: Connection) -> None:
        stream = connection.execute(select(tables.streams)).one()
        assert (stream.link_id, stream.synced) == (link, False)
        assert connection.execute(select(tables.deliveries.c.lease_owner)).scalar_one() is None

    read(ours, look)


def test_mail_and_desks_of_a_restored_node_wait_until_they_are_released(small: Node) -> None:
    def doctor() -> dict[str, Any]:
        return {
            one["check"]: one for one in json.loads(small.say("doctor", "--json").out)["checks"]
        }

    path = backed_up(small)
    assert "held" not in doctor()
    small("backup", "restore", str(path), "--yes")
    assert doctor()["held"]["state"] == "warning"
    assert small("node", "release")["released"] is True
    assert "held" not in doctor()


def test_without_a_yes_nothing_happens(small: Node) -> None:
    path = backed_up(small)
    small("ticket", "new", "--title", "После копии")
    assert small("backup", "restore", str(path), fails=2)["code"] == "not_confirmed"
    assert "После копии" in titles(small)


def test_a_running_node_is_left_alone(small: Node) -> None:
    path = backed_up(small)
    small("ticket", "new", "--title", "После копии")
    small.serve()
    try:
        assert small("backup", "restore", str(path), "--yes", fails=7)["code"] == "node_running"
    finally:
        small.stop()
    assert "После копии" in titles(small)
    database = sqlite3.connect(small.data / "hub.db")  # a program of somebody else's
    with contextlib.closing(database):
        database.execute("SELECT * FROM node").fetchall()
        assert small("backup", "restore", str(path), "--yes", fails=7)["code"] == "database_in_use"
    assert "После копии" in titles(small)
    assert small("backup", "restore", str(path), "--yes")["held"] is True


@pytest.mark.postgres
def test_an_open_session_on_postgresql_is_left_alone(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_database(request) as url:
        monkeypatch.setenv("HUB_DATABASE__URL", url)
        node = furnished(tmp_path)
        path = backed_up(node)
        node("ticket", "new", "--title", "После копии")

        async def hold(_hub: Any) -> None:
            ran = await asyncio.to_thread(restoring_elsewhere)
            assert (ran.code, ran.json["code"]) == (7, "database_in_use"), ran.out

        def restoring_elsewhere() -> Ran:
            # Another data directory on the same database: no lock on files says anything.
            return hub(
                "backup", "restore", str(path), "--yes", "--json",
                "--keys", str(node.data / "keys"), data=tmp_path / "second",
            )  # fmt: skip

        async def body(hub: Any) -> None:
            await hub.db.read(lambda connection: connection.execute(text("SELECT 1")))
            await hold(hub)

        ask(node, body)
        assert "После копии" in titles(node)
        assert not [one for one in called_like(url.rpartition("/")[2]) if "restoring" in one]


def test_the_backup_of_another_node_is_refused(small: Node, tmp_path: Path) -> None:
    other = found(tmp_path / "other", "Мастер-Юг")
    path = backed_up(other)
    told = small("backup", "restore", str(path), "--yes", fails=4)
    assert told["code"] == "backup_of_another"
    assert "Мастер-Юг" in told["detail"]
    assert titles(small)
    wrong = small(
        "backup", "restore", str(path), "--yes", "--keys", str(other.data / "keys"), fails=7
    )
    assert wrong["code"] == "keys_exist"


def test_a_newer_backup_is_refused_and_an_older_one_brought_up(small: Node) -> None:
    path = backed_up(small)
    newer = repacked(path, revision="9999")
    for argv in (("verify", str(newer)), ("restore", str(newer), "--yes")):
        assert small("backup", *argv, fails=3)["code"] == "backup_too_new"
    assert titles(small)
    older = repacked(path, down_to="0001", revision="0001")
    assert hub("backup", "verify", str(older), "--json").json["revision"] == "0001"
    small("ticket", "new", "--title", "После копии")
    small("backup", "restore", str(older), "--yes")
    assert titles(small) == ["До копии\tс табом и \\ чертой"]
    assert small("db", "current")["fits"] is True


def repacked(path: Path, *, down_to: str = "", **about: str) -> Path:
    """The same backup with another first page (and an older database)."""
    folder, target = path.with_suffix(".d"), path.with_suffix(f".{uuid.uuid4().hex}.tar")
    folder.mkdir(exist_ok=True)
    database = folder / f"{uuid.uuid4().hex}.db"
    with path.open("rb") as source:
        reader = ArchiveReader(source, path)
        said = json.loads(reader.about())
        _entries, small = reader.rest(lambda name: database if name == archive.SQLITE else None)
    if down_to:
        with sqlite_engine(database).connect() as connection:
            # Tables are made anew on the way down, while others refer to them.
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            command.downgrade(migrate._config(connection), down_to)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    with target.open("wb") as out:
        writer = ArchiveWriter(out)
        writer.add_bytes(archive.ABOUT, json.dumps({**said, **about}).encode())
        writer.add_bytes(archive.SETTINGS, small[archive.SETTINGS])
        writer.add_bytes(archive.SQLITE, database.read_bytes())
        writer.finish()
    return target


def test_a_damaged_backup_changes_nothing(small: Node) -> None:
    path = backed_up(small)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    before = sorted(one.name for one in small.data.iterdir())
    told = small("backup", "restore", str(path), "--yes", fails=4)
    assert told["code"] == "backup_damaged"
    assert titles(small)
    assert set(before) <= {one.name for one in small.data.iterdir()}


def test_a_database_beyond_repair_is_set_aside_too(small: Node) -> None:
    path = backed_up(small)
    (small.data / "hub.db").write_bytes(b"not a database at all" * 1000)
    (small.data / "hub.db-wal").write_bytes(b"nor is this its log" * 1000)
    (aside,) = small("backup", "restore", str(path), "--yes")["set_aside"]
    assert titles(small)
    assert (Path(aside) / "hub.db").read_bytes().startswith(b"not a database")
    assert (Path(aside) / "hub.db-wal").read_bytes().startswith(b"nor is this")


def test_a_new_directory_needs_the_keys(kept: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    data = kept.data.parent / "new"
    monkeypatch.setenv("HUB_BACKUP_PASSPHRASE", PASSPHRASE)
    path = backed_up(kept, "--with-keys")
    monkeypatch.delenv("HUB_BACKUP_PASSPHRASE")
    shutil.move(kept.data, kept.data.parent / "lost")

    def restore(*argv: str) -> Ran:
        return hub("backup", "restore", str(path), "--yes", "--json", *argv, data=data)

    assert restore().json["code"] == "keys_needed"
    assert restore("--with-keys").json["code"] == "backup_passphrase_missing"
    monkeypatch.setenv("HUB_BACKUP_PASSPHRASE", "другие слова подряд")
    assert restore("--with-keys").json["code"] == "backup_passphrase_wrong"
    secret = kept.data.parent / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    ran = restore("--with-keys", "--passphrase-file", str(secret))
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["keys"] == "backup"
    node = Node("Сервис Плюс", data, kept.url)
    assert titles(node) == ["До копии\tс табом и \\ чертой"]
    assert node("status")["url"] == kept.url
    assert node("config", "show")["name"] == "Сервис Плюс"
    assert stat.S_IMODE((data / "keys").stat().st_mode) == 0o700


def test_keys_may_come_from_a_copy_of_their_directory(small: Node, tmp_path: Path) -> None:
    path = backed_up(small)
    shutil.move(small.data / "keys", tmp_path / "safe")
    shutil.rmtree(small.data)
    again = hub(
        "backup", "restore", str(path), "--yes", "--json", "--keys", str(tmp_path / "safe"),
        data=small.data,
    )  # fmt: skip
    assert again.json["keys"] == "given", again.out
    assert again.json["set_aside"] == []
    assert titles(small)
    assert (tmp_path / "safe" / "instance").read_bytes() != (
        small.data / "keys" / "instance"
    ).read_bytes()


def test_a_foreign_directory_stays_as_it_is(small: Node, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    ran = hub("backup", "restore", str(backed_up(small)), "--yes", "--json", data=tmp_path / "home")
    assert ran.json["code"] == "data_foreign"


STEPS = [one for one in POINTS if one.startswith("restore.")]


@pytest.mark.parametrize("point", STEPS)
def test_killed_at_any_point_it_is_the_old_node_or_the_new(point: str, small: Node) -> None:
    old_and_new(small, point)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("point", ["restore.prepared", "restore.set_aside", "restore.swapped"])
def test_killed_at_any_point_it_is_the_old_node_or_the_new_on_postgres(
    point: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with own_database(request) as url:
        monkeypatch.setenv("HUB_DATABASE__URL", url)
        old_and_new(furnished(tmp_path), point)


def old_and_new(node: Node, point: str) -> None:
    path = backed_up(node)
    old, new = ["После копии", "До копии\tс табом и \\ чертой"], ["До копии\tс табом и \\ чертой"]
    node("ticket", "new", "--title", "После копии")
    argv = ("backup", "restore", str(path), "--yes", "--data", str(node.data))
    killed = program(*argv, HUB_CRASH_AT=f"{point}:1")
    assert killed.returncode == -9, killed.stderr
    assert titles(node) == (new if point == "restore.swapped" else old)
    assert read(node, audit.first_break) is None
    again = node("backup", "restore", str(path), "--yes")
    assert titles(node) == new
    assert again["held"] is True
    if not os.environ.get("HUB_DATABASE__URL"):
        # The database of before is somewhere, whole, and nowhere twice under one inode.
        asides = list(node.data.glob("before-restore-*/hub.db"))
        held = [count_tickets(one) for one in asides]
        assert 2 in held
        assert (
            len({one.stat().st_ino for one in [*asides, node.data / "hub.db"]}) == len(asides) + 1
        )
    assert not (node.data / ".restoring").exists()


def count_tickets(path: Path) -> int:
    with snapshots.opened(path) as connection:
        return int(
            connection.execute(select(func.count()).select_from(tables.tickets)).scalar_one()
        )


@pytest.mark.parametrize("point", [one for one in POINTS if one.startswith("backup.")])
def test_killed_while_it_is_made_there_is_no_backup(point: str, small: Node) -> None:
    path = small.data.parent / "b.tar"
    argv = ("backup", "create", "-o", str(path), "--data", str(small.data))
    killed = program(*argv, HUB_CRASH_AT=f"{point}:1")
    assert killed.returncode == -9, killed.stderr
    assert not path.exists()
    assert small("backup", "create", "-o", str(path))["files"] == 1
