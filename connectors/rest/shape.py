"""What a file's shape does wrong, each mistake with its place: for whatever is written in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.rest.source import Mistake, Path, Source, Unfit, nearest


def of_shape(
    source: Source, error: ValidationError, models: Sequence[type[BaseModel]]
) -> Iterator[Mistake]:
    """Every mistake once; `models` are the classes whose keys may have been meant."""
    said: set[tuple[Path, str]] = set()
    for one in error.errors():
        path = _real(source, one["loc"])
        if one["type"] == "string_type" and one["loc"] and one["loc"][-1] == "str":
            continue  # the other way of writing a value; its own mistakes are told
        made = _mistake(source, path, dict(one), models)
        if (path, made.told) not in said:
            said.add((path, made.told))
            yield made


def _mistake(
    source: Source, path: Path, one: dict[str, Any], models: Sequence[type[BaseModel]]
) -> Mistake:
    kind, context, name = one["type"], one.get("ctx", {}), str((one["loc"] or ("",))[-1])
    if kind == "extra_forbidden":
        hint = nearest(name, _names_beside(path[:-1], source, models))
        return source.mistake(path, "unknown key {name}", hint, name=name)
    if kind in {"literal_error", "enum"}:
        expected = str(context.get("expected"))
        hint = nearest(str(one["input"]), _choices(expected))
        return source.mistake(path, "must be {expected}", hint, expected=expected)
    if kind == "missing":
        return source.mistake(path, "{name} is missing", name=name)
    if kind == "value_error" and isinstance(cause := context.get("error"), Unfit):
        return source.mistake(path, cause.told.message_id, None, **cause.told.facts)
    return source.mistake(path, str(context.get("error", one["msg"][:1].lower() + one["msg"][1:])))


def _real(source: Source, loc: Iterable[str | int]) -> Path:
    """The steps of pydantic's path that stand in the file; it adds names of variants."""
    path: Path = ()
    for step in loc:
        if (*path, step) in source.places:
            path = (*path, step)
    return path


def _names_beside(path: Path, source: Source, models: Sequence[type[BaseModel]]) -> set[str]:
    """Keys that could stand here: those of the classes that know the most of its neighbours."""
    here: Any = source.value
    for step in path:
        here = here[step]
    keys = set(here) if isinstance(here, dict) else set()
    names = [{field.alias or name for name, field in one.model_fields.items()} for one in models]
    best = max(len(keys & one) for one in names)
    return set().union(*(one for one in names if len(keys & one) == best)) - keys


def _choices(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)
