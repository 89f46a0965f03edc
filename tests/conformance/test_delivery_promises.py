"""Promises of docs/protocol/delivery.md that a peer relies on when answers get lost."""

from __future__ import annotations

from pathlib import Path

from hub.actions import links
from hub.domain.delivery import DeliveryState
from hub.ids import LinkId
from hub.storage import outbox
from tests.kit.network import Network


async def test_a_second_copy_of_the_last_words_gets_their_receipt(tmp_path: Path) -> None:
    network = Network(tmp_path)
    try:
        ours, theirs = await network.company("Сервис Плюс"), await network.company("Мастер-Юг")
        link_id = LinkId(await network.link(ours, theirs))
        lost: list[str] = []

        def lose_the_first_receipt(caller: str, _method: str, url: str) -> str | None:
            if caller != ours.settings.url or not url.endswith("/messages") or lost:
                return None
            lost.append(url)
            return "drop_reply"

        network.wire.fault = lose_the_first_receipt
        await links.close(ours.hub, ours.dispatcher, link_id, "Договор кончился")
        await network.run_for(minutes=5)
        assert lost
        for company in (ours, theirs):
            rows = await company.hub.db.read(lambda tx: outbox.after(tx, link_id, 0, 10))
            assert [(row.type, row.state) for row in rows] == [
                ("link.checkpoint", DeliveryState.RECEIVED),
                ("link.close", DeliveryState.RECEIVED),
            ]
    finally:
        await network.close()
