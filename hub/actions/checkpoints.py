"""Checkpoints: both sides of a link say where they stand, and see whether they agree.

A checkpoint tells its sender's positions in both streams and a hash of the shared part of every
open hand-off. The receiver compares at the same positions: a hand-off about which anything is
still on its way cannot be compared, and both try again at a quieter moment. Whoever finds a
hand-off to differ tells the hashes of its fields, so both see which field it is; the values
themselves never travel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from hub.actions import outgoing, permits, settled
from hub.actions.context import Actor, Hub
from hub.domain.checkpoint import LATELY, again, daily
from hub.domain.disclosure import link_view
from hub.domain.permission import Permission
from hub.domain.replay import Fields
from hub.errors import Conflict
from hub.ids import HandoffId, LinkId, MessageId
from hub.protocol import checkpoint as hashes
from hub.storage import audit, erasures, handoffs, inbox, links, outbox, shared, streams, tickets
from hub.storage import checkpoints as stored
from hub.storage.checkpoints import Difference, Witness
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff
from hub.storage.inbox import InboxRow
from hub.storage.links import Link, LinkState
from hub.storage.outbox import OutboxRow

DIFFER: Final = "states_differ"
HEADS_DIFFER: Final = "heads_differ"
REWRITTEN: Final = "audit_rewritten"
"""Kinds of alerts."""

_HANDOFFS_AT_ONCE: Final = 300  # in one message
_FIELDS_AT_ONCE: Final = 400
UNKNOWN: Final = ""
"""The field of a difference of which only the whole is known so far."""


async def ask(hub: Hub, actor: Actor, link_id: LinkId) -> None:
    """Compare with this peer now: its answer comes as soon as it is reached."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> None:
        link = links.lock(tx, link_id)
        outgoing.check_node(link)
        if link.state is not LinkState.ACTIVE:
            raise Conflict(
                "link_not_active",
                "The link with {peer} is '{state}'.",
                peer=link.peer_name,
                state=link.state,
            )
        settled.check(tx, link_id)
        now = hub.now()
        send_in(tx, hub, link, now)
        audit.append(tx, at=now, actor=actor.ref, event="link.check", link=link_id)

    await hub.db.write(transaction)


async def run_due(hub: Hub) -> None:
    """Compare over every link whose time has come, unless our last checkpoint still waits."""

    def due(connection: Connection) -> list[LinkId]:
        now, known = hub.now(), stored.everyone(connection)
        return [
            link.id
            for link in links.in_states(connection, {LinkState.ACTIVE})
            if not link.in_custody and (link.id not in known or known[link.id].next_at <= now)
        ]

    for link_id in await hub.db.read(due):
        await hub.db.write(partial(_due, hub=hub, link_id=link_id))


def _due(tx: Tx, *, hub: Hub, link_id: LinkId) -> None:
    now = hub.now()
    link = links.lock(tx, link_id)
    stream = streams.lock(tx, link_id)
    last = stored.lock(tx, link_id, daily(link_id, hub.account.node_id, now))
    if link.state is not LinkState.ACTIVE or last.next_at > now:
        return
    if not settled.is_settled(tx, link_id):
        return
    if last.seq <= stream.receipted_seq:
        send_in(tx, hub, link, now)
    stored.change(tx, link_id, next_at=daily(link_id, hub.account.node_id, now))


def send_in(
    tx: Tx,
    hub: Hub,
    link: Link,
    now: datetime,
    *,
    answer_to: str | None = None,
    not_comparable: Sequence[str] = (),
) -> None:
    """Say where we stand, inside a transaction that may be about more than that."""
    stream = streams.lock(tx, link.id)
    last = stored.lock(tx, link.id, daily(link.id, hub.account.node_id, now))
    open_now = _worth_comparing(tx, link.id)
    seq, head = audit.head(tx.connection)
    parts = list(_parts(open_now))
    sent: MessageId | None = None
    for after, upto, part in parts:
        said: dict[str, Any] = {
            "out": {"seq": stream.out_seq, "head": stream.out_head},
            "in": {"seq": stream.applied_seq, "head": stream.applied_head},
            "audit": {"seq": seq, "head": head} if seq else None,
            "after": after,
            "upto": upto,
            "handoffs": [_entry(tx, one) for one in part],
            "answer": answer_to is not None,
        }
        if not_comparable:
            said["not_comparable"] = list(not_comparable)[:_HANDOFFS_AT_ONCE]
        sent = outgoing.send(
            tx, hub, link, link_view("link.checkpoint", said), now=now, cause=answer_to
        )
    assert sent is not None
    values: dict[str, Any] = {"seq": streams.lock(tx, link.id).out_seq}
    if answer_to is None:
        values |= {"asked_at": now, "compared_at": None}
    stored.change(tx, last.link_id, **values)


