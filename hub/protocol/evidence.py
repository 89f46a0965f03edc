"""Evidence bundles: how what two nodes signed is laid out for somebody who has no node.

A bundle is a ZIP archive of stored entries, written in the one way that `hub/evidence/verify.py`
reads: of a list of entries there is exactly one archive. The manifest lists every entry with its
hash and is signed by the exporter's `msg` key, which the key set inside the manifest and the
identity in the agreements vouch for; the identity key itself may stay offline.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.errors import Refused
from hub.evidence import verify as verifier
from hub.protocol import jws, strict_json
from hub.protocol.encoding import instant, sha256_b64
from hub.protocol.keys import Signer

INVITER, INVITEE = verifier.SIDES
REDACTED: Final = "redacted"  # the exporter left the payload out of this bundle
ERASED: Final = "erased"  # somebody asked to erase it
PRUNED: Final = "pruned"  # the time it is kept was over


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its bytes are read twice, once for the checksum that stands before them."""

    name: str
    size: int
    sha256: str
    chunks: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, name: str, content: bytes) -> Entry:
        """An entry that is in memory."""
        return cls(name, len(content), sha256_b64(content), lambda: (content,))


@dataclass(frozen=True, slots=True)
class LinkPart:
    """What a bundle has of one link."""

    link: str
    folder: str
    handoffs: Sequence[str]  # of a ticket; empty: the link itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a bundle is about: a ticket by the exporter's number, or a link and a time."""

    number: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def members(self) -> dict[str, Any]:
        """As the manifest says it."""
        if self.number:
            return {"kind": "ticket", "number": self.number}
        said: dict[str, Any] = {"kind": "link"}
        if self.since is not None:
            said["since"] = instant(self.since)
        if self.until is not None:
            said["until"] = instant(self.until)
        return said


def message_line(env: str, data: str | None, missing: str) -> bytes:
    """A message in a log; `missing` says why its payload is not there."""
    said: dict[str, Any] = {"env": env, "data": data}
    if data is None:
        said["missing"] = missing
    return strict_json.dump(said).encode() + b"\n"


def receipt_line(text: str) -> bytes:
    """A receipt."""
    return strict_json.dump({"jws": text}).encode() + b"\n"


def proof(
    signatures: Mapping[str, str],
    key_sets: Mapping[str, Sequence[str]],
    successions: Mapping[str, Sequence[str]],
) -> bytes:
    """Both signatures of the agreement, and each side's key sets and changes of identity."""
    said = {
        "signatures": dict(signatures),
        "key_sets": {side: list(texts) for side, texts in key_sets.items()},
        "successions": {side: list(texts) for side, texts in successions.items()},
    }
    return strict_json.dump(said).encode()


def manifest(
    *,
    exporter: str,
    key_set: str,
    made_at: datetime,
    scope: Scope,
    links: Sequence[LinkPart],
    redacted: Sequence[str],
    files: bool,
    entries: Sequence[Entry],
) -> bytes:
    """What the exporter signs: everything that is in the bundle, and what was left out."""
    return strict_json.dump(
        {
            "format": verifier.FORMAT,
            "made_at": instant(made_at),
            "exporter": exporter,
            "key_set": key_set,
            "scope": scope.members(),
            "links": [_link(one) for one in links],
            "redacted": sorted(redacted),
            "files": "included" if files else "digests",
            "entries": [
                {"name": one.name, "size": one.size, "sha256": one.sha256}
                for one in sorted(entries, key=lambda one: one.name)
            ],
            "free": list(verifier.FREE),
        }
    ).encode()


def _link(part: LinkPart) -> dict[str, Any]:
    said: dict[str, Any] = {"link": part.link, "folder": part.folder}
    if part.handoffs:
        said["handoffs"] = list(part.handoffs)
    return said


def seal(payload: bytes, signer: Signer) -> Entry:
    """The manifest as the entry it is."""
    return Entry.of(verifier.MANIFEST, jws.sign(jws.Typ.MANIFEST, payload, signer).encode())


def unsealed(sealed: Entry) -> verifier.SignedManifest:
    """The manifest again, as a verifier takes it apart."""
    return verifier.open_manifest(b"".join(sealed.chunks()))


def check_size(entries: Sequence[Entry]) -> None:
    """Return if these fit into one archive. Raises Refused(bundle_too_large)."""
    total = sum(one.size + 2 * len(one.name) + 128 for one in entries)
    texts = [one.size for one in entries if one.name.startswith("links/")]
    if (
        total > verifier.MAX_BUNDLE
        or len(entries) > verifier.MAX_ENTRIES
        or max(texts, default=0) > verifier.MAX_TEXT
    ):
        raise Refused(
            "bundle_too_large",
            "This is more than one bundle holds (4 GiB, {entries} entries).",
            hint="Export a shorter time, one ticket, or without --files.",
            entries=verifier.MAX_ENTRIES,
        )


def archive(entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bytes of the bundle."""
    central = b""
    offset = 0
    ordered = sorted(entries, key=lambda one: one.name)
    for one in ordered:
        name, crc = one.name.encode("ascii"), 0
        for chunk in one.chunks():
            crc = zlib.crc32(chunk, crc)
        header = verifier.local_header(name, crc, one.size)
        yield header
        yield from one.chunks()
        central += verifier.central_header(name, crc, one.size, offset)
        offset += len(header) + one.size
    yield central
    yield verifier.end_of_archive(len(ordered), len(central), offset)


def blob_name(sha256: str) -> str:
    """The entry of a file, by its digest: in hex, which no file system folds together."""
    return f"blobs/{verifier.unb64url(sha256).hex()}"


def file_digests(payload: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(SHA-256, size) of every file a payload names."""
    for one in verifier.descriptors(dict(payload)):
        yield one["sha256"], one["size"]
