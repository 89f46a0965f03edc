"""Messages on their way: what waits, what failed, what to do about it; and alarms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from hub.actions import alarms, deliveries
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.delivery import DeliveryState
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.i18n import ngettext
from hub.logs import redact
from hub.queries import deliveries as views
from hub.queries import links
from hub.queries.deliveries import DeliveryLine

_ROWS: Final = 50
_AT_ONCE: Final = 500  # replayed by one press of a button; the button is there for the rest


@dataclass(frozen=True, slots=True)
class Counted:
    """How delivery to one partner goes."""

    link: str
    name: str
    health: str
    waiting: int
    failed: int
    parked: int


async def _list(visit: Visit) -> Answer:
    state = visit.query("state")
    if state and state not in set(DeliveryState):
        raise Refused("state_unknown", "There is no state '{name}'.", name=state)
    wanted = DeliveryState(state) if state else None
    link, before = visit.query("partner") or None, visit.query("before") or None
    lines = await visit.hub.db.read(
        lambda connection: views.page(
            connection, state=wanted, before=before, limit=_ROWS + 1, link_id=link
        )
    )
    facts = {
        "lines": lines[:_ROWS],
        "more": lines[_ROWS - 1].id if len(lines) > _ROWS else "",
        "state": state,
        "states": list(DeliveryState),
        "partner": link or "",
        "partners": await _counted(visit),
        "alerts": await visit.hub.db.read(views.alerts),
    }
    return Shown("delivery.html", facts)


async def _counted(visit: Visit) -> list[Counted]:
    now = visit.hub.now()
    everyone = await visit.hub.db.read(lambda connection: links.everyone(connection, now))
    found = []
    for one in everyone:
        if one.state not in {"active", "suspended"}:
            continue
        failed, parked = [
            len(await _of(visit, state, one.id))
            for state in (DeliveryState.FAILED, DeliveryState.PARKED)
        ]
        found.append(Counted(one.id, one.peer.name, one.health, one.waiting, failed, parked))
    return found


async def _of(visit: Visit, state: DeliveryState, link: str) -> list[DeliveryLine]:
    return await visit.hub.db.read(
        lambda connection: views.page(connection, state=state, limit=_AT_ONCE, link_id=link)
    )


async def _show(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: HubError | None = None) -> Shown:
    message = visit.param("message")
    found = await visit.hub.db.read(lambda connection: views.show(connection, message))
    # Secrets a partner or a program of ours put into a text are not for everybody who may look.
    payload = None if found.payload is None else redact(None, "", dict(found.payload))
    facts = {
        "one": found,
        "line": found.line,
        "payload": None
        if payload is None
        else json.dumps(payload, ensure_ascii=False, indent=2, default=str),
        "error": error,
    }
    return Shown("message.html", facts, 200 if error is None else 422)


async def _replay(visit: Visit) -> Answer:
    try:
        message = await deliveries.replay(visit.hub, visit.actor, visit.param("message"))
    except Refused as error:
        if error.code in {"not_yours", "not_found"}:
            raise
        return await _one(visit, error)
    path = await visit.word("back") or visit.context.renderer.url("message", message=message)
    return Redirect(path, Toast(_("It is tried again.")))


async def _skip(visit: Visit) -> Answer:
    reason = await visit.word("reason")
    try:
        if not reason:
            raise Refused("reason_missing", "Say why, for whoever looks at this later.")
        await deliveries.skip(visit.hub, visit.actor, visit.param("message"), reason)
    except Refused as error:
        if error.code in {"not_yours", "not_found"}:
            raise
        return await _one(visit, error)
    return Redirect(visit.context.renderer.url("delivery"), Toast(_("It is left out.")))


async def _replay_many(visit: Visit) -> Answer:
    """Those that were ticked, or everything of a partner that failed."""
    chosen = await visit.words("message")
    link = await visit.word("partner")
    if await visit.word("all") and link:
        for state in (DeliveryState.FAILED, DeliveryState.PARKED):
            chosen += [one.id for one in await _of(visit, state, link)]
    done, left = 0, 0
    for message in dict.fromkeys(chosen[:_AT_ONCE]):
        try:
            await deliveries.replay(visit.hub, visit.actor, message)
            done += 1
        except Refused as error:
            if error.code == "not_yours":
                raise
            left += 1
    said = ngettext("{count} message is tried again.", "{count} messages are tried again.", done)
    told = said.format(count=done)
    if left:
        rest = ngettext("{count} needs nothing.", "{count} need nothing.", left)
        told = f"{told} {rest.format(count=left)}"
    path = visit.context.renderer.url("delivery", partner=link)
    return Redirect(path, Toast(told, good=bool(done)))


async def _know(visit: Visit) -> Answer:
    """Somebody has seen these alarms."""
    await alarms.acknowledge(visit.hub, visit.actor, await visit.words("alert"))
    return Redirect(
        visit.context.renderer.url("delivery"), Toast(_("Now everybody sees that you know."))
    )


_seen: Final = page_for(Permission.DELIVERIES_READ)
_changed: Final = page_for(Permission.DELIVERIES_WRITE)

PAGES: Final = (
    _seen("delivery", "GET", "/delivery", _list),
    _changed("see_alarms", "POST", "/delivery/alarms", _know),
    _changed("replay_many", "POST", "/delivery/replay", _replay_many),
    _seen("message", "GET", "/delivery/{message}", _show),
    _changed("replay", "POST", "/delivery/{message}/replay", _replay),
    _changed("skip", "POST", "/delivery/{message}/skip", _skip),
)
