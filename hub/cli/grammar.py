"""How commands are built: options every command takes, nouns that load their verbs lazily.

Texts in this package are message ids: `N_` marks one where it is written, and it is put into
the reader's language where it is shown.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from hub.i18n import LANGUAGES, N_, ngettext
from hub.i18n import gettext as _

T = TypeVar("T")


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802 - as above
    """Mark a message id with its plural."""
    return one, many


@dataclass(slots=True)
class Manner:
    """How the caller wants a command to behave, whatever the command is."""

    data: Path | None = None  # None: HUB_DATA, else the default directory
    json: bool = False  # one document on standard output
    lang: str | None = None
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    no_input: bool = False
    acting_as: str | None = None  # e-mail or id of the agent; None: the first admin


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep what was said; what was not said here may have been said before the verb."""
    if value:
        setattr(ctx.find_root().obj, str(param.name), value)


class Opt(click.Option):
    """An option whose help is a message id."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The line in the help, in the reader's language."""
        kept = self.help
        self.help = _(kept) if kept else kept
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = kept


def one_of(kind: type[StrEnum]) -> click.Choice[str]:
    """One value of a closed list, as it is spelled everywhere else."""
    return click.Choice([one.value for one in kind])


option = partial(click.option, cls=Opt)
argument = click.argument


def peer_names(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Partners whose names begin so, for a shell that completes the line."""
    from hub.cli.completion import partners

    return [CompletionItem(name) for name in partners(ctx.find_root().obj, incomplete)]


def ticket_numbers(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Numbers of tickets that begin so, newest first."""
    from hub.cli.completion import tickets

    return [
        CompletionItem(number, help=title)
        for number, title in tickets(ctx.find_root().obj, incomplete)
    ]


pass_manner = click.make_pass_decorator(Manner)


def _everywhere(*, top: bool) -> list[click.Parameter]:
    """The options that stand before or after a command's own arguments alike."""
    opt = partial(Opt, expose_value=False, callback=_note)
    return [
        opt(
            ["--data", "data"],
            metavar="DIR",
            type=click.Path(path_type=Path),
            help=N_("The node's data directory (else HUB_DATA)."),
        ),
        opt(["--json", "json"], is_flag=True, help=N_("One JSON document on standard output.")),
        opt(
            ["--lang", "lang"],
            type=click.Choice(LANGUAGES),
            hidden=not top,
            help=N_("Language of texts (else HUB_LANG, LANG, the node's own)."),
        ),
        opt(
            ["--as", "acting_as"],
            metavar="EMAIL",
            hidden=not top,
            help=N_("The agent who acts (else the first admin)."),
        ),
        opt(["--quiet", "-q", "quiet"], is_flag=True, hidden=not top, help=N_("No hints.")),
        opt(["-v", "--verbose", "verbose"], count=True, hidden=not top, help=N_("Say more.")),
        opt(["--debug", "debug"], is_flag=True, hidden=not top, help=N_("Show tracebacks.")),
        opt(["--no-input", "no_input"], is_flag=True, hidden=not top, help=N_("Never ask.")),
    ]


def _with_everywhere(command: click.Command) -> click.Command:
    """The command with those of the options every command takes that it does not have itself."""
    said = {opt for param in command.params for opt in param.opts}
    command.params += [
        param for param in _everywhere(top=False) if not said.intersection(param.opts)
    ]
    return command


_DASHED_KEY: Final = re.compile(r"-[A-Za-z0-9_-]{42}")  # a thumbprint, as keys are named by


class Verb(click.Command):
    """A command: what it does, then examples, then options."""

    def __init__(self, name: str | None, *, examples: Sequence[str] = (), **how: Any) -> None:
        super().__init__(name, **how)
        self.examples = tuple(examples)
        _with_everywhere(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; but the name of a key is no option, though it may begin with a dash."""
        if "--" not in args and any(one.name == "kid" for one in self.params):
            names = [one for one in args if _DASHED_KEY.fullmatch(one)]
            args = [*(one for one in args if one not in names), "--", *names]
        return super().parse_args(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help in the reader's language, with examples first."""
        if self.help:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(_(self.help))
        if self.examples:
            with formatter.section(_("Examples")):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One command: where it lives and what it does in a few words."""

    where: str  # "hub.cli.ticket:new"
    what: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A noun and its verbs."""

    what: str
    verbs: Mapping[str, Leaf | Branch]


Entry = Leaf | Branch


@dataclass(frozen=True, slots=True)
class _Loaded:
    commands: dict[str, click.Command] = field(default_factory=dict)


class Noun(click.Group):
    """A group whose commands are imported when they are called, not before."""

    def __init__(
        self, name: str, what: str, entries: Mapping[str, Entry], *, top: bool = False, **how: Any
    ) -> None:
        super().__init__(name, help=what, no_args_is_help=True, **how)
        self._entries = entries
        self._loaded = _Loaded()
        self.params += _everywhere(top=top)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the table."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self._loaded.commands:
            self._loaded.commands[cmd_name] = _load(cmd_name, entry)
        return self._loaded.commands[cmd_name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest right names also of what is not imported yet."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self._entries, ctx=ctx
            ) from None

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the noun is, in the reader's language."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_(self.help or ""))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any of them."""
        rows = [
            (name, _(entry.what))
            for name, entry in self._entries.items()
            if isinstance(entry, Branch) or not entry.hidden
        ]
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)


def _load(name: str, entry: Entry) -> click.Command:
    if isinstance(entry, Branch):
        return Noun(name, entry.what, entry.verbs)
    module, _colon, attribute = entry.where.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return _with_everywhere(command)


def verb(
    help: str,  # noqa: A002 - click's own word
    *examples: str,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Verb]:
    """Make a command of a function; it is given the Manner first."""

    def make(function: Callable[..., Any]) -> Verb:
        called = name or function.__name__.strip("_").replace("_", "-")
        made = click.command(called, cls=Verb, help=help, examples=examples)(pass_manner(function))
        assert isinstance(made, Verb)
        return made

    return make


def speak_click() -> None:
    """Let click take its own words from our catalogue, in the language of the moment.

    click binds the standard library's gettext when it is imported, which reads one language
    of the process from the environment; ours is the reader's.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("click.") and hasattr(module, "_"):
            module._ = _  # type: ignore[attr-defined]
        if name.startswith("click.") and hasattr(module, "ngettext"):
            module.ngettext = ngettext  # type: ignore[attr-defined]
