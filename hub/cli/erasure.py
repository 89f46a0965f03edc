"""`hub ticket erase | hold | erasure`: personal data of a ticket goes, or is held."""

from __future__ import annotations

import click

from hub.actions import erasures
from hub.cli import output, session
from hub.cli.grammar import Manner, option, verb
from hub.cli.output import Facts, Heading, Table
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.ticket import number_argument
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import erasures as views
from hub.queries import names
from hub.queries.erasures import TicketErasuresView


@verb(
    N_("Drop what identifies people of a ticket, here and at every partner that has it."),
    'hub ticket erase T-1001 --reason "Asked by the person on 3 March" --yes',
    name="erase",
)
@number_argument
@option("--reason", required=True, metavar="TEXT", help=N_("Why; partners see it and it stays."))
@option("--yes", is_flag=True, help=N_("Do not ask."))
def erase(manner: Manner, number: str, reason: str, yes: bool) -> None:
    """Erase the personal data of a ticket."""
    if not yes and not (
        session.may_ask(manner)
        and click.confirm(
            _("Nobody can bring it back. Erase the personal data of {number}?").format(
                number=number
            ),
            err=True,
        )
    ):
        raise BadWords(
            "not_confirmed",
            "Nothing was erased.",
            hint="Say --yes if the personal data of {number} may go for ever.",
            number=number,
        )

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        await erasures.erase(here.hub, here.actor, ticket.id, reason)
        _show(here.manner, await here.read(lambda connection: views.show(connection, ticket.id)))
        output.done(
            manner,
            _("Erased here; every partner of the ticket is asked to do the same."),
            f"hub ticket erasure {ticket.number}",
        )

    session.run(manner, body)


@verb(
    N_("Let nothing of a ticket be erased (a legal hold), or lift that."),
    'hub ticket hold T-1001 --reason "Case 17/2026"',
    "hub ticket hold T-1001 --release",
    name="hold",
)
@number_argument
@option("--reason", metavar="TEXT", help=N_("Why; partners that ask for an erasure see it."))
@option("--release", is_flag=True, help=N_("Lift the hold; what was asked meanwhile is done."))
def hold(manner: Manner, number: str, reason: str | None, release: bool) -> None:
    """Hold a ticket, or release it."""
    if release is (reason is not None):
        raise BadWords("usage", "Say one of --reason and --release.")

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        if reason is None:
            await erasures.release(here.hub, here.actor, ticket.id)
            done = _("Ticket {number} is held no more.")
        else:
            await erasures.hold(here.hub, here.actor, ticket.id, reason)
            done = _("Nothing of ticket {number} is erased or pruned until the hold is lifted.")
        _show(here.manner, await here.read(lambda connection: views.show(connection, ticket.id)))
        output.done(manner, done.format(number=ticket.number))

    session.run(manner, body)


@verb(
    N_("What of a ticket was erased, who has confirmed it, and what holds it."),
    "hub ticket erasure T-1001",
    name="erasure",
)
@number_argument
def show(manner: Manner, number: str) -> None:
    """Show the erasures of a ticket."""
    _show(manner, session.read(manner, lambda connection, _hub: views.show(connection, number)))


def _show(manner: Manner, found: TicketErasuresView) -> None:
    parts: list[output.Part] = [
        Facts([(N_("Number"), found.number), (N_("Legal hold"), found.hold)])
    ]
    for one in found.erasures:
        parts += [
            Heading(_("Erasure")),
            Facts(
                [
                    (N_("Asked"), one.at),
                    (N_("By"), one.asked_by or _("us")),
                    (N_("Why"), one.reason or None),
                    (N_("Held"), one.held),
                    (N_("Erased here"), one.erased_at),
                    (N_("Complete here"), one.complete_at),
                    (N_("Messages still under way"), one.under_way or None),
                ]
            ),
        ]
        if one.peers:
            parts.append(
                Table(
                    (N_("Partner"), N_("Asked"), N_("Confirmed"), N_("Held")),
                    [
                        (
                            peer.peer,
                            one.at if peer.asked else _("cannot be asked: the link is closed"),
                            peer.confirmed_at,
                            peer.held,
                        )
                        for peer in one.peers
                    ],
                )
            )
    document = {
        **output.members(found),
        "erasures": [
            {**output.members(one), "peers": [output.members(peer) for peer in one.peers]}
            for one in found.erasures
        ],
    }
    output.show(manner, document, *parts)
