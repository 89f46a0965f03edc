"""Small expressions of an administrator, bounded: Jinja2 syntax, none of its power.

Three fences. What may be written at all is a list of syntax (no calls, no powers, no assignment,
no loop in a loop); what may be used is a list of filters and tests, ours or harmless; and every
step burns fuel by the size of what it touches, so nothing amplifies. Whoever meets a fence gets
`BadExpression` (it could never work) or `NoValue` (not with this ticket), at once.
"""

from __future__ import annotations

import base64
import html
import operator
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError, Undefined, nodes
from jinja2 import filters as builtin
from jinja2 import tests as builtin_tests
from jinja2.environment import Template, TemplateExpression
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from connectors.rest.source import Unfit

SOURCE_MAX: Final = 4_000  # characters of one expression or text
OUTPUT_MAX: Final = 1_000_000  # characters one of them may make
FUEL: Final = 8_000_000  # characters and items one evaluation may touch
TURNS_MAX: Final = 1_000  # of one loop
NUMBER_MAX: Final = 10**15

_fuel: ContextVar[list[int]] = ContextVar("fuel")


class BadExpression(Unfit):
    """Cannot be used, whatever the ticket."""


class NoValue(ValueError):  # noqa: N818 - what happened
    """There is no value for this ticket: something is missing or too big."""


def _size(value: Any) -> int:
    if isinstance(value, str | bytes | list | tuple | dict):
        return len(value) + 1
    return 1


def _burn(*values: Any) -> None:
    tank = _fuel.get(None)
    if tank is None:  # folded while compiling: constants of a short source
        return
    tank[0] -= sum(map(_size, values))
    if tank[0] < 0:
        raise NoValue("too much work")


def _plain_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= NUMBER_MAX


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = str(value), str(old), str(new)
    if len(text) + text.count(old) * len(new) > OUTPUT_MAX:
        raise NoValue("too long")
    return text.replace(old, new)


def _join(value: Any, between: Any = "") -> str:
    texts = [str(one) for one in _few(value)]
    if sum(map(len, texts)) + len(texts) * len(str(between)) > OUTPUT_MAX:
        raise NoValue("too long")
    return str(between).join(texts)


def _few(value: Any) -> list[Any]:
    """The items of a list or a mapping; text is no list."""
    if isinstance(value, dict | list | tuple):
        found = list(value)
    elif isinstance(value, str | bytes | int | float | Undefined | None):
        raise NoValue("not a list")
    else:
        found = list(value)  # what another filter gave
    _burn(found)
    return found


def _pluck(value: Any, key: Any) -> list[Any]:
    """That member of each, where it has one."""
    return [one[key] for one in _few(value) if isinstance(one, dict) and key in one]


def _where(value: Any, key: Any, wanted: Any) -> list[Any]:
    """Those whose member is this; `a.b` reaches inside."""

    def reach(one: Any) -> Any:
        for step in str(key).split("."):
            one = one.get(step) if isinstance(one, dict) else None
        return one

    return [one for one in _few(value) if reach(one) == wanted]


def _first(value: Any) -> Any:
    found = _few(value)
    return found[0] if found else None


def _last(value: Any) -> Any:
    found = _few(value)
    return found[-1] if found else None


def _before(value: Any, separator: Any) -> str:
    return str(value).split(str(separator), 1)[0] if separator else str(value)


def _after(value: Any, separator: Any) -> str:
    return str(value).rsplit(str(separator), 1)[-1] if separator else str(value)


def _cut(value: Any, most: Any) -> str:
    text, most = str(value), int(most)
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def _numbers(value: Any) -> list[int]:
    return [int(one) for one in _few(value)]


def _from_base64(value: Any) -> str:
    return base64.b64decode(str(value)).decode("utf-8", "replace")


def _turns(value: Any) -> list[Any]:
    found = _few(value)
    if len(found) > TURNS_MAX:
        raise NoValue("too many turns")
    return found


