"""Health for machines: alive, ready, and the counters."""

from __future__ import annotations

import hmac
from pathlib import Path

from aiohttp import web

from hub.actions.context import Hub
from hub.errors import HubError
from hub.metrics import CONTENT_TYPE
from hub.queries import progress

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def add_routes(app: web.Application, hub: Hub, token_file: Path | None) -> None:
    """Serve `/healthz` (the process answers), `/readyz` (its database too) and `/metrics`."""

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def ready(_request: web.Request) -> web.Response:
        try:
            await hub.db.read(progress.waiting)
        except HubError as error:
            return web.json_response({"ok": False, "code": error.code}, status=503)
        return web.json_response({"ok": True})

    async def metrics(request: web.Request) -> web.Response:
        if not _may_read(request, token_file):
            raise web.HTTPNotFound
        found = await hub.db.read(progress.waiting)
        hub.metrics.queue_depth.labels("outbox").set(found.unreceipted)
        hub.metrics.queue_depth.labels("inbox").set(found.not_applied)
        hub.metrics.queue_depth.labels("files").set(found.files)
        age = 0.0 if found.oldest_at is None else (hub.now() - found.oldest_at).total_seconds()
        hub.metrics.queue_oldest_seconds.labels("outbox").set(age)
        return web.Response(body=hub.metrics.render(), headers={"content-type": CONTENT_TYPE})

    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)


def _may_read(request: web.Request, token_file: Path | None) -> bool:
    """With a token file only its token opens; else this machine itself, and no proxy on it."""
    if token_file is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        wanted = token_file.read_text("utf-8").strip()
        return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())
    # A proxy on this machine calls from loopback for the whole world.
    return request.remote in _LOOPBACK and not any(name in request.headers for name in _FORWARDED)
