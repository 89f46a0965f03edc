"""Applying stored messages of a peer: in order, each in a part of its own of the transaction.

One that fails on our side is tried again a bounded number of times and then parked whole for a
person; what a rule refuses is answered by `message.rejected`.
"""

from __future__ import annotations

import collections
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import Counter

from hub.actions import incoming, outgoing
from hub.actions.context import Hub
from hub.actions.outgoing import apply_topic
from hub.errors import Refused, Unavailable
from hub.faults import fault
from hub.ids import LinkId
from hub.protocol import payloads
from hub.storage import inbox, links, streams
from hub.storage.database import Tx, is_trouble
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.links import Link
from hub.storage.streams import Stream

LIMIT: Final = 50  # messages to a turn


@dataclass(frozen=True, slots=True)
class Applied:
    """What one turn at a link's inbox did."""

    settled: int
    failed: bool  # our side failed at one: it will be tried again, not at once


def apply_in_order(
    tx: Tx, hub: Hub, link_id: LinkId, stream: Stream, rows: Sequence[InboxRow], now: datetime
) -> int:
    """How many of the messages, from the first on, are settled; the next one failed here."""
    link = links.get(tx.connection, link_id)
    repeated = inbox.repeated_ids(tx.connection, link_id, rows[0].seq, rows[-1].seq)
    settled, done, upto = 0, [], stream.applied_seq
    for row in rows:
        follows = row.seq == upto + 1
        how = _apply_one(
            tx,
            hub,
            link,
            row,
            now,
            repeated=row.seq in repeated,
            follows=follows,
            again=stream.reapplying,
        )
        if how is None:
            break
        settled += 1
        upto += follows
        fault("inbox.between_messages")
        if how is InboxState.DONE:
            done.append(row)
        if incoming.changes_link(row.type):
            # Only such a message changes the link, and those behind it are judged by the new one.
            link = links.get(tx.connection, link_id)
    if done:
        inbox.settle_done(tx, link_id, [row.seq for row in done], now)
        count(hub.metrics.applied, (row.type for row in done))
    return settled


def count(counter: Counter, types: Iterable[str]) -> None:
    """Count messages by their types; whatever a peer calls its own is `other`."""
    known = collections.Counter(one if one in payloads.TYPES else "other" for one in types)
    for label, count in known.items():
        counter.labels(label).inc(count)


def advance(
    tx: Tx, link_id: LinkId, stream: Stream, rows: list[InboxRow], settled: int, parked: bool
) -> int:
    """Move the position up to which everything is settled; later messages `ack` what it returns."""
    if settled == len(rows) and not parked and rows[0].seq == stream.applied_seq + 1:
        last = rows[-1]
        streams.change(tx, link_id, applied_seq=last.seq, applied_head=last.hash)
        return last.seq
    first = inbox.first_unsettled(tx.connection, link_id)
    upto = (first - 1) if first is not None else streams.lock(tx, link_id).in_seq
    if upto > stream.applied_seq:
        row = inbox.at(tx.connection, link_id, upto)
        assert row is not None
        streams.change(tx, link_id, applied_seq=upto, applied_head=row.hash)
    return max(upto, stream.applied_seq)


def _apply_one(
    tx: Tx,
    hub: Hub,
    link: Link,
    row: InboxRow,
    now: datetime,
    *,
    repeated: bool,
    follows: bool,
    again: bool,
) -> InboxState | None:
    """DONE where the caller has to settle the row, REFUSED where that was done here.

    None where our side failed: the row must be tried again, or was parked. `follows` says that
    everything before it is settled: what it makes us say then acknowledges it too. `again` says
    that a restore may have brought it a second time.
    """
    try:
        with tx.part():
            if again and incoming.was_refused(tx, row):
                raise incoming.Rejected(Refused("scope_denied", "It was refused before."))
            if follows:
                streams.change(tx, link.id, applied_seq=row.seq, applied_head=row.hash)
            incoming.apply(tx, hub, link, row, now, repeated=repeated)
            fault("inbox.applied_one")
    except incoming.Rejected as rejected:
        if follows:
            streams.change(tx, link.id, applied_seq=row.seq, applied_head=row.hash)
        incoming.reject(tx, hub, link, row, rejected.refusal, now)
        fault("inbox.rejected_one")
        return InboxState.REFUSED
    except Exception as error:
        if is_trouble(error):
            raise  # it says nothing about the message
        _failed(tx, hub, link, row, error, now)
        return None
    return InboxState.DONE


def _failed(tx: Tx, hub: Hub, link: Link, row: InboxRow, error: Exception, now: datetime) -> None:
    """Our side failed at a message: try it again soon, or park it for a person."""
    attempts = row.attempts + 1
    where = "".join(traceback.format_exception(error)[-3:])[-2000:]
    if attempts < hub.limits.poison_tries or isinstance(error, Unavailable):
        inbox.change(tx, link.id, row.seq, attempts=attempts, last_error=where)
        return
    inbox.change(tx, link.id, row.seq, attempts=attempts, last_error=where, state=InboxState.PARKED)
    hub.metrics.parked.labels("failed").inc()
    outgoing.alarm(
        tx,
        hub,
        "message_parked",
        row.id,
        "A message of {peer} could not be processed here and was put aside.",
        now,
        peer=link.peer_name,
        type=row.type,
    )
    tx.wake(apply_topic(link.id))
