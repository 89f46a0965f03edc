"""Where desks say that something changed: a signed call, believed as far as its proof goes.

The answer is given when the call is stored, and a call is a hint: the desk is asked before anything
is believed. Only a desk that can be asked nothing carries content, and that must be signed. Whoever
cannot prove to be the desk hears the same as for an address that is none.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from connectors.contract import Call, DeskError, Untrusted
from hub import bodies
from hub.actions import desks, suspicions
from hub.bridge import pull
from hub.bridge.host import DeskHost
from hub.bridge.mapping import theirs
from hub.errors import HubError, NotFound
from hub.logs import get_logger

PATH: Final = "/hooks/desks/{desk}"
BODY_MAX: Final = 1024 * 1024
_AT_ONCE: Final = 16
_log = get_logger("hub.bridge")


def add_routes(app: web.Application, host: DeskHost) -> None:
    """Put the door's one route into the application."""
    door = HookDoor(host)
    app.router.add_route("POST", PATH, door.handle)


class HookDoor:
    """Takes calls of desks in."""

    def __init__(self, host: DeskHost) -> None:
        self._host = host
        self._inside = 0

    async def handle(self, request: web.Request) -> web.Response:
        """200 when it is stored; what is wrong with it is for our log."""
        if self._inside >= _AT_ONCE:
            return web.Response(status=503, headers={"retry-after": "5"})
        self._inside += 1
        try:
            body = await bodies.read(request, BODY_MAX, self._host.hub.limits.body_s)
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.method, headers, dict(request.query), body)
            status = await self.take_in(request.match_info["desk"], call)
        except HubError as error:
            status = _answer(self._host, error)
        finally:
            self._inside -= 1
        response = web.Response(status=status, headers={"cache-control": "no-store"})
        if status != 200:
            response.force_close()
        return response

    async def take_in(self, desk_id: str, call: Call) -> int:
        """Store what it points at; the status of the answer."""
        hub = self._host.hub
        if not desk_id.startswith("dsk_"):
            return 404
        at = await self._host.open(desk_id)
        if not at.desk.works:
            return 404
        try:
            hints = at.connector.receive(call)
            for hint in hints:
                if hint.content is not None:
                    await pull.take(self._host, at, theirs(hint.content))
                else:
                    await desks.hint(hub, at.id, hint.ticket)
        except Untrusted as error:
            suspicions.note(hub, "signature_invalid")
            _log.warning("webhook refused", desk=at.desk.name, because=error.because)
            return 404
        except DeskError as error:
            _log.warning("webhook not taken", desk=at.desk.name, code=error.code)
            return 503
        return 200


def _answer(host: DeskHost, error: HubError) -> int:
    host.hub.metrics.refused.labels("bridge", error.code).inc()
    if isinstance(error, NotFound) or error.code == "not_published":
        return 404
    return 413 if error.code == "too_large" else 503
