"""What a forger can do to a bundle: every way changes it, none may pass.

A forger has no key of either side. It may write the archive anew, with right checksums, and the
manifest's table of hashes too; it may sign with a key of its own. A *dishonest exporter* is
stronger: it signs the manifest again. `random` alone decides what happens, so a seed is a case.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.evidence import verify as verifier
from hub.protocol import evidence, jws, strict_json
from hub.protocol.encoding import b64url, sha256_b64
from hub.protocol.evidence import Entry
from hub.protocol.keys import PrivateKey
from tests.kit.clock import SeededEntropy

FORGER = PrivateKey.generate(SeededEntropy("forger"))
LOOK_ALIKES = dict(zip("асеорхАВЕКМНОРСТ", "aceopxABEKMHOPCT", strict=True))
LOOK_ALIKES |= {latin: cyrillic for cyrillic, latin in LOOK_ALIKES.items()}

Entries = dict[str, bytes]
Mutation = Callable[[random.Random, "Bundle"], bytes]


class NothingToDo(Exception):
    """This mutation cannot be made here: another seed is drawn."""


@dataclass
class Bundle:
    """An archive, and its entries."""

    raw: bytes
    entries: Entries = field(default_factory=dict)

    @classmethod
    def of(cls, raw: bytes) -> Bundle:
        """As it was exported."""
        import io

        archive = verifier.Archive(io.BytesIO(raw))
        return cls(raw, {name: archive.read(name, 2**30) for name in archive.entries})

    @property
    def evidence(self) -> list[str]:
        """The entries that count."""
        return [
            name
            for name in self.entries
            if name not in verifier.FREE and name != verifier.MANIFEST and self.entries[name]
        ]

    @property
    def logs(self) -> list[str]:
        """Entries of lines, that have some."""
        return [name for name in self.evidence if name.endswith(".ndjson")]


def written(entries: Mapping[str, bytes]) -> bytes:
    """The archive of these, as an honest exporter writes it."""
    return b"".join(evidence.archive([Entry.of(*one) for one in entries.items()]))


def relisted(entries: Entries, signer: PrivateKey | None = None) -> Entries:
    """The same with the manifest's table of hashes made right again.

    Signed by `signer`, else under the old signature.
    """
    header, payload, signature = entries[verifier.MANIFEST].decode().split(".")
    said = json.loads(verifier.unb64url(payload))
    said["entries"] = [
        {"name": name, "size": len(content), "sha256": sha256_b64(content)}
        for name, content in sorted(entries.items())
        if name != verifier.MANIFEST
    ]
    text = strict_json.dump(said).encode()
    if signer is not None:
        sealed = jws.sign(jws.Typ.MANIFEST, text, signer)
    else:
        sealed = f"{header}.{b64url(text)}.{signature}"
    return {**entries, verifier.MANIFEST: sealed.encode()}


# --- the archive as bytes ---------------------------------------------------------------------


def flip_a_bit_of_the_archive(chance: random.Random, bundle: Bundle) -> bytes:
    raw = bytearray(bundle.raw)
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def cut_bytes_out(chance: random.Random, bundle: Bundle) -> bytes:
    at, size = chance.randrange(len(bundle.raw)), chance.randint(1, 100)
    return bundle.raw[:at] + bundle.raw[at + size :]


def put_bytes_in(chance: random.Random, bundle: Bundle) -> bytes:
    at = chance.choice([0, len(bundle.raw), chance.randrange(len(bundle.raw))])
    return bundle.raw[:at] + chance.randbytes(chance.randint(1, 100)) + bundle.raw[at:]


def swap_two_blocks(chance: random.Random, bundle: Bundle) -> bytes:
    size = chance.randint(1, 200)
    first, second = sorted(chance.sample(range(len(bundle.raw) // size), 2))
    raw, left, right = bundle.raw, first * size, second * size
    return (
        raw[:left]
        + raw[right : right + size]
        + raw[left + size : right]
        + raw[left : left + size]
        + raw[right + size :]
    )


# --- tricks with the format -------------------------------------------------------------------


def _loose(
    entries: list[tuple[str, bytes]],
    *,
    central_names: Mapping[int, str] | None = None,
    date: int = 0x21,
    flags: int = 0,
    comment: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """An archive that any program opens, and that no honest exporter writes."""
    out, central = b"", b""
    for index, (name, content) in enumerate(entries):
        crc, raw = zlib.crc32(content), name.encode()
        there = (central_names or {}).get(index, name).encode()
        offset = len(out)
        fixed = (20, flags, 0, 0, date, crc, len(content), len(content))
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, *fixed, len(raw), len(extra)) + raw + extra
        out += content
        central += struct.pack(
            "<IHHHHHHIIIHHHHHII",
            *(0x02014B50, 0x0314, *fixed, len(there), 0, 0, 0, 0, 0o100644 << 16, offset),
        )
        central += there
    end = (0x06054B50, 0, 0, len(entries), len(entries), len(central), len(out), len(comment))
    return out + central + struct.pack("<IHHHHIIH", *end) + comment


def two_members_of_one_name(chance: random.Random, bundle: Bundle) -> bytes:
    name = chance.choice(bundle.evidence)
    listed = sorted(bundle.entries.items())
    at = chance.choice([i for i, one in enumerate(listed) if one[0] == name])
    other = bundle.entries[chance.choice(bundle.evidence)] + b" "
    listed.insert(at + chance.randint(0, 1), (name, other))
    return _loose(listed)


def headers_that_differ(chance: random.Random, bundle: Bundle) -> bytes:
    listed = sorted(bundle.entries.items())
    at = chance.randrange(len(listed))
    name = listed[at][0]
    other = chance.choice([name.upper(), name + "x", "/" + name, chance.choice(listed)[0] + "_"])
    if chance.random() < 0.5:
        return _loose(listed, central_names={at: other})
    listed[at], names = (other, listed[at][1]), {at: name}
    return _loose(listed, central_names=names)


def another_way_to_write_it(chance: random.Random, bundle: Bundle) -> bytes:
    listed = sorted(bundle.entries.items())
    if chance.random() < 0.4:
        before = list(listed)
        chance.shuffle(listed)
        if listed == before:
            raise NothingToDo
        return _loose(listed)
    if chance.random() < 0.3:
        return _loose(listed, comment=chance.randbytes(chance.randint(1, 30)))
    if chance.random() < 0.5:
        return _loose(listed, date=chance.randint(0x22, 0xFFFF))
    if chance.random() < 0.5:
        return _loose(listed, flags=1 << chance.randrange(16))
    return _loose(listed, extra=struct.pack("<HH", 0x5455, 5) + chance.randbytes(5))


# --- entries, written anew with right checksums -----------------------------------------------


def _flip(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _flip_an_entry(chance: random.Random, bundle: Bundle) -> Entries:
    name = chance.choice(bundle.evidence)
    return {**bundle.entries, name: _flip(chance, bundle.entries[name])}


def _delete_an_entry(chance: random.Random, bundle: Bundle) -> Entries:
    gone = chance.choice([*bundle.evidence, *verifier.FREE, verifier.MANIFEST])
    return {name: one for name, one in bundle.entries.items() if name != gone}


def _add_an_entry(chance: random.Random, bundle: Bundle) -> Entries:
    name = chance.choice(
        ["links/9/agreement.json", "links/1/notes.txt", "blobs/" + "0" * 64, "readme.txt", "a"]
    )
    return {**bundle.entries, name: chance.randbytes(chance.randint(0, 40))}


def _rename_an_entry(chance: random.Random, bundle: Bundle) -> Entries:
    old = chance.choice(bundle.evidence)
    new = chance.choice(["links/1/extra.ndjson", old + "0", old.replace("links/1", "links/2")])
    if new == old or new in bundle.entries:
        raise NothingToDo
    return {(new if name == old else name): one for name, one in bundle.entries.items()}


def _swap_two_entries(chance: random.Random, bundle: Bundle) -> Entries:
    one, two = chance.sample(bundle.evidence, 2)
    return {**bundle.entries, one: bundle.entries[two], two: bundle.entries[one]}


def _swap_the_sides(chance: random.Random, bundle: Bundle) -> Entries:
    folder = chance.choice(bundle.logs).rpartition("/")[0]
    one, two = f"{folder}/inviter.ndjson", f"{folder}/invitee.ndjson"
    return {**bundle.entries, one: bundle.entries[two], two: bundle.entries[one]}


def _lines(chance: random.Random, bundle: Bundle, least: int) -> tuple[str, list[bytes]]:
    fitting = [name for name in bundle.logs if bundle.entries[name].count(b"\n") >= least]
    name = chance.choice(fitting)
    return name, bundle.entries[name].splitlines(keepends=True)


def _delete_a_line(chance: random.Random, bundle: Bundle) -> Entries:
    name, lines = _lines(chance, bundle, 1)
    del lines[chance.randrange(len(lines))]
    return {**bundle.entries, name: b"".join(lines)}


def _double_a_line(chance: random.Random, bundle: Bundle) -> Entries:
    name, lines = _lines(chance, bundle, 1)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return {**bundle.entries, name: b"".join(lines)}


def _reorder_lines(chance: random.Random, bundle: Bundle) -> Entries:
    name, lines = _lines(chance, bundle, 2)
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return {**bundle.entries, name: b"".join(lines)}


def _move_a_line_to_the_other_side(chance: random.Random, bundle: Bundle) -> Entries:
    name, lines = _lines(chance, bundle, 1)
    folder = name.rpartition("/")[0]
    other = f"{folder}/{chance.choice(['inviter', 'invitee', 'forks', 'superseded'])}.ndjson"
    if other == name:
        raise NothingToDo
    moved = lines.pop(chance.randrange(len(lines)))
    return {**bundle.entries, name: b"".join(lines), other: bundle.entries[other] + moved}


def _homoglyphs(chance: random.Random, bundle: Bundle) -> Entries:
    name = chance.choice(bundle.evidence)
    text = bundle.entries[name].decode("utf-8", "replace")
    places = [at for at, ch in enumerate(text) if ch in LOOK_ALIKES]
    if not places:
        raise NothingToDo
    at = chance.choice(places)
    changed = text[:at] + LOOK_ALIKES[text[at]] + text[at + 1 :]
    return {**bundle.entries, name: changed.encode()}


def _change_words(chance: random.Random, bundle: Bundle) -> Entries:
    """Another number, another word, in what somebody said."""
    name, lines = _lines(chance, bundle, 1)
    at = chance.randrange(len(lines))
    said = json.loads(lines[at])
    if not said.get("data"):
        raise NothingToDo
    data = said["data"]
    places = [index for index, ch in enumerate(data) if ch.isalnum()]
    place = chance.choice(places)
    said["data"] = data[:place] + chance.choice("0123456789яЖqZ") + data[place + 1 :]
    if said["data"] == data:
        raise NothingToDo
    lines[at] = strict_json.dump(said).encode() + b"\n"
    return {**bundle.entries, name: b"".join(lines)}


def _change_an_envelope(chance: random.Random, bundle: Bundle) -> Entries:
    """Another envelope, under the signature of the right one."""
    name, lines = _lines(chance, bundle, 1)
    at = chance.randrange(len(lines))
    said = json.loads(lines[at])
    member = "env" if "env" in said else "jws"
    header, payload, signature = said[member].split(".")
    inside = json.loads(verifier.unb64url(payload))
    what = chance.choice(sorted(inside))
    value = inside[what]
    if isinstance(value, bool):
        inside[what] = not value
    elif isinstance(value, int):
        inside[what] = value + 1
    elif isinstance(value, str):
        inside[what] = value[:-1] + ("A" if value[-1] != "A" else "E")
    elif isinstance(value, list):
        inside[what] = [value[0] + 1, value[1]]
    else:
        del inside[what]
    said[member] = f"{header}.{b64url(strict_json.dump(inside).encode())}.{signature}"
    lines[at] = strict_json.dump(said).encode() + b"\n"
    return {**bundle.entries, name: b"".join(lines)}


def _spell_it_another_way(chance: random.Random, bundle: Bundle) -> Entries:
    """The same JSON for a lenient reader: a member twice, a number with a fraction, white space."""
    name, lines = _lines(chance, bundle, 1)
    at = chance.randrange(len(lines))
    line = lines[at].rstrip(b"\n")
    lines[at] = (
        chance.choice(
            [
                b'{"env":"",' + line[1:],
                b'{"\\u0065nv":"",' + line[1:],
                line[:-1] + b',"data":null}',
                line[:-1] + b',"x":1.0}',
                b"\xef\xbb\xbf" + line,
                line[:-1] + b" }",
                line + b"\r",
            ]
        )
        + b"\n"
    )
    return {**bundle.entries, name: b"".join(lines)}


def _flip_the_manifest(chance: random.Random, bundle: Bundle) -> Entries:
    return {
        **bundle.entries,
        verifier.MANIFEST: _flip(chance, bundle.entries[verifier.MANIFEST]),
    }


def _change_the_manifest(chance: random.Random, bundle: Bundle) -> Entries:
    """What it says of the bundle: whose it is, when, about what, what was left out."""
    header, payload, signature = bundle.entries[verifier.MANIFEST].decode().split(".")
    said = json.loads(verifier.unb64url(payload))
    change = chance.choice(["exporter", "made_at", "scope", "redacted", "files", "free", "format"])
    other = sha256_b64(chance.randbytes(8))
    said[change] = {
        "exporter": other,
        "made_at": f"2026-01-{chance.randint(10, 28)}T00:00:00.000Z",
        "scope": {"kind": "ticket", "number": f"T-{chance.randint(1, 999)}"},
        "redacted": ["comments", str(chance.random())],
        "files": "digests" if said["files"] == "included" else "included",
        "free": [*said["free"], chance.choice(bundle.evidence)],
        "format": "txp-evidence/2",
    }[change]
    sealed = f"{header}.{b64url(strict_json.dump(said).encode())}.{signature}"
    return {**bundle.entries, verifier.MANIFEST: sealed.encode()}


CONTENT: dict[str, Callable[[random.Random, Bundle], Entries]] = {
    "a bit of an entry flipped": _flip_an_entry,
    "an entry deleted": _delete_an_entry,
    "an entry added": _add_an_entry,
    "an entry renamed": _rename_an_entry,
    "two entries swapped": _swap_two_entries,
    "the two sides swapped": _swap_the_sides,
    "a line deleted": _delete_a_line,
    "a line doubled": _double_a_line,
    "lines reordered": _reorder_lines,
    "a line moved to the other side": _move_a_line_to_the_other_side,
    "a homoglyph": _homoglyphs,
    "words changed": _change_words,
    "an envelope changed": _change_an_envelope,
    "the same JSON in another spelling": _spell_it_another_way,
}
"""Changes of what the entries say."""

ARCHIVE: dict[str, Mutation] = {
    "a bit of the archive flipped": flip_a_bit_of_the_archive,
    "bytes cut out of the archive": cut_bytes_out,
    "bytes put into the archive": put_bytes_in,
    "two blocks of the archive swapped": swap_two_blocks,
    "two members of one name": two_members_of_one_name,
    "local and central headers that differ": headers_that_differ,
    "the archive written another way": another_way_to_write_it,
}
"""Changes of how the archive is written."""


def _rewritten(change: Callable[[random.Random, Bundle], Entries]) -> Mutation:
    return lambda chance, bundle: written(change(chance, bundle))


def _relisted(change: Callable[[random.Random, Bundle], Entries]) -> Mutation:
    def mutation(chance: random.Random, bundle: Bundle) -> bytes:
        changed = change(chance, bundle)
        if verifier.MANIFEST not in changed:
            raise NothingToDo
        return written(relisted(changed, chance.choice([None, FORGER])))

    return mutation


FORGERIES: dict[str, Mutation] = {
    **ARCHIVE,
    "a bit of the manifest flipped": _rewritten(_flip_the_manifest),
    "the manifest changed": _rewritten(_change_the_manifest),
    **{name: _rewritten(change) for name, change in CONTENT.items()},
    **{f"{name}, hashes listed anew": _relisted(change) for name, change in CONTENT.items()},
}
"""Everything a forger without a key can do."""


def forged(seed: int, bundle: Bundle) -> tuple[str, bytes]:
    """The forgery of this seed: its kind, and the archive."""
    return _drawn(seed, bundle, FORGERIES)


def _drawn(seed: int, bundle: Bundle, kinds: Mapping[str, Mutation]) -> tuple[str, bytes]:
    chance = random.Random(seed)
    kind = list(kinds)[seed % len(kinds)]
    while True:
        try:
            raw = kinds[kind](chance, bundle)
        except NothingToDo:
            kind = chance.choice(list(kinds))
            continue
        if raw != bundle.raw:
            return kind, raw


def by_a_dishonest_exporter(seed: int, bundle: Bundle, signer: PrivateKey) -> tuple[str, bytes]:
    """The exporter itself changes what was said, and signs the bundle again.

    What it may leave out by right (payloads, receipts, what came after the last receipt) is not
    among the changes.
    """

    def signed(change: Callable[[random.Random, Bundle], Entries]) -> Mutation:
        def mutation(chance: random.Random, bundle: Bundle) -> bytes:
            before = {name: one for name, one in bundle.entries.items() if "receipts" not in name}
            changed = change(chance, Bundle(bundle.raw, before))
            if verifier.MANIFEST not in changed or not set(verifier.FREE) <= changed.keys():
                raise NothingToDo
            receipts = {name: one for name, one in bundle.entries.items() if "receipts" in name}
            whole = relisted({**changed, **receipts}, signer)
            return written(whole)

        return mutation

    return _drawn(seed, bundle, {name: signed(change) for name, change in CONTENT.items()})
