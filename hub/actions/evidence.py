"""Exporting evidence: what was signed about a ticket or on a link, for somebody without a node.

What is exported is read in one snapshot, checked by the very program that goes with it, and
written down in the audit log before anybody gets a byte of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused, Untrusted
from hub.evidence import verify as verifier
from hub.ids import HandoffId, LinkId
from hub.protocol import agreement as agreements
from hub.protocol import evidence, jws, payloads, signing, strict_json
from hub.protocol.agreement import AgreementParty
from hub.protocol.encoding import instant, unb64url
from hub.protocol.evidence import INVITEE, INVITER, Entry, LinkPart, Scope
from hub.storage import (
    attachments,
    audit,
    erasures,
    handoffs,
    letters,
    links,
    mail_links,
    nodes,
    tickets,
)
from hub.storage import evidence as kept
from hub.storage.blobs import CHUNK
from hub.storage.database import Connection, Tx
from hub.storage.erasures import Erased
from hub.storage.evidence import Aside, Kept, KeptReceipt
from hub.storage.letters import StoredLetter
from hub.storage.links import Link
from hub.storage.mail_links import Testimony

T = TypeVar("T")

GROUPS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], bool]]] = {
    "comments": lambda kind, _said: kind.startswith("comment."),
    "files": lambda kind, said: kind.startswith("file.") or bool(said.get("files")),
    "contact": lambda _kind, said: "contact" in said,
    "site": lambda _kind, said: "site" in said,
    "asset": lambda _kind, said: "asset" in said,
    "ratings": lambda kind, said: kind.startswith("rating.") or "rating" in said,
}
"""What can be left out by a word: every message whose payload has something of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportEvidence:
    """The wish to export: a ticket (all its hand-offs, or some), or a link (whole, or a time)."""

    ticket: str | None = None  # number or id
    handoffs: Collection[HandoffId] = ()  # of the ticket; empty: all
    links: Collection[LinkId] = ()  # of the ticket: only hand-offs over these; empty: all
    link: LinkId | None = None
    since: datetime | None = None
    until: datetime | None = None
    redact: Sequence[str] = ()  # words of GROUPS, message types, message ids
    files: bool = False  # the bytes too, not only their digests
    language: str = "en"  # of the report


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle, ready to be written."""

    entries: Sequence[Entry]
    manifest: str  # its hash: what the audit log knows the bundle by
    result: verifier.Result
    report: Mapping[str, Any]  # what the verifier says of it

    def chunks(self) -> Iterator[bytes]:
        """Its bytes."""
        return evidence.archive(self.entries)


@dataclass(slots=True)
class _Gathered:
    """What one link contributes."""

    link: Link
    handoffs: frozenset[str]
    key_sets: dict[str, list[str]]  # ours | theirs: every key set, as its identity signed it
    successions: Sequence[Sequence[str]]  # theirs, as they came with their key sets
    logs: dict[str, list[Kept]]  # out | in
    receipts: list[KeptReceipt]
    superseded: list[Aside]
    forks: list[Aside]
    erased: Erased = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # ids of messages whose payload is left out
    testimonies: list[Testimony] = field(default_factory=list)  # of a partner without a node
    letters: dict[str, StoredLetter] = field(default_factory=dict)  # that they name, by id


async def export(hub: Hub, actor: Actor, wish: ExportEvidence) -> Exported:
    """The bundle, checked and noted in the audit log.

    Raises NotFound; Refused where a word of `redact` means nothing here, where it is too much for
    one bundle, and `evidence_broken` where what is stored does not hold together any more.
    """
    permits.require(actor, Permission.AUDIT_READ)
    now = hub.now()
    number, gathered = await hub.db.read(lambda connection: _whole(connection, hub, wish))
    files = await hub.db.read(lambda connection: _redact(connection, gathered, wish))
    made = await asyncio.to_thread(_build, hub, wish, number, gathered, files, now)

    def transaction(tx: Tx) -> None:
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="evidence.exported",
            ticket=number or None,
            links=[one.link.id for one in gathered],
            handoffs=sorted(id_ for one in gathered for id_ in one.handoffs),
            messages=sum(len(view.timeline) for view in made.result.links),
            redacted=sorted(wish.redact),
            files=wish.files,
            manifest=made.manifest,
        )

    await hub.db.write(transaction)
    return made


# --- gathering ------------------------------------------------------------------------------


def _whole(connection: Connection, hub: Hub, wish: ExportEvidence) -> tuple[str, list[_Gathered]]:
    """What is wanted, and which of its payloads somebody asked to erase."""
    number, gathered = _gather(connection, hub, wish)
    for one in gathered:
        if one.link.in_custody:
            _add_testimonies(connection, one)
        gone = {
            row.handoff_id
            for rows in one.logs.values()
            for row in rows
            if row.data is None and row.handoff_id is not None
        }
        gone |= {
            str(envelope["handoff"])
            for row in [*one.superseded, *one.forks]
            if row.data is None and "handoff" in (envelope := _envelope(row.env))
        }
        one.erased = erasures.reach(connection, gone)
    return number, gathered


def _add_testimonies(connection: Connection, one: _Gathered) -> None:
    said = [row.id for row in one.logs["in"]]
    one.testimonies = mail_links.testimonies_of(connection, said)
    for testimony in one.testimonies:
        if testimony.letter_id is not None:
            letter = letters.find(connection, testimony.letter_id)
            if letter is not None and letter.erased_at is None and letter.sha256 is not None:
                one.letters[letter.id] = letter


def _gather(connection: Connection, hub: Hub, wish: ExportEvidence) -> tuple[str, list[_Gathered]]:
    if wish.ticket is None:
        assert wish.link is not None
        link = links.get(connection, wish.link)
        return "", [_of_link(connection, hub, link, wish)]
    ticket = tickets.named(connection, wish.ticket)
    found = [
        one
        for one in handoffs.of_ticket(connection, ticket.id)
        if (not wish.handoffs or one.id in wish.handoffs)
        and (not wish.links or one.link_id in wish.links)
    ]
    if not found or {one.id for one in found} < set(wish.handoffs):
        raise NotFound(
            "no_handoff", "This ticket has no hand-off for that.", hint="hub ticket show"
        )
    by_link: dict[LinkId, set[str]] = {}
    for one in found:
        for link_id in (one.link_id, *mail_links.left_behind(connection, one.id, one.link_id)):
            by_link.setdefault(link_id, set()).add(one.id)
    return ticket.number, [
        _of_handoffs(connection, hub, links.get(connection, link_id), frozenset(ids))
        for link_id, ids in sorted(by_link.items())
    ]


def _begun(connection: Connection, hub: Hub, link: Link) -> _Gathered:
    """A link without its messages."""
    if None in {link.agreement, link.our_signature, link.peer_signature}:
        raise Conflict(
            "link_not_active", "The link with {peer} has no agreement yet.", peer=link.peer_name
        )
    return _Gathered(
        link,
        frozenset(),
        {
            whose: [text for _, text in sorted(nodes.key_sets_of(connection, node_id).items())]
            for whose, node_id in (("ours", hub.account.node_id), ("theirs", link.peer_node_id))
        },
        nodes.successions_of(connection, link.peer_node_id),
        {},
        [],
        kept.superseded(connection, link.id),
        kept.contradictions(connection, link.id),
    )


def _of_handoffs(connection: Connection, hub: Hub, link: Link, wanted: frozenset[str]) -> _Gathered:
    """What there is about some hand-offs, and nothing about others of the link."""
    found = _begun(connection, hub, link)
    found.handoffs = wanted
    found.logs = {way: kept.log(connection, link.id, way, wanted) for way in ("out", "in")}
    ours = {one.hash for rows in found.logs.values() for one in rows if one.handoff_id is not None}
    for way, rows in found.logs.items():
        found.logs[way] = [
            one for one in rows if one.type != "message.rejected" or _refused(one) in ours
        ]
    for way, direction in (("out", "received"), ("in", "issued")):
        seqs = {one.seq for one in found.logs[way]}
        found.receipts += [
            one
            for one in kept.receipts_of(connection, link.id, direction)
            if one.upto in seqs or not wanted.isdisjoint(_heads(one))
        ]
    found.superseded = [one for one in found.superseded if _is_about(one, wanted)]
    found.forks = [one for one in found.forks if _is_about(one, wanted)]
    return found


def _refused(row: Kept) -> str:
    """The hash of the message that this `message.rejected` refuses; empty where it is erased."""
    return "" if row.data is None else str(_said(row.data).get("ref_mh", ""))


def _heads(receipt: KeptReceipt) -> Collection[str]:
    """The hand-offs a receipt names."""
    payload = strict_json.parse(jws.peek(receipt.jws).payload, max_bytes=jws.MAX_JWS)
    return set(payload["handoffs"])


def _is_about(row: Aside, wanted: frozenset[str]) -> bool:
    return _envelope(row.env).get("handoff") in wanted


def _envelope(env: str) -> dict[str, Any]:
    return strict_json.parse(jws.peek(env).payload, max_bytes=jws.MAX_JWS)


def _said(text: str) -> dict[str, Any]:
    try:
        return signing.read_data(text)
    except Untrusted:
        return {}  # authentic and unreadable: refused when it came


def _of_link(connection: Connection, hub: Hub, link: Link, wish: ExportEvidence) -> _Gathered:
    """Both logs, or the part of them that was written in a time."""
    found = _begun(connection, hub, link)
    for way, direction in (("out", "received"), ("in", "issued")):
        rows = kept.log(connection, link.id, way)
        receipts = kept.receipts_of(connection, link.id, direction)
        if wish.since is not None or wish.until is not None:
            rows, receipts = _within(rows, receipts, wish)
        found.logs[way] = rows
        found.receipts += receipts
    return found


def _within(
    rows: Sequence[Kept], receipts: Sequence[KeptReceipt], wish: ExportEvidence
) -> tuple[list[Kept], list[KeptReceipt]]:
    """The messages of a time, on to the next receipt, so that it covers all of them."""
    inside = [
        one.seq
        for one in rows
        if (wish.since is None or one.at >= wish.since)
        and (wish.until is None or one.at <= wish.until)
    ]
    if not inside:
        first, last = 1, 0
    else:
        first, last = inside[0], inside[-1]
        last = min((one.upto for one in receipts if one.upto >= last), default=last)
    if wish.since is None:
        first = 1
    shown = [
        one
        for one in rows
        if first <= one.seq <= last or (one.seq < first and one.type in verifier.SUPPORT)
    ]
    return shown, [one for one in receipts if first <= one.upto <= last]


# --- leaving out ----------------------------------------------------------------------------


def _redact(
    connection: Connection, gathered: Sequence[_Gathered], wish: ExportEvidence
) -> dict[str, int]:
    """Mark what the wish leaves out; digest and size of every file that stays and is shown."""
    left = set(wish.redact)
    files: dict[str, int] = {}
    for one in gathered:
        for id_, kind, data in _all(one):
            said = {} if data is None else _said(data)
            words = {
                word
                for word in wish.redact
                if word in {id_, kind} or (word in GROUPS and GROUPS[word](kind, said))
            }
            if words and kind in verifier.SUPPORT:
                raise Refused(
                    "not_redactable",
                    "Messages of type {kind} cannot be left out: others lean on them.",
                    kind=kind,
                )
            left -= words
            if words:
                one.hidden.add(id_)
            else:
                files.update(evidence.file_digests(said))
    unknown = sorted(word for word in left if word not in GROUPS and word not in payloads.TYPES)
    if unknown:
        raise Refused(
            "redaction_unknown",
            "There is nothing here called {words} that could be left out.",
            hint="Known: {known}, a message type, or the id of a message.",
            words=", ".join(unknown),
            known=", ".join(GROUPS),
        )
    return {sha256: size for sha256, size in files.items() if _may_show(connection, sha256)}


def _all(one: _Gathered) -> Iterator[tuple[str, str, str | None]]:
    """(id, type, payload) of everything gathered."""
    for rows in one.logs.values():
        for row in rows:
            yield row.id, row.type, row.data
    for aside in [*one.superseded, *one.forks]:
        envelope = _envelope(aside.env)
        yield str(envelope["id"]), str(envelope["type"]), aside.data


def _may_show(connection: Connection, sha256: str) -> bool:
    """Whether the file was not taken back by its author."""
    return any(one.redacted_at is None for one in attachments.with_digest(connection, sha256))


# --- building -------------------------------------------------------------------------------


def _build(
    hub: Hub,
    wish: ExportEvidence,
    number: str,
    gathered: Sequence[_Gathered],
    files: Mapping[str, int],
    now: datetime,
) -> Exported:
    # Another process may have changed our keys: what is exported is signed with the newest.
    opened = hub.ring.at_least(max(len(one.key_sets["ours"]) for one in gathered))
    parts, texts = [], {}
    for index, one in enumerate(gathered, 1):
        folder = f"links/{index}"
        parts.append(LinkPart(one.link.id, folder, sorted(one.handoffs)))
        laid_out = _texts(one, [opened.keys.succession])
        texts.update({f"{folder}/{name}": text for name, text in laid_out.items()})
    entries = [Entry.of(name, text) for name, text in texts.items()]
    if wish.files:
        for part, one in zip(parts, gathered, strict=True):
            entries += _letters(hub, part.folder, one)
        entries += [
            _blob(hub, sha256, size) for sha256, size in files.items() if hub.blobs.has(sha256)
        ]
    program = importlib.resources.files("hub.evidence").joinpath("verify.py").read_bytes()

    def manifest(report: bytes) -> tuple[bytes, list[Entry]]:
        whole = [
            *entries,
            Entry.of("report.html", report),
            Entry.of("verify.py", program),
        ]
        payload = evidence.manifest(
            exporter=hub.account.node_id,
            key_set=opened.key_set_jws,
            made_at=now,
            scope=Scope(number=number, since=wish.since, until=wish.until),
            links=parts,
            redacted=wish.redact,
            files=wish.files,
            entries=whole,
        )
        return payload, whole

    result = verifier.Result()
    with _unbroken(wish.language):
        verifier.examine(verifier.read_manifest(manifest(b"")[0]), texts.__getitem__, result)
    verifier.note_files(result, {one.name for one in entries})
    report = verifier.as_html(result, wish.language).encode()
    payload, whole = manifest(report)
    sealed = evidence.seal(payload, opened.keys.message)
    with _unbroken(wish.language):
        verifier.check_signed(evidence.unsealed(sealed), texts.__getitem__)
    evidence.check_size([*whole, sealed])
    return Exported(
        [*whole, sealed],
        sealed.sha256,
        result,
        verifier.as_document(result, wish.language),
    )


@contextlib.contextmanager
def _unbroken(language: str) -> Iterator[None]:
    """What the verifier would not believe is not exported."""
    try:
        yield
    except verifier.Altered as altered:
        raise Refused(
            "evidence_broken",
            "What is stored here does not hold together any more: {what}.",
            hint="hub doctor",
            what=altered.said.text(language),
            because=altered.said.where,
        ) from altered


def _texts(one: _Gathered, our_successions: Sequence[Sequence[str]]) -> dict[str, bytes]:
    """The entries of a link."""
    link = one.link
    assert link.agreement is not None
    ours, theirs = (INVITER, INVITEE) if link.inviter else (INVITEE, INVITER)
    signatures = {ours: link.our_signature or "", theirs: link.peer_signature or ""}
    key_sets: dict[str, Sequence[str]] = {}
    successions: dict[str, Sequence[str]] = {}
    them = agreements.parse(link.agreement).party(link.peer_node_id)
    us = agreements.parse(link.agreement).other(them.node_id)
    for side, whose, party, told in (
        (ours, "ours", us, our_successions),
        (theirs, "theirs", them, one.successions),
    ):
        identities, successions[side] = _identities(party, told)
        # A node is older than its links: its first sets may be by identities before the agreed one.
        key_sets[side] = [text for text in one.key_sets[whose] if jws.peek(text).kid in identities]
    return {
        "agreement.json": link.agreement.encode(),
        "proof.json": evidence.proof(signatures, key_sets, successions),
        f"{ours}.ndjson": b"".join(_line(one, "out", row) for row in one.logs["out"]),
        f"{theirs}.ndjson": b"".join(_line(one, "in", row) for row in one.logs["in"]),
        "receipts.ndjson": b"".join(evidence.receipt_line(row.jws) for row in one.receipts),
        "superseded.ndjson": b"".join(_aside_line(one, us.node_id, row) for row in one.superseded),
        "forks.ndjson": b"".join(_aside_line(one, us.node_id, row) for row in one.forks),
        **({"custody.ndjson": _custody(one)} if link.in_custody else {}),
    }


def _custody(one: _Gathered) -> bytes:
    """On the strength of what our node sealed each message of a partner that has none."""
    lines = []
    for testimony in one.testimonies:
        said: dict[str, Any] = {
            "message": testimony.message_id,
            "way": testimony.way,
            "at": instant(testimony.at),
            "facts": {name: str(value) for name, value in testimony.facts.items()},
        }
        if (letter := one.letters.get(testimony.letter_id or "")) is not None:
            said["letter"] = {
                "sha256": letter.sha256,
                "size": letter.size,
                "standing": letter.standing or "unknown",
            }
        lines.append(strict_json.dump(said).encode() + b"\n")
    return b"".join(lines)


def _letters(hub: Hub, folder: str, one: _Gathered) -> list[Entry]:
    """The raw letters, but those behind messages whose payload is left out."""
    shown = {
        letter.sha256: letter.size
        for testimony in one.testimonies
        if testimony.message_id not in one.hidden
        and (letter := one.letters.get(testimony.letter_id or "")) is not None
        and letter.sha256 is not None
        and hub.blobs.has(letter.sha256)
    }
    return [
        replace(_blob(hub, sha256, size), name=f"{folder}/letters/{unb64url(sha256).hex()}.eml")
        for sha256, size in sorted(shown.items())
    ]


def _identities(party: AgreementParty, told: Sequence[Sequence[str]]) -> tuple[set[str], list[str]]:
    """A side's identity keys since the agreement, and the statements that lead from one on."""
    last = verifier.key_of_jwk(verifier.Members(party.identity.jwk))
    found, statements = {last.kid}, list[str]()
    for texts in told:
        later = verifier.follow(last, party.node_id, texts)
        if len(later) > 1:
            last = later[-1]
            found |= {one.kid for one in later}
            statements += texts[-2 * (len(later) - 1) :]
    return found, statements


def _line(one: _Gathered, way: str, row: Kept) -> bytes:
    if row.id in one.hidden and row.data is not None:
        return evidence.message_line(row.env, None, evidence.REDACTED)
    until = one.erased.get((row.handoff_id or "", way))
    missing = evidence.PRUNED if until is None or row.at > until else evidence.ERASED
    return evidence.message_line(row.env, row.data, missing)


def _aside_line(one: _Gathered, us: str, row: Aside) -> bytes:
    envelope = _envelope(row.env)
    if envelope["id"] in one.hidden and row.data is not None:
        return evidence.message_line(row.env, None, evidence.REDACTED)
    way = "out" if envelope["from"] == us else "in"
    erased = (envelope.get("handoff", ""), way) in one.erased
    missing = evidence.ERASED if erased else evidence.PRUNED
    return evidence.message_line(row.env, row.data, missing)


def _blob(hub: Hub, sha256: str, size: int) -> Entry:
    def chunks() -> Iterator[bytes]:
        with hub.blobs.open(sha256) as source:
            while chunk := source.read(CHUNK):
                yield chunk

    return Entry(evidence.blob_name(sha256), size, sha256, chunks)
