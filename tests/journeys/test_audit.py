"""Журнал аудита: ключи меняются, а подписанное прежними остаётся нашим словом."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.actions import audit as acts
from hub.actions import backups, checkpoints, evidence, handoffs, keys, links, timers, tokens
from hub.actions.evidence import ExportEvidence
from hub.actions.handoffs import OfferHandoff
from hub.domain.agreement import DisclosureClass
from hub.errors import Untrusted
from hub.ids import LinkId
from hub.protocol.audit import check_export
from hub.queries import audit as views
from hub.storage import audit
from tests.kit.story import Firm, Story

on_one_database = pytest.mark.parametrize("network", ["sqlite"], indirect=True)


async def verdict(firm: Firm) -> views.Verdict:
    return await firm.look(lambda c: views.verify(c, firm.hub.account.node_id, firm.hub.identities))


async def records(firm: Firm, event: str) -> list[dict[str, Any]]:
    """What was recorded of this kind, oldest first."""
    found = await firm.look(lambda c: list(audit.everything(c)))
    return [{"actor": one.actor, **json.loads(one.facts)} for one in found if one.event == event]


async def test_heads_of_former_identities_stay_ours_and_partners_stay_witnesses(
    network: Story,
) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    link = LinkId(await vendor.link_to(master.name))
    for _ in range(3):
        for firm in (vendor, master):
            await firm._do(checkpoints.ask(firm.hub, firm.dispatcher, link))
        await network.pass_time(hours=2)
        await timers.run(vendor.hub)
        await keys.replace_identity(vendor.hub, vendor.dispatcher)
        await keys.rotate(vendor.hub, vendor.dispatcher, keys.uses_of("all"))
        await network.pass_time(hours=2)
    found = await verdict(vendor)
    assert found.problems == []
    assert found.heads >= 3
    assert found.told >= 3
    assert "audit_rewritten" not in await master.alarms()


async def test_an_export_is_known_by_any_identity_its_node_ever_had(network: Story) -> None:
    (vendor,) = await network.linked("Касса-Сервис")
    known = [vendor.hub.keys.identity.kid]
    for _ in range(2):
        await keys.replace_identity(vendor.hub, vendor.dispatcher)
        known.append(vendor.hub.keys.identity.kid)
    lines = list(await acts.export(vendor.hub, vendor.dispatcher))
    for one in known:
        found = check_export(lines, signed_by=one)
        assert (found.node, found.key) == (known[0], known[-1])
    with pytest.raises(Untrusted, match="altered"):
        check_export(lines, signed_by="A" * 43)
    # Whoever has another key cannot put itself behind a node by saying so.
    first = json.loads(lines[0])
    for changed in (
        {**first, "succession": first["succession"][2:]},
        {name: value for name, value in first.items() if name != "succession"},
    ):
        text = json.dumps(changed, ensure_ascii=False, separators=(",", ":")) + "\n"
        with pytest.raises(Untrusted, match="altered"):
            check_export([text.encode(), *lines[1:]])


@on_one_database
async def test_changes_of_keys_are_recorded_on_both_sides(network: Story) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    link = LinkId(await vendor.link_to(master.name))
    await keys.rotate(vendor.hub, vendor.dispatcher, keys.uses_of("msg"))
    await network.pass_time(hours=1)
    await keys.replace_identity(vendor.hub, vendor.dispatcher)
    await network.pass_time(hours=1)
    stolen = vendor.hub.keys.message.kid
    await keys.revoke(vendor.hub, vendor.dispatcher, stolen, "утечка")
    await network.pass_time(hours=1)
    ours = await records(vendor, "keys.changed")
    assert [one["version"] for one in ours] == [2, 3, 4]
    assert ours[1]["identity"] == vendor.hub.keys.identity.kid
    assert ours[2]["revoked"] == [stolen]
    assert {one["actor"] for one in ours} == {vendor.dispatcher.ref}
    node = vendor.hub.account.node_id
    told = await records(master, "link.keys")
    assert {one["actor"] for one in told} == {node}
    # The revocation came by a call of its own, and then in its place in the stream.
    assert [(one["version"], one.get("beside", False)) for one in told] == [
        (2, False), (3, False), (4, True), (4, False),
    ]  # fmt: skip
    assert (await records(master, "keys.revoked"))[0]["link"] == link
    for firm in (vendor, master):
        await links.resume(firm.hub, firm.dispatcher, link)
    await network.pass_time(hours=1)


@on_one_database
async def test_what_is_withheld_is_recorded_with_the_offer(network: Story) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Скрипит лента")
    wish = OfferHandoff(
        ticket.id,
        LinkId(await vendor.link_to(master.name)),
        withhold=frozenset({DisclosureClass.CONTACT}),
    )
    await vendor._do(handoffs.offer(vendor.hub, vendor.dispatcher, wish))
    (offered,) = await records(vendor, "handoff.offered")
    assert offered["withheld"] == ["contact"]
    assert "contact" not in offered["disclosed"]


@on_one_database
async def test_every_way_out_of_the_node_is_recorded(network: Story, tmp_path: Any) -> None:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    link = LinkId(await vendor.link_to(master.name))
    hub, admin = vendor.hub, vendor.dispatcher
    await evidence.export(hub, admin, ExportEvidence(link=link))
    list(await acts.export(hub, admin))
    await backups.create(hub, admin, vendor.settings, tmp_path / "x.hub")
    for event in ("evidence.exported", "audit.exported", "backup.made"):
        assert [one["actor"] for one in await records(vendor, event)] == [admin.ref]


@on_one_database
async def test_a_dead_token_that_is_tried_is_recorded_once_a_day(network: Story) -> None:
    (vendor,) = await network.linked("Касса-Сервис")
    hub, admin = vendor.hub, vendor.dispatcher
    token, plain = await tokens.new(hub, admin, admin.ref, "desk", ["tickets:read"], None)  # type: ignore[arg-type]
    await tokens.revoke(hub, admin, token)
    for day in (1, 2):
        for _ in range(3):
            with pytest.raises(Untrusted):
                await tokens.authenticate(hub, plain)
        found = await records(vendor, "token.denied")
        assert [(one["actor"], one["token"]) for one in found] == [(admin.ref, token)] * day
        assert {one["why"] for one in found} == {"revoked"}
        await network.pass_time(days=1)
