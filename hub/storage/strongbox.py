"""Keys in a backup: encrypted under a passphrase, whether or not the files were already.

scrypt (RFC 7914) makes the key, AES-256-GCM encrypts and authenticates, and the box belongs to
one node: another node's id does not open it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hub.clock import Entropy
from hub.errors import Refused

PASSPHRASE_MIN: Final = 12  # characters: the box may be attacked for years, at leisure
_COST: Final = 2**16  # with r = 8: 64 MiB and some tenths of a second for each guess
_COST_MAX: Final = 2**20
_PURPOSE: Final = b"hub backup keys 1\n"


def lock(files: Mapping[str, bytes], passphrase: bytes, node_id: str, entropy: Entropy) -> bytes:
    """These files as one box. Raises Refused(backup_passphrase_short)."""
    if len(passphrase.decode("utf-8", "replace")) < PASSPHRASE_MIN:
        raise Refused(
            "backup_passphrase_short",
            "The passphrase of a backup with keys needs at least {least} characters.",
            hint="Several words in a row are easy to keep.",
            least=PASSPHRASE_MIN,
        )
    salt, nonce = entropy.bytes(16), entropy.bytes(12)
    plain = json.dumps({name: b64encode(text).decode() for name, text in files.items()}).encode()
    sealed = AESGCM(_key(passphrase, salt, _COST)).encrypt(
        nonce, plain, _PURPOSE + node_id.encode()
    )
    box = {
        "kdf": "scrypt",
        "n": _COST,
        "r": 8,
        "p": 1,
        "salt": b64encode(salt).decode(),
        "cipher": "AES-256-GCM",
        "nonce": b64encode(nonce).decode(),
        "box": b64encode(sealed).decode(),
    }
    return json.dumps(box, indent=1).encode() + b"\n"


def unlock(box: bytes, passphrase: bytes, node_id: str) -> dict[str, bytes]:
    """The files of a box. Raises Refused(backup_passphrase_wrong)."""
    try:
        said = json.loads(box)
        cost = int(said["n"])
        if not 1 < cost <= _COST_MAX:
            raise ValueError("n")
        key = _key(passphrase, b64decode(said["salt"]), cost)
        cipher = AESGCM(key)
        purpose = _PURPOSE + node_id.encode()
        plain = cipher.decrypt(b64decode(said["nonce"]), b64decode(said["box"]), purpose)
        return {name: b64decode(text) for name, text in json.loads(plain).items()}
    except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            "backup_passphrase_wrong",
            "The passphrase does not open the keys in this backup.",
            because=type(error).__name__,
        ) from None


def _key(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase)
