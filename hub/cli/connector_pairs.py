"""`hub connector link|unlink|send|backfill`: which ticket of ours is which one over there."""

from __future__ import annotations

import csv
from pathlib import Path

import click

from hub.actions import desks
from hub.cli import output, session
from hub.cli.connector_draft import bench_of
from hub.cli.grammar import Manner, argument, option, ticket_numbers, verb
from hub.cli.output import Facts, Table
from hub.cli.session import Session
from hub.errors import HubError, Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import TicketId
from hub.queries import tickets as ticket_views

_name = argument("name", metavar="NAME")


@verb(
    N_("A ticket here and one over there are one from now on; nothing of before is told again."),
    "hub connector link bank T-1042 4711",
    "hub connector link bank --file pairs.csv",
)
@_name
@argument("ticket", metavar="TICKET", required=False, shell_complete=ticket_numbers)
@argument("there", metavar="THEIR_TICKET", required=False)
@option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=N_("A table of pairs: our number, their id, in each line."),
)
def link(
    manner: Manner, name: str, ticket: str | None, there: str | None, source: Path | None
) -> None:
    """Tie existing tickets together."""
    if (source is None) == (ticket is None or there is None):
        raise click.UsageError(_("Name a ticket here and one over there, or a file of pairs."))
    wanted = [(ticket or "", there or "")] if source is None else _pairs(source)

    async def body(here: Session) -> None:
        bench = bench_of(here)
        done: list[dict[str, str]] = []
        failed: list[dict[str, str]] = []
        for number, external_id in wanted:
            try:
                ours = await _ticket_id(here, number)
                await bench.join(here.actor, name, ours, external_id)
                done.append({"ticket": number, "there": external_id})
            except HubError as error:
                if source is None:
                    raise
                failed.append({"ticket": number, "there": external_id, "told": error.told})
        output.show(
            manner,
            {"name": name, "linked": done, "failed": failed},
            Table(
                (N_("Ticket"), N_("Over there"), N_("Error")),
                [(one["ticket"], one["there"], None) for one in done]
                + [(one["ticket"], one["there"], one["told"]) for one in failed],
            ),
        )

    session.run(manner, body)


async def _ticket_id(here: Session, number: str) -> TicketId:
    view = await here.read(lambda connection: ticket_views.show(connection, number))
    return TicketId(view.id)


def _pairs(source: Path) -> list[tuple[str, str]]:
    with source.open(encoding="utf-8-sig", newline="") as opened:
        rows = [row for row in csv.reader(opened) if row and row[0].strip()]
    bad = next((n for n, row in enumerate(rows, 1) if len(row) < 2), None)
    if bad is not None:
        raise Refused("pairs_invalid", "Line {n} names no pair: our number, their id.", n=bad)
    return [(row[0].strip(), row[1].strip()) for row in rows]


@verb(
    N_("Nothing goes to and fro between the two any more; both stay as they are."),
    "hub connector unlink bank T-1042",
)
@_name
@argument("ticket", metavar="TICKET", shell_complete=ticket_numbers)
def unlink(manner: Manner, name: str, ticket: str) -> None:
    """Cut a ticket off its desk."""

    async def body(here: Session) -> None:
        await desks.cut(here.hub, here.actor, name, await _ticket_id(here, ticket))
        output.show(manner, {"name": name, "ticket": ticket})
        output.done(manner, _("The two are on their own now."), f"hub connector show {name}")

    session.run(manner, body)


@verb(N_("Have a ticket of ours made over there."), "hub connector send vendor T-1042")
@_name
@argument("ticket", metavar="TICKET", shell_complete=ticket_numbers)
def send(manner: Manner, name: str, ticket: str) -> None:
    """Send a ticket."""

    async def body(here: Session) -> None:
        ours = await _ticket_id(here, ticket)
        made = await desks.send(here.hub, here.actor, name, ours)
        output.show(manner, {"name": name, "ticket": ticket, "id": made})
        output.done(
            manner,
            _("It will be made as soon as a worker runs."),
            f"hub connector show {name}",
        )

    session.run(manner, body)


@verb(N_("Take over every ticket that is open over there now."), "hub connector backfill bank")
@_name
def backfill(manner: Manner, name: str) -> None:
    """Take over open tickets."""

    async def body(here: Session) -> None:
        begun, seen = await bench_of(here).fill(here.actor, name)
        output.show(
            manner,
            {"name": name, "seen": seen, "new": begun},
            Facts([(N_("Open over there"), seen), (N_("New here"), begun)]),
        )

    session.run(manner, body)
