"""Letters of ours on their way out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from hub.i18n import N_
from hub.storage.database import Tx, for_update
from hub.storage.tables import posts
from hub.storage.waiting import Waiting


class PostState(StrEnum):
    """How far a letter of ours has come."""

    QUEUED = "queued"  # to be tried, or tried again
    SENT = "sent"  # a mail server took it
    FAILED = "failed"  # refused for good, or given up: a person sees it
    SKIPPED = "skipped"  # a person let it be


MAYBE_SENT: Final = N_("The node was restored: it may have gone out.")
"""Why a letter waits for a person."""


@dataclass(frozen=True, slots=True)
class Post:
    """One letter of ours to one address."""

    id: str
    kind: str
    correspondence_id: str | None
    ticket_id: str | None
    comment_id: str | None
    mailbox: str
    recipient: str
    message_id: str
    facts: dict[str, Any]
    sender: str | None
    sha256: str | None
    return_hash: str
    state: PostState
    attempts: int
    next_at: datetime | None
    last_error: str | None
    made_at: datetime
    settled_at: datetime | None
    bounced_at: datetime | None
    bounce: str | None
    erased_at: datetime | None
    said_id: str | None = None  # the message to a partner without a node that it carries


def _post(row: Any) -> Post:
    values = dict(row._mapping)
    values["state"] = PostState(values["state"])
    return Post(**values)


def add(tx: Tx, post: Post) -> None:
    """Store a new one."""
    values = {name: getattr(post, name) for name in Post.__dataclass_fields__}
    tx.connection.execute(insert(posts).values(**values))


def change(tx: Tx, post_id: str, **values: Any) -> None:
    """Set these columns."""
    tx.connection.execute(update(posts).where(posts.c.id == post_id).values(**values))


def find(connection: Connection, post_id: str) -> Post | None:
    """The one with this id."""
    row = connection.execute(select(posts).where(posts.c.id == post_id)).one_or_none()
    return None if row is None else _post(row)


def of_ticket_comments(connection: Connection, ticket_id: str) -> list[Post]:
    """Letters that take comments of this ticket to requesters, oldest first."""
    query = (
        select(posts)
        .where(
            posts.c.ticket_id == ticket_id,
            posts.c.comment_id.is_not(None),
            posts.c.said_id.is_(None),
        )
        .order_by(posts.c.id)
    )
    return [_post(row) for row in connection.execute(query)]


def carrying(connection: Connection, message_ids: Collection[str]) -> dict[str, Post]:
    """The letter of each of these messages to partners without a node."""
    if not message_ids:
        return {}
    query = select(posts).where(posts.c.said_id.in_(message_ids)).order_by(posts.c.id)
    return {str(row.said_id): _post(row) for row in connection.execute(query)}


def lock(tx: Tx, post_id: str) -> Post | None:
    """The one with this id, locked until the commit."""
    query = for_update(tx, select(posts).where(posts.c.id == post_id))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _post(row)


def by_return(connection: Connection, return_hash: str) -> Post | None:
    """The one whose bounces go to the address with this hash."""
    row = connection.execute(select(posts).where(posts.c.return_hash == return_hash)).first()
    return None if row is None else _post(row)


def by_message(connection: Connection, message_id: str) -> Post | None:
    """The one with this message id."""
    row = connection.execute(select(posts).where(posts.c.message_id == message_id)).first()
    return None if row is None else _post(row)


_WAITING: Final = Waiting(posts, posts.c.state == PostState.QUEUED)
claim = _WAITING.claim
next_at = _WAITING.next_at


def due(connection: Connection, now: datetime, most: int) -> list[Post]:
    """Those to be tried now, oldest first."""
    return [_post(row) for row in _WAITING.due(connection, now, most)]


def page(
    connection: Connection, *, state: PostState | None, before: str | None, limit: int
) -> list[Post]:
    """Letters of ours, newest first, from before this id."""
    query = select(posts).order_by(posts.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(posts.c.state == state)
    if before is not None:
        query = query.where(posts.c.id < before)
    return [_post(row) for row in connection.execute(query)]


def on_their_way(connection: Connection, said_ids: Collection[str]) -> set[str]:
    """Those of these messages whose letters wait for a mail server to take them."""
    query = select(posts.c.said_id).where(
        posts.c.said_id.in_(said_ids), posts.c.state == PostState.QUEUED
    )
    return {str(one) for one in connection.execute(query).scalars()}


def that_said(connection: Connection, message_id: str) -> Post | None:
    """The first letter that carried this message of ours."""
    query = select(posts).where(posts.c.said_id == message_id).order_by(posts.c.id)
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _post(row)


def set_aside(tx: Tx, said_ids: Collection[str], at: datetime) -> None:
    """Letters of these messages that wait may have gone out before a restore: a person decides."""
    tx.connection.execute(
        update(posts)
        .where(posts.c.said_id.in_(said_ids), posts.c.state == PostState.QUEUED)
        .values(state=PostState.FAILED, last_error=MAYBE_SENT, settled_at=at, next_at=None)
    )


def before(connection: Connection, post: Post) -> list[str]:
    """Message ids of the letters of its thread that were written before it, oldest first."""
    query = (
        select(posts.c.message_id)
        .where(
            posts.c.ticket_id == post.ticket_id,  # has an index
            posts.c.correspondence_id == post.correspondence_id,
            posts.c.id < post.id,
            posts.c.state.in_([PostState.QUEUED, PostState.SENT]),
        )
        .order_by(posts.c.id)
    )
    return [str(one) for one in connection.execute(query).scalars()]


def of_comment(connection: Connection, comment_id: str) -> list[Post]:
    """The letters that carry this comment."""
    query = select(posts).where(posts.c.comment_id == comment_id).order_by(posts.c.id)
    return [_post(row) for row in connection.execute(query)]


def undelivered(connection: Connection, ticket_id: str) -> dict[str, list[Post]]:
    """The letters about this ticket that did not arrive and nobody has settled, by comment."""
    query = (
        select(posts)
        .where(
            posts.c.ticket_id == ticket_id,
            posts.c.comment_id.is_not(None),
            or_(
                posts.c.state == PostState.FAILED,
                and_(posts.c.state == PostState.SENT, posts.c.bounced_at.is_not(None)),
            ),
        )
        .order_by(posts.c.id)
    )
    found: dict[str, list[Post]] = {}
    for post in map(_post, connection.execute(query)):
        found.setdefault(str(post.comment_id), []).append(post)
    return found


def count(connection: Connection, state: PostState) -> int:
    """How many letters of ours are in this state."""
    query = select(func.count()).select_from(posts).where(posts.c.state == state)
    return connection.execute(query).scalar_one()
