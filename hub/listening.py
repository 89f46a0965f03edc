"""The server under every door: what is answered where no door was asked.

Bytes that are no request never reach a door. The HTTP library would answer them with what it
read, name itself with its version, and write a stack trace with the bytes, and so perhaps with
somebody's cookie, into the log. Here they get one plain sentence, and the log one line without a
byte of theirs. The answer goes with the same strictness as every other, and the line is closed:
nothing behind such bytes is read as a second request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from hub.logs import get_logger

_log = get_logger("hub.listening")

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""With whatever no door has said anything else about."""


def guard(app: web.Application) -> None:
    """From now on no answer goes without these headers, nor says what it was made with.

    Called after every door has been put in: what a door says of its answers stands.
    """

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.pop("server", None)
        if "upgrade" in request.headers:
            # We speak one protocol. The HTTP library takes what stands behind such a request for
            # another one and reads on for ever: whoever pipelined something would wait as long.
            response.headers["connection"] = "close"
            response.force_close()

    app.on_response_prepare.append(prepare)


class Runner(web.AppRunner):
    """Serves an application, and says little to what is no request."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        handler = _without_expectations(made.request_handler)
        return _Server(handler, request_factory=made.request_factory, **made._kwargs)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _without_expectations(handler: Handler) -> Handler:
    """The same, but that whoever expects what nobody knows is not told what it was."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("expect", "100-continue").lower() != "100-continue":
            return _plainly(HTTPStatus.EXPECTATION_FAILED)
        return await handler(request)

    return handle


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was read
    ) -> web.StreamResponse:
        """One sentence; the line is closed behind it."""
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.info("no_request", kind=type(exc).__name__, status=status)
            return _plainly(HTTPStatus(status))
        # A bug: with its trace, as any other.
        return _strict(super().handle_error(request, status, exc, None))


def _plainly(status: HTTPStatus) -> web.StreamResponse:
    response = web.Response(status=status, text=f"{status.phrase}.\n")
    response.force_close()
    return _strict(response)


def _strict(response: web.StreamResponse) -> web.StreamResponse:
    response.headers.update(HEADERS)
    response.headers["server"] = "hub"  # nothing else may be put there on the way out
    return response
