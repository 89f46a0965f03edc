"""The node's private keys on disk: encrypted PKCS#8, readable by us alone, made once.

`create` makes all of them or none and never touches keys that exist: a lost identity is a lost
node. `open` refuses keys that others can read, that are samples, or that cannot be decrypted,
so a running node has keys that are its own.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.clock import Entropy
from hub.errors import Conflict, HubError, Misconfigured
from hub.protocol.keys import PrivateKey
from hub.settings import Settings

_IDENTITY: Final = "identity.pem"  # signs key sets and agreements; its thumbprint is the node id
_MESSAGE: Final = "msg.pem"  # seals messages and receipts
_HTTP: Final = "http.pem"  # signs requests and answers
_SECRETS: Final = "secrets.pem"  # never signs: the small secrets in the database are under it
_INSTANCE: Final = "instance"  # which installation this is: a copied database notices the move
_KEY_FILES: Final = (_IDENTITY, _MESSAGE, _HTTP, _SECRETS)
_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_FILE_MAX_BYTES: Final = 16 * 1024  # a key file has about 400
_PASSPHRASE_MAX_BYTES: Final = 1000  # OpenSSL takes 1023
_WIDER_THAN_OWNER: Final = 0o077


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The open keys of this node."""

    identity: PrivateKey
    message: PrivateKey
    http: PrivateKey
    secrets: PrivateKey  # what small secrets at rest are encrypted under; has no other use
    instance: str  # 32 hex digits, random, made with the keys
    created_at: datetime
    unprotected: bool  # a key lies unencrypted on disk: the operator should be told

    def __repr__(self) -> str:
        return f"NodeKeys(instance={self.instance!r})"


