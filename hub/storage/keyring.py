"""The open keys of one process: renewed as a whole when another process has rotated them.

What the ring shows is one unchanging snapshot at a time, so whoever took it works with keys
that belong together. A key or a key set that it does not know is looked for on disk once more:
a transaction that finds in the database what another process announced can go on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.errors import Misconfigured, Untrusted
from hub.protocol.keys import KeySet, KeyUse, PrivateKey, open_key_set
from hub.storage.keystore import Generation, KeyStore, NodeKeys


@dataclass(frozen=True, slots=True)
class Opened:
    """Keys and key sets that belong together."""

    keys: NodeKeys
    sets: Mapping[int, KeySet]  # by version
    texts: Mapping[int, str]  # as the identity key of their time signed them

    @property
    def version(self) -> int:
        """Of the newest key set."""
        return max(self.sets)

    @property
    def key_set(self) -> KeySet:
        """The newest key set."""
        return self.sets[self.version]

    @property
    def key_set_jws(self) -> str:
        """The newest key set as it was signed."""
        return self.texts[self.version]


class KeyRing:
    """Hands out the node's keys."""

    def __init__(
        self, store: KeyStore, passphrase: bytes | None, keys: NodeKeys, first_key_set: str
    ) -> None:
        """`first_key_set` is version 1, which only the database has.

        Raises Misconfigured where key sets and keys do not fit together.
        """
        self._store = store
        self._passphrase = passphrase
        self._first = first_key_set
        self._opened = self._put_together(keys)

    @property
    def opened(self) -> Opened:
        """What this process works with now."""
        return self._opened

    def reload(self) -> None:
        """Look at the disk again. Raises Misconfigured."""
        self._opened = self._put_together(self._store.open(self._passphrase))

    def at_least(self, version: int) -> Opened:
        """Keys of this key set or a later one. Raises Misconfigured where the disk has none."""
        if self._opened.version < version:
            self.reload()
        if self._opened.version < version:
            raise Misconfigured(
                "keys_too_old",
                "The keys on disk are older than the database: key set {version} is missing.",
                hint="Restore the newest backup of the keys directory.",
                version=version,
            )
        return self._opened

    def signer(self, kid: str) -> PrivateKey:
        """The key of this name. Raises Misconfigured(keys_too_old)."""
        found = self._opened.keys.signer(kid)
        if found is None:
            self.reload()
            found = self._opened.keys.signer(kid)
        if found is None:
            raise Misconfigured(
                "keys_too_old",
                "The keys on disk are older than the database: key {kid} is missing.",
                hint="Restore the newest backup of the keys directory.",
                kid=kid,
            )
        return found

    def add(self, generation: Generation) -> None:
        """Put a generation on disk; it is used from now on. Raises like `KeyStore.add`."""
        self._store.add(generation, self._passphrase)
        self.reload()

    def _put_together(self, keys: NodeKeys) -> Opened:
        identity = keys.founder or keys.identity
        texts = {1: self._first}
        try:
            sets = {1: open_key_set(self._first, identity.public)}
            for one in keys.generations:
                identity = one.identity or identity
                sets[one.version] = open_key_set(one.key_set, identity.public)
                texts[one.version] = one.key_set
            newest = sets[max(sets)]
            fit = (
                all(kept.version == version for version, kept in sets.items())
                and newest.only(KeyUse.MSG).kid == keys.message.kid
                and newest.only(KeyUse.HTTP).kid == keys.http.kid
            )
        except Untrusted as error:
            raise _differ(error.because or error.code) from error
        if not fit:
            raise _differ("the newest key set names other keys")
        return Opened(keys, sets, texts)


def _differ(because: str) -> Misconfigured:
    return Misconfigured(
        "keys_differ",
        "The key sets do not belong to the keys of this node.",
        hint="Restore the keys directory that belongs to this database.",
        because=because,
    )
