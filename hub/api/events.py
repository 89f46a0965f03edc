"""What changed, as it changes: ids alone, in a stream that can be taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from hub.api.door import Following, Route, Sends, Visit
from hub.api.forms import Nothing
from hub.domain.permission import Permission
from hub.errors import Refused, Untrusted
from hub.protocol.encoding import instant, parse_instant
from hub.queries.changes import CHANGED_TOPIC, Reader


def _position(visit: Visit) -> datetime:
    if not visit.last_event_id:
        return visit.hub.now()
    try:
        return parse_instant(visit.last_event_id)
    except Untrusted:
        raise Refused("event_id_invalid", "This is no id of an event of this stream.") from None


async def _follow(visit: Visit, form: Nothing) -> Following:
    hub, reader = visit.hub, Reader(_position(visit))
    if not visit.last_event_id:
        await hub.db.read(reader.look)  # what changed a moment ago is not news

    async def look() -> Sequence[tuple[str, str, object]]:
        found = await hub.db.read(reader.look)
        return [
            (instant(one.at), "ticket.changed", {"ticket": one.ticket, "at": one.at})
            for one in found
        ]

    return Following(CHANGED_TOPIC, look)


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="followEvents",
        method="GET",
        path="/events",
        scope=Permission.TICKETS_READ,
        summary="Which tickets change, as server-sent events; `Last-Event-ID` takes it up again",
        form=Nothing,
        handler=_follow,
        answer=Sends.STREAM,
    ),
)
