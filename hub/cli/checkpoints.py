"""`hub link check`: compare with a partner what both share, and heal our side."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from hub.actions import checkpoints, repairs
from hub.actions.repairs import Repaired
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, peer_names, verb
from hub.cli.output import Facts, Heading, Table
from hub.cli.problems import FAILED, OK
from hub.cli.session import Session
from hub.errors import Unavailable
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import checkpoints as views
from hub.queries import names
from hub.queries.checkpoints import CheckView

_LOOK_EVERY_S = 0.2


@verb(
    N_("Ask the partner where it stands, and show every field that is not the same on both sides."),
    'hub link check "Master South"',
    'hub link check "Master South" --repair',
)
@argument("peer", metavar="PARTNER", shell_complete=peer_names)
@option(
    "--repair",
    is_flag=True,
    help=N_("Compute our side of what differs anew from the signed messages; sends nothing."),
)
@option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=15.0,
    help=N_("How long to wait for the answer."),
)
@click.pass_context
def check(ctx: click.Context, manner: Manner, peer: str, repair: bool, wait: float) -> None:
    """Compare both sides. Exit code 0: the same; 1: something differs."""

    async def body(here: Session) -> CheckView:
        link = await here.read(lambda connection: names.link(connection, peer))
        done: list[Repaired] = []
        if repair:
            done = await repairs.repair(here.hub, here.actor, link.id)
            view = await _view(here, link.id)
        else:
            await checkpoints.ask(here.hub, here.actor, link.id)
            view = await _answered(here, link.id, wait)
        _show(here, view, done)
        return view

    view = session.run(manner, body)
    ctx.exit(OK if view.same else FAILED)


async def _view(here: Session, name: str) -> CheckView:
    return await here.read(lambda connection: views.show(connection, name))


async def _answered(here: Session, name: str, wait: float) -> CheckView:
    """The comparison we asked for, with the fields of what differs. Raises Unavailable."""
    for _turn in range(int(wait / _LOOK_EVERY_S) + 1):
        view = await _view(here, name)
        if view.compared_at is not None and all(one.field != "?" for one in view.differences):
            return view
        await asyncio.sleep(_LOOK_EVERY_S)
    if view.compared_at is not None:
        return view
    raise Unavailable(
        "peer_unreachable",
        "{peer} has not answered yet; the comparison goes on as soon as it does.",
        hint="hub link check {peer}",
        peer=view.peer,
    )


def _show(here: Session, view: CheckView, done: list[Repaired]) -> None:
    document = {**output.members(view), "repaired": done}
    parts: list[output.Part] = [
        Facts(
            [
                (N_("Partner"), view.peer),
                (N_("Compared at"), view.compared_at),
                (N_("Hand-offs compared"), view.compared),
                (N_("Not comparable now"), view.not_comparable or None),
            ]
        )
    ]
    if view.differences:
        parts += [
            Heading(_("Differences")),
            Table(
                (
                    N_("Ticket"),
                    N_("Field"),
                    N_("Here"),
                    N_("At the partner"),
                    N_("By the signed messages"),
                ),
                [
                    (
                        one.ticket,
                        one.field,
                        _value(one.ours),
                        _value(one.theirs) if one.theirs_known else _("another value"),
                        _value(one.by_the_log),
                    )
                    for one in view.differences
                ],
            ),
        ]
    output.show(here.manner, document, *parts)
    for one in done:
        if not one.possible:
            output.warn(
                here.manner,
                _("Ticket {number} cannot be replayed: its messages were erased.").format(
                    number=one.ticket
                ),
            )
        elif one.fields:
            output.done(
                here.manner,
                _("Ticket {number} is healed: {fields}.").format(
                    number=one.ticket, fields=", ".join(one.fields)
                ),
            )
    if view.same:
        output.done(here.manner, _("Both sides have the same."))
    elif any(one.ours_is_right is False for one in view.differences):
        output.warn(here.manner, _("Our side is not what the signed messages say."))
        output.say(here.manner, f"  hub link check {view.link} --repair")
    else:
        output.warn(
            here.manner,
            _("Our side is what the signed messages say: {peer} has to repair its own.").format(
                peer=view.peer
            ),
        )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items() if name != "by")
    return "—" if value is None else str(value)
