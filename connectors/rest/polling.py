"""What changed since the last time, by the marks a desk gives: time, number, cursor, or none.

Two things go wrong with naive polling. Desks tell time coarsely and show changes late, so every
poll reads back a little (`overlap`) and remembers what it has seen there; an entry whose second
was not over when we read it is read again. Our own clock may be wrong: the desk's counts, from its
answers' Date or from what changed last. And pages shift while we turn them, so a list by time is
not paged by places: each next request begins where the last one ended. Only when one second holds
more than a page do places come in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.contract import Misconfigured, Unavailable
from connectors.rest import sandbox, values
from connectors.rest.calls import PAGES_MAX, Caller
from connectors.rest.description import Poll, Step

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ONCE: Final = "?"
"""Ends the mark of an entry that was read once by a desk that does not tell its time."""


@dataclass(slots=True)
class Cursor:
    """How far we have read. `seen` are entries in the overlap and their marks."""

    at: str = ""  # instant in ISO, number, or the desk's own cursor
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, text: str) -> Cursor:
        """The cursor as it was kept. Raises Misconfigured for one that is not ours."""
        try:
            raw = json.loads(text)
            return cls(str(raw["at"]), {str(key): str(mark) for key, mark in raw["seen"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Misconfigured("bad_cursor", "The desk's reading mark cannot be used") from None

    def dump(self) -> str:
        """As text to keep."""
        return json.dumps({"at": self.at, "seen": self.seen}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """Some entries that changed, each ticket once, and the cursor after them."""

    entries: list[tuple[str, Any]]  # ticket id, entry
    cursor: Cursor
    missing: list[str] = field(default_factory=list)  # were listed before and are not now


async def beginning(poll: Poll, caller: Caller, scope: Mapping[str, Any]) -> Cursor:
    """The cursor that brings what changes from now on."""
    if poll.by == "time" and poll.newest is not None and caller.desk_now is None:
        return await _after_the_last_change(poll, poll.newest, caller, scope)
    now = caller.desk_now or caller.host.clock.now()
    cursor = Cursor()
    if poll.by in ("time", "cursor", "window"):
        cursor.at = f"@{now.isoformat()}" if poll.by == "cursor" else now.isoformat()
    elif poll.by == "number" and poll.newest is not None:
        answer, headers = await caller.ask(poll.newest, scope)
        newest = values.pick(poll.newest.save["newest"], {"answer": answer, "header": headers})
        cursor.at = str(newest or 0)
        # What lies in the overlap was there before us: it is not news.
        low = max(0, int(cursor.at) - poll.overlap)
        cursor.seen = {str(number): "" for number in range(low, int(cursor.at) + 1)}
    elif poll.by == "scan":
        async for turn in _by_scan(poll, caller, cursor, scope):
            cursor = turn.cursor
    return cursor


async def _after_the_last_change(
    poll: Poll, newest: Step, caller: Caller, scope: Mapping[str, Any]
) -> Cursor:
    """By the desk's own clock, which shows in nothing but what changed last."""
    answer, headers = await caller.ask(newest, scope)
    told = values.pick(newest.save["newest"], {"answer": answer, "header": headers})
    at = values.instant(told, caller.description.time) or _LONG_AGO  # an empty desk: all is news
    cursor = Cursor(at.isoformat())
    async for turn in _by_time(poll, caller, cursor, scope):
        cursor = turn.cursor
    # What was there before us is not news.
    return Cursor(cursor.at, {ticket: mark.rstrip(_ONCE) for ticket, mark in cursor.seen.items()})


