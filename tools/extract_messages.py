"""Babel extractor for this program's ways of writing message ids.

Besides `_()`, `N_()` and `ngettext()`: what an error tells (`Refused("code", "told", hint=…)`),
what an alarm says, and a few tables of texts. See babel.cfg. What is found goes
into the catalogue by `make messages` (tools/messages.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, BinaryIO

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
    }
)
"""Names whose assigned texts are message ids."""

_PLACE = (
    dict.fromkeys(("_", "N_", "gettext"), 0) | dict.fromkeys(ERRORS, 1) | dict.fromkeys(ALARMS, 4)
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
