"""Telling one peer our keys by a call of its own: after a revocation, or when it forgot us."""

from __future__ import annotations

from hub.actions import keys, peers
from hub.actions.context import Hub
from hub.errors import Untrusted
from hub.federation import calls
from hub.federation.client import PeerTransport
from hub.ids import LinkId
from hub.protocol.keys import PublicKey


async def tell_keys(hub: Hub, transport: PeerTransport, link_id: LinkId) -> None:
    """Call the peer once, signed by the newest http key, whose set the call brings along.

    Raises what the transport raises, and the peer's refusal as an error of ours.
    """
    telling = await keys.telling(hub, link_id)
    pinned = await peers.keys(hub, link_id)
    if telling is None or pinned is None:
        return

    def find_key(kid: str) -> PublicKey | None:
        return pinned.http_key(kid, hub.now())

    members = {"key_set": telling.key_set, "upto": telling.upto, "head": telling.head}
    if telling.succession:
        members["succession"] = list(telling.succession)
    said = await calls.call(
        hub,
        transport,
        "POST",
        f"{telling.link.peer_base_url}/txp/v1/links/{link_id}/keys",
        find_key,
        members,
    )
    if (problem := said.problem) is not None:
        raise problem
    receipt, contested = said.members.get("receipt"), said.members.get("contested")
    if not isinstance(receipt, str) or type(contested) is not int:
        raise Untrusted("malformed", "The answer has no receipt.")
    await keys.told(hub, telling, receipt, contested)
