"""My queue: what waits for this person, with one click to do what is due."""

from __future__ import annotations

from typing import Final

from hub.console.door import Answer, Shown, Visit, page_for
from hub.console.words import DECLINES
from hub.domain.permission import Permission
from hub.i18n import N_
from hub.queries import queue

LANES: Final = {
    "acceptance": (N_("Waiting for acceptance"), "hourglass"),
    "replies": (N_("New replies"), "messages"),
    "deadline": (N_("Deadline burning"), "flame"),
    "returned": (N_("Came back"), "arrow-back-up"),
    "rating": (N_("To be checked and rated"), "star"),
}


async def _queue(visit: Visit) -> Answer:
    everybody = visit.query("everybody") == "1"
    now, who, company = visit.hub.now(), visit.actor.ref, visit.hub.account.name
    found = await visit.hub.db.read(
        lambda connection: queue.of(connection, who, now, company, everybody=everybody)
    )
    template = "parts/lanes.html" if visit.is_partial else "queue.html"
    facts = {
        "queue": found,
        "lanes": LANES,
        "everybody": everybody,
        "decline_codes": list(DECLINES),
        "count": sum(len(one.items) for one in found.lanes),
    }
    return Shown(template, facts)


_page: Final = page_for(Permission.TICKETS_READ)

PAGES: Final = (_page("queue", "GET", "/queue", _queue),)
