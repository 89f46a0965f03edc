"""Keys by calls of their own: telling a peer ours, and asking it for those we cannot know.

It forgot ours, or must hear of a revocation before anything else; or we are the ones who forgot,
and believe nothing it says. What is asked for proves itself by the identity that is pinned.
"""

from __future__ import annotations

from typing import Any

from hub.actions import keys, peer_keys, peers
from hub.actions.context import Hub
from hub.errors import HubError, Untrusted
from hub.faults import fault
from hub.federation import calls
from hub.federation.client import PeerTransport
from hub.ids import LinkId
from hub.protocol.keys import KeyUse, PublicKey
from hub.protocol.members import Members


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

    said = await calls.call(
        hub,
        transport,
        "POST",
        f"{telling.link.peer_base_url}/txp/v1/links/{link_id}/keys",
        find_key,
        telling.members,
    )
    if (problem := said.problem) is not None:
        raise problem
    receipt, contested = said.members.get("receipt"), said.members.get("contested")
    if not isinstance(receipt, str) or type(contested) is not int:
        raise Untrusted("malformed", "The answer has no receipt.")
    await keys.told(hub, telling, receipt, contested)


async def ask_keys(hub: Hub, transport: PeerTransport, pinned: peers.PeerKeys) -> peers.PeerKeys:
    """Ask the peer for its keys, take them, and say that we have; what is pinned from then on.

    Raises what the transport raises, the peer's refusal as an error of ours, and
    Unavailable(answer_unsigned) where the pinned identity did not vouch for the answer.
    """
    announced: dict[str, PublicKey] = {}

    def learn(said: dict[str, Any]) -> None:
        if "key_set" in said:
            made = peer_keys.proven(pinned.identity, pinned.peer_node_id, said)
            for entry in made.key_set.keys:
                if entry.use is KeyUse.HTTP and entry.in_force(hub.now()):
                    announced[entry.kid] = entry.key

    base = f"{pinned.peer_base_url}/txp/v1/links/{pinned.link_id}"
    find_key = calls.pinned(hub, pinned, announced)
    said = await calls.call(hub, transport, "GET", f"{base}/keys", find_key, learn=learn)
    if (problem := said.problem) is not None:
        raise problem
    upto = Members(said.members, "keys").number("upto")
    taken = await peer_keys.receive_call(hub, pinned.link_id, said.members)
    fault("collect.keys_taken")
    word = {"version": taken.version, "upto": upto, "contested": taken.contested}
    now_pinned = await peers.keys(hub, pinned.link_id) or pinned
    members = {"receipt": taken.receipt, "keys": word}
    find_key = calls.pinned(hub, now_pinned)
    said = await calls.call(hub, transport, "POST", f"{base}/receipts", find_key, members)
    if (problem := said.problem) is not None:
        raise problem
    return now_pinned


async def ask_if_unknown(
    hub: Hub, transport: PeerTransport, pinned: peers.PeerKeys, error: HubError
) -> bool:
    """After a failed call: ask for the peer's keys if that was why its answer proved nothing.

    Whether they were taken; if they were not, a later failure asks again.
    """
    if not calls.signed_by_unknown_key(error):
        return False
    try:
        await ask_keys(hub, transport, pinned)
    except HubError:
        return False
    return True