def _guarded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    def run(value: Any, *rest: Any, **named: Any) -> Any:
        _burn(value, *rest, *named.values())
        if isinstance(value, Undefined):
            value = str(value)  # StrictUndefined says what is missing
        result = filter_(value, *rest, **named)
        _burn(result)
        return result

    return run


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "default": builtin.do_default,
    "lower": _guarded(lambda value: str(value).lower()),
    "upper": _guarded(lambda value: str(value).upper()),
    "trim": _guarded(lambda value: str(value).strip()),
    "escape": _guarded(lambda value: html.escape(str(value))),
    "string": _guarded(_text),
    "int": _guarded(int),
    "float": _guarded(float),
    "length": _guarded(len),
    "list": _guarded(_few),
    "replace": _guarded(_replace),
    "join": _guarded(_join),
    "first": _guarded(_first),
    "last": _guarded(_last),
    "where": _guarded(_where),
    "pluck": _guarded(_pluck),
    "numbers": _guarded(_numbers),
    "before": _guarded(_before),
    "after": _guarded(_after),
    "cut": _guarded(_cut),
    "from_base64": _guarded(_from_base64),
    "turns": _guarded(_turns),
}

_TESTS: Final[dict[str, Any]] = {
    name: builtin_tests.TESTS[name]
    for name in ("defined", "undefined", "none", "string", "number", "mapping", "sequence", "in",
                 "true", "false", "==", "!=", "<", ">", "<=", ">=")
}  # fmt: skip


_ALLOWED: Final = (
    nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple, nodes.Filter, nodes.Test,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
    nodes.If, nodes.For, nodes.Keyword, nodes.Template,
)  # fmt: skip

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class _Fenced(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(_OPERATORS) | {"**"}

    def call_binop(  # jinja2's hook
        self,
        context: Any,  # noqa: ARG002
        operator: str,
        left: Any,
        right: Any,
    ) -> Any:
        _burn(left, right)
        both_text = isinstance(left, str) and isinstance(right, str)
        if operator == "+" and both_text and len(left) + len(right) <= OUTPUT_MAX:
            return left + right
        if operator not in _OPERATORS or not (_plain_number(left) and _plain_number(right)):
            raise NoValue(f"{operator} works on plain numbers, + on two texts")
        try:
            return _OPERATORS[operator](left, right)
        except (ZeroDivisionError, OverflowError) as error:
            raise NoValue(str(error)) from None

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, slice):
            _burn(obj)
        return super().getitem(obj, argument)

    def getattr(self, obj: Any, attribute: str) -> Any:
        # A member and nothing else: methods of texts and lists are no business of a mapping.
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)


def _environment(finalize: Callable[..., Any] | None = None) -> _Fenced:
    made = _Fenced(undefined=StrictUndefined, autoescape=False, cache_size=0, finalize=finalize)
    made.globals.clear()
    made.filters.clear()
    made.filters.update(_FILTERS)
    made.tests.clear()
    made.tests.update(_TESTS)
    return made


