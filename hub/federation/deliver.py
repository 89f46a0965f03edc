"""Delivery: one batch to one peer, until its signed receipt covers everything we said."""

from __future__ import annotations

from typing import Final

from hub.actions import outbox, peers
from hub.actions.context import Hub
from hub.actions.outbox import Batch
from hub.errors import Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.federation import calls
from hub.federation.client import PeerTransport
from hub.federation.key_calls import ask_if_unknown
from hub.ids import LinkId
from hub.protocol.message import dump_batch

BATCHES_AT_A_TIME: Final = 8  # then other links have their turn


async def deliver(hub: Hub, transport: PeerTransport, link_id: LinkId) -> bool:
    """Send what waits for this peer, batch by batch, as long as that brings receipts.

    Whether there is more to send at once: a backlog does not hold up what others wait for.
    """
    keys = await peers.keys(hub, link_id)
    batch = await outbox.next_batch(hub, link_id)
    for _turn in range(BATCHES_AT_A_TIME):
        if batch is None or keys is None:
            return False
        started = hub.clock.monotonic()
        try:
            following = await _attempt(hub, transport, keys, batch)
        except (Refused, Untrusted, Unavailable) as error:
            hub.metrics.attempts.labels("failed").inc()
            after = error.after if isinstance(error, Unavailable) else None
            await outbox.record_failure(hub, batch, error, after)
            await ask_if_unknown(hub, transport, keys, error)
            return False
        fault("outbox.after_receipt")
        hub.metrics.attempts.labels("delivered").inc()
        hub.metrics.exchange_seconds.observe(hub.clock.monotonic() - started)
        batch = following
    return batch is not None


async def _attempt(
    hub: Hub, transport: PeerTransport, keys: peers.PeerKeys, batch: Batch
) -> Batch | None:
    """One call; the next batch. Raises where it brought no receipt for anything new."""
    fault("outbox.before_send")
    said = await calls.call(
        hub,
        transport,
        "POST",
        f"{batch.link.peer_base_url}/txp/v1/links/{batch.link.id}/messages",
        calls.pinned(hub, keys),
        raw=dump_batch(batch.messages),
    )
    fault("outbox.after_send")
    receipt = said.members.get("receipt")
    following: Batch | None = None
    if isinstance(receipt, str):
        # Also beside a refusal: what came before the refused message is stored there.
        following = await outbox.record_receipt(hub, batch.link.id, receipt)
    problem = said.problem
    if problem is not None:
        raise problem
    if not isinstance(receipt, str):
        raise Untrusted("malformed", "The answer has no receipt.")
    if following is not None and following.rows[0].seq == batch.rows[0].seq:
        raise Unavailable(outbox.NOT_STORED, "The partner's node stored nothing of what was sent.")
    return following
