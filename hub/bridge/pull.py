"""From a desk to us: what changed over there is read and taken over, ticket by ticket.

The cursor moves when everything before it is taken over or waits in a row of its own, so a stop in
the middle reads a page twice and takes it once. A ticket that cannot be read, or not be taken,
waits alone with growing pauses; all others go on.
"""

from __future__ import annotations

from connectors.contract import DeskError, Gone, Page, Unavailable
from connectors.contract import Refused as DeskRefused
from hub.actions import desk_events, desks, pulling
from hub.actions.desk_taking import Taken
from hub.bridge.host import DeskHost, WorkingDesk, fetched, reason
from hub.bridge.mapping import print_of, theirs
from hub.domain.desk import TheirTicket
from hub.errors import HubError
from hub.logs import get_logger

_log = get_logger("hub.bridge")


async def poll(host: DeskHost, at: WorkingDesk) -> None:
    """Read what changed since the last time. Raises DeskError where nothing can be read."""
    if not at.connector.capabilities.pull:
        await desks.read(host.hub, at.id, at.settings.every)
        return
    known = await pulling.prints(host.hub, at.id)
    cursor = at.desk.cursor
    async for page in at.connector.pull(cursor):
        await take_page(host, at, page, known)
        if page.cursor and page.cursor != cursor:
            cursor = page.cursor
            await desks.read_up_to(host.hub, at.id, cursor)
    await desks.read(host.hub, at.id, at.settings.every)


async def take_page(
    host: DeskHost, at: WorkingDesk, page: Page, known: dict[str, str] | None = None
) -> list[Taken]:
    """Take over everything of a page; what cannot be taken waits alone."""
    done = []
    for found in page.tickets:
        if known is not None and known.get(found.id) == print_of(found):
            continue
        taken = await _alone(host, at, theirs(found))
        if taken is not None:
            done.append(taken)
    for external_id in page.gone:
        await desk_events.gone(host.hub, at.id, at.rules, external_id)
    for failed in page.failed:
        await desk_events.unreadable(host.hub, at.id, failed.id, reason(failed.error))
    return done


async def _alone(host: DeskHost, at: WorkingDesk, there: TheirTicket) -> Taken | None:
    """Take one over; where that fails, it is looked at again by itself."""
    try:
        return await take(host, at, there)
    except (DeskError, HubError) as error:
        _log.warning("not taken over", desk=at.desk.name, ticket=there.id, code=error.code)
        await desk_events.unreadable(host.hub, at.id, there.id, reason(error))
        return None


async def take(host: DeskHost, at: WorkingDesk, there: TheirTicket) -> Taken | None:
    """Take over one ticket as it stands, with its files. Raises DeskError, HubError."""
    wanted = await pulling.missing_files(host.hub, at.id, at.rules, there)
    files = await fetched(host.hub, at, wanted)
    return await pulling.take(host.hub, at.id, at.rules, there, files)


async def look(host: DeskHost, at: WorkingDesk) -> None:
    """Look at every ticket that a webhook named or that failed before.

    Raises DeskError where the desk as a whole does not work.
    """
    for one in await desks.looks(host.hub, at.id):
        try:
            found = await at.connector.fetch(one.external_id)
            await take(host, at, theirs(found))
        except Gone:
            await desk_events.gone(host.hub, at.id, at.rules, one.external_id)
        except Unavailable as error:
            if error.after is not None:
                raise  # it asks for a pause, whatever we want to know
            await desk_events.unreadable(host.hub, at.id, one.external_id, reason(error))
        except (DeskRefused, HubError) as error:
            await desk_events.unreadable(host.hub, at.id, one.external_id, reason(error))
        else:
            await desks.looked(host.hub, one)


async def fill(host: DeskHost, at: WorkingDesk) -> tuple[int, int]:
    """Take over every open ticket over there: how many are new here, how many there are.

    Raises DeskError.
    """
    begun = seen = 0
    async for page in at.connector.open_tickets():
        done = await take_page(host, at, page)
        begun += sum(one.begun for one in done)
        seen += len(page.tickets)
    return begun, seen
