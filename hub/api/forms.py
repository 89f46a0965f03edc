"""The form of requests: what every one of them has in common, and how bytes become one.

Strict: an unknown member, a number in quotes or a null where nothing can be cleared is an
error that names its place; nobody's slip is guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from hub.api.problems import Invalid
from hub.domain.lengths import SHORT_MAX, TEXT_MAX, TITLE_MAX
from hub.errors import Untrusted
from hub.i18n import gettext
from hub.protocol import strict_json

F = TypeVar("F", bound=BaseModel)
T = TypeVar("T")


class Form(BaseModel):
    """A request's members."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Nothing(Form):
    """A request that says nothing but where it goes."""


def _sendable(text: str) -> str:
    if strict_json.clean(text) != text:
        raise ValueError("has a character that cannot be sent")
    return text


def all_sendable(value: T) -> T:
    """The value, if every text in it can be sent. For members without a form of their own."""
    if isinstance(value, str):
        _sendable(value)
    elif isinstance(value, Mapping):
        all_sendable([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for one in value:
            all_sendable(one)
    return value


_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_YEARS: Final = range(1970, 2201)


def _spelled(value: object) -> object:
    # Pydantic would also take "1700000000" for a moment.
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise ValueError("must be an instant with its zone, like 2027-01-31T18:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError("must be a year that makes sense")
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


Text = Annotated[str, StringConstraints(max_length=TEXT_MAX), AfterValidator(_sendable)]
Said = Annotated[
    str, StringConstraints(min_length=1, max_length=TEXT_MAX), AfterValidator(_sendable)
]
Title = Annotated[str, StringConstraints(max_length=TITLE_MAX), AfterValidator(_sendable)]
Short = Annotated[str, StringConstraints(max_length=SHORT_MAX), AfterValidator(_sendable)]
Instant = Annotated[
    AwareDatetime, Strict(strict=False), BeforeValidator(_spelled), AfterValidator(_in_utc)
]


def unchanged() -> Any:
    """A member that may be left out, but not be null: what is left out stays as it is."""
    return Field(default=None)


def read_json(kind: type[F], body: bytes) -> F:
    """The form written in `body`; an empty body is `{}`.

    Raises Untrusted(malformed), with the place, for what is no JSON; Invalid.
    """
    if not body.strip():
        body = b"{}"
    try:
        text = body.decode("utf-8")
        json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constants)
    except UnicodeDecodeError as error:
        raise _unreadable("The body is not UTF-8 (byte {byte}).", byte=error.start + 1) from None
    except json.JSONDecodeError as error:
        raise _unreadable(
            "The body is not JSON: line {line}, column {column}.",
            line=error.lineno,
            column=error.colno,
            because=error.msg,
        ) from None
    except _Double as error:
        raise _unreadable("The member '{name}' stands twice.", name=str(error)) from None
    except (ValueError, RecursionError):
        raise _unreadable("The body is not JSON that can be taken here.") from None
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error, "pointer") from None


def read_words(kind: type[F], words: Mapping[str, str]) -> F:
    """The form written as single words: a query or the parts of a multipart. Raises Invalid."""
    try:
        return kind.model_validate_strings(dict(words))
    except ValidationError as error:
        raise _invalid(error, "parameter") from None


class _Double(ValueError):  # noqa: N818 - names say what happened
    """A member stands twice."""


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Double(name[:64])
        found[name] = value
    return found


def _no_constants(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _unreadable(told: str, **facts: Any) -> Untrusted:
    return Untrusted("malformed", told, **facts)


def _invalid(error: ValidationError, how: str) -> Exception:
    details = error.errors(include_url=False, include_input=False, include_context=True)
    if any(one["type"] == "json_invalid" for one in details):
        return _unreadable("The body is not JSON that can be taken here.")
    return Invalid([{how: _place(one, how), "detail": _why(one)} for one in details[:20]])


def _place(one: ErrorDetails, how: str) -> str:
    steps = [str(step) for step in one["loc"]]
    if how == "parameter":
        return ".".join(steps)
    # RFC 6901 in a fragment, as in the example of RFC 9457.
    return "#" + "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


_WHY: Final[Mapping[str, str]] = {
    "missing": "This member is needed.",
    "extra_forbidden": "There is no such member here.",
    "string_type": "This must be a text.",
    "string_too_long": "This may have {max_length} characters at most.",
    "string_too_short": "This must not be empty.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "less_than_equal": "This may be {le} at most.",
    "greater_than_equal": "This must be {ge} at least.",
    "enum": "This must be one of: {expected}.",
    "too_long": "This may have {max_length} entries at most.",
    "model_type": "This must be an object.",
    "list_type": "This must be a list.",
    "tuple_type": "This must be a list.",
}
"""Pydantic's kinds of error in our words, which can be translated. Others stay as they are."""


def _why(one: ErrorDetails) -> str:
    if one["type"] in _WHY:
        return gettext(_WHY[one["type"]]).format(**one.get("ctx", {}))
    return one["msg"].removeprefix("Value error, ")
