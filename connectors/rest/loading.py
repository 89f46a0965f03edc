"""From a file to a description that can be relied on, or to all its mistakes with their places.

What is checked here cannot fail later: shape, expressions and the names they use, tables that
neither lose nor swing, tables and secrets that exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from connectors.contract import PRIORITIES, STATUSES
from connectors.rest import description as shapes
from connectors.rest import sandbox, value_maps
from connectors.rest.description import Description, Picked, Step
from connectors.rest.reading import tables
from connectors.rest.shape import of_shape
from connectors.rest.source import BadDescription, Mistake, Path, Source, Told, nearest, parse

_ALWAYS: Final = frozenset({"settings", "me", "now"})
_SECRET: Final = re.compile(r"\bsecret\.([A-Za-z_][A-Za-z0-9_]*)")


def load(text: str, file: str) -> Description:
    """The description.

    Raises:
        BadDescription: with everything that is wrong with it.
    """
    source = parse(text, file)
    try:
        found = Description.model_validate(source.value)
    except ValidationError as error:
        raise BadDescription(of_shape(source, error, _models())) from None
    except RecursionError:
        raise BadDescription([Mistake(file, 1, 1, "too deeply nested")]) from None
    mistakes = [*_table_mistakes(source, found), *_name_mistakes(source, found)]
    if mistakes:
        raise BadDescription(mistakes)
    return found


def _models() -> list[type[BaseModel]]:
    return [
        one for one in vars(shapes).values()
        if isinstance(one, type) and issubclass(one, shapes.Model) and one is not shapes.Model
    ]  # fmt: skip


# ---------------------------------------------------------------- tables


def _table_mistakes(source: Source, found: Description) -> Iterator[Mistake]:
    ours = {"status": STATUSES, "priority": PRIORITIES}
    for name, table in tables(found).items():
        raw = found.maps[name]
        words = raw.ours or ours.get(name) or list({*raw.both, *raw.read.values(), *raw.silent})
        for problem in value_maps.check(table, words):
            for part in ("both", "read", "silent", ""):
                path: Path = ("maps", name, part, problem.word) if part else ("maps", name)
                if path in source.places or not part:
                    break
            hint = nearest(problem.word, words) if problem.rule == "not_ours" else None
            facts = {**problem.facts, "word": problem.word}
            yield source.mistake(path, problem.message_id, hint, **facts)
    for path, value in _values(found, ()):
        if value.map is not None and value.map not in found.maps:
            hint = nearest(value.map, found.maps)
            yield source.mistake((*path, "map"), "there is no table {name}", hint, name=value.map)


def _values(value: Any, path: Path) -> Iterator[tuple[Path, Picked]]:
    if isinstance(value, Picked):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _values(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, (*path, index))


# ---------------------------------------------------------------- names


class _Names:
    """Walks the places where expressions stand, with the names that mean something there."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.mistakes: list[Mistake] = []

    def of(self, value: Any, known: Iterable[str], path: Path) -> None:
        """A value, a text or a body; names it uses must be known."""
        names = frozenset(known)
        if isinstance(value, Picked):
            if value.path is not None:
                self._path(value.path, names, (*path, "path"))
            self._said(value.expr, sandbox.expression, names, (*path, "expr"))
            self._said(value.text, sandbox.text, names, (*path, "text"))
        elif isinstance(value, str):
            self._path(value, names, path)

    def _path(self, said: str, names: frozenset[str], path: Path) -> None:
        root = said.split(".", 1)[0]
        if root not in names:
            self._unknown(root, names, path)

    def words(self, said: str | None, names: Iterable[str], path: Path) -> None:
        """A text with places."""
        self._said(said, sandbox.text, frozenset(names), path)

    def expr(self, said: str | None, names: Iterable[str], path: Path) -> None:
        """An expression."""
        self._said(said, sandbox.expression, frozenset(names), path)

    def _said(self, said: str | None, make: Any, names: frozenset[str], path: Path) -> None:
        for name in make(said).names - names if said else ():
            self._unknown(name, names, path)

    def _unknown(self, name: str, names: frozenset[str], path: Path) -> None:
        known = Told("; known here: {names}", {"names": ", ".join(sorted(names))})
        hint = nearest(name, names) or known
        self.mistakes.append(self._source.mistake(path, "unknown name {name}", hint, name=name))

    def body(self, value: Any, names: frozenset[str], path: Path) -> None:
        """A body: texts and expressions in it."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.words(key, names, (*path, key))
                self.body(inner, names, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.body(inner, names, (*path, index))
        elif isinstance(value, str):
            if value.startswith("="):
                self.expr(value[1:], names, path)
            else:
                self.words(value, names, path)

    def step(self, step: Step, known: frozenset[str], path: Path) -> frozenset[str]:
        """One request; the names known after it."""
        self.expr(step.each, known, (*path, "each"))
        names = known | {"entry"} if step.each else known
        self.expr(step.when, names, (*path, "when"))
        self.expr(step.need, names, (*path, "need"))
        for method, said in step.requests().items():
            self.words(said, names, (*path, method.lower()))
        for name, said in step.headers.items():
            self.words(said, names, (*path, "headers", name))
        for part, name in (("query", "query"), ("json_", "json"), ("form", "form"),
                           ("multipart", "multipart")):  # fmt: skip
            self.body(getattr(step, part), names, (*path, name))
        for name in ("refused_if", "gone_if"):
            self.expr(getattr(step, name), {"answer", "header", "status"}, (*path, name))
        within = names | {"answer", "header"}
        for name, value in step.save.items():
            self.of(value, within, (*path, "save", name))
        if step.paging.next is not None:
            self.of(step.paging.next, within, (*path, "paging", "next"))
        self.expr(step.paging.end, within, (*path, "paging", "end"))
        return known | set(step.save) | ({step.into} if step.into else set())

    def steps(self, steps: list[Step], known: frozenset[str], path: Path) -> frozenset[str]:
        """Several; the names known after them."""
        for index, step in enumerate(steps):
            known = self.step(step, known, (*path, "steps", index))
        return known

    def fields(self, model: BaseModel, names: Iterable[str], path: Path, *but: str) -> None:
        """Every value and condition of a class that reads."""
        for name, field in type(model).model_fields.items():
            value, place = getattr(model, name), (*path, field.alias or name)
            if name in but or value is None:
                continue
            if name in ("when", "by_us", "skip"):
                self.expr(value, names, place)
            elif name == "fields":
                for key, inner in value.items():
                    self.of(inner, names, (*place, key))
            elif isinstance(value, str | Picked):
                self.of(value, names, place)


def _name_mistakes(source: Source, it: Description) -> list[Mistake]:
    names = _Names(source)
    always = _ALWAYS
    if it.me is not None:
        after = names.steps(it.me.steps, always, ("me",))
        names.of(it.me.id, after, ("me", "id"))
    for index, check in enumerate(it.checks):
        after = names.steps(check.steps, always, ("checks", index))
        names.expr(check.ok, after, ("checks", index, "ok"))
    _reading_names(names, it, always)
    operations: tuple[tuple[str, Any, set[str]], ...] = (
        ("find", it.find, {"marker"}),
        ("create", it.create, {"marker", "wish", "status", "priority"}),
    )
    for name, operation, more in operations:
        if operation is not None:
            after = names.steps(operation.steps, always | more, (name,))
            names.fields(operation, after, (name,), "steps")
    kept = {"id", "ids", "item", "wish"} | {name for one in it.read.steps for name in one.save}
    kept |= {one.into for one in it.read.steps if one.into}
    for name, operation, more in (
        ("comment", it.comment, {"public"}),
        ("attach", it.attach, {"public"}),
        ("change", it.change, {"status", "priority"}),
    ):
        if operation is not None:
            after = names.steps(operation.steps, always | kept | more, (name,))
            if isinstance(operation, shapes.Write) and operation.id is not None:
                names.of(operation.id, after, (name, "id"))
    if it.download is not None:
        names.words(it.download.get, always | {"ref"}, ("download", "get"))
        names.body(it.download.query, always | {"ref"}, ("download", "query"))
        if it.download.base64 is not None:
            names.of(it.download.base64, always | {"ref", "answer"}, ("download", "base64"))
    if it.hook is not None:
        names.fields(it.hook, always | {"body", "header", "query"}, ("hook",), "signature")
    names.mistakes += _secret_mistakes(source, it)
    return names.mistakes


def _reading_names(names: _Names, it: Description, always: frozenset[str]) -> None:
    if it.poll.list_ is not None:
        names.step(it.poll.list_, always | {"since", "cursor"}, ("poll", "list"))
    if it.poll.newest is not None:
        names.step(it.poll.newest, always, ("poll", "newest"))
    names.fields(it.poll, {"entry"}, ("poll",), "list_", "newest", "by")
    if it.open is not None:
        names.step(it.open.list_, always, ("open", "list"))
        names.of(it.open.id, {"entry"}, ("open", "id"))
    known = names.steps(it.read.steps, always | {"id", "ids"}, ("read",)) | {"item"}
    known |= {"body", "header", "query"} if it.hook is not None and it.hook.carries else set()
    if it.read.items is not None:
        names.of(it.read.id, known, ("read", "id"))
    for name in ("item", "items"):
        said = getattr(it.read, name)
        if said is not None:
            names.of(said, known, ("read", name))
    names.fields(it.ticket, known, ("ticket",), "html")
    for index, comments in enumerate(it.comments):
        path: Path = ("comments", index)
        names.of(comments.items, known, (*path, "items"))
        names.fields(comments, known | {"entry"}, path, "items", "files", "html")
        for place, files in enumerate(comments.files):
            inner: Path = (*path, "files", place)
            names.of(files.items, known | {"entry"}, (*inner, "items"))
            names.fields(files, known | {"entry", "file"}, inner, "items")
    for index, files in enumerate(it.files):
        names.of(files.items, known, ("files", index, "items"))
        names.fields(files, known | {"file"}, ("files", index), "items")


def _secret_mistakes(source: Source, it: Description) -> Iterator[Mistake]:
    """Secrets are for proving who we are; nothing else may name them."""

    def walk(value: Any, path: Path) -> Iterator[Mistake]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, (*path, key))
        elif isinstance(value, str):
            for name in _SECRET.findall(value):
                if name not in it.secrets:
                    hint = nearest(name, it.secrets)
                    yield source.mistake(path, "there is no secret {name}", hint, name=name)

    yield from walk(source.value.get("auth"), ("auth",))
    if it.hook is not None and it.hook.signature.kind != "none":
        name = it.hook.signature.secret
        if name not in it.secrets:
            hint = nearest(name, it.secrets)
            place: Path = ("hook", "signature")
            yield source.mistake(place, "there is no secret {name}", hint, name=name)
