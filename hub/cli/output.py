"""The one place that renders: a JSON document, a table for eyes, or tabs for a pipe.

Standard output is data. Standard error is everything said beside it. Texts of other companies
are shown without control characters: a comment must not move the cursor of who reads it.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.cli import words
from hub.cli.grammar import Manner
from hub.cli.problems import runnable
from hub.i18n import gettext as _

_COLOURS: Final = {
    "active": "green",
    "received": "green",
    "resolved": "green",
    "confirmed": "green",
    "available": "green",
    "healthy": "green",
    "ok": "green",
    "offered": "yellow",
    "requested": "yellow",
    "awaiting_confirmation": "yellow",
    "pending": "yellow",
    "queued": "yellow",
    "sent": "yellow",
    "rework": "yellow",
    "suspended": "yellow",
    "delayed": "yellow",
    "announced": "yellow",
    "fetching": "yellow",
    "warning": "yellow",
    "urgent": "red",
    "high": "yellow",
    "failed": "red",
    "parked": "red",
    "declined": "red",
    "handed_back": "red",
    "overdue": "red",
    "unreachable": "red",
    "refused": "red",
    "gone": "red",
    "accepted": "cyan",
    "in_progress": "cyan",
    "new": "cyan",
    "open": "cyan",
    "closed": "bright_black",
    "cancelled": "bright_black",
    "void": "bright_black",
}


@dataclass(frozen=True, slots=True)
class Word:
    """A value of one of our closed lists: translated and coloured for eyes, plain for a pipe."""

    value: str


Cell = str | int | None | datetime | Word


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings (message ids)."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""  # said on standard error where there are no rows (a text)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names (message ids) and values of one thing; None is left out."""

    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Heading:
    """A line above what follows (a text); only for eyes."""

    text: str


Part = Table | Facts | Heading


def show(manner: Manner, document: Any, *parts: Part) -> None:
    """Print the result of a command, in the one way its caller can use."""
    if manner.json:
        print(as_json(document, pretty=sys.stdout.isatty()), flush=True)
    elif sys.stdout.isatty():
        _for_eyes(parts)
    else:
        for part in parts:
            _for_pipe(part)
    for part in parts:
        if isinstance(part, Table) and not part.rows and part.empty:
            say(manner, part.empty)


def say(manner: Manner, text: str, *, mark: str = "", colour: str = "") -> None:
    """A line beside the data: progress, a warning, a hint."""
    if manner.quiet:
        return
    if mark and colour and _coloured(sys.stderr):
        import click

        mark = click.style(mark, fg=colour)
    line = clean(text)
    print(f"{mark} {line}" if mark else line, file=sys.stderr, flush=True)


def done(manner: Manner, text: str, following: str = "") -> None:
    """A success in words, and the next command."""
    if manner.json:
        return
    say(manner, text, mark="✓", colour="green")
    if following:
        say(manner, _("  Next:  {command}").format(command=runnable(following, manner)))


def warn(manner: Manner, text: str) -> None:
    """What people must not miss; said even where hints are not wanted."""
    loud = Manner(json=manner.json)
    say(loud, text, mark="!", colour="yellow")


def fail(text: str, hint: str = "") -> None:
    """Why a command did not do it, and what to do."""
    loud = Manner()
    say(loud, text, mark="✗", colour="red")
    for line in hint.splitlines():
        say(loud, f"  → {line}")


def as_json(document: Any, *, pretty: bool = False) -> str:
    """The document as JSON text; instants in UTC, characters as they are."""
    plain = _plain(document)
    if pretty:
        return json.dumps(plain, ensure_ascii=False, indent=2)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def members(view: Any) -> dict[str, Any]:
    """A view's own members, for a document that has others too."""
    return {one.name: getattr(view, one.name) for one in fields(view)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(members(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        ordered = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(one) for one in ordered]
    if isinstance(value, str):
        return str(value)  # also of our enumerations
    return value


def iso(at: datetime) -> str:
    """The instant in UTC, in whole seconds unless it has parts of one."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


def clean(text: str, *, one_line: bool = False) -> str:
    """The text without what moves a cursor or turns the direction of reading."""
    kept = []
    for ch in text:
        if ch in "\n\t":
            kept.append(" " if one_line else ch)
        elif unicodedata.category(ch) not in {"Cc", "Cf", "Cs"} or ch in _JOINERS:
            kept.append(ch)
    return "".join(kept)


_JOINERS: Final = "\u200c\u200d"  # letters of some scripts and emoji need them


def ago(at: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long, in one short phrase."""
    passed = (now or datetime.now(UTC)) - at
    future = passed < timedelta()
    seconds = int(abs(passed).total_seconds())
    if seconds < 60:
        return _("now")
    for size, before, ahead in words.SPANS:
        if seconds >= size:
            return _(ahead if future else before).format(n=seconds // size)
    raise AssertionError("unreachable: the last span is a minute")


def _coloured(stream: Any) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(stream.isatty())


def _for_pipe(part: Part) -> None:
    if isinstance(part, Heading):
        return
    rows = (
        part.rows
        if isinstance(part, Table)
        else [(name, value) for name, value in part.pairs if value is not None]
    )
    for row in rows:
        print("\t".join(_raw(cell) for cell in row))


def _raw(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return iso(cell)
    if isinstance(cell, Word):
        return cell.value
    return clean(str(cell), one_line=True)


def _for_eyes(parts: Sequence[Part]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(no_color=not _coloured(sys.stdout), highlight=False, soft_wrap=False)
    for part in parts:
        if isinstance(part, Heading):
            console.print()
            console.print(Text(clean(part.text), style="bold"))
            continue
        grid = RichTable(box=None, pad_edge=False, show_header=isinstance(part, Table))
        if isinstance(part, Table):
            if not part.rows:
                continue
            for heading in part.headings:
                grid.add_column(_(heading), header_style="bright_black", overflow="fold")
            for row in part.rows:
                grid.add_row(*[_text(cell) for cell in row])
        else:
            grid.add_column(style="bright_black", no_wrap=True)
            grid.add_column(overflow="fold")
            for name, value in part.pairs:
                if value is not None:
                    grid.add_row(Text(clean(_(name), one_line=True)), _text(value))
        console.print(grid)


def _text(cell: Cell) -> Any:
    from rich.text import Text

    if isinstance(cell, Word):
        return Text(words.say(cell.value), style=_COLOURS.get(cell.value, ""))
    if isinstance(cell, datetime):
        return Text(ago(cell))
    return Text("" if cell is None else clean(str(cell)))