def changes(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    """Everything since the cursor."""
    ways = {
        "time": _by_time,
        "number": _by_number,
        "cursor": _by_cursor,
        "window": _by_window,
        "scan": _by_scan,
    }
    return ways[poll.by](poll, caller, cursor, scope)


def _listed(poll: Poll) -> Step:
    assert poll.list_ is not None
    return poll.list_


def _id(poll: Poll, entry: Any) -> str:
    found = values.picked_text(poll.id, {"entry": entry})
    if not found:
        raise Unavailable("no_id", "The desk's list has an entry without a number")
    return found


def _skipped(poll: Poll, entry: Any) -> bool:
    return bool(poll.skip and sandbox.expression(poll.skip).value({"entry": entry}))


async def _by_time(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    step, time = _listed(poll), caller.description.time
    resolution = timedelta(seconds=max(poll.resolution_s, 1))
    newest = datetime.fromisoformat(cursor.at)
    since = newest - timedelta(seconds=poll.overlap_s) - resolution
    horizon, place, seen = since, step.paging.first, dict(cursor.seen)
    by_place = step.paging.kind in ("offset", "page")
    for _ in range(PAGES_MAX):
        within = {**scope, "since": values.written(since, time)}
        more = False
        async for entries in _one_page(caller, step, within, place, by_place=by_place):
            settled = caller.desk_now - 2 * resolution if caller.desk_now else None
            found, last = {}, since
            for entry in entries:
                at = values.instant(values.pick(poll.changed, {"entry": entry}), time)
                if at is None:
                    raise Unavailable("no_time", "The desk's list does not say when things changed")
                last = max(last, at)
                # A clock over there that once stood in the future must not blind us for long.
                newest = max(newest, min(at, caller.desk_now or at))
                ticket, mark = _id(poll, entry), at.isoformat()
                if seen.get(ticket) == mark or _skipped(poll, entry):
                    continue
                found[ticket] = entry
                if settled is None:
                    # Whether its second was over is not known: the next poll reads it once more.
                    twice = cursor.seen.get(ticket) == mark + _ONCE
                    seen[ticket] = mark if twice else mark + _ONCE
                elif at < settled:
                    seen[ticket] = mark
                else:
                    seen.pop(ticket, None)
            keep = min(horizon, newest - timedelta(seconds=poll.overlap_s) - resolution)
            seen = {
                ticket: mark
                for ticket, mark in seen.items()
                if datetime.fromisoformat(mark.rstrip(_ONCE)) >= keep
            }
            reached = min(newest, last) if by_place and len(entries) >= step.paging.size else newest
            yield Turn(list(found.items()), Cursor(reached.isoformat(), dict(seen)))
            more = by_place and len(entries) >= step.paging.size
        if not more:
            return
        following = last - resolution
        if following > since:
            since, place = following, step.paging.first
        else:
            place += len(entries) if step.paging.kind == "offset" else 1
    raise Unavailable("endless_list", "The desk's list does not end")


async def _one_page(
    caller: Caller, step: Step, scope: Mapping[str, Any], place: int, *, by_place: bool
) -> AsyncIterator[list[Any]]:
    """One page where we turn them ourselves; all of them where the desk does."""
    if not by_place:
        async for entries in caller.pages(step, scope):
            yield entries
        return
    query = {step.paging.param: str(place)}
    if step.paging.size_param:
        query[step.paging.size_param] = str(step.paging.size)
    answer, _ = await caller.ask(step, scope, None, query)
    found = values.follow(step.items or "", answer)
    if found is not None and not isinstance(found, list):
        raise Unavailable("not_a_list", "The desk's answer is not understood: no list")
    yield found or []


async def _by_number(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    """Numbers may be given out of order, so the last few are looked at again."""
    step = _listed(poll)
    newest = int(cursor.at or 0)
    since, seen = max(0, newest - poll.overlap), dict(cursor.seen)
    for _ in range(PAGES_MAX):
        answer, _ = await caller.ask(
            step,
            {**scope, "since": since},
            None,
            {step.paging.size_param: str(step.paging.size)} if step.paging.size_param else None,
        )
        entries = values.follow(step.items or "", answer) or []
        found: dict[str, Any] = {}
        for entry in entries:
            number = int(values.picked_text(poll.changed, {"entry": entry}))
            newest, since = max(newest, number), max(since, number)
            if str(number) in seen:
                continue
            seen[str(number)] = ""
            if not _skipped(poll, entry):
                found[_id(poll, entry)] = entry
        seen = {number: "" for number in seen if int(number) >= newest - poll.overlap}
        yield Turn(list(found.items()), Cursor(str(newest), dict(seen)))
        if len(entries) < step.paging.size:
            return
    raise Unavailable("endless_list", "The desk's list does not end")


async def _by_cursor(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    """The desk keeps the place; we begin by time and go on by its cursor."""
    step, paging, time = _listed(poll), _listed(poll).paging, caller.description.time
    at = cursor.at
    for _ in range(PAGES_MAX):
        begun = at.startswith("@")
        start = datetime.fromisoformat(at[1:]) if begun else None
        within = {
            **scope,
            "since": values.written(start - timedelta(seconds=poll.overlap_s), time)
            if start
            else "",
            "cursor": "" if begun else at,
        }
        answer, headers = await caller.ask(step, within)
        entries = values.follow(step.items or "", answer) or []
        context = {**within, "answer": answer, "header": headers}
        following = values.pick(paging.next, context)
        found = {_id(poll, entry): entry for entry in entries if not _skipped(poll, entry)}
        at = str(following) if following else at
        yield Turn(list(found.items()), Cursor(at))
        if not following or (paging.end and sandbox.expression(paging.end).value(context)):
            return
    raise Unavailable("endless_list", "The desk's list does not end")


async def _by_window(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    """The desk says what changed after an instant and not when: the overlap comes again."""
    since = datetime.fromisoformat(cursor.at) - timedelta(seconds=poll.overlap_s)
    at = ""
    found: dict[str, Any] = {}
    within = {**scope, "since": values.written(since, caller.description.time)}
    async for entries in caller.pages(_listed(poll), within):
        at = at or (caller.desk_now or caller.host.clock.now()).isoformat()
        found |= {_id(poll, entry): entry for entry in entries if not _skipped(poll, entry)}
    yield Turn(list(found.items()), Cursor(at or cursor.at))


async def _by_scan(
    poll: Poll, caller: Caller, cursor: Cursor, scope: Mapping[str, Any]
) -> AsyncIterator[Turn]:
    """A desk that tells nothing about changes is read whole and compared."""
    seen, before = {}, cursor.seen
    async for entries in caller.pages(_listed(poll), scope):
        found: dict[str, Any] = {}
        for entry in entries:
            if _skipped(poll, entry):
                continue
            ticket = _id(poll, entry)
            exact = json.dumps(entry, sort_keys=True, ensure_ascii=False).encode()
            seen[ticket] = hashlib.sha256(exact).hexdigest()[:16]
            if before.get(ticket) != seen[ticket]:
                found[ticket] = entry
        yield Turn(list(found.items()), Cursor("", {**before, **seen}))
    # A list that shifted while we turned its pages may hide one: the caller looks again.
    yield Turn([], Cursor("whole", seen), [ticket for ticket in before if ticket not in seen])
