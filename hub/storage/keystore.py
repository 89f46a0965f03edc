"""The node's private keys on disk: encrypted PKCS#8, readable by us alone, never overwritten.

`create` makes the first ones, all or none, and never touches keys that exist: a lost identity is
a lost node. Each rotation adds one file, a *generation*, with the new keys and the signed key
set that names them; it appears whole or not at all, so whatever is cut off leaves a directory
that opens. Older keys stay: a stream may have to be signed again with the key that holds at its
position. `open` refuses keys that others can read, that are samples, or that cannot be
decrypted, so a running node has keys that are its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.clock import Entropy
from hub.errors import Conflict, HubError, Misconfigured
from hub.faults import fault
from hub.protocol.keys import PrivateKey, PublicKey
from hub.settings import Settings

_IDENTITY: Final = "identity.pem"  # signs key sets and agreements; its thumbprint is the node id
_MESSAGE: Final = "msg.pem"  # seals messages and receipts
_HTTP: Final = "http.pem"  # signs requests and answers
_SECRETS: Final = "secrets.pem"  # never signs: the small secrets in the database are under it
_INSTANCE: Final = "instance"  # which installation this is: a copied database notices the move
_KEY_FILES: Final = (_IDENTITY, _MESSAGE, _HTTP, _SECRETS)
_GENERATION: Final = re.compile(r"generation-(?P<version>[1-9][0-9]{0,8})\.json")
_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_FILE_MAX_BYTES: Final = 16 * 1024  # a key file has about 400
_GENERATION_MAX_BYTES: Final = 256 * 1024  # with its key set and every change of the identity
_PASSPHRASE_MAX_BYTES: Final = 1000  # OpenSSL takes 1023
_WIDER_THAN_OWNER: Final = 0o077


@dataclass(frozen=True, slots=True)
class Generation:
    """What one rotation made. Keys that it did not change are those of the one before."""

    version: int  # of its key set; the first rotation makes version 2
    key_set: str  # signed by the identity key
    message: PrivateKey | None = None
    http: PrivateKey | None = None
    identity: PrivateKey | None = None
    succession: tuple[str, ...] = ()  # every change of the identity so far

    @property
    def made(self) -> tuple[PrivateKey, ...]:
        """The new keys."""
        return tuple(key for key in (self.message, self.http, self.identity) if key is not None)

    def __repr__(self) -> str:
        return f"Generation({self.version})"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The open keys of this node: the newest of each kind, and every older one."""

    identity: PrivateKey
    message: PrivateKey
    http: PrivateKey
    secrets: PrivateKey  # what small secrets at rest are encrypted under; has no other use
    instance: str  # 32 hex digits, random, made with the keys
    created_at: datetime
    unprotected: bool  # a key lies unencrypted on disk: the operator should be told
    earlier: tuple[PrivateKey, ...] = ()  # replaced by later generations, oldest first
    generations: tuple[Generation, ...] = ()  # oldest first, without a gap from version 2 on
    founder: PrivateKey | None = None  # the first identity key, where it is another one now

    @property
    def node_id(self) -> str:
        """The thumbprint of the first identity key."""
        return (self.founder or self.identity).kid

    @property
    def identities(self) -> tuple[PublicKey, ...]:
        """Every identity key there was, oldest first."""
        later = [one.identity.public for one in self.generations if one.identity is not None]
        return ((self.founder or self.identity).public, *later)

    @property
    def succession(self) -> tuple[str, ...]:
        """Every change of the identity key, signed by both keys."""
        return self.generations[-1].succession if self.generations else ()

    def signer(self, kid: str) -> PrivateKey | None:
        """The signing key of this name, of whatever generation."""
        for key in (self.message, self.http, self.identity, *self.earlier):
            if key.kid == kid:
                return key
        return None

    def after(self, generation: Generation) -> NodeKeys:
        """The keys once this generation has followed."""
        replaced = [
            old
            for old, new in (
                (self.message, generation.message),
                (self.http, generation.http),
                (self.identity, generation.identity),
            )
            if new is not None
        ]
        return replace(
            self,
            message=generation.message or self.message,
            http=generation.http or self.http,
            identity=generation.identity or self.identity,
            founder=self.founder or (self.identity if generation.identity else None),
            earlier=(*self.earlier, *replaced),
            generations=(*self.generations, generation),
        )

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
        for generation, encrypted in self._generations(passphrase):
            if generation.version != (keys.generations[-1].version if keys.generations else 1) + 1:
                raise self._gap(generation.version - 1)
            keys = replace(keys.after(generation), unprotected=keys.unprotected or not encrypted)
        self._refuse_samples(keys)
        return keys

    def files(self) -> dict[str, bytes]:
        """The files as they lie here, for a backup. Raises Misconfigured like `open`."""
        self._check_directory()
        later = {
            path.name: self._read(path.name, _GENERATION_MAX_BYTES)
            for path in sorted(self._dir.iterdir())
            if _GENERATION.fullmatch(path.name)
        }
        return {name: self._read(name) for name in (*_KEY_FILES, _INSTANCE)} | later

    def put(self, files: Mapping[str, bytes]) -> None:
        """Keep the files of another directory here, where there are none yet.

        Raises:
            Conflict: there is something in the directory; nothing was touched.
            Misconfigured: they are not the files of one node, or cannot be written.
        """
        first = {name for name in files if not _GENERATION.fullmatch(name)}
        if first != {*_KEY_FILES, _INSTANCE}:
            raise self._damaged("", ValueError(", ".join(sorted(files))))
        if self.exists():
            raise self._taken()
        self._put(files)

    def renew_instance(self, entropy: Entropy) -> str:
        """Call this installation anew: the database notices that it is another one.

        At every moment the old name is there, or the new one; when this returns the new one
        survives a power cut.
        """
        _instance, created_at = self._about()
        instance = entropy.bytes(16).hex()
        temporary = self._dir / f".{_INSTANCE}.{os.getpid()}.new"
        about = {"instance": instance, "created_at": created_at.isoformat()}
        try:
            temporary.unlink(missing_ok=True)
            _write_durably(temporary, json.dumps(about).encode() + b"\n")
            temporary.replace(self._dir / _INSTANCE)
            _sync_directory(self._dir)
        except OSError as error:
            raise self._unwritable(error) from error
        return instance

    def add(self, generation: Generation, passphrase: bytes | None) -> None:
        """Put a new generation beside the others; when this returns it survives a power cut.

        Raises:
            Conflict: there is a generation of this version already; nothing was touched.
            Misconfigured: the directory cannot be written.
        """
        name = f"generation-{generation.version}.json"
        content = {
            "version": generation.version,
            "key_set": generation.key_set,
            "succession": list(generation.succession),
            **{
                what: key.to_pem(passphrase).decode("ascii")
                for what, key in (
                    ("message", generation.message),
                    ("http", generation.http),
                    ("identity", generation.identity),
                )
                if key is not None
            },
        }
        temporary = self._dir / f".{name}.{os.getpid()}.new"
        try:
            for left in self._dir.glob(".generation-*.new"):
                left.unlink(missing_ok=True)  # of a rotation that was cut off
            fault("keystore.generation_begins")
            _write_durably(temporary, json.dumps(content).encode() + b"\n")
            fault("keystore.generation_written")
            try:
                # link(2) refuses a name that is taken: of two who rotate at once one fails.
                os.link(temporary, self._dir / name)
            finally:
                temporary.unlink()
            fault("keystore.generation_named")
            _sync_directory(self._dir)
        except FileExistsError as error:
            raise Conflict(
                "rotation_under_way",
                "Another rotation of the keys is under way.",
                hint="hub key list",
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error

    def _generations(self, passphrase: bytes | None) -> list[tuple[Generation, bool]]:
        """Every later generation, oldest first, and whether its keys are encrypted."""
        names = {
            int(match["version"]): path.name
            for path in self._dir.iterdir()
            if (match := _GENERATION.fullmatch(path.name)) is not None
        }
        return [self._generation(names[version], version, passphrase) for version in sorted(names)]

    def _generation(
        self, name: str, version: int, passphrase: bytes | None
    ) -> tuple[Generation, bool]:
        try:
            content = json.loads(self._read(name, _GENERATION_MAX_BYTES))
            pems = {
                what: str(content[what]).encode("ascii")
                for what in ("message", "http", "identity")
                if what in content
            }
            key_set, succession = str(content["key_set"]), tuple(map(str, content["succession"]))
            if content["version"] != version:
                raise ValueError("version")
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(name, error) from error
        keys = {what: self._decrypt(name, pem, passphrase) for what, pem in pems.items()}
        generation = Generation(
            version=version,
            key_set=key_set,
            message=keys.get("message"),
            http=keys.get("http"),
            identity=keys.get("identity"),
            succession=succession,
        )
        return generation, all(map(_is_encrypted, pems.values()))

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
                    fault("keystore.one_written")
                _sync_directory(temporary)
                # rename(2) refuses a directory with something in it: nothing is overwritten even
                # when two of us run at the same time.
                fault("keystore.before_rename")
                temporary.rename(self._dir)
                fault("keystore.after_rename")
            except OSError:
                shutil.rmtree(temporary, ignore_errors=True)
                if self.exists():
                    raise self._taken() from None
                raise
            _sync_directory(parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def _check_directory(self) -> None:
        try:
            found = self._dir.stat()
        except OSError as error:
            raise self._missing(self._dir, error) from error
        if found.st_mode & _WIDER_THAN_OWNER:
            raise _too_open(self._dir, "700")

    def _read(self, name: str, most: int = _FILE_MAX_BYTES) -> bytes:
        path = self._dir / name
        try:
            with path.open("rb") as file:
                # Asked of the open file, so that nobody can swap it between look and read.
                found = os.fstat(file.fileno())
                if found.st_mode & _WIDER_THAN_OWNER:
                    raise _too_open(path, "600")
                return file.read(most)
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
        every = (keys.identity, keys.message, keys.http, keys.secrets, *keys.earlier)
        publics = [key.public.raw for key in every]
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

    def _gap(self, version: int) -> Misconfigured:
        return Misconfigured(
            "keys_missing",
            "The keys of this node cannot be read: {path}",
            hint="Restore the directory from its newest backup",
            path=str(self._dir / f"generation-{version}.json"),
        )

    def _unwritable(self, error: OSError) -> Misconfigured:
        return Misconfigured(
            "keys_unwritable",
            "The keys cannot be written to {path}",
            hint="Check that the directory exists, is ours and has room",
            because=str(error),
            path=str(self._dir),
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
    return read_passphrase_file(path)


def read_passphrase_file(path: Path) -> bytes:
    """The passphrase in this file. Raises Misconfigured like `read_passphrase`."""
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
