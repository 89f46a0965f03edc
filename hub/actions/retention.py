"""What goes by itself when nobody needs it: texts of old messages, files nobody names.

A peer that restores an old backup gets back from us what it lost, so nothing goes within
`limits.keep_data_days` of its receipt, or as many days as an administrator decided. It stays longer
while its hand-off is open, in warranty, or has a message that waits for a person.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from hub.actions import permits, personal, terms
from hub.actions.context import Actor, Hub
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.storage import audit, blobs, deliveries, ground, guests, letters, links, nodes, retention
from hub.storage import personal as kept
from hub.storage.database import Tx
from hub.storage.retention import Ended

DATA_LEAST: Final = 35  # days; partners that restore a backup of a month rely on it
DAYS_MOST: Final = 36_500
ATTEMPTS_KEPT: Final = deliveries.ATTEMPTS_KEPT
HANDOFFS: Final = 50  # looked at in one turn of the timers
MESSAGES: Final = 500  # pruned in one transaction
FILES: Final = 200  # looked at in one transaction
FORGOTTEN: Final = timedelta(days=7)  # a file that nobody names stays so long
_AGAIN: Final = timedelta(days=1)  # something of the hand-off is not old enough, or not settled
_MUCH_LATER: Final = timedelta(days=90)  # a rating may still come to it


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days what can go is kept; None: as the settings say."""

    data_days: int | None
    letters_days: int | None


@dataclass(frozen=True, slots=True)
class _Kept:
    data_days: int
    letters_days: int


async def _kept(hub: Hub) -> _Kept:
    decided = await hub.db.read(nodes.keeping)
    limits = hub.limits
    return _Kept(
        decided.keep_data_days or limits.keep_data_days,
        decided.keep_letters_days or limits.keep_letters_days,
    )


async def decide(hub: Hub, actor: Actor, wish: Keep) -> None:
    """Keep what can go for so many days from now on; what is older goes at the next turn.

    Raises Refused(days_invalid): fewer than partners rely on, or more than a century.
    """
    permits.require(actor, Permission.ADMIN)
    for days, least in ((wish.data_days, DATA_LEAST), (wish.letters_days, 1)):
        if days is not None and not least <= days <= DAYS_MOST:
            raise Refused(
                "days_invalid", "Between {least} and {most} days.", least=least, most=DAYS_MOST
            )

    def transaction(tx: Tx) -> None:
        before = nodes.keeping(tx.connection)
        after = nodes.Keeping(wish.data_days, wish.letters_days)
        if before == after:
            return
        nodes.change(
            tx, keep_data_days=after.keep_data_days, keep_letters_days=after.keep_letters_days
        )
        audit.append(
            tx,
            at=hub.now(),
            actor=actor.ref,
            event="retention.decided",
            data_days=[before.keep_data_days, after.keep_data_days],
            letters_days=[before.keep_letters_days, after.keep_letters_days],
        )

    await hub.db.write(transaction)


async def prune(hub: Hub) -> None:
    """Drop `data` of messages whose time is over, a bounded portion at a time."""
    now = hub.now()
    before = now - timedelta(days=(await _kept(hub)).data_days)
    ended = await hub.db.read(
        lambda connection: retention.to_look_at(connection, now, before, HANDOFFS)
    )
    for one in ended:
        await hub.db.write(partial(_prune_one, ended=one, now=now, before=before))


def _prune_one(tx: Tx, ended: Ended, now: datetime, before: datetime) -> None:
    ground.of_handoffs(tx, ended.id)
    needed_until = _warranty_end(tx, ended)
    if needed_until is not None and needed_until > now:
        retention.look_again(tx, ended.id, needed_until)
    elif retention.is_unsettled(tx.connection, ended.id):
        retention.look_again(tx, ended.id, now + _AGAIN)
    elif retention.prune(tx, ended.id, before, MESSAGES) < MESSAGES:
        later = _AGAIN if retention.has_data(tx.connection, ended.id) else _MUCH_LATER
        retention.look_again(tx, ended.id, now + later)


def _warranty_end(tx: Tx, ended: Ended) -> datetime | None:
    if ended.closed_at is None:
        return None
    link = links.get(tx.connection, ended.link_id)
    days = terms.direction(link, ended.party).warranty_days
    return ended.closed_at + timedelta(days=days)


async def forget_personal(hub: Hub) -> None:
    """Drop drafts nobody went on with, who looked at what, addresses and attempts long ended."""
    now = hub.now()

    def transaction(tx: Tx) -> None:
        drafted = now - personal.DRAFTS_STAY
        kept.forget_before(tx, looked=now - kept.LOOKS_FOR, drafted=drafted)
        guests.forget_before(tx, now - FORGOTTEN)
        deliveries.forget_attempts_before(tx, now - ATTEMPTS_KEPT)

    await hub.db.write(transaction)


async def collect(hub: Hub) -> None:
    """Once a day: drop files that nothing has named for a week, and parts that stopped coming."""
    now = hub.now()
    day = now.toordinal()
    if await hub.db.read(retention.files_day) >= day:
        return
    if not await hub.db.write(lambda tx: retention.begin_day(tx, day)):
        return
    old = now - timedelta(days=(await _kept(hub)).letters_days)
    await hub.db.write(lambda tx: retention.forget_letters(tx, old))
    await hub.db.write(lambda tx: retention.forget_acts(tx, now - FORGOTTEN))
    await hub.db.write(lambda tx: letters.forget_answers(tx, now - FORGOTTEN))
    digests = await asyncio.to_thread(hub.blobs.everything)
    for start in range(0, len(digests), FILES):
        portion = digests[start : start + FILES]
        await hub.db.write(partial(_collect_some, hub=hub, digests=portion, now=now))
    fetches = await hub.db.read(retention.open_fetches)
    wanted = {blobs.partial_name(link, digest) for link, digest in fetches}
    limit = (now - FORGOTTEN).timestamp()
    await asyncio.to_thread(hub.blobs.drop_partial_before, limit, wanted)


def _collect_some(tx: Tx, hub: Hub, digests: list[str], now: datetime) -> None:
    """Within the transaction: nobody can begin to name a file between the look and the drop.

    Peers name what they sent before; our people's files are written anew, and so are not old.
    """
    ground.of_all_links(tx)
    limit = (now - FORGOTTEN).timestamp()
    decided = nodes.keeping(tx.connection).keep_data_days
    redacted_after = now - timedelta(days=decided or hub.limits.keep_data_days)
    named = retention.named(tx.connection, digests, redacted_after)
    going = [one for one in digests if one not in named and _is_older(hub, one, limit)]
    if going:
        retention.forget_fetched(tx, going)
        for one in going:
            hub.blobs.drop(one)


def _is_older(hub: Hub, digest: str, seconds: float) -> bool:
    try:
        return hub.blobs.changed_at(digest) < seconds
    except FileNotFoundError:
        return False
