"""From us to a desk: what is missing over there is written, one thing at a time, seen to be there.

Before a field is written the ticket is read once more: whoever changed it over there meanwhile was
first, and what they did is taken over before ours is told (a human's close is not undone by what
crossed it on the way). Some desks open what is over for any word on it, ours too: then it is put
back. Every write looks for an earlier attempt's result, so a stop anywhere, or a desk that did it
and answered 500, ends with one of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from connectors.contract import (
    Change,
    DeskError,
    File,
    Gone,
    Misconfigured,
    Unavailable,
    Untrusted,
)
from connectors.contract import Refused as DeskRefused
from hub.actions import desk_gaps, pushing
from hub.actions.desk_gaps import Make, Put, Say, Step, Tell, Work
from hub.bridge import pull
from hub.bridge.host import DeskHost, WorkingDesk, reason
from hub.bridge.mapping import change, new_comment, new_ticket, text_of, theirs
from hub.domain.desk import DONE, TheirTicket, nearest, woken_by_us
from hub.errors import HubError
from hub.faults import fault
from hub.i18n import reading_in

STEPS_AT_ONCE: Final = 200  # of one pair in one turn
ENOUGH: Final = 3  # pairs in a row that a desk did not answer for: it is away
_BLOCK: Final = 64 * 1024


async def push_due(host: DeskHost, at: WorkingDesk) -> bool:
    """Tell what is due; whether there may be more.

    Raises DeskError where the desk as a whole does not work.
    """
    await pushing.mirror(host.hub, at.id, at.rules)
    due = await pushing.due(host.hub, at.id)
    silent = 0
    for pair in due:
        if not await pushing.claim(host.hub, pair.id):
            continue
        try:
            await _tell(host, at, pair.id)
            silent = 0
        except (Misconfigured, Untrusted) as error:
            await pushing.failed(host.hub, pair.id, reason(error), for_good=False, after=None)
            raise
        except Unavailable as error:
            await _later(host, pair.id, error, error.after)
            silent += 1
            if error.after is not None or silent >= ENOUGH:
                raise
        except Gone:
            await pushing.lost(host.hub, at.rules, pair.id)
        except DeskRefused as error:
            await pushing.failed(host.hub, pair.id, reason(error), for_good=True, after=None)
        except HubError as error:
            await _later(host, pair.id, error, None)
    return len(due) == pushing.AT_ONCE


async def _later(
    host: DeskHost, pair_id: Any, error: DeskError | HubError, after: timedelta | None
) -> None:
    await pushing.failed(host.hub, pair_id, reason(error), for_good=False, after=after)


async def _tell(host: DeskHost, at: WorkingDesk, pair_id: Any) -> None:
    """Write everything that is missing of one pair."""
    private = at.connector.capabilities.private_comments
    fresh = False
    for _ in range(STEPS_AT_ONCE):
        work = await desk_gaps.look(host.hub, at.rules, pair_id, notes=private)
        if work is None:
            return
        steps = [one for one in work.steps if _can(at, one)]
        if not steps:
            await pushing.rested(host.hub, work)
            return
        step = steps[0]
        # Words of ours may open again what is over: then it must be known that it still is.
        wary = isinstance(step, Tell) or _status_there(work) in DONE
        if wary and not fresh:
            fresh = True
            if await _read_first(host, at, work):
                continue
        await _step(host, at, work, step)
    raise Unavailable("much_to_tell", "There is more to write than fits into one turn")


def _status_there(work: Work) -> str | None:
    """As it was last accounted for."""
    return work.pair.base.get("status", [None, None])[1]


def _can(at: WorkingDesk, step: Step) -> bool:
    """Whether this kind of desk can be told such a thing at all."""
    can = at.connector.capabilities
    if isinstance(step, Make):
        return can.create
    if isinstance(step, Say):
        return can.comment
    if isinstance(step, Put):
        return can.attach
    return can.set_status or "status" not in step.values


async def _read_first(host: DeskHost, at: WorkingDesk, work: Work) -> bool:
    """Take over how it stands now; whether that was news."""
    if not at.connector.capabilities.fetch:
        return False
    assert work.pair.external_id is not None
    there = theirs(await at.connector.fetch(work.pair.external_id))
    if there.print == work.pair.print:
        return False
    await pull.take(host, at, there)
    return True


async def _step(host: DeskHost, at: WorkingDesk, work: Work, step: Step) -> None:
    if isinstance(step, Make):
        await _make(host, at, work, step)
        return
    assert work.pair.external_id is not None
    try:
        if isinstance(step, Tell):
            after = theirs(await at.connector.change(work.pair.external_id, change(step)))
            if "status" in step.values:
                after = await _nearest(at, after, step.values["status"])
            fault("bridge.written")
            await pushing.told(host.hub, work.pair.id, step, after)
        elif isinstance(step, Say):
            await _say(host, at, work, step)
        else:
            await _put(host, at, work, step)
    except Gone:
        raise
    except DeskRefused as error:
        await pushing.not_taken(host.hub, work.pair.id, step, reason(error))


async def _nearest(at: WorkingDesk, there: TheirTicket, ours: str) -> TheirTicket:
    """It has no word for ours: then at least whether the work is over."""
    for word in nearest(ours, there.status):
        there = theirs(await at.connector.change(there.id, Change(status=word)))
        if not nearest(ours, there.status):
            break
    return there


async def _put_back(at: WorkingDesk, work: Work) -> None:
    """What our own words opened over there is over again, as it was."""
    before = _status_there(work)
    can = at.connector.capabilities
    if before not in DONE or not (can.fetch and can.set_status):
        return
    assert work.pair.external_id is not None
    there = theirs(await at.connector.fetch(work.pair.external_id))
    if woken_by_us(before, there, work.known.get("cmt", ())):
        # Where that is not possible it is open over there, and the next reading takes it so.
        with contextlib.suppress(DeskRefused):
            await at.connector.change(there.id, Change(status=before))


async def _make(host: DeskHost, at: WorkingDesk, work: Work, step: Make) -> None:
    with reading_in(host.hub.account.language):
        wish = new_ticket(step, "")
    made = await at.connector.create(wish)
    fault("bridge.written")
    await pushing.made(host.hub, work.pair.id, step, made.id, made.number, made.url)
    if at.connector.capabilities.fetch:
        # How it really looks there is where later changes are counted from.
        await pull.take(host, at, theirs(await at.connector.fetch(made.id)))


async def _say(host: DeskHost, at: WorkingDesk, work: Work, step: Say) -> None:
    company = host.hub.account.name
    assert work.pair.external_id is not None
    await pushing.begins(host.hub, work.pair.id, step, text_of(step, company))
    found = await at.connector.comment(
        work.pair.external_id,
        new_comment(step, company, work.pair.id),
        known=work.known.get("cmt", ()),
        again=True,
    )
    fault("bridge.written")
    await _put_back(at, work)
    # Desks that tell no id of a comment have nothing it could come back under.
    await pushing.arrived(host.hub, work.pair.id, step, found or f"said:{step.local_id}")


async def _put(host: DeskHost, at: WorkingDesk, work: Work, step: Put) -> None:
    said: dict[str, Any] = step.view.to_data()
    assert work.pair.external_id is not None
    if not host.hub.blobs.has(said["sha256"]):
        raise DeskRefused("no_bytes", "The file is not here any more")

    async def chunks() -> AsyncIterator[bytes]:
        with host.hub.blobs.open(said["sha256"]) as source:
            while block := source.read(_BLOCK):
                yield block

    await pushing.begins(host.hub, work.pair.id, step, "")
    found = await at.connector.attach(
        work.pair.external_id,
        File(said["name"], said["media_type"], said["size"], chunks),
        public=said["public"],
        known=work.known.get("att", ()),
        again=True,
    )
    fault("bridge.written")
    await _put_back(at, work)
    await pushing.arrived(host.hub, work.pair.id, step, found or f"put:{step.local_id}")
