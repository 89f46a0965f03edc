"""A payload that is not there: left out, erased on request, or kept long enough; each by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hub.actions import erasures, links
from hub.ids import LinkId
from tests.evidence.conftest import Stranger, link_bundle, ticket_bundle
from tests.evidence.ledger import HANDOFF, Ledger
from tests.evidence.test_verifier import findings, verdict
from tests.kit.story import Firm, Story, Work

WORDS = {
    "en": ("«left out»", "«erased on request»", "«kept long enough»"),
    "ru": ("«не включено»", "«стёрто по запросу»", "«срок хранения вышел»"),
}


async def done(vendor: Firm, master: Firm) -> Work:
    """A hand-off that is over."""
    work = await vendor.hand_off(await vendor.new_ticket("Скрипит лента"), to=master)
    await master.accept(work)
    await master.say(work, "Выезжаем")
    await master.resolve(work, "Смазали")
    await vendor.confirm(work, 5)
    await vendor.close(work)
    return work


async def erase(firm: Firm, work: Work) -> None:
    ticket = await firm.ticket_of(work)
    await firm._do(erasures.erase(firm.hub, firm.dispatcher, ticket.id, "По просьбе человека"))


async def test_each_reason_has_its_own_name_in_one_bundle(
    network: Story, third_party: Stranger, tmp_path: Path
) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    old = await done(vendor, master)
    await network.pass_time(days=60)
    asked, fresh = await done(vendor, master), await done(vendor, master)
    await erase(vendor, asked)
    await network.pass_time(hours=1)
    path = tmp_path / "bundle.zip"
    for firm in (vendor, master):
        for language, words in WORDS.items():
            await link_bundle(firm, fresh, path, redact=["comments"], language=language)
            said = third_party.verify(path)
            assert said.code == 0, said.out
            (view,) = said.said["links"]
            marked: dict[str, set[str]] = {}
            for one in view["timeline"]:
                for mark in one["marks"]:
                    marked.setdefault(mark, set()).add(one["handoff"])
            assert marked == {"pruned": {old.id}, "erased": {asked.id}, "redacted": {fresh.id}}
            assert set(said.findings) == {"pruned", "erased", "redacted"}
            with zipfile.ZipFile(path) as archive:
                report = archive.read("report.html").decode()
            shown = third_party.verify(path, "--lang", language, as_json=False).out
            for word in words:
                assert word in report
                assert word in shown


async def test_a_contractors_request_is_about_its_own_words(
    network: Story, third_party: Stranger, tmp_path: Path
) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await done(vendor, master)
    await erase(master, work)
    await network.pass_time(days=60)
    await ticket_bundle(vendor, work, tmp_path / "x.zip")
    said = third_party.verify(tmp_path / "x.zip").said
    (view,) = said["links"]
    side = next(one for one, party in view["parties"].items() if party["name"] == master.name)
    for mark, by in (("erased", {side}), ("pruned", {"inviter", "invitee"} - {side})):
        assert {one["by"] for one in view["timeline"] if mark in one["marks"]} == by


async def test_what_nobody_could_be_asked_to_erase_is_only_the_exporters_word(
    network: Story, third_party: Stranger, tmp_path: Path
) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    work = await done(vendor, master)
    await links.close(vendor.hub, vendor.dispatcher, LinkId(work.link))
    await network.pass_time(hours=1)
    await erase(vendor, work)
    for write in (ticket_bundle, link_bundle):
        await write(vendor, work, tmp_path / "x.zip")
        found = third_party.verify(tmp_path / "x.zip")
        assert (found.code, set(found.findings)) == (0, {"erased_unasked"})


def test_an_exporter_cannot_call_erased_what_nobody_asked_to_erase() -> None:
    ledger = Ledger()
    ledger.work()
    before = ledger.sides["invitee"].log[-1]
    ledger.gone[before.envelope.id] = "erased"
    assert findings(ledger) == {"erased_unasked": 1}
    assert verdict(ledger).links[0].timeline[-1].marks == ["erased_unasked"]
    ledger.write("inviter", "data.erase", {"scope": "ticket"}, handoff=HANDOFF)
    ledger.receipt("inviter")
    assert findings(ledger) == {"erased": 1}
    # What its author said after its own request is not covered by it.
    ledger.step("inviter", "update", title="Ещё раз")
    ledger.receipt("inviter")
    ledger.gone = {ledger.sides["inviter"].log[-1].envelope.id: "erased"}
    assert findings(ledger) == {"erased_unasked": 1}
    ledger.gone = {before.envelope.id: "pruned"}
    assert findings(ledger) == {"pruned": 1}
