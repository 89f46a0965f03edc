"""What every action is given: the node it acts for, and its injected surroundings."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from hub import ids
from hub.clock import Clock, Entropy
from hub.domain.suspicion import Counted
from hub.errors import Misconfigured, Untrusted
from hub.metrics import Metrics
from hub.protocol.keys import KeySet, KeyUse, PublicKey
from hub.settings import Limits
from hub.storage.blobs import BlobStore
from hub.storage.database import Database
from hub.storage.keyring import KeyRing
from hub.storage.keystore import NodeKeys


@dataclass(frozen=True, slots=True)
class Account:
    """Whose node this is."""

    node_id: str
    name: str
    base_url: str  # empty: no partner can call us
    language: str

    @property
    def outbound_only(self) -> bool:
        """Whether partners never call this node: it makes every call itself."""
        return not self.base_url


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf something is done. Only the doors make one, after they know who it is."""

    ref: str  # agent id, or `system`
    display: str
    role: str
    scopes: frozenset[str] | None = None  # of an API token; None: everything the role may


SYSTEM = Actor("system", "hub", "system")
"""The node's own rules and timers."""


class Wakes:
    """Who waits for work of which topic. Losing one costs time, never work: workers also look."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}
        self._watching: dict[str, set[asyncio.Event]] = {}
        self._listeners: list[Callable[[set[str]], None]] = []

    def event(self, topic: str) -> asyncio.Event:
        """The event that is set when the topic has work."""
        return self._waiting.setdefault(topic, asyncio.Event())

    @contextlib.contextmanager
    def watch(self, topic: str) -> Iterator[asyncio.Event]:
        """An event of one's own as long as this lasts, set when the topic has work."""
        mine = asyncio.Event()
        watching = self._watching.setdefault(topic, set())
        watching.add(mine)
        try:
            yield mine
        finally:
            watching.discard(mine)
            if not watching:
                self._watching.pop(topic, None)

    def listen(self, listener: Callable[[set[str]], None]) -> None:
        """Call this with every set of topics woken."""
        self._listeners.append(listener)

    def wake(self, topics: set[str]) -> None:
        """Set the events of these topics; an empty set wakes everybody."""
        for topic in topics or set(self._waiting):
            kind = topic.partition(":")[0]
            self.event(topic).set()
            if kind != topic:
                self.event(kind).set()
        for topic in topics or set(self._watching):
            for mine in self._watching.get(topic, ()):
                mine.set()
        for listener in self._listeners:
            listener(topics)


@dataclass(frozen=True, slots=True)
class Hub:
    """One node, as actions see it."""

    account: Account
    ring: KeyRing
    db: Database
    blobs: BlobStore
    clock: Clock
    entropy: Entropy
    limits: Limits
    metrics: Metrics
    process: str  # names this process among those that share the database
    try_out: bool = False
    leases: dict[str, datetime] = field(default_factory=dict)
    handed_in: set[str] = field(default_factory=set)  # links whose peer has our newest receipt
    refusals: dict[tuple[str, str], Counted] = field(default_factory=dict)  # by link and kind
    denied: dict[tuple[str, ...], datetime] = field(default_factory=dict)  # who what: recorded when
    wakes: Wakes = field(default_factory=Wakes)
    order: ids.Order = field(default_factory=ids.Order)

    @property
    def keys(self) -> NodeKeys:
        """The newest keys this process knows of; of a link, `keyring` says which to use."""
        return self.ring.opened.keys

    @property
    def key_set(self) -> KeySet:
        """The newest key set."""
        return self.ring.opened.key_set

    @property
    def key_set_jws(self) -> str:
        """The newest key set, as the identity key signed it."""
        return self.ring.opened.key_set_jws

    def now(self) -> datetime:
        """The wall clock in whole milliseconds, as instants are written on the wire.

        So what this side records of its own step is what the other side reads of it.
        """
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    @property
    def identities(self) -> dict[str, PublicKey]:
        """Our identity keys by thumbprint, former ones too: what any of them signed is our word."""
        return {key.kid: key for key in self.keys.identities}

    def hide(self, secret: bytes) -> str:
        """A small secret, encrypted and authenticated for the database."""
        return _box(self.keys).encrypt(secret).decode("ascii")

    def reveal(self, hidden: str) -> bytes:
        """The secret that `hide` made this of. Raises Misconfigured where the key is another."""
        try:
            return _box(self.keys).decrypt(hidden.encode("ascii"))
        except InvalidToken as error:
            raise Misconfigured(
                "secrets_key_differs",
                "A secret in the database was encrypted under another key.",
                hint="Restore the keys directory that belongs to this database.",
            ) from error

    def own_message_key(self, kid: str) -> PublicKey:
        """The public half of a message key of ours, earlier ones too.

        Raises Untrusted(key_unknown).
        """
        for key_set in self.ring.opened.sets.values():
            for entry in key_set.keys:
                if entry.kid == kid and entry.use is KeyUse.MSG:
                    return entry.key
        raise Untrusted("key_unknown", "The message is signed by an unknown key.", because=kid)

    def new_id(self, prefix: str, now: datetime) -> str:
        """A fresh id of this kind, behind every one made before."""
        return self.order.new(prefix, now, self.entropy)

    def same_id(self, prefix: str, remote_id: str, *parts: str) -> str:
        """Our id of what another side calls `remote_id`: the same whenever it is asked for.

        A node that lost its database finds its own ids again, and a second arrival of a thing
        is recognised. `parts` say in whose words and for whom. Nobody without our key can tell
        that two of these ids name one thing.
        """
        text = "\n".join((prefix, remote_id, *parts)).encode()
        key = _same_id_key(self.keys)
        self.order.saw(remote_id, self.now())
        return ids.same(prefix, remote_id, hmac.new(key, text, hashlib.sha256).digest())


@lru_cache(maxsize=16)
def _same_id_key(keys: NodeKeys) -> bytes:
    return keys.secrets.derive(b"hub ids of what others named")


def _box(keys: NodeKeys) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(keys.secrets.derive(b"hub secrets at rest")))
