"""`hub ticket handoff`: a ticket is offered to a partner, after a look at what leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hub.actions import handoffs
from hub.actions.handoffs import OfferHandoff
from hub.cli import output, session
from hub.cli.grammar import Manner, one_of, option, peer_names, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.session import Session
from hub.cli.ticket import handoff_document, number_argument
from hub.domain.agreement import DisclosureClass
from hub.domain.disclosure import Preview
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import names
from hub.queries import tickets as views


@verb(
    N_("Offer a ticket to a partner. The preview says exactly what leaves."),
    'hub ticket handoff T-1001 --to "Master South" --preview',
    'hub ticket handoff T-1001 --to "Master South" --due 2027-01-31 --without contact',
)
@number_argument
@option(
    "--to",
    "peer",
    required=True,
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Name, node id or link id."),
)
@option("--due", metavar="ISO", help=N_("When it should be done (else the ticket's own)."))
@option("--valid-until", metavar="ISO", help=N_("The offer ends by itself then."))
@option(
    "--without",
    multiple=True,
    metavar="CLASS",
    type=one_of(DisclosureClass),
    help=N_("Keep this back, though the agreement discloses it; may be repeated."),
)
@option("--preview", is_flag=True, help=N_("Only show what would leave; change nothing."))
@option("--yes", is_flag=True, help=N_("Do not ask."))
def offer(
    manner: Manner,
    number: str,
    peer: str,
    due: str | None,
    valid_until: str | None,
    without: tuple[str, ...],
    preview: bool,
    yes: bool,
) -> None:
    """Offer a ticket to a partner."""
    withhold = frozenset(DisclosureClass(one) for one in without)
    due_at = session.instant("--due", due)
    until = session.instant("--valid-until", valid_until)

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        link = await here.read(lambda connection: names.link(connection, peer))
        if preview or (not yes and session.may_ask(manner)):
            shown = await handoffs.preview(here.hub, ticket.id, link.id, withhold, due_at)
            if preview:
                output.show(manner, _preview_document(shown), *_preview_parts(shown))
                return
            _ask(manner, shown, link.peer_name)
        wish = OfferHandoff(ticket.id, link.id, due_at, until, withhold)
        handoff_id = await handoffs.offer(here.hub, here.actor, wish)
        handoff = await here.read(lambda connection: views.show(connection, ticket.id))
        step = next(one for one in handoff.handoffs if one.id == handoff_id)
        output.show(
            manner,
            {
                "id": handoff_id,
                "number": ticket.number,
                "peer": step.peer,
                "state": step.state,
                "handoff": handoff_document(step),
            },
            Facts(
                [
                    (N_("Number"), ticket.number),
                    (N_("Partner"), step.peer),
                    (N_("State"), Word(step.state)),
                ]
            ),
        )
        output.done(
            manner,
            _("Ticket {number} is offered to {peer}.").format(
                number=ticket.number, peer=link.peer_name
            ),
            f"hub ticket show {ticket.number}",
        )

    session.run(manner, body)


def _ask(manner: Manner, shown: Preview, peer: str) -> None:
    output.say(manner, _("This leaves for {peer}:").format(peer=peer))
    for label, value in shown.leaves:
        output.say(manner, f"  {_(label)}: {_value(value)}")
    output.say(manner, _("This stays:"))
    for label, why in shown.stays:
        output.say(manner, f"  {_(label)}: {_(why)}")
    click.confirm(_("Hand it off?"), default=True, abort=True, err=True)


def _value(value: str | datetime) -> str:
    return output.iso(value) if isinstance(value, datetime) else _(value)


def _preview_document(shown: Preview) -> dict[str, Any]:
    return {
        "leaves": [{"label": _(label), "value": value} for label, value in shown.leaves],
        "stays": [{"label": _(label), "why": _(why)} for label, why in shown.stays],
    }


def _preview_parts(shown: Preview) -> list[output.Part]:
    return [
        Heading(_("Leaves")),
        Table(
            (N_("What"), N_("Value")), [(_(label), _value(value)) for label, value in shown.leaves]
        ),
        Heading(_("Stays")),
        Table((N_("What"), N_("Why")), [(_(label), _(why)) for label, why in shown.stays]),
    ]
