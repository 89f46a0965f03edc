"""Typed members of a parsed object: present, of the right kind, in range, or refused.

Unknown members are left alone: a minor version may add some.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from hub import ids
from hub.errors import Untrusted
from hub.protocol.encoding import is_hash, parse_instant, unb64url
from hub.protocol.strict_json import MAX_INTEGER

T = TypeVar("T")

MAX_SHORT: Final = 200
MAX_URL: Final = 500


class Members:
    """Reads one object. Every method raises `Untrusted` with the code given here."""

    __slots__ = ("_code", "_data", "_what")

    def __init__(self, data: object, what: str, code: str = "malformed") -> None:
        self._what = what
        self._code = code
        if type(data) is not dict:
            raise self.flaw("not an object")
        self._data: dict[str, Any] = data

    def flaw(self, because: str) -> Untrusted:
        """The error that says what is wrong with this object."""
        return Untrusted(
            self._code,
            "What was received does not follow the protocol.",
            because=f"{self._what}: {because}",
        )

    def has(self, name: str) -> bool:
        """Whether the member is there at all."""
        return name in self._data

    def text(self, name: str, most: int = MAX_SHORT) -> str:
        """A text of 1 to `most` characters."""
        value = self._data.get(name)
        if type(value) is not str or not 0 < len(value) <= most:
            raise self.flaw(name)
        return value

    def number(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> int:
        """An integer from `least` to `most`."""
        value = self._data.get(name)
        if type(value) is not int or not least <= value <= most:
            raise self.flaw(name)
        return value

    def flag(self, name: str) -> bool:
        """True or false, nothing that is merely truthy."""
        value = self._data.get(name)
        if type(value) is not bool:
            raise self.flaw(name)
        return value

    def digest(self, name: str) -> str:
        """A SHA-256 in base64url."""
        value = self._data.get(name)
        if type(value) is not str or not is_hash(value):
            raise self.flaw(name)
        return value

    def node_id(self, name: str) -> str:
        """A node id."""
        return self.digest(name)

    def an_id(self, name: str, prefix: str) -> str:
        """An id of one kind."""
        value = self._data.get(name)
        if type(value) is not str or not ids.is_id(value, prefix):
            raise self.flaw(name)
        return value

    def instant(self, name: str) -> datetime:
        """A moment in UTC."""
        return self._converted(name, parse_instant)

    def raw(self, name: str, count: int) -> bytes:
        """Exactly `count` bytes in base64url."""
        value = self._converted(name, unb64url)
        if len(value) != count:
            raise self.flaw(name)
        return value

    def nested(self, name: str) -> dict[str, Any]:
        """An object, as parsed."""
        value = self._data.get(name)
        if type(value) is not dict:
            raise self.flaw(name)
        return value

    def array(self, name: str, most: int) -> list[Any]:
        """An array of at most `most` things, as parsed."""
        value = self._data.get(name)
        if type(value) is not list or len(value) > most:
            raise self.flaw(name)
        return value

    def position(self, name: str, value: object) -> tuple[int, str]:
        """`value`, found at `name`, as a place in a chain: `[sequence number, hash]`."""
        if type(value) is not list or len(value) != 2:
            raise self.flaw(name)
        sequence, head = value
        if type(sequence) is not int or not 0 < sequence <= MAX_INTEGER:
            raise self.flaw(name)
        if type(head) is not str or not is_hash(head):
            raise self.flaw(name)
        return sequence, head

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """An array of at most `most` short texts."""
        values = self.array(name, most)
        if not all(type(value) is str and 0 < len(value) <= MAX_SHORT for value in values):
            raise self.flaw(name)
        return tuple(values)

    def _converted(self, name: str, convert: Callable[[str], T]) -> T:
        value = self._data.get(name)
        if type(value) is not str:
            raise self.flaw(name)
        try:
            return convert(value)
        except Untrusted as error:
            raise self.flaw(f"{name}: {error.because}") from error
