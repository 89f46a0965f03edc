"""How agreed terms may change: what an amendment may touch, and what it changes.

Each side may amend what it offers itself: its scopes and its limits. The other side's offer,
the parties and the legal text stay; the terms follow from both offers, as at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hub.domain.agreement import INVITEE_TO_INVITER, INVITER_TO_INVITEE
from hub.errors import Refused


class AmendmentState(StrEnum):
    """What became of a proposal."""

    OPEN = "open"  # proposed; nobody has answered
    WITHDRAWN = "withdrawn"  # its author took it back; settled once the other side answered
    AGREED = "agreed"  # both signed it
    REFUSED = "refused"  # by the other side's people, or by its rules
    CROSSED = "crossed"  # it met one of the other side, and that one stands


LIMITS: Final = "limits"
"""Where a change is of a limit that holds in both directions."""

_AMENDABLE: Final = frozenset({"revision", "made_at", "offers", "terms"})
_AMENDABLE_OF_OFFER: Final = frozenset({"scopes", "limits"})
_AMENDABLE_OF_TERMS: Final = frozenset({"directions", "limits"})


@dataclass(frozen=True, slots=True)
class Change:
    """One term that is not what it was."""

    where: str  # a direction of the terms, or `limits`
    term: str
    before: Any  # as in the terms: a list, a number, a text, a boolean; None: there was none
    after: Any


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What becomes different between two agreements' terms, in the order of the terms."""
    found: list[Change] = []
    for where in (INVITER_TO_INVITEE, INVITEE_TO_INVITER):
        old, new = before["directions"][where], after["directions"][where]
        found += _changes(where, old, new)
    return found + list(_changes(LIMITS, before["limits"], after["limits"]))


def _changes(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for term in [*old, *(name for name in new if name not in old)]:
        if old.get(term) != new.get(term):
            yield Change(where, term, old.get(term), new.get(term))


def check_amendment(
    before: Mapping[str, Any], after: Mapping[str, Any], *, proposer: str, terms: Mapping[str, Any]
) -> None:
    """Return if `after` may follow `before` when this party (`inviter`, `invitee`) proposes it.

    Both are whole agreements with their offers read; `terms` is what the offers of `after` make
    of each other. Raises `Refused(not_amendable)` naming what may not change.
    """
    other = "invitee" if proposer == "inviter" else "inviter"
    if after["revision"] != before["revision"] + 1:
        raise _not_amendable("revision")
    for name in before.keys() | after.keys():
        if name not in _AMENDABLE and before.get(name) != after.get(name):
            raise _not_amendable(name)
    ours_before, ours_after = before["offers"][proposer], after["offers"][proposer]
    if before["offers"][other] != after["offers"][other]:
        raise _not_amendable(f"offers.{other}")
    for name in ours_before.keys() | ours_after.keys():
        if name not in _AMENDABLE_OF_OFFER and ours_before.get(name) != ours_after.get(name):
            raise _not_amendable(f"offers.{proposer}.{name}")
    for name in before["terms"].keys() | after["terms"].keys():
        same = before["terms"].get(name) == after["terms"].get(name)
        if name not in _AMENDABLE_OF_TERMS and not same:
            raise _not_amendable(f"terms.{name}")
    if after["terms"] != terms:
        raise _not_amendable("terms")


def _not_amendable(name: str) -> Refused:
    return Refused(
        "not_amendable", "The proposed agreement changes '{name}', which it may not.", name=name
    )
