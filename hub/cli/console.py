"""`hub console`: where the console is, and a link that signs its owner in once."""

from __future__ import annotations

from hub.actions import access
from hub.actions.access import Purpose
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _


@verb(
    N_("The address of the console, with a link that signs you in once."),
    "hub console",
    "hub console --as olga@plus.example",
)
@option("--address-only", is_flag=True, help=N_("No link: nothing that opens is printed."))
def show(manner: Manner, address_only: bool) -> None:
    """Show the way to the console."""

    async def body(here: Session) -> None:
        address = f"{here.settings.url}/"
        link = None
        if not address_only:
            purpose = Purpose.SIGN_IN
            if await access.nobody_can_sign_in(here.hub):
                purpose = Purpose.SET_UP
            link = await access.make(here.hub, here.actor, here.actor.ref, purpose)
        output.show(
            manner,
            {
                "address": address,
                "link": None if link is None else here.settings.url + link.path,
                "purpose": None if link is None else link.purpose,
                "expires_at": None if link is None else link.expires_at,
            },
            Facts(
                [
                    (N_("Console"), address),
                    (N_("Link"), None if link is None else here.settings.url + link.path),
                    (N_("Valid until"), None if link is None else link.expires_at),
                ]
            ),
        )
        if link is not None:
            output.done(manner, _("The link opens once; it is for you alone."))

    session.run(manner, body)


@verb(
    N_("A link for an agent: they choose a password with it. It opens once."),
    "hub user reset olga@plus.example",
)
@argument("name", metavar="EMAIL")
def reset(manner: Manner, name: str) -> None:
    """Make a link for an agent."""

    async def body(here: Session) -> None:
        link = await access.make(here.hub, here.actor, name, Purpose.RESET)
        address = here.settings.url + link.path
        output.show(
            manner,
            {"link": address, "expires_at": link.expires_at},
            Facts([(N_("Link"), address), (N_("Valid until"), link.expires_at)]),
        )
        output.done(manner, _("Hand it over by a safe way: whoever opens it first is let in."))

    session.run(manner, body)
