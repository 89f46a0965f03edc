"""What is to be written on a foreign desk, worked out from how both sides stand.

Nothing is queued that could be forgotten or go out twice: a pair of tickets counts what changed
here (`changed`) and what of that was looked through (`told`). Looking compares the ticket with what
is over there already and names what is missing, as a `PublicView`: that and nothing else leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import outgoing, pulling
from hub.actions.comments import spoken
from hub.actions.context import Hub
from hub.actions.sharing import described
from hub.domain import disclosure
from hub.domain.delivery import backoff
from hub.domain.desk import (
    FIELDS,
    REFUSED,
    WAS_HERE,
    Base,
    DeskRole,
    Mirror,
    PairState,
    Rules,
    TheirTicket,
    Turn,
    compared,
    file_print,
    marker_of,
    may_tell_status,
    print_of,
    turn,
    way,
)
from hub.domain.disclosure import DeskReader, PublicView
from hub.domain.handoff import Party
from hub.domain.lengths import SHORT_MAX
from hub.domain.ticket import Ticket
from hub.i18n import gettext as _
from hub.i18n import reading_in
from hub.ids import DeskId, PairId, TicketId
from hub.storage import attachments, desk_tickets, desks, handoffs, resets
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.attachments import FileState
from hub.storage.comments import Comment
from hub.storage.database import Connection, Tx
from hub.storage.desk_tickets import Item, Pair

TOPIC: Final = desk_tickets.TOPIC
AT_ONCE: Final = 50  # pairs told in one turn
CLAIMED: Final = timedelta(minutes=10)  # longer than a slow desk takes for one ticket
TRIES: Final = 30  # then a person must look; some hours, with the waits between them
_MIRRORED_AT_ONCE: Final = 50
_COMMITTED_WITHIN: Final = timedelta(hours=1)  # longer than any transaction is open


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


# --- which tickets --------------------------------------------------------------------------


async def mirror(hub: Hub, desk_id: DeskId, rules: Rules) -> int:
    """Begin pairs for tickets that the rules want over there; how many."""
    if rules.role is DeskRole.CUSTOMER or rules.mirror is Mirror.NONE:
        return 0

    def wanted(connection: Connection) -> list[TicketId]:
        desk = desks.find(connection, desk_id)
        if desk is None or not desk.works or desk.enabled_at is None:
            return []
        since = desk.enabled_at
        if desk.mirrored_at is not None:
            since = max(since, desk.mirrored_at - _COMMITTED_WITHIN)
        handed = rules.mirror is Mirror.HANDOFFS
        return desk_tickets.without_pair(
            connection, desk_id, since, handed=handed, most=_MIRRORED_AT_ONCE
        )

    def transaction(tx: Tx) -> int:
        now = hub.now()
        desks.lock(tx, desk_id)
        found = wanted(tx.connection)
        for ticket_id in found:
            begin_in(tx, hub, desk_id, ticket_id, now)
        if len(found) < _MIRRORED_AT_ONCE:
            desks.change(tx, desk_id, mirrored_at=now)
        return len(found)

    # Asked for at every turn, and nearly always there is nothing: that must not write.
    return await hub.db.write(transaction) if await hub.db.read(wanted) else 0


def begin_in(tx: Tx, hub: Hub, desk_id: DeskId, ticket_id: TicketId, now: datetime) -> PairId:
    """A pair for this ticket of ours, which is to be made over there."""
    pair = Pair(
        id=PairId(hub.new_id("dtk", now)),
        desk_id=desk_id,
        ticket_id=ticket_id,
        external_id=None,
        number="",
        url="",
        state=PairState.LIVE,
        base={},
        updated_there=None,
        print=None,
        changed=1,
        told=0,
        attempts=0,
        next_at=None,
        error=None,
        made_at=now,
    )
    desk_tickets.add(tx, pair)
    return pair.id


async def due(hub: Hub, desk_id: DeskId) -> list[Pair]:
    """Pairs to be told something now; none while desks are held after a restore."""
    now = hub.now()

    def query(connection: Connection) -> list[Pair]:
        if resets.held_since(connection) is not None:
            return []
        return desk_tickets.due(connection, desk_id, now, AT_ONCE)

    return await hub.db.read(query)


async def next_at(hub: Hub, desk_id: DeskId) -> datetime | None:
    """When one that failed is to be tried again."""
    return await hub.db.read(lambda connection: desk_tickets.next_at(connection, desk_id))


async def claim(hub: Hub, pair_id: PairId) -> bool:
    """Whether this process tells the pair now: others leave it alone for a while."""
    now = hub.now()
    return await hub.db.write(lambda tx: desk_tickets.claim(tx, pair_id, now, now + CLAIMED))


# --- what is missing ------------------------------------------------------------------------


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
        text = _(pulling.OUR_NUMBER).format(number=ticket.number)
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


# --- what became of it ----------------------------------------------------------------------


async def begins(hub: Hub, pair_id: PairId, step: Say | Put, text: str) -> None:
    """It is on its way from now on: coming back, it will be known as ours."""
    said: dict[str, Any] = step.view.to_data()
    is_file = isinstance(step, Put)

    def transaction(tx: Tx) -> None:
        item = Item(
            pair_id=pair_id,
            kind="att" if is_file else "cmt",
            local_id=step.local_id,
            external_id=None,
            ours=True,
            rev=0 if is_file else said.get("rev", 1),
            print=file_print(said["name"], said["size"]) if is_file else print_of(text),
            at=hub.now(),
        )
        desk_tickets.keep_item(tx, item)

    await hub.db.write(transaction)


async def arrived(hub: Hub, pair_id: PairId, step: Say | Put, external_id: str) -> None:
    """It is over there, under this id."""

    def transaction(tx: Tx) -> None:
        _arrived(tx, pair_id, step, external_id, hub.now())

    await hub.db.write(transaction)


def _arrived(tx: Tx, pair_id: PairId, step: Say | Put, external_id: str, now: datetime) -> None:
    kind = "att" if isinstance(step, Put) else "cmt"
    known = {
        one.local_id: one for one in desk_tickets.items(tx.connection, pair_id) if one.kind == kind
    }
    mine = known[step.local_id]
    desk_tickets.keep_item(tx, replace(mine, external_id=external_id, at=now))
    desk_tickets.change(tx, pair_id, attempts=0, error=None)


async def made(
    hub: Hub, pair_id: PairId, step: Make, external_id: str, number: str, url: str
) -> None:
    """The ticket is over there."""
    said: dict[str, Any] = step.view.to_data()

    def transaction(tx: Tx) -> None:
        pair = desk_tickets.lock(tx, pair_id)
        if pair is None or pair.external_id is not None:
            return  # a reading found it by our marker meanwhile
        desk_tickets.change(
            tx,
            pair_id,
            external_id=external_id,
            number=number[:SHORT_MAX],
            url=url[:2000],
            base={name: [compared(name, said[name]), None] for name in FIELDS if name in said},
            attempts=0,
            error=None,
        )

    await hub.db.write(transaction)


async def told(hub: Hub, pair_id: PairId, step: Tell, after: TheirTicket) -> None:
    """These fields are over there as `after` says."""

    def transaction(tx: Tx) -> None:
        pair = desk_tickets.lock(tx, pair_id)
        assert pair is not None
        base = dict(pair.base)
        for name, value in step.values.items():
            theirs = after.value(name)
            known = pair.base.get(name, [None, None])[1]
            base[name] = [compared(name, value), theirs if theirs is not None else known]
        desk_tickets.change(tx, pair_id, base=base, attempts=0, error=None)

    await hub.db.write(transaction)


async def not_taken(
    hub: Hub, pair_id: PairId, step: Tell | Say | Put, error: dict[str, Any]
) -> None:
    """The desk does not want this one thing: people hear of it, and the rest goes on."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        pair = desk_tickets.lock(tx, pair_id)
        assert pair is not None
        if isinstance(step, Tell):
            base = dict(pair.base)
            for name, value in step.values.items():
                base[name] = [compared(name, value), base.get(name, [None, None])[1]]
            desk_tickets.change(tx, pair_id, base=base)
        else:
            _arrived(tx, pair_id, step, f"{REFUSED}{step.local_id}", now)
        desk_tickets.change(tx, pair_id, error=error)
        _alarm(tx, hub, pair, error, now)

    await hub.db.write(transaction)


