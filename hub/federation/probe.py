"""A look at a node from outside: does it answer, who is it, how does its clock stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from hub.actions.context import Hub
from hub.errors import Unavailable
from hub.federation.client import PeerTransport
from hub.protocol import node_document
from hub.protocol.node_document import NodeDocument


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node showed of itself."""

    document: NodeDocument
    took: timedelta
    clock_offset: timedelta | None  # its clock ahead of ours; None where it does not say


async def probe(hub: Hub, transport: PeerTransport, base_url: str) -> Seen:
    """Read a node's document about itself.

    Raises what the transport raises, Untrusted for a document that does not hold together, and
    Unavailable(no_node_there) where something else answers.
    """
    started, asked = hub.clock.monotonic(), hub.clock.now()
    answer = await transport.request(
        "GET",
        f"{base_url}/.well-known/txp",
        {"accept": "application/json"},
        None,
        max_bytes=hub.limits.node_document_bytes * 2,
        timeout_s=10.0,
    )
    took = timedelta(seconds=hub.clock.monotonic() - started)
    if answer.status != 200:
        raise Unavailable(
            "no_node_there",
            "There is no node at {url} (it answered {status}).",
            url=base_url,
            status=answer.status,
        )
    document = node_document.open(answer.body, hub.now())
    return Seen(document, took, _offset(answer.headers.get("date"), asked + took / 2))


def _offset(date: str | None, ours: datetime) -> timedelta | None:
    """From the Date header (RFC 9110 §6.6.1), so exact to a second."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    half = timedelta(seconds=0.5)  # the header cuts fractions off
    return theirs.astimezone(UTC) + half - ours
