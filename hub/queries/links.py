"""Links as people and programs see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.domain import suspicion
from hub.domain.delivery import Health, health
from hub.protocol import agreement as agreements
from hub.queries import names
from hub.storage import custodies, deliveries, inbox, links, mail_links, outbox, streams, suspicions
from hub.storage.database import Connection
from hub.storage.links import AGREED, Link


@dataclass(frozen=True, slots=True)
class PeerView:
    """The other account of a link."""

    name: str
    node_id: str
    url: str


@dataclass(frozen=True, slots=True)
class LinkLine:
    """A link in a list."""

    id: str
    state: str
    peer: PeerView
    waiting: int  # messages without a receipt
    health: str
    kind: str  # what there is on the other side: node | mail | desk


@dataclass(frozen=True, slots=True)
class InvitationLine:
    """An invitation nobody has used yet."""

    id: str
    peer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SuspicionView:
    """How often something of one kind was refused on a link."""

    kind: str
    count: int
    first_at: datetime
    last_at: datetime
    proven: bool  # the peer did it; else somebody did it in its name


@dataclass(frozen=True, slots=True)
class MailView:
    """How a partner without a node is reached."""

    address: str
    language: str
    failed: int  # letters that did not arrive
    successor: str | None  # the link with the node that it has now


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link with its agreement and how delivery goes."""

    id: str
    state: str
    peer: PeerView
    label: str | None
    invited_by_us: bool
    digits: str | None
    suspended_by_us: bool
    suspended_by_peer: bool
    created_at: datetime
    active_at: datetime | None
    closed_at: datetime | None
    agreement_hash: str | None
    terms: Mapping[str, Any] | None
    waiting: int
    received: int
    not_applied: int
    health: str
    failures: int
    next_at: datetime | None
    last_error: str | None
    last_ok_at: datetime | None
    collects: bool  # nobody can call the peer: it collects what is for it
    collected_at: datetime | None
    suspicions: Sequence[SuspicionView]
    kind: str  # what there is on the other side: node | mail | desk
    by_mail: MailView | None


def everyone(connection: Connection, now: datetime) -> list[LinkLine]:
    """All links, oldest first."""
    return [_line(connection, one, now) for one in links.everyone(connection)]


def invited(connection: Connection) -> Sequence[InvitationLine]:
    """Invitations nobody has used, oldest first."""
    return [
        InvitationLine(one.id, one.peer_label, one.expires_at)
        for one in links.open_invitations(connection)
    ]


def _line(connection: Connection, one: Link, now: datetime) -> LinkLine:
    waiting, how, _ = _progress(connection, one, now)
    return LinkLine(one.id, one.state, _peer(one), waiting, how, one.kind)


def _peer(one: Link) -> PeerView:
    return PeerView(one.peer_name, one.peer_node_id, one.peer_base_url)


def _progress(connection: Connection, one: Link, now: datetime) -> tuple[int, str, int]:
    stream = streams.get(connection, one.id)
    if stream is None:
        return 0, "healthy", 0
    waiting = stream.out_seq - stream.receipted_seq
    worst = timedelta()
    if waiting:
        oldest = outbox.after(connection, one.id, stream.receipted_seq, 1)
        if oldest:
            worst = now - oldest[0].sealed_at
    if one.in_custody and mail_links.failed_letters(connection, one.id):
        return waiting, str(Health.OVERDUE), stream.in_seq
    if one.collects and one.closed_at is None:
        worst = max(worst, deliveries.silent_for(connection, one, now))
    return waiting, str(health(worst)), stream.in_seq


def show(connection: Connection, name: str, now: datetime) -> LinkView:
    """The link with this peer. Raises NotFound; Conflict naming the candidates."""
    one = names.link(connection, name)
    agreement = None if one.agreement is None else agreements.parse(one.agreement)
    waiting, how, received = _progress(connection, one, now)
    delivery = deliveries.get(connection, one.id)
    return LinkView(
        id=one.id,
        state=one.state,
        peer=_peer(one),
        label=links.invitation_label(connection, one.invitation_id) if one.inviter else None,
        invited_by_us=one.inviter,
        digits=None if agreement is None else agreement.digits,
        suspended_by_us=one.suspended_by_us,
        suspended_by_peer=one.suspended_by_peer,
        created_at=one.created_at,
        active_at=one.active_at,
        closed_at=one.closed_at,
        agreement_hash=one.agreement_hash,
        terms=None if agreement is None else agreement.terms,
        waiting=waiting,
        received=received,
        not_applied=inbox.waiting_count(connection, one.id) if one.state in AGREED else 0,
        health=how,
        failures=delivery.failures,
        next_at=delivery.next_at,
        last_error=delivery.last_error,
        last_ok_at=delivery.last_ok_at,
        collects=one.collects,
        collected_at=delivery.collected_at,
        suspicions=[
            SuspicionView(
                row.kind,
                row.count,
                row.first_at,
                row.last_at,
                proven=row.kind not in suspicion.UNPROVEN,
            )
            for row in suspicions.of_link(connection, one.id)
        ],
        kind=one.kind,
        by_mail=_by_mail(connection, one),
    )


def _by_mail(connection: Connection, one: Link) -> MailView | None:
    kept = custodies.find(connection, one.id)
    if kept is None:
        return None
    failed = mail_links.failed_letters(connection, one.id)
    return MailView(kept.address, kept.language, failed, kept.successor_id)