def _quoted(value: Any) -> str:
    """A value as one part of an address: an id cannot climb out of its place."""
    if isinstance(value, Undefined):
        return str(value)
    quoted = quote(_text(value), safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


_ENVIRONMENT: Final = _environment()
_ADDRESSES: Final = _environment(_quoted)


class _Bounds(NodeTransformer):
    """`a ~ b` becomes an addition of texts and every loop a counted one: both burn fuel."""

    def visit_Concat(  # noqa: N802 - jinja2's name
        self, node: nodes.Concat
    ) -> nodes.Expr:
        parts = [nodes.Filter(self.visit(one), "string", [], [], None, None) for one in node.nodes]
        whole: nodes.Expr = parts[0]
        for part in parts[1:]:
            whole = nodes.Add(whole, part)
        return whole

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - jinja2's name
        found = self.generic_visit(node)
        assert isinstance(found, nodes.For)
        found.iter = nodes.Filter(found.iter, "turns", [], [], None, None)
        return found


def _checked(tree: nodes.Node) -> frozenset[str]:
    """The names it takes from outside. Raises BadExpression for syntax that is not allowed."""
    try:
        return _names(tree)
    except RecursionError:
        raise BadExpression("too deeply nested") from None


def _names(tree: nodes.Node) -> frozenset[str]:
    for kind in (nodes.For,):
        for outer in tree.find_all(kind):
            if outer.recursive or outer.test or any(True for _ in outer.find_all(nodes.For)):
                raise BadExpression("a loop in a loop is not allowed")
    names: set[str] = set()
    own: set[str] = {"loop"} if any(True for _ in tree.find_all(nodes.For)) else set()
    for node in (tree, *tree.find_all(nodes.Node)):
        if not isinstance(node, _ALLOWED):
            raise BadExpression("{what} is not allowed here", what=type(node).__name__.lower())
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise BadExpression("there is no filter {name}", name=node.name)
        if isinstance(node, nodes.Test) and node.name not in _TESTS:
            raise BadExpression("there is no test {name}", name=node.name)
        if isinstance(node, nodes.Name):
            (names if node.ctx == "load" else own).add(node.name)
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise BadExpression("names that begin with _ are not allowed")
    return frozenset(names - own)


def _bounded(tree: nodes.Node) -> Any:
    try:
        return _Bounds().visit(tree)
    except RecursionError:
        raise BadExpression("too deeply nested") from None


def _parse(source: str, state: str | None) -> nodes.Expr | nodes.Template:
    if len(source) > SOURCE_MAX:
        raise BadExpression("too long")
    try:
        parser = Parser(_ENVIRONMENT, source, state=state)
        if state is None:
            return parser.parse()
        found = parser.parse_expression()
        if not parser.stream.eos:
            raise BadExpression("something follows the expression")
    except TemplateError as error:
        raise BadExpression(error.message or "not an expression") from None
    except RecursionError:
        raise BadExpression("too deeply nested") from None
    return found


def _compiled(tree: nodes.Template, environment: _Fenced) -> Template:
    for node in (tree, *tree.find_all(nodes.Node)):
        node.environment = environment
    try:
        return environment.from_string(tree)
    except (TemplateError, SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise BadExpression("cannot be compiled: {why}", why=type(error).__name__) from None


class Expression:
    """One value with its type: `'007'` stays a text."""

    def __init__(self, source: str) -> None:
        """Raises BadExpression."""
        tree = _parse(source.strip(), "variable")
        self.names = _checked(tree)
        bounded = nodes.Assign(nodes.Name("result", "store"), _bounded(tree), lineno=1)
        whole = nodes.Template([bounded], lineno=1)
        self._run = TemplateExpression(_compiled(whole, _ENVIRONMENT), undefined_to_none=False)

    def value(self, scope: Mapping[str, Any]) -> Any:
        """What it is for these values.

        Raises:
            NoValue: something is missing or too big.
        """

        def run() -> Any:
            result = self._run(scope)
            # An Undefined would look like an empty value to whoever gets it.
            if isinstance(result, Undefined):
                str(result)
            return result

        return _fuelled(run)


class Text:
    """A text with places: `{{ … }}`, `{% if %}`, one level of `{% for %}`."""

    def __init__(self, source: str, *, address: bool = False) -> None:
        """With `address` every value is quoted. Raises BadExpression."""
        tree = _parse(source, None)
        self.names = _checked(tree)
        bounded = _bounded(tree)
        self._template = _compiled(bounded, _ADDRESSES if address else _ENVIRONMENT)

    def value(self, scope: Mapping[str, Any]) -> str:
        """The text for these values.

        Raises:
            NoValue: something is missing or too big.
        """

        def run() -> str:
            return "".join(_capped(self._template.generate(scope)))

        result: str = _fuelled(run)
        return result


def _capped(pieces: Iterable[str]) -> Iterable[str]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > OUTPUT_MAX:
            raise NoValue("too long")
        yield piece


def _fuelled(run: Callable[[], Any]) -> Any:
    token = _fuel.set([FUEL])
    try:
        return run()
    except (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise NoValue(str(error)[:200]) from None
    except (RecursionError, OverflowError, MemoryError) as error:
        raise NoValue(type(error).__name__) from None
    finally:
        _fuel.reset(token)


@lru_cache(maxsize=4096)
def expression(source: str) -> Expression:
    """The expression, made once. Raises BadExpression."""
    return Expression(source)


@lru_cache(maxsize=4096)
def text(source: str) -> Text:
    """The text, made once. Raises BadExpression."""
    return Text(source)


@lru_cache(maxsize=4096)
def address(source: str) -> Text:
    """The same whose values are quoted for an address. Raises BadExpression."""
    return Text(source, address=True)
