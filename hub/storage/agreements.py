"""Revisions of a link's agreement, and proposals that did not become one. Nothing is deleted.

The first revision is the one both signed in the handshake: it stands in the link itself, and
its hash is what both streams and every hand-off's chain begin with, for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from hub.domain.amendment import AmendmentState
from hub.ids import LinkId, MessageId
from hub.protocol.encoding import unb64url
from hub.storage import inbox, outbox, statements, streams
from hub.storage.database import Tx
from hub.storage.links import Link
from hub.storage.statements import Query, columns_of
from hub.storage.tables import agreements


@dataclass(frozen=True, slots=True)
class Amendment:
    """A proposed agreement; with state `agreed` it is a revision."""

    id: MessageId  # of the `link.amend` that proposed it
    link_id: LinkId
    revision: int
    by_us: bool
    text: str
    hash: str
    our_signature: str | None
    peer_signature: str | None
    state: AmendmentState
    reason: str | None
    proposed_at: datetime
    settled_at: datetime | None
    amended_id: MessageId | None  # our `link.amended`, where we accepted it
    amended_seq: int | None  # position of the peer's `link.amended`, where the peer did


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the agreement, signed by both."""

    number: int
    text: str
    hash: str
    our_signature: str | None
    peer_signature: str | None
    by_us: bool
    agreed_at: datetime | None
    amendment: Amendment | None  # None: the founding one


_ROW: Final = select(*columns_of(agreements, Amendment))
_OF_LINK: Final = Query(
    _ROW.where(agreements.c.link_id == bindparam("link_id")).order_by(agreements.c.id),
    Amendment,
    state=AmendmentState,
)


def add(tx: Tx, amendment: Amendment) -> None:
    """Store a proposal."""
    statements.add_record(tx, agreements, amendment)


def change(tx: Tx, amendment_id: str, **values: Any) -> None:
    """Set these columns of a proposal."""
    statements.change(tx, agreements, {"id": amendment_id}, values)


def proposals(connection: Connection, link_id: str) -> list[Amendment]:
    """Everything that was ever proposed on this link, oldest first."""
    return _OF_LINK.all(connection, link_id=link_id)


def waiting(connection: Connection, link_id: str, *, by_us: bool) -> Amendment | None:
    """The proposal of this side that is not settled, or None: there is at most one."""
    for one in proposals(connection, link_id):
        if one.by_us is by_us and one.settled_at is None:
            return one
    return None


def revisions(connection: Connection, link: Link) -> list[Revision]:
    """Every revision of the link's agreement, from the founding one on."""
    assert link.agreement is not None
    assert link.agreement_hash is not None
    founding = Revision(
        number=1,
        text=link.agreement,
        hash=link.agreement_hash,
        our_signature=link.our_signature,
        peer_signature=link.peer_signature,
        by_us=link.inviter,
        agreed_at=link.active_at,
        amendment=None,
    )
    agreed = [
        Revision(
            number=one.revision,
            text=one.text,
            hash=one.hash,
            our_signature=one.our_signature,
            peer_signature=one.peer_signature,
            by_us=one.by_us,
            agreed_at=one.settled_at,
            amendment=one,
        )
        for one in proposals(connection, link.id)
        if one.state is AmendmentState.AGREED
    ]
    return [founding, *sorted(agreed, key=lambda one: one.number)]


def newest(connection: Connection, link: Link) -> Revision:
    """The last revision that both signed, wherever it is in force yet."""
    return revisions(connection, link)[-1]


def at_peers_place(
    connection: Connection, link: Link, seq: int, ack: tuple[int, str] | None
) -> Revision:
    """The revision in force at this place of the peer's stream.

    What the peer accepted holds right after its `link.amended`; what we accepted holds there
    from the first message that had ours applied, as its `ack` says.
    """
    found = revisions(connection, link)
    for revision in reversed(found[1:]):
        amendment = revision.amendment
        assert amendment is not None
        if amendment.amended_seq is not None:
            if seq > amendment.amended_seq:
                return revision
            continue
        assert amendment.amended_id is not None
        # Looked up each time: a new epoch may have moved it before the peer had it.
        ours = outbox.find(connection, amendment.amended_id)
        if ours is not None and ack is not None and ack[0] >= ours.seq:
            return revision
    return found[0]


def first_place_under(
    connection: Connection, link_id: str, revision: int, *, ours: bool
) -> int | None:
    """The first position of a stream (ours, or the peer's) written under this revision or later.

    Read off the signed messages themselves, which name their revision. None: none is yet.
    """
    at = outbox.at if ours else inbox.at
    stream = streams.get(connection, link_id)
    if stream is None:
        return None
    low, high = 1, (stream.out_seq if ours else stream.in_seq) + 1
    last = high
    while low < high:
        middle = (low + high) // 2
        row = at(connection, link_id, middle)
        if row is not None and _written_under(row.env) >= revision:
            high = middle
        else:
            low = middle + 1
    return low if low < last else None


def _written_under(env: str) -> int:
    return int(json.loads(unb64url(env.split(".")[1]))["agr"])
