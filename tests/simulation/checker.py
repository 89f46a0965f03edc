"""The invariants, over all databases and every byte that left (numbers: I1-I10)."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.domain.handoff import FINAL, OVER, Party
from hub.storage import attachments, audit, inbox, links, outbox, streams
from hub.storage import checkpoints as stored_checkpoints
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from hub.storage import tickets as stored_tickets

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSED = "refused by the peer"

OF_ONE_SIDE = frozenset({"ended", "over"})
"""What each side judges for itself: who has let go does not ask the other."""

SHARED = (
    "state",
    "since",
    "round",
    "due_promised",
    "eta",
    "stage",
    "resolution",
    "reason",
    "score",
    "rating_text",
    "rating_rev",
    "rating_reply",
    "rating_reply_rev",
    "pend_reason",
    "resolved_at",
    "confirmed_at",
    "closed_at",
    "work_started",
    "effort_minutes",
    "hop_limit",
    "request_id",
)
"""What both sides of a hand-off must tell alike."""


@dataclass
class View:
    """What one node holds at the end."""

    shared: dict[str, dict[str, Any]]
    numbers: dict[str, tuple[Party, str, str | None]]  # our side, our number, theirs
    order: dict[str, list[tuple[bool, str]]]  # of each hand-off: (ours, comment) as shown
    first_bodies: list[str]
    ever_said: set[str]
    digests: set[str]
    redactions: int
    files_redacted: int
    texts: list[str]  # everything people see
    problems: list[str]


async def problems(world: World) -> list[str]:
    """Everything that is not as promised; empty where all is well.

    Where a node ran twice, the two may have said different things at the very end of a hand-off:
    one of them was refused, people were told, and what is over is not compared any more.
    """
    ran_twice = world.machines.copies > 0
    views = {
        company.name: await company.hub.db.read(
            lambda connection: view(connection, besides=world.hostile.peer.name)
        )
        for company in world.companies
    }
    found = [f"{name}: {text}" for name, one in views.items() for text in one.problems]
    found += _compare(views, over=not ran_twice)
    found += _heard(world, views)
    found += leaks(world)
    found += [
        f"{name}: a lie was taken: {text[:80]}"
        for name, one in views.items()
        for text in one.texts
        if world.hostile.mark in text
    ]
    found += await world.hostile.problems()
    return found


async def before_healing(world: World) -> list[str]:
    """I6: what was put aside is shown to a person, while the trouble lasts."""

    def body(connection: Any) -> list[str]:
        shown = {one.subject for one in audit.open_alerts(connection)}
        return [
            f"{row.type} {row.id} was put aside and nobody told"
            for row in inbox.in_state(connection, inbox.InboxState.PARKED, 100)
            if row.id not in shown
        ]

    return [text for company in world.companies for text in await company.hub.db.read(body)]


async def differences(world: World) -> list[str]:
    """What the nodes themselves found when they compared: there must be nothing to find."""

    def body(connection: Any) -> list[str]:
        return [
            f"{handoff_id} {sorted(fields)}"
            for link in links.everyone(connection)
            if link.peer_name != world.hostile.peer.name
            for handoff_id, fields in _differing(connection, link.id).items()
        ]

    return [
        f"{company.name}: a difference is shown: {text}"
        for company in world.companies
        for text in await company.hub.db.read(body)
    ]


def _differing(connection: Any, link_id: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in stored_checkpoints.differences_of(connection, link_id=link_id):
        found.setdefault(one.handoff_id, []).append(one.field)
    return found


def _compare(views: dict[str, View], *, over: bool) -> list[str]:
    """I3 and I9: both sides of every hand-off tell the same, in the author's order."""
    sides: dict[str, list[str]] = {}
    for name, one in views.items():
        for handoff_id in one.shared:
            sides.setdefault(handoff_id, []).append(name)
    found = []
    for handoff_id, names in sides.items():
        if len(names) != 2:
            found.append(f"{handoff_id} is known to {names} only")
            continue
        first, second = (views[name] for name in names)
        mine, theirs = first.shared[handoff_id], second.shared[handoff_id]
        if not over and mine["over"] and theirs["over"]:
            continue
        for here, there in (
            (first.numbers[handoff_id], second.numbers[handoff_id]),
            (second.numbers[handoff_id], first.numbers[handoff_id]),
        ):
            # The contractor's number comes with its first answer.
            if here[2] != there[1] and not (here[0] is Party.PRINCIPAL and here[2] is None):
                found.append(f"{handoff_id}: numbers {here} and {there}")
        # Who does not listen any more hears of no new wording; taking back reaches everybody.
        ended = mine["ended"] or theirs["ended"]
        found += [
            f"{handoff_id} {key}: {names[0]} {mine[key]!r}, {names[1]} {theirs[key]!r}"
            for key in mine.keys() - ({"comments", *OF_ONE_SIDE} if ended else OF_ONE_SIDE)
            if mine[key] != theirs[key]
        ]
        for ours in (True, False):
            written = [text for own, text in first.order[handoff_id] if own is ours]
            read = [text for own, text in second.order[handoff_id] if own is not ours]
            common = set(written) & set(read)
            if [t for t in written if t in common] != [t for t in read if t in common]:
                found.append(f"{handoff_id}: in another order: {written} and {read}")
    return found


