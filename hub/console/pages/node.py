"""The node: who it is, how it is, and every limit it keeps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hub.actions import company, invitations
from hub.actions.company import CardWish
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.protocol.versions import SUPPORTED
from hub.queries import checkup, deliveries, progress
from hub.queries import company as company_views
from hub.queries import limits as limit_views
from hub.queries.company import CardView

_DISK_BAD: Final = 100 * 1024**2
_DISK_LOW: Final = 1024**3
_BACKUP_LATE: Final = timedelta(hours=26)  # made every night, and an hour or two late at times


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: a fact and, where it is bad, a cure to type."""

    name: str
    state: str
    fact: str
    cure: str = ""


async def _health(visit: Visit) -> Answer:
    found = [_disk(visit), *await _database(visit), await _backup(visit), *await _exchange(visit)]
    facts = {
        "findings": found,
        "alerts": await visit.hub.db.read(deliveries.alerts),
        "worst": next(
            (state for state in ("failed", "warning") if any(one.state == state for one in found)),
            "ok",
        ),
    }
    return Shown("health.html", facts)


def _disk(visit: Visit) -> Finding:
    free = shutil.disk_usage(visit.context.settings.data).free
    state = "failed" if free < _DISK_BAD else "warning" if free < _DISK_LOW else "ok"
    fact = _("{n} MiB free").format(n=free // 1024**2)
    return Finding(_("Disk"), state, fact)


async def _database(visit: Visit) -> list[Finding]:
    hub = visit.hub
    health = await hub.db.read(checkup.database)
    broken = await hub.db.read(checkup.audit_break)
    return [
        Finding(
            _("Database"),
            "ok" if health.trouble is None else "failed",
            health.kind if health.trouble is None else health.trouble,
            "" if health.trouble is None else "hub backup restore",
        ),
        Finding(
            _("Audit log"),
            "ok" if broken is None else "failed",
            _("The audit log is whole.")
            if broken is None
            else _("The audit log is broken at record {n}.").format(n=broken),
            "" if broken is None else "hub audit verify",
        ),
        Finding(
            _("Keys"),
            "warning" if hub.keys.unprotected else "ok",
            _("The keys are not protected by a passphrase.")
            if hub.keys.unprotected
            else _("Encrypted, readable by us alone."),
        ),
    ]


async def _backup(visit: Visit) -> Finding:
    hub = visit.hub
    last = await hub.db.read(checkup.last_backup)
    cure = "hub backup create -o PATH"
    if last is None:
        return Finding(_("Backup"), "warning", _("There is no backup of this node."), cure)
    late = hub.now() - last > _BACKUP_LATE
    hours = int((hub.now() - last).total_seconds() // 3600)
    fact = _("The newest is {n} hours old.").format(n=hours)
    return Finding(_("Backup"), "warning" if late else "ok", fact, cure if late else "")


async def _exchange(visit: Visit) -> list[Finding]:
    hub, now = visit.hub, visit.hub.now()
    waiting = await hub.db.read(progress.waiting)
    hold = await hub.db.read(checkup.hold)
    found = [
        Finding(
            _("Queues"),
            "ok",
            _(
                "{out} without a receipt, {inbox} not applied yet, {files} files on their way"
            ).format(out=waiting.unreceipted, inbox=waiting.not_applied, files=waiting.files),
        )
    ]
    if hold is not None:
        fact = _("Restored: mail and desks wait.")
        found.append(Finding(_("Held"), "warning", fact, "hub node release"))
    for one in await hub.db.read(lambda connection: checkup.partners(connection, now)):
        state = {"healthy": "ok", "delayed": "warning"}.get(one.health, "failed")
        fact = one.last_error or _("Everything arrives.")
        found.append(Finding(one.name, state, fact))
    return found


async def _limits(visit: Visit) -> Answer:
    shown = await visit.hub.db.read(
        lambda connection: limit_views.show(connection, visit.hub.limits)
    )
    return Shown("limits.html", {"limits": shown})


async def _identity(visit: Visit) -> Answer:
    return await _company(visit)


async def _company(visit: Visit, error: HubError | None = None) -> Shown:
    card: CardView | CardWish = await visit.hub.db.read(company_views.card)
    if error is not None:
        card = await _said(visit)
    facts = {
        "card": card,
        "error": error,
        "key": invitations.fingerprint(visit.hub.account.node_id),
        "data": str(visit.context.settings.data),
        "versions": ", ".join(SUPPORTED),
        "try_out": visit.hub.try_out,
    }
    return Shown("node.html", facts, 200 if error is None else 422)


async def _said(visit: Visit) -> CardWish:
    return CardWish(*[await visit.word(name) for name in ("phone", "email", "hours")])


async def _change(visit: Visit) -> Answer:
    try:
        await company.change_card(visit.hub, visit.actor, await _said(visit))
    except Refused as error:
        if error.code == "not_yours":
            raise
        return await _company(visit, error)
    return Redirect(visit.context.renderer.url("node"), Toast(_("Saved.")))


PAGES: Final = (
    page_for(Permission.ADMIN)("node", "GET", "/settings/node", _identity),
    page_for(Permission.ADMIN)("change_company", "POST", "/settings/node", _change),
    page_for(Permission.HEALTH_READ)("health", "GET", "/settings/health", _health),
    page_for(Permission.HEALTH_READ)("limits", "GET", "/settings/limits", _limits),
)
