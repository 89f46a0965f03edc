"""`hub mail list | show | retry | drop | check | schema`: letters, and their mailboxes."""

from __future__ import annotations

import json
import shutil
import sys

import click

from hub.actions import letters, posts
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.session import Session
from hub.errors import NotFound
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.mail import mailboxes
from hub.queries import letters as views
from hub.queries.letters import LetterLine

_id_argument = argument("letter", metavar="ID")
_STATES = ("stored", "done", "held", "dropped", "queued", "sent", "failed", "skipped")


@verb(
    N_("Letters that came, newest first; with --sent, those of ours."),
    "hub mail list --state held",
    "hub mail list --sent --state failed",
)
@option("--sent", is_flag=True, help=N_("Letters of ours."))
@option("--state", type=click.Choice(_STATES), help=N_("Only those in this state."))
@option("--limit", type=click.IntRange(1, 1000), default=200, help=N_("At most so many."))
@option("--before", metavar="ID", help=N_("Those before this letter id."))
def list_(manner: Manner, sent: bool, state: str | None, limit: int, before: str | None) -> None:
    """List letters."""
    theirs = state in {"stored", "done", "held", "dropped"}
    if state is not None and theirs == sent:
        raise click.UsageError(_("Letters in this direction have no such state."))
    query = views.sent if sent else views.arrived
    lines = session.read(
        manner,
        lambda connection, _hub: query(connection, state=state, before=before, limit=limit),
    )
    output.show(
        manner,
        {"letters": lines, "next": lines[-1].id if len(lines) == limit else None},
        _table(lines),
    )
    if any(one.state in {"held", "failed", "bounced"} for one in lines):
        output.done(manner, _("Some need a person."), "hub mail show ID")


def _table(lines: list[LetterLine]) -> Table:
    return Table(
        (
            N_("Id"),
            N_("Way"),
            N_("Person"),
            N_("Subject"),
            N_("State"),
            N_("Ticket"),
            N_("Attempts"),
            N_("Error"),
        ),
        [
            (
                one.id,
                Word(one.direction),
                one.person,
                one.subject,
                Word(one.state),
                one.ticket,
                one.attempts,
                one.error,
            )
            for one in lines
        ],
        _("No letters."),
    )


@verb(
    N_("One letter; with --raw its bytes as they came or went."),
    "hub mail show let_0192…",
    "hub mail show let_0192… --raw > letter.eml",
)
@_id_argument
@option("--raw", is_flag=True, help=N_("Write the bytes to standard output."))
def show(manner: Manner, letter: str, raw: bool) -> None:
    """Show a letter."""

    async def body(here: Session) -> None:
        found = await here.read(lambda connection: views.show(connection, letter))
        if raw:
            if found.sha256 is None or not here.hub.blobs.has(found.sha256):
                raise NotFound("letter_gone", "The bytes of this letter are not here any more.")
            with here.hub.blobs.open(found.sha256) as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            return
        line = found.line
        members = {name: value for name, value in output.members(found).items() if name != "line"}
        output.show(
            manner,
            {"letters": [line], **output.members(line), **members},
            Facts(
                [
                    (N_("Id"), line.id),
                    (N_("Person"), line.person),
                    (N_("Subject"), line.subject),
                    (N_("State"), Word(line.state)),
                    (N_("Ticket"), line.ticket),
                    (N_("Sender verified"), found.standing),
                    (N_("Attempts"), line.attempts),
                    (N_("Next"), line.next_at),
                    (N_("Error"), line.error),
                    (N_("Message id"), found.message_id),
                ]
            ),
        )

    session.run(manner, body)


@verb(
    N_("Read a held letter again, or send one of ours again."),
    "hub mail retry let_0192…",
    "hub mail retry let_0192… --as-ticket",
)
@_id_argument
@option("--as-ticket", is_flag=True, help=N_("You decide: a held letter is a new matter."))
def retry(manner: Manner, letter: str, as_ticket: bool) -> None:
    """Try a letter again."""

    async def body(here: Session) -> None:
        view = await here.read(lambda connection: views.show(connection, letter))
        if view.line.direction == "in":
            await letters.retry(here.hub, here.actor, letter, as_ticket=as_ticket)
        else:
            await posts.replay(here.hub, here.actor, letter)
        await _show_line(here, letter)
        output.done(manner, _("It is tried as soon as the node works."), f"hub mail show {letter}")

    session.run(manner, body)


@verb(
    N_("Set a held letter, or one of ours that did not arrive, aside for good."),
    'hub mail drop let_0192… --reason "Advertising"',
)
@_id_argument
@option("--reason", required=True, metavar="TEXT", help=N_("Why; it is kept in the audit log."))
def drop(manner: Manner, letter: str, reason: str) -> None:
    """Set a letter aside."""

    async def body(here: Session) -> None:
        view = await here.read(lambda connection: views.show(connection, letter))
        if view.line.direction == "in":
            await letters.drop(here.hub, here.actor, letter, reason)
        else:
            await posts.skip(here.hub, here.actor, letter, reason)
        await _show_line(here, letter)
        output.done(manner, _("It is set aside."), "hub mail list")

    session.run(manner, body)


async def _show_line(here: Session, letter: str) -> None:
    line = (await here.read(lambda connection: views.show(connection, letter))).line
    output.show(here.manner, {"letters": [line], **output.members(line)}, _table([line]))


@verb(N_("Whether the files of the mailboxes can work."), "hub mail check")
def check(manner: Manner) -> None:
    """Check the mailboxes."""
    settings = session.settings_of(manner)
    found = mailboxes.load(settings.data)
    output.show(
        manner,
        {
            "mailboxes": [
                {
                    "address": one.address,
                    "fetched": one.imap is not None,
                    "sends": one.smtp is not None,
                }
                for one in found
            ]
        },
        Table(
            (N_("Mailbox"), N_("Fetched from"), N_("Sent by")),
            [
                (
                    one.address,
                    None if one.imap is None else one.imap.host,
                    None if one.smtp is None else one.smtp.host,
                )
                for one in found
            ],
            _("No mailboxes: put one into {folder}.").format(
                folder=settings.data / mailboxes.FOLDER
            ),
        ),
    )


@verb(N_("The schema of a mailbox file, for editors."), "hub mail schema > mailbox.schema.json")
def schema(manner: Manner) -> None:
    """Write the schema."""
    print(json.dumps(mailboxes.schema(), ensure_ascii=False, indent=2))
