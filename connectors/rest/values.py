"""From somebody's JSON to a value, and from values to a body: paths, texts, instants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.rest import sandbox
from connectors.rest.description import Picked, Time, Value

FILE: Final = "@file"
"""Stands in a form where the file itself goes."""

FILE_BASE64: Final = "@file.base64"
"""Stands in a JSON body where the file goes as text."""

_LATE: Final = re.compile(r"([+-]\d{2})(\d{2})$")


def follow(path: str, scope: Any) -> Any:
    """What stands at the end of a path; None where nothing does. An empty path is all of it."""
    value = scope
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            index = int(step)
            value = value[index] if -len(value) <= index < len(value) else None
        else:
            return None
    return value


def pick(value: Value | None, scope: Mapping[str, Any]) -> Any:
    """The value, untranslated; None where there is none.

    Raises:
        NoValue: an expression cannot be worked out.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return follow(value, scope)
    found: Any = None
    if value.path is not None:
        found = follow(value.path, scope)
    elif value.expr is not None:
        found = sandbox.expression(value.expr).value(scope)
    elif value.text is not None:
        found = sandbox.text(value.text).value(scope)
    else:
        found = value.const
    return value.default if found is None else found


def table_of(value: Value | None) -> str | None:
    """The two-way table a value goes through."""
    return value.map if isinstance(value, Picked) else None


def picked_text(value: Value | None, scope: Mapping[str, Any]) -> str:
    """The same as text; empty where there is nothing."""
    found = pick(value, scope)
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found)


def render(template: Any, scope: Mapping[str, Any]) -> Any:
    """A body from its template. Members that are null by an expression go away.

    Raises:
        NoValue: something in it cannot be worked out.
    """
    if isinstance(template, dict):
        made = {}
        for key, inner in template.items():
            value = render(inner, scope)
            if value is None and inner is not None:
                continue
            made[sandbox.text(key).value(scope) if "{" in key else key] = value
        return made
    if isinstance(template, list):
        return [render(inner, scope) for inner in template]
    if not isinstance(template, str):
        return template
    if template.startswith("="):
        return sandbox.expression(template[1:]).value(scope)
    return sandbox.text(template).value(scope) if "{" in template else template


def instant(value: Any, time: Time) -> datetime | None:
    """When it was, in UTC; None for nothing.

    Raises:
        NoValue: it is not written as the description says.
    """
    if value in (None, ""):
        return None
    try:
        if time.format == "epoch":
            return datetime.fromtimestamp(float(value), UTC)
        if time.format == "epoch_ms":
            return datetime.fromtimestamp(float(value) / 1000, UTC)
        if time.format == "iso":
            found = datetime.fromisoformat(_LATE.sub(r"\1:\2", str(value)))
        else:
            found = datetime.strptime(str(value), time.format)  # noqa: DTZ007 - zone below
    except (ValueError, OverflowError, OSError):
        raise sandbox.NoValue(f"not an instant: {str(value)[:40]}") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(time.zone))
    return found.astimezone(UTC)


def written(at: datetime, time: Time) -> str:
    """An instant as the desk wants it in a filter."""
    form = time.query or time.format
    if form == "epoch":
        return str(int(at.timestamp()))
    if form == "epoch_ms":
        return str(int(at.timestamp() * 1000))
    local = at.astimezone(ZoneInfo(time.zone))
    if form == "iso":
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return local.strftime(form)
