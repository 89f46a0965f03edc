"""Keys change in every way, before and after the end of a link: evidence of it stays good."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.actions import keys, links
from hub.ids import LinkId
from tests.evidence.conftest import (
    Dispute,
    Stranger,
    change_keys,
    dispute,
    link_bundle,
    ticket_bundle,
)
from tests.kit.story import Story

WHOSE = ("vendor", "master")


@pytest.fixture
async def told(network: Story) -> Dispute:
    return await dispute(network)


async def believed(told: Dispute, third_party: Stranger, path: Path, **wish: object) -> None:
    """Both sides export the ticket and the link, and all four bundles verify."""
    for firm in (told.vendor, told.master):
        for write in (ticket_bundle, link_bundle):
            limits = wish if write is link_bundle else {}
            await write(firm, told.work, path, **limits)
            done = third_party.verify(path)
            assert done.code == 0, done.out
            assert not [one for one in done.findings if one.startswith("contested")]


@pytest.mark.parametrize("whose", WHOSE)
async def test_a_link_that_ended_before_the_identity_changed_is_still_evidence(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path, whose: str
) -> None:
    firm = getattr(told, whose)
    await links.close(told.vendor.hub, told.vendor.dispatcher, LinkId(told.work.link))
    await network.pass_time(hours=1)
    for _ in range(2):
        await keys.replace_identity(firm.hub, firm.dispatcher)
        await keys.rotate(firm.hub, firm.dispatcher, keys.uses_of("all"))
        await network.pass_time(hours=1)
        await believed(told, third_party, tmp_path / "bundle.zip")


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("what", ["rotate", "revoke", "identity"])
async def test_keys_that_change_in_the_middle_of_what_is_exported(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path, what: str, whose: str
) -> None:
    before = network.clock.now()
    await network.pass_time(days=1)
    await change_keys(told, getattr(told, whose), what)
    middle = network.clock.now()
    await told.vendor.say(told.ticket, "Уже новым ключом")
    await network.pass_time(days=1)
    await believed(told, third_party, tmp_path / "bundle.zip")
    await believed(told, third_party, tmp_path / "bundle.zip", until=before)
    await believed(told, third_party, tmp_path / "bundle.zip", since=middle)


@pytest.mark.parametrize("whose", WHOSE)
async def test_an_identity_that_was_told_beside_the_stream_only(
    network: Story, told: Dispute, third_party: Stranger, tmp_path: Path, whose: str
) -> None:
    firm = getattr(told, whose)
    other = told.master if firm is told.vendor else told.vendor
    network.wire.fault = lambda caller, method, url: (
        "drop_request"
        if caller == firm.settings.url and method == "POST" and url.endswith("/messages")
        else None
    )
    await keys.replace_identity(firm.hub, firm.dispatcher)
    await keys.revoke(firm.hub, firm.dispatcher, firm.hub.keys.message.kid, "утечка")
    await network.pass_time(hours=1)
    await links.resume(other.hub, other.dispatcher, LinkId(told.work.link))
    await network.pass_time(hours=1)
    # What the new keys gave a receipt for is exported where no message tells of them.
    await believed(told, third_party, tmp_path / "bundle.zip")
    network.wire.fault = lambda *_: None
    await links.resume(firm.hub, firm.dispatcher, LinkId(told.work.link))
    await network.pass_time(hours=1)
    await believed(told, third_party, tmp_path / "bundle.zip")
