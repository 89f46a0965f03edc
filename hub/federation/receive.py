"""Messages of a peer on their way in, pushed by it or collected from it: verified, then stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hub.actions import inbox, peer_keys, peers
from hub.actions.context import Hub
from hub.actions.inbox import Accepted
from hub.errors import HubError
from hub.faults import fault
from hub.protocol import signing
from hub.protocol.keys import PublicKey
from hub.protocol.message import WireMessage


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a batch."""

    accepted: Accepted
    new_keys: bool  # one of the messages brought new keys of the peer
    replayed: bool  # proven messages came, and every one of them was here


async def take(
    hub: Hub,
    keys: peers.PeerKeys,
    batch: Sequence[WireMessage],
    fresh_keys: Callable[[], Awaitable[peers.PeerKeys]],
) -> Received:
    """Store these messages, as many as can be believed and continue the stream.

    `fresh_keys` looks the pinned keys up anew: those given may be a moment old. Raises what
    `inbox.accept` raises.
    """
    stopped: HubError | None = None
    verified = []
    # What a `link.keys` of this very batch brings is tried on the messages behind it.
    announced: dict[str, PublicKey] = {}
    for wire in batch:
        try:
            kid = signing.peek_kid(wire.env)
            if kid not in announced and kid not in keys.msg:
                keys = await fresh_keys()
            one = signing.open_sealed(
                wire,
                announced.get(kid) or keys.msg_key(kid),
                link=keys.link_id,
                sender=keys.peer_node_id,
                receiver=hub.account.node_id,
            )
            verified.append(one)
            if one.envelope.type == "link.keys":
                announced |= peer_keys.announced_keys(keys.identity, keys.peer_node_id, one.data)
        except HubError as error:
            stopped = error
            break
    fault("inbox.verified")
    accepted = await inbox.accept(hub, keys.link_id, verified, stopped)
    replayed = bool(verified) and not accepted.news
    return Received(accepted, new_keys=bool(announced), replayed=replayed)
