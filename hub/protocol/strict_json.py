"""Strict JSON: whatever two parsers could read in two ways is refused.

I-JSON (RFC 7493) tightened: UTF-8 without a byte order mark, one object at the top, no
duplicate members, integers within ±(2^53-1), no fractions or exponents, at most MAX_DEPTH
containers inside one another, plain member names, no lone surrogates, noncharacters or U+0000.

The object that `parse` returns is the one the application goes on with: nothing signed is
read a second time by another parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from hub.errors import Untrusted

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**53 - 1
MAX_NAME: Final = 64

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
# Names seen to be allowed: one set operation then judges a whole object. Bounded, so that
# nobody can fill our memory with names; a full set only makes unknown names slower.
_names: Final[set[str]] = set()
_MAX_NAMES: Final = 4096
# RFC 7493 §2.1 bars surrogates and noncharacters. U+0000 is ours: PostgreSQL cannot store it,
# so a message carrying it could be verified and then never applied.
_UNSENDABLE: Final = re.compile(
    "[\x00\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)


class _Flaw(ValueError):  # noqa: N818 - names say what happened
    """Why a text or a value is not strict JSON."""


def parse(data: bytes | str, *, max_bytes: int, what: str = "message") -> dict[str, Any]:
    """The object written in `data`; `what` names it in our log.

    Raises `Untrusted(malformed)` for everything else, never `RecursionError`.
    """
    try:
        return _parse(data, max_bytes)
    except (ValueError, RecursionError) as error:  # also UnicodeError and JSONDecodeError
        raise Untrusted(
            "malformed",
            "What was received does not follow the protocol.",
            because=f"{what}: {error}"[:200],
        ) from None  # the cause would carry the whole foreign text into a log


def dump(value: dict[str, Any], *, mend: bool = False) -> str:
    """Compact JSON that `parse` reads back as an equal value.

    Raises `ValueError` for what strict JSON cannot hold: a bug of the caller. With `mend`,
    characters that may not be sent are replaced instead: they come from people who pasted
    something, and that must not stop a message.
    """
    _check(value, look_into_texts=False)
    text = _ENCODER.encode(value)
    if _suspicious(text, text.encode("utf-8", "surrogatepass")):
        if mend:
            return _ENCODER.encode(_mended(value))
        _check(value, look_into_texts=True)
    return text


def text_size(text: str) -> int:
    """How many bytes `dump` takes for this text."""
    return len(_ENCODER.encode(text).encode("utf-8", "surrogatepass"))


def clean(text: str) -> str:
    """The text with every character the wire cannot carry replaced by U+FFFD."""
    return _UNSENDABLE.sub("\ufffd", text)


def _parse(data: bytes | str, max_bytes: int) -> dict[str, Any]:
    if isinstance(data, str):
        text, raw = data, data.encode()
    else:
        text, raw = data.decode(), data
    if len(raw) > max_bytes:
        raise _Flaw(f"longer than {max_bytes} bytes")
    value = _DECODER.decode(text)
    _check(value, look_into_texts=_suspicious(text, raw))
    return value  # type: ignore[no-any-return]  # _check has seen that it is a dict


def _suspicious(text: str, raw: bytes) -> bool:
    """Whether some text in it may hold a character that may not be sent.

    Noncharacters end in BF BE or BF BF or begin with EF B7, surrogates begin with ED:
    searching bytes is far cheaper than a character class over every text, and a rare false
    alarm only costs a closer look.
    """
    return "\\u" in text or (
        not text.isascii()
        and any(part in raw for part in (b"\xbf\xbe", b"\xbf\xbf", b"\xef\xb7", b"\xed"))
    )


def _mended(value: object) -> object:
    """The value with its texts cleaned. Its depth has been checked."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: _mended(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    return value


def _check(top: object, *, look_into_texts: bool) -> None:
    """Raise `_Flaw` unless the value fits. Level by level, so no depth can hurt us."""
    if type(top) is not dict:
        raise _Flaw("the top level is not an object")
    level: list[Any] = [top]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for container in level:
            if type(container) is dict:
                if not _names.issuperset(container):
                    _learn_names(container)
                values = container.values()
            else:
                values = container
            for value in values:
                kind = type(value)
                if kind is str:
                    if look_into_texts and _UNSENDABLE.search(value):
                        raise _Flaw("a text holds a character that may not be sent")
                elif kind is dict or kind is list:
                    deeper.append(value)
                elif kind is int:
                    if not -MAX_INTEGER <= value <= MAX_INTEGER:
                        raise _Flaw("an integer is out of range")
                elif kind is not bool and value is not None:
                    _check_odd(value)
        if not deeper:
            return
        level = deeper
    raise _Flaw(f"more than {MAX_DEPTH} levels deep")


def _check_odd(value: object) -> None:
    """Enumerations of texts and numbers may be written; they read back as equal values."""
    if isinstance(value, str):
        if _UNSENDABLE.search(value):
            raise _Flaw("a text holds a character that may not be sent")
    elif not isinstance(value, int) or not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise _Flaw(f"{type(value).__name__} has no place in strict JSON")


def _learn_names(names: Iterable[object]) -> None:
    """Raise `_Flaw` for a name that is not allowed; remember the others, up to a limit."""
    for name in names:
        if type(name) is not str or len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
            raise _Flaw("a member name is not allowed")
        if len(_names) < _MAX_NAMES:
            _names.add(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Names arrive unescaped, so "a" and "\u0061" are the duplicates they are.
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Flaw("a member appears twice")
    return made


def _no_number(text: str) -> NoReturn:
    raise _Flaw(f"{text[:20]} is not an integer")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_no_number, parse_constant=_no_number, strict=True
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
