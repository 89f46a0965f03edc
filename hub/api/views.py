"""How what queries return is written down as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from hub.protocol.encoding import instant

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and where the next begins (null: this was the last)."""

    items: Sequence[T]
    next: str | None = None


def page_of(found: Sequence[Any], limit: int) -> Page[Any]:
    """A page, cut from one line more than asked for: the surplus says that there is a next."""
    items = found[:limit]
    return Page(items, items[-1].id if len(found) > limit else None)


def as_json(value: object) -> Any:
    """The value as JSON can hold it; instants as ISO 8601 in UTC.

    Raises TypeError for what no view should contain: a bug of ours.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
    raise TypeError(f"a view cannot contain {type(value).__name__}")
