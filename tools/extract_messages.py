"""Babel extractor for this program's ways of writing message ids.

Besides `_()`, `N_()` and `ngettext()`: what an error tells (`Refused("code", "told", hint=…)`),
what an alarm says, and a few tables of texts. See babel.cfg. What is found goes
into the catalogue by `make messages` (tools/messages.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, BinaryIO, Final

from jinja2 import Environment, nodes
from ruamel.yaml import YAML

ERRORS = frozenset(
    {
        "HubError",
        "Refused",
        "NotFound",
        "Conflict",
        "Untrusted",
        "Unavailable",
        "Misconfigured",
        "Gone",
        "BadWords",
    }
)
"""Constructors whose second argument, and `hint`, are message ids."""

ALARMS = frozenset({"alarm"})
"""Functions whose fifth argument is a message id."""

FINDINGS = frozenset({"Finding"})
"""What a check found: its third argument is a message id."""

TABLES = frozenset(
    {
        "_BAD_ADDRESS",
        "_GONE",
        "_WRONG",
        "_TOLD",
        "LABELS",
        "SHOWN_WITH_COMMENTS",
        "NOT_AGREED",
        "WITHHELD",
        "NEVER",
        "NOT_PUBLIC",
        "TOO_BIG",
        "told",
        "need_told",
        "DIRECTION_LABELS",
    }
)
"""Names whose assigned texts are message ids."""

_PLACE = (
    dict.fromkeys(("_", "N_", "gettext"), 0)
    | dict.fromkeys(ERRORS, 1)
    | dict.fromkeys(FINDINGS, 2)
    | dict.fromkeys(ALARMS, 4)
    | {
        "Unfit": 0,
        "BadExpression": 0,
        "Told": 0,
        "mistake": 1,
        "Unsafe": 2,
        "_at": 2,
        "Mistake": 3,
    }
)
"""At which argument of which call a message id stands."""

Found = tuple[int, str, "str | tuple[str, str]", list[str]]


def extract(fileobj: BinaryIO, keywords: Any, comment_tags: Any, options: Any) -> Iterator[Found]:
    """Every message id of one file, with its line."""
    tree = ast.parse(fileobj.read())
    for node in ast.walk(tree):
        yield from _of(node)


def _of(node: ast.AST) -> Iterator[Found]:
    if isinstance(node, ast.Call):
        yield from _of_call(node, _name(node.func))
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and any(_name(one) in TABLES for one in targets):
            yield from _texts(node.value)


def _of_call(node: ast.Call, name: str) -> Iterator[Found]:
    if name in {"ngettext", "NN_"}:
        one, many = node.args[0], node.args[1]
        if isinstance(one, ast.Constant) and isinstance(many, ast.Constant):
            yield node.lineno, "ngettext", (str(one.value), str(many.value)), []
        return
    for said in node.args[_PLACE[name] : _PLACE[name] + 1] if name in _PLACE else ():
        yield from _texts(said)
    if name == "raise_alert":
        for keyword in node.keywords:
            if keyword.arg == "text":
                yield from _texts(keyword.value)
    if name in ERRORS:
        for keyword in node.keywords:
            if keyword.arg == "hint":
                yield from _texts(keyword.value)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _texts(node: ast.expr) -> Iterator[Found]:
    """The constant texts this expression can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.lineno, "_", node.value, []
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)


def unreadable(source: str) -> list[tuple[int, str]]:
    """Where an error is made of a text that is no constant: the line, and the expression.

    Nobody could translate such a text unless the expression is one whose texts are found
    elsewhere: a name in TABLES, or a parameter.
    """
    return [
        (node.lineno, ast.unparse(node.args[1]))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and _name(node.func) in ERRORS
        and len(node.args) > 1
        and not list(_texts(node.args[1]))
    ]


# --- descriptions of foreign desks ------------------------------------------------------------

_SAID_BY_DESCRIPTIONS: Final = frozenset(
    {"title", "notes", "label", "hint", "what", "told", "cure", "need_told", "note"}
)
"""Keys of connectors/desks/*.yaml whose texts people read."""


def extract_description(
    fileobj: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[Found]:
    """Every text for people in the description of a desk, with its line."""
    tree = YAML(typ="rt", pure=True).load(fileobj.read().decode("utf-8"))
    for part in ("title", "notes", "tried", "settings", "secrets", "checks", "create", "comment",
                 "attach", "change"):  # fmt: skip
        if part in tree:
            yield from _described(tree, part)


def _described(inside: Any, key: Any) -> Iterator[Found]:
    value = inside[key]
    if isinstance(value, str):
        if key in _SAID_BY_DESCRIPTIONS and not value.startswith("https://"):
            yield inside.lc.key(key)[0] + 1, "_", str(value), []
    elif isinstance(value, dict):
        for name in value:
            # What a request carries is the desk's: its `title` is no text of ours.
            if key not in ("query", "headers", "json", "form", "multipart", "save"):
                yield from _described(value, name)
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _described(value, index)


# --- templates ------------------------------------------------------------------------------

_TEMPLATES: Final = Environment(extensions=["jinja2.ext.do"], autoescape=True)


def extract_template(
    fileobj: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[Found]:
    """Every message id of one template, with its line: `_("…")` and `ngettext("…", "…", n)`."""
    tree = _TEMPLATES.parse(fileobj.read().decode("utf-8"))
    for call in tree.find_all(nodes.Call):
        name = call.node.name if isinstance(call.node, nodes.Name) else ""
        texts = [one.value for one in call.args if isinstance(one, nodes.Const)]
        if name == "_" and texts:
            yield call.lineno, "_", str(texts[0]), []
        elif name == "ngettext":
            yield call.lineno, "ngettext", (str(texts[0]), str(texts[1])), []


_READ_ATTRIBUTES: Final = frozenset({"alt", "aria-label", "content", "placeholder", "title"})
_QUIET: Final = frozenset({"code", "kbd", "script", "style"})
"""Elements whose text is not language: what one types, presses or runs."""


class _Said(HTMLParser):
    """Words that stand in a template as they are: nobody can translate them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quiet += tag in _QUIET
        if tag == "meta":
            return
        for name, value in attrs:
            if name in _READ_ATTRIBUTES and value:
                self._look(value)

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in _QUIET

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self._look(data)

    def _look(self, text: str) -> None:
        if sum(letter.isalpha() for letter in text) > 1:
            line = self.getpos()[0] + text[: len(text) - len(text.lstrip())].count("\n")
            self.found.append((line, text.strip()))


def hard_coded(source: str) -> list[tuple[int, str]]:
    """Where a template says something that is no message id: the line, and the words."""
    said = _Said()
    # What Jinja fills in is left out; the lines stay the same.
    parts = []
    for _line, kind, value in _TEMPLATES.lex(source):
        parts.append(value if kind == "data" else "\n" * value.count("\n"))
    said.feed("".join(parts))
    said.close()
    return said.found
