"""The node itself: who it is, its key set, its first agent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.actions.context import Account, Actor
from hub.clock import Clock, Entropy
from hub.errors import Misconfigured
from hub.ids import AgentId, new
from hub.protocol.keys import KeyEntry, KeySet, KeyUse, seal_key_set
from hub.storage import agents, audit, nodes
from hub.storage.database import Connection, Database, Tx
from hub.storage.keystore import NodeKeys

KEY_SET_VALIDITY: Final = timedelta(days=3650)
"""Keys are changed by rotation, in-band; a date would only cut links of a sleeping partner."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The account as stored, with its first key set."""

    account: Account
    first_key_set: str
    newest_version: int  # of the key sets in the database


def first_key_set(keys: NodeKeys, now: datetime) -> KeySet:
    """The key set of a new node."""
    until = now + KEY_SET_VALIDITY
    return KeySet(
        node_id=keys.node_id,
        version=1,
        identity_version=1,
        keys=tuple(
            KeyEntry(key.kid, key.public, use, now, until)
            for key, use in ((keys.message, KeyUse.MSG), (keys.http, KeyUse.HTTP))
        ),
        revoked=(),
        issued_at=now,
        expires=until,
    )


async def found(
    db: Database,
    keys: NodeKeys,
    *,
    name: str,
    base_url: str,
    language: str,
    clock: Clock,
    entropy: Entropy,
    admin_email: str,
    admin_name: str,
) -> None:
    """Write down whose node this is, with its first key set and first admin. Twice is once."""
    now = clock.now().replace(microsecond=0)

    def transaction(tx: Tx) -> None:
        if nodes.find(tx.connection) is not None:
            return
        nodes.add(tx, keys.node_id, name, base_url, language, now)
        nodes.keep_key_set(
            tx,
            keys.node_id,
            1,
            seal_key_set(first_key_set(keys, now), keys.founder or keys.identity),
            now,
        )
        agents.add(
            tx,
            agents.Agent(
                id=AgentId(new("agt", now, entropy)),
                email=admin_email,
                display=admin_name,
                role="admin",
                password_hash=None,
                created_at=now,
                disabled_at=None,
            ),
        )
        audit.append(tx, at=now, actor="system", event="node.founded", node=keys.node_id, name=name)

    await db.write(transaction)


async def load(db: Database, keys: NodeKeys) -> Identity:
    """Who this node is.

    The keys on disk may be newer than the database: a rotation was cut off, or the database
    was restored; `keys.finish` goes on with it. Raises Misconfigured where they are older, or
    belong to another database.
    """

    def body(connection: Connection) -> Identity:
        stored = nodes.find(connection)
        if stored is None:
            raise Misconfigured(
                "no_node_here", "There is no node in this database yet.", hint="hub init"
            )
        if stored.node_id != keys.node_id:
            raise Misconfigured(
                "keys_differ",
                "The keys belong to another node than the database.",
                hint="Restore the keys directory that belongs to this database.",
            )
        kept = nodes.key_sets_of(connection, stored.node_id)
        on_disk = {one.version: one.key_set for one in keys.generations}
        missing = [version for version in sorted(kept) if version > 1 and version not in on_disk]
        if missing:
            raise Misconfigured(
                "keys_too_old",
                "The keys on disk are older than the database: key set {version} is missing.",
                hint="Restore the newest backup of the keys directory.",
                version=missing[0],
            )
        if any(kept.get(version, text) != text for version, text in on_disk.items()):
            raise Misconfigured(
                "key_sets_differ",
                "The keys on disk and the database went different ways: both rotated the keys.",
                hint="Restore the keys directory and the database from one backup.",
            )
        account = Account(stored.node_id, stored.name, stored.base_url, stored.language)
        return Identity(account, kept[1], max(kept))

    return await db.read(body)


def check_reach(account: Account, *, outbound_only: bool) -> None:
    """Return if partners reach this node as it was founded. Raises Misconfigured."""
    if account.outbound_only is outbound_only:
        return
    if outbound_only:
        raise Misconfigured(
            "founded_with_an_address",
            "This node was founded with the address {url}, which its partners have pinned.",
            hint="A node without an address is a new one: hub init --outbound-only --data DIR",
            url=account.base_url,
        )
    raise Misconfigured(
        "founded_without_an_address",
        "This node was founded without an address; its partners have agreed to that.",
        hint="Set outbound_only: true, or make a new node with an address.",
    )


async def first_admin(db: Database) -> Actor:
    """The oldest agent that is not disabled and is an admin. Raises Misconfigured."""
    everyone = await db.read(agents.everyone)
    for agent in everyone:
        if agent.role == "admin" and agent.disabled_at is None:
            return Actor(agent.id, agent.display, agent.role)
    raise Misconfigured("no_admin", "This node has no admin.", hint="hub user add --role admin")
