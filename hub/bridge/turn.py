"""One desk's turn: look at what was named, read what changed, write what is missing."""

from __future__ import annotations

from connectors.contract import DeskError, Misconfigured, Unavailable, Untrusted
from hub.actions import desks
from hub.bridge import pull, push
from hub.bridge.host import DeskHost, reason
from hub.errors import HubError
from hub.ids import DeskId
from hub.logs import get_logger

_log = get_logger("hub.bridge")


async def turn(host: DeskHost, desk_id: DeskId) -> None:
    """Do all that is due with this desk; whatever is wrong with it is noted and not raised."""
    hub = host.hub
    try:
        at = await host.open(desk_id)
    except HubError as error:
        await desks.trouble(hub, desk_id, reason(error), None, config=True)
        return
    now = hub.now()
    try:
        if await desks.claim(hub, desk_id):
            await pull.poll(host, at)
        elif at.desk.failing_since is not None:
            return  # its time to be asked again has not come
        await pull.look(host, at)
        if at.desk.push_after is None or at.desk.push_after <= now:
            while await push.push_due(host, at):
                pass
    except DeskError as error:
        _log.warning("desk failed", desk=at.desk.name, code=error.code, because=error.because)
        after = error.after if isinstance(error, Unavailable) else None
        config = isinstance(error, Misconfigured | Untrusted)
        await desks.trouble(hub, desk_id, reason(error), after, config=config)
    finally:
        await host.write_log(at)
