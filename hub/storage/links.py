"""Links, the invitations they begin with, and the keys pinned for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, false, insert, literal, or_, select, update

from hub.errors import NotFound
from hub.ids import InvitationId, LinkId
from hub.protocol.keys import PublicKey
from hub.storage import statements
from hub.storage.database import Tx, for_update
from hub.storage.statements import Query, columns_of
from hub.storage.tables import deliveries, invitations, link_keys, links


class LinkState(StrEnum):
    """How far the relation of two accounts has come."""

    REQUESTED = "requested"  # one side asked; the agreement is not signed by both
    AWAITING_CONFIRMATION = "awaiting_confirmation"  # people must compare the digits
    ACTIVE = "active"  # messages flow
    SUSPENDED = "suspended"  # one side stopped it for now
    CLOSED = "closed"  # over; the log stays
    VOID = "void"  # the handshake was given up or ran out; nothing was ever agreed


class LinkKind(StrEnum):
    """What there is on the other side of a link."""

    NODE = "node"  # a node of its own
    MAIL = "mail"  # a mailbox: our node plays the partner's (decision 34)
    DESK = "desk"  # a desk of the partner's that our bridge works: the same


AGREED: Final = frozenset({LinkState.ACTIVE, LinkState.SUSPENDED, LinkState.CLOSED})
"""States of a link that has an agreement and therefore streams."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code our people made, as the inviter keeps it (without the secret)."""

    id: InvitationId
    peer_label: str
    secret_hash: str  # encrypted
    offer: str
    compare: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    failures: int
    link_id: LinkId | None
    revoked_at: datetime | None
    continues_id: LinkId | None  # the mail link whose partner gets a node by it


@dataclass(frozen=True, slots=True)
class Link:
    """The standing relation with one peer."""

    id: LinkId
    state: LinkState
    inviter: bool
    invitation_id: InvitationId
    peer_node_id: str
    peer_name: str
    peer_base_url: str
    peer_identity: str
    peer_key_set_version: int
    agreement: str | None
    agreement_hash: str | None
    revision: int
    in_force: str | None
    amended_seq: int | None
    our_signature: str | None
    peer_signature: str | None
    digits_confirmed_at: datetime | None
    handshake: str | None
    suspended_by_us: bool
    suspended_by_peer: bool
    created_at: datetime
    active_at: datetime | None
    closed_at: datetime | None
    closed_by_peer_at: datetime | None
    keys_call: bool
    told_version: int | None
    kind: LinkKind

    @property
    def collects(self) -> bool:
        """Whether the peer cannot be called: it makes every call, and collects what is for it."""
        return not self.peer_base_url and not self.in_custody

    @property
    def in_custody(self) -> bool:
        """Whether the partner has no node: ours speaks for it, on the strength of its word."""
        return self.kind is not LinkKind.NODE


@dataclass(frozen=True, slots=True)
class LinkKey:
    """One key of the peer, pinned for this link."""

    link_id: LinkId
    kid: str
    use: str
    jwk: str
    from_seq: int
    until_seq: int | None
    not_after: datetime | None
    revoked_at: datetime | None = None
    trusted_seq: int | None = None

    def seals(self, seq: int) -> bool:
        """Whether this message key holds at the position."""
        return (
            self.use == "msg"
            and self.from_seq <= seq
            and (self.until_seq is None or seq <= self.until_seq)
        )


def _link(row: Any) -> Link:
    values = dict(row._mapping)
    values["state"] = LinkState(values["state"])
    values["kind"] = LinkKind(values["kind"])
    return Link(**values)


_BY_ID: Final = Query(
    select(*columns_of(links, Link)).where(links.c.id == bindparam("id")),
    Link,
    state=LinkState,
    kind=LinkKind,
)
_EVERYONE: Final = Query(
    select(*columns_of(links, Link)).order_by(links.c.id), Link, state=LinkState, kind=LinkKind
)
_KEYS: Final = Query(
    select(*columns_of(link_keys, LinkKey)).where(link_keys.c.link_id == bindparam("link_id")),
    LinkKey,
)

_OLDER: Final = links.alias()
_CONTINUED: Final = Query(
    select(invitations.c.continues_id, links.c.id)
    .join(links, links.c.id == invitations.c.link_id)
    .join(_OLDER, _OLDER.c.id == invitations.c.continues_id)
    .where(links.c.state == LinkState.ACTIVE.value, _OLDER.c.closed_at.is_(None))
    .order_by(links.c.id),
    lambda old, new: (LinkId(old), LinkId(new)),
)


def add(tx: Tx, **values: Any) -> None:
    """Store a new link and an empty record of how delivery to it goes."""
    tx.connection.execute(insert(links).values(**values))
    tx.connection.execute(insert(deliveries).values(link_id=values["id"], failures=0))


def change(tx: Tx, link_id: LinkId, **values: Any) -> None:
    """Set these columns of the link."""
    statements.change(tx, links, {"id": link_id}, values)


