"""What is missing on a foreign desk, worked out from how both sides stand.

Looking compares a ticket of ours with what is over there already and names what is missing, as
`PublicView`s: that and nothing else leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hub.actions.comments import spoken
from hub.actions.context import Hub
from hub.actions.desk_pairs import OUR_NUMBER
from hub.actions.sharing import described
from hub.domain import disclosure
from hub.domain.desk import (
    FIELDS,
    Base,
    DeskRole,
    PairState,
    Rules,
    Turn,
    compared,
    marker_of,
    may_tell_status,
    print_of,
    turn,
    way,
)
from hub.domain.disclosure import DeskReader, PublicView
from hub.domain.handoff import Party
from hub.domain.ticket import Ticket
from hub.i18n import gettext as _
from hub.i18n import reading_in
from hub.ids import PairId
from hub.storage import attachments, desk_tickets, handoffs
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.attachments import FileState
from hub.storage.comments import Comment
from hub.storage.database import Connection
from hub.storage.desk_tickets import Item, Pair


@dataclass(frozen=True, slots=True)
class Make:
    """The ticket itself is to be made over there."""

    view: PublicView
    marker: str


@dataclass(frozen=True, slots=True)
class Tell:
    """These fields are to be as they are here."""

    view: PublicView
    values: dict[str, str]  # title, priority, status: those that differ


@dataclass(frozen=True, slots=True)
class Say:
    """A text is to be written over there."""

    view: PublicView
    local_id: str
    rev: int
    prefix: str = ""  # words of ours before it


@dataclass(frozen=True, slots=True)
class Put:
    """A file is to be put over there."""

    view: PublicView
    local_id: str


Step = Make | Tell | Say | Put


@dataclass(frozen=True, slots=True)
class Work:
    """What is missing over there, in the order in which it is written."""

    pair: Pair
    steps: tuple[Step, ...]
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)  # kind → ids over there
    held: str | None = None  # a status of ours that is not told, because they ended it


def reader_of(rules: Rules) -> DeskReader:
    """Who reads what is written there."""
    own = rules.role is DeskRole.OWN
    return DeskReader(
        of_customer=rules.role is DeskRole.CUSTOMER,
        of_ours=own,
        notes=rules.gives_notes,
        names=own or rules.show_names,
    )


async def look(hub: Hub, rules: Rules, pair_id: PairId, *, notes: bool) -> Work | None:
    """What is missing over there; None where the pair is not at work.

    `notes` says that the desk can keep anything from its customers.
    """
    return await hub.db.read(
        lambda connection: look_in(connection, hub, rules, pair_id, notes=notes)
    )


def look_in(
    connection: Connection, hub: Hub, rules: Rules, pair_id: PairId, *, notes: bool
) -> Work | None:
    """`look`, on this connection."""
    pair = desk_tickets.find(connection, pair_id)
    if pair is None or pair.state is not PairState.LIVE:
        return None
    ticket = stored_tickets.get(connection, pair.ticket_id)
    reader = reader_of(rules)
    if not notes:
        reader = DeskReader(reader.of_customer, reader.of_ours, notes=False, names=reader.names)
    with reading_in(hub.account.language):
        if pair.external_id is None:
            view = disclosure.desk_ticket_view(ticket, reader)
            return Work(pair, (Make(view, marker_of(ticket.number, hub.account.node_id)),))
        items = desk_tickets.items(connection, pair.id)
        told, held = _fields(connection, rules, pair, ticket, reader)
        first = [step for step in told if "status" not in step.values]
        last = [step for step in told if "status" in step.values]
        said = _texts(connection, hub, rules, pair, ticket, reader, items)
        known = {
            kind: tuple(one.external_id for one in items if one.kind == kind and one.external_id)
            for kind in ("cmt", "att")
        }
        return Work(pair, (*first, *said, *last), known, held)


def _fields(
    connection: Connection, rules: Rules, pair: Pair, ticket: Ticket, reader: DeskReader
) -> tuple[list[Tell], str | None]:
    child = any(
        one.party is Party.CONTRACTOR and one.detached_at is None
        for one in handoffs.of_ticket(connection, ticket.id)
    )
    values: dict[str, str] = {}
    held: str | None = None
    for name in FIELDS:
        if name == "description":
            continue  # no desk lets us change it: what is new of it is said
        base = Base(*pair.base.get(name, [None, None]))
        ours = compared(name, getattr(ticket, name))
        assert ours is not None
        how = way(rules.role, name, child=child)
        if turn(name, base, ours, base.theirs, how) is not Turn.TELL:
            continue
        if name == "status" and not may_tell_status(rules.role, ours, base.theirs):
            held = ours
            continue
        values[name] = str(getattr(ticket, name))
    view = disclosure.desk_ticket_view(ticket, reader)
    status = {"status": values.pop("status")} if "status" in values else {}
    return [Tell(view, one) for one in (values, status) if one], held


def _texts(
    connection: Connection,
    hub: Hub,
    rules: Rules,
    pair: Pair,
    ticket: Ticket,
    reader: DeskReader,
    items: list[Item],
) -> list[Say | Put]:
    """Comments and files that are not over there, as they were written."""
    there = {(one.kind, one.local_id): one for one in items}
    # What is on its way has a row, and is gone on with until the desk's own id stands in it.
    settled = {key for key, one in there.items() if one.external_id is not None}
    found: list[tuple[str, Say | Put]] = []
    if rules.role is DeskRole.CUSTOMER and rules.tell_number:
        found += _about_us(hub, ticket, settled)
    if reader.of_ours:
        found += _from_principal(connection, hub, ticket, settled)
    for row in stored_comments.of_ticket(connection, ticket.id):
        if not reader.may_have(row.visibility):
            continue
        step = _of_comment(hub, row, reader, there, settled)
        if step is not None:
            found.append((row.id, step))
    for file in attachments.of_ticket(connection, ticket.id):
        wanted = file.state is FileState.AVAILABLE and file.redacted_at is None
        if wanted and reader.may_have(file.visibility) and ("att", str(file.id)) not in settled:
            view = disclosure.desk_file_view(described(file), reader)
            found.append((file.id, Put(view, file.id)))
    if rules.role is not DeskRole.CUSTOMER:
        found += _description(hub, pair, ticket, settled)
    # Ids grow with time, whatever they name: so what was written first is told first.
    return [step for _id, step in sorted(found, key=lambda one: one[0].partition("_")[2])]


def _of_comment(
    hub: Hub,
    row: Comment,
    reader: DeskReader,
    there: dict[tuple[str, str], Item],
    settled: set[tuple[str, str]],
) -> Say | None:
    known = there.get(("cmt", str(row.id)))
    if row.redacted_at is not None:
        told = known is not None and known.ours and ("cmt", str(row.id)) in settled
        key = f"{row.id}~gone"
        if not told or ("cmt", key) in settled:
            return None
        return _ours(hub, key, _("A comment of ours was taken back. Do not rely on it."))
    if not row.body.strip():
        return None
    view = disclosure.desk_comment_view(spoken(row), reader, hub.account.name)
    if ("cmt", str(row.id)) not in settled:
        return Say(view, row.id, row.rev)
    assert known is not None
    key = f"{row.id}~{row.rev}"
    if not known.ours or known.rev >= row.rev or ("cmt", key) in settled:
        return None
    return Say(view, key, row.rev, _("Corrected:") + "\n\n")


def _about_us(hub: Hub, ticket: Ticket, settled: set[tuple[str, str]]) -> list[tuple[str, Say]]:
    """Our number, and the time we promise: what a customer's desk wants to hear first."""
    found = []
    if ("cmt", "number") not in settled:
        text = _(OUR_NUMBER).format(number=ticket.number)
        found.append(("", _ours(hub, "number", text)))
    if ticket.due_at is not None:
        key = f"due:{ticket.due_at:%Y%m%d%H%M}"
        if ("cmt", key) not in settled:
            until = f"{ticket.due_at:%Y-%m-%d %H:%M} UTC"
            text = _("We promise it until {until}.").format(until=until)
            found.append(("", _ours(hub, key, text)))
    return found