def _worth_comparing(tx: Tx, link_id: str) -> list[Handoff]:
    """What is open, and what was found to differ: a repair may have ended it on both sides."""
    found = {one.id: one for one in handoffs.of_link(tx.connection, link_id, only_open=True)}
    for one in stored.differences_of(tx.connection, link_id=link_id):
        handoff = handoffs.find(tx.connection, one.handoff_id)
        if handoff is not None:
            found.setdefault(handoff.id, handoff)
    return [found[handoff_id] for handoff_id in sorted(found)]


def _parts(
    open_now: Sequence[Handoff],
) -> Iterable[tuple[str | None, str | None, Sequence[Handoff]]]:
    """As many hand-offs as one message takes, and between which ids nothing is missing."""
    after = None
    for at in range(0, max(len(open_now), 1), _HANDOFFS_AT_ONCE):
        part = open_now[at : at + _HANDOFFS_AT_ONCE]
        upto = part[-1].id if at + _HANDOFFS_AT_ONCE < len(open_now) else None
        yield after, upto, part
        after = upto


def _entry(tx: Tx, handoff: Handoff) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "handoff": handoff.id,
        "state": handoff.state,
        "round": handoff.round,
    }
    # Of a detached one nothing new is told; an erased one is not what the messages made any more.
    if handoff.detached_at is None and not erasures.touched(tx.connection, handoff.ticket_id):
        entry["state_hash"] = hashes.state_hash(shared.projection(tx.connection, handoff))
    return entry


# --- received -------------------------------------------------------------------------------


