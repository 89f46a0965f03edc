"""What a person is told, and what they want to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.domain.notice import Choices
from hub.storage import notices, ticket_lists
from hub.storage.database import Connection

MOST = 100


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One thing that somebody was told."""

    kind: str
    number: str | None  # of the ticket; None: it is about the node
    title: str
    at: datetime
    read: bool


def of(connection: Connection, agent_id: str) -> tuple[Choices, Sequence[NoticeLine]]:
    """What this person wants, and what they were told lately, newest first."""
    told = notices.shown(connection, agent_id, MOST)
    lines = ticket_lists.by_ids(connection, {one.ticket_id for one in told if one.ticket_id})
    return notices.standing(connection, agent_id).choices, [
        NoticeLine(
            kind=str(one.kind),
            number=None if there is None else there.number,
            title="" if there is None else there.title,
            at=one.at,
            read=one.read_at is not None,
        )
        for one in told
        for there in [lines.get(one.ticket_id or "")]
    ]
