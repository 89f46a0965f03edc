"""The audit log: the database refuses to change it, and whatever is changed all the same shows."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hub.actions import audit as acts
from hub.actions import timers
from hub.actions.context import Hub
from hub.errors import Untrusted
from hub.protocol import audit as log
from hub.protocol import strict_json
from hub.protocol.audit import check_export, record_hash
from hub.protocol.encoding import b64url
from hub.protocol.keys import PrivateKey
from hub.queries import audit as views
from hub.queries.audit import Verdict
from hub.storage import audit, outbox
from hub.storage.database import Tx, sqlite_engine
from tests.kit.clock import SeededEntropy
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network
from tests.kit.story import Story

COUNTS = [140, pytest.param(1000, marks=pytest.mark.slow)]


async def _filled(hub: Hub, count: int = 40) -> None:
    """Records of many kinds, with signed heads among them."""
    for n in range(count):
        await hub.db.write(
            lambda tx, n=n: audit.append(
                tx,
                at=hub.now() + timedelta(seconds=n),
                actor=f"agt_{n % 5}",
                event=("link.suspended", "token.used", "handoff.offered")[n % 3],
                note=f"№ {n}",
                many=list(range(n % 7)),
            )
        )
        if n % 20 == 19:
            await hub.db.write(lambda tx: acts.sign(tx, hub))


async def _verdict(hub: Hub) -> Verdict:
    return await hub.db.read(lambda c: views.verify(c, hub.account.node_id, hub.identities))


# --- the database -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET actor = actor WHERE seq = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
        "UPDATE audit_heads SET head = head",
        "DELETE FROM audit_heads",
    ],
)
async def test_the_database_refuses_to_change_or_delete_a_record(
    network: Story, statement: str
) -> None:
    firm = await network.company("Сервис Плюс")
    hub = firm.hub
    await _filled(hub, 20)
    before = await _verdict(hub)
    assert (before.problems, before.heads) == ([], 1)
    with pytest.raises(DBAPIError, match="append-only"):
        await hub.db.write(lambda tx: tx.connection.execute(text(statement)))
    assert await _verdict(hub) == before


async def test_a_database_that_would_let_it_happen_is_told(network: Story) -> None:
    firm = await network.company("Сервис Плюс")

    def take_down(tx: Tx) -> None:
        if tx.connection.dialect.name == "sqlite":
            tx.connection.execute(text("DROP TRIGGER audit_no_update"))
        else:
            tx.connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_append_only"))

    def put_up_again(tx: Tx) -> None:
        if tx.connection.dialect.name != "sqlite":
            tx.connection.execute(text("ALTER TABLE audit ENABLE TRIGGER audit_append_only"))

    await firm.hub.db.write(take_down)
    try:
        found = (await _verdict(firm.hub)).problems
    finally:
        await firm.hub.db.write(put_up_again)
    assert [(one.code, one.detail) for one in found] == [("unguarded", "audit")]


# --- the table, by somebody who can write to the file -------------------------------------------

COLUMNS = ("at", "actor", "event", "facts", "prev", "hash")


def _rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(text("SELECT * FROM audit"))]


def _flipped(value: str, chance: random.Random) -> str:
    place = chance.randrange(len(value))
    other = chr(ord(value[place]) ^ (1 << chance.randrange(5)))
    return value[:place] + other + value[place + 1 :]


def _flip(rows: list[dict[str, Any]], chance: random.Random) -> None:
    row = chance.choice(rows)
    name = chance.choice([name for name in COLUMNS if row[name]])
    row[name] = _flipped(row[name], chance)


def _drop(rows: list[dict[str, Any]], chance: random.Random) -> None:
    rows.pop(chance.randrange(len(rows)))


def _drop_and_close_up(rows: list[dict[str, Any]], chance: random.Random) -> None:
    _drop(rows, chance)
    _rehash(rows)


def _swap(rows: list[dict[str, Any]], chance: random.Random) -> None:
    one, other = chance.sample(range(len(rows)), 2)
    for name in COLUMNS:
        rows[one][name], rows[other][name] = rows[other][name], rows[one][name]


def _cut(rows: list[dict[str, Any]], chance: random.Random) -> None:
    del rows[chance.randrange(len(rows)) :]


def _rewrite(rows: list[dict[str, Any]], chance: random.Random) -> None:
    """As somebody would who knows how the log is made, and has no key."""
    chance.choice(rows)["actor"] = f"agt_{chance.randrange(10**6)}"
    _rehash(rows)


def _invent(rows: list[dict[str, Any]], chance: random.Random) -> None:
    place = chance.randrange(len(rows))
    rows.insert(place, {**rows[place], "event": "link.closed"})
    _rehash(rows)


def _rehash(rows: list[dict[str, Any]]) -> None:
    prev = ""
    for seq, row in enumerate(rows, 1):
        row["seq"], row["prev"] = seq, prev
        at = datetime.fromisoformat(row["at"])
        row["hash"] = prev = record_hash(seq, at, row["actor"], row["event"], row["facts"], prev)


HOW: tuple[Callable[[list[dict[str, Any]], random.Random], None], ...] = (
    _flip,
    _drop,
    _drop_and_close_up,
    _swap,
    _cut,
    _rewrite,
    _invent,
)


@pytest.fixture
async def firm(quick_path: Any) -> Any:
    network = Network(quick_path, seed="audit")
    yield await network.company("Сервис Плюс")
    await network.close()


@pytest.mark.parametrize("count", COUNTS)
async def test_of_all_changes_of_the_table_all_are_found(firm: Company, count: int) -> None:
    hub, chance = firm.hub, random.Random("audit")
    await _filled(hub)
    await hub.db.write(lambda tx: acts.sign(tx, hub))
    whole = await hub.db.read(_rows)
    assert (await _verdict(hub)).problems == []

    insertion = text("INSERT INTO audit VALUES (:seq,:at,:actor,:event,:facts,:prev,:hash)")
    counting = text("UPDATE counters SET value = :seq WHERE name = 'audit'")

    def problems(connection: Connection, rows: list[dict[str, Any]]) -> set[str]:
        """What a look at a log of these rows finds; the log is put back."""
        connection.execute(text("SAVEPOINT before"))
        connection.execute(text("DELETE FROM audit"))
        if rows:
            connection.execute(insertion, rows)
        connection.execute(counting, {"seq": len(rows)})
        verdict = views.verify(connection, hub.account.node_id, hub.identities)
        connection.execute(text("ROLLBACK TO before"))
        return {one.code for one in verdict.problems} - {"unguarded"}

    found = 0
    with sqlite_engine(firm.settings.data / "hub.db").connect() as connection, connection.begin():
        for act in ("update", "delete", "replace"):
            connection.execute(text(f"DROP TRIGGER audit_no_{act}"))
        for n in range(count):
            rows = [dict(row) for row in whole]
            HOW[n % len(HOW)](rows, chance)
            assert rows != whole
            assert problems(connection, rows), (n, HOW[n % len(HOW)].__name__)
            found += 1
        assert problems(connection, whole) == set()
    assert found == count


async def test_a_head_signed_by_somebody_else_is_no_head(firm: Company) -> None:
    hub = firm.hub
    await _filled(hub, 10)
    eve = PrivateKey.generate(SeededEntropy("eve"))
    seq, head = await hub.db.read(audit.head)
    forged = log.seal_head(log.Head(hub.account.node_id, seq, head, hub.now()), eve)
    await hub.db.write(
        lambda tx: audit.keep_head(tx, audit.StoredHead(seq, head, forged, hub.now()))
    )
    assert [one.code for one in (await _verdict(hub)).problems] == ["head_invalid"]


async def test_the_head_is_signed_by_the_hour_and_only_where_something_happened(
    quick_path: Any,
) -> None:
    network = Network(quick_path, seed="audit")
    try:
        company = await network.company("Сервис Плюс")
        for _ in range(5):
            await timers.run(company.hub)
            network.clock.advance(minutes=50)
        assert len(await company.hub.db.read(audit.heads)) == 1
        await _filled(company.hub, 3)
        for _ in range(4):
            await timers.run(company.hub)
            network.clock.advance(minutes=50)
        assert len(await company.hub.db.read(audit.heads)) == 2
    finally:
        await network.close()


# --- exports ----------------------------------------------------------------------------------


def _bytes_flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def _line_dropped(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _line_doubled(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    return b"".join([*lines[:place], lines[place], *lines[place:]])


@pytest.mark.parametrize("count", COUNTS)
async def test_of_all_changes_of_an_export_all_are_found(firm: Company, count: int) -> None:
    hub, chance = firm.hub, random.Random("export")
    await _filled(hub)
    data = b"".join(await acts.export(hub, firm.dispatcher))
    whole = check_export(data.splitlines(keepends=True), signed_by=hub.account.node_id)
    assert whole.records == (await _verdict(hub)).records
    records = await hub.db.read(lambda c: list(audit.everything(c)))
    eve = PrivateKey.generate(SeededEntropy("eve"))

    def by_another_key(data: bytes, chance: random.Random) -> bytes:
        """Made anew, right in itself, with a record changed: by whoever lacks the key."""
        lines, prev = [], ""
        changed = chance.randrange(len(records))
        for n, one in enumerate(records):
            actor = f"agt_{chance.random()}" if n == changed else one.actor
            made = record_hash(one.seq, one.at, actor, one.event, one.facts, prev)
            lines.append(log.Record(one.seq, one.at, actor, one.event, one.facts, prev, made))
            prev = made
        identity = chance.choice([eve.public, hub.keys.identity.public])
        return b"".join(
            log.write_export(
                lines, node=hub.account.node_id, identity=identity, signer=eve, at=hub.now()
            )
        )

    how = (_bytes_flipped,) * 4 + (
        _line_dropped,
        _lines_swapped,
        _truncated,
        _line_doubled,
        by_another_key,
    )
    found = 0
    for n in range(count):
        made = how[n % len(how)](data, chance)
        assert made != data
        with pytest.raises(Untrusted) as refusal:
            check_export(made.splitlines(keepends=True), signed_by=hub.account.node_id)
        assert refusal.value.code == "altered"
        found += 1
    assert found == count


def test_a_record_is_hashed_over_the_one_before() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one, other = (record_hash(2, at, "agt_1", "token.used", "{}", prev) for prev in ("a", "b"))
    assert one != other


async def test_what_was_taken_back_has_no_record(firm: Company) -> None:
    """A record and what it tells of are one transaction."""

    def fails(tx: Tx) -> None:
        audit.append(tx, at=firm.hub.now(), actor="agt_1", event="link.suspended")
        raise Untrusted("no", "No.")

    before = await firm.hub.db.read(audit.head)
    with pytest.raises(Untrusted):
        await firm.hub.db.write(fails)
    assert await firm.hub.db.read(audit.head) == before


@pytest.mark.parametrize(("off_by", "fits"), [(0, True), (5, False)])
async def test_the_log_is_held_against_what_partners_were_told(
    quick_path: Any, off_by: int, *, fits: bool
) -> None:
    network = Network(quick_path, seed="told")
    try:
        company = await network.company("Сервис Плюс")
        hub, peer = company.hub, FakePeer.of(network, "Мастер-Юг")
        await peer.link_with(company)
        await _filled(hub, 10)
        seq, head = await hub.db.read(audit.head)
        told = strict_json.dump(
            {"salt": b64url(bytes(16)), "audit": {"seq": seq + off_by, "head": head}}
        )
        row = {"seq": 1, "epoch": 1, "id": "msg_1", "control": True, "hash": "", "env": ""}
        await hub.db.write(
            lambda tx: outbox.append(
                tx,
                link_id=peer.link_id,
                type="link.checkpoint",
                data=told,
                sealed_at=hub.now(),
                **row,
            )
        )
        verdict = await _verdict(hub)
        assert [one.code for one in verdict.problems] == ([] if fits else ["differs_from_told"])
        assert verdict.told == int(fits)
    finally:
        await network.close()
