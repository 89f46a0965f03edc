"""`hub connector …`: foreign desks, from the first draft to every day."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hub import app
from hub.actions import desks
from hub.bridge import files
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, one_of, option, ticket_numbers, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import FAILED, OK
from hub.cli.session import Session
from hub.domain.desk import DeskRole
from hub.errors import HubError, Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import TicketId
from hub.queries import desks as views
from hub.queries import tickets as ticket_views

if TYPE_CHECKING:
    from hub.actions.desk_bench import Trial, TrialOfAll
    from hub.bridge.bench import Bench

_name = argument("name", metavar="NAME")


def _bench(here: Session) -> Bench:
    return app.desk_bench(here.hub, here.settings, here.transport)


# --- begin ----------------------------------------------------------------------------------


_TRIED: Final = {
    "real": N_("the real software"),
    "simulator": N_("a simulator"),
    "documentation": N_("its documentation"),
}


@verb(N_("Kinds of desks, and what each was tried against."), "hub connector templates")
def templates(manner: Manner) -> None:
    """List templates."""
    session.settings_of(manner)
    found = app.desk_templates()
    output.show(
        manner,
        {
            "templates": [
                {
                    "name": one.name,
                    "title": one.title,
                    "tried": [{"against": what, "how": how} for what, how in one.tried],
                }
                for one in found
            ]
        },
        Table(
            (N_("Template"), N_("Desk"), N_("Tried against")),
            [
                (
                    one.name,
                    _(one.title),
                    "; ".join(f"{what} ({_(_TRIED.get(how, how))})" for what, how in one.tried),
                )
                for one in found
            ],
        ),
    )


@verb(
    N_("Begin a desk: two files to be filled in. Nothing works before it is published."),
    'hub connector new redmine --name bank --company "Bank North" --role customers_desk',
)
@argument("template", metavar="TEMPLATE")
@option("--name", required=True, metavar="NAME", help=N_("Of its folder, and in commands."))
@option("--company", required=True, metavar="TEXT", help=N_("Whose people work in it."))
@option("--role", required=True, type=one_of(DeskRole), help=N_("What it is to us."))
def new(manner: Manner, template: str, name: str, company: str, role: str) -> None:
    """Begin a desk."""

    async def body(here: Session) -> None:
        made = await _bench(here).begin(here.actor, template, name, company, DeskRole(role))
        place = files.folder(here.settings.data, name)
        output.show(
            manner,
            {"id": made, "name": name, "folder": str(place), "hook": _hook(here, made)},
            Facts(
                [
                    (N_("Id"), made),
                    (N_("Folder"), str(place)),
                    (N_("Address for its webhooks"), _hook(here, made)),
                ]
            ),
        )
        output.done(
            manner,
            _("Fill in {file}, keep its secrets, then check it.").format(
                file=place / files.SETTINGS
            ),
            f"hub connector check {name}",
        )

    session.run(manner, body)


def _hook(here: Session, desk_id: str) -> str:
    return f"{here.hub.account.base_url}/hooks/desks/{desk_id}"


@verb(
    N_("Keep a secret of a desk, read from standard input; it is never shown again."),
    "hub connector secret bank api_key < key.txt",
)
@_name
@argument("secret", metavar="SECRET")
def secret(manner: Manner, name: str, secret: str) -> None:
    """Keep a secret."""
    if session.may_ask(manner):
        value = click.prompt(_("Secret"), hide_input=True, err=True)
    else:
        value = sys.stdin.read(desks.SECRET_MAX + 2)
    value = value.strip()

    async def body(here: Session) -> None:
        await desks.keep_secret(here.hub, here.actor, name, secret, value)
        kept = await here.read(lambda connection: views.secrets(connection, name))
        output.show(manner, {"name": name, "secrets": kept})
        output.done(manner, _("The secret is kept, encrypted."), f"hub connector check {name}")

    session.run(manner, body)


@verb(N_("What is missing, here and over there, before it can work."), "hub connector check bank")
@_name
@click.pass_context
def check(ctx: click.Context, manner: Manner, name: str) -> None:
    """Check a draft."""

    async def body(here: Session) -> bool:
        lines = await _bench(here).check(here.actor, name)
        bad = any(one.level == "error" for one in lines)
        output.show(
            manner,
            {"name": name, "ok": not bad, "findings": lines},
            Table(
                (N_("What"), N_("State"), N_("Finding"), N_("Cure")),
                [(one.what, Word(one.level), one.told, one.cure) for one in lines],
            ),
        )
        if bad:
            return False
        output.done(manner, _("It can work."), f"hub connector test-run {name} THEIR_TICKET")
        return True

    ctx.exit(OK if session.run(manner, body) else FAILED)


# --- try ------------------------------------------------------------------------------------


@verb(
    N_("What would become of a ticket over there, or of all open ones. Changes nothing."),
    "hub connector test-run bank 4711",
    "hub connector test-run bank --open",
    name="test-run",
)
@_name
@argument("there", metavar="THEIR_TICKET", required=False)
@option("--open", "every", is_flag=True, help=N_("Every open ticket over there."))
def test_run(manner: Manner, name: str, there: str | None, every: bool) -> None:
    """Try a draft on real tickets."""
    if (there is None) == (not every):
        raise click.UsageError(_("Name one ticket over there, or say --open."))

    async def body(here: Session) -> None:
        bench = _bench(here)
        if there is None:
            _show_all(manner, await bench.try_all(here.actor, name))
        else:
            _show_trial(manner, await bench.try_one(here.actor, name, there))

    session.run(manner, body)


def _show_trial(manner: Manner, done: Trial) -> None:
    found, number = done.there, None if done.ours is None else done.ours.number
    output.show(
        manner,
        {
            "there": {
                "id": found.id,
                "number": found.number,
                "title": found.title,
                "status": found.status,
                "status_there": found.status_there,
                "priority": found.priority,
                "assigned": found.assigned,
                "comments": found.comments,
                "files": found.files,
            },
            "ours": number,
            "new": done.new,
            "changed": done.changed,
            "comments": done.comments,
            "files": done.files,
            "unknown": done.unknown,
            "sent": done.sent,
        },
        Facts(
            [
                (N_("Over there"), f"{found.number or found.id}: {found.title}"),
                (N_("Its status"), f"{found.status_there} → {found.status or '?'}"),
                (N_("Ours"), number or _("It would not become one of ours.")),
                (N_("Comments taken over"), done.comments),
                (N_("Files taken over"), ", ".join(done.files) or None),
            ]
        ),
        Heading(_("What would change here")),
        Table(
            (N_("Field"), N_("Before"), N_("After")),
            [(one.field, one.before, one.after) for one in done.changed],
            _("Nothing would change here."),
        ),
        Heading(_("What would be written over there")),
        Table(
            (N_("What"), N_("Text")),
            [(Word(one.what), one.text) for one in done.sent],
            _("Nothing would be written over there."),
        ),
    )


def _show_all(manner: Manner, done: TrialOfAll) -> None:
    output.show(
        manner,
        done,
        Facts(
            [
                (N_("Open over there"), done.seen),
                (N_("Would become ours"), done.new),
                (N_("Would change here"), done.changed),
                (N_("Cannot be taken over"), len(done.failed)),
            ]
        ),
        Table(
            (N_("Field"), N_("Word without a translation")),
            [(one.field, one.value) for one in done.unknown],
            _("Every word has a translation."),
        ),
    )


# --- publish --------------------------------------------------------------------------------


@verb(N_("From now on it works as its two files say."), "hub connector publish bank")
@_name
def publish(manner: Manner, name: str) -> None:
    """Publish the draft."""

    async def body(here: Session) -> None:
        n = await _bench(here).publish(here.actor, name)
        at = await desks.find(here.hub, name)
        output.show(manner, {"name": name, "version": n})
        following = "logs" if at.enabled else "enable"
        output.done(
            manner,
            _("Version {n} is published.").format(n=n),
            f"hub connector {following} {name}",
        )

    session.run(manner, body)


@verb(N_("What was published, newest first."), "hub connector versions bank")
@_name
def versions(manner: Manner, name: str) -> None:
    """List versions."""
    found = session.read(manner, lambda connection, _hub: views.versions(connection, name))
    output.show(
        manner,
        {"name": name, "versions": found},
        Table(
            (N_("Version"), N_("State"), N_("At"), N_("By")),
            [(one.version, Word(one.state), one.at, one.by) for one in found],
            _("Nothing is published yet."),
        ),
    )


@verb(N_("Let the version before work again."), "hub connector rollback bank")
@_name
def rollback(manner: Manner, name: str) -> None:
    """Roll back."""

    async def body(here: Session) -> None:
        n = await desks.roll_back(here.hub, here.actor, name)
        output.show(manner, {"name": name, "version": n})
        output.done(
            manner, _("Version {n} works again.").format(n=n), f"hub connector versions {name}"
        )

    session.run(manner, body)


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


# --- look -----------------------------------------------------------------------------------


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
                "hook": _hook(here, one.id),
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
                    (N_("Address for its webhooks"), _hook(here, one.id)),
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


# --- mend -----------------------------------------------------------------------------------


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
        bench = _bench(here)
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
        begun, seen = await _bench(here).fill(here.actor, name)
        output.show(
            manner,
            {"name": name, "seen": seen, "new": begun},
            Facts([(N_("Open over there"), seen), (N_("New here"), begun)]),
        )

    session.run(manner, body)


@verb(N_("The schema of desk.yaml, for editors."), "hub connector schema > desk.schema.json")
def schema(manner: Manner) -> None:
    """Write the schema."""
    print(json.dumps(files.schema(), ensure_ascii=False, indent=2))
