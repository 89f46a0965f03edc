"""Refusals are counted in memory, and written by the minute: numbers, not rows.

The promise: every refused input is counted, once; the sum of a link and kind is in one row, and
each hour of it becomes one record of the audit log. So a flood changes a number. What a process
counted since its last writing, half a minute at most, is lost if it is killed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from hub.actions import outgoing
from hub.actions.context import Hub
from hub.domain import suspicion
from hub.domain.suspicion import Counted
from hub.storage import audit, links, suspicions
from hub.storage.database import Tx
from hub.storage.suspicions import STRANGERS

_STRANGERS_ARE_MANY: Final = 20  # the internet knocks at every door; people need not hear of it


def note(hub: Hub, code: str, link_id: str | None = None, *, came_from: str = "") -> None:
    """Count a refusal. Say `link_id` only of a link there is: rows are kept for each."""
    kind = suspicion.of(code)
    if kind is None:
        return
    hub.metrics.suspicions.labels(kind).inc()
    now = hub.now()
    key = (link_id or STRANGERS, kind.value)
    known = hub.refusals.get(key)
    if known is None:
        hub.refusals[key] = Counted(1, now, now, came_from)
    else:
        known.count += 1
        known.last_at = now
        known.last_from = came_from or known.last_from


async def write_down(hub: Hub) -> None:
    """Bring what was counted into the database, and every hour that is over into the audit log."""
    counted = dict(hub.refusals)
    hub.refusals.clear()
    try:
        await hub.db.write(lambda tx: _write_down(tx, hub, counted))
    except BaseException:
        for key, one in counted.items():
            kept = hub.refusals.setdefault(key, one)
            if kept is not one:
                kept.count += one.count
                kept.first_at = one.first_at
        raise


def _write_down(tx: Tx, hub: Hub, counted: dict[tuple[str, str], Counted]) -> None:
    now = hub.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    stored = suspicions.lock_all(tx)
    for key, over in stored.items():
        if over.hour < hour and over.hour_count > 0:
            stored[key] = _record(tx, over, now)
    for (link_id, kind), news in sorted(counted.items()):
        known = stored.get((link_id, kind))
        if known is None:
            one = suspicions.Suspicion(
                link_id,
                kind,
                news.count,
                news.first_at,
                news.last_at,
                news.last_from or None,
                hour,
                news.count,
            )
            suspicions.add(tx, one)
        else:
            one = replace(
                known,
                count=known.count + news.count,
                last_at=news.last_at,
                last_from=news.last_from or known.last_from,
                hour=hour,
                hour_count=known.hour_count + news.count,
            )
            suspicions.change(tx, one)
        _tell_people(tx, hub, one, now)


def _record(tx: Tx, one: suspicions.Suspicion, now: datetime) -> suspicions.Suspicion:
    """One record of the audit log stands for the whole hour; what the row is from then on."""
    audit.append(
        tx,
        at=now,
        actor="system",
        event="refused",
        link=one.link_id or None,
        kind=one.kind,
        hour=one.hour.isoformat(),
        count=one.hour_count,
        last_from=one.last_from,
    )
    recorded = replace(one, hour_count=0)
    suspicions.change(tx, recorded)
    return recorded


def _tell_people(tx: Tx, hub: Hub, one: suspicions.Suspicion, now: datetime) -> None:
    enough = hub.limits.suspicions_alert * (1 if one.link_id else _STRANGERS_ARE_MANY)
    if one.hour_count < enough:
        return
    link = links.find(tx.connection, one.link_id) if one.link_id else None
    if link is None:
        told = "{count} calls of strangers were refused within an hour ({what})."
    elif one.kind in suspicion.UNPROVEN:
        told = "{count} calls in the name of {peer} were refused within an hour ({what})."
    else:
        told = (
            "{count} messages or calls of {peer} were refused within an hour ({what}). "
            "To stop it: hub link suspend"
        )
    outgoing.alarm(
        tx,
        hub,
        "suspicious",
        f"{one.link_id}/{one.kind}",
        told,
        now,
        peer=link.peer_name if link else "",
        what=one.kind,
        count=one.hour_count,
    )
