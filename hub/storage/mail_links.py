"""What partners without a node may do by a click, did, and were reminded of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from hub.domain.handoff import State
from hub.domain.mail_act import MailAct
from hub.ids import HandoffId, LinkId
from hub.storage.correspondences import hashed
from hub.storage.database import Tx, for_update
from hub.storage.links import LinkKind, LinkState
from hub.storage.posts import PostState
from hub.storage.tables import (
    correspondences,
    custodies,
    handoff_streams,
    handoffs,
    links,
    mail_acts,
    outbox,
    posts,
    reminders,
    testimonies,
)


@dataclass(frozen=True, slots=True)
class ActLink:
    """One link in a letter: one act, on one hand-off, for one address, once."""

    id: str
    token_hash: str
    link_id: LinkId
    handoff_id: HandoffId
    act: MailAct
    address: str
    cause_id: str | None
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Testimony:
    """What stands behind a message that our node sealed for a partner."""

    message_id: str
    link_id: LinkId
    handoff_id: str
    way: str  # letter | page | rule: the partner's node would have done it by itself
    letter_id: str | None
    facts: dict[str, Any]
    at: datetime


def add_act(tx: Tx, one: ActLink) -> None:
    """Store a new one."""
    values = {name: getattr(one, name) for name in ActLink.__dataclass_fields__}
    tx.connection.execute(insert(mail_acts).values(**values))


def _act(row: Any) -> ActLink:
    values = dict(row._mapping)
    values["act"] = MailAct(values["act"])
    return ActLink(**values)


def by_token(connection: Connection, token: str) -> ActLink | None:
    """The one that this token opens."""
    query = select(mail_acts).where(mail_acts.c.token_hash == hashed(token))
    row = connection.execute(query).one_or_none()
    return None if row is None else _act(row)


def lock_act(tx: Tx, act_id: str) -> ActLink:
    """The one with this id, locked until the commit."""
    query = for_update(tx, select(mail_acts).where(mail_acts.c.id == act_id))
    return _act(tx.connection.execute(query).one())


def used(tx: Tx, act_id: str, at: datetime, message_id: str | None) -> None:
    """It has done what it was for."""
    tx.connection.execute(
        update(mail_acts).where(mail_acts.c.id == act_id).values(used_at=at, message_id=message_id)
    )


def testify(tx: Tx, one: Testimony) -> None:
    """Keep what stands behind a message."""
    values = {name: getattr(one, name) for name in Testimony.__dataclass_fields__}
    tx.connection.execute(insert(testimonies).values(**values))


def testimonies_of(connection: Connection, message_ids: Collection[str]) -> list[Testimony]:
    """What stands behind these messages, oldest first."""
    query = select(testimonies).where(testimonies.c.message_id.in_(message_ids))
    rows = connection.execute(query.order_by(testimonies.c.at, testimonies.c.message_id))
    return [Testimony(**row._mapping) for row in rows]


def left_behind(connection: Connection, handoff_id: str, link_id: str) -> list[LinkId]:
    """Links along which this hand-off went before its partner had a node."""
    query = (
        select(handoff_streams.c.link_id)
        .join(custodies, custodies.c.link_id == handoff_streams.c.link_id)
        .where(
            handoff_streams.c.handoff_id == handoff_id,
            custodies.c.successor_id == link_id,
        )
    )
    return [LinkId(one) for one in connection.execute(query).scalars()]


def failed_letters(connection: Connection, link_id: str) -> int:
    """How many letters to the partner of this link did not arrive, and nobody has settled that."""
    threads = (
        select(correspondences.c.id)
        .join(handoffs, handoffs.c.id == correspondences.c.handoff_id)
        .where(handoffs.c.link_id == link_id)
    )
    about_the_link = select(outbox.c.id).where(
        outbox.c.link_id == link_id, outbox.c.handoff_id.is_(None)
    )
    query = (
        select(func.count())
        .select_from(posts)
        .where(
            posts.c.correspondence_id.in_(threads) | posts.c.said_id.in_(about_the_link),
            (posts.c.state == PostState.FAILED)
            | (posts.c.bounced_at.is_not(None) & (posts.c.state == PostState.SENT)),
        )
    )
    return int(connection.execute(query).scalar_one())


def at_work(connection: Connection, states: Collection[State]) -> list[HandoffId]:
    """Hand-offs in these states that a partner without a node was given by mail."""
    query = (
        select(handoffs.c.id)
        .join(links, links.c.id == handoffs.c.link_id)
        .join(custodies, custodies.c.link_id == links.c.id)
        .where(
            links.c.kind == LinkKind.MAIL,
            links.c.state == LinkState.ACTIVE,
            handoffs.c.state.in_(sorted(states)),
            handoffs.c.detached_at.is_(None),
        )
        .order_by(handoffs.c.id)
    )
    return [HandoffId(one) for one in connection.execute(query).scalars()]


def reminded(connection: Connection, handoff_id: str) -> set[str]:
    """The stages of which its partner was reminded."""
    query = select(reminders.c.stage).where(reminders.c.handoff_id == handoff_id)
    return set(connection.execute(query).scalars())


def remind(tx: Tx, handoff_id: str, stage: str, at: datetime) -> None:
    """Note down that the partner is reminded of this stage now."""
    tx.connection.execute(insert(reminders).values(handoff_id=handoff_id, stage=stage, at=at))
