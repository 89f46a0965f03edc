"""The way out to a desk: the node's one guarded client, as connectors ask for it.

Every request is logged with its address as the connector says it may be shown: without query and
without secrets. What we call a partner elsewhere is a desk here, so the words are other ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import aiohttp

from connectors.contract import Answer, Download, File, Part, Refused, Request, Unavailable
from hub.clock import Clock
from hub.errors import HubError
from hub.errors import Refused as HubRefused
from hub.logs import get_logger

TIMEOUT_S: Final = 60.0
CALLS_KEPT: Final = 2_000  # of one turn, before they are written down
_ADDRESS_MAX: Final = 500
_log = get_logger("hub.bridge")


class Given(Protocol):
    """An answer whose body is still arriving."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def chunks(self) -> AsyncIterator[bytes]: ...


class Client(Protocol):
    """How requests leave this node, guarded against addresses that are nobody's business."""

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        *,
        max_bytes: int,
        timeout_s: float,
    ) -> AbstractAsyncContextManager[Given]:
        """The answer, whatever its status.

        Raises hub.errors.Refused(address_forbidden), hub.errors.Unavailable.
        """
        ...


@dataclass(slots=True)
class Calls:
    """Requests of one desk that are not in the log yet."""

    desk_id: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(
        self, request: Request, at: datetime, took_s: float, status: int | None, error: str | None
    ) -> None:
        """Remember one."""
        if len(self.rows) < CALLS_KEPT:
            self.rows.append(
                {
                    "desk_id": self.desk_id,
                    "at": at,
                    "method": request.method[:8],
                    "address": (request.safe or "-")[:_ADDRESS_MAX],
                    "status": status,
                    "took_ms": int(took_s * 1000),
                    "error": error,
                }
            )

    def taken(self) -> list[dict[str, Any]]:
        """All of them, which are then the caller's to write down."""
        rows, self.rows = self.rows, []
        return rows


class DeskTransport:
    """connectors.contract.Transport over the node's client."""

    def __init__(self, client: Client, calls: Calls, clock: Clock, file_bytes: int) -> None:
        self._client = client
        self._calls = calls
        self._clock = clock
        self._file_bytes = file_bytes

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """See connectors.contract.Transport."""
        async with self._ask(request, max_bytes) as given:
            body = b"".join([chunk async for chunk in given.chunks])
            return Answer(given.status, given.headers, body)

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:
        """See connectors.contract.Transport."""
        async with self._ask(request, self._file_bytes) as given:
            yield Download(given.status, given.headers, given.chunks)

    @contextlib.asynccontextmanager
    async def _ask(self, request: Request, max_bytes: int) -> AsyncIterator[Given]:
        began, at = self._clock.monotonic(), self._clock.now()
        status: int | None = None
        error: str | None = None
        headers = dict(request.headers)
        try:
            async with self._client.exchange(
                request.method,
                request.url,
                headers,
                await _body(request.body, headers),
                max_bytes=max_bytes,
                timeout_s=TIMEOUT_S,
            ) as given:
                status = given.status
                yield given
        except HubRefused as refused:
            error = refused.code
            raise Refused(
                "address_forbidden",
                "This node may not call the address of the desk: allow its host and port "
                "(allow_private)",
                because=refused.because,
            ) from refused
        except HubError as trouble:
            error = trouble.code
            raise Unavailable(
                "no_answer", "The desk does not answer", because=trouble.because
            ) from trouble
        finally:
            self._calls.note(request, at, self._clock.monotonic() - began, status, error)


async def _body(body: bytes | File | Sequence[Part] | None, headers: dict[str, str]) -> Any:
    """The body as aiohttp takes it; what it says about itself goes into the headers."""
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, File):
        headers.setdefault("Content-Length", str(body.size))
        return body.open()
    form = aiohttp.FormData(quote_fields=False)
    for part in body:
        if isinstance(part.value, File):
            # Whole, so that the form has a length: several desks take no form without one.
            content = b"".join([chunk async for chunk in part.value.open()])
            kind, name = part.value.content_type, part.value.name
            form.add_field(part.name, content, filename=name, content_type=kind)
        else:
            form.add_field(part.name, part.value, content_type=part.content_type or None)
    payload = form()
    headers["Content-Type"] = payload.headers["Content-Type"]
    return payload
