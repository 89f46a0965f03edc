"""`hub key list | rotate | revoke | identity-rotate`: the keys this node signs with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hub.actions import key_overview, keys
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Heading, Table, Word
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _

if TYPE_CHECKING:
    from hub.protocol.keys import KeySet

_USES = ("msg", "http", "all")


@verb(N_("Our keys, and which of them each partner knows."), "hub key list")
def list_(manner: Manner) -> None:
    """List keys."""
    session.run(manner, _show)


async def _show(here: Session) -> None:
    """Every key and every link, as they are now."""
    await keys.refresh(here.hub)
    ours, theirs = await key_overview.everything(here.hub)
    output.show(
        here.manner,
        {
            "node_id": here.hub.account.node_id,
            "version": here.hub.key_set.version,
            "identity_version": here.hub.key_set.identity_version,
            "keys": ours,
            "links": theirs,
        },
        Table(
            (N_("Use"), N_("State"), N_("Since set"), N_("Valid until"), N_("Key")),
            [(Word(one.use), Word(one.state), one.version, one.until, one.kid) for one in ours],
        ),
        Heading(_("Partners")),
        Table(
            (N_("Partner"), N_("Knows set"), N_("To be called"), N_("Its own set"), N_("Link")),
            [
                (
                    one.peer,
                    one.knows,
                    Word("yes" if one.call_due else "no"),
                    one.peer_version,
                    one.link,
                )
                for one in theirs
            ],
            _("No partners yet."),
        ),
    )


@verb(
    N_("Replace keys. Partners learn it by themselves; nothing stands still."),
    "hub key rotate",
    "hub key rotate --use http",
)
@option(
    "--use",
    type=click.Choice(_USES),
    default="all",
    help=N_("Which keys: of messages, of calls, or both (the default)."),
)
def rotate(manner: Manner, use: str) -> None:
    """Rotate keys."""

    async def body(here: Session) -> None:
        made = await keys.rotate(here.hub, here.actor, keys.uses_of(use))
        await _told(here, made)

    session.run(manner, body)


@verb(
    N_("Call off a key that others may have. Every link is suspended until people confirm."),
    'hub key revoke KID --reason "The laptop with a backup was stolen"',
)
@argument("kid", metavar="KID")
@option("--reason", required=True, metavar="TEXT", help=N_("Why; partners see it."))
@option("--yes", is_flag=True, help=N_("Do not ask."))
def revoke(manner: Manner, kid: str, reason: str, yes: bool) -> None:
    """Revoke a key."""

    async def body(here: Session) -> None:
        if not yes and session.may_ask(manner):
            click.confirm(
                _("Every link stands still until people on both sides resume it. Revoke the key?"),
                default=False,
                abort=True,
                err=True,
            )
        await _told(here, await keys.revoke(here.hub, here.actor, kid, reason))

    session.run(manner, body)


@verb(
    N_("Replace the identity key, vouched for by the old one. The node keeps its id."),
    "hub key identity-rotate",
)
def identity_rotate(manner: Manner) -> None:
    """Replace the identity key."""

    async def body(here: Session) -> None:
        await _told(here, await keys.replace_identity(here.hub, here.actor))

    session.run(manner, body)


async def _told(here: Session, made: KeySet) -> None:
    await _show(here)
    output.done(
        here.manner,
        _("Key set {version} is in force; `hub serve` tells it to every partner.").format(
            version=made.version
        ),
        "hub key list",
    )
