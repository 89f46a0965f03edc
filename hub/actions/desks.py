"""The life of a desk: begun as a draft, published, rolled back, enabled, disabled, mended.

What a desk is lies in two files beside the node's settings; a draft is what stands there now.
Publishing keeps a copy of both, and only that copy works: nobody changes a desk by saving a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import (
    desk_events,
    desk_gaps,
    desk_pairs,
    desk_taking,
    outgoing,
    permits,
    pulling,
    pushing,
)
from hub.actions.context import Actor, Hub
from hub.domain.delivery import backoff
from hub.domain.desk import DeskRole, PairState, Rules, TheirTicket
from hub.domain.permission import Permission
from hub.domain.ticket import Ticket
from hub.errors import Conflict, NotFound, Refused
from hub.ids import DeskId, PairId, TicketId
from hub.storage import audit, desk_tickets, desks, ground, resets, tickets
from hub.storage.database import Connection, Tx
from hub.storage.desks import Desk, Look, Version

TOPIC: Final = desk_tickets.TOPIC
FAILING: Final = "desk_failing"  # alert: a desk does not answer, or lets us in no more
CLAIMED: Final = timedelta(minutes=10)  # a reading is one process's so long
ALARM_AFTER: Final = timedelta(hours=1)
CALLS_KEPT: Final = timedelta(days=7)
LOOKS_AT_ONCE: Final = 50
SECRET_MAX: Final = 10_000  # characters: a private key is the longest there is


@dataclass(frozen=True, slots=True)
class Opened:
    """A desk at work: its version, and its secrets in the clear."""

    desk: Desk
    version: Version
    secrets: dict[str, str]


def _known(connection: Connection, name: str) -> Desk:
    found = desks.find(connection, name)
    if found is None:
        raise NotFound(
            "not_found", "There is no desk {name}.", hint="hub connector list", name=name
        )
    return found


# --- what people decide ---------------------------------------------------------------------


async def begin(hub: Hub, actor: Actor, name: str, role: DeskRole, template: str) -> DeskId:
    """A new desk, as a draft. Raises Conflict(name_taken)."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> DeskId:
        now = hub.now()
        if desks.find(tx.connection, name) is not None:
            raise Conflict("name_taken", "There is a desk {name} already.", name=name)
        made = Desk(
            id=DeskId(hub.new_id("dsk", now)),
            name=name,
            role=role,
            template=template,
            enabled=False,
            enabled_at=None,
            published=None,
            cursor=None,
            looked_at=None,
            next_at=None,
            push_after=None,
            mirrored_at=None,
            failing_since=None,
            failures=0,
            error=None,
            created_at=now,
            removed_at=None,
        )
        desks.add(tx, made)
        audit.append(tx, at=now, actor=actor.ref, event="desk.begun", desk=name, role=role)
        return made.id

    return await hub.db.write(transaction)


async def keep_secret(hub: Hub, actor: Actor, name: str, secret: str, value: str) -> None:
    """Keep a secret of the desk, encrypted; it is never shown again."""
    permits.require(actor, Permission.DESKS_WRITE)
    if not 0 < len(value) <= SECRET_MAX:
        raise Refused("secret_invalid", "A secret has 1 to {limit} characters.", limit=SECRET_MAX)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _known(tx.connection, name)
        desks.keep_secret(tx, found.id, secret, hub.hide(value.encode()), now)
        audit.append(
            tx, at=now, actor=actor.ref, event="desk.secret_kept", desk=name, secret=secret
        )
        _at_once(tx, found)

    await hub.db.write(transaction)


async def renewed(hub: Hub, desk_id: DeskId, secret: str, value: str) -> None:
    """The desk itself gave us another secret (a refreshed token)."""

    def transaction(tx: Tx) -> None:
        desks.keep_secret(tx, desk_id, secret, hub.hide(value.encode()), hub.now())

    await hub.db.write(transaction)


