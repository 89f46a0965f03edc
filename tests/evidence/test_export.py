"""A ticket or a link as evidence: whoever exports it, a stranger can check it offline."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from hub.evidence import verify as verifier
from hub.ids import HandoffId, LinkId
from hub.storage import audit
from hub.storage.tables import outbox
from tests.evidence.conftest import (
    VERIFIER,
    Dispute,
    Stranger,
    dispute,
    export,
    link_bundle,
    ticket_bundle,
    types,
)
from tests.kit.story import Firm, Story, refused

# What is read is the same on both; the stories that depend on how it is read run on both.
on_one_database = pytest.mark.parametrize("network", ["sqlite"], indirect=True)


@pytest.fixture
async def told(network: Story) -> Dispute:
    return await dispute(network)


def timeline(said: dict[str, Any]) -> list[dict[str, Any]]:
    return said["links"][0]["timeline"]


async def test_both_sides_show_the_same_and_both_are_believed(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    shown = []
    for firm in (told.vendor, told.master):
        for how, write in (("ticket", ticket_bundle), ("link", link_bundle)):
            path = tmp_path / f"{how}-{firm.name}.zip"
            await write(firm, told.work, path)
            done = third_party.verify(path)
            assert done.code == 0, done.err
            said = done.said
            assert said["exporter"]["name"] == firm.name
            (handoff,) = said["links"][0]["handoffs"]
            assert (handoff["state"], handoff["round"]) == ("closed", 1)
            assert set(done.findings) == {"files_named"}
            assert all(one["receipted_at"] for one in timeline(said))
            shown.append((how, timeline(said)))
    # the whole story, in one order, with the same times, whoever tells it
    assert all(one == shown[0][1] for _how, one in shown)
    steps = [one["type"] for one in shown[0][1] if one["after"]]
    assert steps == [
        "handoff.offer", "handoff.accept", "handoff.start", "handoff.resolve", "handoff.return",
        "handoff.start", "handoff.resolve", "handoff.confirm", "handoff.close",
    ]  # fmt: skip


@on_one_database
async def test_a_bundle_carries_the_program_that_checks_it(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.zip"
    await ticket_bundle(told.vendor, told.work, path)
    with zipfile.ZipFile(path) as archive:  # any program opens it
        program = archive.read("verify.py")
    assert program == VERIFIER.read_bytes()
    alone = tmp_path / "elsewhere" / "verify.py"
    alone.parent.mkdir()
    alone.write_bytes(program)
    done = third_party.verify(path, "--lang", "ru", program=alone, as_json=False)
    assert done.code == 0
    assert done.out.startswith("ПРОВЕРЕНО")
    for words in ("Касса-Сервис", "Мастер-Юг", "T-1001", "Заменён шлейф", "Чего это не доказывает"):
        assert words in done.out
    assert third_party.verify(tmp_path / "nothing.zip").code == 2


async def test_what_the_other_side_has_not_confirmed_is_a_finding(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    network.cut_off(told.master)
    await told.vendor.say(told.ticket, "Вы ещё там?")
    path = tmp_path / "bundle.zip"
    for write in (ticket_bundle, link_bundle):
        await write(told.vendor, told.work, path)
        done = third_party.verify(path)
        assert done.code == 0
        last = timeline(done.said)[-1]
        assert (last["type"], last["receipted_at"]) == ("comment.add", None)
        (found,) = done.findings["unreceipted"]
        assert found["messages"] == [last["id"]]
        assert "Касса-Сервис" in found["text"]
    network.reconnect(told.master)
    await network.pass_time(hours=1)


@on_one_database
async def test_words_can_be_left_out_and_are_missed(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.zip"
    await ticket_bundle(told.vendor, told.work, path, redact=["comments", "handoff.resolve"])
    raw = path.read_bytes().decode("utf-8", "replace")
    assert "Ключ у охраны" not in raw
    assert "шлейф" not in raw
    assert "Со второго раза" in raw
    done = third_party.verify(path)
    assert done.code == 0
    left_out = {one["type"] for one in timeline(done.said) if "redacted" in one["marks"]}
    assert left_out == {"comment.add", "handoff.resolve"}
    assert sum(len(one["messages"]) for one in done.findings["redacted"]) == 3
    assert done.said["redacted"] == ["comments", "handoff.resolve"]
    assert done.said["links"][0]["handoffs"][0]["state"] == "closed"


@on_one_database
async def test_one_message_can_be_left_out(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.zip"
    await ticket_bundle(told.vendor, told.work, path)
    words = next(
        one for one in timeline(third_party.verify(path).said) if one["type"] == "comment.add"
    )
    await ticket_bundle(told.vendor, told.work, path, redact=[words["id"]])
    done = third_party.verify(path)
    assert [one["id"] for one in timeline(done.said) if one["marks"]] == [words["id"]]


@on_one_database
async def test_what_cannot_be_left_out_is_refused(told: Dispute, tmp_path: Path) -> None:
    with refused("redaction_unknown"):
        await ticket_bundle(told.vendor, told.work, tmp_path / "x.zip", redact=["secrets"])


@on_one_database
async def test_a_payload_that_is_gone_leaves_the_chain_whole(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    def erase(tx: Any) -> None:
        tx.connection.execute(
            update(outbox).where(outbox.c.type == "comment.add").values(data=None)
        )

    await told.vendor.hub.db.write(erase)
    path = tmp_path / "bundle.zip"
    await link_bundle(told.vendor, told.work, path)
    done = third_party.verify(path)
    assert done.code == 0
    assert set(done.findings) == {"pruned", "files_named"}


@on_one_database
async def test_files_come_along_where_they_are_wanted(
    told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.zip"
    await ticket_bundle(told.master, told.work, path, files=True)
    done = third_party.verify(path)
    assert (done.code, done.findings) == (0, {})
    with zipfile.ZipFile(path) as archive:
        (blob,) = [name for name in archive.namelist() if name.startswith("blobs/")]
        assert archive.read(blob) == b"%PDF act"
    # words that name a file and are left out take it with them
    await ticket_bundle(told.master, told.work, path, files=True, redact=["files"])
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.startswith("blobs/")]
    await told.vendor.take_file_back(told.ticket, "акт.pdf")
    await ticket_bundle(told.master, told.work, path, files=True)
    done = third_party.verify(path)
    assert set(done.findings) == {"files_named"}


@on_one_database
async def test_the_report_is_for_eyes_and_runs_nothing(told: Dispute, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    await ticket_bundle(told.vendor, told.work, path, language="ru")
    with zipfile.ZipFile(path) as archive:
        report = archive.read("report.html").decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report
    for bad in ("<script", "onerror", "javascript:", "src=", "href="):
        assert bad not in report
    assert "default-src 'none'" in report
    for words in (
        "Доказательства обмена заявками",
        "ПРОВЕРЕНО",
        "Заменён шлейф",
        '<html lang="ru">',
    ):
        assert words in report


async def test_an_export_is_in_the_audit_log(told: Dispute, tmp_path: Path) -> None:
    made = await ticket_bundle(told.vendor, told.work, tmp_path / "x.zip", redact=["contact"])
    (last,) = await told.vendor.look(lambda c: audit.page(c, before=None, limit=1))
    assert (last.event, last.actor) == ("evidence.exported", told.vendor.dispatcher.ref)
    facts = json.loads(last.facts)
    assert facts["ticket"] == "T-1001"
    assert facts["handoffs"] == [told.work.id]
    assert facts["redacted"] == ["contact"]
    assert facts["manifest"] == made.manifest


async def test_a_part_of_a_link_goes_up_to_the_next_receipt(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    later = network.clock.now()
    await network.pass_time(days=2)
    second = await told.vendor.hand_off(
        await told.vendor.new_ticket("Второй магазин"), to=told.master
    )
    await network.pass_time(days=2)
    await told.master.decline(second, "Нет людей")
    path = tmp_path / "bundle.zip"
    begin, end = later.replace(hour=23), network.in_(days=-1)
    for firm in (told.vendor, told.master):
        await link_bundle(firm, told.work, path, since=begin, until=end)
        done = third_party.verify(path)
        assert done.code == 0, done.out
        assert types(done.said) == ["handoff.offer", "handoff.plan"]
        assert set(done.findings) == {"partial"}
        assert [one["state"] for one in done.said["links"][0]["handoffs"]] == ["offered"]
        await link_bundle(firm, told.work, path, since=end)
        done = third_party.verify(path)
        assert types(done.said) == ["handoff.decline"]
        assert [one["state"] for one in done.said["links"][0]["handoffs"]] == ["declined"]
        await link_bundle(firm, told.work, path, until=begin)
        done = third_party.verify(path)
        assert done.code == 0
        assert types(done.said)[-1] == "handoff.close"


async def test_words_signed_again_after_a_restart_are_shown_with_their_first_copies(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path
) -> None:
    network.wire.fault = lambda _caller, method, url: (
        "drop_request" if method == "POST" and url.endswith("/messages") else None
    )
    await told.vendor.say(told.ticket, "Вы ещё там?")  # sent, and lost on its way
    await network.stop(told.vendor)
    network.wire.fault = lambda *_: None
    await network.start(told.vendor)
    await network.pass_time(hours=1)
    path = tmp_path / "bundle.zip"
    for firm, copies in ((told.vendor, 1), (told.master, 0)):
        for write in (ticket_bundle, link_bundle):
            await write(firm, told.work, path)
            done = third_party.verify(path)
            assert done.code == 0, done.out
            assert len(done.said["links"][0]["aside"]) == copies
            assert ("superseded" in done.findings) is bool(copies)
            said = timeline(done.said)
            assert "link.epoch" in types(done.said)
            assert said[-1]["type"] == "comment.add"
            assert said[-1]["receipted_at"]


async def _chain(network: Story) -> tuple[Firm, Any, Any]:
    top, middle, below = await network.linked("Сеть Восток", "Касса-Сервис", "Мастер-Юг")
    work = await top.hand_off(await top.new_ticket("Каждый магазин"), to=middle)
    await middle.accept(work)
    deeper = await middle.hand_off(work, to=below)
    await below.accept(deeper, by="Иван Подрядный")
    await below.say(deeper, "Нужен допуск")
    return middle, work, deeper


@on_one_database
async def test_one_partner_is_not_shown_what_was_agreed_with_another(
    network: Story, third_party: Stranger, tmp_path: Path
) -> None:
    middle, above, below = await _chain(network)
    path = tmp_path / "bundle.zip"
    await ticket_bundle(middle, above, path)  # for our own lawyer: everything
    done = third_party.verify(path)
    assert done.code == 0
    assert len(done.said["links"]) == 2
    node = below.contractor.hub.account.node_id
    strange = (below.id, below.link, node, below.contractor.name, "Подрядный")
    for wish in ({"links": [LinkId(above.link)]}, {"handoffs": [HandoffId(above.id)]}):
        await ticket_bundle(middle, above, path, **wish)
        done = third_party.verify(path)
        assert done.code == 0
        assert [one["link"] for one in done.said["links"]] == [above.link]
        archive = verifier.Archive(io.BytesIO(path.read_bytes()))
        for name in archive.entries:
            # payloads and envelopes are looked into, not only what stands there openly
            text = _opened(archive.read(name, 2**30).decode())
            for secret in strange:
                assert secret not in text, (name, secret)


def _opened(text: str) -> str:
    """The text, with everything in it that is base64url read too."""
    import re

    parts = [text]
    for found in re.findall(r"[A-Za-z0-9_-]{80,}", text):
        try:
            parts.append(verifier.unb64url(found).decode("utf-8", "replace"))
        except verifier.Flaw:
            continue
    return "\n".join(parts)


@on_one_database
async def test_a_ticket_without_hand_offs_is_no_evidence(told: Dispute, tmp_path: Path) -> None:
    alone = await told.vendor.new_ticket("Своими силами")
    with refused("no_handoff"):
        await export(told.vendor, tmp_path / "x.zip", ticket=alone.id)
    with refused("no_handoff"):
        await ticket_bundle(
            told.vendor, told.work, tmp_path / "x.zip", handoffs=[HandoffId("hnd_" + "0" * 32)]
        )


@on_one_database
async def test_books_that_do_not_hold_together_are_not_exported(
    told: Dispute, tmp_path: Path
) -> None:
    def spoil(tx: Any) -> None:
        tx.connection.execute(
            update(outbox).where(outbox.c.type == "comment.add").values(data='{"salt":"A"}')
        )

    await told.vendor.hub.db.write(spoil)
    told.network.refusals_expected = True
    with refused("evidence_broken"):
        await ticket_bundle(told.vendor, told.work, tmp_path / "x.zip")
    (last,) = await told.vendor.look(lambda c: audit.page(c, before=None, limit=1))
    assert last.event != "evidence.exported"
