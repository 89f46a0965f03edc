"""The handshake over the network: each step can be repeated after a break.

Nothing a partner's node says is believed before its identity key was compared with the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.actions import invitations, peers
from hub.actions.context import Actor, Hub
from hub.domain.agreement import Offer
from hub.errors import Refused, Untrusted
from hub.faults import fault
from hub.federation import calls
from hub.federation.client import PeerTransport
from hub.ids import LinkId
from hub.protocol import invitation as codes
from hub.protocol import node_document
from hub.protocol.http_signatures import FindKey
from hub.protocol.keys import KeyUse, PublicKey
from hub.protocol.node_document import NodeDocument

if TYPE_CHECKING:
    from hub.storage.links import Link

Progress = Callable[[str], None]
"""Called with the name of each step once it is done."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A link whose agreement is here, before our people said yes."""

    link: Link
    acceptance: invitations.Acceptance


async def discover(hub: Hub, transport: PeerTransport, base_url: str) -> NodeDocument:
    """What the node at this address says of itself; proven only to hold together."""
    answer = await transport.request(
        "GET",
        f"{base_url}/.well-known/txp",
        {"accept": "application/json"},
        None,
        max_bytes=hub.limits.node_document_bytes * 2,
    )
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    if answer.status != 200 or content_type != "application/json":
        raise Untrusted(
            "no_node_there",
            "There is no node at {url} (it answered {status}).",
            hint="Ask the partner whether its node runs.",
            url=base_url,
            status=answer.status,
        )
    return node_document.open(answer.body, hub.now())


async def accept(
    hub: Hub,
    transport: PeerTransport,
    actor: Actor,
    code: str,
    offer: Offer | None = None,
    progress: Progress = lambda _step: None,
) -> Prepared:
    """Take an invitation up to the point where our people look at what they would sign."""
    invitation = codes.decode(code)
    document = await discover(hub, transport, invitation.base_url)
    progress("reached")
    invitations.check_inviter(hub, invitation, document)
    progress("identity")
    acceptance = await invitations.begin(hub, actor, invitation, document, offer)
    fault("handshake.before_request")
    said = await calls.call(
        hub,
        transport,
        "POST",
        f"{invitation.base_url}/txp/v1/link-requests",
        _keys_of(hub, document),
        {"request": acceptance.request},
    )
    fault("handshake.after_request")
    progress("clock")
    if (problem := said.problem) is not None:
        raise explained(problem)
    agreement, signature = said.members.get("agreement"), said.members.get("signature")
    if not isinstance(agreement, str) or not isinstance(signature, str | None):
        raise Untrusted("malformed", "The partner's answer does not follow the protocol.")
    link = await invitations.take_agreement(hub, acceptance, agreement, signature)
    fault("handshake.before_signature")
    progress("agreement")
    return Prepared(link, acceptance)


_TOLD = {
    "not_found": "The partner's node does not know this invitation.",
    "invite_expired": "The invitation has expired, or was tried too often.",
    "invite_used": "This invitation has been used already.",
    "mac_invalid": "The invitation code does not fit.",
    "version_unsupported": "The two nodes have no protocol version in common.",
}


def explained(problem: Exception) -> Exception:
    """The peer's refusal in words for the person who pasted the code."""
    code = getattr(problem, "code", "")
    if isinstance(problem, Refused) and code in _TOLD:
        return Refused(code, _TOLD[code], hint="Ask the partner for a new invitation.")
    return problem


def _keys_of(hub: Hub, document: NodeDocument) -> FindKey:
    def find(kid: str) -> PublicKey | None:
        entry = document.key_set.find(kid, KeyUse.HTTP)
        return entry.key if entry is not None and entry.in_force(hub.now()) else None

    return find


async def exchange_signatures(hub: Hub, transport: PeerTransport, link_id: LinkId) -> Link:
    """Give the peer our signature of the agreement and take its own, if its people have signed.

    The link as it stands then. May be repeated.
    """
    link = await peers.link(hub, link_id)
    keys = await peers.keys(hub, link_id)
    if keys is None or link.our_signature is None:
        return link
    said = await calls.call(
        hub,
        transport,
        "PUT",
        f"{link.peer_base_url}/txp/v1/links/{link.id}/agreement",
        calls.pinned(hub, keys),
        {"signature": link.our_signature},
    )
    fault("handshake.after_signature")
    if (problem := said.problem) is not None:
        raise explained(problem)
    signature = said.members.get("signature")
    if isinstance(signature, str):
        return await invitations.receive_signature(hub, link_id, signature)
    return link
