"""What `hub doctor` says of mailboxes: their files, the way in, the way out, what waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from hub.actions.context import Hub
from hub.cli import output
from hub.errors import HubError, Misconfigured
from hub.i18n import gettext as _
from hub.mail import mailboxes, profiles
from hub.mail.imap import ImapFetcher
from hub.mail.mailboxes import Mailbox
from hub.mail.submit import SmtpSubmission
from hub.queries import letters as views
from hub.settings import Settings

Add = Callable[..., None]
OK, WARN, BAD = "ok", "warning", "failed"
AT_ONCE: Final = 4  # mailboxes that are called side by side


async def look(hub: Hub, settings: Settings, add: Add) -> None:
    """Say how every mailbox stands; nothing where the node has none."""
    try:
        boxes = mailboxes.load(settings.data)
        profiles.load(settings.data)
    except Misconfigured as error:
        add("mail", BAD, error.told, error.hint)
        return
    if not boxes:
        return
    gate = asyncio.Semaphore(AT_ONCE)

    async def reached(one: Mailbox) -> list[tuple[str, str, str, str]]:
        async with gate:
            return await _reached(hub, one)

    for found in await asyncio.gather(*(reached(one) for one in boxes)):
        for check, state, fact, cure in found:
            add(check, state, fact, cure)
    await _waiting(hub, add)


async def _reached(hub: Hub, box: Mailbox) -> list[tuple[str, str, str, str]]:
    said = []
    if box.imap is not None:
        try:
            await ImapFetcher(hub, box, os.environ).reach()
            said.append(("mail in", OK, f"{box.address} · {box.imap.host}", ""))
        except HubError as error:
            fact = f"{box.address} · {box.imap.host}: {error.told}"
            said.append(("mail in", BAD, fact, "hub mail check"))
    if box.smtp is not None:
        try:
            await SmtpSubmission(os.environ).reach(box.smtp)
            said.append(("mail out", OK, f"{box.address} · {box.smtp.host}", ""))
        except HubError as error:
            fact = f"{box.address} · {box.smtp.host}: {error.told}"
            said.append(("mail out", BAD, fact, "hub mail check"))
    if not box.authserv_id and not box.check_dkim:
        fact = _("{address}: no check says who wrote a letter, so nobody is believed.")
        said.append(
            ("mail", WARN, fact.format(address=box.address), _("Name its authserv_id in the file."))
        )
    return said


async def _waiting(hub: Hub, add: Add) -> None:
    found = await hub.db.read(views.waiting)
    if found.held:
        fact = _("Letters that wait for a person: {n}").format(n=found.held)
        add("letters", WARN, fact, "hub mail list --state held")
    if found.failed:
        fact = _("Letters of ours that did not arrive: {n}").format(n=found.failed)
        add("letters", WARN, fact, "hub mail list --sent --state failed")
    if found.oldest is not None:
        fact = _("The oldest letter to be read came {when}.").format(
            when=output.ago(found.oldest, hub.now())
        )
        add("letters", OK, fact, "")
