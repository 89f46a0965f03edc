"""Two-way tables between a desk's words and ours, and the proof that they neither lose nor swing.

A table says three things: `both`, word for word and one to one; `read`, further words over there
and what they mean here, never written; `silent`, words of ours that are not told over there.
From that follows what makes it safe: whatever we write reads back as what we meant. A word over
there is only written when it does not already mean what it should, so an edit travels outwards
and its echo changes nothing. Two such tables with a one-to-one table of a peer between them keep
that property; `check_path` says where a path would lose or swing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SILENT: Final = object()
"""What `written` gives for a word that is not told over there."""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Why a table cannot be used; `word` is the one it is about."""

    rule: str  # not_one_to_one not_total not_ours read_twice silent_and_told loses
    word: str
    message_id: str  # for people, with `{name}` places
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """The English text."""
        return self.message_id.format_map({**self.facts, "word": self.word})


@dataclass(frozen=True, slots=True)
class ValueMap:
    """One table. Words over there are kept as text, whatever type they travel as."""

    both: Mapping[str, str]  # ours to theirs
    read: Mapping[str, str] = field(default_factory=dict)  # theirs to ours
    silent: Collection[str] = ()

    def reading(self) -> Mapping[str, str]:
        """Theirs to ours."""
        return {**self.read, **{theirs: ours for ours, theirs in self.both.items()}}

    def meaning(self, theirs: object) -> str | None:
        """Our word for theirs; None: unknown, to be shown to a person."""
        return self.reading().get(as_text(theirs))

    def written(self, ours: str) -> str | object | None:
        """Their word for ours; SILENT where it is not told; None: there is none."""
        if ours in self.both:
            return self.both[ours]
        return SILENT if ours in self.silent else None


def check(
    table: ValueMap, ours: Collection[str], theirs: Collection[str] | None = None
) -> list[Unsafe]:
    """Everything that makes this table unsafe; an empty list is the promise of the module.

    `theirs` is what the desk says it has, where it says so.
    """
    found: list[Unsafe] = []
    seen: dict[str, str] = {}
    for word, there in table.both.items():
        if word not in ours:
            found.append(Unsafe("not_ours", word, "{word}: this is no word of ours"))
        if there in seen:
            found.append(
                Unsafe(
                    "not_one_to_one",
                    there,
                    "{word}: both {one} and {other} are written so",
                    {"one": seen[there], "other": word},
                )
            )
        seen[there] = word
    for there, word in table.read.items():
        if word not in ours:
            found.append(Unsafe("not_ours", word, "{word}: this is no word of ours"))
        if there in seen:
            found.append(
                Unsafe(
                    "read_twice", there, "{word}: it is {one} in both already", {"one": seen[there]}
                )
            )
    for word in table.silent:
        if word in table.both:
            found.append(Unsafe("silent_and_told", word, "{word}: it stands in both, too"))
        if word not in ours:
            found.append(Unsafe("not_ours", word, "{word}: this is no word of ours"))
    found += [
        Unsafe("not_total", word, "{word}: neither in both nor silent")
        for word in ours
        if word not in table.both and word not in table.silent
    ]
    reading = table.reading()
    for there in theirs or ():
        if there not in reading:
            found.append(Unsafe("not_total", there, "{word}: the desk has it, no row reads it"))
    for there in table.both.values():
        if theirs is not None and there not in theirs:
            found.append(Unsafe("not_total", there, "{word}: the desk does not have it"))
    return found


def check_peer(there: Mapping[str, str], back: Mapping[str, str]) -> list[Unsafe]:
    """A table between two hubs: the way back must be the way there, or edits swing."""
    found = []
    for word, meant in there.items():
        if back.get(meant) != word:
            found.append(_lost(word, back.get(meant)))
    for word, meant in back.items():
        if there.get(meant) != word:
            found.append(_lost(word, there.get(meant)))
    return found


def _lost(word: str, other: str | None) -> Unsafe:
    if other is None:
        return Unsafe("loses", word, "{word}: it does not come back")
    return Unsafe("loses", word, "{word}: it comes back as {other}", {"other": other})


def check_path(
    near: ValueMap, peer: Mapping[str, str], far: ValueMap, *, ours: Collection[str]
) -> list[Unsafe]:
    """A whole way: desk, hub, peer's hub, its desk. `peer` is our words to the peer's."""
    found = check(near, ours) + check(far, set(peer.values()))
    found += check_peer(peer, {meant: word for word, meant in peer.items()})
    found += [
        Unsafe("not_total", word, "{word}: the peer has no word for it")
        for word in ours
        if word not in peer
    ]
    return found


def as_text(value: object) -> str:
    """How a word over there is written in a table: numbers and flags as YAML shows them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def words(values: Sequence[object]) -> list[str]:
    """Several of them."""
    return [as_text(one) for one in values]
