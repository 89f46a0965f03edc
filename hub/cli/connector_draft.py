"""`hub connector new|secret|check|test-run|publish|…`: a desk from its template to what works."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from hub import app
from hub.actions import desks
from hub.bridge import files
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, one_of, option, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import FAILED, OK
from hub.cli.session import Session
from hub.domain.desk import DeskRole
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import desks as views

if TYPE_CHECKING:
    from hub.actions.desk_bench import Trial, TrialOfAll
    from hub.bridge.bench import Bench

_name = argument("name", metavar="NAME")


def bench_of(here: Session) -> Bench:
    """Where its drafts are worked on."""
    return app.desk_bench(here.hub, here.settings, here.transport)


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
        made = await bench_of(here).begin(here.actor, template, name, company, DeskRole(role))
        place = files.folder(here.settings.data, name)
        output.show(
            manner,
            {"id": made, "name": name, "folder": str(place), "hook": hook_address(here, made)},
            Facts(
                [
                    (N_("Id"), made),
                    (N_("Folder"), str(place)),
                    (N_("Address for its webhooks"), hook_address(here, made)),
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


def hook_address(here: Session, desk_id: str) -> str:
    """Where this desk calls us."""
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
        lines = await bench_of(here).check(here.actor, name)
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
        bench = bench_of(here)
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


@verb(N_("From now on it works as its two files say."), "hub connector publish bank")
@_name
def publish(manner: Manner, name: str) -> None:
    """Publish the draft."""

    async def body(here: Session) -> None:
        n = await bench_of(here).publish(here.actor, name)
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


@verb(N_("The schema of desk.yaml, for editors."), "hub connector schema > desk.schema.json")
def schema(manner: Manner) -> None:
    """Write the schema."""
    print(json.dumps(files.schema(), ensure_ascii=False, indent=2))