async def publish(
    hub: Hub, actor: Actor, name: str, rules: Rules, template: str, settings: str, description: str
) -> int:
    """From now on the desk works as these two files say; the number of the version."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        found = _known(tx.connection, name)
        if rules.role is not found.role and desk_tickets.count(tx.connection, found.id).by_state:
            raise Refused(
                "role_fixed",
                "The role of a desk that has tickets cannot change: begin another desk.",
            )
        n = 1 + max((one.n for one in desks.versions(tx.connection, found.id)), default=0)
        desks.add_version(tx, Version(found.id, n, settings, description, now, actor.display, None))
        desks.change(tx, found.id, published=n, role=rules.role, template=template)
        _mended(tx, found)
        audit.append(tx, at=now, actor=actor.ref, event="desk.published", desk=name, version=n)
        return n

    return await hub.db.write(transaction)


async def roll_back(hub: Hub, actor: Actor, name: str) -> int:
    """The version before works again; its number. Raises Conflict(no_version)."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        found = _known(tx.connection, name)
        earlier = [
            one.n
            for one in desks.versions(tx.connection, found.id)
            if found.published is not None and one.n < found.published and not one.withdrawn_at
        ]
        if not earlier or found.published is None:
            raise Conflict(
                "no_version", "There is no earlier version.", hint="hub connector versions {name}",
                name=name,
            )  # fmt: skip
        desks.withdraw(tx, found.id, found.published, now)
        desks.change(tx, found.id, published=earlier[0])
        _mended(tx, found)
        audit.append(
            tx, at=now, actor=actor.ref, event="desk.rolled_back", desk=name, version=earlier[0]
        )
        return earlier[0]

    return await hub.db.write(transaction)


def _mended(tx: Tx, desk: Desk) -> None:
    """Another description is at work: what failed under the one before is tried again."""
    desks.forget_unknown(tx, desk.id)
    _at_once(tx, desk)


def _at_once(tx: Tx, desk: Desk) -> None:
    desks.change(tx, desk.id, next_at=None, push_after=None)
    desk_tickets.hurry(tx, desk.id)
    tx.wake(TOPIC)


async def enable(hub: Hub, actor: Actor, name: str) -> None:
    """Let tickets go to and fro. Raises Conflict(not_published). Twice is once."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _known(tx.connection, name)
        if found.published is None:
            raise Conflict(
                "not_published", "This desk has no published version.",
                hint="hub connector publish {name}", name=name,
            )  # fmt: skip
        if found.enabled:
            return
        desks.change(tx, found.id, enabled=True, enabled_at=found.enabled_at or now)
        _at_once(tx, found)
        audit.append(tx, at=now, actor=actor.ref, event="desk.enabled", desk=name)

    await hub.db.write(transaction)


async def disable(hub: Hub, actor: Actor, name: str) -> None:
    """Nothing is read or written there for now; nothing is lost. Twice is once."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _known(tx.connection, name)
        if not found.enabled:
            return
        desks.change(tx, found.id, enabled=False)
        audit.resolve_alerts(tx, kind=FAILING, subject=found.id, at=now)
        audit.append(tx, at=now, actor=actor.ref, event="desk.disabled", desk=name)

    await hub.db.write(transaction)


