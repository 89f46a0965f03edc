"""Every limit with its value, what is used of it now, and what all of them cost at worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.domain import limits as rules
from hub.settings import Limits
from hub.storage import attachments, inbox, links, suspicions
from hub.storage.database import Connection
from hub.storage.links import AGREED, LinkState


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit."""

    name: str
    value: float
    why: str
    used: int | None  # by the link that uses most of it; None where that is not stored


@dataclass(frozen=True, slots=True)
class LimitsView:
    """All of them, and bytes at worst by what takes them."""

    limits: list[LimitView]
    memory: Mapping[str, int]
    disk: Mapping[str, int]  # that the partners of today can fill
    links: int


def show(connection: Connection, limits: Limits) -> LimitsView:
    """The limits in force and their use."""
    agreed = links.in_states(connection, AGREED)
    waiting = links.in_states(connection, {LinkState.REQUESTED, LinkState.AWAITING_CONFIRMATION})
    used = {
        "inbox_messages_per_link": max(
            (inbox.waiting_count(connection, one.id) for one in agreed), default=0
        ),
        "link_files_bytes": max(
            (attachments.link_bytes(connection, one.id) for one in agreed), default=0
        ),
        "pending_links_per_domain": len(waiting),
    }
    values = limits.model_dump()
    return LimitsView(
        limits=[
            LimitView(name, values[name], field.description or "", used.get(name))
            for name, field in Limits.model_fields.items()
        ],
        memory=rules.worst_memory(values),
        disk=rules.worst_disk(values, len(agreed)),
        links=len(agreed),
    )


@dataclass(frozen=True, slots=True)
class SuspiciousPeer:
    """Something that was refused often in the last hour."""

    peer: str  # empty: strangers
    link: str
    kind: str
    count: int
    last_at: datetime


def suspicious(connection: Connection, limits: Limits, now: datetime) -> list[SuspiciousPeer]:
    """Links on which more was refused in the last hour than people should hear of."""
    found = []
    for one in suspicions.since(connection, now - timedelta(hours=1)):
        link = links.find(connection, one.link_id) if one.link_id else None
        if link is not None and one.hour_count >= limits.suspicions_alert:
            found.append(
                SuspiciousPeer(link.peer_name, link.id, one.kind, one.hour_count, one.last_at)
            )
    return found