def rename(tx: Tx, link_id: LinkId, right: LinkId) -> None:
    """Give a link that is not agreed yet the id its inviter chose. Nothing refers to it so far."""
    tx.connection.execute(delete(deliveries).where(deliveries.c.link_id == link_id))
    tx.connection.execute(update(links).where(links.c.id == link_id).values(id=right))
    tx.connection.execute(insert(deliveries).values(link_id=right, failures=0))


def find(connection: Connection, link_id: str) -> Link | None:
    """The link, or None."""
    return _BY_ID.one(connection, id=link_id)


def get(connection: Connection, link_id: str) -> Link:
    """The link. Raises NotFound."""
    link = find(connection, link_id)
    if link is None:
        raise NotFound("not_found", "There is no such link.")
    return link


def lock(tx: Tx, link_id: str) -> Link:
    """The link, locked until the commit. Raises NotFound."""
    link = _BY_ID.lock(tx, id=link_id)
    if link is None:
        raise NotFound("not_found", "There is no such link.")
    return link


def everyone(connection: Connection) -> list[Link]:
    """All links, oldest first."""
    return _EVERYONE.all(connection)


def of_invitation(connection: Connection, invitation_id: str) -> Link | None:
    """The link this invitation became, or None."""
    row = connection.execute(
        select(links).where(links.c.invitation_id == invitation_id)
    ).one_or_none()
    return None if row is None else _link(row)


def lock_of_invitation(tx: Tx, invitation_id: str) -> Link | None:
    """The link this invitation became, locked until the commit, or None."""
    row = tx.connection.execute(
        for_update(tx, select(links).where(links.c.invitation_id == invitation_id))
    ).one_or_none()
    return None if row is None else _link(row)


def in_states(connection: Connection, states: set[LinkState] | frozenset[LinkState]) -> list[Link]:
    """All links in one of these states, oldest first."""
    return _in_states(frozenset(states)).all(connection)


@lru_cache(maxsize=64)
def _in_states(states: frozenset[LinkState]) -> Query[Link]:
    among = or_(false(), *(links.c.state == one for one in sorted(states)))
    query = select(*columns_of(links, Link)).where(among).order_by(links.c.id)
    return Query(query, Link, state=LinkState, kind=LinkKind)


def add_key(tx: Tx, key: LinkKey) -> None:
    """Pin a key of the peer."""
    tx.connection.execute(
        insert(link_keys).values(
            link_id=key.link_id,
            kid=key.kid,
            use=key.use,
            jwk=key.jwk,
            from_seq=key.from_seq,
            until_seq=key.until_seq,
            not_after=key.not_after,
        )
    )


def change_key(tx: Tx, link_id: str, kid: str, **values: Any) -> None:
    """Set these columns of a pinned key."""
    statements.change(tx, link_keys, {"link_id": link_id, "kid": kid}, values)


def keys(connection: Connection, link_id: str) -> list[LinkKey]:
    """Every key of the peer ever pinned for this link."""
    return _KEYS.all(connection, link_id=link_id)


_WAITING_FOR_KEYS_CALL: Final = Query(
    select(links.c.id)
    .where(links.c.keys_call, links.c.closed_at.is_(None), links.c.peer_base_url != literal(""))
    .order_by(links.c.id),
    LinkId,
)


def waiting_for_keys_call(connection: Connection) -> list[LinkId]:
    """Links whose peer we have to tell our keys by a call of its own; one that collects asks."""
    return _WAITING_FOR_KEYS_CALL.all(connection)


def public_key(key: LinkKey) -> PublicKey:
    """The key itself, checked when it was pinned."""
    return _public_key(key.jwk)


@lru_cache(maxsize=4096)
def _public_key(jwk: str) -> PublicKey:
    return PublicKey.from_jwk(json.loads(jwk))


def add_invitation(tx: Tx, **values: Any) -> None:
    """Store a new invitation."""
    tx.connection.execute(insert(invitations).values(failures=0, **values))


def change_invitation(tx: Tx, invitation_id: str, **values: Any) -> None:
    """Set these columns of the invitation."""
    tx.connection.execute(
        update(invitations).where(invitations.c.id == invitation_id).values(**values)
    )


def lock_invitation(tx: Tx, invitation_id: str) -> Invitation | None:
    """The invitation, locked until the commit, or None."""
    row = tx.connection.execute(
        for_update(tx, select(invitations).where(invitations.c.id == invitation_id))
    ).one_or_none()
    return None if row is None else Invitation(**row._mapping)


def open_invitations(connection: Connection) -> list[Invitation]:
    """Invitations nobody has used or revoked, newest last (expired ones included)."""
    query = (
        select(invitations)
        .where(invitations.c.link_id.is_(None), invitations.c.revoked_at.is_(None))
        .order_by(invitations.c.id)
    )
    return [Invitation(**row._mapping) for row in connection.execute(query)]


def continued(connection: Connection) -> list[tuple[LinkId, LinkId]]:
    """Mail links whose partner accepted an invitation, each with its new link that is active."""
    return _CONTINUED.all(connection)


def invitation_label(connection: Connection, invitation_id: str) -> str | None:
    """How our people call the partner they invited, or None for an invitation of others."""
    return connection.execute(
        select(invitations.c.peer_label).where(invitations.c.id == invitation_id)
    ).scalar_one_or_none()
