"""`hub delivery list | show | replay | skip`: messages on their way."""

from __future__ import annotations

import json

import click

from hub.actions import deliveries
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, one_of, option, peer_names, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.session import Session
from hub.domain.delivery import DeliveryState
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import deliveries as views
from hub.queries import names
from hub.queries.deliveries import DeliveryLine

_id_argument = argument("message", metavar="ID")


@verb(
    N_("Messages to partners, newest first, and those of partners that were put aside here."),
    "hub delivery list --state failed",
    'hub delivery list --peer "Master South"',
)
@option("--state", type=one_of(DeliveryState), help=N_("Only those in this state."))
@option(
    "--peer", metavar="PARTNER", shell_complete=peer_names, help=N_("Only those of this partner.")
)
@option("--limit", type=click.IntRange(1, 1000), default=200, help=N_("At most so many."))
@option("--before", metavar="ID", help=N_("Those before this message id."))
def list_(
    manner: Manner, state: str | None, peer: str | None, limit: int, before: str | None
) -> None:
    """List messages."""
    lines = session.read(
        manner,
        lambda connection, _hub: views.page(
            connection,
            state=None if state is None else DeliveryState(state),
            before=before,
            limit=limit,
            link_id=None if peer is None else names.link(connection, peer).id,
        ),
    )
    output.show(
        manner,
        {"deliveries": lines, "next": lines[-1].id if len(lines) == limit else None},
        _table(lines),
    )
    if any(one.state in {"failed", "parked"} for one in lines):
        output.done(manner, _("Some need a person."), "hub delivery show ID")


def _table(lines: list[DeliveryLine]) -> Table:
    return Table(
        (
            N_("Id"),
            N_("Way"),
            N_("Ticket"),
            N_("Message"),
            N_("Partner"),
            N_("State"),
            N_("Attempts"),
            N_("Next"),
            N_("Error"),
        ),
        [
            (
                one.id,
                Word(one.direction),
                one.ticket,
                one.type,
                one.peer,
                Word(one.state),
                one.attempts,
                one.next_at,
                one.error,
            )
            for one in lines
        ],
        _("No messages."),
    )


@verb(N_("One message whole: its envelope and what it says."), "hub delivery show msg_0192…")
@_id_argument
def show(manner: Manner, message: str) -> None:
    """Show a message."""
    found = session.read(manner, lambda connection, _hub: views.show(connection, message))
    payload = (
        None if found.payload is None else json.dumps(found.payload, ensure_ascii=False, indent=2)
    )
    output.show(
        manner,
        {
            "deliveries": [found.line],
            **output.members(found.line),
            **{name: value for name, value in output.members(found).items() if name != "line"},
        },
        Facts(
            [
                (N_("Id"), found.line.id),
                (N_("Message"), found.line.type),
                (N_("Partner"), found.line.peer),
                (N_("State"), Word(found.line.state)),
                (N_("Attempts"), found.line.attempts),
                (N_("Next"), found.line.next_at),
                (N_("Error"), found.line.error),
                (N_("Position"), f"{found.epoch}/{found.seq}"),
                (N_("Hash"), found.hash),
                (N_("Ticket"), found.line.ticket),
            ]
        ),
        Heading(_("Says")),
        Facts([(N_("Payload"), payload)]),
    )


@verb(
    N_("Try a message again: waiting ones now, refused ones as a new message, parked ones here."),
    "hub delivery replay msg_0192…",
)
@_id_argument
def replay(manner: Manner, message: str) -> None:
    """Try a message again."""

    async def body(here: Session) -> None:
        before = (await here.read(lambda connection: views.show(connection, message))).line
        following = await deliveries.replay(here.hub, here.actor, message)
        await _show_line(here, following)
        if before.direction == "in":
            text = _("The message is processed again here.")
        elif following != message:
            text = _("Its words are sent again as a new message.")
        else:
            text = _("It is tried now.")
        output.done(manner, text, f"hub delivery show {following}")

    session.run(manner, body)


async def _show_line(here: Session, message: str) -> None:
    line = (await here.read(lambda connection: views.show(connection, message))).line
    output.show(here.manner, {"deliveries": [line], **output.members(line)}, _table([line]))


@verb(
    N_("Set a refused or parked message aside for good."),
    'hub delivery skip msg_0192… --reason "Settled by telephone"',
)
@_id_argument
@option("--reason", required=True, metavar="TEXT", help=N_("Why; it is kept in the audit log."))
def skip(manner: Manner, message: str, reason: str) -> None:
    """Set a message aside."""

    async def body(here: Session) -> None:
        await deliveries.skip(here.hub, here.actor, message, reason)
        await _show_line(here, message)
        output.done(manner, _("It is set aside."), "hub delivery list")

    session.run(manner, body)
