"""The whole command line as one table, and the frame every command runs in.

Whatever happens inside, the caller gets an exit code of the table in `problems`, words on
standard error, and never a traceback unless it asked for one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from hub.cli import problems
from hub.cli.grammar import Branch, Entry, Leaf, Manner, Noun, Opt, speak_click
from hub.errors import HubError
from hub.i18n import N_, set_language
from hub.i18n import gettext as _

_CONTRACTOR: Final = "hub.cli.contractor"
_PRINCIPAL: Final = "hub.cli.principal"

GRAMMAR: Final[Mapping[str, Entry]] = {
    "demo": Leaf("hub.cli.demo:demo", N_("Three linked companies on this machine, to look at")),
    "init": Leaf("hub.cli.node:init", N_("Make a node: keys, configuration, database, admin")),
    "serve": Leaf("hub.cli.node:serve", N_("Run the node: all doors and workers")),
    "work": Leaf("hub.cli.node:work", N_("Run workers only, beside a serving process")),
    "console": Leaf("hub.cli.console:show", N_("The console's address, and a way in")),
    "status": Leaf("hub.cli.node:status", N_("The node in a few lines")),
    "doctor": Leaf("hub.cli.doctor:doctor", N_("Check what can be checked")),
    "node": Branch(
        N_("This node after a restore"),
        {
            "release": Leaf("hub.cli.hold:release", N_("Let mail and desks go on")),
        },
    ),
    "link": Branch(
        N_("Standing relations with partners"),
        {
            "invite": Leaf("hub.cli.link:invite", N_("Make a one-time code for a partner")),
            "accept": Leaf("hub.cli.link:accept", N_("Accept a partner's code")),
            "list": Leaf("hub.cli.link:list_", N_("All links and open invitations")),
            "show": Leaf("hub.cli.link:show", N_("One link with its agreement")),
            "confirm": Leaf("hub.cli.link:confirm", N_("Sign: the digits are the same")),
            "amend": Leaf("hub.cli.amendments:amend", N_("Change what was agreed")),
            "check": Leaf("hub.cli.checkpoints:check", N_("Compare both sides; repair ours")),
            "suspend": Leaf("hub.cli.link:suspend", N_("Stop the exchange for now")),
            "resume": Leaf("hub.cli.link:resume", N_("Take a suspension back")),
            "close": Leaf("hub.cli.link:close", N_("End the relation")),
            "promote": Leaf("hub.cli.link:promote", N_("A partner that works by mail gets a node")),
            "check-keys": Leaf("hub.cli.link:check_keys", N_("Whether the partner is who it was")),
        },
    ),
    "ticket": Branch(
        N_("Tickets and their hand-offs"),
        {
            "new": Leaf("hub.cli.ticket:new", N_("Make a ticket")),
            "list": Leaf("hub.cli.ticket:list_", N_("Tickets, newest first")),
            "show": Leaf("hub.cli.ticket:show", N_("A ticket with everything on it")),
            "edit": Leaf("hub.cli.ticket:edit", N_("Change a ticket")),
            "attach": Leaf("hub.cli.ticket:attach", N_("Put files on a ticket")),
            "file": Leaf("hub.cli.ticket:file", N_("Save a file of a ticket")),
            "comment": Leaf("hub.cli.comment:add", N_("Say something on a ticket")),
            "comment-edit": Leaf("hub.cli.comment:edit", N_("Change a comment of ours")),
            "comment-redact": Leaf("hub.cli.comment:redact", N_("Take a comment of ours back")),
            "erase": Leaf("hub.cli.erasure:erase", N_("Drop the personal data of a ticket")),
            "hold": Leaf("hub.cli.erasure:hold", N_("Let nothing of a ticket be erased")),
            "erasure": Leaf("hub.cli.erasure:show", N_("Who has confirmed an erasure")),
            "handoff": Leaf("hub.cli.handoff:offer", N_("Offer a ticket to a partner")),
            "accept": Leaf(f"{_CONTRACTOR}:accept", N_("Take an offered ticket")),
            "decline": Leaf(f"{_CONTRACTOR}:decline", N_("Do not take an offered ticket")),
            "start": Leaf(f"{_CONTRACTOR}:start", N_("Begin or go on with the work")),
            "pend": Leaf(f"{_CONTRACTOR}:pend", N_("Wait for something, with a reason")),
            "plan": Leaf(f"{_CONTRACTOR}:plan", N_("Tell the principal how the work is planned")),
            "resolve": Leaf(f"{_CONTRACTOR}:resolve", N_("Say that the work is done")),
            "hand-back": Leaf(f"{_CONTRACTOR}:hand_back", N_("Give the work up")),
            "retract": Leaf(f"{_CONTRACTOR}:retract", N_("Ask for our resolution back")),
            "ask-consent": Leaf("hub.cli.consent:ask", N_("Ask whether to hand the work on")),
            "consent": Leaf("hub.cli.consent:answer", N_("Let the work be handed on, or not")),
            "confirm": Leaf(f"{_PRINCIPAL}:confirm", N_("Accept the finished work, with a rating")),
            "return": Leaf(f"{_PRINCIPAL}:return_", N_("Send finished work back for rework")),
            "close": Leaf(f"{_PRINCIPAL}:close", N_("Close confirmed work")),
            "cancel": Leaf(f"{_PRINCIPAL}:cancel", N_("Recall an offer, or call the work off")),
            "detach": Leaf(f"{_PRINCIPAL}:detach", N_("Free our ticket without waiting")),
            "rate": Leaf(f"{_PRINCIPAL}:rate", N_("Rate confirmed work, or change the rating")),
            "reply": Leaf(f"{_CONTRACTOR}:reply", N_("Reply to the rating we got")),
        },
    ),
    "delivery": Branch(
        N_("Messages on their way"),
        {
            "list": Leaf("hub.cli.delivery:list_", N_("Messages, newest first")),
            "show": Leaf("hub.cli.delivery:show", N_("One message whole")),
            "replay": Leaf("hub.cli.delivery:replay", N_("Try a message again")),
            "skip": Leaf("hub.cli.delivery:skip", N_("Set a message aside for good")),
        },
    ),
    "mail": Branch(
        N_("Letters, and the mailboxes they come to"),
        {
            "list": Leaf("hub.cli.mail:list_", N_("Letters, newest first")),
            "show": Leaf("hub.cli.mail:show", N_("One letter, or its bytes")),
            "retry": Leaf("hub.cli.mail:retry", N_("Try a letter again")),
            "drop": Leaf("hub.cli.mail:drop", N_("Set a letter aside for good")),
            "check": Leaf("hub.cli.mail:check", N_("Whether the mailbox files can work")),
            "schema": Leaf("hub.cli.mail:schema", N_("The schema of a mailbox file")),
            "profile": Branch(
                N_("Profiles of customers' desks that only mail"),
                {
                    "list": Leaf("hub.cli.mail_profile:list_", N_("All profiles")),
                    "check": Leaf("hub.cli.mail_profile:check", N_("Whether the files can work")),
                    "try": Leaf("hub.cli.mail_profile:try_", N_("What a letter would do")),
                    "schema": Leaf("hub.cli.mail_profile:schema", N_("The schema of a file")),
                },
            ),
        },
    ),
    "audit": Branch(
        N_("The record of who did what"),
        {
            "list": Leaf("hub.cli.audit:list_", N_("Records, newest first")),
            "verify": Leaf("hub.cli.audit:verify", N_("Whether anybody has changed it")),
            "export": Leaf("hub.cli.audit:export", N_("Write all of it into a signed file")),
        },
    ),
    "evidence": Branch(
        N_("What was signed, for somebody without a node"),
        {
            "export": Leaf(
                "hub.cli.evidence:export", N_("Write a bundle about a ticket or a link")
            ),
            "verify": Leaf("hub.cli.evidence:verify", N_("Check a bundle, of whomever")),
        },
    ),
    "user": Branch(
        N_("People of this account"),
        {
            "add": Leaf("hub.cli.user:add", N_("Add an agent")),
            "list": Leaf("hub.cli.user:list_", N_("All agents")),
            "reset": Leaf("hub.cli.console:reset", N_("A link to choose a new password")),
            "disable": Leaf("hub.cli.user:disable", N_("An agent may do nothing from now on")),
        },
    ),
    "key": Branch(
        N_("Keys this node signs with"),
        {
            "list": Leaf("hub.cli.key:list_", N_("Our keys and what partners know of them")),
            "rotate": Leaf("hub.cli.key:rotate", N_("Replace keys")),
            "revoke": Leaf("hub.cli.key:revoke", N_("Call off a key that others may have")),
            "identity-rotate": Leaf("hub.cli.key:identity_rotate", N_("Replace the identity key")),
        },
    ),
    "token": Branch(
        N_("Credentials of programs"),
        {
            "new": Leaf("hub.cli.token:new", N_("Make an API token")),
            "list": Leaf("hub.cli.token:list_", N_("All API tokens")),
            "revoke": Leaf("hub.cli.token:revoke", N_("A token opens nothing from now on")),
        },
    ),
    "webhook": Branch(
        N_("Programs that are told what happens here"),
        {
            "add": Leaf("hub.cli.webhook:add", N_("Tell an address what happens from now on")),
            "list": Leaf("hub.cli.webhook:list_", N_("All webhooks, and what waits for them")),
            "calls": Leaf("hub.cli.webhook:calls", N_("What one was told")),
            "test": Leaf("hub.cli.webhook:test", N_("Call it to try it out")),
            "replay": Leaf("hub.cli.webhook:replay", N_("Make calls again")),
            "secret": Leaf("hub.cli.webhook:secret", N_("Sign with another secret")),
            "enable": Leaf("hub.cli.webhook:enable", N_("Tell it things again")),
            "disable": Leaf("hub.cli.webhook:disable", N_("Tell it nothing for now")),
            "remove": Leaf("hub.cli.webhook:remove", N_("Tell it nothing any more")),
        },
    ),
    "connector": Branch(
        N_("Foreign desks: of customers, of contractors, and our own"),
        {
            "templates": Leaf("hub.cli.connector_draft:templates", N_("Kinds of desks there are")),
            "new": Leaf("hub.cli.connector_draft:new", N_("Begin a desk from a template")),
            "secret": Leaf("hub.cli.connector_draft:secret", N_("Keep a secret of a desk")),
            "check": Leaf(
                "hub.cli.connector_draft:check", N_("What is missing, here and over there")
            ),
            "test-run": Leaf("hub.cli.connector_draft:test_run", N_("Try it out; changes nothing")),
            "publish": Leaf("hub.cli.connector_draft:publish", N_("Let the draft work")),
            "versions": Leaf("hub.cli.connector_draft:versions", N_("What was published")),
            "rollback": Leaf(
                "hub.cli.connector_draft:rollback", N_("The version before works again")
            ),
            "enable": Leaf("hub.cli.connector:enable", N_("Let tickets go to and fro")),
            "disable": Leaf("hub.cli.connector:disable", N_("Read and write nothing for now")),
            "list": Leaf("hub.cli.connector:list_", N_("All desks and how they do")),
            "show": Leaf("hub.cli.connector:show", N_("One desk, and what waits")),
            "logs": Leaf("hub.cli.connector:logs", N_("Requests to a desk")),
            "replay": Leaf("hub.cli.connector:replay", N_("Try again what waits for a person")),
            "link": Leaf("hub.cli.connector_pairs:link", N_("Tie existing tickets together")),
            "unlink": Leaf("hub.cli.connector_pairs:unlink", N_("Cut a ticket off its desk")),
            "send": Leaf("hub.cli.connector_pairs:send", N_("Have a ticket made over there")),
            "backfill": Leaf(
                "hub.cli.connector_pairs:backfill", N_("Take over what is open there")
            ),
            "schema": Leaf("hub.cli.connector_draft:schema", N_("The schema of desk.yaml")),
        },
    ),
    "config": Branch(
        N_("Settings of the node"),
        {
            "show": Leaf("hub.cli.config:show", N_("Every setting and its value")),
            "check": Leaf("hub.cli.config:check", N_("Whether the settings can work")),
            "path": Leaf("hub.cli.config:path", N_("Where the settings are written")),
        },
    ),
    "db": Branch(
        N_("The database"),
        {
            "upgrade": Leaf("hub.cli.db:upgrade", N_("Bring the database to this version")),
            "current": Leaf("hub.cli.db:current", N_("Which version the database has")),
        },
    ),
    "backup": Branch(
        N_("Backups of the whole node"),
        {
            "create": Leaf("hub.cli.backup:create", N_("Write a backup while the node works")),
            "verify": Leaf("hub.cli.backup:verify", N_("Check a backup whole")),
            "restore": Leaf("hub.cli.backup:restore", N_("Put a backup in the node's place")),
        },
    ),
    "schema": Branch(
        N_("Schemas of messages and of the output of commands"),
        {
            "export": Leaf("hub.cli.schema:export", N_("Write all schemas into a folder")),
            "validate": Leaf("hub.cli.schema:validate", N_("Check a document against a schema")),
        },
    ),
    "completion": Leaf("hub.cli.completion:completion", N_("Tab completion for a shell")),
}


class _Root(Noun):
    """The program itself."""

    def invoke(self, ctx: click.Context) -> object:
        # The demo has a --json of its own; said before the verb it means the same.
        if ctx.obj.json:
            ctx.default_map = {"demo": {"as_json": True}}
        return super().invoke(ctx)


def root() -> click.Group:
    """The command line."""
    return _Root(
        "hub",
        N_("Exchange tickets with partner companies, each on its own node."),
        GRAMMAR,
        top=True,
        params=[
            Opt(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_version,
                help=N_("Show the version and exit."),
            )
        ],
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"hub {version('ticket-exchange-hub')}")
    except PackageNotFoundError:  # run from a checkout that was not installed
        print("hub")
    ctx.exit()


def run(argv: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    set_language(_guess_language(argv, os.environ))
    speak_click()
    manner = Manner(json="--json" in argv, debug="--debug" in argv)
    try:
        code = root().main(args=list(argv), prog_name="hub", standalone_mode=False, obj=manner)
    except (click.Abort, KeyboardInterrupt):
        print(_("Interrupted."), file=sys.stderr)
        return problems.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return problems.FAILED
    except Exception as error:  # noqa: BLE001 - the frame: a bug becomes an incident
        return _explained(error, manner)
    return code if isinstance(code, int) else problems.OK


def _explained(error: Exception, manner: Manner) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return problems.USAGE
    if isinstance(error, click.UsageError):
        return _wrong_usage(error, manner)
    if manner.debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        error = problems.BadWords("usage", "{what}", what=error.format_message())
    if isinstance(error, HubError):
        return _failed(error, manner)
    return _broke(error, manner)


def _guess_language(argv: Sequence[str], env: Mapping[str, str]) -> str:
    """The language asked for, before anything is parsed: the help is in it too."""
    for at, word in enumerate(argv):
        if word == "--lang" and at + 1 < len(argv):
            return argv[at + 1]
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
    return spoken(env) or "en"


def spoken(env: Mapping[str, str]) -> str | None:
    """The language of the environment, None where it does not name one we have."""
    for name in ("HUB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := env.get(name):
            short = value[:2].lower()
            if short in {"ru", "en"} and value[2:3] in {"", "_", "-", "."}:
                return short
            if name == "HUB_LANG":
                return None  # settings say what is wrong with it
    return None


def _wrong_usage(error: click.UsageError, manner: Manner) -> int:
    from hub.cli import output

    if error.ctx is not None and not manner.json:
        print(error.ctx.get_usage(), file=sys.stderr)
    path = error.ctx.command_path if error.ctx is not None else "hub"
    said = problems.BadWords(
        "usage", "{what}", hint="{path} --help", what=error.format_message(), path=path
    )
    if manner.json:
        print(output.as_json(problems.document(said, Manner())))
    output.fail(said.told, said.hint)
    return problems.USAGE


def _failed(error: HubError, manner: Manner) -> int:
    from hub.cli import output

    if manner.json:
        print(output.as_json(problems.document(error, manner)), flush=True)
    output.fail(error.told, problems.runnable(error.hint, manner))
    if manner.verbose and error.because:
        output.fail(error.because)
    return problems.exit_code(error)


def _broke(error: Exception, manner: Manner) -> int:
    incident, path = problems.keep_incident(manner, error)
    where = str(path) if path is not None else "--debug"
    told = HubError(
        "internal",
        "This is a bug in the hub. Incident {incident}; details are in {where}.",
        hint="Show them to whoever develops the hub. Nothing half-done was kept.",
        incident=incident,
        where=where,
    )
    return _failed(told, Manner(json=manner.json))


def _forget_stdout() -> None:
    """The reader of our output went away: let the interpreter end without a complaint."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