def receive(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer said where it stands: compare, and tell it where we do."""
    _bear_witness(tx, hub, link, row, said.get("audit"), now)
    last = stored.lock(tx, link.id, daily(link.id, hub.account.node_id, now))
    if not settled.is_settled(tx, link.id):
        return  # a restore is still bringing this link up to date
    if not _same_streams(tx, hub, link, said, now):
        stored.change(tx, link.id, next_at=now + again(last.tries), tries=last.tries + 1)
        return
    compared, moving = _compare(tx, hub, link, row, said, now)
    if "after" in said:
        compared, met = compared + last.compared, len(moving) + last.not_comparable
    else:
        met = len(moving)
    stored.change(tx, link.id, compared=compared, not_comparable=met)
    if "upto" in said:
        return  # more of it follows
    receipted = streams.lock(tx, link.id).receipted_seq
    if not said["answer"] and link.closed_at is None and last.seq <= receipted:
        # One that is on its way says the same as an answer would.
        send_in(tx, hub, link, now, answer_to=row.id, not_comparable=moving)
    tries = last.tries + 1 if met else 0
    following = (
        now + again(last.tries) if met else daily(link.id, hub.account.node_id, now + LATELY)
    )
    stored.change(tx, link.id, compared_at=now, tries=tries, next_at=following)


def _bear_witness(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, stated: Mapping[str, Any] | None, now: datetime
) -> None:
    if stated is None:
        return
    fresh = Witness(
        node_id=link.peer_node_id,
        seq=stated["seq"],
        head=stated["head"],
        link_id=link.id,
        message_id=row.id,
        at=now,
    )
    before = stored.witness(tx, fresh)
    if before is not None and before != fresh.head:
        outgoing.alarm(
            tx,
            hub,
            REWRITTEN,
            link.id,
            "{peer} shows another audit log than before: record {seq} has another hash.",
            now,
            peer=link.peer_name,
            seq=fresh.seq,
        )


def _same_streams(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> bool:
    """Whether the positions stated are those of streams that both of us know.

    A checkpoint that was sealed again under a new epoch states positions that are no more: it
    cannot be compared. One that has another hash for a message of ours is an alarm.
    """
    if _hash_at(tx, link, inbox.at, said["out"]["seq"]) != said["out"]["head"]:
        return False
    if _hash_at(tx, link, outbox.at, said["in"]["seq"]) == said["in"]["head"]:
        audit.resolve_alerts(tx, kind=HEADS_DIFFER, subject=link.id, at=now)
        return True
    outgoing.alarm(
        tx,
        hub,
        HEADS_DIFFER,
        link.id,
        "{peer} holds another message of ours at position {seq} than we sent.",
        now,
        peer=link.peer_name,
        seq=said["in"]["seq"],
    )
    return False


def _hash_at(
    tx: Tx, link: Link, at: Callable[[Connection, str, int], InboxRow | OutboxRow | None], seq: int
) -> str | None:
    if seq == 0:
        return link.agreement_hash
    row = at(tx.connection, link.id, seq)
    return None if row is None else row.hash


def _compare(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> tuple[int, list[str]]:
    """How many hand-offs were compared, and which could not be."""
    on_its_way = _on_its_way(tx, link, row, said["in"]["seq"])
    listed = {one["handoff"]: one for one in said["handoffs"]}
    ours = {
        one.id: one
        for one in handoffs.of_link(tx.connection, link.id, only_open=True)
        if said.get("after", "") < one.id and one.id <= said.get("upto", one.id)
    }
    compared, moving = 0, []
    for handoff_id in sorted(listed.keys() | ours.keys()):
        if handoff_id in on_its_way:
            moving.append(handoff_id)
            continue
        compared += 1
        handoff = ours.get(HandoffId(handoff_id)) or handoffs.find(tx.connection, handoff_id)
        entry = listed.get(handoff_id)
        _compare_one(tx, hub, link, handoff_id, handoff, entry, now)
        if entry is not None and handoff_id not in ours and _is_healed(tx, link, handoff):
            assert handoff is not None
            _tell(tx, hub, link, handoff, now)  # our own checkpoint says nothing of it any more
    return compared, moving


def _is_healed(tx: Tx, link: Link, handoff: Handoff | None) -> bool:
    """Whether what the peer still lists is over here, and by now the same."""
    if handoff is None or handoff.link_id != link.id or handoff.detached_at is not None:
        return False
    return not stored.differences_of(tx.connection, handoff_id=handoff.id)


def _on_its_way(tx: Tx, link: Link, row: InboxRow, applied: int) -> set[str]:
    return stored.spoken_beyond(tx.connection, link.id, applied) | stored.unsettled(
        tx.connection, link.id, row.seq
    )


def _compare_one(
    tx: Tx,
    hub: Hub,
    link: Link,
    handoff_id: str,
    handoff: Handoff | None,
    entry: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    if handoff is not None and handoff.link_id != link.id:
        handoff = None  # another's looks like none at all
    if handoff is None:
        return  # it can be of no hand-off here: its offer was refused, which its sender knows
    if entry is None:  # over at the peer, open here
        _found(tx, link, handoff, {"state": None}, now)
        _tell(tx, hub, link, handoff, now)
        _show(tx, hub, link, handoff, now)
        return
    stated = {"state": entry["state"], "round": entry["round"]}
    wrong: dict[str, str | None] = {
        name: hashes.field_hash(value)
        for name, value in stated.items()
        if value != getattr(handoff, name)
    }
    erased = erasures.touched(tx.connection, handoff.ticket_id)
    if not wrong and (handoff.detached_at is not None or erased or "state_hash" not in entry):
        _agree(tx, handoff, now)
        return
    if not wrong:
        fields = shared.projection(tx.connection, handoff)
        if hashes.state_hash(fields) == entry["state_hash"]:
            _agree(tx, handoff, now)
            return
        wrong = {UNKNOWN: None}
    if UNKNOWN not in wrong or not stored.differences_of(tx.connection, handoff_id=handoff.id):
        _found(tx, link, handoff, wrong, now)
    _tell(tx, hub, link, handoff, now)
    _show(tx, hub, link, handoff, now)


def _agree(tx: Tx, handoff: Handoff, now: datetime) -> None:
    if stored.differences_of(tx.connection, handoff_id=handoff.id):
        stored.forget(tx, handoff.id)
        audit.resolve_alerts(tx, kind=DIFFER, subject=handoff.id, at=now)


def _found(
    tx: Tx, link: Link, handoff: Handoff, wrong: Mapping[str, str | None], now: datetime
) -> None:
    for name, theirs in wrong.items():
        stored.keep(tx, Difference(handoff.id, name, link.id, theirs, now))


def _tell(tx: Tx, hub: Hub, link: Link, handoff: Handoff, now: datetime) -> None:
    """Tell the peer the hash of every field of ours, so that it sees which one differs."""
    if link.closed_at is not None:
        return
    stream = streams.lock(tx, link.id)
    told = sorted(shared.projection(tx.connection, handoff).items())
    after = None
    for at in range(0, len(told), _FIELDS_AT_ONCE):
        part = told[at : at + _FIELDS_AT_ONCE]
        upto = part[-1][0] if at + _FIELDS_AT_ONCE < len(told) else None
        said = {
            "in": {"seq": stream.applied_seq, "head": stream.applied_head},
            "handoff": handoff.id,
            "after": after,
            "upto": upto,
            "fields": {name: hashes.field_hash(value) for name, value in part},
        }
        outgoing.send(tx, hub, link, link_view("link.differences", said), now=now)
        after = upto


def receive_differences(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """The peer told what it has, field by field: see which ones differ."""
    handoff = handoffs.find(tx.connection, said["handoff"])
    if handoff is None or handoff.link_id != link.id or handoff.detached_at is not None:
        return
    if erasures.touched(tx.connection, handoff.ticket_id):
        return
    if handoff.id in _on_its_way(tx, link, row, said["in"]["seq"]):
        return  # compared again at a quieter moment
    ours = {
        name: hashes.field_hash(value)
        for name, value in shared.projection(tx.connection, handoff).items()
        if _within(said, name)
    }
    theirs: Mapping[str, str] = said["fields"]
    wrong = {
        name: theirs.get(name)
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name)
    }
    known = [one.field for one in stored.differences_of(tx.connection, handoff_id=handoff.id)]
    stored.forget(
        tx,
        handoff.id,
        # Also what neither side shares any more: a declined one has no number.
        [name for name in known if name == UNKNOWN or _within(said, name)],
    )
    _found(tx, link, handoff, wrong, now)
    _show(tx, hub, link, handoff, now)


def _within(said: Mapping[str, Any], name: str) -> bool:
    """Whether this part of what the peer tells is the one that this field would be in."""
    return bool(said.get("after", "") < name <= said.get("upto", name))


def _show(tx: Tx, hub: Hub, link: Link, handoff: Handoff, now: datetime) -> None:
    """Put what differs before people, in the words of the moment."""
    fields = [one.field for one in stored.differences_of(tx.connection, handoff_id=handoff.id)]
    audit.resolve_alerts(tx, kind=DIFFER, subject=handoff.id, at=now)
    if not fields:
        return
    outgoing.alarm(
        tx,
        hub,
        DIFFER,
        handoff.id,
        "Ticket {number} is not the same here and at {peer}: {fields}. See: hub link check",
        now,
        number=tickets.get(tx.connection, handoff.ticket_id).number,
        peer=link.peer_name,
        fields=", ".join(name or "?" for name in fields),
    )


def settled_here(tx: Tx, handoff: Handoff, fields: Fields, now: datetime) -> None:
    """Our side changed: forget the differences that were only on it."""
    for one in stored.differences_of(tx.connection, handoff_id=handoff.id):
        ours = hashes.field_hash(fields[one.field]) if one.field in fields else None
        if one.field != UNKNOWN and ours == one.theirs:
            stored.forget(tx, handoff.id, [one.field])
    if not stored.differences_of(tx.connection, handoff_id=handoff.id):
        audit.resolve_alerts(tx, kind=DIFFER, subject=handoff.id, at=now)