def _heard(world: World, views: dict[str, View]) -> list[str]:
    """I1 and I2: what was acknowledged is there, and there once, counted by content."""
    found = []
    for name, one in views.items():
        counted = Counter(one.first_bodies)
        found += [f"{name}: {body!r} {n} times" for body, n in counted.items() if n > 1 and body]
    everywhere = set().union(*(one.ever_said for one in views.values()))
    restored = world.machines.restored
    for body, (author, _visibility) in world.said.items():
        # A comment that was taken back has no body any more, by the author's own wish.
        if body in views[author].ever_said or views[author].redactions:
            continue
        if author in restored and body not in everywhere:
            continue  # nobody else ever had it: gone with what the backup did not hold
        found.append(f"{author}: {body!r} was acknowledged and is gone")
    for digest, author in world.attached.items():
        if digest not in views[author].digests and author not in restored:
            found.append(f"{author}: the file {digest} was acknowledged and is gone")
    return found


def leaks(world: World) -> list[str]:
    """I4: no internal byte in anything that left, however it is written."""
    forms = {
        form
        for text in (world.canary, world.canary.partition("-")[2])
        for form in _written(text.encode())
    }
    for blob in world.network.wire.sent:
        plain = [blob]
        if b"\x1f\x8b" in blob:
            plain.append(gzip.decompress(blob[blob.index(b"\x1f\x8b") :]))
        if any(form in one for one in plain for form in forms):
            return ["an internal note left the company"]
    return []


def _written(text: bytes) -> set[bytes]:
    """The ways these bytes may be written; of base64 what does not depend on its neighbours."""
    shifted = {b64encode(b"\0" * n + text)[4 if n else 0 : -4] for n in range(3)}
    escaped = text.decode().encode("unicode_escape").replace(b"\\x", b"\\u00")
    return {text, escaped, quote(text).encode(), *shifted}


def at_rest(connection: Any, besides: str) -> bool:
    """Whether nothing waits, and nobody is stopped, on any link but the one with this peer."""
    return not any(
        link.state is not links.LinkState.ACTIVE
        or _waiting(connection, link.id)
        or inbox.waiting_count(connection, link.id)
        or not (stream := streams.get(connection, link.id))
        or not stream.synced
        for link in links.everyone(connection)
        if link.peer_name != besides and link.closed_at is None
    ) and not attachments.open_fetches(connection)


def _waiting(connection: Any, link_id: str) -> bool:
    rows = outbox.page(connection, state=None, before=None, limit=10_000, link_id=link_id)
    return any(row.state in {"queued", "sent"} for row in rows)


def view(connection: Any, besides: str = "") -> View:
    """What this database holds; of the link with this peer nothing is expected."""
    made = View({}, {}, {}, [], set(), set(), 0, 0, [], [])
    if (broken := audit.first_break(connection)) is not None:
        made.problems.append(f"audit chain breaks at {broken}")
    for link in links.everyone(connection):
        if link.peer_name != besides:
            _view_link(connection, link, made)
    for ticket in stored_tickets.page(connection, status=None, before=None, limit=10_000):
        made.texts += [ticket.title, ticket.description or ""]
        for row in stored_comments.of_ticket(connection, ticket.id):
            plain = row.body.replace(" (испр.)", "")
            if row.redacted_at is None:
                made.first_bodies.append(f"{ticket.id}/{plain}")
            made.ever_said.add(plain)
            made.texts.append(row.body)
            made.redactions += row.redacted_at is not None
        made.digests |= {row.sha256 for row in attachments.of_ticket(connection, ticket.id)}
    return made


def _view_link(connection: Any, link: Any, made: View) -> None:
    rows = outbox.page(connection, state=None, before=None, limit=10_000, link_id=link.id)
    made.problems += [
        f"{REFUSED}: {row.type}: {row.last_error}" for row in rows if row.state == "failed"
    ]
    made.problems += [
        f"parked: {row.type} {row.last_error}"
        for row in inbox.in_state(connection, inbox.InboxState.PARKED, 100)
        if row.link_id == link.id
    ]
    stream = streams.get(connection, link.id)
    if stream is not None and stream.out_seq != stream.receipted_seq:
        made.problems.append(f"{link.peer_name}: not everything is receipted")
    for one in stored_handoffs.of_link(connection, link.id, only_open=False):
        ticket = stored_tickets.get(connection, one.ticket_id)
        shared_here = stored_comments.refs_of
        public = [
            row
            for row in stored_comments.of_ticket(connection, one.ticket_id)
            if one.id in shared_here(connection, "cmt", row.id)
        ]
        files = [
            (row.sha256, str(row.state), row.redacted_at is not None)
            for row in attachments.of_ticket(connection, one.ticket_id)
            if one.id in shared_here(connection, "att", row.id)
        ]
        wordings = [(row.body, row.rev, row.redacted_at is not None) for row in public]
        made.shared[one.id] = {name: getattr(one, name) for name in SHARED} | {
            "comments": sorted(wordings),
            "taken_back": sorted(redacted for _body, _rev, redacted in wordings),
            "ended": one.state in FINAL or one.detached_at is not None,
            "over": one.state in OVER or one.detached_at is not None,
            "files": sorted(files),
            "title": ticket.title,
        }
        made.order[one.id] = [
            (row.origin_handoff_id != one.id, row.body) for row in public if not row.redacted_at
        ]
        made.numbers[one.id] = (one.party, ticket.number, one.peer_number)
