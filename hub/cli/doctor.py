"""`hub doctor`: checks what can be checked; a finding is a fact and, where it is bad, a cure."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from hub import app
from hub.actions import peer_keys
from hub.actions.context import Hub
from hub.cli import doctor_mail, output, session
from hub.cli.grammar import Manner, option, verb
from hub.cli.node import alert_text, is_served
from hub.cli.output import Facts, Heading, Table
from hub.cli.problems import FAILED, runnable
from hub.errors import HubError, Unavailable
from hub.federation.client import GuardedTransport
from hub.federation.probe import probe
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import LinkId
from hub.protocol.versions import SUPPORTED
from hub.queries import checkup, deliveries
from hub.queries import limits as limit_views
from hub.settings import Settings

_OK, _WARN, _BAD = "ok", "warning", "failed"
_MARKS: Final = {_OK: "✓", _WARN: "!", _BAD: "✗"}
_DISK_BAD: Final = 100 * 1024**2
_DISK_LOW: Final = 1024**3
_CLOCK_LOW: Final = timedelta(seconds=5)
_CLOCK_BAD: Final = timedelta(seconds=300)  # then signatures are refused
_BACKUP_LATE: Final = timedelta(hours=26)  # made every night, and an hour or two late at times
_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    check: str  # stable name, for programs
    state: str
    fact: str
    cure: str = ""


Add = Callable[[str, str, str, str], None]


@verb(
    N_("Check what can be checked. Ends with 1 where something is wrong."),
    "hub doctor",
    "hub doctor --json",
    "hub doctor --limits",
)
@option("--limits", is_flag=True, help=N_("Instead: every limit, its use, and the worst case."))
def doctor(manner: Manner, limits: bool) -> int:
    """Check the node."""
    if limits:
        return _limits(manner)
    settings = session.settings_of(manner)
    found: list[Finding] = []

    def add(check: str, state: str, fact: str, cure: str = "") -> None:
        found.append(Finding(check, state, fact, runnable(cure, manner)))

    _machine(settings, add)
    _directory(settings, add)
    keys = _keys(settings, add)
    if asyncio.run(_database_fits(settings, add)) and keys:
        asyncio.run(_inside(settings, add))
    bad = any(one.state == _BAD for one in found)
    output.show(
        manner,
        {"ok": not bad, "checks": found},
        Table(
            ("", N_("Check"), N_("Fact"), N_("Cure")),
            [(_MARKS[one.state], one.check, one.fact, one.cure) for one in found],
        ),
    )
    return FAILED if bad else 0


def _limits(manner: Manner) -> int:
    found = session.read(manner, lambda connection, hub: limit_views.show(connection, hub.limits))
    output.show(
        manner,
        {"ok": True, "checks": [], **output.members(found)},
        Heading(_("Limits")),
        Table(
            (N_("Limit"), N_("Value"), N_("Used"), N_("Why")),
            [(one.name, _number(one.value), one.used, one.why) for one in found.limits],
        ),
        Heading(_("Memory at worst, MiB")),
        Facts([(name, _mebibytes(size)) for name, size in found.memory.items()]),
        Facts([(N_("Together"), _mebibytes(sum(found.memory.values())))]),
        Heading(_("Disk that partners can fill, MiB")),
        Facts([(name, _mebibytes(size)) for name, size in found.disk.items()]),
    )
    return 0


def _number(value: float) -> str:
    return f"{value:,g}" if value < 1_000_000 else f"{value:,.0f}"


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:,.1f}"


def _machine(settings: Settings, add: Add) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= _PYTHON
    add(
        "python",
        _OK if good else _BAD,
        f"Python {version}",
        "" if good else _("Install Python 3.11 or newer."),
    )
    try:
        free = shutil.disk_usage(settings.data).free
    except OSError:
        return  # the next check says it
    state = _BAD if free < _DISK_BAD else _WARN if free < _DISK_LOW else _OK
    add(
        "disk",
        state,
        _("{n} MiB free").format(n=free // 1024**2),
        "" if state == _OK else _("Make room in {path}.").format(path=settings.data),
    )


def _directory(settings: Settings, add: Add) -> None:
    try:
        found = settings.data.stat()
    except OSError as error:
        add("data", _BAD, f"{settings.data}: {error.strerror}", "hub init")
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        add("data", _WARN, f"{settings.data}: {mode:o}", f"chmod 700 {settings.data}")
    elif not os.access(settings.data, os.W_OK):
        add(
            "data",
            _BAD,
            _("{path} cannot be written to.").format(path=settings.data),
            f"chown {os.getuid()} {settings.data}",
        )
    else:
        add("data", _OK, f"{settings.data}: {mode:o}", "")


def _keys(settings: Settings, add: Add) -> bool:
    try:
        keys = app.open_keys(settings, os.environ)
    except HubError as error:
        add("keys", _BAD, error.told, error.hint)
        return False
    if keys.unprotected:
        add(
            "keys",
            _WARN,
            _("The keys are not protected by a passphrase."),
            _("Keep the disk and its backups to yourself."),
        )
    else:
        add("keys", _OK, _("Encrypted, readable by us alone."), "")
    return True


async def _database_fits(settings: Settings, add: Add) -> bool:
    try:
        found = await app.database_revision(settings)
    except HubError as error:
        add("database", _BAD, error.told, error.hint)
        return False
    if found == app.NEEDED_REVISION:
        add("database", _OK, _("Revision {revision}").format(revision=found), "")
        return True
    fact = _("Revision {revision}, needed is {needed}").format(
        revision=found or "-", needed=app.NEEDED_REVISION
    )
    newer = found is not None and found > app.NEEDED_REVISION
    cure = _("Install the newer version of this program again.") if newer else "hub db upgrade"
    add("database", _BAD, fact, cure)
    return False


async def _inside(settings: Settings, add: Add) -> None:
    """What only the open node can tell."""
    try:
        async with app.opened(settings, os.environ) as hub:
            await _stored(hub, add)
            await doctor_mail.look(hub, settings, add)
            transport = GuardedTransport.from_settings(settings)
            try:
                await _ourselves(hub, settings, transport, add)
                await _partners(hub, transport, add)
            finally:
                await transport.close()
    except HubError as error:
        add("node", _BAD, error.told, error.hint)


async def _stored(hub: Hub, add: Add) -> None:
    health = await hub.db.read(checkup.database)
    add(
        "integrity",
        _OK if health.trouble is None else _BAD,
        health.kind if health.trouble is None else health.trouble,
        "" if health.trouble is None else _("Stop the node and restore the latest backup."),
    )
    add(
        "durability",
        _OK if health.durable else _BAD,
        health.how,
        "" if health.durable else _("Let a commit wait for the disk."),
    )
    broken = await hub.db.read(checkup.audit_break)
    add(
        "audit",
        _OK if broken is None else _BAD,
        _("The audit log is whole.")
        if broken is None
        else _("The audit log is broken at record {n}.").format(n=broken),
        "" if broken is None else _("Somebody changed it: compare with a backup."),
    )
    await _kept(hub, add)
    now = hub.now()
    for one in await hub.db.read(lambda c: limit_views.suspicious(c, hub.limits, now)):
        fact = _("{peer}: refused {count} times within an hour ({what})").format(
            peer=one.peer, count=one.count, what=one.kind
        )
        add("suspicious", _WARN, fact, f"hub link show {one.link}")
    alerts = await hub.db.read(deliveries.alerts)
    for alert in alerts:
        add("alert", _WARN, alert_text(alert.text, alert.facts), "hub status")
    if not alerts:
        add("alert", _OK, _("Nothing waits for a person."), "")


async def _kept(hub: Hub, add: Add) -> None:
    """What a restore needs, and what one left behind."""
    last = await hub.db.read(checkup.last_backup)
    if last is None:
        add("backup", _WARN, _("There is no backup of this node."), "hub backup create -o PATH")
    else:
        late = hub.now() - last > _BACKUP_LATE
        add(
            "backup",
            _WARN if late else _OK,
            _("The last backup was made {when}.").format(when=output.ago(last, hub.now())),
            "hub backup create -o PATH" if late else "",
        )
    hold = await hub.db.read(checkup.hold)
    if hold is not None:
        missing = ", ".join(hold.not_synced)
        add(
            "held",
            _WARN,
            _("Restored {when}: mail and desks wait. Links not synced yet: {links}").format(
                when=output.ago(hold.since, hub.now()), links=missing or "0"
            ),
            "hub node release" if not hold.not_synced else "hub serve",
        )


async def _ourselves(hub: Hub, settings: Settings, transport: GuardedTransport, add: Add) -> None:
    served = is_served(settings.data)
    if not served:
        add("serving", _WARN, _("No process serves this node now."), "hub serve")
    if hub.account.outbound_only:
        add("address", _OK, _("None: partners do not call this node, it calls them."), "")
        return
    try:
        seen = await probe(hub, transport, hub.account.base_url)
    except HubError as error:
        add(
            "address",
            _BAD if served else _WARN,
            _("{url} cannot be reached from here: {why}").format(
                url=hub.account.base_url, why=error.told
            ),
            _("See to the name, the proxy and its certificate.") if served else "hub serve",
        )
        return
    if seen.document.node_id != hub.account.node_id:
        add(
            "address",
            _BAD,
            _("Another node answers at {url}.").format(url=hub.account.base_url),
            _("Two nodes share an address: change one of them."),
        )
        return
    add("address", _OK, f"{hub.account.base_url} · {_milliseconds(seen.took)}", "")


async def _partners(hub: Hub, transport: GuardedTransport, add: Add) -> None:
    now = hub.now()
    partners = await hub.db.read(lambda connection: checkup.partners(connection, now))
    gate = asyncio.Semaphore(8)

    async def look(one: checkup.PeerHealth) -> tuple[str, str, str]:
        async with gate:
            return await _partner(hub, transport, one)

    for state, fact, cure in await asyncio.gather(*(look(one) for one in partners)):
        add("partner", state, fact, cure)
    late = [one for one in partners if one.oldest_waiting is not None]
    if not late:
        add("delivery", _OK, _("Every message has its receipt."), "")
    for one in late:
        state = _OK if one.health == "healthy" else _WARN if one.health == "delayed" else _BAD
        assert one.oldest_waiting is not None
        fact = _("{peer}: the oldest message waits since {when}").format(
            peer=one.name, when=output.ago(one.oldest_waiting, now)
        )
        add("delivery", state, fact, "" if state == _OK else f"hub link show {one.link}")


async def _partner(
    hub: Hub, transport: GuardedTransport, one: checkup.PeerHealth
) -> tuple[str, str, str]:
    if one.kind != "node":
        return _without_node(one)
    if one.collects:
        return _collecting(hub, one)
    try:
        seen = await probe(hub, transport, one.url)
    except Unavailable as error:
        return _WARN, f"{one.name}: {error.told}", f"hub link show {one.link}"
    except HubError as error:
        return _BAD, f"{one.name}: {error.told}", f"hub link show {one.link}"
    found = await peer_keys.compare(hub, LinkId(one.link), seen.document)
    if found.verdict == "different":
        return (
            _BAD,
            _("{peer}: another node answers at {url}").format(peer=one.name, url=one.url),
            _("Ask the partner by telephone; trust nothing new."),
        )
    if not set(seen.document.versions) & set(SUPPORTED):
        return (
            _BAD,
            _("{peer}: no protocol version in common").format(peer=one.name),
            _("One of the two must be upgraded."),
        )
    facts: list[Any] = [
        one.name,
        "TXP " + ", ".join(seen.document.versions),
        _milliseconds(seen.took),
    ]
    state, cure = _OK, ""
    if seen.clock_offset is not None:
        seconds = seen.clock_offset.total_seconds()
        if abs(seen.clock_offset) >= _CLOCK_LOW:
            state = _BAD if abs(seen.clock_offset) >= _CLOCK_BAD else _WARN
            cure = _("Set the clocks of both machines by NTP.")
        facts.append(_("clock {seconds:+.1f} s").format(seconds=seconds))
    return state, " · ".join(facts), cure


def _without_node(one: checkup.PeerHealth) -> tuple[str, str, str]:
    """A partner that has no node: there is nobody to call, only letters that arrive or do not."""
    if one.failed_letters:
        fact = _("{peer}: {count} letters to it did not arrive").format(
            peer=one.name, count=one.failed_letters
        )
        return _BAD, fact, "hub mail list --sent"
    if one.kind == "mail":
        return _OK, _("{peer}: works by mail, has no node").format(peer=one.name), ""
    return _OK, _("{peer}: has no node").format(peer=one.name), ""


def _collecting(hub: Hub, one: checkup.PeerHealth) -> tuple[str, str, str]:
    """A partner we cannot call: all that can be said is when it came."""
    state = _OK if one.health == "healthy" else _WARN if one.health == "delayed" else _BAD
    cure = "" if state == _OK else _("Ask the partner whether its node runs and reaches us.")
    if one.collected_at is None:
        return state, _("{peer}: cannot be called and has not come yet").format(peer=one.name), cure
    fact = _("{peer}: cannot be called; it collected {when}").format(
        peer=one.name, when=output.ago(one.collected_at, hub.now())
    )
    return state, fact, cure


def _milliseconds(took: timedelta) -> str:
    return _("{n} ms").format(n=round(took.total_seconds() * 1000))