async def replay(hub: Hub, actor: Actor, name: str) -> int:
    """Try again whatever waits for a person; how much that is."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> int:
        now = hub.now()
        found = _known(tx.connection, name)
        for pair in desk_tickets.page(
            tx.connection, found.id, troubled=True, before=None, limit=10_000
        ):
            desk_events.resolved(tx, pair.ticket_id, now)
        again = desk_tickets.unpark(tx, found.id) + desks.unpark_looks(tx, found.id)
        _at_once(tx, found)
        audit.append(tx, at=now, actor=actor.ref, event="desk.replayed", desk=name, again=again)
        return again

    return await hub.db.write(transaction)


async def replay_one(
    hub: Hub, actor: Actor, name: str, *, ticket_id: TicketId | None = None, there: str = ""
) -> None:
    """Try again what waits about this ticket of ours, or about this one over there.

    All others are left as they are. Raises NotFound where nothing of it waits.
    """
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _known(tx.connection, name)
        if ticket_id is None:
            again = desks.look(tx.connection, found.id, there) is not None
            if again:
                desks.want_look(tx, found.id, there, now)
        else:
            pair = desk_tickets.of_ours(tx.connection, found.id, ticket_id)
            again = pair is not None and desk_tickets.unpark_one(tx, pair.id)
            desk_events.resolved(tx, ticket_id, now)
        if not again:
            raise NotFound("not_found", "Nothing waits there.")
        tx.wake(TOPIC)
        audit.append(
            tx, at=now, actor=actor.ref, event="desk.replayed", desk=name, again=1,
            about=ticket_id or there,
        )  # fmt: skip

    await hub.db.write(transaction)


async def send(hub: Hub, actor: Actor, name: str, ticket_id: TicketId) -> PairId:
    """Have this ticket made over there. Raises Conflict(already_there)."""
    permits.require(actor, Permission.HANDOFFS_WRITE)

    def transaction(tx: Tx) -> PairId:
        now = hub.now()
        found = _known(tx.connection, name)
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.get(tx.connection, ticket_id)
        if desk_tickets.of_ours(tx.connection, found.id, ticket_id) is not None:
            raise Conflict(
                "already_there", "Ticket {number} is on this desk already.", number=ticket.number
            )
        if found.role is DeskRole.CUSTOMER:
            raise Refused("their_desk", "Tickets of a customer's desk are made by the customer.")
        pair_id = pushing.begin_in(tx, hub, found.id, ticket_id, now)
        audit.append(
            tx, at=now, actor=actor.ref, event="desk.sent", desk=name, ticket=ticket.number
        )
        return pair_id

    return await hub.db.write(transaction)


async def join(
    hub: Hub, actor: Actor, name: str, ticket_id: TicketId, there: TheirTicket
) -> PairId:
    """A ticket here and one over there are one from now on; nothing of before is told again.

    Raises Conflict(already_there).
    """
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> PairId:
        now = hub.now()
        found = _known(tx.connection, name)
        ground.of_tickets(tx, ticket_id)
        ticket = tickets.lock(tx, ticket_id)
        taken = desk_tickets.of_ours(tx.connection, found.id, ticket_id) is not None
        if taken or desk_tickets.of_theirs(tx.connection, found.id, there.id) is not None:
            raise Conflict(
                "already_there", "Ticket {number} is on this desk already.", number=ticket.number
            )
        pair = desk_pairs.join_in(tx, hub, found.id, ticket, there, now)
        pushing.already_there(tx, pair, now)
        desk_pairs.known_there(tx, pair, there, now)
        audit.append(
            tx, at=now, actor=actor.ref, event="desk.joined", desk=name, ticket=ticket.number,
            there=there.number or there.id,
        )  # fmt: skip
        return pair.id

    return await hub.db.write(transaction)


async def cut(hub: Hub, actor: Actor, name: str, ticket_id: TicketId) -> None:
    """Nothing goes to and fro between the two any more; both stay as they are."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        found = _known(tx.connection, name)
        pair = desk_tickets.of_ours(tx.connection, found.id, ticket_id)
        if pair is None:
            raise NotFound("not_found", "This ticket is not on this desk.")
        desk_tickets.change(tx, pair.id, state=PairState.CUT, next_at=None)
        desk_events.resolved(tx, ticket_id, now)
        audit.append(tx, at=now, actor=actor.ref, event="desk.cut", desk=name, ticket=ticket_id)

    await hub.db.write(transaction)


# --- drafts ---------------------------------------------------------------------------------


