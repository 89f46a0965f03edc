"""The agreement of a link as it changed: revisions in force, and the proposal that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.agreement import INVITEE_TO_INVITER, INVITER_TO_INVITEE
from hub.domain.amendment import changes
from hub.errors import Conflict
from hub.protocol import agreement as agreements
from hub.queries import names
from hub.storage import agreements as stored
from hub.storage.agreements import Amendment
from hub.storage.database import Connection
from hub.storage.links import Link

DIRECTION_LABELS: Final[Mapping[str, str]] = {
    "to_peer": "we → {peer}",
    "from_peer": "{peer} → we",
    "both": "both ways",
}
"""Whose side a change is about: message ids."""


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One term that becomes another."""

    direction: str  # to_peer | from_peer | both
    term: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AmendmentView:
    """A proposal to change the agreement, and what it changes."""

    id: str
    revision: int
    by_us: bool
    state: str
    reason: str | None
    proposed_at: datetime
    settled_at: datetime | None
    agreement_hash: str
    changes: Sequence[ChangeView]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision that both signed, and from which message on it is in force."""

    number: int
    agreement_hash: str
    agreement: str  # the exact text
    our_signature: str | None
    peer_signature: str | None
    proposed_by_us: bool
    agreed_at: datetime | None
    out_from: int | None  # our first message under it; None: none is written yet
    in_from: int | None  # the peer's first


@dataclass(frozen=True, slots=True)
class AmendmentsView:
    """How the agreement with a peer came to be what it is."""

    link: str
    peer: str
    revision: int  # in force in our stream
    open: AmendmentView | None
    proposals: Sequence[AmendmentView]  # oldest first
    revisions: Sequence[RevisionView]


def show(connection: Connection, name: str) -> AmendmentsView:
    """How the agreement with this peer came about. Raises NotFound, Conflict (none yet)."""
    link = names.link(connection, name)
    if link.agreement is None:
        raise Conflict(
            "link_not_active",
            "The link with {peer} has no agreement yet.",
            peer=link.peer_name,
        )
    revisions = stored.revisions(connection, link)
    terms = {one.number: agreements.parse(one.text).terms for one in revisions}
    proposals = [
        _amendment(link, one, terms[one.revision - 1])
        for one in stored.proposals(connection, link.id)
    ]
    return AmendmentsView(
        link=link.id,
        peer=link.peer_name,
        revision=link.revision,
        open=next((one for one in proposals if one.settled_at is None), None),
        proposals=proposals,
        revisions=[
            RevisionView(
                number=one.number,
                agreement_hash=one.hash,
                agreement=one.text,
                our_signature=one.our_signature,
                peer_signature=one.peer_signature,
                proposed_by_us=one.by_us,
                agreed_at=one.agreed_at,
                out_from=stored.first_place_under(connection, link.id, one.number, ours=True),
                in_from=stored.first_place_under(connection, link.id, one.number, ours=False),
            )
            for one in revisions
        ],
    )


def _amendment(link: Link, one: Amendment, before: dict[str, Any]) -> AmendmentView:
    ours = INVITER_TO_INVITEE if link.inviter else INVITEE_TO_INVITER
    theirs = INVITEE_TO_INVITER if link.inviter else INVITER_TO_INVITEE
    side = {ours: "to_peer", theirs: "from_peer"}
    return AmendmentView(
        id=one.id,
        revision=one.revision,
        by_us=one.by_us,
        state=one.state,
        reason=one.reason,
        proposed_at=one.proposed_at,
        settled_at=one.settled_at,
        agreement_hash=one.hash,
        changes=[
            ChangeView(side.get(each.where, "both"), each.term, each.before, each.after)
            for each in changes(before, agreements.parse(one.text).terms)
        ],
    )
