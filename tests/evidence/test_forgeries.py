"""A thousand forgeries of a bundle, and a thousand of them found out."""

from __future__ import annotations

import asyncio
import collections
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.actions import keys, links
from hub.evidence import verify as verifier
from hub.ids import LinkId
from hub.protocol.keys import PrivateKey
from tests.evidence.conftest import Stranger, change_keys, dispute, link_bundle, ticket_bundle
from tests.evidence.mutations import (
    FORGER,
    FORGERIES,
    Bundle,
    by_a_dishonest_exporter,
    forged,
    relisted,
    written,
)
from tests.kit.story import Story

SEEDS = 1000
DISHONEST = 280


@dataclass
class Exhibits:
    """Bundles by both sides, and what each exporter signs with: of one story, and of one more
    in which both sides changed their keys in every way, the link ended, and they did again.
    """

    bundles: list[Bundle]
    signers: list[PrivateKey]


@pytest.fixture(scope="module")
def exhibits(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Exhibits:
    root = tmp_path_factory.mktemp("exhibits")

    async def made() -> Exhibits:
        async def copied(data: Path) -> str:
            shutil.copy(sqlite_template, data / "hub.db")
            return ""

        network = Story(root, copied, seed="exhibits")
        try:
            told = await dispute(network)
            vendor, master, work = told.vendor, told.master, told.work
            paths = [root / f"{index}.zip" for index in range(6)]
            await ticket_bundle(vendor, work, paths[0], files=True)
            await link_bundle(vendor, work, paths[1])
            await ticket_bundle(master, work, paths[2], redact=["comments"])
            signers = [one.hub.keys.message for one in (vendor, vendor, master)]
            for firm in (vendor, master):
                for what in ("identity", "rotate", "revoke", "identity"):
                    await change_keys(told, firm, what)
                    await firm.say(told.ticket if firm is vendor else work, f"Потом: {what}")
            await links.close(vendor.hub, vendor.dispatcher, LinkId(work.link))
            await network.pass_time(hours=1)
            for firm, write, path in (
                (vendor, link_bundle, paths[3]),
                (master, link_bundle, paths[4]),
                (vendor, ticket_bundle, paths[5]),
            ):
                await keys.replace_identity(firm.hub, firm.dispatcher)
                await keys.rotate(firm.hub, firm.dispatcher, keys.uses_of("all"))
                await write(firm, work, path)
                signers.append(firm.hub.keys.message)
            return Exhibits([Bundle.of(path.read_bytes()) for path in paths], signers)
        finally:
            await network.close()

    return asyncio.run(made())


def _verdict(raw: bytes) -> verifier.Result:
    return verifier.verify(io.BytesIO(raw))


def test_what_was_exported_verifies(exhibits: Exhibits) -> None:
    for bundle in exhibits.bundles:
        assert _verdict(bundle.raw).problems == []
        assert written(bundle.entries) == bundle.raw  # of its entries there is one archive only


def test_a_thousand_forgeries_are_found_out(exhibits: Exhibits) -> None:
    kinds: collections.Counter[str] = collections.Counter()
    passed = []
    for seed in range(SEEDS):
        kind, raw = forged(seed, exhibits.bundles[seed % len(exhibits.bundles)])
        kinds[kind] += 1
        result = _verdict(raw)
        if result.verdict != "altered":
            passed.append((seed, kind))
        else:
            for lang in ("en", "ru"):
                assert all(one.text(lang) for one in result.problems)
    assert passed == []
    assert kinds.keys() == FORGERIES.keys()
    assert sum(kinds.values()) == SEEDS
    print(f"{SEEDS - len(passed)} of {SEEDS} forgeries of {len(kinds)} kinds detected")


def test_an_exporter_cannot_change_what_was_said_and_sign_it_again(exhibits: Exhibits) -> None:
    passed = []
    for seed in range(DISHONEST):
        # Of the last, a ticket, it may leave out by right what was said about the link alone.
        which = seed % (len(exhibits.bundles) - 1)
        bundle, signer = exhibits.bundles[which], exhibits.signers[which]
        kind, raw = by_a_dishonest_exporter(seed, bundle, signer)
        if _verdict(raw).verdict != "altered":
            passed.append((seed, kind))
    assert passed == []


def test_only_the_report_and_the_program_are_free(exhibits: Exhibits) -> None:
    for bundle in exhibits.bundles:
        for name in bundle.entries:
            changed = written({**bundle.entries, name: bundle.entries[name] + b" "})
            result = _verdict(changed)
            if name in verifier.FREE:
                assert result.problems == []
                assert [
                    one.facts["name"] for one in result.findings if one.code == "free_entry"
                ] == [name]
            else:
                assert result.problems, name


def test_a_forgery_is_named_by_the_program_itself(
    exhibits: Exhibits, third_party: Stranger, tmp_path: Path
) -> None:
    path = tmp_path / "forged.zip"
    entries = exhibits.bundles[0].entries
    changed = entries["links/1/invitee.ndjson"].replace("шлейф".encode(), "шлеиф".encode())
    path.write_bytes(written({**entries, "links/1/invitee.ndjson": changed}))
    done = third_party.verify(path)
    assert done.code == 1
    (problem,) = done.said["problems"]
    assert (problem["where"], problem["code"]) == ("links/1/invitee.ndjson", "digest")
    assert done.said["links"] == []  # nothing of it is shown as if it were true
    path.write_bytes(written(relisted({**entries, "links/1/invitee.ndjson": changed}, FORGER)))
    (problem,) = third_party.verify(path).said["problems"]
    assert (problem["where"], problem["code"]) == ("manifest.jws", "unknown_key")
    resigned = relisted({**entries, "links/1/invitee.ndjson": changed}, exhibits.signers[0])
    path.write_bytes(written(resigned))
    done = third_party.verify(path, "--lang", "ru", as_json=False)
    assert done.code == 1
    assert done.out.startswith("ИЗМЕНЕНО")
    assert "links/1/invitee.ndjson: содержание сообщения msg_" in done.out