class KeyStore:
    """The directory that holds the keys of one node."""

    def __init__(self, directory: Path) -> None:
        self._dir = directory

    def exists(self) -> bool:
        """Whether keys were made here (which says nothing about their state)."""
        return self._dir.is_dir() and any(self._dir.iterdir())

    def create(self, entropy: Entropy, passphrase: bytes | None, now: datetime) -> NodeKeys:
        """Make the keys of a new node; when this returns they survive a power cut.

        Raises:
            Conflict: there is something in the directory; nothing was touched.
            Misconfigured: the directory cannot be written, or randomness is broken.
        """
        _check_passphrase(passphrase)
        if self.exists():
            raise self._taken()
        keys = NodeKeys(
            identity=PrivateKey.generate(entropy),
            message=PrivateKey.generate(entropy),
            http=PrivateKey.generate(entropy),
            secrets=PrivateKey.generate(entropy),
            instance=entropy.bytes(16).hex(),
            created_at=now,
            unprotected=passphrase is None,
        )
        self._refuse_samples(keys)
        about = {"instance": keys.instance, "created_at": now.isoformat()}
        self._put(
            {
                _IDENTITY: keys.identity.to_pem(passphrase),
                _MESSAGE: keys.message.to_pem(passphrase),
                _HTTP: keys.http.to_pem(passphrase),
                _SECRETS: keys.secrets.to_pem(passphrase),
                _INSTANCE: json.dumps(about).encode() + b"\n",
            }
        )
        return keys

    def open(self, passphrase: bytes | None) -> NodeKeys:
        """The keys, when they are ours alone and the passphrase fits.

        Raises:
            Misconfigured: keys missing, readable by others, samples, or not decrypted by this
                passphrase.
        """
        self._check_directory()
        pems = {name: self._read(name) for name in _KEY_FILES}
        instance, created_at = self._about()
        keys = NodeKeys(
            identity=self._decrypt(_IDENTITY, pems[_IDENTITY], passphrase),
            message=self._decrypt(_MESSAGE, pems[_MESSAGE], passphrase),
            http=self._decrypt(_HTTP, pems[_HTTP], passphrase),
            secrets=self._decrypt(_SECRETS, pems[_SECRETS], passphrase),
            instance=instance,
            created_at=created_at,
            unprotected=not all(_is_encrypted(pem) for pem in pems.values()),
        )
        self._refuse_samples(keys)
        return keys

    def _put(self, files: Mapping[str, bytes]) -> None:
        """All files at once: a finished directory takes the place of the (empty) one."""
        parent = self._dir.parent
        temporary = parent / f".{self._dir.name}.{os.getpid()}.new"
        try:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.mkdir(mode=0o700)
            try:
                for name, content in files.items():
                    _write_durably(temporary / name, content)
                _sync_directory(temporary)
                # rename(2) refuses a directory with something in it: nothing is overwritten even
                # when two of us run at the same time.
                temporary.rename(self._dir)
            except OSError:
                shutil.rmtree(temporary, ignore_errors=True)
                if self.exists():
                    raise self._taken() from None
                raise
            _sync_directory(parent)
        except OSError as error:
            raise Misconfigured(
                "keys_unwritable",
                "The keys cannot be written to {path}",
                hint="Check that the directory exists, is ours and has room",
                because=str(error),
                path=str(self._dir),
            ) from error

    def _check_directory(self) -> None:
        try:
            found = self._dir.stat()
        except OSError as error:
            raise self._missing(self._dir, error) from error
        if found.st_mode & _WIDER_THAN_OWNER:
            raise _too_open(self._dir, "700")

    def _read(self, name: str) -> bytes:
        path = self._dir / name
        try:
            with path.open("rb") as file:
                # Asked of the open file, so that nobody can swap it between look and read.
                found = os.fstat(file.fileno())
                if found.st_mode & _WIDER_THAN_OWNER:
                    raise _too_open(path, "600")
                return file.read(_FILE_MAX_BYTES)
        except OSError as error:
            raise self._missing(path, error) from error

    def _about(self) -> tuple[str, datetime]:
        try:
            about = json.loads(self._read(_INSTANCE))
            instance, created_at = (
                str(about["instance"]),
                datetime.fromisoformat(about["created_at"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(_INSTANCE, error) from error
        return instance, created_at

    def _decrypt(self, name: str, pem: bytes, passphrase: bytes | None) -> PrivateKey:
        if not _is_encrypted(pem):
            passphrase = None  # an open key stays readable: `unprotected` tells the operator
        elif passphrase is None:
            raise Misconfigured(
                "passphrase_missing",
                "The keys are encrypted and there is no passphrase",
                hint="Set passphrase_file in the configuration, or HUB_PASSPHRASE",
            )
        try:
            return PrivateKey.from_pem(pem, passphrase)
        except (ValueError, TypeError, HubError) as error:
            if passphrase is None:
                raise self._damaged(name, error) from None
            # A wrong passphrase and a damaged file look the same from here.
            raise Misconfigured(
                "passphrase_wrong",
                "The passphrase does not open {path}",
                hint="Check the passphrase; if it is right, the file is damaged: restore it",
                path=str(self._dir / name),
            ) from None

    def _refuse_samples(self, keys: NodeKeys) -> None:
        publics = [key.public.raw for key in (keys.identity, keys.message, keys.http, keys.secrets)]
        if len(set(publics)) < len(publics) or _sample_keys() & set(publics):
            raise Misconfigured(
                "keys_sample",
                "The keys in {path} are samples that everybody knows, or copies of each other",
                hint="Move them away and make new ones:  hub init",
                path=str(self._dir),
            )

    def _taken(self) -> Conflict:
        return Conflict("keys_exist", "There are keys already in {path}", path=str(self._dir))

    def _missing(self, path: Path, error: OSError) -> Misconfigured:
        return Misconfigured(
            "keys_missing",
            "The keys of this node cannot be read: {path}",
            hint="A new node:  hub init   An old one: restore the directory from its backup",
            because=str(error),
            path=str(path),
        )

    def _damaged(self, name: str, error: Exception) -> Misconfigured:
        return Misconfigured(
            "keys_damaged",
            "{path} is damaged",
            hint="Restore it from a backup",
            because=type(error).__name__,
            path=str(self._dir / name),
        )


def read_passphrase(settings: Settings, env: Mapping[str, str]) -> bytes | None:
    """The passphrase from `passphrase_file`, else from `HUB_PASSPHRASE`, else None.

    Raises:
        Misconfigured: the file cannot be read, is empty, or anybody may read it.
    """
    path = settings.passphrase_file
    if path is None:
        return env["HUB_PASSPHRASE"].encode() if env.get("HUB_PASSPHRASE") else None
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            # Not as narrow as keys: service managers hand credentials to a group through ACLs,
            # which show as group-readable. Pipes have no owner to speak of.
            if stat.S_ISREG(mode) and mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise _too_open(path, "600")
            passphrase = file.read(_FILE_MAX_BYTES)
    except OSError as error:
        raise Misconfigured(
            "passphrase_unreadable",
            "The passphrase file cannot be read: {path}",
            because=str(error),
            path=str(path),
        ) from error
    passphrase = passphrase.removesuffix(b"\n").removesuffix(b"\r")
    _check_passphrase(passphrase)
    return passphrase


def _is_encrypted(pem: bytes) -> bool:
    return pem.lstrip().startswith(_ENCRYPTED)


def _check_passphrase(passphrase: bytes | None) -> None:
    if passphrase is not None and not 0 < len(passphrase) <= _PASSPHRASE_MAX_BYTES:
        raise Misconfigured(
            "passphrase_invalid",
            "The passphrase is empty or longer than {limit} bytes",
            limit=_PASSPHRASE_MAX_BYTES,
        )


def _too_open(path: Path, mode: str) -> Misconfigured:
    return Misconfigured(
        "keys_too_open",
        "Others may read {path}",
        hint="chmod {mode} {path}",
        path=str(path),
        mode=mode,
    )


def _write_durably(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@cache
def _sample_keys() -> frozenset[bytes]:
    """Public keys of private keys that stand in books, or come out of a broken generator."""
    seeds = [bytes([value]) * 32 for value in range(256)]
    seeds += [bytes(range(32)), bytes(range(1, 33))]
    seeds += [
        bytes.fromhex(text)
        for text in (
            # RFC 8032 §7.1, tests 1 (also RFC 8037 appendix A), 2, 3, 1024 and SHA(abc)
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            # RFC 9421 appendix B.1.4, test-key-ed25519
            "9f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5",
        )
    ]
    return frozenset(
        Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() for seed in seeds
    )
