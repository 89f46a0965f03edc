"""What is told to a foreign desk, and what became of it.

Nothing is queued that could be forgotten or go out twice: a pair of tickets counts what changed
here (`changed`) and what of that was looked through (`told`). What is missing over there is worked
out each time (`desk_gaps`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import desk_events, outgoing
from hub.actions.context import Hub
from hub.actions.desk_gaps import Make, Put, Say, Tell, Work
from hub.domain.delivery import backoff
from hub.domain.desk import (
    FIELDS,
    REFUSED,
    WAS_HERE,
    DeskRole,
    Mirror,
    PairState,
    Rules,
    TheirTicket,
    compared,
    file_print,
    print_of,
)
from hub.domain.lengths import SHORT_MAX
from hub.i18n import gettext as _
from hub.i18n import reading_in
from hub.ids import DeskId, PairId, TicketId
from hub.storage import attachments, desk_tickets, desks, resets
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.database import Connection, Tx
from hub.storage.desk_tickets import Item, Pair

TOPIC: Final = desk_tickets.TOPIC


AT_ONCE: Final = 50  # pairs told in one turn


CLAIMED: Final = timedelta(minutes=10)  # longer than a slow desk takes for one ticket


TRIES: Final = 30  # then a person must look; some hours, with the waits between them


_MIRRORED_AT_ONCE: Final = 50


_COMMITTED_WITHIN: Final = timedelta(hours=1)  # longer than any transaction is open


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
        desk_events.TICKET,
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
                desk_events.people_look(tx, hub, pair.ticket_id, text, now)

    await hub.db.write(transaction)


async def lost(hub: Hub, rules: Rules, pair_id: PairId) -> None:
    """It is not over there any more."""

    def transaction(tx: Tx) -> None:
        pair = desk_tickets.find(tx.connection, pair_id)
        assert pair is not None
        with reading_in(hub.account.language):
            desk_events.gone_in(tx, hub, rules, pair, hub.now())

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
