"""`hub connector list|show|logs|enable|disable|replay`: desks at work, and what ails them."""

from __future__ import annotations

import click

from hub.actions import desks
from hub.cli import output, session
from hub.cli.connector_draft import hook_address
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import desks as views

_name = argument("name", metavar="NAME")


@verb(N_("Let tickets go to and fro."), "hub connector enable bank")
@_name
def enable(manner: Manner, name: str) -> None:
    """Enable a desk."""
    _turn(manner, name, on=True)


@verb(N_("Read and write nothing there for now; nothing is lost."), "hub connector disable bank")
@_name
def disable(manner: Manner, name: str) -> None:
    """Disable a desk."""
    _turn(manner, name, on=False)


def _turn(manner: Manner, name: str, *, on: bool) -> None:
    async def body(here: Session) -> None:
        await (desks.enable if on else desks.disable)(here.hub, here.actor, name)
        now = here.hub.now()
        shown = await here.read(lambda connection: views.show(connection, name, now))
        output.show(manner, {"name": name, "state": shown.state})
        output.done(
            manner,
            _("The desk is enabled.") if on else _("The desk is disabled."),
            f"hub connector show {name}",
        )

    session.run(manner, body)


def _cause(found: views.Trouble | None) -> str | None:
    return None if found is None else found.cause


def _cure(found: views.Trouble | None) -> str | None:
    return None if found is None else found.cure


@verb(N_("All desks and how they do."), "hub connector list")
def list_(manner: Manner) -> None:
    """List desks."""
    found = session.read(manner, lambda connection, hub: views.everyone(connection, hub.now()))
    output.show(
        manner,
        {"desks": found},
        Table(
            (N_("Desk"), N_("Role"), N_("State"), N_("Tickets"), N_("Waiting"), N_("Parked"),
             N_("Read"), N_("Error")),
            [
                (one.name, Word(one.role), Word(one.state), one.tickets, one.waiting, one.parked,
                 one.looked_at, _cause(one.trouble))
                for one in found
            ],
            _("No desks yet. Begin one:  hub connector new TEMPLATE --name NAME"),
        ),
    )  # fmt: skip


@verb(
    N_("One desk: how it does, and the tickets that wait, each with its cause and cure."),
    "hub connector show bank",
)
@_name
def show(manner: Manner, name: str) -> None:
    """Show a desk."""

    async def body(here: Session) -> None:
        now = here.hub.now()
        one = await here.read(lambda connection: views.show(connection, name, now))
        waiting = await here.read(
            lambda connection: views.pairs(connection, name, troubled=True, limit=200)
        )
        unread = await here.read(lambda connection: views.unreadable(connection, name))
        words = await here.read(lambda connection: views.unknown_words(connection, name))
        output.show(
            manner,
            {
                "desk": one,
                "waiting": waiting,
                "unreadable": unread,
                "unknown": [
                    {"field": word.field, "value": word.value, "times": word.times,
                     "there": word.external_id}
                    for word in words
                ],
                "hook": hook_address(here, one.id),
            },
            Facts(
                [
                    (N_("Desk"), one.name),
                    (N_("Role"), Word(one.role)),
                    (N_("State"), Word(one.state)),
                    (N_("Version"), one.published),
                    (N_("Read"), one.looked_at),
                    (N_("Next"), one.next_at),
                    (N_("Failing since"), one.failing_since),
                    (N_("Error"), _cause(one.trouble)),
                    (N_("Cure"), _cure(one.trouble)),
                    (N_("Address for its webhooks"), hook_address(here, one.id)),
                ]
            ),
            Table(
                (N_("Ticket"), N_("Over there"), N_("State"), N_("Error"), N_("Cure")),
                [
                    (pair.ticket, pair.there, Word(pair.state),
                     _cause(pair.trouble), _cure(pair.trouble))
                    for pair in waiting
                ]
                + [
                    (None, look.there, Word("parked" if look.parked else "queued"),
                     _cause(look.trouble), _cure(look.trouble))
                    for look in unread
                ],
            ),
            Table(
                (N_("Field"), N_("Word without a translation"), N_("Over there")),
                [(word.field, word.value, word.external_id) for word in words],
            ),
        )  # fmt: skip

    session.run(manner, body)


@verb(
    N_("Requests to a desk, newest first; without secrets and bodies."),
    "hub connector logs bank",
    "hub connector logs bank --failed",
)
@_name
@option("--failed", is_flag=True, help=N_("Only those that went wrong."))
@option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("At most so many."))
def logs(manner: Manner, name: str, failed: bool, limit: int) -> None:
    """Show the log."""
    found = session.read(
        manner,
        lambda connection, _hub: views.calls(connection, name, failed=failed, limit=limit),
    )
    output.show(
        manner,
        {
            "name": name,
            "calls": [
                {"at": one.at, "method": one.method, "address": one.address,
                 "status": one.status, "took_ms": one.took_ms, "error": one.error}
                for one in found
            ],
        },
        Table(
            (N_("At"), N_("Method"), N_("Address"), N_("Answer"), N_("Took, ms")),
            [
                (one.at, one.method, one.address, one.status or one.error, one.took_ms)
                for one in found
            ],
            _("It was asked nothing yet."),
        ),
    )  # fmt: skip


@verb(N_("Try again whatever waits for a person."), "hub connector replay bank")
@_name
def replay(manner: Manner, name: str) -> None:
    """Try again."""

    async def body(here: Session) -> None:
        again = await desks.replay(here.hub, here.actor, name)
        output.show(manner, {"name": name, "again": again})
        output.done(
            manner,
            _("Tickets that are tried again: {count}.").format(count=again),
            f"hub connector show {name}",
        )

    session.run(manner, body)