async def for_draft(hub: Hub, actor: Actor, name: str) -> tuple[Desk, dict[str, str]]:
    """A desk whose draft is to be worked on, with its secrets in the clear.

    Raises Refused(not_yours), NotFound, Misconfigured.
    """
    permits.require(actor, Permission.DESKS_WRITE)
    found = await find(hub, name)
    return found, await secrets(hub, found.id)


async def draft_written(hub: Hub, actor: Actor, name: str) -> None:
    """Say in the audit log that somebody is about to change a draft; it works only when published.

    Raises Refused(not_yours), NotFound.
    """
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        found = _known(tx.connection, name)
        audit.append(tx, at=hub.now(), actor=actor.ref, event="desk.draft_written", desk=found.name)

    await hub.db.write(transaction)


# --- trying out -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a ticket over there."""

    ours: Ticket | None  # as it would be afterwards; None: it would not become one of ours
    taken: desk_taking.Taken | None
    files: tuple[str, ...]  # names of those that would be fetched
    steps: tuple[desk_gaps.Step, ...]  # what would be written over there


class _Rehearsed(Exception):  # noqa: N818 - what happened
    """The end of a rehearsal: nothing of it stays."""

    def __init__(self, found: Rehearsal) -> None:
        super().__init__()
        self.found = found


async def rehearse(
    hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket, *, notes: bool
) -> Rehearsal:
    """Take a ticket over and look what would be told, and take all of it back again."""
    wanted = await pulling.missing_files(hub, desk_id, rules, there)
    names = tuple(one.name for one in wanted)

    def transaction(tx: Tx) -> None:
        taken = pulling.take_in(tx, hub, desk_id, rules, there, {}, hub.now())
        if taken is None:
            raise _Rehearsed(Rehearsal(None, None, (), ()))
        ours = tickets.get(tx.connection, taken.ticket_id)
        work = desk_gaps.look_in(tx.connection, hub, rules, taken.pair_id, notes=notes)
        steps = () if work is None else work.steps
        raise _Rehearsed(Rehearsal(ours, taken, names, steps))

    try:
        await hub.db.write(transaction)
    except _Rehearsed as done:
        return done.found
    raise AssertionError("a rehearsal always ends by taking itself back")


# --- at work --------------------------------------------------------------------------------


async def at_work(hub: Hub) -> list[Desk]:
    """Desks through which something goes; none while they are held after a restore."""

    def query(connection: Connection) -> list[Desk]:
        if resets.held_since(connection) is not None:
            return []
        return [one for one in desks.everyone(connection) if one.works]

    return await hub.db.read(query)


async def find(hub: Hub, name: str) -> Desk:
    """The desk of this name or id. Raises NotFound."""
    return await hub.db.read(lambda connection: _known(connection, name))


async def opened(hub: Hub, name: str, version: int | None = None) -> Opened:
    """A desk with what it needs to work; of this version, or the published one.

    Raises NotFound, Conflict(not_published), Misconfigured.
    """

    def query(connection: Connection) -> tuple[Desk, Version | None, dict[str, str]]:
        found = _known(connection, name)
        wanted = version or found.published
        one = None if wanted is None else desks.version(connection, found.id, wanted)
        return found, one, desks.secrets(connection, found.id)

    desk, one, hidden = await hub.db.read(query)
    if one is None:
        raise Conflict(
            "not_published", "This desk has no published version.",
            hint="hub connector publish {name}", name=desk.name,
        )  # fmt: skip
    return Opened(desk, one, revealed(hub, hidden))


def revealed(hub: Hub, hidden: dict[str, str]) -> dict[str, str]:
    """Secrets in the clear. Raises Misconfigured."""
    return {name: hub.reveal(value).decode() for name, value in hidden.items()}


async def secrets(hub: Hub, desk_id: DeskId) -> dict[str, str]:
    """The secrets of a desk in the clear. Raises Misconfigured."""
    return revealed(hub, await hub.db.read(lambda connection: desks.secrets(connection, desk_id)))


