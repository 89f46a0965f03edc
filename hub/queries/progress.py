"""How far everything is: what still waits, and what the peers' receipts prove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.domain.delivery import DeliveryState
from hub.errors import Untrusted
from hub.protocol import jws, receipts
from hub.protocol.keys import PublicKey
from hub.storage import attachments, inbox, links, nodes, outbox, streams
from hub.storage.database import Connection
from hub.storage.links import AGREED, Link


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not arrived yet."""

    unreceipted: int  # our messages without a receipt
    oldest_at: datetime | None  # when the oldest of them was sealed
    not_applied: int  # messages of peers that are stored and not applied
    files: int  # announced files that are not here

    @property
    def anything(self) -> bool:
        """Whether the node is not at rest."""
        return bool(self.unreceipted or self.not_applied or self.files)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Our messages, and how many of them a verified receipt of the peer covers."""

    messages: int
    covered: int
    receipts: int


def waiting(connection: Connection) -> Waiting:
    """What this node still waits for."""
    counted = outbox.counts(connection)
    return Waiting(
        unreceipted=counted.get(DeliveryState.QUEUED, 0) + counted.get(DeliveryState.SENT, 0),
        oldest_at=outbox.oldest_pending(connection),
        not_applied=inbox.waiting_count(connection),
        files=len(attachments.open_fetches(connection)),
    )


def coverage(connection: Connection) -> Coverage:
    """What the kept receipts prove, each verified anew against the pinned key and our hashes."""
    messages = covered = count = 0
    node = nodes.find(connection)
    for link in links.in_states(connection, AGREED):
        stream = streams.get(connection, link.id)
        if stream is None or node is None:
            continue
        messages += stream.out_seq
        proven, found = _proven(connection, link, node.node_id)
        covered += proven
        count += found
    return Coverage(messages, covered, count)


def _proven(connection: Connection, link: Link, our_node_id: str) -> tuple[int, int]:
    """(position up to which verified receipts reach, how many there are)."""
    pinned = {
        key.kid: links.public_key(key)
        for key in links.keys(connection, link.id)
        if key.use == "msg"
    }
    upto, count, start = 0, 0, 0
    while page := streams.receipts_from(connection, link.id, "received", start, 200):
        for text in page:
            reached = _verified(connection, link, text, pinned, our_node_id)
            count += 1
            upto = max(upto, reached)
            start = reached + 1
    return upto, count


def _verified(
    connection: Connection, link: Link, text: str, pinned: dict[str, PublicKey], of: str
) -> int:
    key = pinned.get(jws.peek(text).kid)
    if key is None:
        raise Untrusted("key_unknown", "A kept receipt is signed by an unknown key.")
    receipt = receipts.open_receipt(text, key, link=link.id, of=of)
    row = outbox.at(connection, link.id, receipt.upto)
    if row is None or row.hash != receipt.head:
        raise Untrusted("malformed", "A kept receipt does not fit what was sent.")
    return receipt.upto
