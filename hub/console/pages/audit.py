"""The audit log: read, verified, taken away as one signed file. That is recorded too."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from hub.actions import audit
from hub.console.door import Answer, Shown, Visit, page_for
from hub.domain.permission import Permission
from hub.queries import agents
from hub.queries import audit as views

_ROWS: Final = 100
_IS_NUMBER: Final = re.compile(r"[0-9]{1,18}")  # what a database can count to


async def _list(visit: Visit) -> Answer:
    before = visit.query("before")
    event, by = visit.query("event"), visit.query("by")
    records = await audit.read(
        visit.hub,
        visit.actor,
        limit=_ROWS,
        before=int(before) if _IS_NUMBER.fullmatch(before) else None,
        event=event or None,
        by=by or None,
    )
    people = await visit.hub.db.read(agents.everyone)
    facts = {
        "records": records,
        "names": {one.id: one.name for one in people},
        "more": str(records[-1].seq) if len(records) == _ROWS else "",
        "event": event,
        "by": by,
        "verdict": None,
    }
    return Shown("audit.html", facts)


async def _verify(visit: Visit) -> Answer:
    hub = visit.hub
    verdict = await hub.db.read(
        lambda connection: views.verify(connection, hub.account.node_id, hub.identities)
    )
    facts = {"records": [], "names": {}, "more": "", "event": "", "by": "", "verdict": verdict}
    return Shown("audit.html", facts)


async def _export(visit: Visit) -> Answer:
    lines = await audit.export(visit.hub, visit.actor)
    name = f"audit-{visit.hub.now():%Y-%m-%d}.jsonl"
    return web.Response(
        body=b"".join(lines),
        headers={
            "content-type": "application/x-ndjson",
            "content-disposition": f'attachment; filename="{name}"',
            "content-security-policy": "default-src 'none'; sandbox",
        },
    )


_page: Final = page_for(Permission.AUDIT_READ)

PAGES: Final = (
    _page("audit", "GET", "/settings/audit", _list),
    _page("verify_audit", "POST", "/settings/audit/verify", _verify),
    _page("export_audit", "POST", "/settings/audit/export", _export),
)