async def claim(hub: Hub, desk_id: DeskId) -> bool:
    """Whether this process reads the desk now: others leave it alone for a while."""

    def transaction(tx: Tx) -> bool:
        now = hub.now()
        desk = desks.lock(tx, desk_id)
        if desk is None or not desk.works or (desk.next_at is not None and desk.next_at > now):
            return False
        desks.change(tx, desk_id, next_at=now + CLAIMED)
        return True

    return await hub.db.write(transaction)


async def read_up_to(hub: Hub, desk_id: DeskId, cursor: str) -> None:
    """All that the page before this cursor brought is taken over."""
    await hub.db.write(lambda tx: desks.change(tx, desk_id, cursor=cursor))


async def read(hub: Hub, desk_id: DeskId, every: timedelta) -> None:
    """The reading went well; the next one is after `every`."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        desks.change(tx, desk_id, looked_at=now, next_at=now + every)
        _answers(tx, desk_id, now)

    await hub.db.write(transaction)


def _answers(tx: Tx, desk_id: DeskId, now: datetime) -> None:
    desk = desks.lock(tx, desk_id)
    if desk is None or desk.failing_since is None:
        return
    desks.change(tx, desk_id, failing_since=None, failures=0, error=None, push_after=None)
    desk_tickets.hurry(tx, desk_id)
    audit.resolve_alerts(tx, kind=FAILING, subject=desk_id, at=now)
    tx.wake(TOPIC)


async def trouble(
    hub: Hub, desk_id: DeskId, error: dict[str, Any], after: timedelta | None, *, config: bool
) -> None:
    """The desk as a whole does not work: it is asked less and less often, and people hear of it.

    `config` says that nothing will change by itself.
    """

    def transaction(tx: Tx) -> None:
        now = hub.now()
        desk = desks.lock(tx, desk_id)
        if desk is None:
            return
        failures, since = desk.failures + 1, desk.failing_since or now
        wait = backoff(failures, hub.entropy.fraction(), retry_after=after)
        desks.change(
            tx,
            desk_id,
            failures=failures,
            failing_since=since,
            error=error,
            next_at=now + wait,
            push_after=now + wait,
        )
        if config or now - since >= ALARM_AFTER:
            outgoing.alarm(
                tx,
                hub,
                FAILING,
                desk_id,
                "The desk {name} does not work: {why}",
                now,
                name=desk.name,
                why=str(error["told"]).format(**error["facts"]),
            )

    await hub.db.write(transaction)


async def hint(hub: Hub, desk_id: DeskId, external_id: str) -> None:
    """A webhook says that something about this ticket changed: look soon."""

    def transaction(tx: Tx) -> None:
        desks.want_look(tx, desk_id, external_id[:200], hub.now())
        tx.wake(TOPIC)

    await hub.db.write(transaction)


async def looks(hub: Hub, desk_id: DeskId) -> list[Look]:
    """Tickets over there to be looked at now."""
    now = hub.now()
    return await hub.db.read(
        lambda connection: desks.looks_due(connection, desk_id, now, LOOKS_AT_ONCE)
    )


async def looks_next(hub: Hub, desk_id: DeskId) -> datetime | None:
    """When one that failed is to be looked at again."""
    return await hub.db.read(lambda connection: desks.looks_next(connection, desk_id))


async def looked(hub: Hub, one: Look) -> None:
    """It was looked at; what was asked for meanwhile still is."""
    await hub.db.write(lambda tx: desks.looked(tx, one.desk_id, one.external_id, one.asked))


async def note_calls(hub: Hub, rows: list[dict[str, Any]]) -> None:
    """Keep these in the log of requests, and drop its older part."""

    def transaction(tx: Tx) -> None:
        desks.note_calls(tx, rows)
        desks.forget_calls(tx, hub.now() - CALLS_KEPT)

    if rows:
        await hub.db.write(transaction)
