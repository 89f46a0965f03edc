"""A description as it was written: YAML 1.2 whose every value knows its line and column.

Duplicate keys, tags, aliases and sizes beyond reason are refused here, with the place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Path = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, both from 1

SOURCE_MAX: Final = 256 * 1024
NODES_MAX: Final = 20_000


class Told(NamedTuple):
    """A message id for people with `{name}` places, and what stands in them."""

    message_id: str
    facts: Mapping[str, str] = {}

    def in_words(self, gettext: Callable[[str], str]) -> str:
        """The text in the reader's language."""
        said = gettext(self.message_id)
        return said.format_map(self.facts) if self.facts else said


class Unfit(ValueError):  # noqa: N818 - what it is
    """What is written cannot be used; `told` says why to a person."""

    def __init__(self, told: str, **facts: str) -> None:
        self.told = Told(told, facts)
        super().__init__(self.told.in_words(str))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to correct, where it stands."""

    file: str
    line: int
    column: int
    message_id: str
    facts: Mapping[str, str] = field(default_factory=dict)
    hint: Told | None = None  # what may have been meant

    @property
    def told(self) -> str:
        """The English text, without the place."""
        return self.said_in(str)

    def in_words(self, gettext: Callable[[str], str]) -> str:
        """The place, and what is wrong there in the reader's language."""
        return f"{self.file}:{self.line}:{self.column} {self.said_in(gettext)}"

    def said_in(self, gettext: Callable[[str], str]) -> str:
        """What is wrong in the reader's language, without the place."""
        said = Told(self.message_id, self.facts).in_words(gettext)
        return said + self.hint.in_words(gettext) if self.hint else said

    def __str__(self) -> str:
        return self.in_words(str)


class BadDescription(Exception):  # noqa: N818 - what it is
    """The file cannot be used; `mistakes` are all that were found, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda one: (one.line, one.column)))
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, slots=True)
class Source:
    """Plain values and where each of them stands."""

    file: str
    value: Any
    places: Mapping[Path, Place]

    def mistake(self, path: Path, told: str, hint: Told | None = None, /, **facts: str) -> Mistake:
        """A mistake at this value, or at the nearest one around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return Mistake(self.file, *self.places[path[:length]], told, facts, hint)
        return Mistake(self.file, 1, 1, told, facts, hint)


def parse(text: str, file: str) -> Source:
    """Read it.

    Raises:
        BadDescription: it is not YAML, or more than that.
    """
    if len(text) > SOURCE_MAX:
        raise BadDescription([Mistake(file, 1, 1, "the file is too large")])
    reader = YAML(typ="rt", pure=True)
    reader.version = (1, 2)
    try:
        raw = reader.load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        first = str(error.problem).split(" with value", 1)[0].removeprefix("found ")
        raise BadDescription([_at(file, mark, first)]) from None
    except MarkedYAMLError as error:
        told = " ".join(str(one) for one in (error.context, error.problem) if one)
        raise BadDescription([_at(file, error.problem_mark, told)]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadDescription([Mistake(file, 1, 1, told)]) from None
    places: dict[Path, Place] = {(): (1, 1)}
    plain = _Plain(file, places).of(raw, ())
    if not isinstance(plain, dict):
        raise BadDescription([Mistake(file, 1, 1, "not a mapping")])
    return Source(file, plain, places)


def _at(file: str, mark: Any, told: str) -> Mistake:
    return Mistake(file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, told)


class _Plain:
    """Commented values to plain ones, noting places; counts, so that aliases cannot amplify."""

    def __init__(self, file: str, places: dict[Path, Place]) -> None:
        self._file, self._places, self._left = file, places, NODES_MAX

    def of(self, value: Any, path: Path) -> Any:
        self._left -= 1
        if self._left < 0 or len(path) > 40:
            raise BadDescription([Mistake(self._file, 1, 1, "the file holds too much")])
        if isinstance(value, CommentedMap):
            made = {}
            for key, inner in value.items():
                name = key if isinstance(key, str) else _scalar(key)
                line, column = value.lc.value(key) if key in (value.lc.data or {}) else (0, 0)
                self._places[(*path, str(name))] = (line + 1, column + 1)
                made[str(name) if not isinstance(name, str) else name] = self.of(
                    inner, (*path, str(name))
                )
            return made
        if isinstance(value, CommentedSeq):
            items = []
            for index, inner in enumerate(value):
                line, column = value.lc.item(index) or (0, 0)
                self._places[(*path, index)] = (line + 1, column + 1)
                items.append(self.of(inner, (*path, index)))
            return items
        plain = _scalar(value)
        if plain is NotImplemented:
            place = self._places.get(path, (1, 1))
            raise BadDescription([Mistake(self._file, *place, "only plain values are allowed")])
        return plain


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return NotImplemented


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean …?`, or nothing."""
    found = nearest(word, known)
    return found.in_words(str) if found else ""


def nearest(word: str, known: Collection[str]) -> Told | None:
    """The same as a hint of a mistake."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return Told("; did you mean {near}?", {"near": near[0]}) if near else None