_TOLD: Final = {
    "return": "The principal returned it: {reason}",
    "cancel_request": "The principal asks to stop the work: {reason}",
    "cancel": "The principal called it off: {reason}",
}


def _from_principal(
    connection: Connection,
    hub: Hub,
    ticket: Ticket,
    settled: set[tuple[str, str]],
) -> list[tuple[str, Say]]:
    """What the principal said with a step: our people read it where they work."""
    found = []
    for one in handoffs.of_ticket(connection, ticket.id):
        if one.party is not Party.CONTRACTOR:
            continue
        for event in handoffs.history(connection, one.id):
            key = f"step:{one.id[4:]}:{event.n}"
            words = _TOLD.get(event.event) if event.party == Party.PRINCIPAL else None
            if words is not None and ("cmt", key) not in settled:
                text = _(words).format(reason=event.facts.get("reason", ""))
                found.append(("", _ours(hub, key, text)))
    return found


def _description(
    hub: Hub, pair: Pair, ticket: Ticket, settled: set[tuple[str, str]]
) -> list[tuple[str, Say]]:
    ours = print_of(ticket.description)
    base = Base(*pair.base.get("description", [None, None]))
    key = f"text:{ours[:40]}"
    if base.ours is None or base.ours == ours or ("cmt", key) in settled:
        return []
    text = _("The description is now:") + "\n\n" + ticket.description
    return [("~", _ours(hub, key, text))]


def _ours(hub: Hub, key: str, text: str) -> Say:
    """Words of the node itself."""
    return Say(disclosure.desk_words_view(text, hub.account.name), key, 1)
