"""What was agreed with a partner, in sentences a person reads before signing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.console.words import word
from hub.domain.agreement import DisclosureClass
from hub.domain.disclosure import LABELS
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries.amendments import DIRECTION_LABELS, TERM_LABELS, AmendmentView
from hub.queries.links import LinkView


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of an agreement."""

    sentence: str
    terms: list[tuple[str, str]]  # what, how much


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a proposal."""

    direction: str
    term: str
    before: str
    after: str


def sides(view: LinkView) -> list[Side]:
    """Both directions: what each side lets the other do and see."""
    directions = (view.terms or {}).get("directions")
    if not isinstance(directions, Mapping):
        return []
    ours, theirs = "inviter_to_invitee", "invitee_to_inviter"
    if not view.invited_by_us:
        ours, theirs = theirs, ours
    told = (
        (
            ours,
            N_("We hand tickets to {peer} and show: {what}."),
            N_("We hand no tickets to {peer}."),
        ),
        (
            theirs,
            N_("{peer} hands tickets to us and shows: {what}."),
            N_("{peer} hands no tickets to us."),
        ),
    )
    return [_side(view, directions.get(name, {}), may, not_) for name, may, not_ in told]


def _side(view: LinkView, said: Mapping[str, Any], may: str, may_not: str) -> Side:
    shown = ", ".join([_("title"), *(_name(one) for one in said.get("disclose", ()))])
    template = may if said.get("hand_off") else may_not
    sentence = _(template).format(peer=view.peer.name, what=shown)
    rest = [
        (_(TERM_LABELS[name]), _value(value))
        for name, value in said.items()
        if name in TERM_LABELS and name not in {"hand_off", "disclose"}
    ]
    return Side(sentence, rest)


def changes(peer: str, amendment: AmendmentView) -> list[Change]:
    """What a proposal changes, a line for each term."""
    found = []
    for one in amendment.changes:
        after = _value(one.after)
        if isinstance(one.before, list) and isinstance(one.after, list) and one.before:
            come = [f"+ {_name(each)}" for each in one.after if each not in one.before]
            gone = [f"− {_name(each)}" for each in one.before if each not in one.after]  # noqa: RUF001
            after = ", ".join([*come, *gone]) if one.after else after
        direction = _(DIRECTION_LABELS[one.direction]).format(peer=peer)
        term = _(TERM_LABELS[one.term]) if one.term in TERM_LABELS else one.term
        found.append(Change(direction, term, _value(one.before), after))
    return found


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return word("yes" if value else "no")
    if isinstance(value, str):
        return word(value)
    if isinstance(value, Sequence):
        return ", ".join(_name(each) for each in value) or "—"
    return "—" if value is None else str(value)


def _name(value: Any) -> str:
    """A disclosure class in words; any other name as it is."""
    known = value in list(DisclosureClass)
    return _(LABELS[DisclosureClass(value)]) if known else str(value)