async def failed(
    hub: Hub, pair_id: PairId, error: dict[str, Any], *, for_good: bool, after: timedelta | None
) -> None:
    """It did not get through: it is tried again with growing waits, or waits for a person."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        pair = desk_tickets.lock(tx, pair_id)
        if pair is None:
            return
        tries = pair.attempts + 1
        if for_good or tries >= TRIES:
            state = PairState.PARKED
            desk_tickets.change(tx, pair_id, state=state, attempts=tries, next_at=None, error=error)
            _alarm(tx, hub, pair, error, now)
            return
        wait = backoff(tries, hub.entropy.fraction(), retry_after=after)
        desk_tickets.change(tx, pair_id, attempts=tries, next_at=now + wait, error=error)

    await hub.db.write(transaction)


def _alarm(tx: Tx, hub: Hub, pair: Pair, error: dict[str, Any], now: datetime) -> None:
    number = stored_tickets.get(tx.connection, pair.ticket_id).number
    outgoing.alarm(
        tx,
        hub,
        pulling.TICKET,
        pair.ticket_id,
        "Ticket {number}: {why}",
        now,
        number=number,
        why=str(error["told"]).format(**error["facts"]),
    )


async def rested(hub: Hub, work: Work) -> None:
    """All that had changed when it was looked at is over there."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        pair = desk_tickets.lock(tx, work.pair.id)
        assert pair is not None
        changes: dict[str, Any] = {"told": work.pair.changed, "next_at": None, "attempts": 0}
        if work.held is not None:
            base = dict(pair.base)
            base["status"] = [work.held, base.get("status", [None, None])[1]]
            changes["base"] = base
        desk_tickets.change(tx, pair.id, **changes)
        if work.held is not None:
            with reading_in(hub.account.language):
                text = _("It goes on here, but was ended on the desk: only they open it again.")
                pulling.people_look(tx, hub, pair.ticket_id, text, now)

    await hub.db.write(transaction)


async def lost(hub: Hub, rules: Rules, pair_id: PairId) -> None:
    """It is not over there any more."""

    def transaction(tx: Tx) -> None:
        pair = desk_tickets.find(tx.connection, pair_id)
        assert pair is not None
        with reading_in(hub.account.language):
            pulling.gone_in(tx, hub, rules, pair, hub.now())

    await hub.db.write(transaction)


def already_there(tx: Tx, pair: Pair, now: datetime) -> None:
    """What our ticket has by now is not told to a ticket that was tied to it."""
    rows = [
        ("cmt", str(one.id), one.rev)
        for one in stored_comments.of_ticket(tx.connection, pair.ticket_id)
    ]
    rows += [
        ("att", str(one.id), 1) for one in attachments.of_ticket(tx.connection, pair.ticket_id)
    ]
    for kind, local_id, rev in rows:
        desk_tickets.keep_item(
            tx,
            Item(
                pair_id=pair.id,
                kind=kind,
                local_id=local_id,
                external_id=f"{WAS_HERE}{local_id}",
                ours=True,
                rev=rev,
                print="",
                at=now,
            ),
        )
